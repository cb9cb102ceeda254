"""What is declared before anything is measured: margins, seeds, arms.

A plan is written before the evaluation and goes into it, so that nobody can choose a margin after
having seen the number (and an auditor can judge again).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from carez_desktop.domain.evaluation import Axis
from carez_desktop.domain.generation import ConditionValue


@dataclass(frozen=True, slots=True)
class Margin:
    """The bounds within which a measurement must lie.

    Attributes:
        low / high: Inclusive bounds; None for none.
        minimum_n: Below this number of independent subjects nothing is concluded.
        why: Where the bounds come from.
    """

    axis: Axis
    measurement: str
    low: float | None = None
    high: float | None = None
    minimum_n: int = 1
    why: str = ""

    @property
    def text(self) -> str:
        """The margin in words (`0.9 to 1.1, n at least 5`)."""
        if self.low is not None and self.high is not None:
            bounds = f"{self.low:g} to {self.high:g}"
        elif self.low is not None:
            bounds = f"at least {self.low:g}"
        else:
            bounds = f"at most {self.high:g}"
        return f"{bounds}, n at least {self.minimum_n}"


@dataclass(frozen=True, slots=True)
class SegmenterPlan:
    """How both arms are trained; the same for each, fixed beforehand.

    Attributes:
        seeds: One training per arm and seed.
        patch: Edge of the square training patches, in pixels.
        false_positives_per_case: The threshold is the lowest at which the validation patients
            have no more false positives than this.
    """

    seeds: tuple[int, ...] = (0, 1)
    steps: int = 300
    batch: int = 12
    patch: int = 48
    channels: int = 8
    learning_rate: float = 3e-3
    false_positives_per_case: float = 1.0


@dataclass(frozen=True, slots=True)
class PilotPlan:
    """The way of one pilot: which gap, which generator, which arms.

    Attributes:
        gap: Axis name -> cell that is to be filled (`{"dose": "low", "modality": "CT"}`).
        count: Cases to make, at most; sources take turns.
        cohort: `NAME` of a frozen cohort; "" freezes all real volumes of the library.
        label: Name of the label map that the segmenter learns.
    """

    gap: Mapping[str, str]
    generator_id: str
    conditions: Mapping[str, ConditionValue]
    count: int
    seed: int
    cohort: str = ""
    label: str = "nodule"
    segmenter: SegmenterPlan = field(default_factory=SegmenterPlan)


@dataclass(frozen=True, slots=True)
class EvaluationPlan:
    """What an evaluation is judged by.

    Attributes:
        title: In words.
        margins: Without one, an axis ends `not_evaluable` with its measurements kept.
        required: Axes for which `not_evaluable` counts as negative.
        confidence: Of every interval.
        seed: Of every resampling.
        resamples: Bootstrap or subsampling repeats.
        copy_alarm_share: Nominal share of false alarms when screening for copies.
        regenerate: How many cases are made again for traceability; 0 for all.
        projection: The features in which a Frechet distance is taken where cases are few.
        pilot: The pilot's way, if the plan is one's.
    """

    title: str
    margins: tuple[Margin, ...] = ()
    required: tuple[Axis, ...] = ()
    confidence: float = 0.95
    seed: int = 0
    resamples: int = 1000
    projection: tuple[str, ...] = ("noise_sd", "noise_frequency")
    copy_alarm_share: float = 0.05
    regenerate: int = 4
    pilot: PilotPlan | None = None

    def margins_of(self, axis: Axis) -> tuple[Margin, ...]:
        """Return the margins of one axis."""
        return tuple(margin for margin in self.margins if margin.axis is axis)
