"""Slices that are no regular grid, their values a known function of the LPS position."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.slice_stack import SliceStack
from carez_desktop.domain.volume import Volume
from tests.builders.analytic_volumes import analytic_value

ROWS, COLUMNS = 24, 20
SPACING = (0.9, 1.3)


def stack_at(origins: Sequence[tuple[float, float, float]], refusal: str) -> SliceStack:
    """Axial slices whose first pixels lie at the given LPS positions."""
    axes = np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]], dtype=float)
    slices = []
    for number, origin in enumerate(origins):
        geometry = VolumeGeometry.from_parts((1, ROWS, COLUMNS), (3.0, *SPACING), origin, axes)
        points = geometry.index_to_lps(np.moveaxis(np.indices(geometry.shape), 0, -1))
        slices.append(
            Volume(
                "1.2.3.9",
                analytic_value(points).astype(np.float32),
                geometry,
                "CT",
                "HU",
                frame_of_reference_uid="1.2.3.4",
                attributes={"series_description": f"Stack {number}"},
            )
        )
    return SliceStack("1.2.3.9", tuple(slices), refusal)


def tilted_stack(count: int = 7) -> SliceStack:
    """Slices that move 1.1 mm to the back for each 3 mm towards the head."""
    origins = [(-10.0, 5.0 + 1.1 * k, -20.0 + 3.0 * k) for k in range(count)]
    return stack_at(origins, "Tilted by 20.1 degrees")
