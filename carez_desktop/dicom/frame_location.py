"""Find the bytes of each frame of a file: PS3.5 8.1 (native) and A.4 (encapsulated).

Offset tables are written by anybody and are often wrong. The fragments are always walked; a table
that does not meet them is put aside, and frames are told apart by the marks with which streams
begin.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO

from carez_desktop.dicom.header_reader import DicomHeader
from carez_desktop.dicom.pixel_layout import PixelLayout
from carez_desktop.domain.transfer_syntaxes import syntax_codec
from carez_desktop.errors import UnreadableFileError

Fragment = tuple[int, int]
"""Offset and length in the file."""

EXTENDED_OFFSETS, EXTENDED_LENGTHS = 0x7FE00001, 0x7FE00002

_ITEM = b"\xfe\xff\x00\xe0"
_MOST_FRAGMENTS = 1_000_000
_LARGEST_TABLE = 64 << 20
_STARTS = {
    "jpeg": (b"\xff\xd8",),
    "jpeg_lossless": (b"\xff\xd8",),
    "jpeg_ls": (b"\xff\xd8",),
    "jpeg_2000": (b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  "),
}
_HINT = "Export it again from its source"


@dataclass(frozen=True, slots=True)
class FrameTable:
    """Where each frame of an encapsulated file lies.

    Attributes:
        frames: The fragments of each frame, in order.
        note: Why its offset table was put aside; "" where it was right or absent.
    """

    frames: tuple[tuple[Fragment, ...], ...]
    note: str = ""


def locate_native(layout: PixelLayout, start: int, frame: int) -> tuple[int, int, int]:
    """Return (offset, first bit, bytes) of an uncompressed frame.

    Frames follow each other without a gap; those of 1-bit cells may begin inside a byte.
    """
    first_bit = layout.bit_count * frame
    offset, bit = divmod(first_bit, 8)
    return start + offset, bit, -(-(bit + layout.bit_count) // 8)


def locate_encapsulated(stream: BinaryIO, header: DicomHeader, frames: int) -> FrameTable:
    """Find the fragments of every frame of a compressed file.

    Args:
        stream: The open file.
        header: Its header; Extended Offset Table among the wanted elements, if it has one.
        frames: Number of Frames.

    Raises:
        UnreadableFileError: The fragments are damaged, cut off, or do not make that many frames.
    """
    subject = str(header.path)
    if header.pixels is None:
        raise _damaged(subject, "it has no pixel data")
    table, fragments = _walk(stream, header.pixels.offset, header.file_size, subject)
    if not fragments:
        raise _damaged(subject, "it has no compressed pixel data")
    if frames == 1:
        return FrameTable((tuple(fragments),))
    extended = _extended_offsets(header)
    note = ""
    for offsets, name in ((extended, "Extended Offset Table"), (table, "Basic Offset Table")):
        if not offsets:
            continue
        grouped = _by_offsets(offsets, fragments, frames)
        if grouped is not None:
            return FrameTable(grouped, note)
        note = f"Its {name} is damaged; frames were found by their own marks"
    if len(fragments) == frames:
        return FrameTable(tuple((fragment,) for fragment in fragments), note)
    codec = syntax_codec(header.transfer_syntax_uid)
    found = _by_marks(stream, fragments, codec)
    if len(found) != frames:
        what = f"{len(fragments)} fragments of compressed pixels do not make {frames} frames"
        raise _damaged(subject, what)
    return FrameTable(found, note)


def read_fragments(stream: BinaryIO, fragments: Sequence[Sequence[int]], subject: str) -> bytes:
    """Read and join the fragments of one frame.

    Raises:
        UnreadableFileError: The file is shorter than it was.
    """
    parts = []
    for offset, length in fragments:
        stream.seek(offset)
        part = stream.read(length)
        if len(part) < length:
            raise _damaged(subject, f"{length - len(part)} bytes of its pixels are missing")
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _walk(
    stream: BinaryIO, position: int, size: int, subject: str
) -> tuple[tuple[int, ...], list[Fragment]]:
    """Return the Basic Offset Table and the fragments, from the first item of Pixel Data on.

    Offsets of the table become offsets in the file of the item that each frame begins with.
    """
    mark, length = _item(stream, position)
    if mark != _ITEM or length > min(size - position, _LARGEST_TABLE):
        raise _damaged(subject, "the offset table of its pixel data is missing")
    table = stream.read(length)
    position += 8 + length
    first = position
    fragments: list[Fragment] = []
    while True:
        mark, length = _item(stream, position)
        if mark != _ITEM:
            break
        if length > size - position - 8:
            missing = length - (size - position - 8)
            raise _damaged(subject, f"{missing} bytes of its compressed pixel data are missing")
        if len(fragments) >= _MOST_FRAGMENTS:
            raise _damaged(subject, f"it has more than {_MOST_FRAGMENTS} fragments")
        fragments.append((position + 8, length))
        position += 8 + length
    offsets = struct.unpack(f"<{len(table) // 4}I", table[: len(table) // 4 * 4])
    return tuple(first + offset for offset in offsets), fragments


def _item(stream: BinaryIO, position: int) -> tuple[bytes, int]:
    """Return the tag and length of an item; an empty tag at the end of the file."""
    stream.seek(position)
    head = stream.read(8)
    if len(head) < 8:
        return b"", 0
    return head[:4], int(struct.unpack_from("<I", head, 4)[0])


def _extended_offsets(header: DicomHeader) -> tuple[int, ...]:
    """Offsets in the file of the items that the Extended Offset Table names (PS3.3 C.7.6.3.1.8).

    They count from the first byte of the first item after an empty Basic Offset Table.
    """
    raw = header.elements.raw(EXTENDED_OFFSETS)
    if not raw or header.pixels is None:
        return ()
    first = header.pixels.offset + 8
    offsets = struct.unpack(f"<{len(raw) // 8}Q", raw[: len(raw) // 8 * 8])
    return tuple(first + offset for offset in offsets)


def _by_offsets(
    offsets: Sequence[int], fragments: Sequence[Fragment], frames: int
) -> tuple[tuple[Fragment, ...], ...] | None:
    """Group fragments by an offset table; None where the table does not meet them."""
    if len(offsets) != frames:
        return None
    starts = {offset - 8: index for index, (offset, _) in enumerate(fragments)}
    indices = [starts.get(offset, -1) for offset in offsets]
    rising = all(a < b for a, b in pairwise(indices))
    if indices[0] != 0 or not rising:
        return None
    ends = [*indices[1:], len(fragments)]
    return tuple(tuple(fragments[a:b]) for a, b in zip(indices, ends, strict=True))


def _by_marks(
    stream: BinaryIO, fragments: Sequence[Fragment], codec: str
) -> tuple[tuple[Fragment, ...], ...]:
    """Group fragments by the marks with which the streams of a codec begin."""
    groups: list[list[Fragment]] = []
    for fragment in fragments:
        stream.seek(fragment[0])
        if not groups or _begins(stream.read(8), codec):
            groups.append([])
        groups[-1].append(fragment)
    return tuple(tuple(group) for group in groups)


def _begins(start: bytes, codec: str) -> bool:
    if codec == "rle":
        # An RLE header: 1 to 15 segments, the first right behind it (PS3.5 G.5).
        return len(start) == 8 and 1 <= start[0] <= 15 and start[1:] == b"\0\0\0\x40\0\0\0"
    return start.startswith(_STARTS.get(codec, (b"",)))


def _damaged(subject: str, what: str) -> UnreadableFileError:
    return UnreadableFileError(
        f"The file is truncated or damaged: {what}", subject=subject, hint=_HINT
    )
