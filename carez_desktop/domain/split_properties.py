"""What tells the images of one series apart: contrasts, moments, and how a person reads them."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import date

from carez_desktop.domain.study import AttributeValue, InstanceHeader

LOCALIZER = "LOCALIZER"
_SECONDS_OF_A_DAY = 86_400.0
_COMPONENTS = {
    "M": "magnitude",
    "MAGNITUDE": "magnitude",
    "P": "phase",
    "PHASE": "phase",
    "PHASE MAP": "phase",
    "R": "real",
    "REAL": "real",
    "I": "imaginary",
    "IMAGINARY": "imaginary",
}
_WEIGHTED = frozenset(["TRACEW", "WATER", "FAT", "IN_PHASE", "OUT_PHASE", "OPP_PHASE"])
CALCULATED_MAPS = frozenset(
    [
        *("ADC", "EADC", "FA", "COLFA", "TENSOR", "MTT", "TTP", "RCBF", "RCBV", "CBF"),
        *("CBV", "PBP", "T1 MAP", "T2 MAP", "T2_STAR MAP", "R2_MAP", "PROJECTION IMAGE"),
    ]
)


def show_value(value: Hashable) -> str:
    """Return a property's value for a person."""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple):
        return "\\".join(str(part) for part in value)
    return "not stated" if value is None else str(value)


@dataclass(frozen=True, slots=True)
class SplitProperty:
    """Something by which the images of a series differ.

    Attributes:
        title: How a person calls it.
        value: Its value for one image; None where the image does not say.
        is_contrast: Whether images that differ in it never belong to one volume, wherever they
            lie. The others (times, counters) may run from slice to slice of one volume, and tell
            apart only images at one place.
        shown: Its value in words.
    """

    title: str
    value: Callable[[InstanceHeader], Hashable]
    is_contrast: bool = False
    shown: Callable[[Hashable], str] = show_value


def sort_key(value: Hashable) -> tuple[bool, float, str]:
    """Order values: numbers by size, words by letters, "not stated" first."""
    if isinstance(value, int | float):
        return (True, float(value), "")
    return (value is not None, 0.0, show_value(value))


def is_localizer(header: InstanceHeader) -> bool:
    """Whether an image is a scout, by value 3 of Image Type (PS3.3 C.7.6.1.1.2)."""
    return LOCALIZER in header.image_type


def image_component(header: InstanceHeader) -> str | None:
    """Name the part or the map that an image shows: `phase`, `real`, `ADC`; None for neither.

    Complex Image Component (PS3.3 C.8.13.3.1.2) where it is stated, else the vendors' words in
    Image Type from its third value on.
    """
    stated = _attribute(header, "complex_image_component")
    if isinstance(stated, str) and stated in _COMPONENTS:
        return _COMPONENTS[stated]
    for part in header.image_type[2:]:
        if part in _COMPONENTS:
            return _COMPONENTS[part]
        if part in CALCULATED_MAPS or part in _WEIGHTED:
            return part
    return None


def _attribute(header: InstanceHeader, name: str) -> AttributeValue:
    return header.attributes.get(name)


def _named(title: str, name: str, *, is_contrast: bool = False) -> SplitProperty:
    return SplitProperty(title, lambda header: _attribute(header, name), is_contrast)


def _digits(text: object, count: int) -> str:
    plain = str(text or "").replace(":", "")
    return plain if plain[:count].isdigit() and len(plain) >= count else ""


def _seconds_of(day: object, clock: object) -> float | None:
    """Seconds since year 1 of DA and TM (PS3.5 6.2), so that midnight does not turn the order."""
    text = _digits(clock, 2)
    if not text:
        return None
    whole, _, fraction = text.partition(".")
    if not whole.isdigit():
        return None
    padded = whole.ljust(6, "0")
    seconds = int(padded[:2]) * 3600.0 + int(padded[2:4]) * 60.0 + int(padded[4:6])
    if fraction.isdigit():
        seconds += float(f"0.{fraction[:6]}")
    days = _digits(day, 8)[:8]
    if days.isdigit():
        try:
            ordinal = date(int(days[:4]), int(days[4:6]), int(days[6:])).toordinal()
        except ValueError:
            return seconds
        return ordinal * _SECONDS_OF_A_DAY + seconds
    return seconds


def acquisition_seconds(header: InstanceHeader) -> float | None:
    """When an image was acquired, in seconds; None where it does not say."""
    whole = str(_attribute(header, "acquisition_datetime") or "")
    if len(whole) > 8:
        return _seconds_of(whole[:8], whole[8:].partition("+")[0].partition("-")[0])
    day, clock = _attribute(header, "acquisition_date"), _attribute(header, "acquisition_time")
    return _seconds_of(day, clock)


def content_seconds(header: InstanceHeader) -> float | None:
    """Content Time in seconds of its day; None where an image does not say."""
    return _seconds_of("", _attribute(header, "content_time"))


def _clock(value: Hashable) -> str:
    if not isinstance(value, float):
        return show_value(value)
    seconds = value % _SECONDS_OF_A_DAY
    hours, rest = divmod(seconds, 3600.0)
    minutes, rest = divmod(rest, 60.0)
    return f"{int(hours):02d}:{int(minutes):02d}:{rest:06.3f}".rstrip("0").rstrip(".")


def _component(value: Hashable) -> str:
    return str(value or "none")


PROPERTIES = (
    SplitProperty("image component", image_component, is_contrast=True, shown=_component),
    _named("b-value", "b_value", is_contrast=True),
    _named("Echo Time", "echo_time", is_contrast=True),
    _named("echo", "echo_numbers", is_contrast=True),
    _named("Inversion Time", "inversion_time", is_contrast=True),
    _named("Convolution Kernel", "convolution_kernel", is_contrast=True),
    _named("energy in keV", "monoenergetic_kev", is_contrast=True),
    _named("stack", "stack_id", is_contrast=True),
    _named("diffusion direction", "diffusion_direction"),
    _named("diffusion directionality", "diffusion_directionality"),
    SplitProperty("Image Type", lambda header: header.image_type),
    _named("Temporal Position", "temporal_position_identifier"),
    _named("Trigger Time", "trigger_time"),
    _named("Frame Reference Time", "frame_reference_time"),
    _named("Acquisition Number", "acquisition_number"),
    SplitProperty("Acquisition Time", acquisition_seconds, shown=_clock),
    SplitProperty("Content Time", content_seconds, shown=_clock),
    _named("Sequence Name", "sequence_name"),
    _named("Scan Options", "scan_options"),
    _named("dimension index", "dimension_index"),
)
"""In the order in which they are asked."""

MOMENTS = (
    _named("Temporal Position", "temporal_position_identifier"),
    _named("Trigger Time", "trigger_time"),
    _named("Frame Reference Time", "frame_reference_time"),
    SplitProperty("Acquisition Time", acquisition_seconds, shown=_clock),
    SplitProperty("Content Time", content_seconds, shown=_clock),
)
"""What puts images in order that repeat at each place, each place at times of its own."""

STATIONS = (
    _named("Acquisition Number", "acquisition_number"),
    SplitProperty("Image Type", lambda header: header.image_type),
    _named("Temporal Position", "temporal_position_identifier"),
    _named("Sequence Name", "sequence_name"),
)
"""What may part slices that are no regular grid together but are one each by themselves."""
