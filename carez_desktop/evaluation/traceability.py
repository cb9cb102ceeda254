"""Traceability: can whoever holds the package, and the source, make every case again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from carez_desktop.domain.evaluation import Measurement
from carez_desktop.domain.plan import EvaluationPlan
from carez_desktop.evaluation.intervals import clopper_pearson_interval
from carez_desktop.evaluation.scorecard import missing

IDENTICAL = "identical"
WITHIN_TOLERANCE = "within_tolerance"
NOT_HERE = ("source_missing", "package_missing")


def _holds(record: Mapping[str, Any], wanted: str) -> bool:
    """Whether a key stands anywhere in nested plain data with something in it."""
    for key, value in record.items():
        if key == wanted and value not in (None, ""):
            return True
        if isinstance(value, Mapping) and _holds(value, wanted):
            return True
    return False


def missing_fields(record: Mapping[str, Any], required: Sequence[str]) -> tuple[str, ...]:
    """Return which of the required fields a generation record lacks, at any depth."""
    return tuple(name for name in required if not _holds(record, name))


def traceability_measurements(
    outcomes: Sequence[str],
    records: Sequence[Mapping[str, Any]],
    plan: EvaluationPlan,
    *,
    required: Sequence[str],
) -> tuple[Measurement, ...]:
    """Measure the share of cases that came out identical, and of complete generation records.

    Args:
        outcomes: Per rerun case `identical`, `within_tolerance`, `different`, `source_missing` or
            `package_missing`.
        records: Generation record of each case.
        plan: Confidence.
        required: Fields that each record must have.
    """
    found: list[Measurement] = []
    if outcomes:
        same = sum(outcome == IDENTICAL for outcome in outcomes)
        near = sum(outcome == WITHIN_TOLERANCE for outcome in outcomes)
        other = len(outcomes) - same - near
        found.append(
            Measurement(
                "regenerated_identical",
                same / len(outcomes),
                clopper_pearson_interval(same, len(outcomes), plan.confidence),
                len(outcomes),
                confidence=plan.confidence,
                method=(
                    f"Rerun here and compared bit by bit: {same} identical, {near} within "
                    f"tolerance, {other} not; Clopper-Pearson"
                ),
                reference=1.0,
            )
        )
        absent = sum(outcome in NOT_HERE for outcome in outcomes)
        found.append(
            Measurement(
                "differing_cases",
                None if absent == len(outcomes) else float(other - absent),
                None,
                len(outcomes) - absent,
                unit="cases",
                method="Cases that came out different beyond the package's tolerance",
                reference=0.0,
                reason=(
                    f"{absent} of {len(outcomes)} could not be made again: source or package is "
                    "not here as it was"
                    if absent and other == absent
                    else ""
                ),
            )
        )
    else:
        found.append(missing("regenerated_identical", "No case was rerun"))
    lacking = [missing_fields(record, required) for record in records]
    if records:
        complete = sum(not names for names in lacking)
        names = sorted({name for entry in lacking for name in entry})
        found.append(
            Measurement(
                "complete_records",
                complete / len(records),
                None,
                len(records),
                method="Generation records that hold "
                + ", ".join(required)
                + ("; missing: " + ", ".join(names) if names else ""),
                reference=1.0,
            )
        )
    return tuple(found)
