"""Measurements, intervals and verdicts of the six axes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Axis(StrEnum):
    """The six axes, in the order in which they are reported."""

    FIDELITY = "fidelity"
    DIVERSITY = "diversity"
    NON_MEMORIZATION = "non_memorization"
    UTILITY = "utility"
    BIAS = "bias"
    TRACEABILITY = "traceability"


class Verdict(StrEnum):
    """The outcome of an axis against its declared margins."""

    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    NOT_EVALUABLE = "not_evaluable"


@dataclass(frozen=True, slots=True)
class Measurement:
    """One number with its uncertainty.

    Attributes:
        value: Point estimate; None where it could not be computed (the reason says why).
        interval: (low, high) or None.
        confidence: Of the interval, e.g. 0.95.
        n: How many independent subjects (patients, cases) it rests on.
        method: Estimator, interval and source in a few words.
        reference: What it is compared with (`real-to-real` value, chance), if anything.
        margin: The declared bound it was judged against, in words; "" for none.
    """

    name: str
    value: float | None
    interval: tuple[float, float] | None
    n: int
    unit: str = ""
    confidence: float = 0.95
    method: str = ""
    reference: float | None = None
    margin: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class AxisResult:
    """One axis: its measurements, its verdict and why."""

    axis: Axis
    verdict: Verdict
    reason: str
    measurements: tuple[Measurement, ...]
    method: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All axes of one cohort of synthetic cases.

    Attributes:
        plan: The plan as plain data (margins, seeds), so that an auditor can judge again.
        required: Axes for which `not_evaluable` counts as a negative verdict.
    """

    axes: tuple[AxisResult, ...]
    plan: Mapping[str, Any]
    created_utc: str
    required: tuple[Axis, ...] = ()

    @property
    def is_negative(self) -> bool:
        """Whether an axis failed, or a required one could not be evaluated."""
        return any(
            result.verdict is Verdict.FAIL
            or (result.verdict is Verdict.NOT_EVALUABLE and result.axis in self.required)
            for result in self.axes
        )
