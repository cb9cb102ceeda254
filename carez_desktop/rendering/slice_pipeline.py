"""From a volume to the values of a plane: vtkImageReslice over the voxels in memory.

The image that VTK sees has unit spacing, no origin and no direction: it is the array itself,
without a copy. One 4 x 4 matrix carries a device pixel to LPS mm and on to a voxel index, so
oblique, anisotropic and left-handed grids need no special case; a plane along the grid takes the
fast path of VTK.
Decision record 0081 says why no OpenGL takes part.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonDataModel import vtkImageData
from vtkmodules.vtkCommonMath import vtkMatrix4x4
from vtkmodules.vtkImagingCore import vtkImageReslice

from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.patient_space import FloatArray
from carez_desktop.domain.volume import Volume
from carez_desktop.workspace.layer import Layer

INT16_OUTSIDE = -32768
"""Value of pixels outside the volume for int16 slices; float32 slices hold NaN there."""

_REVERSED = np.eye(4)[[2, 1, 0, 3]]


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
    """Sample planes of one volume.

    int16 volumes and colours are read where they lie; others are held as float32.
    """

    def __init__(self, volume: Volume) -> None:
        """Wrap the voxels for VTK."""
        self.geometry = volume.geometry
        self._samples = 3 if volume.is_colour else 1
        self._voxels = np.ascontiguousarray(volume.array, dtype=_display_type(volume))
        slices, rows, columns = volume.geometry.shape
        image = vtkImageData()
        image.SetDimensions(columns, rows, slices)
        flat = self._voxels.reshape(-1, 3) if volume.is_colour else self._voxels.reshape(-1)
        image.GetPointData().SetScalars(numpy_to_vtk(flat, deep=0))
        self._matrix = vtkMatrix4x4()
        self._reslice = vtkImageReslice()
        self._reslice.SetInputData(image)
        self._reslice.SetResliceAxes(self._matrix)
        self._reslice.SetOutputSpacing(1.0, 1.0, 1.0)
        self._reslice.SetOutputOrigin(0.0, 0.0, 0.0)
        self._reslice.SetOutputDimensionality(2)
        outside = {"i": float(INT16_OUTSIDE), "f": float("nan"), "u": 0.0}
        self._reslice.SetBackgroundLevel(outside[self._voxels.dtype.kind])

    def at(self, _: int) -> SliceSampler:
        """Return itself: one grid holds every slice."""
        return self

    def sample(
        self, pixel_grid: FloatArray, width: int, height: int, *, interpolated: bool = True
    ) -> npt.NDArray[Any]:
        """Return the modality values under the centres of width x height device pixels.

        Args:
            pixel_grid: (4, 4) device pixel (column, row, 0) to LPS mm.
            width: Columns of the picture.
            height: Rows of the picture.
            interpolated: Trilinear, else the nearest voxel.

        Returns:
            (height, width) int16 or float32, row 0 at the top; `INT16_OUTSIDE` or NaN outside.
            (height, width, 3) uint8 for colours, black outside.
        """
        self._matrix.DeepCopy(sampling_matrix(self.geometry, pixel_grid).ravel().tolist())
        self._matrix.Modified()
        if interpolated:
            self._reslice.SetInterpolationModeToLinear()
        else:
            self._reslice.SetInterpolationModeToNearestNeighbor()
        self._reslice.SetOutputExtent(0, width - 1, 0, height - 1, 0, 0)
        self._reslice.Update()
        scalars = self._reslice.GetOutput().GetPointData().GetScalars()
        # A copy, because VTK writes the next slice into the same memory.
        shape = (height, width) if self._samples == 1 else (height, width, self._samples)
        values: npt.NDArray[Any] = vtk_to_numpy(scalars).reshape(shape).copy()
        return values


def _display_type(volume: Volume) -> type[np.generic]:
    if volume.is_colour:
        return np.uint8
    return np.int16 if volume.array.dtype == np.int16 else np.float32


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
