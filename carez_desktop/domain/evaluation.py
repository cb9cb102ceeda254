"""Measurements, intervals and verdicts of the six axes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from carez_desktop.progress import CancellationToken, ProgressReporter


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


@dataclass(frozen=True, eq=False)
class LabelledVolume:
    """An image and its reference segmentation, for a utility study.

    Attributes:
        key: Names it in tables; free of patient identity.
        patient: Patients are what is resampled: all volumes of one share this key.
        image: (slice, row, column), modality values.
        mask: (slice, row, column) bool, the reference segmentation on the image's grid.
        synthetic: Whether a generator made the image.
        subgroups: Attribute -> level (`{"sex": "F"}`) for the axis of bias.
    """

    key: str
    patient: str
    image: npt.NDArray[Any]
    mask: npt.NDArray[np.bool_]
    synthetic: bool = False
    subgroups: Mapping[str, str] = field(default_factory=dict)


Predictor = Callable[[npt.NDArray[Any]], npt.NDArray[np.float32]]
"""Image (slice, row, column) in modality values -> probability on the same grid."""


class TrainAndPredict(Protocol):
    """How an evaluation trains a downstream model without knowing how that is done."""

    def __call__(
        self,
        cases: Sequence[LabelledVolume],
        *,
        seed: int,
        progress: ProgressReporter,
        cancel: CancellationToken,
    ) -> Predictor:
        """Train on the cases alone and return the trained model.

        Raises:
            InputError: Nothing to learn from. CancelledError: Within one step.
        """
