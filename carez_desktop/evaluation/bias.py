"""Bias: recall in subgroups, and whether their gap narrows with the synthetic cases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from carez_desktop.domain.evaluation import Measurement
from carez_desktop.domain.plan import EvaluationPlan
from carez_desktop.evaluation.intervals import wilson_interval
from carez_desktop.evaluation.utility import REAL, WITH_SYNTHETIC, UtilityStudy

LEAST = 10
"""Below so many lesions a subgroup is not evaluable."""


@dataclass(frozen=True, slots=True)
class SubgroupRecall:
    """Recall of one subgroup, averaged over training seeds.

    Attributes:
        patients / lesions: Of the held-out volumes of the subgroup.
        recall: Arm -> share of lesions found; None without lesions.
    """

    attribute: str
    level: str
    patients: int
    lesions: int
    recall: Mapping[str, float | None]


def subgroup_recalls(study: UtilityStudy) -> tuple[SubgroupRecall, ...]:
    """Return the recall of each level of each attribute, both arms."""
    attributes = sorted({name for levels in study.subgroups for name in levels})
    rows = []
    for attribute in attributes:
        levels = [entry.get(attribute, "unknown") for entry in study.subgroups]
        for level in sorted(set(levels)):
            inside = np.array([value == level for value in levels])
            lesions = int(study.table(REAL, "lesions")[inside, 0].sum())
            owners = {patient for patient, used in zip(study.patients, inside, strict=True) if used}
            recall = {
                arm: (
                    float(study.table(arm, "hits")[inside].sum(axis=0).mean()) / lesions
                    if lesions
                    else None
                )
                for arm in (REAL, WITH_SYNTHETIC)
            }
            rows.append(SubgroupRecall(attribute, level, len(owners), lesions, recall))
    return tuple(rows)


def bias_measurements(study: UtilityStudy, plan: EvaluationPlan) -> tuple[Measurement, ...]:
    """Measure recall in each subgroup (with synthetic cases) and the gap of each attribute.

    Wilson's interval takes lesions as independent and is too narrow where patients bear several;
    the method says so. A subgroup with fewer than 10 lesions has no value.
    """
    found: list[Measurement] = []
    rows = subgroup_recalls(study)
    for row in rows:
        name = f"recall_{row.attribute}_{row.level}".lower().replace(" ", "_")
        value = row.recall[WITH_SYNTHETIC]
        if row.lesions < LEAST or value is None:
            reason = f"{row.lesions} lesions in {row.patients} patients; at least {LEAST} needed"
            found.append(Measurement(name, None, None, row.lesions, reason=reason))
            continue
        found.append(
            Measurement(
                name,
                value,
                wilson_interval(value * row.lesions, row.lesions, plan.confidence),
                row.lesions,
                confidence=plan.confidence,
                method=(
                    f"Lesions found, mean of {len(study.seeds)} seeds; Wilson over lesions of "
                    f"{row.patients} patients (ignores clustering)"
                ),
                reference=row.recall[REAL],
            )
        )
    found.extend(_gap(rows, attribute) for attribute in sorted({row.attribute for row in rows}))
    return tuple(found)


def _gap(rows: tuple[SubgroupRecall, ...], attribute: str) -> Measurement:
    name = f"gap_change_{attribute}"
    usable = [row for row in rows if row.attribute == attribute and row.lesions >= LEAST]
    if len(usable) < 2:
        return Measurement(
            name,
            None,
            None,
            len(usable),
            reason=f"Fewer than two levels of {attribute} with {LEAST} lesions",
        )
    gaps = {}
    for arm in (REAL, WITH_SYNTHETIC):
        recalls = [value for row in usable if (value := row.recall[arm]) is not None]
        gaps[arm] = max(recalls) - min(recalls)
    return Measurement(
        name,
        gaps[WITH_SYNTHETIC] - gaps[REAL],
        None,
        sum(row.patients for row in usable),
        method="Largest minus least recall of the levels, with synthetic cases minus without",
        reference=0.0,
        reason="No interval: the subgroups are too few to resample",
    )
