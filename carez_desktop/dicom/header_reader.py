"""Read a DICOM header by walking its elements, without touching the pixels.

The walk keeps the bytes of the wanted elements and steps over everything else, which costs a
fraction of building a pydicom data set (decision record 0030). Anything that the walk does not
understand (a private VR, a deflated stream, a broken sequence) is handed to pydicom.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from io import SEEK_SET, BufferedReader
from pathlib import Path
from typing import NoReturn

import pydicom

from carez_desktop.dicom.elements import ElementTable
from carez_desktop.errors import UnreadableFileError

IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"
DEFLATED_LITTLE = "1.2.840.10008.1.2.1.99"

PIXEL_DATA = 0x7FE00010
_PIXEL_TAGS = frozenset((0x7FE00008, 0x7FE00009, PIXEL_DATA))
_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_LONG_VRS = frozenset(
    (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
)
_SHORT_VRS = frozenset(
    name.encode()
    for name in [
        "AE",
        "AS",
        "AT",
        "CS",
        "DA",
        "DS",
        "DT",
        "FD",
        "FL",
        "IS",
        "LO",
        "LT",
        "PN",
        "SH",
        "SL",
        "SS",
        "ST",
        "TM",
        "UI",
        "UL",
        "US",
    ]
)
_CHUNK = 24 * 1024
_LARGEST_VALUE = 16 * 1024 * 1024
_DEEPEST = 32


class _NotUnderstoodError(Exception):
    """The walk met something that it leaves to pydicom."""


class _BufferEndError(Exception):
    """The walk needs bytes beyond the buffer; `args[0]` is the position to go on from."""


@dataclass(frozen=True, slots=True)
class PixelLocation:
    """Where the pixels of a file lie.

    Attributes:
        tag: Pixel Data, Float Pixel Data or Double Float Pixel Data.
        offset: Position of the first byte of the value in the file.
        length: Bytes of the value; None for an encapsulated (compressed) stream.
    """

    tag: int
    offset: int
    length: int | None


@dataclass(frozen=True, slots=True)
class DicomHeader:
    """The wanted elements of one file, and where its pixels lie."""

    path: Path
    file_size: int
    modified_ns: int
    transfer_syntax_uid: str
    elements: ElementTable
    pixels: PixelLocation | None


def read_header(path: Path, wanted: Iterable[int]) -> DicomHeader:
    """Read the wanted top-level elements of a DICOM file and find its pixels.

    Args:
        path: File with or without the 128-byte preamble, of any extension.
        wanted: Tags to keep; the file meta's Transfer Syntax UID is always read.

    Raises:
        UnreadableFileError: Not DICOM, truncated inside the header, vanished or not readable.
    """
    tags = wanted if isinstance(wanted, frozenset) else frozenset(wanted)
    try:
        with path.open("rb", buffering=0) as stream:
            return _read_open(stream, path, tags)  # type: ignore[arg-type]
    except OSError as error:
        raise UnreadableFileError(
            f"The file cannot be read: {error.strerror or error}",
            subject=str(path),
            hint="Check that it still exists and that you may read it",
        ) from error


def looks_like_dicom(start: bytes) -> bool:
    """Whether the first bytes of a file are those of a DICOM file.

    Without preamble (old files) the data set has to begin with a plausible element of group
    0002 or 0008: a low element number and either a known VR or a short implicit length.
    """
    if start[128:132] == b"DICM":
        return True
    if len(start) < 16 or start[:2] not in (b"\x02\x00", b"\x08\x00") or start[3] != 0:
        return False
    if start[4:6] in _SHORT_VRS or start[4:6] in _LONG_VRS:
        return True
    return bool(struct.unpack_from("<I", start, 4)[0] <= 128 and start[:2] == b"\x08\x00")


def _read_open(stream: BufferedReader, path: Path, wanted: frozenset[int]) -> DicomHeader:
    facts = os.fstat(stream.fileno())
    start = stream.read(_CHUNK)
    if not looks_like_dicom(start):
        raise UnreadableFileError(
            "The file is not DICOM: neither the DICM prefix nor a DICOM data set was found",
            subject=str(path),
            hint="Leave it out, or export it again from its source",
        )
    walk = _Walk(stream, facts.st_size, start, wanted)
    try:
        syntax, pixels = walk.run()
        elements = walk.elements
    except (_NotUnderstoodError, struct.error, IndexError):
        syntax, pixels, elements = _read_with_pydicom(path, wanted)
    return DicomHeader(path, facts.st_size, facts.st_mtime_ns, syntax, elements, pixels)


class _Walk:
    """One pass over the elements of a file, fed by chunks."""

    def __init__(
        self, stream: BufferedReader, size: int, start: bytes, wanted: frozenset[int]
    ) -> None:
        self._stream = stream
        self._size = size
        self._buffer = start
        self._base = 0
        self._wanted = wanted
        self.elements = ElementTable()

    def run(self) -> tuple[str, PixelLocation | None]:
        """Return the transfer syntax and the pixels' place; fill `elements`."""
        position = 132 if self._buffer[128:132] == b"DICM" else 0
        syntax, position = self._read_meta(position)
        if syntax == DEFLATED_LITTLE:
            raise _NotUnderstoodError
        if not syntax:
            is_explicit = self._buffer[position + 4 : position + 6].isalpha()
            syntax = EXPLICIT_LITTLE if is_explicit else IMPLICIT_LITTLE
        little = syntax != EXPLICIT_BIG
        self.elements.little_endian = little
        explicit = syntax != IMPLICIT_LITTLE
        while True:
            try:
                return syntax, self._walk_elements(position, explicit, "<" if little else ">")
            except _BufferEndError as stop:
                position = self._refill(stop.args[0], position)

    def _refill(self, needed: int, previous: int) -> int:
        """Load the chunk from where the walk stopped; a larger one if it did not advance."""
        size = _CHUNK if needed > previous else max(_CHUNK, 4 * len(self._buffer))
        if size > 4 * _LARGEST_VALUE or (needed == previous and self._at_end()):
            raise _NotUnderstoodError
        self._stream.seek(needed, SEEK_SET)
        self._buffer = self._stream.read(size)
        self._base = needed
        return needed

    def _at_end(self) -> bool:
        return self._base + len(self._buffer) >= self._size

    def _read_meta(self, position: int) -> tuple[str, int]:
        """Read the file meta group, always explicit little endian (PS3.10 7.1)."""
        buffer, syntax = self._buffer, ""
        while buffer[position : position + 2] == b"\x02\x00":
            tag, vr, length, value = _element_at(buffer, position, True, "<")
            if length == _UNDEFINED or value + length > len(buffer):
                raise _NotUnderstoodError
            if tag == 0x00020010:
                syntax = buffer[value : value + length].decode("latin-1").strip(" \0")
            position = value + length
            del vr
        return syntax, position

    def _walk_elements(self, position: int, explicit: bool, order: str) -> PixelLocation | None:
        buffer, base, wanted = self._buffer, self._base, self._wanted
        end, values = len(buffer), self.elements.values
        offset = position - base
        while True:
            if offset + 12 > end and self._ends_at(offset):
                return None
            tag, vr, length, value = _element_at(buffer, offset, explicit, order)
            if tag >= 0x7FE00008:
                return self._pixel_location(tag, base + value, length)
            after = value + length
            if length == _UNDEFINED:
                try:
                    after = _skip_sequence(buffer, value, explicit and vr != b"UN", order, 0)
                except (_BufferEndError, struct.error):
                    raise _BufferEndError(base + offset) from None
            if after > end:
                self._step_beyond(offset, after, keep=tag in wanted)
            if tag in wanted:
                values[tag] = buffer[value:after]
            offset = after

    def _ends_at(self, offset: int) -> bool:
        """Whether the file ends here; ask for the next chunk where only the buffer does."""
        rest = self._size - self._base - offset
        if rest <= 0:
            return True
        if rest >= 8 and not self._at_end():
            raise _BufferEndError(self._base + offset)
        if offset + 8 > len(self._buffer):
            raise _NotUnderstoodError
        return False

    def _step_beyond(self, offset: int, after: int, *, keep: bool) -> NoReturn:
        """Go on with a later chunk: from the next element, or from this one to keep its value."""
        if self._base + after > self._size or (keep and after - offset > _LARGEST_VALUE):
            raise _NotUnderstoodError
        raise _BufferEndError(self._base + (offset if keep else after))

    def _pixel_location(self, tag: int, offset: int, length: int) -> PixelLocation | None:
        if tag not in _PIXEL_TAGS:
            return None
        return PixelLocation(tag, offset, None if length == _UNDEFINED else length)


def _element_at(
    buffer: bytes, offset: int, explicit: bool, order: str
) -> tuple[int, bytes, int, int]:
    """Return (tag, VR, length, offset of the value) of the element at an offset."""
    group, element = struct.unpack_from(order + "HH", buffer, offset)
    tag = group << 16 | element
    if not explicit or group == 0xFFFE:
        (length,) = struct.unpack_from(order + "I", buffer, offset + 4)
        return tag, b"", length, offset + 8
    vr = buffer[offset + 4 : offset + 6]
    if vr in _SHORT_VRS:
        (length,) = struct.unpack_from(order + "H", buffer, offset + 6)
        return tag, vr, length, offset + 8
    if vr in _LONG_VRS or _is_new_vr(buffer, offset, vr):
        (length,) = struct.unpack_from(order + "I", buffer, offset + 8)
        return tag, vr, length, offset + 12
    raise _NotUnderstoodError


def _is_new_vr(buffer: bytes, offset: int, vr: bytes) -> bool:
    """Whether a VR that nobody defined has the 32-bit length of all new ones (PS3.5 7.1.2)."""
    return vr.isalpha() and vr.isupper() and buffer[offset + 6 : offset + 8] == b"\0\0"


def _skip_sequence(buffer: bytes, offset: int, explicit: bool, order: str, depth: int) -> int:
    """Return the offset after a sequence of undefined length that starts at `offset`."""
    if depth > _DEEPEST:
        raise _NotUnderstoodError
    while True:
        if offset + 8 > len(buffer):
            raise _BufferEndError(offset)
        tag, _, length, offset = _element_at(buffer, offset, False, order)
        if tag == _SEQUENCE_END:
            return offset
        if tag != _ITEM:
            raise _NotUnderstoodError
        if length != _UNDEFINED:
            offset += length
        else:
            offset = _skip_item(buffer, offset, explicit, order, depth)


def _skip_item(buffer: bytes, offset: int, explicit: bool, order: str, depth: int) -> int:
    """Return the offset after an item of undefined length."""
    while True:
        if offset + 8 > len(buffer):
            raise _BufferEndError(offset)
        tag, vr, length, offset = _element_at(buffer, offset, explicit, order)
        if tag == _ITEM_END:
            return offset
        if length == _UNDEFINED:
            inner = explicit and vr != b"UN"
            offset = _skip_sequence(buffer, offset, inner, order, depth + 1)
        else:
            offset += length


def _read_with_pydicom(
    path: Path, wanted: frozenset[int]
) -> tuple[str, PixelLocation | None, ElementTable]:
    """Read a header that the walk did not understand.

    Raises:
        UnreadableFileError: When pydicom cannot read it either.
    """
    try:
        data_set = pydicom.dcmread(
            path, stop_before_pixels=True, force=True, specific_tags=sorted(wanted)
        )
        syntax = str(data_set.file_meta.get("TransferSyntaxUID", ""))
        table = ElementTable(little_endian=syntax != EXPLICIT_BIG)
        for tag in data_set.keys():  # noqa: SIM118 - a Dataset iterates over elements
            value = getattr(data_set.get_item(tag), "value", None)
            if isinstance(value, bytes):
                table.values[int(tag)] = value
    except Exception as error:
        raise UnreadableFileError(
            f"The DICOM header is damaged: {' '.join(str(error).split())[:200]}",
            subject=str(path),
            hint="The file may be truncated; export it again from its source",
        ) from error
    if not table.values:
        raise UnreadableFileError(
            "The DICOM header is damaged: it ends before the first known element",
            subject=str(path),
            hint="The file may be truncated; export it again from its source",
        )
    return syntax, _pixels_with_pydicom(path), table


def _pixels_with_pydicom(path: Path) -> PixelLocation | None:
    """Find Pixel Data behind a header that only pydicom understands."""
    try:
        data_set = pydicom.dcmread(path, defer_size=512, force=True, specific_tags=[PIXEL_DATA])
        raw = data_set.get_item(PIXEL_DATA) if PIXEL_DATA in data_set else None
        deflated = data_set.file_meta.get("TransferSyntaxUID") == DEFLATED_LITTLE
    except Exception:  # noqa: BLE001 - pydicom raises anything on a damaged header
        return None
    offset = getattr(raw, "value_tell", None)
    if offset is None or deflated:
        return None
    length = int(getattr(raw, "length", 0))
    return PixelLocation(PIXEL_DATA, int(offset), None if length == _UNDEFINED else length)
