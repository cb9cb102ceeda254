"""Copies are found, held-out patients are not: hash statistics and a planted copy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from carez_desktop.domain.plan import EvaluationPlan
from carez_desktop.evaluation.diversity import cell_measurements, vendi_measurement
from carez_desktop.evaluation.memorization import (
    HASH_BITS,
    copy_measurements,
    hash_distance,
    nearest_correlation,
    perceptual_hash,
    screen_for_copies,
    thumbnail_cube,
)

PLAN = EvaluationPlan("test", resamples=50)


def _smooth(seed: int, shape: tuple[int, int, int] = (32, 32, 32)) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return ndimage.gaussian_filter(rng.normal(size=shape), 2.0, mode="wrap")


@pytest.fixture(scope="module")
def cubes() -> list[np.ndarray]:
    return [thumbnail_cube(_smooth(seed)) for seed in range(40)]


def test_hashes_of_different_volumes_differ_like_coin_tosses(cubes: list[np.ndarray]) -> None:
    """215 independent bits: mean 107.5, deviation sqrt(215)/2 = 7.33."""
    hashes = [perceptual_hash(cube) for cube in cubes]
    pairs = [np.count_nonzero(hashes[i] != hashes[j]) for i in range(40) for j in range(i + 1, 40)]
    assert hashes[0].size == HASH_BITS == 215
    assert np.mean(pairs) == pytest.approx(107.5, abs=1.5)
    assert np.std(pairs) == pytest.approx(7.33, abs=1.2)
    assert min(pairs) > 70


def test_the_hash_ignores_contrast_little_noise_and_flips(cubes: list[np.ndarray]) -> None:
    data = _smooth(0)
    assert hash_distance(cubes[0], thumbnail_cube(3.0 * data + 100.0)) == 0
    noisy = data + np.random.default_rng(9).normal(0.0, 0.1 * data.std(), data.shape)
    assert hash_distance(cubes[0], thumbnail_cube(noisy)) <= 6
    assert hash_distance(cubes[0], thumbnail_cube(data[::-1, :, ::-1])) == 0
    assert hash_distance(cubes[0], cubes[1]) > 70


def test_a_cube_is_the_average_of_an_anisotropic_volume() -> None:
    """Averages over exact blocks: (4, 6, 2) voxels each of a (32 * 4, 32 * 6, 32 * 2) volume."""
    data = np.random.default_rng(2).normal(size=(128, 192, 64))
    blocks = data.reshape(32, 4, 32, 6, 32, 2).mean(axis=(1, 3, 5))
    expected = (blocks - blocks.mean()) / blocks.std()
    assert np.allclose(thumbnail_cube(data), expected)
    assert thumbnail_cube(data[:10, :40, :20]).shape == (32, 32, 32)
    assert not thumbnail_cube(np.ones((8, 8, 8))).any()


def test_correlation_finds_the_flipped_source(cubes: list[np.ndarray]) -> None:
    value, place = nearest_correlation(cubes[7][:, ::-1], cubes)
    assert (round(value, 6), place) == (1.0, 7)


def test_a_planted_copy_is_an_alarm_and_fresh_cases_are_not(cubes: list[np.ndarray]) -> None:
    seen, held_out = cubes[:15], [(str(n), cube) for n, cube in enumerate(cubes[15:35])]
    fresh = screen_for_copies(cubes[35:], seen, held_out, alarm_share=0.05)
    assert fresh.flagged <= 1
    copies = [thumbnail_cube(0.95 * cube + 0.05 * cubes[36]) for cube in seen[:5]]
    planted = screen_for_copies(copies, seen, held_out, alarm_share=0.05)
    assert planted.flagged == 5
    alarms, chance, nearest, hashes = copy_measurements(planted, PLAN, independent=5)
    assert alarms.value == 1.0
    assert alarms.reference == pytest.approx(1 / 21)
    assert chance.value is not None
    assert chance.value < 1e-3
    assert nearest.value == pytest.approx(1.0, abs=0.01)
    assert hashes.value == pytest.approx(0.0, abs=12.0)


def test_without_held_out_patients_there_is_no_alarm_rate(cubes: list[np.ndarray]) -> None:
    screen = screen_for_copies(cubes[:2], cubes[2:4], [], alarm_share=0.05)
    alarms, nearest, _ = copy_measurements(screen, PLAN, independent=2)
    assert alarms.value is None
    assert "null" in alarms.reason
    assert nearest.value is not None


def test_vendi_of_copies_is_far_below_real() -> None:
    rng = np.random.default_rng(0)
    real = rng.normal(size=(12, 5))
    copies = np.repeat(real[:1], 8, axis=0)
    found = vendi_measurement(real, copies, PLAN)
    assert found.n == 8
    assert found.value is not None
    assert found.value < 0.4
    assert vendi_measurement(real, real[:2], PLAN).value is None
    same = vendi_measurement(real, real, PLAN)
    assert same.value == pytest.approx(1.0)
    assert same.interval is None


def test_a_cell_gains_no_more_patients_than_its_sources() -> None:
    added, sources = cell_measurements(before=0, added=6, distinct_sources=3)
    assert (added.value, added.reference, sources.value) == (6.0, 0.0, 3.0)
    assert len(cell_measurements(before=0, added=6, distinct_sources=None)) == 1
