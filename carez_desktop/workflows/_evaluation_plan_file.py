"""The evaluation plan at the border: TOML checked by pydantic, turned into domain records."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from carez_desktop.domain.evaluation import Axis
from carez_desktop.domain.plan import EvaluationPlan, Margin, PilotPlan, SegmenterPlan
from carez_desktop.errors import UsageError
from carez_desktop.system.paths import resource_path

_HINT = "resources/plans/default.toml explains every field"


class _MarginFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    axis: Axis
    measurement: str = Field(min_length=1)
    low: float | None = None
    high: float | None = None
    minimum_n: int = Field(default=1, ge=1)
    why: str = Field(min_length=1)

    @model_validator(mode="after")
    def _has_a_bound(self) -> Self:
        if self.low is None and self.high is None:
            raise ValueError("a margin needs low, high or both")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError("low is above high")
        return self


class _SegmenterFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(default=(0, 1), min_length=1)
    steps: int = Field(default=300, ge=2, le=100_000)
    batch: int = Field(default=12, ge=2, le=256)
    patch: int = Field(default=48, ge=16, le=512, multiple_of=4)
    channels: int = Field(default=8, ge=4, le=128, multiple_of=4)
    learning_rate: float = Field(default=3e-3, gt=0, le=1)
    false_positives_per_case: float = Field(default=1.0, ge=0)


class _PilotFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    cohort: str = ""
    gap: dict[str, str] = Field(min_length=1)
    generator: str = Field(min_length=1)
    conditions: dict[str, bool | int | float | str] = {}
    count: int = Field(ge=1, le=10_000)
    seed: int = Field(default=0, ge=0)
    label: str = Field(default="nodule", min_length=1)
    segmenter: _SegmenterFile = _SegmenterFile()

    def to_plan(self) -> PilotPlan:
        return PilotPlan(
            gap=dict(self.gap),
            generator_id=self.generator,
            conditions=dict(self.conditions),
            count=self.count,
            seed=self.seed,
            cohort=self.cohort,
            label=self.label,
            segmenter=SegmenterPlan(**self.segmenter.model_dump()),
        )


class _PlanFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: Literal[1]
    title: str = Field(min_length=1)
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    seed: int = Field(default=0, ge=0)
    resamples: int = Field(default=1000, ge=20, le=100_000)
    projection: tuple[str, ...] = Field(default=("noise_sd", "noise_frequency"), min_length=1)
    copy_alarm_share: float = Field(default=0.05, gt=0, lt=0.5)
    regenerate: int = Field(default=4, ge=0)
    required: tuple[Axis, ...] = ()
    margin: tuple[_MarginFile, ...] = ()
    pilot: _PilotFile | None = None

    def to_plan(self) -> EvaluationPlan:
        return EvaluationPlan(
            title=self.title,
            margins=tuple(Margin(**margin.model_dump()) for margin in self.margin),
            required=self.required,
            confidence=self.confidence,
            seed=self.seed,
            resamples=self.resamples,
            projection=self.projection,
            copy_alarm_share=self.copy_alarm_share,
            regenerate=self.regenerate,
            pilot=self.pilot.to_plan() if self.pilot else None,
        )


def load_evaluation_plan(path: Path | None = None) -> EvaluationPlan:
    """Read a plan, or the one that comes with the program.

    Raises:
        UsageError: Naming the file and the field that is wrong.
    """
    source = path or resource_path("plans/default.toml")
    try:
        raw = tomllib.loads(source.read_text(encoding="utf-8"))
        return _PlanFile.model_validate(raw).to_plan()
    except OSError as error:
        raise UsageError(
            f"The plan cannot be read: {error.strerror}",
            subject=str(source),
            hint="Name a TOML file; " + _HINT,
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the plan"
        raise UsageError(
            f"The plan is wrong at {place}: {first['msg']}", subject=str(source), hint=_HINT
        ) from error
    except ValueError as error:
        raise UsageError(
            f"The plan is not valid TOML: {error}", subject=str(source), hint=_HINT
        ) from error
