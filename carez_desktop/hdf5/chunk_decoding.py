"""Read shuffled, deflated, checksummed chunks, unfolded on all cores.

The counterpart of `chunk_encoding`. A dataset that is stored in any other way is read by HDF5
itself; the result is the same. A chunk unfolds to its size or is an error, never to more.
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
from h5py import h5z

from carez_desktop.hdf5.chunk_encoding import fletcher32

_OURS = (h5z.FILTER_SHUFFLE, h5z.FILTER_DEFLATE, h5z.FILTER_FLETCHER32)
_SLAB_BYTES = 8 << 20
_CHECKSUM_BYTES = 4


def iterate_voxels(dataset: h5py.Dataset) -> Iterator[npt.NDArray[Any]]:
    """Yield the values of a dataset piece by piece, in C order.

    Args:
        dataset: Checked by `object_walk.check_dataset`; of one dimension or more.

    Raises:
        OSError: When a chunk is damaged (checksum, deflate, size).
    """
    if _is_ours(dataset):
        yield from _iterate_chunks(dataset)
        return
    plane = int(np.prod(dataset.shape[1:], dtype=np.int64)) * dataset.dtype.itemsize
    chunk = dataset.chunks[0] if dataset.chunks else 1
    step = max(chunk, _SLAB_BYTES // max(1, plane * chunk) * chunk)
    for start in range(0, dataset.shape[0], step):
        yield np.asarray(dataset[start : start + step])


def read_voxels(dataset: h5py.Dataset) -> npt.NDArray[Any]:
    """Return all values of a dataset.

    Raises:
        OSError: When a chunk is damaged.
    """
    whole = np.empty(dataset.shape, dtype=dataset.dtype)
    flat, at = whole.reshape(-1), 0
    for piece in iterate_voxels(dataset):
        flat[at : at + piece.size] = piece.reshape(-1)
        at += piece.size
    return whole


def _is_ours(dataset: h5py.Dataset) -> bool:
    """Whether chunks follow each other in C order and have exactly our filters."""
    chunks, shape = dataset.chunks, dataset.shape
    if chunks is None or len(shape) != 3 or dataset.dtype.kind not in "iuf":
        return False
    whole_slices = chunks[1:] == shape[1:]
    bands_of_rows = chunks[0] == 1 and chunks[2] == shape[2]
    plist = dataset.id.get_create_plist()
    filters = tuple(plist.get_filter(index)[0] for index in range(plist.get_nfilters()))
    return (whole_slices or bands_of_rows) and filters == _OURS


def _iterate_chunks(dataset: h5py.Dataset) -> Iterator[npt.NDArray[Any]]:
    threads = os.cpu_count() or 1
    shape, chunks = dataset.shape, dataset.chunks
    offsets = product(*(range(0, extent, step) for extent, step in zip(shape, chunks, strict=True)))
    waiting: deque[tuple[tuple[int, ...], Future[npt.NDArray[Any]]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for offset in offsets:
            mask, stored = dataset.id.read_direct_chunk(offset)
            if mask:
                raise OSError("a chunk was stored without its filters")
            waiting.append((offset, pool.submit(decode_chunk, stored, chunks, dataset.dtype)))
            if len(waiting) > 2 * threads:
                yield _next(waiting, shape)
        while waiting:
            yield _next(waiting, shape)


def _next(
    waiting: deque[tuple[tuple[int, ...], Future[npt.NDArray[Any]]]], shape: tuple[int, ...]
) -> npt.NDArray[Any]:
    """Return the next chunk without what reaches over the edge."""
    offset, future = waiting.popleft()
    chunk = future.result()
    inside = tuple(
        slice(0, min(step, extent - at))
        for at, step, extent in zip(offset, chunk.shape, shape, strict=True)
    )
    return np.ascontiguousarray(chunk[inside])


def decode_chunk(stored: bytes, shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return the values of a stored chunk.

    Raises:
        OSError: When its checksum, its compression or its size is wrong.
    """
    packed = stored[:-_CHECKSUM_BYTES]
    if fletcher32(packed) != int.from_bytes(stored[-_CHECKSUM_BYTES:], "little"):
        raise OSError("a chunk does not fit its checksum")
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    unpack = zlib.decompressobj()
    try:
        shuffled = unpack.decompress(packed, size + 1)
    except zlib.error as error:
        raise OSError("a chunk cannot be decompressed") from error
    if len(shuffled) != size or not unpack.eof or unpack.unused_data:
        raise OSError("a chunk does not unfold to its size")
    planes = np.frombuffer(shuffled, dtype=np.uint8).reshape(dtype.itemsize, -1)
    values = np.empty((planes.shape[1], dtype.itemsize), dtype=np.uint8)
    # Plane by plane is three times faster than a transposed copy.
    for index, plane in enumerate(planes):
        values[:, index] = plane
    return values.view(dtype).reshape(shape)
