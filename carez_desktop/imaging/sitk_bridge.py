"""`Volume` to and from SimpleITK: the only place where the order of axes is reversed.

SimpleITK counts (column, row, slice) and names x first; we count (slice, row, column). Both lie
in LPS millimetres, so only the order of the columns of the direction changes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk  # noqa: N813 - its own convention

from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.volume import Volume

_DTYPES = frozenset(("int8", "uint8", "int16", "uint16", "int32", "uint32", "float32", "float64"))


def to_sitk(volume: Volume) -> sitk.Image:
    """Return a SimpleITK image with the same voxels at the same LPS places.

    Args:
        volume: (slice, row, column) of an integer or floating-point type.
    """
    return array_to_sitk(volume.array, volume.geometry)


def array_to_sitk(array: npt.NDArray[Any], geometry: VolumeGeometry) -> sitk.Image:
    """Return a SimpleITK image of a (slice, row, column) array on a geometry in LPS mm."""
    voxels = array if array.dtype.name in _DTYPES else array.astype(np.float32)
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing(geometry.spacing_mm[::-1])
    image.SetOrigin(geometry.origin_lps)
    image.SetDirection([float(part) for part in geometry.direction_lps[:, ::-1].ravel()])
    return image


def geometry_of(image: sitk.Image) -> VolumeGeometry:
    """Return the geometry of a three-dimensional SimpleITK image.

    Raises:
        ValueError: It has not three dimensions, or its direction is singular.
    """
    if image.GetDimension() != 3:
        raise ValueError(f"it has {image.GetDimension()} dimensions, not 3")
    columns, rows, slices = image.GetSize()
    across, down, along = image.GetSpacing()
    direction = np.array(image.GetDirection(), dtype=np.float64).reshape(3, 3)[:, ::-1]
    return VolumeGeometry.from_parts(
        (slices, rows, columns), (along, down, across), image.GetOrigin(), direction
    )


def array_of(image: sitk.Image) -> npt.NDArray[Any]:
    """Return the voxels of a SimpleITK image as a (slice, row, column) array of its own."""
    return np.ascontiguousarray(sitk.GetArrayFromImage(image))
