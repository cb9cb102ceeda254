"""Read a DICOM header by walking its elements, without touching the pixels.

The walk keeps the bytes of the wanted elements and steps over everything else, which costs a
fraction of building a pydicom data set (decision record 0030). It believes no length, and says in
words where a file stops making sense.
"""

from __future__ import annotations

import errno
import io
import os
import stat
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NoReturn

from carez_desktop.dicom.data_set_start import DEFLATED_SYNTAXES, looks_like_dicom, read_start
from carez_desktop.dicom.element_bytes import (
    PIXEL_DATA,
    PIXEL_TAGS,
    UNDEFINED,
    BufferEndError,
    ElementBudget,
    NotUnderstoodError,
    element_at,
    skip_sequence,
    tag_text,
)
from carez_desktop.dicom.elements import ElementTable
from carez_desktop.dicom.inflation import inflate
from carez_desktop.errors import UnreadableFileError

_CHUNK = 24 * 1024
_LARGEST_VALUE = 64 * 1024 * 1024
_AFTER_IDENTITY = 0x00280000
"""A data set that ends behind this tag without pixels has told who and what it is."""


@dataclass(frozen=True, slots=True)
class PixelLocation:
    """Where the pixels of a file lie.

    Attributes:
        tag: Pixel Data, Float Pixel Data or Double Float Pixel Data.
        offset: Position of the first byte of the value in the file; in the inflated data set
            where the file is deflated.
        length: Bytes of the value; None for an encapsulated (compressed) stream.
        vr: OB or OW where the file says so, else "".
    """

    tag: int
    offset: int
    length: int | None
    vr: str = ""


@dataclass(frozen=True, slots=True)
class DicomHeader:
    """The wanted elements of one file, and where its pixels lie.

    Attributes:
        data_size: Bytes that `pixels.offset` counts in: of the file, or of the inflated data set.
        deflated_from: Where in the file the deflated stream begins; None for a plain file.
        flags: What was odd: `no_preamble`, `no_meta`, `wrong_meta`, `header_cut`.
    """

    path: Path
    file_size: int
    modified_ns: int
    transfer_syntax_uid: str
    elements: ElementTable
    pixels: PixelLocation | None
    data_size: int
    deflated_from: int | None = None
    flags: tuple[str, ...] = ()


def read_header(path: Path, wanted: Iterable[int]) -> DicomHeader:
    """Read the wanted top-level elements of a DICOM file and find its pixels.

    Args:
        path: File with or without the 128-byte preamble, of any extension.
        wanted: Tags to keep; the file meta's Transfer Syntax UID is always read.

    Raises:
        UnreadableFileError: Not DICOM, truncated inside the header, vanished or not readable.
    """
    try:
        with open(path, "rb", buffering=0, opener=open_regular) as stream:
            return read_open_header(stream, path, wanted)
    except OSError as error:
        raise UnreadableFileError(
            f"The file cannot be read: {error.strerror or error}",
            subject=str(path),
            hint="Check that it still exists and that you may read it",
        ) from error


def open_regular(path: str, flags: int) -> int:
    """Open a regular file, as `opener` of `open`; a pipe or a device would hold us up for ever.

    Raises:
        OSError: It cannot be opened, or is of another kind.
    """
    handle = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return handle
    os.close(handle)
    raise OSError(errno.EINVAL, "it is no regular file")


def read_open_header(stream: BinaryIO, path: Path, wanted: Iterable[int]) -> DicomHeader:
    """Read a header as `read_header` does, from a file that is open at its beginning.

    Raises:
        UnreadableFileError: Not DICOM, or truncated inside the header.
        OSError: The file cannot be read.
    """
    tags = wanted if isinstance(wanted, frozenset) else frozenset(wanted)
    facts = os.fstat(stream.fileno())
    begin = stream.read(_CHUNK)
    if not looks_like_dicom(begin):
        raise UnreadableFileError(
            "The file is not DICOM: neither the DICM prefix nor a DICOM data set was found",
            subject=str(path),
            hint="Leave it out, or export it again from its source",
        )
    try:
        start = read_start(begin)
        size, deflated_from = facts.st_size, None
        if start.transfer_syntax_uid in DEFLATED_SYNTAXES:
            deflated_from = start.offset
            head, size = inflate(stream, deflated_from, keep=_LARGEST_VALUE)
            stream, begin = io.BytesIO(head), head[:_CHUNK]
        walk = _Walk(stream, size, begin, tags)
        walk.elements.explicit, walk.elements.little_endian = start.explicit, start.little_endian
        pixels = walk.run(0 if deflated_from is not None else start.offset)
    except (NotUnderstoodError, struct.error) as error:
        what = "the file ends inside it" if isinstance(error, struct.error) else str(error)
        raise UnreadableFileError(
            f"The DICOM header is damaged: {what}",
            subject=str(path),
            hint="The file may be truncated; export it again from its source",
        ) from error
    return DicomHeader(
        path=path,
        file_size=facts.st_size,
        modified_ns=facts.st_mtime_ns,
        transfer_syntax_uid=start.transfer_syntax_uid,
        elements=walk.elements,
        pixels=pixels,
        data_size=size,
        deflated_from=deflated_from,
        flags=start.flags + walk.flags,
    )


class _Walk:
    """One pass over the elements of a file, fed by chunks."""

    def __init__(self, stream: BinaryIO, size: int, begin: bytes, wanted: frozenset[int]) -> None:
        self._stream = stream
        self._size = size
        self._buffer = begin
        self._base = 0
        self._wanted = wanted
        self._budget = ElementBudget()
        self._last_tag = 0
        self._offset = 0
        self.elements = ElementTable()
        self.flags: tuple[str, ...] = ()

    def run(self, position: int) -> PixelLocation | None:
        """Return the pixels' place; fill `elements`.

        Raises:
            NotUnderstoodError: The header ends or breaks before it told what the file is.
        """
        table = self.elements
        order = "<" if table.little_endian else ">"
        while True:
            try:
                return self._walk_elements(position, table.explicit, order)
            except BufferEndError as stop:
                self._budget.spend()
                position = self._refill(stop.args[0], position)
            except (NotUnderstoodError, struct.error) as error:
                self._accept_early_end(error)
                return None

    def _accept_early_end(self, error: Exception) -> None:
        """Accept what an object without pixels has told before its bytes stopped making sense.

        Raises:
            NotUnderstoodError: It is an image, or did not come to the end of its identity.
        """
        told = self._last_tag >= _AFTER_IDENTITY and 0x00280010 not in self.elements
        if not told or self._budget.left < 0:
            where = f"behind element {tag_text(self._last_tag)}"
            what = "the file ends" if isinstance(error, struct.error) else str(error)
            raise NotUnderstoodError(f"{where}, {what}") from error
        if self._buffer[self._offset :].strip(b"\0"):
            self.flags = ("header_cut",)

    def _refill(self, needed: int, previous: int) -> int:
        """Load the chunk from where the walk stopped; a larger one if it did not advance."""
        size = _CHUNK if needed > previous else max(_CHUNK, 4 * len(self._buffer))
        if needed == previous and self._at_end():
            raise NotUnderstoodError("the file ends inside its header")
        if size > 4 * _LARGEST_VALUE:
            raise NotUnderstoodError(f"a value is longer than {_LARGEST_VALUE >> 20} MiB")
        self._stream.seek(needed)
        self._buffer = self._stream.read(size)
        self._base = needed
        return needed

    def _at_end(self) -> bool:
        return self._base + len(self._buffer) >= self._size

    def _walk_elements(self, position: int, explicit: bool, order: str) -> PixelLocation | None:
        buffer, base, wanted = self._buffer, self._base, self._wanted
        end, values = len(buffer), self.elements.values
        offset = position - base
        count, last = 0, self._last_tag
        try:
            while True:
                if offset + 12 > end and self._ends_at(offset):
                    return None
                tag, vr, length, value = element_at(buffer, offset, explicit, order)
                if tag >= 0x7FE00008:
                    return _pixel_location(tag, vr, base + value, length)
                after = value + length
                if length == UNDEFINED:
                    after = self._after_sequence(offset, value, explicit and vr != b"UN", order)
                if after > end:
                    self._step_beyond(offset, after, tag)
                if tag in wanted:
                    values[tag] = buffer[value:after]
                    if vr == b"UN":
                        self.elements.unknown.add(tag)
                last, offset = tag, after
                count += 1
        finally:
            self._last_tag, self._offset = last, offset
            self._budget.left -= count

    def _after_sequence(self, offset: int, value: int, explicit: bool, order: str) -> int:
        """Return the offset after a value of undefined length; a buffer that ends is no error."""
        try:
            return skip_sequence(self._buffer, value, explicit, order, self._budget)
        except struct.error:
            raise BufferEndError(self._base + offset) from None
        except BufferEndError:
            raise BufferEndError(self._base + offset) from None

    def _ends_at(self, offset: int) -> bool:
        """Whether the file ends here; ask for the next chunk where only the buffer does."""
        rest = self._size - self._base - offset
        if rest <= 0:
            return True
        if rest >= 8 and not self._at_end():
            raise BufferEndError(self._base + offset)
        if offset + 8 > len(self._buffer):
            if self._buffer[offset:].strip(b"\0"):
                raise NotUnderstoodError("the file ends inside its header")
            return True
        return False

    def _step_beyond(self, offset: int, after: int, tag: int) -> NoReturn:
        """Go on with a later chunk: from the next element, or from this one to keep its value."""
        missing = self._base + after - self._size
        if missing > 0:
            raise NotUnderstoodError(
                f"element {tag_text(tag)} claims {missing} bytes more than the file has"
            )
        keep = tag in self._wanted
        if keep and after - offset > _LARGEST_VALUE:
            raise NotUnderstoodError(f"element {tag_text(tag)} has {after - offset} bytes")
        raise BufferEndError(self._base + (offset if keep else after))


def _pixel_location(tag: int, vr: bytes, offset: int, length: int) -> PixelLocation | None:
    if tag not in PIXEL_TAGS:
        return None
    size = None if length == UNDEFINED else length
    return PixelLocation(tag, offset, size, vr.decode("latin-1"))


__all__ = [
    "PIXEL_DATA",
    "DicomHeader",
    "PixelLocation",
    "looks_like_dicom",
    "read_header",
    "read_open_header",
]
