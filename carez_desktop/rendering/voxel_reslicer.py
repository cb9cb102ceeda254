"""vtkImageReslice on numpy memory: values under the pixels of a plane, in voxel indices.

The image that VTK sees has unit spacing, no origin and no direction: it is the array itself,
without a copy. Decision record 0081 says why no OpenGL takes part.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonDataModel import vtkImageData
from vtkmodules.vtkCommonMath import vtkMatrix4x4
from vtkmodules.vtkImagingCore import vtkImageReslice

from carez_desktop.domain.patient_space import FloatArray

INT16_OUTSIDE = -32768
"""Value of pixels outside the volume for int16 slices; float32 slices hold NaN there."""


class VoxelReslicer:
    """Sample planes of an array by matrices from pixels to voxel indices."""

    def __init__(self, voxels: npt.NDArray[Any]) -> None:
        """Wrap voxels for VTK.

        Args:
            voxels: (slice, row, column) int16 or float32, or with a last axis of 3 uint8.
        """
        self.voxels = voxels
        self._samples = 3 if voxels.ndim == 4 else 1
        slices, rows, columns = voxels.shape[:3]
        image = vtkImageData()
        image.SetDimensions(columns, rows, slices)
        flat = voxels.reshape(-1, 3) if voxels.ndim == 4 else voxels.reshape(-1)
        image.GetPointData().SetScalars(numpy_to_vtk(flat, deep=0))
        self._matrix = vtkMatrix4x4()
        self._reslice = vtkImageReslice()
        self._reslice.SetInputData(image)
        self._reslice.SetResliceAxes(self._matrix)
        self._reslice.SetOutputSpacing(1.0, 1.0, 1.0)
        self._reslice.SetOutputOrigin(0.0, 0.0, 0.0)
        self._reslice.SetOutputDimensionality(2)
        self._reslice.SetBackgroundLevel(float(outside_value(voxels.dtype)))

    def sample(
        self, matrix: FloatArray, width: int, height: int, *, interpolated: bool
    ) -> npt.NDArray[Any]:
        """Return the values under width x height pixels.

        Args:
            matrix: (4, 4) homogeneous pixel (column, row, 0) to index (column, row, slice).
            width: Columns of the picture.
            height: Rows of the picture.
            interpolated: Trilinear, else the nearest voxel.

        Returns:
            (height, width[, 3]) of the type of the voxels.
        """
        self._matrix.DeepCopy(matrix.ravel().tolist())
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


def outside_value(dtype: npt.DTypeLike) -> float:
    """Return what pixels outside the volume hold for a type of voxels."""
    return {"i": float(INT16_OUTSIDE), "f": float("nan"), "u": 0.0}[np.dtype(dtype).kind]
