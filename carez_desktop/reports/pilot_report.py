"""The pilot as an HTML page with pictures: what was missing, what was made, what it is worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from carez_desktop.domain.evaluation import Axis, Evaluation, Measurement
from carez_desktop.domain.pilot import PilotResult
from carez_desktop.reports.figures import (
    HeatTable,
    SlicePair,
    comparison_figure,
    coverage_figure,
    recall_figure,
)
from carez_desktop.reports.page import render_page


@dataclass(frozen=True, eq=False)
class PilotPictures:
    """What the pictures are drawn from; None where there is nothing to draw."""

    slices: SlicePair | None = None
    coverage: tuple[HeatTable, HeatTable] | None = None


def render_pilot_report(
    result: PilotResult,
    *,
    pictures: PilotPictures,
    stand_in: bool,
    cohort: Mapping[str, Any],
) -> str:
    """Return the page; its counts are exact, so it is for people of this site.

    Args:
        result: What the pilot found.
        pictures: What to draw.
        stand_in: Whether simulated studies played real: the page says so first.
        cohort: `name`, `version`, `patients`, `splits` (split -> patients).
    """
    arms = _arms(result.evaluation)
    return render_page(
        "pilot_report.html",
        title=str(result.evaluation.plan["title"]),
        result=result,
        evaluation=result.evaluation,
        stand_in=stand_in,
        cohort=cohort,
        pilot=result.evaluation.plan["pilot"],
        bundle_name=result.bundle.name,
        comparison=comparison_figure(pictures.slices) if pictures.slices else "",
        comparison_caption=pictures.slices.caption if pictures.slices else "",
        coverage=coverage_figure(*pictures.coverage) if pictures.coverage else "",
        recall=recall_figure(arms) if arms else "",
        lift_text=lift_text(result.lift),
    )


def _arms(evaluation: Evaluation) -> list[tuple[str, Measurement, bool]]:
    """Return both arms' recall where it was measured."""
    names = {"recall_real": ("real", False), "recall_with_synthetic": ("real + synthetic", True)}
    return [
        (names[found.name][0], found, names[found.name][1])
        for result in evaluation.axes
        if result.axis is Axis.UTILITY
        for found in result.measurements
        if found.name in names and found.value is not None
    ]


def lift_text(lift: Measurement | None) -> str:
    """Say the lift in one honest sentence."""
    if lift is None or lift.value is None:
        return "No lift was measured" + (f": {lift.reason}." if lift and lift.reason else ".")
    change = f"changed by {lift.value:+.2f}"
    if lift.interval is None:
        return f"Recall on {lift.n} held-out patients {change}; no interval can be given."
    low, high = lift.interval
    span = f"{lift.confidence:.0%} interval {low:+.2f} to {high:+.2f}"
    if low > 0.0:
        tail = "the interval lies above zero"
    elif high < 0.0:
        tail = "the interval lies below zero: the synthetic cases made it worse"
    else:
        tail = "the interval includes zero: no lift is shown"
    return f"Recall on {lift.n} held-out patients {change} ({span}); {tail}."
