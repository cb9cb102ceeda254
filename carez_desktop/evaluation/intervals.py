"""Intervals and tests: what a number is worth with so many subjects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

Interval = tuple[float, float]
Statistic = Callable[[npt.NDArray[np.intp], npt.NDArray[np.intp]], float]
"""Patient indices (with repeats), seed indices (with repeats) -> the statistic; may be NaN."""


def wilson_interval(successes: float, n: float, confidence: float = 0.95) -> Interval:
    """Return the Wilson score interval of a proportion.

    Source: E. B. Wilson, JASA 22 (1927) 209; values in Newcombe, Stat. Med. 17 (1998) 857.

    Args:
        successes: May be fractional (an average over seeds).
        n: Trials; above 0.
        confidence: Two-sided.
    """
    z = float(stats.norm.ppf(0.5 + confidence / 2.0))
    share = successes / n
    centre = share + z * z / (2.0 * n)
    half = z * np.sqrt(share * (1.0 - share) / n + z * z / (4.0 * n * n))
    scale = 1.0 + z * z / n
    return (max(0.0, float((centre - half) / scale)), min(1.0, float((centre + half) / scale)))


def clopper_pearson_interval(successes: int, n: int, confidence: float = 0.95) -> Interval:
    """Return the exact (conservative) interval of a proportion.

    Source: C. J. Clopper, E. S. Pearson, Biometrika 26 (1934) 404, through the Beta quantiles.
    """
    tail = (1.0 - confidence) / 2.0
    low = 0.0 if successes == 0 else float(stats.beta.ppf(tail, successes, n - successes + 1))
    high = (
        1.0 if successes == n else float(stats.beta.ppf(1.0 - tail, successes + 1, n - successes))
    )
    return (low, high)


def mean_interval(values: npt.ArrayLike, confidence: float = 0.95) -> Interval | None:
    """Return Student's t interval of a mean; None for fewer than two values."""
    array = np.asarray(values, dtype=np.float64)
    if array.size < 2:
        return None
    half = float(stats.t.ppf(0.5 + confidence / 2.0, array.size - 1)) * float(
        array.std(ddof=1) / np.sqrt(array.size)
    )
    return (float(array.mean()) - half, float(array.mean()) + half)


def ratio_interval(
    numerator: npt.ArrayLike, denominator: npt.ArrayLike, confidence: float = 0.95
) -> tuple[float, Interval | None]:
    """Return the ratio of the geometric means of two independent groups with its interval.

    Welch's t interval on the logarithms (B. L. Welch, Biometrika 34 (1947) 28), exponentiated.

    Args:
        numerator: (n,) positive values, one per patient.
        denominator: (m,) positive values, one per patient.
        confidence: Two-sided.

    Returns:
        The ratio, and its interval or None where a group has fewer than two patients.
    """
    first = np.log(np.asarray(numerator, dtype=np.float64))
    second = np.log(np.asarray(denominator, dtype=np.float64))
    ratio = float(np.exp(first.mean() - second.mean()))
    if first.size < 2 or second.size < 2:
        return ratio, None
    outcome = stats.ttest_ind(first, second, equal_var=False)
    bounds = outcome.confidence_interval(confidence)
    return ratio, (float(np.exp(bounds.low)), float(np.exp(bounds.high)))


def crossed_bootstrap(
    statistic: Statistic,
    patients: int,
    seeds: int,
    *,
    resamples: int,
    seed: int,
    confidence: float = 0.95,
) -> Interval | None:
    """Return the BCa interval of a statistic with patients and training seeds resampled, crossed.

    Both are drawn with replacement and independently. The acceleration comes from leaving out one
    patient at a time. Source: B. Efron, JASA 82 (1987) 171; crossed resampling: A. B. Owen,
    D. Eckles, Ann. Appl. Stat. 6 (2012) 895 (conservative).

    Args:
        statistic: Called with drawn indices; NaN draws (an empty subgroup) are left out.
        patients: How many patients there are.
        seeds: How many training seeds there are.
        resamples: How many draws.
        seed: Of the draws.
        confidence: Two-sided.

    Returns:
        The interval; None for fewer than two patients or where most draws are NaN.
    """
    if patients < 2:
        return None
    generator = np.random.Generator(np.random.Philox(seed))
    draws = np.array(
        [
            statistic(
                generator.integers(0, patients, patients), generator.integers(0, seeds, seeds)
            )
            for _ in range(resamples)
        ]
    )
    draws = draws[np.isfinite(draws)]
    if draws.size < resamples / 2:
        return None
    everyone, every_seed = np.arange(patients), np.arange(seeds)
    point = statistic(everyone, every_seed)
    jackknife = np.array(
        [statistic(np.delete(everyone, leave), every_seed) for leave in range(patients)]
    )
    low, high = _bca_levels(draws, point, jackknife[np.isfinite(jackknife)], confidence)
    bounds = np.quantile(draws, [low, high])
    return (float(bounds[0]), float(bounds[1]))


def _bca_levels(
    draws: npt.NDArray[np.float64],
    point: float,
    jackknife: npt.NDArray[np.float64],
    confidence: float,
) -> Interval:
    """Return the two quantile levels of BCa; the plain percentile levels where it degenerates."""
    tail = (1.0 - confidence) / 2.0
    below = (np.count_nonzero(draws < point) + np.count_nonzero(draws <= point)) / (2 * draws.size)
    if not 0.0 < below < 1.0 or jackknife.size < 2:
        return (tail, 1.0 - tail)
    bias = float(stats.norm.ppf(below))
    deviation = jackknife.mean() - jackknife
    square = float(np.sum(deviation**2))
    acceleration = 0.0 if square == 0.0 else float(np.sum(deviation**3)) / (6.0 * square**1.5)
    levels = []
    for quantile in (tail, 1.0 - tail):
        shifted = bias + float(stats.norm.ppf(quantile))
        levels.append(float(stats.norm.cdf(bias + shifted / (1.0 - acceleration * shifted))))
    return (levels[0], levels[1])


def subsample_interval(
    statistic: Callable[[npt.NDArray[Any], npt.NDArray[Any]], float],
    real: npt.NDArray[Any],
    synthetic: npt.NDArray[Any],
    *,
    repeats: int,
    seed: int,
    confidence: float = 0.95,
) -> tuple[Interval, float, int] | None:
    """Compare two samples at equal size beside real with real, without drawing anything twice.

    A bootstrap would put duplicates into a distance between samples and miss the truth altogether;
    each repeat here splits the real sample into two disjoint halves and draws as many synthetic
    cases without replacement. The interval describes the statistic at that size, not its limit.

    Args:
        statistic: (m, d), (m, d) -> distance.
        real: (n, d), one row per patient.
        synthetic: (k, d).
        repeats: How many splits.
        seed: Of the splits.
        confidence: Central share of the repeats.

    Returns:
        The interval of synthetic against real, the mean of real against real, and the equal size;
        None where it would be below 5.
    """
    size = min(len(real) // 2, len(synthetic))
    if size < 5:
        return None
    generator = np.random.Generator(np.random.Philox(seed))
    across, within = np.empty(repeats), np.empty(repeats)
    for repeat in range(repeats):
        order = generator.permutation(len(real))
        first, second = real[order[:size]], real[order[size : 2 * size]]
        drawn = synthetic[generator.permutation(len(synthetic))[:size]]
        across[repeat] = statistic(first, drawn)
        within[repeat] = statistic(first, second)
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(across, [tail, 1.0 - tail])
    return ((float(low), float(high)), float(within.mean()), size)


def beta_binomial_upper_tail(flagged: int, n: int, rank: int, null_size: int) -> float:
    """Return how likely at least so many alarms are where nothing was copied.

    The alarm threshold is itself estimated, as the `rank`-th most extreme of `null_size` held-out
    values, so the count of alarms among `n` exchangeable cases is Beta-binomial(n, rank,
    null_size + 1 - rank), not Binomial: order statistics of uniforms, e.g. S. S. Wilks,
    Ann. Math. Stat. 12 (1941) 91.

    Args:
        flagged: Alarms among the synthetic cases.
        n: Synthetic cases.
        rank: Rank of the threshold, from 1 (the most extreme).
        null_size: Held-out values that the threshold was taken from.
    """
    if flagged <= 0:
        return 1.0
    return float(stats.betabinom.sf(flagged - 1, n, rank, null_size + 1 - rank))


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """Return the exact two-sided p of McNemar's test from the discordant pairs.

    Source: Q. McNemar, Psychometrika 12 (1947) 153; binomial form.
    """
    discordant = only_first + only_second
    if discordant == 0:
        return 1.0
    return float(stats.binomtest(only_first, discordant, 0.5).pvalue)
