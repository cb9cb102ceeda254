"""Overlay planes of an image: PS3.3 C.9.2, packed or in unused bits of the pixels (retired)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from carez_desktop.dicom.elements import ElementTable
from carez_desktop.dicom.pixel_layout import PixelLayout, StoredArray
from carez_desktop.domain.intensity import OverlayPlane

_GROUPS = range(0x6000, 0x6020, 2)
_ROWS, _COLUMNS, _FRAMES, _DESCRIPTION, _TYPE = 0x0010, 0x0011, 0x0015, 0x0022, 0x0040
_ORIGIN, _FIRST_FRAME, _BITS, _BIT_POSITION = 0x0050, 0x0051, 0x0100, 0x0102
_LABEL, _DATA = 0x1500, 0x3000
_ELEMENTS = (
    *(_ROWS, _COLUMNS, _FRAMES, _DESCRIPTION, _TYPE, _ORIGIN, _FIRST_FRAME),
    *(_BITS, _BIT_POSITION, _LABEL, _DATA),
)
_LARGEST = 1 << 24

OVERLAY_TAGS = frozenset(group << 16 | element for group in _GROUPS for element in _ELEMENTS)


@dataclass(frozen=True, slots=True)
class EmbeddedOverlay:
    """An overlay in a bit of each pixel cell that is no part of its value.

    Attributes:
        bit: Of the cell.
    """

    bit: int
    kind: str
    label: str


def packed_overlays(
    elements: ElementTable, frame: int, slice_index: int
) -> tuple[OverlayPlane, ...]:
    """Return the packed overlay planes of one frame, cut to what is drawn.

    Args:
        elements: Of the image, with `OVERLAY_TAGS`.
        frame: Of the image, from 0; an overlay of fewer frames lies on the frames it names.
        slice_index: Which the planes are given.
    """
    planes = []
    for group in _groups(elements):
        tags = _tags(group)
        rows, columns = (elements.unsigned(tags[key]) or 0 for key in (_ROWS, _COLUMNS))
        data = elements.raw(tags[_DATA])
        if not data or not 0 < rows * columns <= _LARGEST:
            continue
        count = elements.integer(tags[_FRAMES]) or 1
        first = (elements.unsigned(tags[_FIRST_FRAME]) or 1) - 1
        which = frame - first
        if not 0 <= which < count or (which + 1) * rows * columns > len(data) * 8:
            continue
        start = which * rows * columns
        whole = np.frombuffer(data, np.uint8)[start // 8 : -(-(start + rows * columns) // 8)]
        bits = np.unpackbits(whole, bitorder="little")[start % 8 : start % 8 + rows * columns]
        plane = _cut(
            bits.reshape(rows, columns).astype(bool),
            _origin(elements, tags[_ORIGIN]),
            slice_index,
            _label(elements, group),
            elements.code(tags[_TYPE]) or "G",
        )
        if plane is not None:
            planes.append(plane)
    return tuple(planes)


def embedded_overlays(elements: ElementTable, layout: PixelLayout) -> tuple[EmbeddedOverlay, ...]:
    """Return the overlays that lie in unused bits of the pixel cells."""
    found = []
    for group in _groups(elements):
        tags = _tags(group)
        bits, position = (elements.unsigned(tags[key]) for key in (_BITS, _BIT_POSITION))
        if elements.raw(tags[_DATA]) or bits != layout.bits_allocated or position is None:
            continue
        lowest = layout.high_bit + 1 - layout.bits_stored
        if position < layout.bits_allocated and not lowest <= position <= layout.high_bit:
            kind = elements.code(tags[_TYPE]) or "G"
            found.append(EmbeddedOverlay(position, kind, _label(elements, group)))
    return tuple(found)


def plane_in_cells(
    overlay: EmbeddedOverlay, cells: StoredArray, slice_index: int
) -> OverlayPlane | None:
    """Return the plane that lies in one bit of (rows, columns) cells; None if nothing is drawn."""
    bits = (cells >> overlay.bit & 1).astype(bool)
    return _cut(bits, (0, 0), slice_index, overlay.label, overlay.kind)


def _groups(elements: ElementTable) -> list[int]:
    present = {tag >> 16 for tag in elements.values if 0x6000 <= tag >> 16 <= 0x601E}
    return sorted(group for group in present if group % 2 == 0)


def _tags(group: int) -> dict[int, int]:
    return {element: group << 16 | element for element in _ELEMENTS}


def _label(elements: ElementTable, group: int) -> str:
    return elements.text(group << 16 | _LABEL) or elements.text(group << 16 | _DESCRIPTION)


def _origin(elements: ElementTable, tag: int) -> tuple[int, int]:
    """Return (row, column) from 0; DICOM counts from 1."""
    raw = elements.raw(tag)
    if len(raw) < 4:
        return (0, 0)
    row, column = struct.unpack_from("<hh" if elements.little_endian else ">hh", raw)
    return (row - 1, column - 1)


def _cut(
    bits: npt.NDArray[np.bool_], origin: tuple[int, int], slice_index: int, label: str, kind: str
) -> OverlayPlane | None:
    """Keep the smallest rectangle that holds what is drawn: most planes are nearly empty."""
    rows, columns = np.flatnonzero(bits.any(axis=1)), np.flatnonzero(bits.any(axis=0))
    if not len(rows):
        return None
    top, left = int(rows[0]), int(columns[0])
    drawn = bits[top : int(rows[-1]) + 1, left : int(columns[-1]) + 1].copy()
    return OverlayPlane(slice_index, (origin[0] + top, origin[1] + left), drawn, label, kind[:1])
