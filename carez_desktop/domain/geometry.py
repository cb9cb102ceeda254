"""Geometry of a regular volume: shape and affine, in LPS millimetres."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Self

import numpy as np
import numpy.typing as npt

from carez_desktop.domain.patient_space import FloatArray, orientation_letters

_LARGEST_MM = 1e9
"""Beyond it a header is wrong, and the arithmetic of lengths and determinants overflows."""


def is_within_reach(affine: npt.ArrayLike) -> bool:
    """Whether all numbers of an affine are finite and of a size that lengths can be taken of."""
    return bool(np.all(np.abs(np.asarray(affine, dtype=np.float64)) <= _LARGEST_MM))


@dataclass(frozen=True, eq=False)
class VolumeGeometry:
    """Where the voxels of a regular grid lie in the patient.

    Attributes:
        shape: (slices, rows, columns).
        affine: (4, 4) float64, read-only; maps homogeneous (slice, row, column) indices to
            LPS mm. May be oblique and left-handed; never singular.
    """

    shape: tuple[int, int, int]
    affine: FloatArray

    def __post_init__(self) -> None:
        """Freeze the affine and refuse one that is singular or not finite."""
        affine = np.array(self.affine, dtype=np.float64)
        if affine.shape != (4, 4) or not is_within_reach(affine):
            raise ValueError("affine must be a 4 x 4 matrix of numbers within 1e9 mm")
        if any(extent < 1 for extent in self.shape):
            raise ValueError(f"shape must be positive, got {self.shape}")
        if abs(float(np.linalg.det(affine[:3, :3]))) < 1e-12:
            raise ValueError("affine is singular")
        affine.flags.writeable = False
        object.__setattr__(self, "affine", affine)
        object.__setattr__(self, "shape", tuple(int(extent) for extent in self.shape))

    @classmethod
    def from_parts(
        cls,
        shape: tuple[int, int, int],
        spacing_mm: tuple[float, float, float],
        origin_lps: npt.ArrayLike,
        direction_lps: npt.ArrayLike,
    ) -> Self:
        """Build from spacing, origin and direction.

        Args:
            shape: (slices, rows, columns).
            spacing_mm: (slice, row, column) steps in mm: between slices, between rows
                (PixelSpacing[0]), between columns (PixelSpacing[1]).
            origin_lps: (3,) centre of index (0, 0, 0) in LPS mm.
            direction_lps: (3, 3), columns are the slice, row and column axes in LPS.
        """
        affine = np.eye(4)
        direction = np.asarray(direction_lps, dtype=np.float64)
        affine[:3, :3] = direction * np.asarray(spacing_mm, dtype=np.float64)[None, :]
        affine[:3, 3] = np.asarray(origin_lps, dtype=np.float64)
        return cls(shape, affine)

    @cached_property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Steps (slice, row, column) in mm."""
        steps = np.linalg.norm(self.affine[:3, :3], axis=0)
        return (float(steps[0]), float(steps[1]), float(steps[2]))

    @cached_property
    def direction_lps(self) -> FloatArray:
        """(3, 3) unit columns: slice, row and column axis in LPS."""
        steps = np.asarray(self.spacing_mm, dtype=np.float64)
        return np.asarray(self.affine[:3, :3] / steps[None, :], dtype=np.float64)

    @cached_property
    def origin_lps(self) -> tuple[float, float, float]:
        """Centre of index (0, 0, 0) in LPS mm."""
        x, y, z = (float(value) for value in self.affine[:3, 3])
        return (x, y, z)

    @cached_property
    def inverse(self) -> FloatArray:
        """(4, 4): LPS mm to (slice, row, column)."""
        return np.asarray(np.linalg.inv(self.affine), dtype=np.float64)

    @cached_property
    def voxel_volume_mm3(self) -> float:
        """Volume of a voxel in mm^3."""
        return abs(float(np.linalg.det(self.affine[:3, :3])))

    @cached_property
    def orientation(self) -> str:
        """Dominant letter each of the slice, row and column axis (`SPL` for axial, feet first)."""
        return "".join(orientation_letters(self.direction_lps[:, axis])[:1] for axis in range(3))

    @property
    def is_right_handed(self) -> bool:
        """Whether (column, row, slice) axes form a right-handed system, as DICOM stacks do."""
        slice_axis, row_axis, column_axis = self.direction_lps.T
        return float(np.dot(np.cross(column_axis, row_axis), slice_axis)) > 0.0

    def index_to_lps(self, index: npt.ArrayLike) -> FloatArray:
        """Map (..., 3) indices (slice, row, column) to (..., 3) LPS mm."""
        points = np.asarray(index, dtype=np.float64)
        return points @ self.affine[:3, :3].T + self.affine[:3, 3]

    def lps_to_index(self, point_lps: npt.ArrayLike) -> FloatArray:
        """Map (..., 3) LPS mm to (..., 3) continuous indices (slice, row, column)."""
        points = np.asarray(point_lps, dtype=np.float64)
        return points @ self.inverse[:3, :3].T + self.inverse[:3, 3]

    @cached_property
    def corners_lps(self) -> FloatArray:
        """(8, 3) centres of the corner voxels in LPS mm."""
        ends = [(0, extent - 1) for extent in self.shape]
        return self.index_to_lps(np.array(list(product(*ends)), dtype=np.float64))

    @cached_property
    def centre_lps(self) -> FloatArray:
        """(3,) centre of the volume in LPS mm."""
        return self.index_to_lps((np.array(self.shape) - 1) / 2.0)

    def is_close_to(self, other: VolumeGeometry, *, tolerance_mm: float = 1e-3) -> bool:
        """Whether shapes are equal and every corner lies within the tolerance."""
        return self.shape == other.shape and bool(
            np.all(np.abs(self.corners_lps - other.corners_lps) <= tolerance_mm)
        )
