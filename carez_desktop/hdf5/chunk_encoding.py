"""Write arrays as shuffled, deflated, checksummed chunks, compressed on all cores.

The filters are HDF5's own (shuffle, deflate, fletcher32), so plain h5py and MATLAB read them; only
the work is done here, because HDF5 compresses on one core. zlib and numpy let other threads run.
"""

from __future__ import annotations

import os
import zlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import product
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from carez_desktop.progress import NEVER, CancellationToken

GZIP_LEVEL = 4
TARGET_CHUNK_BYTES = 1 << 20
_FLETCHER_MODULUS = 65535
_FLETCHER_BLOCK = 1 << 14
_FLETCHER_WEIGHTS = np.arange(_FLETCHER_BLOCK, 0, -1, dtype=np.float64)


def chunk_shape(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Return a chunk of about 1 MiB: whole slices, or a band of rows of one slice.

    Args:
        shape: (slices, rows, columns).
        itemsize: Bytes of a voxel.
    """
    row = shape[2] * itemsize
    plane = shape[1] * row
    if plane <= TARGET_CHUNK_BYTES:
        return (max(1, min(shape[0], TARGET_CHUNK_BYTES // plane)), shape[1], shape[2])
    if row <= TARGET_CHUNK_BYTES:
        return (1, min(shape[1], TARGET_CHUNK_BYTES // row), shape[2])
    return (1, 1, min(shape[2], TARGET_CHUNK_BYTES // itemsize))


def write_array(
    group: h5py.Group, name: str, array: npt.NDArray[Any], *, cancel: CancellationToken = NEVER
) -> h5py.Dataset:
    """Write a (slice, row, column) array as a chunked, compressed, checksummed dataset.

    Args:
        group: Where it goes.
        name: Name of the dataset.
        array: Integer or floating point; stored little-endian, C order.
        cancel: Asked at each chunk.

    Raises:
        CancelledError: When asked to stop. OSError: When the disk does not take it.
    """
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    chunks = chunk_shape(little.shape, little.dtype.itemsize)
    dataset = group.create_dataset(
        name,
        shape=little.shape,
        dtype=little.dtype,
        chunks=chunks,
        compression="gzip",
        compression_opts=GZIP_LEVEL,
        shuffle=True,
        fletcher32=True,
        track_times=False,
        fillvalue=little.dtype.type(0),
    )
    threads = os.cpu_count() or 1
    waiting: deque[tuple[tuple[int, ...], Future[bytes]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for offset in _offsets(little.shape, chunks):
                cancel.raise_if_cancelled()
                waiting.append((offset, pool.submit(_encode_at, little, offset, chunks)))
                if len(waiting) > 2 * threads:
                    _write_next(dataset, waiting)
            while waiting:
                _write_next(dataset, waiting)
        finally:
            for _, future in waiting:
                future.cancel()
    return dataset


def encode_chunk(chunk: npt.NDArray[Any]) -> bytes:
    """Return a chunk's bytes after shuffle, deflate and fletcher32, as HDF5 stores them."""
    itemsize = chunk.dtype.itemsize
    flat = np.ascontiguousarray(chunk).view(np.uint8).reshape(-1, itemsize)
    shuffled = np.ascontiguousarray(flat.T)
    packed = zlib.compress(shuffled.data, GZIP_LEVEL)
    return packed + fletcher32(packed).to_bytes(4, "little")


def fletcher32(content: bytes) -> int:
    """Return HDF5's Fletcher-32 checksum (H5checksum.c: big-endian words, an odd byte is high).

    The running sums of the C code are folded, which keeps them congruent modulo 65535 and never
    turns a sum that is not zero into zero; hence the closed form here, in blocks whose sums float64
    holds exactly. No dot product: BLAS would start threads of its own below ours.
    """
    if len(content) & 1:
        content += b"\0"
    words = np.frombuffer(content, dtype=">u2")
    first = second = 0
    for start in range(0, len(words), _FLETCHER_BLOCK):
        block = words[start : start + _FLETCHER_BLOCK].astype(np.float64)
        total = int(block.sum())
        second += first * len(block) + int((block * _FLETCHER_WEIGHTS[-len(block) :]).sum())
        first += total
    return (_fold(second) << 16) | _fold(first)


def _fold(total: int) -> int:
    rest = total % _FLETCHER_MODULUS
    return _FLETCHER_MODULUS if rest == 0 and total else rest


def _offsets(shape: tuple[int, ...], chunks: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    return product(*(range(0, extent, step) for extent, step in zip(shape, chunks, strict=True)))


def _encode_at(array: npt.NDArray[Any], offset: tuple[int, ...], chunks: tuple[int, ...]) -> bytes:
    """Encode one chunk; one that reaches over the edge is filled up with zeros, as HDF5 does."""
    spans = tuple(slice(at, at + step) for at, step in zip(offset, chunks, strict=True))
    part = array[spans]
    if part.shape != chunks:
        whole = np.zeros(chunks, dtype=array.dtype)
        whole[tuple(slice(0, extent) for extent in part.shape)] = part
        part = whole
    return encode_chunk(part)


def _write_next(
    dataset: h5py.Dataset, waiting: deque[tuple[tuple[int, ...], Future[bytes]]]
) -> None:
    offset, future = waiting.popleft()
    dataset.id.write_direct_chunk(offset, future.result())
