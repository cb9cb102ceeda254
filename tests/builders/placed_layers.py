"""Two analytic volumes on grids of their own, one of them turned and moved in another frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.volume import Volume
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.plane_basis import rotation_about
from tests.builders.analytic_volumes import GEOMETRIES


@dataclass(frozen=True)
class RegisteredPair:
    """Volumes of linear functions; `matrix` leads from fixed to moving LPS mm."""

    fixed: Volume
    moving: Volume
    matrix: np.ndarray

    def fixed_value(self, points: np.ndarray) -> np.ndarray:
        """Of the fixed volume at (..., 3) fixed LPS mm."""
        return points @ np.array([2.0, -3.0, 5.0]) + 40.0

    def moving_value(self, points: np.ndarray) -> np.ndarray:
        """Of the moving volume at (..., 3) fixed LPS mm."""
        own = points @ self.matrix[:3, :3].T + self.matrix[:3, 3]
        return own @ np.array([-1.0, 4.0, 2.0]) - 15.0


def turned_matrix() -> np.ndarray:
    """A rigid transform with all of its parts."""
    matrix = np.eye(4)
    matrix[:3, :3] = rotation_about(np.array([0.3, -0.5, 1.0]), np.radians(17.0))
    matrix[:3, 3] = (21.0, -9.0, 4.0)
    return matrix


def registered_pair(name: str = "oblique", dtype: type = np.float32) -> RegisteredPair:
    """Fixed on a named grid; moving on a finer left-handed one about the same anatomy."""
    matrix = turned_matrix()
    fixed_geometry = GEOMETRIES[name]
    centre = (matrix @ np.append(fixed_geometry.centre_lps, 1.0))[:3]
    axes = rotation_about(np.array([1.0, 0.2, 0.4]), 0.3) @ np.diag([1.0, -1.0, 1.0])
    spacing, shape = (1.7, 2.3, 0.9), (22, 17, 40)
    origin = centre - axes @ (np.array(spacing) * (np.array(shape) - 1) / 2.0)
    moving_geometry = VolumeGeometry.from_parts(shape, spacing, origin, axes)

    def cells(geometry: VolumeGeometry, gradient: list[float], offset: float) -> np.ndarray:
        points = geometry.index_to_lps(np.moveaxis(np.indices(geometry.shape), 0, -1))
        values = points @ np.array(gradient) + offset
        return (np.rint(values) if np.issubdtype(dtype, np.integer) else values).astype(dtype)

    fixed = Volume(
        "fixed", cells(fixed_geometry, [2.0, -3.0, 5.0], 40.0), fixed_geometry, "CT", "HU",
        frame_of_reference_uid="1.2",
    )  # fmt: skip
    moving = Volume(
        "moving", cells(moving_geometry, [-1.0, 4.0, 2.0], -15.0), moving_geometry, "CT", "HU",
        frame_of_reference_uid="3.4",
    )  # fmt: skip
    return RegisteredPair(fixed, moving, matrix)


def layer_of(
    array: np.ndarray, geometry: VolumeGeometry, *, units: str = "HU", frame: str = "1.2"
) -> Layer:
    """A layer of any cells."""
    volume = Volume("cells", array, geometry, "CT", units, frame_of_reference_uid=frame)
    return Layer(volume)
