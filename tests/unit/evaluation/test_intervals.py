"""Intervals against published values, scipy, and simulation with a known truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from carez_desktop.evaluation.distances import kernel_distance
from carez_desktop.evaluation.intervals import (
    beta_binomial_upper_tail,
    clopper_pearson_interval,
    crossed_bootstrap,
    mcnemar_exact,
    mean_interval,
    ratio_interval,
    subsample_interval,
    wilson_interval,
)


def test_proportion_intervals_agree_with_newcombe_1998() -> None:
    assert wilson_interval(81, 263) == pytest.approx((0.25529, 0.36621), abs=5e-6)
    assert clopper_pearson_interval(81, 263) == pytest.approx((0.25274, 0.36762), abs=5e-6)
    assert wilson_interval(15, 148) == pytest.approx((0.06239, 0.16049), abs=5e-6)


def test_proportion_intervals_at_the_ends() -> None:
    assert wilson_interval(0, 10)[0] == pytest.approx(0.0, abs=1e-12)
    assert wilson_interval(10, 10)[1] == pytest.approx(1.0)
    assert clopper_pearson_interval(0, 10) == pytest.approx((0.0, 1 - 0.025**0.1))
    assert clopper_pearson_interval(10, 10) == pytest.approx((0.025**0.1, 1.0))


def test_mean_interval_is_students_t() -> None:
    values = [1.0, 2.0, 4.0, 7.0]
    expected = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    assert mean_interval(values) == pytest.approx(expected)
    assert mean_interval([1.0]) is None


def test_ratio_interval_covers_the_true_ratio() -> None:
    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(400):
        first = np.exp(rng.normal(np.log(1.5), 0.2, 6))
        second = np.exp(rng.normal(0.0, 0.3, 9))
        _, interval = ratio_interval(first, second)
        assert interval is not None
        covered += interval[0] <= 1.5 <= interval[1]
    assert 0.92 < covered / 400 < 0.98
    assert ratio_interval([2.0], [1.0]) == (2.0, None)


def test_bca_agrees_with_scipy_where_there_is_one_seed() -> None:
    values = np.random.default_rng(3).gamma(2.0, 1.0, 25)
    found = crossed_bootstrap(
        lambda patients, _: float(values[patients].mean()), 25, 1, resamples=9000, seed=1
    )
    other = stats.bootstrap(
        (values,), np.mean, method="BCa", n_resamples=9000, rng=np.random.default_rng(2)
    ).confidence_interval
    assert found is not None
    assert found == pytest.approx((other.low, other.high), abs=0.02)


def test_crossed_bootstrap_needs_two_patients_and_survives_a_constant() -> None:
    assert crossed_bootstrap(lambda _p, _s: 1.0, 1, 2, resamples=20, seed=0) is None
    assert crossed_bootstrap(lambda _p, _s: 1.0, 5, 2, resamples=20, seed=0) == (1.0, 1.0)
    assert crossed_bootstrap(lambda _p, _s: np.nan, 5, 2, resamples=20, seed=0) is None


def test_seeds_that_disagree_widen_the_interval() -> None:
    values = np.random.default_rng(3).normal(0.0, 0.1, (12, 1)) + np.array([[-1.0, 1.0]])

    def mean(patients: np.ndarray, seeds: np.ndarray) -> float:
        return float(values[np.ix_(patients, seeds)].mean())

    crossed = crossed_bootstrap(mean, 12, 2, resamples=500, seed=1)
    assert crossed is not None
    assert crossed[1] - crossed[0] > 1.5


def test_subsampling_compares_at_equal_size_beside_real_with_real() -> None:
    rng = np.random.default_rng(0)
    real, same, shifted = rng.normal(size=(60, 3)), rng.normal(size=(40, 3)), None
    shifted = same + 1.5
    near = subsample_interval(kernel_distance, real, same, repeats=100, seed=1)
    far = subsample_interval(kernel_distance, real, shifted, repeats=100, seed=1)
    assert near is not None
    assert far is not None
    assert near[2] == far[2] == 30
    assert abs(near[1]) < 0.1  # unbiased: two halves of one population are 0 apart
    assert near[0][1] < 2.0 < far[0][0]
    assert subsample_interval(kernel_distance, real[:8], same, repeats=5, seed=1) is None


def test_the_count_of_alarms_is_beta_binomial() -> None:
    """Simulation: m = 43 held-out values, threshold at the 2nd of them, n = 50 fresh cases."""
    rng = np.random.default_rng(7)
    null = np.sort(rng.random((20000, 43)), axis=1)[:, 1]
    counts = (rng.random((20000, 50)) <= null[:, None]).sum(axis=1)
    for flagged in (1, 3, 6, 10):
        expected = float(np.mean(counts >= flagged))
        assert beta_binomial_upper_tail(flagged, 50, 2, 43) == pytest.approx(expected, abs=0.012)
    assert beta_binomial_upper_tail(0, 50, 2, 43) == 1.0


def test_mcnemar_agrees_with_the_reference() -> None:
    """The table [[101, 121], [59, 33]] of A. Agresti: exact p 4.4345e-6."""
    assert mcnemar_exact(121, 59) == pytest.approx(4.4345e-6, rel=1e-4)
    assert mcnemar_exact(0, 0) == 1.0
