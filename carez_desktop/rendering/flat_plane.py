"""Planes along the grid: joined through a slab and made coarser before they are sampled.

A plane along the grid needs no more voxels than those of a few slices. They become one flat image
of the same grid; where a pixel holds several of its voxels these are averaged first, so that thin
structures neither vanish nor flicker while scrolling.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from carez_desktop.domain.patient_space import FloatArray
from carez_desktop.workspace.slab import Slab, SlabMode

_ALONG = 1e-3
_NEARLY = 1e-6
_COARSER_FROM = 1.5
_COARSEST = 16


@dataclass(frozen=True, slots=True)
class FlatPlan:
    """Which voxels make a flat image.

    Attributes:
        axis: Array axis along which slices are joined.
        slices: Indices along it.
        weights: Of each slice for a mean; empty for the largest or smallest value.
        largest: Whether the largest value counts, where there are no weights.
        pool: Voxels averaged along each of the two remaining array axes.
    """

    axis: int
    slices: tuple[int, ...]
    weights: tuple[float, ...]
    largest: bool
    pool: tuple[int, int]


def grid_axis_of(matrix: FloatArray, width: int, height: int) -> int | None:
    """Return the array axis to which a plane lies square; None for an oblique one.

    Args:
        matrix: (4, 4) pixel (column, row, 0; mm along the normal) to index (column, row, slice).
        width: Columns of the picture.
        height: Rows of the picture.
    """
    drift = np.abs(matrix[:3, 0]) * width + np.abs(matrix[:3, 1]) * height
    for row in range(3):
        across = np.delete(np.abs(matrix[:3, 2]), row)
        if drift[row] < _ALONG and bool(np.all(across < _ALONG * abs(matrix[row, 2]))):
            return 2 - row
    return None


def pooling(voxels_per_pixel: float) -> int:
    """Return how many voxels to average along an axis; 1 leaves them alone."""
    if voxels_per_pixel <= _COARSER_FROM:
        return 1
    return min(max(round(voxels_per_pixel), 2), _COARSEST)


def plan_flat(
    matrix: FloatArray, axis: int, extent: int, slab: Slab, *, interpolated: bool, smoothed: bool
) -> FlatPlan:
    """Decide which voxels a plane along the grid needs.

    The largest and smallest value are taken over the voxels whose centre lies within the slab.
    The mean is taken at steps of one voxel from the plane, as far as the slab reaches, so that it
    equals the mean of whole slices on a voxel centre and stays exact between them.

    Args:
        matrix: As for `grid_axis_of`.
        axis: Array axis from there.
        extent: Length of that axis.
        slab: Thickness and mode.
        interpolated: Whether values between two slices are interpolated.
        smoothed: Whether voxels smaller than a pixel are averaged.
    """
    row = 2 - axis
    place = float(matrix[row, 3])
    reach = slab.thickness_mm / 2.0 * abs(float(matrix[row, 2]))
    others = [2 - other for other in range(3) if other != axis]
    per_pixel = [float(np.hypot(matrix[other, 0], matrix[other, 1])) for other in others]
    first, second = (pooling(value) for value in per_pixel) if smoothed else (1, 1)
    if slab.is_thick and slab.mode is not SlabMode.MEAN:
        slices = _within(place - reach, place + reach, extent)
        if slices:
            return FlatPlan(axis, slices, (), slab.mode is SlabMode.MIP, (first, second))
        reach = 0.0
    if not interpolated:
        place = float(np.floor(place + 0.5))
    shares = _mean_shares(place, int(reach + _NEARLY) if slab.is_thick else 0, extent)
    return FlatPlan(axis, tuple(shares), tuple(shares.values()), largest=True, pool=(first, second))


def _within(low: float, high: float, extent: int) -> tuple[int, ...]:
    first = max(int(np.ceil(low - _NEARLY)), 0)
    last = min(int(np.floor(high + _NEARLY)), extent - 1)
    return tuple(range(first, last + 1))


def _mean_shares(place: float, steps: int, extent: int) -> dict[int, float]:
    """Weights of slices for the mean of interpolated values at whole steps about a place."""
    shares: dict[int, float] = {}
    for step in range(-steps, steps + 1):
        at = place + step
        if not -0.5 - _NEARLY <= at <= extent - 0.5 + _NEARLY:
            continue
        at = min(max(at, 0.0), extent - 1.0)
        below = min(int(at + _NEARLY), extent - 1)
        above = max(at - below, 0.0)
        above = 0.0 if above < _NEARLY else above
        shares[below] = shares.get(below, 0.0) + 1.0 - above
        if above:
            shares[below + 1] = shares.get(below + 1, 0.0) + above
    return shares


def flatten(voxels: npt.NDArray[Any], plan: FlatPlan) -> npt.NDArray[Any]:
    """Join the slices of a plan and average within them.

    Args:
        voxels: (slice, row, column) or colours.
        plan: With at least one slice.

    Returns:
        (1, length, length[, 3]) of the type of the voxels: the remaining array axes in order.
    """
    first = plan.slices[0]
    stack = np.moveaxis(voxels, plan.axis, 0)[first : plan.slices[-1] + 1]
    if len(stack) == 1:
        joined = stack[0]
    elif not plan.weights:
        joined = _extreme(stack, largest=plan.largest)
    else:
        joined = _weighted(stack, plan)
    pooled = pool_mean(joined, plan.pool)
    return np.ascontiguousarray(pooled)[None]


def _extreme(stack: npt.NDArray[Any], *, largest: bool) -> npt.NDArray[Any]:
    join = np.fmax if largest else np.fmin
    made: npt.NDArray[Any] = stack[0].copy()
    for one in stack[1:]:
        join(made, one, out=made)
    return made


def _weighted(stack: npt.NDArray[Any], plan: FlatPlan) -> npt.NDArray[Any]:
    total = np.zeros(stack.shape[1:], np.float32)
    for index, weight in zip(plan.slices, plan.weights, strict=True):
        one = stack[index - plan.slices[0]]
        total += one if weight == 1.0 else one * np.float32(weight)
    total *= np.float32(1.0 / sum(plan.weights))
    return as_type(total, stack.dtype)


def pool_mean(image: npt.NDArray[Any], pool: tuple[int, int]) -> npt.NDArray[Any]:
    """Average blocks of an image; the last ones repeat the edge where they do not fit.

    Args:
        image: (rows, columns[, 3]).
        pool: Rows and columns of a block.
    """
    if pool == (1, 1):
        return image
    down, across = pool
    rows, columns = (-(-length // step) for length, step in zip(image.shape[:2], pool, strict=True))
    missing = (rows * down - image.shape[0], columns * across - image.shape[1])
    if any(missing):
        rest = ((0, 0),) * (image.ndim - 2)
        image = np.pad(image, ((0, missing[0]), (0, missing[1]), *rest), mode="edge")
    wide = np.int32 if image.dtype.kind in "iu" else np.float32
    lines = np.zeros((rows, *image.shape[1:]), wide)
    for shift in range(down):
        lines += image[shift::down]
    total = np.zeros((rows, columns, *image.shape[2:]), wide)
    for shift in range(across):
        total += lines[:, shift::across]
    return as_type(total * np.float32(1.0 / (down * across)), image.dtype)


def pooled_place(matrix_row: FloatArray, pool: int) -> FloatArray:
    """(4,): the row of a matrix to voxel indices, to indices of blocks of `pool` voxels."""
    made = matrix_row / pool
    made[3] -= (pool - 1) / (2.0 * pool)
    return np.asarray(made, dtype=np.float64)


def as_type(values: npt.NDArray[Any], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Return values rounded to whole numbers where the type has no others."""
    if np.dtype(dtype).kind == "f":
        return np.asarray(values, dtype=dtype)
    return np.asarray(np.rint(values), dtype=dtype)
