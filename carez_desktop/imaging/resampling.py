"""Put slices that are no regular grid on one: at their true positions, and never silently."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from carez_desktop.domain.finding import Finding, Severity, counted
from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.patient_space import FloatArray
from carez_desktop.domain.slice_order import EXACT_MM, REGULAR_MM
from carez_desktop.domain.slice_stack import SliceStack
from carez_desktop.domain.volume import Volume, VolumeKind
from carez_desktop.errors import DeviceError, GeometryError
from carez_desktop.progress import NEVER, SILENT, CancellationToken, ProgressReporter
from carez_desktop.system.memory import available_memory_mib

RESAMPLED = "resampled"
_SNAP_MM = 1e-4
_MOST_GROWTH = 8
_MOST_PIXELS_GROWTH = 4.0
_GROWTH_MIB = 256
_CHOOSE = "Look at the slices one by one in the View page"


@dataclass(frozen=True, slots=True)
class _Plan:
    """The grid, and where the slices lie on it.

    Attributes:
        heights_mm: (n,) of the slices along the normal, from 0.
        shifts: (n, 2) rows and columns from the grid's first voxel to each slice's, 0 or more.
        levels_mm: (m,) of the output slices along the normal.
        turned_mm: How far the corners of a slice lie from where parallel slices would have them.
    """

    geometry: VolumeGeometry
    heights_mm: FloatArray
    shifts: FloatArray
    levels_mm: FloatArray
    turned_mm: float


def resample_stack(
    stack: SliceStack,
    *,
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
) -> Volume:
    """Resample slices to a volume whose grid runs along their normal.

    In plane the grid is that of the first slice, enlarged until every slice lies within it. A tilt
    is undone by shifting each slice within its own plane (bilinear), so that nothing is mixed
    between slices. Where gaps differ, the usual gap is taken, so that the first and the last slice
    lie on the grid, and values are linear between the two neighbours. Padding pixels are not mixed
    with others. What no slice covers takes the padding value, else the smallest value.

    Args:
        stack: At least two parallel slices in order along their normal.
        progress: Told at each output slice.
        cancel: Asked at each output slice.

    Returns:
        A volume of the same type of values, of kind derived (or synthetic, if the slices are).

    Raises:
        GeometryError: The slices are turned against each other, or a regular grid of their usual
            gap would be many times larger than they are.
        DeviceError: It does not fit into memory.
    """
    plan = _plan(stack)
    first = stack.slices[0]
    colour = first.array.shape[3:]
    _check_memory(stack, plan, first)
    fill = _fill_value(stack)
    array = np.empty((*plan.geometry.shape, *colour), dtype=first.array.dtype)
    mixed = 0
    widest = 0.0
    for number, level in enumerate(plan.levels_mm):
        cancel.raise_if_cancelled()
        below, weight = _neighbours(plan.heights_mm, float(level))
        total, cover = _sample(stack, plan, below)
        if weight > 0.0:
            above, above_cover = _sample(stack, plan, below + 1)
            total = total * (1.0 - weight) + above * weight
            cover = cover * (1.0 - weight) + above_cover * weight
            mixed += 1
            widest = max(widest, float(plan.heights_mm[below + 1] - plan.heights_mm[below]))
        _put(total, cover, fill, array[number])
        share = (number + 1) / len(plan.levels_mm)
        progress.report(share, f"Resampling slice {number + 1} of {len(plan.levels_mm)}")
    findings = (*first.findings, *_findings(stack, plan, mixed, widest))
    return replace(
        first,
        volume_id=stack.volume_id,
        array=array,
        geometry=plan.geometry,
        kind=VolumeKind.SYNTHETIC if first.kind is VolumeKind.SYNTHETIC else VolumeKind.DERIVED,
        padding_value=None if colour else float(fill),
        findings=findings,
        attributes={**first.attributes, RESAMPLED: "YES"},
        overlays=(),
    )


def _plan(stack: SliceStack) -> _Plan:
    """Choose the grid.

    Raises:
        GeometryError: There is none.
    """
    geometries = stack.geometries
    if len(geometries) < 2:
        raise _refused(stack, "one slice needs no resampling")
    base = geometries[0]
    _, rows, columns = base.shape
    _, row_mm, column_mm = base.spacing_mm
    _, along_row, along_column = base.direction_lps.T
    normal = np.cross(along_column, along_row)
    offsets = np.array([g.origin_lps for g in geometries]) - np.array(base.origin_lps)
    heights = offsets @ normal
    if np.diff(heights).min() <= EXACT_MM:
        raise _refused(stack, "slices lie at the same place or out of order")
    turned = _largest_turn(geometries)
    if turned > 0.5 * min(row_mm, column_mm):
        raise _refused(stack, f"its slices are turned against each other by {turned:.2f} mm")
    shifts = np.column_stack([offsets @ along_row / row_mm, offsets @ along_column / column_mm])
    slack = _SNAP_MM / min(row_mm, column_mm)
    low = np.floor(shifts.min(axis=0) + slack)
    high = np.ceil(shifts.max(axis=0) - slack)
    extent = (rows + int(high[0] - low[0]), columns + int(high[1] - low[1]))
    levels = _levels(stack, heights)
    affine = np.eye(4)
    affine[:3, 0] = normal * (levels[-1] / (len(levels) - 1))
    affine[:3, 1] = along_row * row_mm
    affine[:3, 2] = along_column * column_mm
    affine[:3, 3] = base.origin_lps
    affine[:3, 3] += affine[:3, 1] * low[0] + affine[:3, 2] * low[1]
    return _Plan(
        VolumeGeometry((len(levels), *extent), affine), heights, shifts - low, levels, turned
    )


def _largest_turn(geometries: Sequence[VolumeGeometry]) -> float:
    """Return how far a corner of a slice lies, in mm, from one parallel to the first slice."""
    base = geometries[0]
    _, rows, columns = base.shape
    worst = 0.0
    for geometry in geometries:
        for corner in ((rows - 1, 0), (0, columns - 1), (rows - 1, columns - 1)):
            own = geometry.affine[:3, 1:3] @ corner
            worst = max(worst, float(np.linalg.norm(own - base.affine[:3, 1:3] @ corner)))
    return worst


def _levels(stack: SliceStack, heights: FloatArray) -> FloatArray:
    """Return the heights of the output slices, the first and the last as they were."""
    gaps = np.diff(heights)
    usual = float(np.median(gaps))
    even = np.linspace(0.0, heights[-1], len(heights))
    if np.abs(heights - even).max() <= REGULAR_MM:
        return even
    count = max(1, round(float(heights[-1]) / usual))
    if count + 1 > _MOST_GROWTH * len(heights):
        raise _refused(
            stack,
            f"a grid of its usual gap of {usual:.3f} mm would have {count + 1} slices for"
            f" {len(heights)}",
        )
    return np.linspace(0.0, heights[-1], count + 1)


def _neighbours(heights: FloatArray, level: float) -> tuple[int, float]:
    """Return the slice at or below a level, and the weight of the slice above it."""
    nearest = int(np.abs(heights - level).argmin())
    if abs(float(heights[nearest]) - level) <= REGULAR_MM:
        return nearest, 0.0
    below = int(np.searchsorted(heights, level)) - 1
    return below, float((level - heights[below]) / (heights[below + 1] - heights[below]))


def _sample(
    stack: SliceStack, plan: _Plan, index: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Shift one slice within its plane to the grid.

    Returns:
        (rows, columns[, 3]) sums of weighted values, and (rows, columns) of their weights: 0 where
        the slice does not reach or is padding.
    """
    source = stack.slices[index]
    values = source.array[0].astype(np.float64)
    weights = np.ones(values.shape[:2])
    padding = source.padding_value
    if padding is not None and values.ndim == 2:
        padded = values == padding
        values[padded] = 0.0
        weights[padded] = 0.0
    for axis, step in ((0, plan.geometry.spacing_mm[1]), (1, plan.geometry.spacing_mm[2])):
        shift = float(plan.shifts[index, axis])
        extent = plan.geometry.shape[1 + axis]
        values = _shifted(values, axis, shift, extent, _SNAP_MM / step)
        weights = _shifted(weights, axis, shift, extent, _SNAP_MM / step)
    return values, weights


def _shifted(
    values: npt.NDArray[np.float64], axis: int, shift: float, extent: int, slack: float
) -> npt.NDArray[np.float64]:
    """Move values along an axis by a number of pixels, linear between two, 0 beyond the ends."""
    whole = math.floor(shift + slack)
    part = max(0.0, shift - whole)
    moved = np.moveaxis(values, axis, 0)
    if part > slack:
        moved = moved[1:] * (1.0 - part) + moved[:-1] * part
        whole += 1
    out = np.zeros((extent, *moved.shape[1:]))
    out[whole : whole + len(moved)] = moved
    return np.moveaxis(out, 0, axis)


def _put(
    total: npt.NDArray[np.float64],
    cover: npt.NDArray[np.float64],
    fill: float,
    out: npt.NDArray[Any],
) -> None:
    """Write weighted sums as values; where less than half is covered, the fill value."""
    seen = cover >= 0.5
    partly = seen & (cover < 1.0)
    shown = cover if total.ndim == 2 else cover[..., None]
    if partly.any():
        total = np.divide(total, shown, where=shown > 0.0, out=total)
    if out.dtype.kind in "iu":
        np.rint(total, out=total)
    total[~seen] = fill
    out[...] = total


def _fill_value(stack: SliceStack) -> float:
    """Return the value of what no slice covers: the padding value, else the smallest of all."""
    first = stack.slices[0]
    if first.array.ndim == 4:
        return 0.0
    padding = first.padding_value
    if padding is not None:
        if first.array.dtype.kind == "f":
            return float(padding)
        limits = np.iinfo(first.array.dtype)
        if limits.min <= padding <= limits.max and float(padding).is_integer():
            return float(padding)
    return min(float(volume.array.min()) for volume in stack.slices)


def _check_memory(stack: SliceStack, plan: _Plan, first: Volume) -> None:
    slices, rows, columns = plan.geometry.shape
    _, old_rows, old_columns = first.geometry.shape
    samples = math.prod(first.array.shape[3:])
    needed = slices * rows * columns * samples * first.array.dtype.itemsize >> 20
    growth = rows * columns / (old_rows * old_columns)
    if growth > _MOST_PIXELS_GROWTH and needed > _GROWTH_MIB:
        raise _refused(stack, f"its slices lie too far beside each other ({rows} x {columns})")
    available = available_memory_mib()
    if available is not None and needed > available:
        raise DeviceError(
            f"The resampled volume needs {needed} MiB of memory, {available} MiB are free",
            subject=stack.volume_id,
            hint="Close other programs or choose a smaller series",
        )


def _findings(stack: SliceStack, plan: _Plan, mixed: int, widest: float) -> list[Finding]:
    """Say what was done to the slices."""
    _, row_mm, column_mm = plan.geometry.spacing_mm
    apart = np.ptp(plan.shifts, axis=0) * (row_mm, column_mm)
    sideways = float(np.linalg.norm(apart))
    grid = f"{counted(plan.geometry.shape[0], 'slice')} {plan.geometry.spacing_mm[0]:.3f} mm apart"
    texts = [f"Resampled to a regular grid of {grid}, because: {stack.refusal}"]
    if sideways > EXACT_MM:
        texts.append(f"Slices were shifted within their planes by up to {sideways:.2f} mm")
    if mixed:
        were = "was" if mixed == 1 else "were"
        texts.append(
            f"{counted(mixed, 'slice')} of {plan.geometry.shape[0]} {were} interpolated between"
            f" neighbours up to {widest:.3f} mm apart"
        )
    if plan.turned_mm > EXACT_MM:
        texts.append(f"Slices are parallel only within {plan.turned_mm:.3f} mm at their corners")
    if any(volume.overlays for volume in stack.slices):
        texts.append("Overlays stay with the slices and were not resampled")
    severity = Severity.WARNING if mixed else Severity.INFO
    return [Finding(severity, RESAMPLED, stack.volume_id, text) for text in texts]


def _refused(stack: SliceStack, why: str) -> GeometryError:
    return GeometryError(
        f"These slices cannot be put on a regular grid: {why}",
        subject=stack.volume_id,
        hint=_CHOOSE,
    )
