"""A patient with one bright ball on a known side, scanned on any grid.

The grids are those of `analytic_volumes` made larger, with three different spacings: the ball lies
where the patient's LPS says, however the grid is turned, mirrored or counted.
"""

from __future__ import annotations

import numpy as np

from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.volume import Volume
from tests.builders.analytic_volumes import GEOMETRIES

SHAPE = (17, 60, 40)
SPACING_MM = (3.1, 0.8, 1.3)
CENTRE_LPS = np.array([11.0, -23.0, 140.0])
BALL = 1000.0
RADIUS_MM = 5.0
REACH_MM = 14.0

SIDES: dict[str, np.ndarray] = {
    "R": np.array([-1.0, 0.0, 0.0]),
    "L": np.array([1.0, 0.0, 0.0]),
    "A": np.array([0.0, -1.0, 0.0]),
    "P": np.array([0.0, 1.0, 0.0]),
    "S": np.array([0.0, 0.0, 1.0]),
    "I": np.array([0.0, 0.0, -1.0]),
}
"""Unit vectors in LPS: towards the patient's right, left, front, back, head, feet."""


def grid_like(name: str) -> VolumeGeometry:
    """Grid turned as a named one of `analytic_volumes`, its centre at `CENTRE_LPS`."""
    direction = GEOMETRIES[name].direction_lps
    half = (np.array(SHAPE) - 1) / 2.0 * np.array(SPACING_MM)
    return VolumeGeometry.from_parts(SHAPE, SPACING_MM, CENTRE_LPS - direction @ half, direction)


def ball_place(side: str) -> np.ndarray:
    """(3,) LPS mm of the middle of the ball on a side."""
    return np.asarray(CENTRE_LPS + REACH_MM * SIDES[side])


def marked_volume(name: str, side: str) -> Volume:
    """A scan of the patient whose ball lies on a side; the edge of the ball is one mm soft."""
    geometry = grid_like(name)
    points = geometry.index_to_lps(np.moveaxis(np.indices(geometry.shape), 0, -1))
    distance = np.linalg.norm(points - ball_place(side), axis=-1)
    values = np.rint(BALL * np.clip(RADIUS_MM + 0.5 - distance, 0.0, 1.0))
    return Volume(
        f"1.2.3.{len(name)}", values.astype(np.int16), geometry, "CT", "HU",
        frame_of_reference_uid="1.2.3.4", attributes={"series_description": f"Ball {side}"},
    )  # fmt: skip
