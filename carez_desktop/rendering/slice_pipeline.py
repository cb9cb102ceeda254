"""From a volume to the grey values of a plane: vtkImageReslice over the voxels in memory.

The image that VTK sees has unit spacing, no origin and no direction: it is the array itself,
without a copy. One 4 x 4 matrix carries a device pixel to LPS mm and on to a voxel index, so
oblique, anisotropic and left-handed grids need no special case; a plane along the grid takes the
fast path of VTK.
Decision record 0081 says why no OpenGL takes part.
"""

from __future__ import annotations

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
from carez_desktop.workspace.display_window import DisplayWindow

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

    int16 volumes are read where they lie; others are held as float32.
    """

    def __init__(self, volume: Volume) -> None:
        """Wrap the voxels for VTK."""
        self.geometry = volume.geometry
        dtype = np.int16 if volume.array.dtype == np.int16 else np.float32
        self._voxels = np.ascontiguousarray(volume.array, dtype=dtype)
        slices, rows, columns = self._voxels.shape
        image = vtkImageData()
        image.SetDimensions(columns, rows, slices)
        image.GetPointData().SetScalars(numpy_to_vtk(self._voxels.reshape(-1), deep=0))
        self._matrix = vtkMatrix4x4()
        self._reslice = vtkImageReslice()
        self._reslice.SetInputData(image)
        self._reslice.SetResliceAxes(self._matrix)
        self._reslice.SetOutputSpacing(1.0, 1.0, 1.0)
        self._reslice.SetOutputOrigin(0.0, 0.0, 0.0)
        self._reslice.SetOutputDimensionality(2)
        outside = float(INT16_OUTSIDE) if dtype == np.int16 else float("nan")
        self._reslice.SetBackgroundLevel(outside)

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
        values: npt.NDArray[Any] = vtk_to_numpy(scalars).reshape(height, width).copy()
        return values


def grey_levels(
    values: npt.NDArray[Any], window: DisplayWindow, *, inverted: bool = False
) -> npt.NDArray[np.uint8]:
    """Turn modality values into display grey; what lies outside the volume is black either way.

    The linear ramp between window low and high, clamped (DICOM PS3.3 C.11.2.1.3.2, LINEAR_EXACT).

    Args:
        values: (height, width) int16 or float32 as `SliceSampler.sample` returns them.
        window: Modality values of black and white.
        inverted: Whether black and white are exchanged.
    """
    if values.dtype == np.int16:
        table = _grey_table(window, inverted)
        return np.asarray(table.take(values.view(np.uint16)), dtype=np.uint8)
    grey = _ramp(np.asarray(values, dtype=np.float32), window, inverted)
    grey[np.isnan(values)] = 0.0
    return grey.astype(np.uint8)


def _ramp(
    values: npt.NDArray[np.float32], window: DisplayWindow, inverted: bool
) -> npt.NDArray[np.float32]:
    grey = np.clip((values - window.low) * (255.0 / window.width) + 0.5, 0.0, 255.0)
    return np.asarray(255.0 - np.floor(grey) if inverted else grey, dtype=np.float32)


def _grey_table(window: DisplayWindow, inverted: bool) -> npt.NDArray[np.uint8]:
    """(65536,) grey of each int16 value, at the position of its bits read as uint16."""
    stored = np.arange(65536, dtype=np.uint16).view(np.int16)
    table = _ramp(stored.astype(np.float32), window, inverted).astype(np.uint8)
    table[int(np.int16(INT16_OUTSIDE).view(np.uint16))] = 0
    return table


def value_at(volume: Volume, point_lps: FloatArray) -> float | None:
    """Return the modality value of the voxel that holds a point in LPS mm; None outside."""
    index = np.rint(volume.geometry.lps_to_index(point_lps)).astype(int)
    if np.any(index < 0) or np.any(index >= np.asarray(volume.geometry.shape)):
        return None
    return float(volume.array[index[0], index[1], index[2]])
