"""NIfTI files on an oblique, anisotropic grid, and how nibabel reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt

from carez_desktop.domain.volume import Volume
from carez_desktop.imaging.volume_files import (
    describe_volume_file,
    read_volume_file,
)
from tests.builders.dicom_series import rotation

FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])
SHAPE = (5, 4, 3)
"""(column, row, slice), as NIfTI counts."""


def oblique(*, left_handed: bool = False) -> npt.NDArray[np.float64]:
    """An RAS affine, oblique and anisotropic."""
    affine = np.eye(4)
    affine[:3, :3] = rotation(20, -35, 60) @ np.diag([0.6, 0.8, -2.5 if left_handed else 2.5])
    affine[:3, 3] = (-11, 5, 42)
    return affine


def cells(dtype: Any = np.int16, shape: tuple[int, ...] = SHAPE) -> npt.NDArray[Any]:
    return (np.arange(np.prod(shape)).reshape(shape) * 7 % 120).astype(dtype)


def read(path: Path) -> Volume:
    return read_volume_file(*describe_volume_file(path))


def as_nibabel(path: Path) -> tuple[npt.NDArray[Any], npt.NDArray[np.float64]]:
    """(slice, row, column) values and the index -> LPS affine as nibabel reads them."""
    image = nib.load(path)
    return np.asarray(image.dataobj).T, (FLIP @ image.affine)[:, [2, 1, 0, 3]]


def agrees_with_nibabel(path: Path) -> Volume:
    volume = read(path)
    values, affine = as_nibabel(path)
    assert np.array_equal(volume.array, values)
    assert np.allclose(volume.geometry.affine, affine, atol=1e-5)
    return volume
