"""Slices, pan and zoom in LPS millimetres."""

from __future__ import annotations

import numpy as np
import pytest

from carez_desktop.workspace.plane_basis import Plane, plane_bases
from carez_desktop.workspace.viewport import Viewport
from tests.builders.analytic_volumes import GEOMETRIES


@pytest.mark.parametrize("name", GEOMETRIES)
def test_bases_follow_the_grid_and_look_the_radiological_way(name: str) -> None:
    bases = plane_bases(GEOMETRIES[name])
    assert sorted(basis.grid_axis for basis in bases.values()) == [0, 1, 2]
    assert bases[Plane.AXIAL].right[0] > 0.5
    assert bases[Plane.AXIAL].down[1] > 0.5
    assert bases[Plane.SAGITTAL].right[1] > 0.5
    assert bases[Plane.CORONAL].down[2] < -0.5
    for basis in bases.values():
        np.testing.assert_allclose(
            [basis.right @ basis.down, basis.right @ basis.forward], 0, atol=1e-12
        )


@pytest.mark.parametrize("name", GEOMETRIES)
@pytest.mark.parametrize("plane", list(Plane))
def test_slices_count_from_head_right_and_front_and_hit_voxel_centres(name, plane) -> None:
    geometry = GEOMETRIES[name]
    viewport = Viewport(plane, geometry)
    viewport.go_to_slice(0)
    first = viewport.cursor_lps
    assert viewport.slice_number == 1
    viewport.scroll(1)
    np.testing.assert_allclose(
        (viewport.cursor_lps - first) @ viewport.basis.forward, viewport.basis.step_mm
    )
    index = geometry.lps_to_index(viewport.cursor_lps)[viewport.basis.grid_axis]
    assert index == pytest.approx(round(index))
    viewport.scroll(1000)
    assert viewport.slice_number == viewport.slice_count
    axis, sign = {Plane.AXIAL: (2, -1), Plane.SAGITTAL: (0, 1), Plane.CORONAL: (1, 1)}[plane]
    assert viewport.basis.forward[axis] * sign > 0.5


def test_pixels_and_positions_are_inverse_under_flips() -> None:
    viewport = Viewport(Plane.SAGITTAL, GEOMETRIES["oblique"])
    viewport.resize(320, 200)
    viewport.set_flips(True, True)
    viewport.cursor_lps = viewport.cursor_lps + 3.0
    assert viewport.lps_to_pixel(viewport.pixel_to_lps(17.0, 150.5)) == pytest.approx((17.0, 150.5))


def test_zoom_keeps_the_point_under_the_pointer() -> None:
    viewport = Viewport(Plane.CORONAL, GEOMETRIES["axial"])
    viewport.resize(300, 200)
    before = viewport.pixel_to_lps(40.0, 160.0)
    scale = viewport.mm_per_pixel
    viewport.zoom(2.0, (40.0, 160.0))
    assert viewport.mm_per_pixel == pytest.approx(scale / 2)
    np.testing.assert_allclose(viewport.pixel_to_lps(40.0, 160.0), before)


def test_pan_moves_the_picture_with_the_pointer() -> None:
    viewport = Viewport(Plane.AXIAL, GEOMETRIES["left_handed"])
    point = viewport.pixel_to_lps(100.0, 80.0)
    viewport.pan(12.0, -7.0)
    assert viewport.lps_to_pixel(point) == pytest.approx((112.0, 73.0))


def test_fitted_view_stays_fitted_when_resized_until_it_is_moved() -> None:
    viewport = Viewport(Plane.AXIAL, GEOMETRIES["axial"])
    viewport.resize(100, 100)
    first = viewport.mm_per_pixel
    viewport.resize(200, 200)
    assert viewport.mm_per_pixel == pytest.approx(first / 2)
    viewport.pan(1, 1)
    moved = viewport.mm_per_pixel
    viewport.resize(50, 50)
    assert viewport.mm_per_pixel == moved
