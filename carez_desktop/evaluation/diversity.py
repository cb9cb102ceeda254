"""Diversity: does the set fill the gap with different cases, or with copies of one."""

from __future__ import annotations

import numpy as np

from carez_desktop.domain.evaluation import Measurement
from carez_desktop.domain.plan import EvaluationPlan
from carez_desktop.evaluation.distances import FloatArray, median_distance, vendi_score
from carez_desktop.evaluation.features import standardise
from carez_desktop.evaluation.scorecard import missing


def cell_measurements(
    *, before: int, added: int, distinct_sources: int | None
) -> tuple[Measurement, ...]:
    """Count the target cell before and after, and the anatomies behind the new cases.

    Args:
        before: Real volumes in the cell.
        added: Synthetic volumes in the cell.
        distinct_sources: Patients that the cases show; None for an unconditional generator.
    """
    counted = [
        Measurement(
            "target_cell_added",
            float(added),
            None,
            added,
            unit="volumes",
            method="Synthetic volumes in the cell, beside the real ones; counted, not estimated",
            reference=float(before),
        )
    ]
    if distinct_sources is not None:
        counted.append(
            Measurement(
                "distinct_source_patients",
                float(distinct_sources),
                None,
                added,
                unit="patients",
                method="Patients whose anatomy the cases show: the cell gains no more than these",
            )
        )
    return tuple(counted)


def vendi_measurement(real: FloatArray, synthetic: FloatArray, plan: EvaluationPlan) -> Measurement:
    """Compare the effective number of different cases with real ones at equal n.

    The value is the Vendi score of synthetic cases over that of real cases, mean over subsamples
    without replacement; the kernel's scale is the median distance of the real sample.

    Args:
        real: (n, d), one row per patient.
        synthetic: (m, d), one row per case.
        plan: Seed, resamples, confidence.
    """
    name = "vendi_ratio_to_real"
    size = min(len(real), len(synthetic))
    if size < 3:
        return missing(
            name,
            f"Needs three real and three synthetic cases; there are {len(real)} and "
            f"{len(synthetic)}",
            n=size,
        )
    scaled_real, scaled, _ = standardise(real, synthetic)
    scale = median_distance(scaled_real)
    generator = np.random.Generator(np.random.Philox(plan.seed))
    repeats = 1 if len(real) == len(synthetic) == size else min(plan.resamples, 200)
    made, acquired = np.empty(repeats), np.empty(repeats)
    for repeat in range(repeats):
        made[repeat] = vendi_score(scaled[generator.permutation(len(scaled))[:size]], scale)
        acquired[repeat] = vendi_score(
            scaled_real[generator.permutation(len(scaled_real))[:size]], scale
        )
    ratio = made / acquired
    tail = (1.0 - plan.confidence) / 2.0
    interval = None
    if repeats > 1:
        low, high = np.quantile(ratio, [tail, 1.0 - tail])
        interval = (float(low), float(high))
    return Measurement(
        name,
        float(ratio.mean()),
        interval,
        size,
        confidence=plan.confidence,
        method=(
            f"Vendi score {made.mean():.2f} synthetic, {acquired.mean():.2f} real at n = {size}; "
            "the interval is over subsamples, not over populations"
        ),
        reference=1.0,
        reason="" if interval else "Both sides are used whole: nothing to subsample",
    )
