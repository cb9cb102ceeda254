"""From a volume to the values of a plane: vtkImageReslice over the voxels in memory.

One 4 x 4 matrix carries a device pixel to LPS mm and on to a voxel index, so oblique, anisotropic
and left-handed grids need no special case; a plane along the grid takes the fast path of VTK.
Slabs are joined on pixels of about a voxel's size and then interpolated, as a slice is; planes
that are shown smaller than their voxels are averaged first (decision record 0122).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.patient_space import FloatArray
from carez_desktop.domain.volume import Volume
from carez_desktop.rendering.display_voxels import display_voxels
from carez_desktop.rendering.flat_plane import (
    FlatPlan,
    as_type,
    flatten,
    grid_axis_of,
    plan_flat,
    pool_mean,
    pooled_place,
    pooling,
)
from carez_desktop.rendering.voxel_reslicer import (
    INT16_OUTSIDE,
    VoxelReslicer,
    outside_value,
)
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.slab import Slab, SlabMode

__all__ = [
    "INT16_OUTSIDE",
    "SliceSampler",
    "StackSampler",
    "sampler_of",
    "sampling_matrix",
    "value_at",
    "voxel_at",
]

_REVERSED = np.eye(4)[[2, 1, 0, 3]]
_THIN = Slab()
_NEARLY = 1e-6
_MAGNIFIED = 0.75
_FEW_PLANES = 8.0


def sampling_matrix(geometry: VolumeGeometry, pixel_grid: FloatArray) -> FloatArray:
    """(4, 4): homogeneous device pixel (column, row, 0) to voxel index (column, row, slice).

    Args:
        geometry: Grid of the volume.
        pixel_grid: (4, 4) device pixel to LPS mm, as `Viewport.pixel_grid` gives it.
    """
    matrix = _REVERSED @ geometry.inverse @ pixel_grid
    # Rounding noise would keep VTK from seeing that the plane lies along the grid.
    return np.asarray(np.where(np.abs(matrix) < 1e-10, 0.0, matrix), dtype=np.float64)


class SliceSampler:
    """Sample planes of one volume, whose voxels it shares with every other sampler of it."""

    def __init__(self, volume: Volume) -> None:
        """Wrap the voxels for VTK."""
        self.geometry = volume.geometry
        self._voxels = display_voxels(volume)
        self._reslicer = VoxelReslicer(self._voxels)
        self._flat: VoxelReslicer | None = None
        self._flat_plan: FlatPlan | None = None

    def at(self, _: int) -> SliceSampler:
        """Return itself: one grid holds every slice."""
        return self

    def sample(
        self,
        pixel_grid: FloatArray,
        width: int,
        height: int,
        *,
        interpolated: bool = True,
        slab: Slab = _THIN,
        smoothed: bool = True,
        quick: bool = False,
    ) -> npt.NDArray[Any]:
        """Return the modality values under the centres of width x height device pixels.

        Args:
            pixel_grid: (4, 4) device pixel (column, row, mm along the unit normal) to LPS mm.
            width: Columns of the picture.
            height: Rows of the picture.
            interpolated: Trilinear, else the nearest voxel.
            slab: Thickness along the normal, half of it on either side, and how values are joined;
                what lies outside the volume is left out.
            smoothed: Whether an interpolated picture with pixels larger than 1.5 voxels shows
                their mean (the value under the centre of the pixel otherwise).
            quick: Whether an oblique slab may take half as many places in each direction, for as
                long as somebody drags it.

        Returns:
            (height, width) int16 or float32, row 0 at the top; `INT16_OUTSIDE` or NaN outside.
            (height, width, 3) uint8 for colours, black outside.
        """
        matrix = sampling_matrix(self.geometry, pixel_grid)
        axis = grid_axis_of(matrix, width, height)
        # Infinite voxels meet others on the way; what comes of it is NaN, which is nothing.
        with np.errstate(invalid="ignore", over="ignore"):
            if axis is not None:
                plan = plan_flat(
                    matrix, axis, self._voxels.shape[axis], slab,
                    interpolated=interpolated, smoothed=smoothed and interpolated,
                )  # fmt: skip
                return self._along_grid(matrix, width, height, plan, slab, interpolated)
            if slab.is_thick:
                return self._oblique_slab(
                    matrix, width, height, interpolated, slab, 2 if quick else 1
                )
            return self._oblique(matrix, width, height, interpolated, smoothed)

    def _along_grid(
        self,
        matrix: FloatArray,
        width: int,
        height: int,
        plan: FlatPlan,
        slab: Slab,
        interpolated: bool,
    ) -> npt.NDArray[Any]:
        if plan.pool == (1, 1) and not slab.is_thick:
            return self._reslicer.sample(matrix, width, height, interpolated=interpolated)
        if not plan.slices:
            return self._nothing(width, height)
        flat = _flat_matrix(matrix, plan)
        return self._flat_of(plan).sample(flat, width, height, interpolated=interpolated)

    def _nothing(self, width: int, height: int) -> npt.NDArray[Any]:
        shape = (height, width, *self._voxels.shape[3:])
        return np.full(shape, outside_value(self._voxels.dtype), self._voxels.dtype)

    def _flat_of(self, plan: FlatPlan) -> VoxelReslicer:
        """Return the flat image of a plan; the last one is kept for pan, zoom and window."""
        if self._flat is None or plan != self._flat_plan:
            self._flat, self._flat_plan = VoxelReslicer(flatten(self._voxels, plan)), plan
        return self._flat

    def _oblique(
        self, matrix: FloatArray, width: int, height: int, interpolated: bool, smoothed: bool
    ) -> npt.NDArray[Any]:
        across, down = (pooling(float(np.linalg.norm(matrix[:3, k]))) for k in (0, 1))
        if not (smoothed and interpolated) or (across, down) == (1, 1):
            return self._reslicer.sample(matrix, width, height, interpolated=interpolated)
        finer = matrix @ _pixel_steps(1.0 / across, 1.0 / down)
        values = self._reslicer.sample(finer, width * across, height * down, interpolated=True)
        if values.dtype != np.int16:
            return pool_mean(values, (down, across))
        return _as_int16(pool_mean(_as_float(values), (down, across)))

    def _oblique_slab(
        self,
        matrix: FloatArray,
        width: int,
        height: int,
        interpolated: bool,
        slab: Slab,
        apart: int,
    ) -> npt.NDArray[Any]:
        """Join planes `apart` voxels from each other, on pixels not much smaller than that."""
        size = max(float(np.linalg.norm(matrix[:3, k])) for k in (0, 1)) / apart
        if not interpolated or size >= _MAGNIFIED:
            joined = self._joined(matrix, width, height, interpolated, slab, apart)
            return as_type(joined, np.uint8) if joined.ndim == 3 else self._typed(joined)
        wider = 1.0 / size
        # One more all around, so that the edges of the picture are interpolated too.
        columns, rows = (int(np.ceil(length / wider)) + 2 for length in (width, height))
        coarse = matrix @ _pixel_steps(wider, wider)
        coarse[:3, 3] -= coarse[:3, 0] + coarse[:3, 1]
        joined = self._joined(coarse, columns, rows, True, slab, apart)
        picture = VoxelReslicer(np.ascontiguousarray(joined)[None])
        finer = _pixel_steps(size, size)
        finer[:2, 3] += 1.0
        finer[2] = 0.0
        values = picture.sample(finer, width, height, interpolated=True)
        return as_type(values, np.uint8) if values.ndim == 3 else self._typed(values)

    def _typed(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return _as_int16(values) if self._voxels.dtype == np.int16 else values

    def _joined(
        self,
        matrix: FloatArray,
        width: int,
        height: int,
        interpolated: bool,
        slab: Slab,
        apart: int,
    ) -> npt.NDArray[Any]:
        """Return the joined values as float32, NaN outside; few planes where `apart` is not 1."""
        per_mm = float(np.linalg.norm(matrix[:3, 2]))
        if apart > 1:
            per_mm /= max(apart, slab.thickness_mm * per_mm / _FEW_PLANES)
        steps = int(slab.thickness_mm / 2.0 * per_mm + _NEARLY)
        total: npt.NDArray[Any] | None = None
        count: npt.NDArray[Any] | None = None
        for step in range(-steps, steps + 1):
            moved = matrix.copy()
            moved[:3, 3] += matrix[:3, 2] * (step / per_mm)
            values = _as_float(
                self._reslicer.sample(moved, width, height, interpolated=interpolated)
            )
            inside = ~np.isnan(values)
            if total is None or count is None:
                total, count = values, inside.astype(np.float32)
            elif slab.mode is SlabMode.MEAN:
                count += inside
                total = np.where(np.isnan(total), values, total + np.nan_to_num(values))
            else:
                join = np.fmax if slab.mode is SlabMode.MIP else np.fmin
                join(total, values, out=total)
        if total is None or count is None:
            return self._nothing(width, height)
        if slab.mode is SlabMode.MEAN:
            total /= np.maximum(count, 1.0)
        return total


def _flat_matrix(matrix: FloatArray, plan: FlatPlan) -> FloatArray:
    """(4, 4): pixel to (column, row, 0) of the flat image of a plan."""
    first, second = (axis for axis in range(3) if axis != plan.axis)
    made = np.eye(4)
    made[0] = pooled_place(matrix[2 - second].copy(), plan.pool[1])
    made[1] = pooled_place(matrix[2 - first].copy(), plan.pool[0])
    made[2] = (0.0, 0.0, 1.0, 0.0)
    made[:2, 2] = 0.0
    return made


def _pixel_steps(across: float, down: float) -> FloatArray:
    """(4, 4): pixels of another size to pixels, both covering the same picture."""
    made = np.diag([across, down, 1.0, 1.0])
    made[:2, 3] = ((across - 1.0) / 2.0, (down - 1.0) / 2.0)
    return made


def _as_float(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return values as float32, NaN where int16 says that they lie outside."""
    if values.dtype != np.int16:
        return np.asarray(values, dtype=np.float32)
    made = values.astype(np.float32)
    made[values == INT16_OUTSIDE] = np.nan
    return made


def _as_int16(values: npt.NDArray[Any]) -> npt.NDArray[np.int16]:
    whole = np.rint(np.where(np.isnan(values), np.float32(INT16_OUTSIDE), values))
    return np.asarray(whole, dtype=np.int16)


class StackSampler:
    """Sample slices that are no regular grid, each by its own geometry."""

    def __init__(self, volumes: Sequence[Volume]) -> None:
        """Take one-slice volumes, as a `SliceStack` holds them."""
        self._volumes = volumes
        self._index = -1
        self._sampler: SliceSampler | None = None

    def at(self, index: int) -> SliceSampler:
        """Return the sampler of a slice, counted from 0."""
        if self._sampler is None or index != self._index:
            self._index, self._sampler = index, SliceSampler(self._volumes[index])
        return self._sampler


def sampler_of(layer: Layer) -> SliceSampler | StackSampler:
    """Return the sampler of what a layer shows."""
    return SliceSampler(layer.volume) if layer.stack is None else StackSampler(layer.volumes)


def voxel_at(volume: Volume, point_lps: FloatArray) -> npt.NDArray[Any] | None:
    """Return the voxel that holds a point in LPS mm: its value, or 3 colours; None outside."""
    index = np.rint(volume.geometry.lps_to_index(point_lps)).astype(int)
    if np.any(index < 0) or np.any(index >= np.asarray(volume.geometry.shape)):
        return None
    return np.asarray(volume.array[index[0], index[1], index[2]])


def value_at(volume: Volume, point_lps: FloatArray) -> float | None:
    """Return the modality value of the voxel that holds a point in LPS mm; None outside."""
    voxel = voxel_at(volume, point_lps)
    return None if voxel is None else float(voxel)
