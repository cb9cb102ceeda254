"""Layouts, panes, spaces and links: positions in millimetres whatever the grids."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest

from carez_desktop.domain.alignment import Alignment, AlignmentMethod
from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.volume import Volume
from carez_desktop.workspace.arrangement import Arrangement, PaneContent
from carez_desktop.workspace.compare_settings import CompareMode, CompareSettings
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.layouts import LAYOUTS, grid_layout, layout_of
from carez_desktop.workspace.open_layers import same_source
from carez_desktop.workspace.plane_basis import Plane, rotation_about
from tests.builders.analytic_volumes import GEOMETRIES


def _layer(name: str, volume_id: str, frame: str) -> Layer:
    geometry = GEOMETRIES[name]
    volume = Volume(
        volume_id, np.zeros(geometry.shape, np.int16), geometry, "CT", "HU",
        frame_of_reference_uid=frame,
    )  # fmt: skip
    return Layer(volume)


def test_every_layout_covers_its_grid_once() -> None:
    for layout in (*LAYOUTS, grid_layout(4, 5)):
        covered = [
            (row, column)
            for cell in layout.cells
            for row in range(cell.row, cell.row + cell.row_span)
            for column in range(cell.column, cell.column + cell.column_span)
        ]
        assert sorted(covered) == [
            (row, column) for row in range(layout.rows) for column in range(layout.columns)
        ]
    assert layout_of("3x4") == grid_layout(3, 4)
    for name in ("9x1", "0x1", "x", "other"):
        with pytest.raises(KeyError):
            layout_of(name)


def test_an_alignment_is_rigid_and_has_an_inverse() -> None:
    matrix = np.eye(4)
    matrix[:3, :3] = rotation_about(np.array([0.3, -1.0, 0.2]), np.radians(25.0))
    matrix[:3, 3] = (4, -7, 11)
    alignment = Alignment("a", "b", matrix, AlignmentMethod.REGISTRATION)
    assert alignment.rotation_degrees == pytest.approx(25.0)
    np.testing.assert_allclose(alignment.inverse.matrix @ alignment.matrix, np.eye(4), atol=1e-12)
    for wrong in (np.diag([2.0, 1, 1, 1]), np.diag([-1.0, 1, 1, 1]), np.eye(3)):
        with pytest.raises(ValueError, match=r"rigid|mirror"):
            Alignment("a", "b", wrong, AlignmentMethod.OFFSET)


def test_one_frame_of_reference_links_and_two_do_not() -> None:
    arrangement = Arrangement()
    first, second, apart = (
        _layer("axial", "1", "F"),
        _layer("oblique", "2", "F"),
        _layer("axial", "3", "G"),
    )
    contents = [PaneContent(item, Plane.AXIAL) for item in (first, second, apart)]
    arrangement.hang(layout_of("1x3"), contents)
    assert arrangement.link_refusal(first, second) == ""
    assert "different frames" in arrangement.link_refusal(first, apart)
    views = [pane.viewport for pane in arrangement.panes]
    before = views[2].cursor_lps
    views[0].cursor_lps = (3.0, 20.0, -15.0)
    np.testing.assert_allclose(views[1].cursor_lps, (3.0, 20.0, -15.0))
    np.testing.assert_allclose(views[2].cursor_lps, before)


@pytest.mark.parametrize("name", GEOMETRIES)
def test_a_registered_volume_is_met_at_its_own_millimetres(name: str) -> None:
    fixed, moving = _layer("axial", "fixed", "F"), _layer(name, "moving", "G")
    matrix = np.eye(4)
    matrix[:3, :3] = rotation_about(np.array([0.2, 0.1, 1.0]), np.radians(12.0))
    matrix[:3, 3] = (30.0, -12.0, 5.0)
    arrangement = Arrangement()
    contents = [PaneContent(fixed, Plane.CORONAL), PaneContent(moving, Plane.CORONAL)]
    arrangement.hang(layout_of("1x2"), contents)
    arrangement.align(Alignment("fixed", "moving", matrix, AlignmentMethod.REGISTRATION))
    left, right = arrangement.panes
    point = np.array([1.0, 22.0, -9.0])
    left.viewport.cursor_lps = point
    np.testing.assert_allclose(right.viewport.cursor_lps, point)
    own = right.base.to_layer @ np.append(point, 1.0)
    np.testing.assert_allclose(own[:3], matrix[:3, :3] @ point + matrix[:3, 3])
    # Both look along the same direction, and the grid of the moving one lies where it should.
    np.testing.assert_allclose(right.viewport.basis.forward, left.viewport.basis.forward, atol=1e-9)
    back = np.linalg.inv(matrix) @ np.append(moving.volume.geometry.centre_lps, 1.0)
    np.testing.assert_allclose(right.viewport.geometry.centre_lps, back[:3])


def test_an_alignment_known_from_before_is_used_when_both_are_open() -> None:
    offset = Alignment.by_offset("b", "a", (1.0, 2.0, 3.0))
    arrangement = Arrangement(alignments=[offset])
    first, second = _layer("axial", "a", "F"), _layer("axial", "b", "G")
    arrangement.open(first)
    arrangement.open(second)
    assert arrangement.link_refusal(first, second) == ""
    np.testing.assert_allclose(arrangement.to_layer(first, second)[:3, 3], (-1.0, -2.0, -3.0))


def test_links_outlive_layouts_and_other_series() -> None:
    first, second = _layer("axial", "a", "F"), _layer("feet_last", "b", "G")
    arrangement = Arrangement()
    arrangement.hang(layout_of("1x2"), [PaneContent(first), PaneContent(second)])
    arrangement.align(Alignment.by_offset("a", "b", (10.0, 0.0, 0.0)))
    arrangement.set_link("links_window", False)
    arrangement.set_layout(layout_of("2x2"))
    arrangement.show(2, _layer("axial", "c", "F"), Plane.SAGITTAL)
    arrangement.set_layout(layout_of("1x1"))
    arrangement.set_layout(layout_of("1x2"))
    left, right = arrangement.panes
    left.viewport.cursor_lps = (5.0, 15.0, -20.0)
    np.testing.assert_allclose(right.viewport.cursor_lps, (5.0, 15.0, -20.0))
    np.testing.assert_allclose(right.base.to_layer[:3, 3], (10.0, 0.0, 0.0))
    assert not arrangement.is_linked("links_window")
    # Closed and opened again, as when a series is read anew.
    arrangement.close(second)
    assert right.base is None
    again = _layer("feet_last", "b", "G")
    arrangement.show(1, again)
    assert arrangement.link_refusal(first, again) == ""


def test_windows_are_shared_where_units_are_the_same() -> None:
    first, second = _layer("axial", "a", "F"), _layer("axial", "b", "G")
    arrangement = Arrangement()
    arrangement.open(first)
    arrangement.open(second)
    first.window = replace(first.window, center=77.0)
    assert second.window.center == 77.0
    arrangement.set_link("links_window", False)
    first.window = replace(first.window, center=-5.0)
    assert second.window.center == 77.0


def test_turning_the_lines_of_one_pane_turns_the_other_planes_only() -> None:
    layer = _layer("oblique", "a", "F")
    arrangement = Arrangement()
    arrangement.hang(layout_of("1+2"), [PaneContent(layer, plane) for plane in Plane])
    axial, sagittal, coronal = (pane.viewport for pane in arrangement.panes)
    before = axial.basis
    arrangement.group_of(layer).turn_others(axial, np.radians(20.0))
    assert axial.basis is before
    for viewport in (sagittal, coronal):
        assert viewport.is_turned
        # Still at right angles to the axial plane: the lines turned within it.
        assert viewport.basis.forward @ axial.basis.forward == pytest.approx(0.0, abs=1e-9)
    assert sagittal.basis.forward @ coronal.basis.forward == pytest.approx(0.0, abs=1e-9)
    turned = np.degrees(
        np.arccos(np.clip(sagittal.basis.forward @ sagittal.home_basis.forward, -1, 1))
    )
    assert turned == pytest.approx(20.0)


def test_comparing_asks_for_one_space() -> None:
    first, second = _layer("axial", "a", "F"), _layer("axial", "b", "G")
    arrangement = Arrangement()
    settings = CompareSettings(CompareMode.SWIPE, curtain=0.3)
    assert "nothing to compare" in arrangement.compare(0, second, settings)
    arrangement.show(0, first)
    assert "frames of reference" in arrangement.compare(0, second, settings)
    arrangement.align(same_source(first, second))
    assert arrangement.compare(0, second, settings) == ""
    assert arrangement.panes[0].is_comparing
    assert arrangement.lay_over(0, second, opacity=0.4, outlined=True) == ""
    arrangement.close(second)
    assert arrangement.panes[0].second is None
    assert arrangement.panes[0].overlays == ()
    with pytest.raises(ValueError, match="between 0 and 1"):
        CompareSettings(curtain=1.5)


def test_a_closed_layer_is_let_go() -> None:
    arrangement = Arrangement()
    layer = _layer("axial", "a", "F")
    ghost = weakref.ref(layer)
    voxels = weakref.ref(layer.volume)
    arrangement.show(0, layer)
    arrangement.close_all()
    del layer
    gc.collect()
    assert ghost() is None
    assert voxels() is None


def test_geometry_of_an_offset_layer_moves_against_the_offset() -> None:
    layer = _layer("left_handed", "b", "G")
    arrangement = Arrangement(alignments=[Alignment.by_offset("a", "b", (7.0, 0.0, 0.0))])
    arrangement.open(_layer("axial", "a", "F"))
    arrangement.show(0, layer)
    moved = arrangement.panes[0].viewport.geometry
    expected = VolumeGeometry(moved.shape, layer.volume.geometry.affine)
    np.testing.assert_allclose(moved.centre_lps, expected.centre_lps - (7.0, 0.0, 0.0))
