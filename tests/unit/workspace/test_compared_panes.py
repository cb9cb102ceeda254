"""Comparing and overlays in every pane of a volume; curtains and blends that are moved on."""

from __future__ import annotations

import numpy as np
import pytest

from carez_desktop.domain.volume import Volume
from carez_desktop.workspace.arrangement import Arrangement, PaneContent
from carez_desktop.workspace.compare_settings import CompareMode, CompareSettings
from carez_desktop.workspace.compared_panes import (
    change_overlay,
    compare_panes,
    lay_over_panes,
    moved_on,
    panes_of_base,
    take_off,
)
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.layouts import layout_of
from carez_desktop.workspace.plane_basis import Plane
from tests.builders.analytic_volumes import GEOMETRIES


def _layer(volume_id: str, frame: str = "F") -> Layer:
    geometry = GEOMETRIES["axial"]
    array = np.zeros(geometry.shape, np.int16)
    return Layer(Volume(volume_id, array, geometry, "CT", "HU", frame_of_reference_uid=frame))


@pytest.fixture
def hung() -> tuple[Arrangement, Layer, Layer]:
    first, second = _layer("1"), _layer("2")
    arrangement = Arrangement()
    contents = [PaneContent(first, plane) for plane in Plane]
    arrangement.hang(layout_of("2x2"), [*contents, PaneContent(second, Plane.AXIAL)])
    return arrangement, first, second


def test_only_panes_of_the_same_volume_are_reached(
    hung: tuple[Arrangement, Layer, Layer],
) -> None:
    arrangement, _, second = hung
    panes = panes_of_base(arrangement, arrangement.panes[1])
    assert panes[0] is arrangement.panes[1]
    assert {pane.index for pane in panes} == {0, 1, 2}
    settings = CompareSettings(CompareMode.BLEND)
    assert compare_panes(arrangement, panes, second, settings) == ""
    assert [pane.is_comparing for pane in arrangement.panes] == [True, True, True, False]
    apart = _layer("3", "G")
    assert "different frames" in compare_panes(arrangement, panes, apart, settings)
    assert arrangement.panes[0].second is not None
    assert arrangement.panes[0].second.layer is second


def test_an_overlay_keeps_its_place_when_it_changes(
    hung: tuple[Arrangement, Layer, Layer],
) -> None:
    arrangement, _, second = hung
    third = _layer("3")
    panes = arrangement.panes[:2]
    for layer in (second, third):
        assert lay_over_panes(arrangement, panes, layer, opacity=0.5, outlined=False) == ""
    change_overlay(panes, second, opacity=0.2, outlined=True)
    for pane in panes:
        assert [item.layer for item in pane.overlays] == [second, third]
        assert [item.opacity for item in pane.overlays] == [0.2, 0.5]
        assert [item.outlined for item in pane.overlays] == [True, False]
    take_off(panes, second)
    assert [[item.layer for item in pane.overlays] for pane in panes] == [[third], [third]]


def test_what_a_mode_has_to_move_is_moved_and_stays_in_bounds() -> None:
    swipe = CompareSettings(CompareMode.SWIPE, curtain=0.9)
    assert moved_on(swipe, 1).curtain == pytest.approx(0.95)
    assert moved_on(swipe, 40).curtain == 1.0
    assert moved_on(swipe, -40).curtain == 0.0
    blend = CompareSettings(CompareMode.BLEND, opacity=0.5)
    assert moved_on(blend, -2).opacity == pytest.approx(0.4)
    tiles = CompareSettings(CompareMode.CHECKERBOARD, tile_mm=20.0)
    assert moved_on(tiles, 1).tile_mm == 25.0
    assert moved_on(tiles, -99).tile_mm == 1.0
    still = CompareSettings(CompareMode.DIFFERENCE)
    assert moved_on(still, 3) == still
