"""Which stratum a volume falls into on each axis of the coverage matrix.

Axes and their bands are data (`resources/coverage/default.toml`); this module knows the
quantities that an axis may be cut by, and how a value finds its band.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from carez_desktop.domain.study import VolumeRecord

UNKNOWN = "unknown"
"""Stratum of a volume whose header does not say; a cell of its own, never a gap to fill."""

NOT_APPLICABLE = "not_applicable"
"""Stratum of a volume that the axis does not concern (dose of an MR); never counted."""

REFERENCE_KVP = 120.0
KVP_EXPONENT = 2.5


@dataclass(frozen=True, slots=True)
class AxisSource:
    """One quantity by which an axis is cut.

    Attributes:
        quantity: A name of `QUANTITIES`, `label:NAME` or `attribute:NAME`.
        edges: Ascending bounds between the axis' levels, one fewer than there are; empty for a
            quantity that is text already.
    """

    quantity: str
    edges: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class CoverageAxis:
    """One axis of the coverage matrix.

    Attributes:
        name: Snake-case key (`age_group`).
        sources: Quantities in order of preference; the first that a volume has decides.
        levels: Strata that should be there, in order; others that occur are added behind.
        modalities: DICOM Modality values that the axis concerns; empty for all. Elsewhere a
            cell is impossible, not empty.
        aliases: (regular expression, level) in order, matched against the whole text from its
            start without regard to case; the first that matches names the level.
        ordered: Whether neighbouring levels resemble one another (bands do).
        upper_inclusive: Whether an edge belongs to the band below it (`<= 1.5`) or above it.
        weight: How much a gap on this axis matters, relative to the others.
    """

    name: str
    title: str
    sources: tuple[AxisSource, ...]
    levels: tuple[str, ...] = ()
    unit: str = ""
    modalities: tuple[str, ...] = ()
    aliases: tuple[tuple[str, str], ...] = ()
    ordered: bool = False
    upper_inclusive: bool = False
    weight: float = 1.0

    def __post_init__(self) -> None:
        """Refuse bands that do not fit their edges."""
        for source in self.sources:
            # More levels than bands: a text level, or `unknown`, behind them.
            if source.edges and len(source.edges) + 1 > len(self.levels):
                raise ValueError(
                    f"{self.name}: {len(source.edges)} edges need {len(source.edges) + 1} levels"
                )
            if list(source.edges) != sorted(set(source.edges)):
                raise ValueError(f"{self.name}: edges must ascend")

    def stratum_of(self, record: VolumeRecord) -> str:
        """Return the level of a volume, `unknown`, or `not_applicable`."""
        if self.modalities and record.modality not in self.modalities:
            return NOT_APPLICABLE
        for source in self.sources:
            value = _quantity(source.quantity, record)
            level = self._level(value, source.edges)
            if level:
                return level
        return UNKNOWN

    def _level(self, value: float | str | None, edges: Sequence[float]) -> str:
        if edges:
            number = _number(value)
            if number is None:
                return ""
            # Headers carry 3.26999999999998 where 3.27 was meant.
            rounded = round(number, 4)
            find = bisect_left if self.upper_inclusive else bisect_right
            return self.levels[find(edges, rounded)]
        text = "" if value is None else str(value).strip()
        for pattern, level in self.aliases:
            if re.match(pattern, text, re.IGNORECASE):
                return level
        return text


@dataclass(frozen=True, slots=True)
class CoverageSubject:
    """What coverage counts: one volume of one patient, by its strata.

    Attributes:
        patient_id: Whose volume it is; empty for a synthetic case.
        strata: Axis name -> stratum; an axis that is missing here counts as unknown.
    """

    patient_id: str
    strata: Mapping[str, str] = field(default_factory=dict)
    synthetic: bool = False


def strata_of(record: VolumeRecord, axes: Sequence[CoverageAxis]) -> dict[str, str]:
    """Return the stratum of a volume on every axis, by axis name."""
    return {axis.name: axis.stratum_of(record) for axis in axes}


def age_years(record: VolumeRecord) -> float | None:
    """Return the age at the study: from Patient's Age, else from birth and study date.

    A number is taken as years; text as DICOM AS (PS3.5 6.2: nnnD, nnnW, nnnM, nnnY).
    """
    age = record.attributes.get("patient_age")
    if isinstance(age, str):
        found = re.fullmatch(r"\s*(\d{1,3})([DWMY])\s*", age)
        if found:
            years = {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0}[found[2]]
            return int(found[1]) * years
    number = _number(age)
    if number is not None:
        return number if 0 <= number < 150 else None
    return _years_between(
        str(record.attributes.get("patient_birth_date") or ""),
        str(record.attributes.get("study_date") or ""),
    )


def mas_at_120_kvp(record: VolumeRecord) -> float | None:
    """Return the tube load of a CT in mAs, scaled to 120 kVp.

    Exposure (0018,1152) is taken as it stands (with most vendors the effective mAs, that is,
    divided by pitch), else tube current x exposure time. CTDI grows with about the 2.5th power
    of the voltage (reported exponents lie between 2 and 3), which is good enough to place a series
    in wide bands where CTDIvol is missing; it is not a dose.
    """
    exposure = _positive(record.attributes.get("exposure"))
    if exposure is None:
        current = _positive(record.attributes.get("x_ray_tube_current"))
        time_ms = _positive(record.attributes.get("exposure_time"))
        exposure = current * time_ms / 1000.0 if current and time_ms else None
    kvp = _positive(record.attributes.get("kvp"))
    if exposure is None or kvp is None:
        return None
    return float(exposure * (kvp / REFERENCE_KVP) ** KVP_EXPONENT)


def slice_thickness_mm(record: VolumeRecord) -> float | None:
    """Return Slice Thickness, else (NIfTI, NRRD) the distance of slices."""
    stated = _positive(record.attributes.get("slice_thickness"))
    if stated is None and record.spacing_mm is not None:
        return record.spacing_mm[0]
    return stated


def field_strength_t(record: VolumeRecord) -> float | None:
    """Return Magnetic Field Strength in tesla; old scanners wrote gauss."""
    value = _positive(record.attributes.get("magnetic_field_strength"))
    return value / 10_000.0 if value is not None and value > 100.0 else value


def manufacturer(record: VolumeRecord) -> str:
    """Return the manufacturer without what later software appended (`SIEMENS / MIM Software`)."""
    text = str(record.attributes.get("manufacturer") or "")
    return re.sub(r"\s*/\s*MIM Software.*$", "", text, flags=re.IGNORECASE).strip()


QUANTITIES: Mapping[str, Callable[[VolumeRecord], float | str | None]] = {
    "age_years": age_years,
    "sex": lambda record: str(record.attributes.get("patient_sex") or ""),
    "manufacturer": manufacturer,
    "modality": lambda record: record.modality,
    "slice_thickness_mm": slice_thickness_mm,
    "ctdi_vol_mgy": lambda record: _positive(record.attributes.get("ctdi_vol")),
    "mas_at_120_kvp": mas_at_120_kvp,
    "field_strength_t": field_strength_t,
}


def _quantity(name: str, record: VolumeRecord) -> float | str | None:
    if name.startswith("label:"):
        return record.labels.get(name.removeprefix("label:"))
    if name.startswith("attribute:"):
        return record.attributes.get(name.removeprefix("attribute:"))
    return QUANTITIES[name](record)


def _number(value: object) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _positive(value: object) -> float | None:
    number = _number(value)
    return number if number is not None and number > 0 else None


def _years_between(birth: str, study: str) -> float | None:
    parts = [re.fullmatch(r"(\d{4})(\d{2})(\d{2})", text) for text in (birth, study)]
    if parts[0] is None or parts[1] is None:
        return None
    born, seen = (tuple(int(part) for part in match.groups()) for match in parts if match)
    years = seen[0] - born[0] - (seen[1:] < born[1:])
    return float(years) if 0 <= years < 150 else None
