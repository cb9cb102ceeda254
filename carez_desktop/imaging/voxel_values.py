"""Stored values of a volume file to modality values in one array (DESIGN section 4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from carez_desktop.errors import DeviceError
from carez_desktop.imaging.voxel_file import VoxelFile, volume_values
from carez_desktop.progress import (
    IGNORE,
    NEVER,
    SILENT,
    CancellationToken,
    ProgressReporter,
)
from carez_desktop.system.memory import available_memory_mib

_INT16, _INT32 = np.iinfo(np.int16), np.iinfo(np.int32)


def read_voxels(
    header: VoxelFile,
    index: int,
    *,
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
    partial: Callable[[Any], object] = IGNORE,
) -> tuple[npt.NDArray[Any], int]:
    """Read one volume of a file.

    Whole numbers become int16, or int32 where int16 is too narrow; others, and larger ones, float32
    computed in float64. Where the stored type does not settle that the stream is read twice: an
    array of a wider type on the way would double the memory.

    Args:
        header: Without refusal.
        index: Which of its volumes, from 0.
        progress: Told at every block.
        cancel: Asked at every block.
        partial: Given (middle index, (rows, columns[, 3]) values) as soon as that slice is there:
            at once where the voxels are not compressed.

    Returns:
        (slice, row, column), colours (slice, row, column, 3) uint8; and how many values were not
        finite and are 0.

    Raises:
        UnreadableFileError: The stream is damaged or ends too early.
        DeviceError: It does not fit into memory. CancelledError: Between two blocks.
    """
    dtype = np.dtype(np.uint8) if header.samples > 1 else _modality_type(header, index, cancel)
    samples = 3 if header.samples > 1 else 1
    array = _allocated(header, dtype, samples)
    flat = array.reshape(-1, samples) if samples > 1 else array.reshape(-1)
    if header.planar:
        planes = replace(header, samples=1, points=header.samples, planar=False)
        for sample in range(samples):
            pieces = _cancellable(volume_values(planes, sample), cancel)
            for _ in _fill(planes, pieces, flat[:, sample]):
                progress.report((sample + 1) / samples, f"Reading {header.path.name}")
        partial((header.shape[0] // 2, array[header.shape[0] // 2]))
        return array, 0
    shown = header.encoding == "raw"
    if shown:
        _show_middle(header, index, array, partial)
    spoilt = 0
    middle_end = (header.shape[0] // 2 + 1) * header.shape[1] * header.shape[2]
    pieces = _cancellable(volume_values(header, index), cancel)
    for position, wrong in _fill(header, pieces, flat):
        spoilt += wrong
        if not shown and position >= middle_end:
            partial((header.shape[0] // 2, array[header.shape[0] // 2]))
            shown = True
        progress.report(position / header.voxels, f"Reading {header.path.name}")
    return array, spoilt


def _show_middle(
    header: VoxelFile,
    index: int,
    array: npt.NDArray[Any],
    partial: Callable[[Any], object],
) -> None:
    """Read the middle slice before all others, and show it."""
    middle = header.shape[0] // 2
    size = header.shape[1] * header.shape[2]
    flat = array[middle].reshape(-1, 3) if array.ndim == 4 else array[middle].reshape(-1)
    for _ in _fill(header, volume_values(header, index, middle * size, size), flat):
        pass
    partial((middle, array[middle]))


def _fill(
    header: VoxelFile, pieces: Iterator[npt.NDArray[Any]], flat: npt.NDArray[Any]
) -> Iterator[tuple[int, int]]:
    """Put pieces one after the other; yield the position and how many were not finite."""
    position = 0
    for values in pieces:
        stop = position + len(values)
        wrong = _put(values, header, flat[position:stop])
        position = stop
        yield position, wrong


def _put(values: npt.NDArray[Any], header: VoxelFile, out: npt.NDArray[Any]) -> int:
    """Write a piece as modality values; return how many were not finite."""
    if out.ndim == 2:
        out[...] = values[:, :3]
        return 0
    if header.slope == 1.0 and header.intercept == 0.0 and values.dtype.itemsize <= 4:
        out[...] = values
    else:
        with np.errstate(over="ignore", invalid="ignore"):
            out[...] = values.astype(np.float64) * header.slope + header.intercept
    if out.dtype.kind != "f":
        return 0
    wrong = ~np.isfinite(out)
    count = int(np.count_nonzero(wrong))
    if count:
        out[wrong] = 0.0
    return count


def _modality_type(header: VoxelFile, index: int, cancel: CancellationToken) -> np.dtype[Any]:
    """Return the type of the modality values."""
    whole = header.slope.is_integer() and header.intercept.is_integer()
    if header.dtype.kind == "f" or not whole:
        return np.dtype(np.float32)
    stored = np.iinfo(header.dtype)
    if _type_for(header, int(stored.min), int(stored.max)) == np.int16:
        return np.dtype(np.int16)
    low = high = 0
    for values in _cancellable(volume_values(header, index), cancel):
        low, high = min(low, int(values.min())), max(high, int(values.max()))
    return _type_for(header, low, high)


def _type_for(header: VoxelFile, low: int, high: int) -> np.dtype[Any]:
    """Return the narrowest type of modality values for a range of stored ones."""
    slope, intercept = int(header.slope), int(header.intercept)
    ends = (low * slope + intercept, high * slope + intercept)
    for limits in (_INT16, _INT32):
        if limits.min <= min(ends) and max(ends) <= limits.max:
            return np.dtype(limits.dtype)
    return np.dtype(np.float32)


def _cancellable(
    pieces: Iterator[npt.NDArray[Any]], cancel: CancellationToken
) -> Iterator[npt.NDArray[Any]]:
    for piece in pieces:
        cancel.raise_if_cancelled()
        yield piece


def _allocated(header: VoxelFile, dtype: np.dtype[Any], samples: int) -> npt.NDArray[Any]:
    needed = header.voxels * dtype.itemsize * samples >> 20
    available = available_memory_mib()
    if available is not None and needed > available:
        raise DeviceError(
            f"The file needs {needed} MiB of memory, {available} MiB are free",
            subject=str(header.path),
            hint="Close other programs or choose a smaller file",
        )
    return np.empty((*header.shape, samples) if samples > 1 else header.shape, dtype)
