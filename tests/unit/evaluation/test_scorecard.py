"""Verdicts against margins: an interval inside, outside, across; too few; none declared."""

from __future__ import annotations

import pytest

from carez_desktop.domain.codec import canonical_json
from carez_desktop.domain.evaluation import Axis, Measurement, Verdict
from carez_desktop.domain.plan import EvaluationPlan, Margin
from carez_desktop.evaluation.scorecard import assemble_evaluation, judge_axis, missing
from carez_desktop.evaluation.traceability import missing_fields, traceability_measurements


def _plan(*margins: Margin, required: tuple[Axis, ...] = ()) -> EvaluationPlan:
    return EvaluationPlan("test", margins, required)


LIFT = Margin(Axis.UTILITY, "lift", low=0.0, minimum_n=5)


@pytest.mark.parametrize(
    ("interval", "n", "verdict"),
    [
        ((0.01, 0.3), 8, Verdict.PASS),
        ((-0.3, -0.01), 8, Verdict.FAIL),
        ((-0.1, 0.3), 8, Verdict.NOT_EVALUABLE),
        ((0.01, 0.3), 4, Verdict.NOT_EVALUABLE),
    ],
)
def test_a_margin_holds_only_where_the_whole_interval_does(
    interval: tuple[float, float], n: int, verdict: Verdict
) -> None:
    result = judge_axis(Axis.UTILITY, [Measurement("lift", 0.1, interval, n)], _plan(LIFT))
    assert result.verdict is verdict
    assert result.measurements[0].margin == "at least 0, n at least 5"


def test_an_estimate_without_an_interval_concludes_nothing_and_a_count_does() -> None:
    estimate = Measurement("lift", 0.9, None, 50, reason="One patient gives no interval")
    assert judge_axis(Axis.UTILITY, [estimate], _plan(LIFT)).verdict is Verdict.NOT_EVALUABLE
    count = Measurement("lift", 0.9, None, 50)
    assert judge_axis(Axis.UTILITY, [count], _plan(LIFT)).verdict is Verdict.PASS


def test_no_margin_keeps_the_measurement_and_concludes_nothing() -> None:
    result = judge_axis(Axis.UTILITY, [Measurement("lift", 0.9, (0.8, 1.0), 50)], _plan())
    assert result.verdict is Verdict.NOT_EVALUABLE
    assert "no margin" in result.reason
    assert result.measurements[0].value == 0.9


def test_one_broken_margin_fails_the_axis_and_a_missing_number_decides_nothing() -> None:
    other = Margin(Axis.UTILITY, "false_positives", high=1.0)
    plan = _plan(LIFT, other)
    lift = Measurement("lift", 0.2, (0.1, 0.3), 9)
    assert (
        judge_axis(
            Axis.UTILITY, [lift, Measurement("false_positives", 3.0, (2.0, 4.0), 9)], plan
        ).verdict
        is Verdict.FAIL
    )
    undecided = judge_axis(Axis.UTILITY, [lift, missing("false_positives", "no labels")], plan)
    assert undecided.verdict is Verdict.NOT_EVALUABLE
    assert "no labels" in undecided.reason
    absent = judge_axis(Axis.UTILITY, [lift], plan)
    assert "not measured" in absent.reason


def test_what_cannot_be_concluded_is_not_passed_but_can_still_fail() -> None:
    margin = Margin(Axis.NON_MEMORIZATION, "alarms", high=0.2)
    good = [Measurement("alarms", 0.0, (0.0, 0.1), 9)]
    bad = [Measurement("alarms", 0.9, (0.7, 1.0), 9)]
    verdicts = [
        judge_axis(Axis.NON_MEMORIZATION, found, _plan(margin), unable="by design").verdict
        for found in (good, bad)
    ]
    assert verdicts == [Verdict.NOT_EVALUABLE, Verdict.FAIL]


def test_the_evaluation_is_ordered_negative_where_required_and_plain() -> None:
    plan = _plan(LIFT, required=(Axis.UTILITY,))
    axes = [judge_axis(axis, [], plan) for axis in reversed(Axis)]
    evaluation = assemble_evaluation(axes, plan, "2026-01-01T00:00:00Z")
    assert [result.axis for result in evaluation.axes] == list(Axis)
    assert evaluation.is_negative
    assert not assemble_evaluation(axes, _plan(LIFT), "").is_negative
    assert b'"minimum_n":5' in canonical_json(evaluation)


def test_traceability_counts_identical_and_complete() -> None:
    """Clopper-Pearson of 3 out of 3: lower bound 0.025^(1/3) = 0.2924."""
    records = [{"request": {"seed": 7}, "digest": "ab"}, {"request": {"seed": 7}, "digest": ""}]
    assert missing_fields(records[0], ("seed", "digest")) == ()
    same, other, complete = traceability_measurements(
        ["identical"] * 3, records, _plan(), required=("seed", "digest")
    )
    assert same.value == 1.0
    assert same.interval == pytest.approx((0.025 ** (1 / 3), 1.0))
    assert other.value == 0.0
    assert complete.value == 0.5
    assert complete.method.endswith("missing: digest")
    mixed = ["identical", "different", "package_missing"]
    assert traceability_measurements(mixed, [], _plan(), required=())[1].value == 1.0
    gone = traceability_measurements(["source_missing"] * 2, [], _plan(), required=())[1]
    assert gone.value is None
    assert "2 of 2 could not be made again" in gone.reason
    none = traceability_measurements([], [], _plan(), required=())
    assert none[0].value is None
