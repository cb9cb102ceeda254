"""Standardised uptake value by body weight: the factor of each PET slice, or why there is none.

The vendor-neutral pseudo-code of the QIBA FDG-PET/CT profile (Kinahan, Clunie et al., "SUV
Technical Committee", happy path and robust version), which the IBSI names as its reference.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from carez_desktop.domain.study import AttributeValue, InstanceHeader

_LOWEST_DOSE_BQ = 1e4
_LEAST_PLAUSIBLE_BQ, _MOST_PLAUSIBLE_BQ = 1e5, 1e11
_WEIGHTS_KG = (0.01, 400.0)
_MOST_HALF_LIVES = 10.0
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class SuvScale:
    """SUV by body weight (g/ml) = modality value x factor.

    Attributes:
        factors: One for each slice; empty where it cannot be computed.
        reasons: Why it cannot, in words; empty where it can.
        notes: What was assumed on the way.
    """

    factors: tuple[float, ...]
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class _NoSuvError(Exception):
    """Why there is no factor, in words."""


def suv_scale(headers: Sequence[InstanceHeader]) -> SuvScale:
    """Return the factor of each slice of a PET series.

    Args:
        headers: Of the slices, with their attributes; all of one series.
    """
    notes: dict[str, None] = {}
    reasons: dict[str, None] = {}
    factors: list[float] = []
    earliest = min(filter(None, (_acquired(h.attributes) for h in headers)), default=None)
    for header in headers:
        try:
            factors.append(_factor(header.attributes, earliest, notes))
        except _NoSuvError as error:
            reasons[str(error)] = None
    if reasons or not factors:
        return SuvScale((), tuple(reasons) or ("there are no slices",))
    return SuvScale(tuple(factors), (), tuple(notes))


def _factor(
    facts: Mapping[str, AttributeValue], earliest: datetime | None, notes: dict[str, None]
) -> float:
    """Return the factor of one slice.

    Raises:
        _NoSuvError: With the reason.
    """
    units = str(facts.get("units", "")).upper()
    if units == "GML":
        kind = str(facts.get("suv_type", "BW")).upper()
        if kind != "BW":
            raise _NoSuvError(f"its values are SUV of another kind ({kind})")
        notes["the values are SUV already; they are taken as by body weight"] = None
        return 1.0
    if units == "CNTS":
        return _philips_factor(facts, earliest, notes)
    if units != "BQML":
        raise _NoSuvError(f"its unit is {units or 'missing'}, not Bq/ml (BQML)")
    return _becquerel_factor(facts, earliest, notes)


def _philips_factor(
    facts: Mapping[str, AttributeValue], earliest: datetime | None, notes: dict[str, None]
) -> float:
    """Return the factor of counts, which Philips says in private elements (7053,xx00), (xx09)."""
    direct = _number(facts, "philips_suv_factor")
    if direct:
        notes["the factor is the vendor's own (7053,1000)"] = None
        return direct
    to_becquerel = _number(facts, "philips_bqml_factor")
    if not to_becquerel:
        raise _NoSuvError("its values are counts and no factor to Bq/ml is given (7053,1009)")
    notes["counts become Bq/ml by the vendor's factor (7053,1009)"] = None
    return to_becquerel * _becquerel_factor(facts, earliest, notes)


def _becquerel_factor(
    facts: Mapping[str, AttributeValue], earliest: datetime | None, notes: dict[str, None]
) -> float:
    """Return body weight in grams over the activity that is left at the time of the values."""
    problems = [*_correction_problems(facts, notes)]
    weight, dose = _number(facts, "patient_weight"), _number(facts, "radionuclide_total_dose")
    half_life = _number(facts, "radionuclide_half_life")
    if not weight:
        problems.append("the patient's weight is missing (0010,1030)")
    elif not _WEIGHTS_KG[0] <= weight <= _WEIGHTS_KG[1]:
        problems.append(f"a weight of {weight:g} kg is not plausible")
    if not dose:
        problems.append("the injected dose is missing (0018,1074)")
    if not half_life or half_life <= 0:
        problems.append("the half-life is missing (0018,1075)")
    if _number(facts, "radiopharmaceutical_count"):
        problems.append("it names several injected tracers")
    if problems or weight is None or dose is None or half_life is None:
        raise _NoSuvError("; ".join(problems))
    dose = _becquerel(dose, notes)
    if str(facts.get("decay_correction", "")).upper() == "ADMIN":
        return weight * 1000.0 / dose
    decay = _decay_seconds(facts, half_life, earliest, notes)
    return weight * 1000.0 / (dose * math.exp2(-decay / half_life))


def _correction_problems(facts: Mapping[str, AttributeValue], notes: dict[str, None]) -> list[str]:
    problems = []
    corrected = str(facts.get("corrected_image", "")).upper().split("\\")
    if corrected == [""]:
        notes["it does not say what it was corrected for (0028,0051)"] = None
    else:
        if "ATTN" not in corrected:
            problems.append("it is not corrected for attenuation")
        if "DECY" not in corrected:
            problems.append("it is not corrected for decay")
    decay = str(facts.get("decay_correction", "")).upper()
    if decay not in ("START", "ADMIN"):
        problems.append(f"the time that decay is corrected to is {decay or 'missing'} (0054,1102)")
    return problems


def _becquerel(dose: float, notes: dict[str, None]) -> float:
    """Return a dose in Bq: some writers give MBq, as nuclear medicine does."""
    if 0 < dose < _LOWEST_DOSE_BQ:
        notes[f"the dose of {dose:g} is taken as MBq"] = None
        dose *= 1e6
    if not _LEAST_PLAUSIBLE_BQ <= dose <= _MOST_PLAUSIBLE_BQ:
        raise _NoSuvError(f"an injected dose of {dose:g} Bq is not plausible")
    return dose


def _decay_seconds(
    facts: Mapping[str, AttributeValue],
    half_life: float,
    earliest: datetime | None,
    notes: dict[str, None],
) -> float:
    """Return the time from the injection to the start of the scan in seconds."""
    scan = _scan_start(facts, half_life, earliest, notes)
    if scan is None:
        raise _NoSuvError("the start of the scan is missing (0008,0021), (0008,0031)")
    injected = _injected(facts, scan, timedelta(seconds=_MOST_HALF_LIVES * half_life), notes)
    if injected is None:
        raise _NoSuvError("the time of the injection is missing (0018,1072), (0018,1078)")
    seconds = (scan - injected).total_seconds()
    if not 0 <= seconds <= _MOST_HALF_LIVES * half_life:
        raise _NoSuvError(
            f"the scan begins {seconds / 60:.0f} minutes after the injection, at a half-life of"
            f" {half_life / 60:.0f} minutes"
        )
    return seconds


def _scan_start(
    facts: Mapping[str, AttributeValue],
    half_life: float,
    earliest: datetime | None,
    notes: dict[str, None],
) -> datetime | None:
    """Return the time that START means.

    Decay Correction DateTime where it is there. Else Series Date and Time, unless they lie behind
    the acquisition: a post-processed series has those of its processing. Then GE's private scan
    time, the middle of the counts of this bed position minus Frame Reference Time, or the earliest
    acquisition.
    """
    stated = _moment_of(facts.get("decay_correction_datetime"))
    if stated is not None:
        return stated
    series = _moment(facts.get("series_date"), facts.get("series_time"))
    first = earliest or _acquired(facts)
    if series is not None and (first is None or series <= first):
        return series
    private = _moment_of(facts.get("ge_scan_datetime"))
    if private is not None:
        notes["the scan's start is GE's private time (0009,100D)"] = None
        return private
    own = _acquired(facts)
    reference = _number(facts, "frame_reference_time")
    duration = _number(facts, "actual_frame_duration")
    if own is not None and reference and duration and reference > 0 and duration > 0:
        notes["the scan's start is worked out from Frame Reference Time"] = None
        middle = _mean_count_time(duration / 1000.0, half_life)
        return own + timedelta(seconds=middle - reference / 1000.0)
    if first is not None:
        notes["the scan's start is the earliest acquisition"] = None
    return first


def _mean_count_time(duration: float, half_life: float) -> float:
    """Return when, in a frame of so many seconds, the count rate is at its average."""
    constant = math.log(2.0) / half_life
    during = constant * duration
    return math.log(during / (1.0 - math.exp(-during))) / constant


def _injected(
    facts: Mapping[str, AttributeValue], scan: datetime, longest: timedelta, notes: dict[str, None]
) -> datetime | None:
    """Return the injection's time; a time of day alone is of the scan's day or the one before.

    A date and time behind the scan, or many half-lives before it, is a trace of de-identification:
    then its time of day counts.
    """
    moment = _moment_of(facts.get("radiopharmaceutical_start_datetime"))
    if moment is not None and timedelta(0) <= scan - moment <= longest:
        return moment
    clock = _clock(facts.get("radiopharmaceutical_start_time"))
    if clock is None and moment is not None:
        notes["the injection's date does not fit the scan's: only its time of day is used"] = None
        clock = moment - moment.replace(hour=0, minute=0, second=0, microsecond=0)
    if clock is None:
        return None
    midnight = scan.replace(hour=0, minute=0, second=0, microsecond=0)
    injected = midnight + clock
    if injected > scan:
        notes["the injection was before midnight"] = None
        injected -= _DAY
    return injected


def _acquired(facts: Mapping[str, AttributeValue]) -> datetime | None:
    moment = _moment(facts.get("acquisition_date"), facts.get("acquisition_time"))
    return moment or _moment_of(facts.get("acquisition_datetime"))


def _moment_of(value: AttributeValue) -> datetime | None:
    """Return a DT (PS3.5 6.2) without its offset from UTC, which all times of a scan share."""
    text = str(value or "").split("+")[0].split("-")[0]
    return _moment(text[:8], text[8:])


def _moment(day: AttributeValue, clock: AttributeValue) -> datetime | None:
    digits, time = str(day or "").replace(".", ""), _clock(clock)
    if len(digits) != 8 or not digits.isdigit() or time is None:
        return None
    try:
        return datetime(int(digits[:4]), int(digits[4:6]), int(digits[6:])) + time  # noqa: DTZ001
    except (ValueError, OverflowError):
        return None


def _clock(value: AttributeValue) -> timedelta | None:
    """Return a TM (PS3.5 6.2) as the time since midnight."""
    whole, _, part = str(value or "").replace(":", "").partition(".")
    if len(whole) not in (2, 4, 6) or not whole.isdigit() or (part and not part.isdigit()):
        return None
    numbers = [int(whole[place : place + 2] or 0) for place in (0, 2, 4)]
    hours, minutes, seconds = numbers
    if hours > 23 or minutes > 59 or seconds > 60:
        return None
    return timedelta(
        hours=hours, minutes=minutes, seconds=seconds, microseconds=int((part + "000000")[:6])
    )


def _number(facts: Mapping[str, AttributeValue], name: str) -> float | None:
    value = facts.get(name)
    return float(value) if isinstance(value, int | float) else None
