"""Joint histograms against numpy and scikit-learn, and against volumes whose values are known."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.volume import Volume
from carez_desktop.rendering.common_samples import common_samples, strides_for
from carez_desktop.rendering.joint_histogram import (
    histogram_of,
    joint_histogram,
    mutual_information,
)
from tests.builders.analytic_volumes import GEOMETRIES
from tests.builders.placed_layers import registered_pair


def on(geometry: VolumeGeometry, cells: np.ndarray, **facts: float) -> Volume:
    return Volume("1", cells, geometry, "CT", "HU", **facts)


@pytest.mark.parametrize("name", GEOMETRIES)
@pytest.mark.parametrize("bins", [1, 7, 64])
def test_on_a_common_grid_it_is_numpys(name: str, bins: int) -> None:
    geometry = GEOMETRIES[name]
    random = np.random.default_rng(8)
    first = random.normal(50.0, 30.0, geometry.shape).astype(np.float32)
    second = (0.5 * first + random.normal(0, 10, geometry.shape)).astype(np.float32)
    found = joint_histogram(on(geometry, first), on(geometry, second), np.eye(4), bins)
    # Resampling on its own grid may move the last digit, so edges come from what was met.
    samples = common_samples(on(geometry, first), on(geometry, second), np.eye(4))
    np.testing.assert_array_equal(samples.fixed, first.ravel())
    np.testing.assert_allclose(samples.moving, second.ravel(), atol=2e-2)
    counts, *edges = np.histogram2d(samples.fixed, samples.moving, bins)
    np.testing.assert_array_equal(found.counts, counts.astype(int))
    np.testing.assert_allclose(found.fixed_edges, edges[0], rtol=1e-5)
    np.testing.assert_allclose(found.moving_edges, edges[1], rtol=1e-5, atol=1e-4)
    assert found.n == first.size
    assert found.overlap == 1.0
    pearson = np.corrcoef(samples.fixed, samples.moving)[0, 1]
    assert found.correlation == pytest.approx(pearson, abs=1e-6)


def test_mutual_information_is_scikit_learns() -> None:
    random = np.random.default_rng(9)
    first = random.integers(0, 12, 5000)
    second = (first + random.integers(0, 4, 5000)) % 9
    counts = np.histogram2d(first, second, (12, 9), ((0, 12), (0, 9)))[0].astype(int)
    assert mutual_information(counts) == pytest.approx(mutual_info_score(first, second), rel=1e-9)
    found = histogram_of(first.astype(np.float32), second.astype(np.float32), 5)
    edges = (np.linspace(0, 11, 6), np.linspace(0, 8, 6))
    labels = [
        np.clip(np.digitize(v, e) - 1, 0, 4) for v, e in zip((first, second), edges, strict=True)
    ]
    assert found.mutual_information == pytest.approx(mutual_info_score(*labels), rel=1e-9)
    # Values on the edges themselves belong where numpy puts them.
    on_edges = histogram_of(first.astype(np.float32), second.astype(np.float32), 11)
    counts = np.histogram2d(first, second, 11)[0].astype(int)
    np.testing.assert_array_equal(on_edges.counts, counts)


@pytest.mark.parametrize("name", GEOMETRIES)
def test_registered_volumes_meet_at_the_same_places(name: str) -> None:
    pair = registered_pair(name)
    samples = common_samples(pair.fixed, pair.moving, pair.matrix)
    geometry = pair.fixed.geometry
    points = geometry.index_to_lps(np.moveaxis(np.indices(geometry.shape), 0, -1)).reshape(-1, 3)
    own = points @ pair.matrix[:3, :3].T + pair.matrix[:3, 3]
    place = pair.moving.geometry.lps_to_index(own)
    last = np.array(pair.moving.geometry.shape) - 1
    inside = np.all((place >= 0) & (place <= last), axis=1)
    met = np.all((place >= -0.5) & (place <= last + 0.5), axis=1)
    assert inside.sum() > 500
    # In the order of the array, wherever the moving volume reaches with half a voxel.
    np.testing.assert_array_equal(samples.fixed, pair.fixed.array.reshape(-1)[met])
    there = np.full(met.size, np.nan)
    there[met] = samples.moving
    np.testing.assert_allclose(there[inside], pair.moving_value(points[inside]), atol=2e-2)
    assert samples.overlap == pytest.approx(met.mean())


def test_padding_and_what_is_no_number_do_not_count() -> None:
    geometry = GEOMETRIES["axial"]
    cells = np.random.default_rng(2).normal(size=geometry.shape).astype(np.float32)
    holed = cells.copy()
    holed[0] = -2000.0
    strange = cells.copy()
    strange[3, 3, 3], strange[4, 4, 4] = np.nan, np.inf
    found = joint_histogram(
        on(geometry, holed, padding_value=-2000.0), on(geometry, strange), np.eye(4)
    )
    slice_size = geometry.shape[1] * geometry.shape[2]
    assert cells.size - slice_size - 60 <= found.n <= cells.size - slice_size - 2
    assert np.isfinite(found.mutual_information)


def test_constant_volumes_and_volumes_apart_tell_nothing() -> None:
    geometry = GEOMETRIES["axial"]
    flat = on(geometry, np.full(geometry.shape, 5, np.int16))
    found = joint_histogram(flat, flat, np.eye(4), 8)
    assert found.mutual_information == 0.0
    assert np.isnan(found.correlation)
    away = np.eye(4)
    away[0, 3] = 1e4
    apart = joint_histogram(flat, flat, away, 8)
    assert (apart.n, apart.overlap, apart.counts.sum()) == (0, 0.0, 0)
    with pytest.raises(ValueError, match="modality values"):
        joint_histogram(on(geometry, np.zeros((*geometry.shape, 3), np.uint8)), flat, np.eye(4))


def test_large_volumes_are_visited_in_steps() -> None:
    assert strides_for((9, 14, 17), 10_000) == (1, 1, 1)
    shape = (400, 512, 512)
    steps = strides_for(shape, 200_000)
    visited = np.prod([-(-length // step) for length, step in zip(shape, steps, strict=True)])
    assert 100_000 < visited <= 200_000
    geometry = GEOMETRIES["oblique"]
    pair = registered_pair("oblique")
    few = common_samples(pair.fixed, pair.fixed, np.eye(4), most=300)
    assert few.asked <= 300
    np.testing.assert_allclose(few.fixed, few.moving, atol=2e-2)
    assert geometry.shape == pair.fixed.geometry.shape
