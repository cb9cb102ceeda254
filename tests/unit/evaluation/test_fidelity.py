"""Noise and distribution measurements on images whose noise is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from carez_desktop.domain.plan import EvaluationPlan
from carez_desktop.evaluation.fidelity import (
    compare_with_source,
    distribution_measurements,
    noise_against_real,
    paired_noise_measurements,
)
from carez_desktop.evaluation.noise_texture import measure_noise, uniform_patches

PLAN = EvaluationPlan("test", resamples=50)


def _anatomy(rng: np.random.Generator, shape: tuple[int, int, int] = (9, 96, 80)) -> np.ndarray:
    """Smooth organs of 0 to 80 HU with bright ribs: structure that noise must not be mixed with."""
    smooth = ndimage.gaussian_filter(rng.normal(size=shape), (3, 9, 9))
    base = 40.0 + 40.0 * np.tanh(smooth / smooth.std())
    base[:, 20:24, :] = 700.0
    return base


def test_white_noise_has_its_deviation_and_mean_frequency() -> None:
    """White noise of SD 20 spreads evenly: the mean |f| over the unit square is about 0.383."""
    rng = np.random.default_rng(0)
    found = measure_noise(40.0 + rng.normal(0.0, 20.0, (8, 128, 128)), modality="CT")
    assert found is not None
    assert found.sd == pytest.approx(20.0, rel=0.02)
    assert found.mean_frequency == pytest.approx(0.383, abs=0.03)


def test_structure_is_not_taken_for_noise() -> None:
    rng = np.random.default_rng(1)
    found = measure_noise(_anatomy(rng) + rng.normal(0.0, 12.0, (9, 96, 80)), modality="CT")
    assert found is not None
    assert found.sd == pytest.approx(12.0, rel=0.06)


def test_air_alone_has_no_uniform_patch() -> None:
    assert uniform_patches(np.full((4, 64, 64), -1000.0), modality="CT") is None
    assert measure_noise(np.full((4, 64, 64), -1000.0), modality="CT") is None


def test_added_noise_as_physics_predicts_gives_a_ratio_of_one() -> None:
    """At a quarter of the dose noise doubles: the added part is sqrt(3) times the first."""
    rng = np.random.default_rng(2)
    pairs = []
    for patient in range(4):
        clean = _anatomy(rng)
        source = clean + rng.normal(0.0, 10.0, clean.shape)
        low = source + rng.normal(0.5, 10.0 * np.sqrt(3.0), clean.shape)
        mask = np.ones(clean.shape, dtype=bool)
        pairs.append(compare_with_source(str(patient), source, low, dose_fraction=0.25, mask=mask))
    ratio, bias = paired_noise_measurements(pairs, PLAN)
    assert ratio.name == "added_noise_ratio"
    assert ratio.value == pytest.approx(1.0, abs=0.05)
    assert ratio.interval is not None
    assert ratio.n == 4
    assert bias.value == pytest.approx(0.5, abs=0.1)


def test_one_patient_has_no_interval_and_its_volumes_count_once() -> None:
    rng = np.random.default_rng(3)
    source = _anatomy(rng) + rng.normal(0.0, 10.0, (9, 96, 80))
    mask = np.ones(source.shape, dtype=bool)
    pair = compare_with_source("a", source, source + 2.0, dose_fraction=0.5, mask=mask)
    measurements = paired_noise_measurements([pair, pair], PLAN)
    assert [found.n for found in measurements] == [1, 1]
    assert all(found.interval is None for found in measurements)
    assert measurements[1].value == pytest.approx(2.0)


def test_noise_against_real_within_patients_and_between_groups() -> None:
    rng = np.random.default_rng(4)

    def volume(sd: float) -> float:
        found = measure_noise(_anatomy(rng) + rng.normal(0.0, sd, (9, 96, 80)), modality="CT")
        assert found is not None
        return found.sd

    real = [("a", volume(20.0)), ("b", volume(30.0)), ("c", volume(25.0))]
    paired = noise_against_real([("a", volume(22.0)), ("b", volume(33.0))], real, PLAN)
    assert paired.n == 2
    assert paired.value == pytest.approx(1.1, abs=0.06)
    assert "within-patient" in paired.method
    grouped = noise_against_real([("x", volume(22.0)), ("y", volume(33.0))], real, PLAN)
    assert "different patients" in grouped.method
    assert grouped.interval is not None
    none = noise_against_real([("x", real[0][1])], [], PLAN)
    assert none.value is None
    assert none.reason


def test_distribution_distances_need_enough_patients() -> None:
    rng = np.random.default_rng(5)
    names = ["noise_sd", "noise_frequency", "c", "d"]
    kernel, frechet = distribution_measurements(
        rng.normal(size=(30, 4)), rng.normal(size=(14, 4)), names, PLAN
    )
    assert kernel.interval is not None
    assert kernel.reference is not None
    assert frechet.value is not None
    assert "noise_sd" in frechet.method
    kernel, frechet = distribution_measurements(
        rng.normal(size=(6, 4)), rng.normal(size=(5, 4)), names, PLAN
    )
    assert kernel.value is not None
    assert kernel.interval is None
    kernel, frechet = distribution_measurements(
        rng.normal(size=(4, 4)), rng.normal(size=(4, 4)), names, PLAN
    )
    assert kernel.value is None
    assert "Needs 5 real" in kernel.reason
    assert frechet.value is None
    assert "need more than" in frechet.reason
