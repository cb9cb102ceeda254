"""Sides, letters, crosshair and ruler at known positions."""

from __future__ import annotations

import numpy as np
import pytest

from carez_desktop.domain.volume import Volume, VolumeKind
from carez_desktop.rendering.annotations import annotate, edge_letters, ruler
from carez_desktop.rendering.slice_pipeline import SliceSampler
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.plane_basis import Plane
from carez_desktop.workspace.viewport import Viewport
from tests.builders.analytic_volumes import GEOMETRIES, analytic_volume

ALIGNED = ("axial", "feet_last", "left_handed", "sagittal", "coronal")
# Where a mark off the centre must appear, radiological convention: (x, y) side of the middle.
SIDES = [
    (Plane.AXIAL, (-1, 0, 0), "left", "R"),
    (Plane.AXIAL, (0, -1, 0), "top", "A"),
    (Plane.CORONAL, (-1, 0, 0), "left", "R"),
    (Plane.CORONAL, (0, 0, 1), "top", "S"),
    (Plane.SAGITTAL, (0, -1, 0), "left", "A"),
    (Plane.SAGITTAL, (0, 0, 1), "top", "S"),
]


def _marked(name: str, towards: tuple[int, int, int]) -> Volume:
    """Volume of zeros with one bright block off its centre in a direction of the patient."""
    geometry = GEOMETRIES[name]
    step = float(np.abs(geometry.affine[:3, :3].T @ np.array(towards)).max())
    point = geometry.centre_lps + np.array(towards) * step * 3
    array = np.zeros(geometry.shape, np.int16)
    array[tuple(np.rint(geometry.lps_to_index(point)).astype(int))] = 1000
    return Volume("1", array, geometry, "CT", "HU")


@pytest.mark.parametrize("name", ALIGNED)
@pytest.mark.parametrize(("plane", "towards", "side", "letter"), SIDES)
def test_a_mark_lies_on_its_radiological_side(name, plane, towards, side, letter) -> None:
    volume = _marked(name, towards)
    viewport = Viewport(plane, volume.geometry)
    viewport.resize(200, 200)
    mark = np.argwhere(volume.array == 1000)[0]
    viewport.cursor_lps = volume.geometry.index_to_lps(mark)
    values = SliceSampler(volume).sample(viewport.pixel_grid(), 200, 200)
    row, column = np.unravel_index(int(values.argmax()), values.shape)
    assert values[row, column] > 500
    assert (column < 95) if side == "left" else (row < 95)
    assert getattr(edge_letters(viewport), side) == letter
    x, y = annotate(viewport, Layer(volume)).cursor
    assert values[int(y), int(x)] > 850


def test_letters_of_an_oblique_plane_name_two_sides_in_order_of_dominance() -> None:
    geometry = GEOMETRIES["oblique"]
    letters = edge_letters(Viewport(Plane.AXIAL, geometry))
    assert letters.left[0] == "R"
    assert letters.top[0] == "A"
    assert len(letters.left) > 1 or len(letters.top) > 1


def test_flips_move_the_letters_with_the_picture() -> None:
    viewport = Viewport(Plane.AXIAL, GEOMETRIES["axial"])
    viewport.set_flips(True, False)
    letters = edge_letters(viewport)
    assert (letters.left, letters.right, letters.top, letters.bottom) == ("L", "R", "A", "P")


def test_crosshair_lines_meet_at_the_cursor_in_every_pane() -> None:
    volume = analytic_volume("oblique_left_handed")
    point = volume.geometry.index_to_lps((4.0, 6.0, 3.0))
    for plane in Plane:
        viewport = Viewport(plane, volume.geometry)
        viewport.resize(120, 90)
        viewport.cursor_lps = point
        note = annotate(viewport, Layer(volume))
        upright, level = note.lines
        assert {upright.plane, level.plane} == set(Plane) - {plane}
        np.testing.assert_allclose(viewport.pixel_to_lps(upright.start[0], level.start[1]), point)


def test_ruler_is_true_and_fits() -> None:
    viewport = Viewport(Plane.AXIAL, GEOMETRIES["axial"])
    viewport.resize(300, 240)
    viewport.show(viewport.centre_lps, 0.5)
    shown = ruler(viewport)
    assert (shown.length_mm, shown.length_pixels, shown.label) == (20.0, 40.0, "2 cm")


def test_a_phantom_that_plays_real_is_called_simulated() -> None:
    volume = analytic_volume("axial")
    note = annotate(Viewport(Plane.AXIAL, volume.geometry), Layer(volume, stand_in=True))
    assert note.badge == "SIMULATED"
    assert "real" not in " ".join(note.top_left)


def test_badge_is_on_synthetic_volumes_only() -> None:
    for kind, badge in ((VolumeKind.SYNTHETIC, "SYNTHETIC"), (VolumeKind.REAL, "")):
        volume = analytic_volume("axial", kind=kind)
        viewport = Viewport(Plane.AXIAL, volume.geometry)
        assert annotate(viewport, Layer(volume)).badge == badge
