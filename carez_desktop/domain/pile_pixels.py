"""What the pixels of a pile of images are, and why they are refused where they are."""

from __future__ import annotations

from collections.abc import Sequence

from carez_desktop.domain.finding import counted
from carez_desktop.domain.study import InstanceHeader
from carez_desktop.domain.transfer_syntaxes import syntax_codec, syntax_name

LARGEST_LEVEL = 4096
"""Rows and columns of a level of a whole-slide image that is still opened."""

_DEFLATED = "1.2.840.10008.1.2.1.99"
_LARGEST_INFLATION = 1032
_SMALLEST_FRAME_BYTES = 8
_MOST_FRAMES = 1_000_000
_INTEGER_BITS = (1.0, 8.0, 12.0, 16.0, 32.0)
_FLOAT_BITS = (32.0, 64.0)


def is_whole_slide(header: InstanceHeader) -> bool:
    """Whether an image is one level of a whole-slide image, cut in tiles."""
    return header.modality == "SM" and level_matrix(header) is not None


def level_matrix(header: InstanceHeader) -> tuple[int, int] | None:
    """Return (rows, columns) of a whole-slide level's total pixel matrix; None for others."""
    if header.modality != "SM":
        return None
    rows = header.attributes.get("total_pixel_matrix_rows")
    columns = header.attributes.get("total_pixel_matrix_columns")
    if not isinstance(rows, float) or not isinstance(columns, float):
        return None
    return (int(rows), int(columns)) if rows >= 1 and columns >= 1 else None


def is_cine(header: InstanceHeader) -> bool:
    """Whether the frames of an image are moments of one view."""
    return header.number_of_frames > 1 and level_matrix(header) is None


def is_colour(header: InstanceHeader) -> bool:
    """Whether an image is shown in colour; palette colour is."""
    facts = header.attributes
    palette = facts.get("photometric_interpretation") == "PALETTE COLOR"
    return facts.get("samples_per_pixel") == 3.0 or palette


def pixel_refusal(headers: Sequence[InstanceHeader]) -> str:
    """Say why the pixels of a pile cannot be read; "" where they can."""
    first = headers[0]
    unread = {h.transfer_syntax_uid for h in headers if not syntax_codec(h.transfer_syntax_uid)}
    if unread:
        return f"The encoding is not read: {', '.join(sorted(map(syntax_name, unread)))}"
    without = sum(not header.has_pixels for header in headers)
    if without:
        verb = "has" if len(headers) == 1 else "have"
        return f"{without} of {counted(len(headers), 'image')} {verb} no pixel data"
    if first.rows < 1 or first.columns < 1:
        return f"The matrix is {first.rows} x {first.columns}"
    return frames_refusal(first) or _level_refusal(first) or _cell_refusal(first)


def frames_refusal(header: InstanceHeader) -> str:
    """Say why a number of frames cannot be true; "" where it can.

    A frame takes eight bytes at least (the head of its item), or 1/1032 of them deflated.
    """
    count = header.number_of_frames
    bytes_each = _SMALLEST_FRAME_BYTES
    room = header.file_size // bytes_each
    if header.transfer_syntax_uid == _DEFLATED:
        room *= _LARGEST_INFLATION
    if count <= max(1, min(room, _MOST_FRAMES)) or level_matrix(header) is not None:
        return ""
    return f"It says {count} frames, which a file of {header.file_size} bytes cannot hold"


def _level_refusal(header: InstanceHeader) -> str:
    rows, columns = level_matrix(header) or (0, 0)
    if max(rows, columns) <= LARGEST_LEVEL:
        return ""
    return (
        f"This level of a whole-slide image has {rows} x {columns} pixels; levels up to"
        f" {LARGEST_LEVEL} x {LARGEST_LEVEL}, the thumbnail and the overview open"
    )


def _cell_refusal(header: InstanceHeader) -> str:
    facts = header.attributes
    samples = facts.get("samples_per_pixel", 1.0)
    if samples not in (1.0, 3.0):
        return f"Pixels of {samples:g} samples are neither grey nor colour"
    bits = facts.get("bits_allocated", 0.0)
    floating = bool(facts.get("pixel_data_kind"))
    if bits in (_FLOAT_BITS if floating else _INTEGER_BITS):
        return ""
    return f"Pixels of {bits:g} bits are not read" if bits else "Bits Allocated is missing"
