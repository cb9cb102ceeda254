"""The modality value under a pixel, against the analytic value at the pixel's LPS position."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.volume import Volume
from carez_desktop.rendering.display_values import grey_levels
from carez_desktop.rendering.slice_pipeline import (
    INT16_OUTSIDE,
    SliceSampler,
    value_at,
)
from carez_desktop.workspace.display_window import DisplayWindow
from carez_desktop.workspace.plane_basis import Plane
from carez_desktop.workspace.viewport import Viewport
from tests.builders.analytic_volumes import GEOMETRIES, analytic_value, analytic_volume, rotation

PLANES = list(Plane)


def _points_of(viewport: Viewport, ratio: float, width: int, height: int) -> np.ndarray:
    """(height, width, 3) LPS mm of the device pixel centres, by the viewport's own mapping."""
    return np.array(
        [
            [viewport.pixel_to_lps((x + 0.5) / ratio, (y + 0.5) / ratio) for x in range(width)]
            for y in range(height)
        ]
    )


@pytest.mark.parametrize("name", GEOMETRIES)
@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("ratio", [1.0, 1.5])
def test_value_under_each_pixel_is_the_analytic_one(name: str, plane: Plane, ratio: float) -> None:
    volume = analytic_volume(name)
    viewport = Viewport(plane, volume.geometry)
    viewport.resize(40, 32)
    viewport.set_flips(name == "sagittal", name == "oblique")
    viewport.cursor_lps = volume.geometry.index_to_lps((3.3, 5.6, 4.7))
    viewport.zoom(1.3, (11.0, 7.0))
    width, height = round(40 * ratio), round(32 * ratio)
    values = SliceSampler(volume).sample(viewport.pixel_grid(ratio), width, height)
    points = _points_of(viewport, ratio, width, height)
    index = volume.geometry.lps_to_index(points)
    last = np.array(volume.geometry.shape) - 1
    inside = np.all((index >= 0) & (index <= last), axis=-1)
    outside = np.any((index < -0.51) | (index > last + 0.51), axis=-1)
    assert inside.sum() > 200
    np.testing.assert_allclose(values[inside], analytic_value(points)[inside], atol=2e-3)
    assert np.all(np.isnan(values[outside]))


@given(
    axis=st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda v: np.linalg.norm(v) > 0.1),
    degrees=st.floats(-180, 180),
    spacing=st.tuples(*[st.floats(0.3, 6.0)] * 3),
    signs=st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3),
    plane=st.sampled_from(PLANES),
)
@settings(max_examples=25, deadline=None)
def test_any_grid_shows_its_own_values(axis, degrees, spacing, signs, plane) -> None:
    direction = rotation(np.array(axis), degrees) * np.array(signs)
    geometry = VolumeGeometry.from_parts((7, 8, 9), spacing, (3.0, -2.0, 1.0), direction)
    points = geometry.index_to_lps(np.moveaxis(np.indices(geometry.shape), 0, -1))
    volume = Volume("1", analytic_value(points).astype(np.float32), geometry, "CT", "HU")
    viewport = Viewport(plane, geometry)
    viewport.resize(24, 24)
    viewport.cursor_lps = geometry.index_to_lps((2.0, 3.0, 4.0))
    values = SliceSampler(volume).sample(viewport.pixel_grid(), 24, 24, smoothed=False)
    where = _points_of(viewport, 1.0, 24, 24)
    index = geometry.lps_to_index(where)
    inside = np.all((index >= 0) & (index <= np.array(geometry.shape) - 1), axis=-1)
    np.testing.assert_allclose(values[inside], analytic_value(where)[inside], atol=5e-3)


def test_int16_is_read_without_a_copy_and_marks_the_outside() -> None:
    volume = analytic_volume("axial", dtype=np.int16)
    sampler = SliceSampler(volume)
    assert np.shares_memory(sampler._voxels, volume.array)
    viewport = Viewport(Plane.AXIAL, volume.geometry)
    viewport.resize(60, 30)
    values = sampler.sample(viewport.pixel_grid(), 60, 30)
    assert values.dtype == np.int16
    assert values[0, 0] == INT16_OUTSIDE
    assert grey_levels(values, DisplayWindow(0, 100), inverted=True)[0, 0] == 0


def test_nearest_neighbour_shows_voxel_values_only() -> None:
    volume = analytic_volume("axial", dtype=np.int16)
    viewport = Viewport(Plane.AXIAL, volume.geometry)
    viewport.resize(60, 50)
    viewport.go_to_slice(2)
    values = SliceSampler(volume).sample(viewport.pixel_grid(), 60, 50, interpolated=False)
    shown = set(np.unique(values)) - {INT16_OUTSIDE}
    index = volume.geometry.lps_to_index(viewport.cursor_lps)
    assert shown <= set(np.unique(volume.array[round(index[0])]))


def test_grey_ramp_against_linear_exact_of_ps3_3() -> None:
    # PS3.3 C.11.2.1.3.2: y = ((x - c) / w + 0.5) * (ymax - ymin) + ymin, clamped.
    window = DisplayWindow(40.0, 400.0)
    values = np.array([[-32768, -500, -160, -159, 39, 40, 41, 239, 240, 3000]], np.int16)
    expected = np.clip(((values.astype(float) - 40) / 400 + 0.5) * 255, 0, 255)
    expected[0, 0] = 0
    grey = grey_levels(values, window).astype(float)
    assert np.abs(grey - expected).max() <= 0.5 + 1e-9
    as_float = grey_levels(values[:, 1:].astype(np.float32), window)
    np.testing.assert_array_equal(as_float, grey_levels(values[:, 1:], window))
    inverted = grey_levels(values[:, 1:], window, inverted=True)
    np.testing.assert_array_equal(inverted, 255 - as_float)


def test_value_at_is_the_voxel_that_holds_the_point() -> None:
    volume = analytic_volume("oblique_left_handed")
    point = volume.geometry.index_to_lps((4.3, 6.8, 2.2))
    assert value_at(volume, point) == volume.array[4, 7, 2]
    assert value_at(volume, point + 1000.0) is None
