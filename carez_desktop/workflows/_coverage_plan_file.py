"""The coverage plan at the border: TOML checked by pydantic, turned into domain records."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from carez_desktop.domain.strata import QUANTITIES, AxisSource, CoverageAxis
from carez_desktop.errors import UsageError
from carez_desktop.system.paths import resource_path


@dataclass(frozen=True, slots=True)
class CoveragePlan:
    """The axes to count on, and from how many patients a cell counts as filled."""

    axes: tuple[CoverageAxis, ...]
    minimum_patients: int


def _known_quantity(name: str) -> str:
    if name in QUANTITIES or re.fullmatch(r"(label|attribute):.+", name):
        return name
    raise ValueError(f"no such quantity; known: {', '.join(QUANTITIES)}, label:…, attribute:…")


def _compiles(alias: tuple[str, str]) -> tuple[str, str]:
    try:
        re.compile(alias[0])
    except re.error as error:
        raise ValueError(f"{alias[0]} is no regular expression: {error}") from error
    return alias


class _SourceFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    quantity: Annotated[str, AfterValidator(_known_quantity)]
    edges: tuple[float, ...] = ()


class _AxisFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str = ""
    unit: str = ""
    sources: tuple[_SourceFile, ...] = Field(min_length=1)
    levels: tuple[str, ...] = ()
    modalities: tuple[str, ...] = ()
    aliases: tuple[Annotated[tuple[str, str], AfterValidator(_compiles)], ...] = ()
    ordered: bool = False
    upper_inclusive: bool = False
    weight: float = Field(default=1.0, gt=0)

    def to_axis(self) -> CoverageAxis:
        return CoverageAxis(
            name=self.name,
            title=self.title or self.name.replace("_", " ").capitalize(),
            sources=tuple(AxisSource(source.quantity, source.edges) for source in self.sources),
            levels=self.levels,
            unit=self.unit,
            modalities=self.modalities,
            aliases=self.aliases,
            ordered=self.ordered,
            upper_inclusive=self.upper_inclusive,
            weight=self.weight,
        )


class _PlanFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    minimum_patients: int = Field(default=1, ge=1)
    axis: tuple[_AxisFile, ...] = Field(min_length=1)


def load_coverage_plan(path: Path | None = None) -> CoveragePlan:
    """Read the axes of a plan, or those that come with the program.

    Raises:
        UsageError: Naming the file and the field that is wrong.
    """
    source = path or resource_path("coverage/default.toml")
    try:
        plan = _PlanFile.model_validate(tomllib.loads(source.read_text(encoding="utf-8")))
        axes = tuple(axis.to_axis() for axis in plan.axis)
    except OSError as error:
        raise UsageError(
            f"The coverage plan cannot be read: {error.strerror}",
            subject=str(source),
            hint="Name a TOML file with [[axis]] tables",
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UsageError(
            f"The coverage plan is wrong at {place}: {first['msg']}",
            subject=str(source),
            hint="resources/coverage/default.toml explains every field",
        ) from error
    except ValueError as error:
        raise UsageError(
            f"The coverage plan is wrong: {error}",
            subject=str(source),
            hint="resources/coverage/default.toml explains every field",
        ) from error
    return CoveragePlan(axes, plan.minimum_patients)
