"""How a source wants its values shown and read: windows, VOI tables, real-world values, padding.

PS3.3 C.11.2 (VOI LUT), C.7.6.16.2.10 (Frame VOI LUT), C.7.6.16.2.11 (Real World Value Mapping).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from carez_desktop.dicom.elements import ElementTable
from carez_desktop.dicom.modality_values import Rescale, read_lut
from carez_desktop.dicom.palette import lut_descriptor
from carez_desktop.domain.intensity import RealWorldMap
from carez_desktop.domain.window import VoiFunction, VoiLut, VoiWindow

_CENTER, _WIDTH, _NAMES, _FUNCTION = 0x00281050, 0x00281051, 0x00281055, 0x00281056
_VOI_LUTS, _FRAME_VOI = 0x00283010, 0x00289132
_DESCRIPTOR, _EXPLANATION, _DATA = 0x00283002, 0x00283003, 0x00283006
_SHARED, _PER_FRAME = 0x52009229, 0x52009230
_REAL_WORLD, _INTERCEPT, _SLOPE, _UNITS = 0x00409096, 0x00409224, 0x00409225, 0x004008EA
_FIRST, _LAST, _FIRST_DOUBLE, _LAST_DOUBLE = 0x00409216, 0x00409211, 0x00409214, 0x00409213
_LABEL, _CODE, _LUT_DATA = 0x00409210, 0x00080100, 0x00409212
_PADDING, _PADDING_LIMIT, _SIGNED = 0x00280120, 0x00280121, 0x00280103
_MOST_LUTS = 16
_MOST_MAPS = 16


def read_windows(elements: ElementTable, frame: int) -> tuple[VoiWindow, ...]:
    """Return every window of an image or frame, in its order.

    A width that the function cannot take (under 1 for LINEAR, 0 or less for the others:
    PS3.3 C.11.2.1.2) is left out.
    """
    windows: list[VoiWindow] = []
    for table in (elements, *_groups(elements, frame, _FRAME_VOI)):
        function = _function(table.code(_FUNCTION))
        names = table.texts(_NAMES)
        pairs = zip(table.decimals(_CENTER), table.decimals(_WIDTH), strict=False)
        least = 1.0 if function is VoiFunction.LINEAR else 1e-12
        for index, (center, width) in enumerate(pairs):
            if width >= least:
                name = names[index] if index < len(names) else ""
                windows.append(VoiWindow(center, width, function, name))
    return tuple(dict.fromkeys(windows))


def _function(code: str) -> VoiFunction:
    return VoiFunction(code) if code in VoiFunction.__members__.values() else VoiFunction.LINEAR


def _groups(elements: ElementTable, frame: int, tag: int) -> Iterator[ElementTable]:
    """Yield the items of a functional group macro: of the frame, else those shared by all."""
    frames = elements.items(_PER_FRAME)
    own = frames[frame].items(tag) if frame < len(frames) else ()
    yield from own or elements.first_item(_SHARED).items(tag)


def read_voi_luts(elements: ElementTable, rescale: Rescale) -> tuple[VoiLut, ...]:
    """Return the VOI look-up tables of an image; damaged ones are left out.

    Args:
        elements: Of the image.
        rescale: Decides the sign of the first mapped value: it is a modality value, signed where
            modality values can be negative (PS3.3 C.11.2.1.1).
    """
    found = []
    signed = elements.unsigned(_SIGNED) == 1 or rescale.intercept < 0
    for item in elements.items(_VOI_LUTS)[:_MOST_LUTS]:
        item.values[_SIGNED] = int(signed).to_bytes(2, "little" if item.little_endian else "big")
        count, first, entries = read_lut(item, _DESCRIPTOR, _DATA)
        _, _, bits = lut_descriptor(item, _DESCRIPTOR)
        if not count or len(entries) < count:
            continue
        needed = int(entries[:count].max(initial=0)).bit_length()
        bits = bits if needed <= bits <= 16 else max(needed, 1)
        found.append(VoiLut(first, entries[:count], bits, item.text(_EXPLANATION)))
    return tuple(found)


def read_real_world_maps(
    elements: ElementTable, frame: int, rescale: Rescale
) -> tuple[RealWorldMap, ...]:
    """Return the linear real-world value mappings of an image or frame.

    Mappings by table, and those without slope or range, are left out.
    """
    signed = elements.unsigned(_SIGNED) == 1
    items = (*elements.items(_REAL_WORLD), *_groups(elements, frame, _REAL_WORLD))
    return linear_maps(items, rescale, signed=signed)


def linear_maps(
    items: Sequence[ElementTable], rescale: Rescale, *, signed: bool
) -> tuple[RealWorldMap, ...]:
    """Return the linear mappings of the items of a Real World Value Mapping Sequence.

    Args:
        items: Of the sequence.
        rescale: Stored to modality value of the pixels.
        signed: Whether the pixels are, and with them the range that is mapped.
    """
    found = []
    for item in items[:_MOST_MAPS]:
        slope, intercept = item.binary(_SLOPE, "d"), item.binary(_INTERCEPT, "d")
        if slope is None or item.raw(_LUT_DATA):
            continue
        first, last = _mapped_range(item, signed=signed)
        if first is None or last is None:
            continue
        found.append(
            RealWorldMap(
                slope=slope,
                intercept=intercept or 0.0,
                first_stored=first,
                last_stored=last,
                unit=item.first_item(_UNITS).code(_CODE),
                name=item.text(_EXPLANATION) or item.text(_LABEL),
                modality_slope=rescale.slope,
                modality_intercept=rescale.intercept,
            )
        )
    return tuple(found)


def _mapped_range(item: ElementTable, *, signed: bool) -> tuple[float | None, float | None]:
    first, last = item.binary(_FIRST_DOUBLE, "d"), item.binary(_LAST_DOUBLE, "d")
    if first is not None and last is not None:
        return first, last
    kind = "h" if signed else "H"
    return item.binary(_FIRST, kind), item.binary(_LAST, kind)


def read_padding(elements: ElementTable, rescale: Rescale) -> tuple[float, float] | None:
    """Return the range of modality values that were never imaged, or None.

    Pixel Padding Value alone names one value; with Pixel Padding Range Limit all between the two
    (PS3.3 C.7.5.1.1.2). Both are stored values.
    """
    kind = "h" if elements.unsigned(_SIGNED) == 1 else "H"
    value = elements.binary(_PADDING, kind)
    if value is None:
        return None
    limit = elements.binary(_PADDING_LIMIT, kind)
    low, high = rescale.range_of(value, value if limit is None else limit)
    return (low, high) if math.isfinite(low) and math.isfinite(high) else None
