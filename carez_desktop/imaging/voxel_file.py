"""What the header of a NIfTI or NRRD file says, and the stream of voxels behind it.

Both formats are read by this product itself and not by ITK: the files are parsed as hostile, and a
header of text or of 540 bytes needs no native code. Lengths are compared with what is there before
memory is taken; compressed streams are inflated block by block into the final array.
"""

from __future__ import annotations

import bz2
import math
import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from carez_desktop.domain.finding import Severity
from carez_desktop.domain.patient_space import FloatArray
from carez_desktop.errors import UnreadableFileError

BLOCK = 1 << 20
_MOST_DEFLATE_RATIO = 1032
_AGAIN = "Import it again, or export it again from its source"

Remark = tuple[Severity, str, str]
"""Severity, code and text of a finding, before the volume has a name."""


@dataclass(frozen=True, slots=True)
class VoxelFile:
    """The header of a volume file in the terms of this product.

    Attributes:
        path: The file that was named.
        source_format: `nifti` or `nrrd`.
        data_files: Files of the voxels, one after the other; the named file itself where it holds
            them.
        offset: Uncompressed bytes before the voxels of each data file.
        encoding: `raw`, `gzip`, `bzip2`, `text` or `hex`.
        start: Where the encoded data begin in each data file: behind a header in it.
        skipped_lines: Lines to pass over from there.
        dtype: Of a stored cell, with its byte order.
        shape: (slices, rows, columns).
        points: How many volumes lie in the file.
        interleaved: Whether the values of all points lie together at each voxel.
        samples: Values that make one colour: 1, or 3 or 4 for RGB and RGBA.
        planar: Whether the red values of all voxels come first, then the green, then the blue.
        slope: Stored -> modality value is `slope * stored + intercept`.
        affine: (4, 4) index (slice, row, column) -> LPS mm.
        is_placed: Whether the header says where the voxels lie in the patient.
        is_label_map: Whether the header says that the values are labels.
        refusal: Why it is no volume that can be opened; "" for one that can.
    """

    path: Path
    source_format: str
    data_files: tuple[Path, ...]
    offset: int
    encoding: str
    dtype: np.dtype[Any]
    shape: tuple[int, int, int]
    affine: FloatArray
    start: int = 0
    skipped_lines: int = 0
    points: int = 1
    interleaved: bool = False
    samples: int = 1
    planar: bool = False
    slope: float = 1.0
    intercept: float = 0.0
    is_placed: bool = True
    is_label_map: bool = False
    refusal: str = ""
    remarks: tuple[Remark, ...] = ()
    modality: str = ""
    is_synthetic: bool = False

    @property
    def voxels(self) -> int:
        """Voxels of one volume."""
        return math.prod(self.shape)

    @property
    def needed_bytes(self) -> int:
        """Uncompressed bytes of the voxels of all volumes."""
        return self.voxels * self.points * self.samples * self.dtype.itemsize


def unreadable(path: Path, reason: str) -> UnreadableFileError:
    """Return the error for a file that cannot be read, with its remedy."""
    return UnreadableFileError(f"The file cannot be read: {reason}", subject=str(path), hint=_AGAIN)


def check_sizes(header: VoxelFile) -> None:
    """Compare what the header promises with the bytes that are there.

    Raises:
        UnreadableFileError: Voxels are missing, however well they were compressed.
    """
    try:
        there = sum(path.stat().st_size for path in header.data_files)
    except OSError as error:
        raise unreadable(header.path, error.strerror or str(error)) from error
    needed = header.needed_bytes
    if header.encoding == "raw":
        there -= (header.start + header.offset) * len(header.data_files)
    elif header.encoding in ("gzip", "bzip2"):
        # Deflate reaches 1032 to 1; bzip2 packs a whole block of 900 kB into some 40 bytes.
        there *= _MOST_DEFLATE_RATIO if header.encoding == "gzip" else 30_000
    if there < needed:
        raise unreadable(
            header.path,
            f"it is cut off, or its header is wrong: {max(there, 0)} of {needed} bytes of voxels"
            " can be there at the most",
        )


def volume_values(
    header: VoxelFile, index: int, first: int = 0, count: int | None = None
) -> Iterator[npt.NDArray[Any]]:
    """Yield the stored values of one volume in file order, in pieces of about a megabyte.

    Args:
        header: Without refusal.
        index: Which of its volumes, from 0.
        first: Voxel to begin with.
        count: How many voxels; None for all from there on.

    Yields:
        1-D arrays of the stored type; for colours (n, samples).

    Raises:
        UnreadableFileError: The stream is damaged or ends too early.
    """
    together = header.points if header.interleaved else 1
    unit = header.dtype.itemsize * header.samples * together
    before = first if header.interleaved else index * header.voxels + first
    wanted = header.voxels - first if count is None else count
    rest = b""
    for block in stored_bytes(header, before * unit, wanted * unit):
        data = rest + block if rest else block
        count = len(data) // unit
        rest = data[count * unit :]
        if not count:
            continue
        values = np.frombuffer(data, header.dtype, count * unit // header.dtype.itemsize)
        if header.interleaved:
            values = values.reshape(count, together)[:, index]
        yield values.reshape(-1, header.samples) if header.samples > 1 else values


def stored_bytes(header: VoxelFile, start: int, count: int) -> Iterator[bytes]:
    """Yield bytes `start` to `start + count` of the uncompressed voxels of all data files.

    Raises:
        UnreadableFileError: The stream is damaged or ends too early.
    """
    left = count
    try:
        for block in _from(header, start):
            if left == 0:
                break  # one block more than needed: at the end of a stream its checksum is due
            piece = block[:left]
            left -= len(piece)
            yield piece
    except OSError as error:
        raise unreadable(header.path, error.strerror or str(error)) from error
    except (zlib.error, EOFError, ValueError) as error:
        raise unreadable(header.path, f"its voxels are damaged ({error})") from error
    if left:
        text = f"it is cut off: {count - left} of {count} bytes of voxels are there"
        raise unreadable(header.path, text)


def _from(header: VoxelFile, skip: int) -> Iterator[bytes]:
    """Yield the uncompressed bytes of all data files but the first `skip`."""
    for path in header.data_files:
        if header.encoding == "raw":
            size = path.stat().st_size - header.start - header.offset
            if skip < size:
                yield from _decoded(header, path, skip)
            skip = max(0, skip - size)
            continue
        for block in _decoded(header, path, 0):
            if piece := block[skip:]:
                yield piece
            skip = max(0, skip - len(block))


def _decoded(header: VoxelFile, path: Path, skip: int) -> Iterator[bytes]:
    """Yield the uncompressed bytes of a data file from the voxels on."""
    with path.open("rb") as stream:
        stream.seek(header.start)
        for _ in range(header.skipped_lines):
            stream.readline(BLOCK)
        if header.encoding == "raw":
            stream.seek(header.offset + skip, os.SEEK_CUR)
            while block := stream.read(BLOCK):
                yield block
            return
        if header.encoding == "text":
            yield from _numbers(stream, header.dtype)
            return
        if header.encoding == "hex":
            yield from _hexadecimal(stream)
            return
        before = header.offset
        machine = inflated(stream) if header.encoding == "gzip" else _unpacked(stream)
        for block in machine:
            yield block[before:]
            before = max(0, before - len(block))


def inflated(stream: BinaryIO, block_size: int = BLOCK) -> Iterator[bytes]:
    """Yield what a gzip stream of one or more members holds, block by block (RFC 1952).

    Raises:
        zlib.error: Damaged, or its checksum is wrong.
        EOFError: It ends inside a member.
    """
    machine = zlib.decompressobj(wbits=31)
    waiting = stream.read(block_size)
    while True:
        if block := machine.decompress(waiting, block_size):
            yield block
        waiting = machine.unconsumed_tail
        if machine.eof:
            waiting = machine.unused_data or stream.read(block_size)
            if not waiting.startswith(b"\x1f\x8b"):
                return  # the end, or padding
            machine = zlib.decompressobj(wbits=31)
        elif not waiting and not (waiting := stream.read(block_size)) and not block:
            raise EOFError("the stream ends too early")


def _unpacked(stream: BinaryIO) -> Iterator[bytes]:
    """Yield what a bzip2 stream holds, in blocks of a megabyte."""
    machine = bz2.BZ2Decompressor()
    while True:
        if machine.eof:
            waiting = machine.unused_data or stream.read(BLOCK)
            if not waiting.startswith(b"BZh"):
                return
            machine = bz2.BZ2Decompressor()
        elif machine.needs_input:
            waiting = stream.read(BLOCK)
            if not waiting:
                raise EOFError("the stream ends too early")
        else:
            waiting = b""
        if block := machine.decompress(waiting, BLOCK):
            yield block


def _numbers(stream: BinaryIO, dtype: np.dtype[Any]) -> Iterator[bytes]:
    """Yield numbers written as text as the bytes that they stand for."""
    rest = b""
    while block := stream.read(BLOCK):
        words = (rest + block).replace(b",", b" ")
        cut = max(words.rfind(b" "), words.rfind(b"\n")) + 1
        whole, rest = words[:cut], words[cut:]
        if len(rest) > 400:
            raise ValueError("text that is no number")
        yield _from_words(whole.split(), dtype)
    yield _from_words(rest.split(), dtype)


def _from_words(words: Sequence[bytes], dtype: np.dtype[Any]) -> bytes:
    if dtype.kind == "f":
        return np.array([float(word) for word in words], dtype=dtype).tobytes()
    try:
        numbers = [int(w) if w.lstrip(b"+-").isdigit() else int(float(w)) for w in words]
        return np.array(numbers, dtype=dtype).tobytes()
    except OverflowError as error:
        raise ValueError(f"a number does not fit {dtype.name}") from error


def _hexadecimal(stream: BinaryIO) -> Iterator[bytes]:
    rest = b""
    while block := stream.read(BLOCK):
        digits = rest + b"".join(block.split())
        even = len(digits) // 2 * 2
        rest = digits[even:]
        yield bytes.fromhex(digits[:even].decode("ascii"))
