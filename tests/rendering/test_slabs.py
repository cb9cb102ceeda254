"""Slabs and planes shown small: numpy on whole slices, scipy and analytic volumes across them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.volume import Volume
from carez_desktop.rendering.slice_pipeline import INT16_OUTSIDE, SliceSampler
from carez_desktop.workspace.plane_basis import Plane, rotation_about
from carez_desktop.workspace.slab import Slab, SlabMode
from carez_desktop.workspace.viewport import Viewport
from tests.builders.analytic_volumes import (
    GEOMETRIES,
    GRADIENT,
    analytic_value,
    analytic_volume,
)

REDUCE = {SlabMode.MIP: np.max, SlabMode.MINIP: np.min, SlabMode.MEAN: np.mean}


def random_volume(geometry: VolumeGeometry, dtype: type = np.float32) -> Volume:
    cells = np.random.default_rng(5).integers(-900, 1500, geometry.shape).astype(dtype)
    return Volume("1.2", cells, geometry, "CT", "HU")


def grid_on_voxels(geometry: VolumeGeometry, axis: int, place: float) -> np.ndarray:
    """Pixel (column, row) on the voxel centres of a slice across an array axis."""
    down, across = (other for other in range(3) if other != axis)
    index = np.zeros(3)
    index[axis] = place
    grid = np.eye(4)
    grid[:3, 0] = geometry.affine[:3, across]
    grid[:3, 1] = geometry.affine[:3, down]
    normal = np.cross(grid[:3, 0], grid[:3, 1])
    grid[:3, 2] = normal / np.linalg.norm(normal)
    grid[:3, 3] = geometry.index_to_lps(index)
    return grid


def shape_across(geometry: VolumeGeometry, axis: int) -> tuple[int, int]:
    down, across = (geometry.shape[other] for other in range(3) if other != axis)
    return across, down


@pytest.mark.parametrize("name", GEOMETRIES)
@pytest.mark.parametrize("mode", SlabMode)
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_a_slab_along_the_grid_is_numpy_on_whole_slices(name, mode, axis, dtype) -> None:
    geometry = GEOMETRIES[name]
    volume = random_volume(geometry, dtype)
    thickness = 4.4 * geometry.spacing_mm[axis]
    width, height = shape_across(geometry, axis)
    for place in (4, 1, geometry.shape[axis] - 1):
        values = SliceSampler(volume).sample(
            grid_on_voxels(geometry, axis, place), width, height, slab=Slab(mode, thickness)
        )
        part = np.moveaxis(volume.array, axis, 0)[max(place - 2, 0) : place + 3]
        expected = REDUCE[mode](part.astype(np.float64), axis=0)
        assert values.dtype == dtype
        tolerance = 0.51 if dtype is np.int16 and mode is SlabMode.MEAN else 1e-3
        np.testing.assert_allclose(values, expected, atol=tolerance)


def test_between_two_slices_only_voxels_of_the_slab_count_and_the_mean_stays_linear() -> None:
    geometry = GEOMETRIES["oblique_left_handed"]
    volume, step = analytic_volume("oblique_left_handed"), geometry.spacing_mm[0]
    grid = grid_on_voxels(geometry, 0, 4.3)
    width, height = shape_across(geometry, 0)
    highest = SliceSampler(volume).sample(grid, width, height, slab=Slab(SlabMode.MIP, 1.5 * step))
    np.testing.assert_allclose(highest, volume.array[4:6].max(axis=0), atol=1e-3)
    mean = SliceSampler(volume).sample(grid, width, height, slab=Slab(SlabMode.MEAN, 4.4 * step))
    expected = 0.7 * volume.array[4] + 0.3 * volume.array[5]
    np.testing.assert_allclose(mean, expected, atol=1e-2)
    # Thinner than a voxel, between two of them: a plane without thickness.
    thin = SliceSampler(volume).sample(grid, width, height, slab=Slab(SlabMode.MIP, 0.2 * step))
    np.testing.assert_allclose(thin, expected, atol=1e-2)


def test_a_slab_that_reaches_in_from_outside_shows_what_it_holds() -> None:
    geometry = GEOMETRIES["axial"]
    volume = random_volume(geometry, np.int16)
    width, height = shape_across(geometry, 0)
    grid = grid_on_voxels(geometry, 0, -2.0)
    thick = Slab(SlabMode.MIP, 4.2 * geometry.spacing_mm[0])
    values = SliceSampler(volume).sample(grid, width, height, slab=thick)
    np.testing.assert_array_equal(values, volume.array[0])
    thin = Slab(SlabMode.MIP, 1.0 * geometry.spacing_mm[0])
    values = SliceSampler(volume).sample(grid, width, height, slab=thin)
    assert np.all(values == INT16_OUTSIDE)


def points_of(grid: np.ndarray, width: int, height: int) -> np.ndarray:
    """(height, width, 3) LPS mm."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    return x[..., None] * grid[:3, 0] + y[..., None] * grid[:3, 1] + grid[:3, 3]


def tilted() -> VolumeGeometry:
    """A gantry tilt kept in the grid: slices do not lie square above each other."""
    affine = GEOMETRIES["axial"].affine.copy()
    affine[1, 0] = 1.3
    return VolumeGeometry((11, 14, 17), affine)


def oblique_grid(geometry: VolumeGeometry, size_mm: float) -> np.ndarray:
    viewport = Viewport(Plane.AXIAL, geometry)
    viewport.resize(12, 10)
    viewport.rotate(rotation_about(np.array([1.0, 0.4, -0.3]), 0.5))
    viewport.show(geometry.centre_lps, size_mm)
    return viewport.pixel_grid()


@pytest.mark.parametrize("mode", SlabMode)
@pytest.mark.parametrize("name", ["oblique", "left_handed", "tilted", "tilted_square"])
def test_a_slab_across_the_grid_against_scipy(name: str, mode: SlabMode) -> None:
    geometry = tilted() if name.startswith("tilted") else GEOMETRIES[name]
    volume = random_volume(geometry)
    grid, thickness = oblique_grid(geometry, 1.6), 6.0
    if name == "tilted_square":  # along its slices, but its normal leaves the column of voxels
        grid, thickness = grid_on_voxels(geometry, 0, 5.0), 16.0
    per_mm = np.linalg.norm(geometry.inverse[:3, :3] @ grid[:3, 2])
    reach = int(thickness / 2.0 * per_mm)
    assert reach >= 1
    stack = []
    for step in range(-reach, reach + 1):
        points = points_of(grid, 12, 10) + grid[:3, 2] * (step / per_mm)
        index = np.moveaxis(geometry.lps_to_index(points), -1, 0)
        stack.append(map_coordinates(volume.array, index, order=1, cval=np.nan))
    planes = np.array(stack)
    whole = ~np.isnan(planes).any(axis=0)
    assert whole.sum() > 20
    values = SliceSampler(volume).sample(grid, 12, 10, slab=Slab(mode, thickness))
    expected = REDUCE[mode](planes, axis=0)
    np.testing.assert_allclose(values[whole], expected[whole], atol=0.2)


@pytest.mark.parametrize("name", GEOMETRIES)
@pytest.mark.parametrize("size_mm", [0.15, 1.0])
def test_an_oblique_slab_of_a_linear_volume(name: str, size_mm: float) -> None:
    volume = analytic_volume(name)
    grid = oblique_grid(volume.geometry, size_mm)
    expected = analytic_value(points_of(grid, 12, 10))
    per_mm = float(np.linalg.norm(volume.geometry.inverse[:3, :3] @ grid[:3, 2]))
    thickness = 5.0
    steps = int(thickness / 2 * per_mm) / per_mm
    sampler = SliceSampler(volume)
    mean = sampler.sample(grid, 12, 10, slab=Slab(SlabMode.MEAN, thickness))
    highest = sampler.sample(grid, 12, 10, slab=Slab(SlabMode.MIP, thickness))
    lowest = sampler.sample(grid, 12, 10, slab=Slab(SlabMode.MINIP, thickness))
    middle = (slice(3, 7), slice(4, 8))
    rise = abs(float(GRADIENT @ grid[:3, 2])) * steps
    np.testing.assert_allclose(mean[middle], expected[middle], atol=2e-2)
    np.testing.assert_allclose(highest[middle], expected[middle] + rise, atol=2e-2)
    np.testing.assert_allclose(lowest[middle], expected[middle] - rise, atol=2e-2)


def test_nearest_voxels_of_a_slab_are_values_of_the_volume() -> None:
    volume = random_volume(GEOMETRIES["oblique"], np.int16)
    grid = oblique_grid(volume.geometry, 0.3)
    values = SliceSampler(volume).sample(
        grid, 12, 10, interpolated=False, slab=Slab(SlabMode.MIP, 5.0)
    )
    assert set(np.unique(values)) <= set(np.unique(volume.array))


def test_a_plane_shown_small_is_the_mean_of_its_voxels() -> None:
    geometry = VolumeGeometry.from_parts(
        (3, 12, 20), (4.0, 0.5, 0.8), (1, 2, 3), np.eye(3)[[2, 1, 0]].T
    )
    for dtype in (np.int16, np.float32):
        volume = random_volume(geometry, dtype)
        grid = grid_on_voxels(geometry, 0, 1)
        grid[:3, 3] = geometry.index_to_lps((1, 1.0, 0.5))  # middle of 3 x 2 voxels
        grid[:3, 0] *= 2.0
        grid[:3, 1] *= 3.0
        values = SliceSampler(volume).sample(grid, 10, 4)
        blocks = volume.array[1].astype(float).reshape(4, 3, 10, 2).mean(axis=(1, 3))
        np.testing.assert_allclose(values, blocks, atol=0.51 if dtype is np.int16 else 1e-3)
        bare = SliceSampler(volume).sample(grid, 10, 4, smoothed=False)
        assert np.abs(bare - blocks).max() > 100
        nearest = SliceSampler(volume).sample(grid, 10, 4, interpolated=False)
        assert set(np.unique(nearest)) <= set(np.unique(volume.array))


@pytest.mark.parametrize("turned", [False, True])
def test_a_thin_line_stays_when_shown_small(turned: bool) -> None:
    geometry = VolumeGeometry.from_parts((5, 64, 64), (1, 1, 1), (0, 0, 0), np.eye(3)[[2, 1, 0]].T)
    for column in range(28, 33):
        cells = np.zeros(geometry.shape, np.int16)
        cells[:, :, column] = 1000
        viewport = Viewport(Plane.AXIAL, geometry)
        viewport.resize(16, 16)
        if turned:
            viewport.rotate(rotation_about(np.array([1.0, 0.0, 0.0]), 0.02))
        viewport.show(geometry.centre_lps, 4.0)
        sampler = SliceSampler(Volume("1", cells, geometry, "CT", "HU"))
        line = sampler.sample(viewport.pixel_grid(), 16, 16)[8].astype(float)
        assert line[line != INT16_OUTSIDE].sum() == pytest.approx(1000 / 4, rel=0.02)


def test_linear_volumes_stay_exact_when_shown_small() -> None:
    for name in GEOMETRIES:
        volume = analytic_volume(name)
        for turn in (0.0, 0.4):
            viewport = Viewport(Plane.CORONAL, volume.geometry)
            viewport.resize(6, 6)
            viewport.rotate(rotation_about(np.array([0.2, 1.0, 0.3]), turn))
            viewport.show(volume.geometry.centre_lps, 3.3)
            grid = viewport.pixel_grid()
            values = SliceSampler(volume).sample(grid, 6, 6)
            expected = analytic_value(points_of(grid, 6, 6))
            np.testing.assert_allclose(values[2:4, 2:4], expected[2:4, 2:4], atol=2e-2)


@pytest.mark.parametrize("mode", SlabMode)
def test_missing_and_endless_values_neither_warn_nor_spread_over_the_slab(mode: SlabMode) -> None:
    geometry = GEOMETRIES["axial"]
    cells = np.full(geometry.shape, 7.0, np.float32)
    cells[4, 3, 3], cells[4, 5, 5], cells[5, 5, 5] = np.nan, np.inf, -np.inf
    volume = Volume("1", cells, geometry, "MR", "arbitrary")
    width, height = shape_across(geometry, 0)
    values = SliceSampler(volume).sample(
        grid_on_voxels(geometry, 0, 4), width, height, slab=Slab(mode, 9.0)
    )
    assert values[10, 10] == 7.0
    if mode is not SlabMode.MEAN:
        assert values[3, 3] == 7.0
    SliceSampler(volume).sample(oblique_grid(geometry, 1.0), 12, 10, slab=Slab(mode, 9.0))


def test_colours_shown_small_are_averaged_too() -> None:
    geometry = VolumeGeometry.from_parts((1, 8, 8), (1, 1, 1), (0, 0, 0), np.eye(3)[[2, 1, 0]].T)
    cells = np.zeros((1, 8, 8, 3), np.uint8)
    cells[..., ::2, 0] = 200
    grid = grid_on_voxels(geometry, 0, 0)
    grid[:3, :2] *= 2.0
    grid[:3, 3] = geometry.index_to_lps((0, 0.5, 0.5))
    values = SliceSampler(Volume("1", cells, geometry, "US", "rgb")).sample(grid, 4, 4)
    assert np.all(values == (100, 0, 0))


def test_a_quick_oblique_slab_is_coarser_and_true_for_linear_volumes() -> None:
    volume = analytic_volume("oblique")
    grid = oblique_grid(volume.geometry, 0.2)
    expected = analytic_value(points_of(grid, 12, 10))
    calls: list[int] = []
    sampler = SliceSampler(volume)
    plain = sampler._reslicer.sample

    def counted(matrix, width, height, **options):
        calls.append(width * height)
        return plain(matrix, width, height, **options)

    sampler._reslicer.sample = counted
    slab = Slab(SlabMode.MEAN, 8.0)
    whole = sampler.sample(grid, 12, 10, slab=slab)
    asked, calls[:] = sum(calls), []
    quick = sampler.sample(grid, 12, 10, slab=slab, quick=True)
    assert sum(calls) <= 0.6 * asked
    for values in (whole, quick):
        np.testing.assert_allclose(values, expected, atol=2e-2)
