"""Turned planes, quarter turns, slabs and one-to-one, on anisotropic and left-handed grids."""

from __future__ import annotations

import numpy as np
import pytest

from carez_desktop.workspace.plane_basis import (
    Plane,
    is_along_grid,
    plane_bases,
    rotated_basis,
    rotation_about,
)
from carez_desktop.workspace.slab import Slab, SlabMode
from carez_desktop.workspace.viewport import Viewport
from tests.builders.analytic_volumes import GEOMETRIES


def test_a_rotation_is_that_of_the_closed_form() -> None:
    turned = rotation_about(np.array([0.0, 0.0, 2.0]), np.pi / 2) @ np.array([1.0, 0.0, 0.0])
    np.testing.assert_allclose(turned, [0.0, 1.0, 0.0], atol=1e-12)
    about = rotation_about(np.array([1.0, 2.0, -0.5]), 0.7)
    np.testing.assert_allclose(about @ about.T, np.eye(3), atol=1e-12)
    assert np.trace(about) == pytest.approx(1 + 2 * np.cos(0.7))


@pytest.mark.parametrize("name", GEOMETRIES)
@pytest.mark.parametrize("plane", list(Plane))
def test_turning_there_and_back_is_the_grid_again(name: str, plane: Plane) -> None:
    geometry = GEOMETRIES[name]
    viewport = Viewport(plane, geometry)
    before = viewport.basis
    rotation = rotation_about(before.right, 0.4)
    viewport.rotate(rotation)
    assert viewport.is_oblique
    viewport.rotate(rotation.T)
    np.testing.assert_allclose(viewport.basis.forward, before.forward, atol=1e-12)
    assert viewport.basis.grid_axis == before.grid_axis


def test_the_step_of_a_turned_plane_lies_between_the_spacings() -> None:
    geometry = GEOMETRIES["axial"]
    basis = plane_bases(geometry)[Plane.AXIAL]
    spacing = sorted(geometry.spacing_mm)
    steps = [
        rotated_basis(basis, rotation_about(basis.right, angle), geometry).step_mm
        for angle in np.linspace(0, np.pi / 2, 7)
    ]
    assert steps[0] == pytest.approx(basis.step_mm)
    assert spacing[0] - 1e-9 <= min(steps) <= max(steps) <= spacing[-1] + 1e-9
    assert is_along_grid(basis, geometry)


def test_an_oblique_plane_scrolls_by_its_step_and_stops_at_the_ends() -> None:
    geometry = GEOMETRIES["oblique"]
    viewport = Viewport(Plane.CORONAL, geometry)
    viewport.rotate(rotation_about(viewport.basis.down, 0.5))
    before = viewport.cursor_lps
    number = viewport.slice_number
    viewport.scroll(1)
    moved = viewport.cursor_lps - before
    np.testing.assert_allclose(moved, viewport.basis.forward * viewport.basis.step_mm, atol=1e-9)
    assert viewport.slice_number == number + 1
    viewport.scroll(10_000)
    assert viewport.slice_number == viewport.slice_count
    viewport.reset_plane()
    assert not viewport.is_oblique


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_quarter_turns_carry_what_was_above_to_the_right(turns: int) -> None:
    viewport = Viewport(Plane.SAGITTAL, GEOMETRIES["axial"])
    viewport.resize(300, 200)
    above = viewport.plane_centre_lps - viewport.down * 10.0
    viewport.set_turns(turns)
    x, y = viewport.lps_to_pixel(above)
    way = [(0, -1), (1, 0), (0, 1), (-1, 0)][turns]
    reach = 10.0 / viewport.mm_per_pixel
    assert (x - 150, y - 100) == pytest.approx((way[0] * reach, way[1] * reach), abs=1e-6)
    np.testing.assert_allclose(viewport.pixel_to_lps(x, y), above, atol=1e-9)


def test_a_turned_picture_still_fits() -> None:
    viewport = Viewport(Plane.CORONAL, GEOMETRIES["axial"])
    viewport.resize(400, 150)
    viewport.set_turns(1)
    pixels = np.array([viewport.lps_to_pixel(corner) for corner in viewport.geometry.corners_lps])
    assert pixels[:, 0].min() >= 0
    assert pixels[:, 0].max() <= 400
    assert pixels[:, 1].min() >= 0
    assert pixels[:, 1].max() <= 150


def test_one_to_one_puts_the_finer_voxel_on_a_device_pixel() -> None:
    viewport = Viewport(Plane.AXIAL, GEOMETRIES["axial"])
    viewport.show_one_to_one(pixel_ratio=2.0)
    grid = viewport.pixel_grid(2.0)
    finest = min(GEOMETRIES["axial"].spacing_mm[1:])
    assert np.linalg.norm(grid[:3, 0]) == pytest.approx(finest)


def test_a_slab_tells_the_viewport_and_names_itself() -> None:
    viewport = Viewport(Plane.AXIAL, GEOMETRIES["axial"])
    told = []
    viewport.changed.connect(lambda: told.append(viewport.slab.text))
    viewport.set_slab(Slab(SlabMode.MINIP, 7.5))
    viewport.set_slab(Slab(SlabMode.MINIP, 7.5))
    assert told == ["MinIP 7.5 mm"]
    assert Slab().text == ""
