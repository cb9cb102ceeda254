"""Volumes whose modality value is a known function of the LPS position."""

from __future__ import annotations

import numpy as np

from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.volume import Volume, VolumeKind

GRADIENT = np.array([2.0, -3.0, 5.0])
OFFSET = 40.0


def analytic_value(point_lps: np.ndarray) -> np.ndarray:
    """Modality value at (..., 3) LPS mm: a plane, which linear interpolation keeps exactly."""
    return np.asarray(point_lps) @ GRADIENT + OFFSET


def rotation(axis: np.ndarray, degrees: float) -> np.ndarray:
    """Rodrigues' rotation matrix."""
    unit = np.asarray(axis, dtype=float) / np.linalg.norm(axis)
    cross = np.array(
        [[0, -unit[2], unit[1]], [unit[2], 0, -unit[0]], [-unit[1], unit[0], 0]], dtype=float
    )
    angle = np.radians(degrees)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


# Columns are the slice, row and column axis in LPS.
_AXIAL = np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]], dtype=float)
_SAGITTAL = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], dtype=float)
_CORONAL = np.array([[0, 0, 1], [1, 0, 0], [0, -1, 0]], dtype=float)

GEOMETRIES: dict[str, VolumeGeometry] = {
    "axial": VolumeGeometry.from_parts((9, 14, 17), (4.0, 1.5, 1.1), (-20, 10, -33), _AXIAL),
    "feet_last": VolumeGeometry.from_parts(
        (9, 14, 17), (4.0, 1.5, 1.1), (-20, 10, 33), _AXIAL * np.array([-1.0, 1.0, 1.0])
    ),
    "left_handed": VolumeGeometry.from_parts(
        (9, 14, 17), (4.0, 1.5, 1.1), (20, 10, -33), _AXIAL * np.array([1.0, 1.0, -1.0])
    ),
    "sagittal": VolumeGeometry.from_parts((11, 15, 13), (3.0, 0.8, 1.3), (5, 6, 7), _SAGITTAL),
    "coronal": VolumeGeometry.from_parts((11, 15, 13), (3.0, 0.8, 1.3), (5, 6, 7), _CORONAL),
    "oblique": VolumeGeometry.from_parts(
        (10, 13, 16), (3.5, 0.9, 1.4), (12, -8, 21), rotation(np.array([1, 2, 0.5]), 25) @ _AXIAL
    ),
    "oblique_left_handed": VolumeGeometry.from_parts(
        (10, 13, 16),
        (3.5, 0.9, 1.4),
        (12, -8, 21),
        rotation(np.array([0.3, 1, 2]), 33) @ (_CORONAL * np.array([1.0, -1.0, 1.0])),
    ),
}


def analytic_volume(
    name: str, *, dtype: type = np.float32, kind: VolumeKind = VolumeKind.REAL
) -> Volume:
    """Volume of a named geometry whose voxels hold `analytic_value` of their centres."""
    geometry = GEOMETRIES[name]
    points = geometry.index_to_lps(np.moveaxis(np.indices(geometry.shape), 0, -1))
    array = analytic_value(points)
    if np.issubdtype(dtype, np.integer):
        array = np.rint(array)
    return Volume(
        volume_id=f"1.2.3.{len(name)}",
        array=array.astype(dtype),
        geometry=geometry,
        modality="CT",
        units="HU",
        kind=kind,
        frame_of_reference_uid="1.2.3.4",
        attributes={"series_description": f"Analytic {name}"},
    )
