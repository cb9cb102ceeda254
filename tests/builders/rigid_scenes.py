"""A scene that is a function of LPS position, seen by two volumes whose pose is known."""

from __future__ import annotations

import numpy as np

from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.volume import Volume
from tests.builders.analytic_volumes import rotation

_AXIAL = np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]], dtype=float)
_CENTRE = np.array([10.0, -20.0, 35.0])

FIXED = VolumeGeometry.from_parts(
    (34, 62, 55), (4.0, 2.1, 2.4), _CENTRE - (62, 60, 63), rotation([0.2, 1, 0.3], 9) @ _AXIAL
)
"""Anisotropic and oblique."""

MOVING_AXES = rotation([1, 0.4, -0.6], 17) @ (_AXIAL * np.array([1.0, 1.0, -1.0]))
"""Oblique and left-handed."""


def rigid(axis: object, degrees: float, shift_mm: object) -> np.ndarray:
    """(4, 4): a turn about the middle of the scene, then a shift, in LPS mm."""
    matrix = np.eye(4)
    matrix[:3, :3] = rotation(np.asarray(axis, float), degrees)
    matrix[:3, 3] = _CENTRE - matrix[:3, :3] @ _CENTRE + shift_mm
    return matrix


def scene(points: np.ndarray) -> np.ndarray:
    """0 to 1 at (..., 3) LPS mm: a body with organs, none of them symmetric."""
    near = np.asarray(points) - _CENTRE
    value = 0.35 / (1.0 + np.exp(((near / (48, 38, 45)) ** 2).sum(-1) * 9 - 9))
    for place, width, height in (
        ((20, 8, 10), (9, 14, 8), 0.45),
        ((-22, -6, -12), (12, 8, 15), -0.25),
        ((4, -18, 22), (7, 6, 9), 0.6),
        ((-10, 16, 18), (6, 9, 5), 0.3),
        ((12, 4, -26), (14, 6, 7), 0.4),
    ):
        value = value + height * np.exp(-(((near - place) / width) ** 2).sum(-1))
    return value


def _points(geometry: VolumeGeometry) -> np.ndarray:
    return geometry.index_to_lps(np.moveaxis(np.indices(geometry.shape), 0, -1))


def scene_pair(matrix: np.ndarray, *, seed: int = 7, frame: str = "") -> tuple[Volume, Volume]:
    """Two volumes of the scene; `matrix` leads from the first one's LPS mm to the second one's.

    The second has another contrast, that neither rises nor falls with the first.
    """
    random = np.random.default_rng(seed)
    centre = np.append(_CENTRE, 1.0) @ matrix.T
    extent = (np.array((60, 52, 40)) - 1) / 2.0 * (2.0, 2.3, 3.1)
    moving_grid = VolumeGeometry.from_parts(
        (60, 52, 40), (2.0, 2.3, 3.1), centre[:3] - MOVING_AXES @ extent, MOVING_AXES
    )
    seen = scene(_points(FIXED))
    first = 1000.0 * seen + random.normal(0.0, 8.0, FIXED.shape)
    back = np.linalg.inv(matrix)
    there = scene(_points(moving_grid) @ back[:3, :3].T + back[:3, 3])
    second = 300.0 * np.sin(3.0 * there) + 150.0 * there**2
    second = second + random.normal(0.0, 3.0, moving_grid.shape)
    return (
        Volume("fixed", first.astype(np.int16), FIXED, "CT", "HU", frame_of_reference_uid=frame),
        Volume(
            "moving", second.astype(np.float32), moving_grid, "MR", "arbitrary",
            frame_of_reference_uid=frame,
        ),
    )  # fmt: skip


def misfit(found: np.ndarray, true: np.ndarray) -> tuple[float, float]:
    """Largest distance in mm of points of the body, and the angle in degrees, between two poses."""
    points = FIXED.index_to_lps(np.array(FIXED.shape) * np.array([[0.2], [0.8]]))
    ways = [points @ pose[:3, :3].T + pose[:3, 3] for pose in (found, true)]
    turn = found[:3, :3] @ true[:3, :3].T
    angle = np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1)))
    return float(np.linalg.norm(ways[0] - ways[1], axis=1).max()), float(angle)
