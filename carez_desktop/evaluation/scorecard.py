"""Judge measurements against the margins that the plan declared beforehand.

A margin is met only where the whole interval lies inside it, and broken only where the whole
interval lies outside; anything between, too few subjects, an estimate without an interval, or no
margin at all ends `not_evaluable` with the measurements kept. A count needs no interval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from carez_desktop.domain.codec import to_plain
from carez_desktop.domain.evaluation import Axis, AxisResult, Evaluation, Measurement, Verdict
from carez_desktop.domain.plan import EvaluationPlan, Margin

TITLES: Mapping[Axis, str] = {
    Axis.FIDELITY: "Fidelity",
    Axis.DIVERSITY: "Diversity",
    Axis.NON_MEMORIZATION: "Non-memorization",
    Axis.UTILITY: "Model utility",
    Axis.BIAS: "Bias",
    Axis.TRACEABILITY: "Traceability",
}


def missing(name: str, reason: str, *, n: int = 0, unit: str = "") -> Measurement:
    """Return a measurement that could not be made, with the reason."""
    return Measurement(name, None, None, n, unit=unit, reason=reason)


def judge_measurement(measurement: Measurement, margin: Margin) -> tuple[Verdict, str]:
    """Judge one measurement against its margin.

    Returns:
        The verdict and one sentence why.
    """
    name = measurement.name
    if measurement.value is None:
        return Verdict.NOT_EVALUABLE, f"{name}: {measurement.reason}"
    if measurement.n < margin.minimum_n:
        return (
            Verdict.NOT_EVALUABLE,
            f"{name}: n = {measurement.n} is below the {margin.minimum_n} that the plan asks for",
        )
    if measurement.interval is None and measurement.reason:
        return Verdict.NOT_EVALUABLE, f"{name}: {measurement.reason}"
    low, high = measurement.interval or (measurement.value, measurement.value)
    floor = float("-inf") if margin.low is None else margin.low
    ceiling = float("inf") if margin.high is None else margin.high
    if floor <= low and high <= ceiling:
        return Verdict.PASS, f"{name}: within {margin.text}"
    if high < floor or low > ceiling:
        return Verdict.FAIL, f"{name}: outside {margin.text}"
    return (
        Verdict.NOT_EVALUABLE,
        f"{name}: the interval crosses the margin ({margin.text}); more subjects are needed",
    )


def judge_axis(
    axis: Axis,
    measurements: Sequence[Measurement],
    plan: EvaluationPlan,
    *,
    method: str = "",
    details: Mapping[str, Any] | None = None,
    unable: str = "",
) -> AxisResult:
    """Judge one axis: fail if a margin is broken, pass if each is met, else not evaluable.

    Args:
        axis: Which.
        measurements: What was measured, in order of importance.
        plan: Its margins.
        method: In a few words.
        details: Plain data that goes along.
        unable: Why the axis cannot be concluded whatever its numbers are; "" where it can.
    """
    by_name = {measurement.name: measurement for measurement in measurements}
    margins = plan.margins_of(axis)
    marked = []
    for measurement in measurements:
        texts = [margin.text for margin in margins if margin.measurement == measurement.name]
        marked.append(replace(measurement, margin="; ".join(texts)) if texts else measurement)
    outcomes = []
    for margin in margins:
        found = by_name.get(margin.measurement)
        if found is None:
            text = f"{margin.measurement}: not measured for this kind of case"
            outcomes.append((Verdict.NOT_EVALUABLE, text))
        else:
            outcomes.append(judge_measurement(found, margin))
    verdict, reason = _conclude(outcomes, unable)
    return AxisResult(axis, verdict, reason, tuple(marked), method, dict(details or {}))


def _conclude(outcomes: Sequence[tuple[Verdict, str]], unable: str) -> tuple[Verdict, str]:
    broken = [text for verdict, text in outcomes if verdict is Verdict.FAIL]
    if broken:
        return Verdict.FAIL, "; ".join(broken)
    if unable:
        return Verdict.NOT_EVALUABLE, unable
    if not outcomes:
        return Verdict.NOT_EVALUABLE, "The plan declares no margin; the measurements are kept"
    undecided = [text for verdict, text in outcomes if verdict is Verdict.NOT_EVALUABLE]
    if undecided:
        return Verdict.NOT_EVALUABLE, "; ".join(undecided)
    return Verdict.PASS, "; ".join(text for _, text in outcomes)


def assemble_evaluation(
    axes: Sequence[AxisResult], plan: EvaluationPlan, created_utc: str
) -> Evaluation:
    """Put the axes in their order, with the plan that judged them."""
    order = list(Axis)
    return Evaluation(
        tuple(sorted(axes, key=lambda result: order.index(result.axis))),
        to_plain(plan),
        created_utc,
        plan.required,
    )
