"""The planes of a volume: their directions on the screen, radiological way round.

Radiological display: the patient's right at the viewer's left in axial and coronal planes, the
front at the left in sagittal ones, the head up. Planes follow the grid of the volume where it is
turned against the patient, so that acquired slices are shown as acquired; the letters at the edges
say how it lies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import permutations

import numpy as np

from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.patient_space import FloatArray, unit_vector

_ALONG_GRID = 1.0 - 1e-9


class Plane(StrEnum):
    """The three planes of a study."""

    AXIAL = "axial"
    SAGITTAL = "sagittal"
    CORONAL = "coronal"


@dataclass(frozen=True, eq=False)
class PlaneBasis:
    """Unit vectors of a plane on the screen, in LPS.

    Attributes:
        right: (3,) towards the viewer's right.
        down: (3,) downwards on the screen.
        forward: (3,) the way slices count: head to foot, right to left, front to back.
        grid_axis: Which array axis (0 slice, 1 row, 2 column) steps through the planes.
        forward_sign: +1 where `forward` is along the increasing index, else -1.
        step_mm: Distance of neighbouring planes in mm.
    """

    right: FloatArray
    down: FloatArray
    forward: FloatArray
    grid_axis: int
    forward_sign: int
    step_mm: float


def _axes_by_patient_axis(geometry: VolumeGeometry) -> tuple[tuple[int, FloatArray], ...]:
    """For x (left), y (back), z (head): the grid axis nearest to it and its signed unit vector."""
    direction = geometry.direction_lps
    best = max(
        permutations(range(3)),
        key=lambda order: sum(abs(direction[axis, order[axis]]) for axis in range(3)),
    )
    axes = []
    for patient_axis, grid_axis in enumerate(best):
        vector = direction[:, grid_axis]
        axes.append((grid_axis, vector if vector[patient_axis] >= 0 else -vector))
    return tuple(axes)


def plane_bases(geometry: VolumeGeometry) -> Mapping[Plane, PlaneBasis]:
    """Return the three plane bases of a volume, radiological way round.

    Works for oblique and left-handed grids: each grid axis is matched to the patient axis that it
    follows most, all three together, and turned to point left, back and head.
    """
    (x_axis, left), (y_axis, back), (z_axis, head) = _axes_by_patient_axis(geometry)

    def basis(right: FloatArray, down: FloatArray, grid_axis: int, way: FloatArray) -> PlaneBasis:
        normal = unit_vector(np.cross(right, down))
        forward = normal if float(normal @ way) > 0 else -normal
        along = float(forward @ geometry.affine[:3, grid_axis])
        return PlaneBasis(right, down, forward, grid_axis, 1 if along > 0 else -1, abs(along))

    return {
        Plane.AXIAL: basis(left, back, z_axis, -head),
        Plane.SAGITTAL: basis(back, -head, x_axis, left),
        Plane.CORONAL: basis(left, -head, y_axis, back),
    }


def acquired_plane(geometry: VolumeGeometry) -> Plane:
    """Return the plane in which slices were acquired (stored, for an image without a place)."""
    bases = plane_bases(geometry)
    return next(plane for plane in Plane if bases[plane].grid_axis == 0)


def rotated_basis(basis: PlaneBasis, rotation: FloatArray, geometry: VolumeGeometry) -> PlaneBasis:
    """Turn a plane; its step follows the spacing of the grid along the new normal.

    Args:
        basis: Plane to turn.
        rotation: (3, 3) orthonormal, LPS to LPS.
        geometry: Grid that gives the step.
    """
    right, down, forward = (
        unit_vector(rotation @ vector) for vector in (basis.right, basis.down, basis.forward)
    )
    along = geometry.direction_lps.T @ forward
    # Equals the grid's own spacing along a grid axis, and passes smoothly from one to the next.
    step = float(np.sum(along**2 * np.asarray(geometry.spacing_mm)) / np.sum(along**2))
    nearest = int(np.argmax(np.abs(along)))
    return PlaneBasis(right, down, forward, nearest, 1 if along[nearest] > 0 else -1, step)


def is_along_grid(basis: PlaneBasis, geometry: VolumeGeometry) -> bool:
    """Whether the plane holds whole slices of the grid (its normal needs no grid axis)."""
    columns = [geometry.direction_lps[:, axis] for axis in range(3) if axis != basis.grid_axis]
    across = np.cross(columns[0], columns[1])
    return abs(float(unit_vector(across) @ basis.forward)) >= _ALONG_GRID


def rotation_about(axis: FloatArray, angle: float) -> FloatArray:
    """(3, 3) rotation about a unit axis by an angle in radians (O. Rodrigues, 1840)."""
    x, y, z = unit_vector(axis)
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross)
