"""Generator packages, requests for synthetic cases, and the cases themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

import numpy.typing as npt

from carez_desktop.domain.finding import Finding
from carez_desktop.domain.volume import Volume
from carez_desktop.errors import UsageError
from carez_desktop.progress import CancellationToken, ProgressReporter

ConditionValue = float | int | str | bool


class PrivacyClass(StrEnum):
    """Whose anatomy a case can show (DESIGN section 7)."""

    UNCONDITIONAL = "unconditional"
    SIMULATED_LABEL = "simulated_label"
    REAL_LABEL = "real_label"
    IMAGE_CONDITIONED = "image_conditioned"


SHOWS_ANATOMY = (PrivacyClass.IMAGE_CONDITIONED.value, PrivacyClass.REAL_LABEL.value)
"""Classes whose cases show a patient's anatomy and keep the source's protection."""


@dataclass(frozen=True, slots=True)
class ConditionSpec:
    """One condition of a generator, as its JSON Schema states it.

    Attributes:
        name: Key in the request (`dose_fraction`).
        title: Words for the form.
        kind: `number`, `integer`, `string` or `boolean`.
        unit: UCUM-like unit, "" for none.
        minimum / maximum: Trained or valid range, inclusive; None for none.
        exclusive_minimum / exclusive_maximum: Whether the bound itself is outside.
        default: Used where the request is silent; None makes the condition required.
        choices: Allowed values of a string.
    """

    name: str
    title: str
    kind: str
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    exclusive_minimum: bool = False
    exclusive_maximum: bool = False
    default: ConditionValue | None = None
    choices: tuple[str, ...] = ()
    description: str = ""

    def check(self, value: Any) -> ConditionValue:
        """Return the value as its kind.

        Raises:
            UsageError: Naming this condition, its value and its range.
        """
        if self.kind in ("number", "integer"):
            return self._check_number(value)
        if self.kind == "boolean":
            if isinstance(value, bool) or str(value).lower() in ("true", "false"):
                return value if isinstance(value, bool) else str(value).lower() == "true"
            raise self._refuse(value, "true or false")
        text = str(value)
        if self.choices and text not in self.choices:
            raise self._refuse(value, "one of " + ", ".join(self.choices))
        return text

    def _check_number(self, value: Any) -> float | int:
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise self._refuse(value, self.range_text) from None
        below = self.minimum is not None and (
            number < self.minimum or (self.exclusive_minimum and number == self.minimum)
        )
        above = self.maximum is not None and (
            number > self.maximum or (self.exclusive_maximum and number == self.maximum)
        )
        whole = self.kind != "integer" or number.is_integer()
        if below or above or number != number or not whole:
            raise self._refuse(value, self.range_text)
        return int(number) if self.kind == "integer" else number

    @property
    def range_text(self) -> str:
        """The range in words (`above 0 and at most 1`)."""
        parts = []
        if self.minimum is not None:
            parts.append(f"{'above' if self.exclusive_minimum else 'at least'} {self.minimum:g}")
        if self.maximum is not None:
            parts.append(f"{'below' if self.exclusive_maximum else 'at most'} {self.maximum:g}")
        noun = "a whole number" if self.kind == "integer" else "a number"
        return f"{noun} {' and '.join(parts)}".strip() + (
            f" ({self.unit})" if self.unit not in ("", "1") else ""
        )

    def _refuse(self, value: Any, allowed: str) -> UsageError:
        return UsageError(
            f"{self.name} = {value} is outside what the generator allows",
            subject=self.name,
            hint=f"Give {allowed}",
        )


@dataclass(frozen=True, slots=True)
class GeneratorManifest:
    """What a generator package says of itself (`models/<id>/<version>/manifest.json`).

    Attributes:
        family: Which module of `generators/` runs it (`diffusion`, `low_dose_ct`).
        source_modality: Modality of the source volume that it needs; "" for none.
        privacy_class: Whose anatomy its cases show.
        files: SHA-256 (hex) of every file of the package but the manifest, by relative path.
        raw: The whole manifest as plain data.
    """

    id: str
    version: str
    family: str
    title: str
    summary: str
    modality: str
    units: str
    source_modality: str
    privacy_class: PrivacyClass
    license: str
    intended_use: str
    minimum_memory_mib: int
    conditions: tuple[ConditionSpec, ...]
    files: Mapping[str, str]
    raw: Mapping[str, Any] = field(default_factory=dict)

    def resolve_conditions(self, given: Mapping[str, Any]) -> dict[str, ConditionValue]:
        """Check the given conditions and fill in defaults, in schema order.

        Raises:
            UsageError: For an unknown condition, a missing one, or a value outside its range.
        """
        known = {spec.name: spec for spec in self.conditions}
        for name in given:
            if name not in known:
                raise UsageError(
                    f"{self.id} has no condition named {name}",
                    subject=name,
                    hint="Conditions: " + (", ".join(known) or "none"),
                )
        resolved: dict[str, ConditionValue] = {}
        for name, spec in known.items():
            value = given.get(name, spec.default)
            if value is None:
                raise UsageError(
                    f"{self.id} needs a value for {name}",
                    subject=name,
                    hint=f"Give {spec.range_text}, as --set {name}=VALUE",
                )
            resolved[name] = spec.check(value)
        return resolved


@dataclass(frozen=True, slots=True)
class GeneratorPackage:
    """A package whose hashes were checked.

    Attributes:
        folder: `models/<id>/<version>/`.
        digest: SHA-256 of the manifest's bytes; it names every file through its hashes.
    """

    manifest: GeneratorManifest
    folder: Path
    digest: str


@dataclass(frozen=True, eq=False)
class LabelMap:
    """A label map on the grid of its volume.

    Attributes:
        name: Snake-case key in the bundle (`nodule`, `hippocampus`).
        array: (slice, row, column) uint8; 0 is background.
        segments: Value -> (code value, coding scheme, code meaning).
    """

    name: str
    array: npt.NDArray[Any]
    segments: Mapping[int, tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """What one case is made from; with the package it regenerates the case.

    Attributes:
        case_id: `case-0001`; also keys the noise, so order and batch do not matter.
        seed: Seed of the cohort.
        conditions: Resolved conditions.
        source_volume_id: Volume that it is conditioned on, or "".
    """

    generator_id: str
    generator_version: str
    case_id: str
    seed: int
    conditions: Mapping[str, ConditionValue]
    source_volume_id: str = ""


@dataclass(frozen=True, slots=True)
class GenerationOrder:
    """What a person asks for: some cases of one generator.

    Attributes:
        generator_id: `id`, or `id@version`.
        count: How many cases, in all; sources take turns.
        seed: The same seed gives the same cases.
        conditions: Values by name; the package's defaults fill the rest.
        sources: Volume ids, or cohorts as NAME[@split].
    """

    generator_id: str
    count: int
    seed: int
    conditions: Mapping[str, Any] = field(default_factory=dict)
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class SyntheticCase:
    """One generated case.

    Attributes:
        volume: The image; kind SYNTHETIC, on the source's grid if it has one.
        labels: Label maps that come with it.
        details: Plain data for provenance: sampler, timesteps, noise digest, physics settings, the
            photon fit with its uncertainty, environment (provider, device, versions, threads).
        seconds: Wall time of the case.
    """

    request: GenerationRequest
    package: GeneratorPackage
    volume: Volume
    labels: tuple[LabelMap, ...]
    privacy_class: PrivacyClass
    details: Mapping[str, Any]
    findings: tuple[Finding, ...] = ()
    seconds: float = 0.0


class GenerateCase(Protocol):
    """What every family offers (`generators/catalogue.py` finds it by the manifest's family)."""

    def __call__(
        self,
        package: GeneratorPackage,
        request: GenerationRequest,
        *,
        source: Volume | None,
        device: str,
        progress: ProgressReporter,
        cancel: CancellationToken,
    ) -> SyntheticCase:
        """Make one case.

        Raises:
            UsageError: A condition outside its range. InputError: A source that does not fit.
            DeviceError: No such device or too little memory. CancelledError: Within one step.
        """
