"""What a layer shows first, what it offers, and why it has one plane."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from carez_desktop.domain.intensity import OverlayPlane
from carez_desktop.domain.volume import SliceAxis, Volume
from carez_desktop.domain.window import VoiFunction, VoiLut, VoiWindow
from carez_desktop.workspace.arrangement import Arrangement
from carez_desktop.workspace.display_window import HU_PRESETS, DisplayWindow
from carez_desktop.workspace.first_hanging import first_hanging
from carez_desktop.workspace.layer import Layer
from tests.builders.analytic_volumes import GEOMETRIES, analytic_volume
from tests.builders.irregular_stacks import tilted_stack

LUT = VoiLut(-100, np.arange(300, dtype=np.uint16), 12, "Tissue")


@pytest.fixture
def volume() -> Volume:
    return analytic_volume("axial", dtype=np.int16)


def test_the_first_window_of_the_source_is_shown_and_all_are_offered(volume: Volume) -> None:
    windows = (VoiWindow(10, 90, VoiFunction.SIGMOID, "Breast"), VoiWindow(50, 350))
    layer = Layer(replace(volume, windows=windows, voi_luts=(LUT,)))
    assert layer.window == DisplayWindow(10, 90, VoiFunction.SIGMOID)
    assert [p.title for p in layer.presets if not p.key] == ["Breast", "File window 2", "Tissue"]
    assert [p.key for p in layer.presets[:5]] == ["1", "2", "3", "4", "5"]


def test_a_table_alone_is_shown_until_a_window_is_chosen(volume: Volume) -> None:
    layer = Layer(replace(volume, voi_luts=(LUT,)))
    assert layer.lut is LUT
    layer.window = layer.window.dragged(4, 0, step=1.0)
    assert layer.lut is None
    layer.reset()
    assert layer.lut is LUT
    layer.apply_preset("1")
    assert (layer.lut, layer.window) == (None, HU_PRESETS[0].window)


def test_dragging_keeps_the_function() -> None:
    window = DisplayWindow(10, 90, VoiFunction.SIGMOID).dragged(1, 1, step=2.0)
    assert window == DisplayWindow(12, 92, VoiFunction.SIGMOID)


def test_reasons_for_one_plane_are_told(volume: Volume) -> None:
    assert Layer(volume).plane_refusal == ""
    assert "moments" in Layer(replace(volume, slice_axis=SliceAxis.TIME)).plane_refusal
    assert "position" in Layer(volume, positioned=False).plane_refusal
    stack = tilted_stack()
    layer = Layer(stack.slices[3], stack=stack)
    assert layer.plane_refusal == stack.refusal
    assert layer.volume_at(5) is stack.slices[5]
    layer.show_full_range()
    assert layer.window.low == pytest.approx(min(float(s.array.min()) for s in stack.slices))
    assert layer.window.high == pytest.approx(max(float(s.array.max()) for s in stack.slices))


def test_a_cine_is_never_linked_by_position(volume: Volume) -> None:
    cine = replace(volume, slice_axis=SliceAxis.TIME)
    layers = [Layer(cine), Layer(volume)]
    arrangement = Arrangement()
    layout, contents = first_hanging(layers)
    arrangement.hang(layout, contents)
    assert "no position" in arrangement.link_refusal(*layers)
    assert [pane.layers for pane in arrangement.panes] == [(layer,) for layer in layers]


def test_graphics_are_those_of_the_slice(volume: Volume) -> None:
    bits = np.ones((2, 2), np.bool_)
    planes = tuple(OverlayPlane(index, (0, 0), bits) for index in (0, 3, 3))
    layer = Layer(replace(volume, overlays=planes))
    assert len(layer.overlays_at(3)) == 2
    assert layer.overlays_at(1) == ()
    assert layer.has_overlays


def test_colours_have_no_presets() -> None:
    geometry = GEOMETRIES["axial"]
    colour = Volume("1", np.zeros((*geometry.shape, 3), np.uint8), geometry, "US", "rgb")
    assert Layer(colour).presets == ()
