"""Palettes: from stored values to colours (PS3.3 C.7.6.3.1.5, C.7.6.3.1.6 and C.7.9.2)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from carez_desktop.dicom.elements import ElementTable
from carez_desktop.dicom.pixel_layout import StoredArray
from carez_desktop.errors import UnreadableFileError

_DESCRIPTORS = (0x00281101, 0x00281102, 0x00281103)
_ENTRIES = (0x00281201, 0x00281202, 0x00281203)
_SEGMENTS = (0x00281221, 0x00281222, 0x00281223)
PALETTE_TAGS = frozenset((*_DESCRIPTORS, *_ENTRIES, *_SEGMENTS))
_SIGNED = 0x00280103
_COLOURS = ("red", "green", "blue")
_LARGEST = 1 << 16
_DISCRETE, _LINEAR, _INDIRECT = 0, 1, 2


@dataclass(frozen=True, slots=True, eq=False)
class Palette:
    """The colours of a palette.

    Attributes:
        first: Stored value of the first entry; smaller ones take it too, larger ones the last.
        colours: (n, 3) uint8.
    """

    first: int
    colours: npt.NDArray[np.uint8]

    def apply(self, stored: StoredArray) -> npt.NDArray[np.uint8]:
        """Return (..., 3) colours of (...) stored values."""
        index = stored.astype(np.int64) - self.first
        np.clip(index, 0, len(self.colours) - 1, out=index)
        return self.colours[index]


def read_palette(elements: ElementTable, subject: str) -> Palette:
    """Read the palette of an image.

    Raises:
        UnreadableFileError: It is missing, or shorter than its descriptor says.
    """
    tables, first = [], 0
    for name, descriptor, entries, segments in zip(
        _COLOURS, _DESCRIPTORS, _ENTRIES, _SEGMENTS, strict=True
    ):
        count, first, bits = lut_descriptor(elements, descriptor)
        if segments in elements and entries not in elements:
            values = _expand(_words(elements, segments, bits), count)
        else:
            values = _entries(elements, entries, count)
        if not count or len(values) < count:
            raise UnreadableFileError(
                f"Its palette has {len(values)} of {count} entries of {name}",
                subject=subject,
                hint="Export it again from its source",
            )
        tables.append(values[:count])
    length = min(len(table) for table in tables)
    colours = np.stack([table[:length] for table in tables], axis=-1)
    return Palette(first, _to_eight_bits(colours, bits))


def lut_descriptor(elements: ElementTable, tag: int) -> tuple[int, int, int]:
    """Return (entries, first mapped value, bits of an entry) of a LUT Descriptor.

    0 entries mean 65536. The first mapped value has the signedness of the pixels, whatever the
    element's VR says: PS3.3 C.11.1.1.1.
    """
    raw = elements.raw(tag)
    if len(raw) < 6:
        return 0, 0, 0
    order = "<" if elements.little_endian else ">"
    count, first, bits = struct.unpack_from(order + "HHH", raw)
    if first >= 1 << 15 and elements.unsigned(_SIGNED) == 1:
        first -= 1 << 16
    return count or _LARGEST, first, bits


def _entries(elements: ElementTable, tag: int, count: int) -> npt.NDArray[np.uint16]:
    """Read entries of one byte each (old files) or of a word each."""
    raw = elements.raw(tag)
    if count <= len(raw) < 2 * count:
        return np.frombuffer(raw, np.uint8).astype(np.uint16)
    order = "<" if elements.little_endian else ">"
    return np.frombuffer(raw[: len(raw) // 2 * 2], f"{order}u2").astype(np.uint16)


def _words(elements: ElementTable, tag: int, bits: int) -> list[int]:
    raw = elements.raw(tag)
    if bits == 8 and raw[:2] not in (b"\0\0", b"\1\0", b"\2\0"):
        return list(raw)
    order = "<" if elements.little_endian else ">"
    return [int(word) for word in np.frombuffer(raw[: len(raw) // 2 * 2], f"{order}u2")]


def _expand(words: list[int], count: int) -> npt.NDArray[np.uint16]:
    """Expand a segmented palette: discrete, linear and indirect segments (PS3.3 C.7.9.2)."""
    out: list[int] = []
    starts: list[int] = []
    _expand_from(words, 0, None, out, starts, min(count, _LARGEST))
    return np.array(out[:count], dtype=np.uint16)


def _expand_from(
    words: list[int],
    position: int,
    segments: int | None,
    out: list[int],
    starts: list[int],
    limit: int,
) -> None:
    """Expand segments from a position on; `segments` counts those that an indirect one repeats."""
    done = 0
    while position + 1 < len(words) and len(out) < limit:
        if segments is not None and done >= segments:
            return
        kind, length = words[position], words[position + 1]
        if kind == _DISCRETE:
            out.extend(words[position + 2 : position + 2 + length])
            size = 2 + length
        elif kind == _LINEAR and out and position + 2 < len(words):
            start, end = out[-1], words[position + 2]
            steps = range(1, min(length, limit) + 1)
            out.extend(round(start + (end - start) * step / length) for step in steps)
            size = 3
        elif kind == _INDIRECT and segments is None and position + 3 < len(words):
            target = words[position + 2] | words[position + 3] << 16
            # The offset counts bytes; some writers count words.
            place = next((at for at in (target // 2, target) if at in starts), None)
            if place is not None:
                _expand_from(words, place, length, out, starts, limit)
            size = 4
        else:
            return
        if segments is None:
            starts.append(position)
        position += size
        done += 1


def _to_eight_bits(values: npt.NDArray[np.uint16], bits: int) -> npt.NDArray[np.uint8]:
    """Take the eight highest bits; entries that say 16 bits but hold 8 are left as they are."""
    if bits > 8 and int(values.max(initial=0)) > 255:
        return np.asarray(values >> (bits - 8), dtype=np.uint8)
    return np.asarray(values & 255, dtype=np.uint8)
