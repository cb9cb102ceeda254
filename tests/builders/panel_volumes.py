"""Volumes that the panels of the View page are tested on: a closed form on two unlike grids."""

from __future__ import annotations

import numpy as np

from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.volume import Volume
from carez_desktop.domain.window import VoiWindow
from tests.builders.analytic_volumes import GEOMETRIES, analytic_value, rotation

PANEL_SHIFT = 7.0
"""HU by which the second volume lies below the first."""


def _turned_about_axial() -> VolumeGeometry:
    """A larger, finer grid about the middle of the axial one, turned by 20 degrees."""
    axial = GEOMETRIES["axial"]
    direction = rotation(np.array([1.0, 0.4, 2.0]), 20.0) @ axial.direction_lps
    shape, spacing = (24, 44, 52), (2.5, 0.9, 0.7)
    half = direction @ (np.array(spacing) * (np.array(shape) - 1) / 2.0)
    return VolumeGeometry.from_parts(shape, spacing, axial.centre_lps - half, direction)


def panel_volume(name: str = "axial", volume_id: str = "1", frame: str = "F") -> Volume:
    geometry = _turned_about_axial() if name == "turned" else GEOMETRIES[name]
    points = geometry.index_to_lps(np.moveaxis(np.indices(geometry.shape), 0, -1))
    return Volume(
        volume_id, analytic_value(points).astype(np.float32), geometry, "CT", "HU",
        frame_of_reference_uid=frame, attributes={"series_description": f"Series {volume_id}"},
        windows=(VoiWindow(50.0, 350.0, name="Mediastinum"), VoiWindow(-500.0, 1500.0)),
    )  # fmt: skip
