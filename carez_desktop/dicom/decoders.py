"""Decode the compressed pixels of one image to stored values.

imagecodecs decodes outside Python's global lock, so that a few threads use all cores without
child processes and shared memory (decision record 0031). What it cannot decode is given to
pydicom with GDCM and pyjpegls.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID

from carez_desktop.domain.transfer_syntaxes import syntax_codec, syntax_name
from carez_desktop.errors import UnreadableFileError

StoredArray = npt.NDArray[np.integer]

_ITEM, _SEQUENCE_END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
_JPEG_FRAMES = frozenset((*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), 0xF7))
_RLE_HEADER = 64


@dataclass(frozen=True, slots=True)
class PixelLayout:
    """How the stored values of one image are laid out (PS3.5 8.1.1).

    Attributes:
        bits_allocated: 8, 16 or 32 bits of each cell.
        bits_stored: Bits of the cell that are the value.
        high_bit: Position of the value's most significant bit.
        signed: Whether values are two's complement.
        little_endian: Byte order of uncompressed cells.
    """

    rows: int
    columns: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    little_endian: bool = True

    @property
    def dtype(self) -> np.dtype[np.integer]:
        """Cell of an uncompressed image."""
        order = "<" if self.little_endian else ">"
        return np.dtype(f"{order}{'i' if self.signed else 'u'}{self.bits_allocated // 8}")

    @property
    def byte_count(self) -> int:
        """Bytes of an uncompressed image."""
        return self.rows * self.columns * (self.bits_allocated // 8)

    @property
    def stored_range(self) -> tuple[int, int]:
        """Smallest and largest value that the stored bits can hold."""
        if self.signed:
            return -(1 << (self.bits_stored - 1)), (1 << (self.bits_stored - 1)) - 1
        return 0, (1 << self.bits_stored) - 1


def raw_values(cells: StoredArray, layout: PixelLayout, *, shift: bool = True) -> StoredArray:
    """Return the values of cells, without what lies in the bits around them.

    Old overlays and vendor flags lie in the bits above Bits Stored; most files have none, and then
    the cells come back as they are.

    Args:
        cells: (rows, columns) of `layout.dtype`'s width and signedness.
        layout: Says which bits count.
        shift: Whether the value's lowest bit may not be bit 0 (uncompressed and RLE only).
    """
    spare = layout.high_bit + 1 - layout.bits_stored
    if shift and spare > 0:
        cells = cells >> spare
    if layout.bits_stored == layout.bits_allocated:
        return cells
    low, high = layout.stored_range
    if cells.size and low <= int(cells.min()) and int(cells.max()) <= high:
        return cells
    unused = layout.bits_allocated - layout.bits_stored
    if layout.signed:
        return np.right_shift(np.left_shift(cells, unused), unused)
    return cells & np.array((1 << layout.bits_stored) - 1, dtype=cells.dtype)


def first_stream(value: bytes, subject: str) -> bytes:
    """Join the fragments of an encapsulated single-frame image (PS3.5 A.4).

    Args:
        value: From the first byte of Pixel Data's value to the end of the file, at the most.
        subject: File that an error names.

    Raises:
        UnreadableFileError: The fragments are damaged or cut off.
    """
    if value[:4] != _ITEM or len(value) < 8:
        raise _damaged(subject, "the offset table of its pixel data is missing")
    position = 8 + int(struct.unpack_from("<I", value, 4)[0])
    fragments: list[bytes] = []
    while value[position : position + 4] == _ITEM:
        if position + 8 > len(value):
            break
        (length,) = struct.unpack_from("<I", value, position + 4)
        position += 8
        if length > len(value) - position:
            missing = length - (len(value) - position)
            raise _damaged(subject, f"{missing} bytes of its compressed pixel data are missing")
        fragments.append(value[position : position + length])
        position += length
    if not fragments:
        raise _damaged(subject, "it has no compressed pixel data")
    return fragments[0] if len(fragments) == 1 else b"".join(fragments)


def decode_stream(
    stream: bytes, transfer_syntax_uid: str, layout: PixelLayout, subject: str
) -> StoredArray:
    """Decode one compressed image to (rows, columns) stored values in native byte order.

    The size that the stream claims is compared with the header before anything is allocated.

    Raises:
        UnreadableFileError: Truncated or damaged, of another size than the header says, or in an
            encoding that is not read.
    """
    codec = syntax_codec(transfer_syntax_uid)
    decode = _DECODERS.get(codec)
    if decode is None:
        raise UnreadableFileError(
            f"The encoding is not read: {syntax_name(transfer_syntax_uid)}",
            subject=subject,
            hint="Export the series uncompressed or in JPEG 2000",
        )
    claimed = _claimed_size(codec, stream)
    if claimed is not None and claimed != (layout.rows, layout.columns, 1):
        text = f"its compressed image is {claimed[0]} x {claimed[1]} with {claimed[2]} components"
        raise _damaged(subject, f"{text}, the header says {layout.rows} x {layout.columns} with 1")
    try:
        decoded = decode(stream, layout)
    except (RuntimeError, ValueError, TypeError, MemoryError) as first:
        decoded = _decode_with_pydicom(stream, transfer_syntax_uid, layout, subject, first)
    if decoded.shape != (layout.rows, layout.columns):
        raise _damaged(subject, f"its pixels decode to {decoded.shape}")
    cell = layout.dtype.newbyteorder("=")
    if decoded.dtype.itemsize != cell.itemsize:
        decoded = decoded.astype(cell)
    return raw_values(decoded.view(cell), layout, shift=codec == "rle")


def _damaged(subject: str, what: str) -> UnreadableFileError:
    return UnreadableFileError(
        f"The file is truncated or damaged: {what}",
        subject=subject,
        hint="Export it again from its source",
    )


def _decode_rle(stream: bytes, layout: PixelLayout) -> StoredArray:
    cell = layout.dtype.newbyteorder("<")
    if len(stream) < _RLE_HEADER:
        raise ValueError("shorter than an RLE header")
    (segments,) = struct.unpack_from("<I", stream)
    if segments != cell.itemsize:
        raise ValueError(f"{segments} RLE segments for cells of {cell.itemsize} bytes")
    out = np.zeros(layout.rows * layout.columns, dtype=cell)
    imagecodecs.dicomrle_decode(stream, dtype=cell, out=out.data)
    return out.reshape(layout.rows, layout.columns)


def _decode_jpeg(stream: bytes, _: PixelLayout) -> StoredArray:
    return np.asarray(imagecodecs.jpeg_decode(stream))


def _decode_jpeg_ls(stream: bytes, _: PixelLayout) -> StoredArray:
    return np.asarray(imagecodecs.jpegls_decode(stream))


def _decode_jpeg_2000(stream: bytes, _: PixelLayout) -> StoredArray:
    return np.asarray(imagecodecs.jpeg2k_decode(stream, numthreads=1))


_DECODERS: dict[str, Callable[[bytes, PixelLayout], StoredArray]] = {
    "rle": _decode_rle,
    "jpeg": _decode_jpeg,
    "jpeg_lossless": _decode_jpeg,
    "jpeg_ls": _decode_jpeg_ls,
    "jpeg_2000": _decode_jpeg_2000,
}


def _decode_with_pydicom(
    stream: bytes, uid: str, layout: PixelLayout, subject: str, first: Exception
) -> StoredArray:
    """Try the decoders that pydicom knows after imagecodecs gave up."""
    options: dict[str, Any] = {
        "rows": layout.rows,
        "columns": layout.columns,
        "samples_per_pixel": 1,
        "photometric_interpretation": "MONOCHROME2",
        "number_of_frames": 1,
        "bits_allocated": layout.bits_allocated,
        "bits_stored": layout.bits_stored,
        "pixel_representation": int(layout.signed),
        "pixel_keyword": "PixelData",
    }
    try:
        decoder = get_decoder(UID(uid))
        decoded, _ = decoder.as_array(encapsulate([stream]), raw=True, index=0, **options)
    except (RuntimeError, ValueError, TypeError, NotImplementedError, MemoryError, UserWarning):
        reason = str(first) or type(first).__name__
        raise _damaged(subject, f"its {syntax_name(uid)} stream does not decode ({reason})") from (
            first
        )
    return np.asarray(decoded)


def _claimed_size(codec: str, stream: bytes) -> tuple[int, int, int] | None:
    """Return (rows, columns, components) that a stream states of itself, or None."""
    if codec == "rle":
        return None
    try:
        return _size_in_jpeg_2000(stream) if codec == "jpeg_2000" else _size_in_jpeg(stream)
    except struct.error:
        return None


def _size_in_jpeg(stream: bytes) -> tuple[int, int, int] | None:
    """Read the frame header of a JPEG or JPEG-LS stream (ITU-T T.81 B.2.2, T.87 C.2.2)."""
    position = 2
    while position + 4 <= len(stream):
        if stream[position] != 0xFF:
            return None
        marker = stream[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        if marker in _JPEG_FRAMES:
            rows, columns, components = struct.unpack_from(">HHB", stream, position + 5)
            return rows, columns, components
        (length,) = struct.unpack_from(">H", stream, position + 2)
        position += 2 + length
    return None


def _size_in_jpeg_2000(stream: bytes) -> tuple[int, int, int] | None:
    """Read the SIZ marker of a JPEG 2000 codestream (ITU-T T.800 A.5.1)."""
    start = stream.find(b"\xff\x4f\xff\x51", 0, 4096)
    if start < 0:
        return None
    width, height, left, top = struct.unpack_from(">IIII", stream, start + 8)
    (components,) = struct.unpack_from(">H", stream, start + 40)
    return height - top, width - left, components
