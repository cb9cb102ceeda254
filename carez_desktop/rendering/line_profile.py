"""Modality values along a line through several layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from carez_desktop.domain.patient_space import FloatArray
from carez_desktop.rendering.difference import modality_values
from carez_desktop.rendering.slice_pipeline import SliceSampler
from carez_desktop.workspace.pane import PlacedLayer

_MOST = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class LineProfile:
    """Values along a line.

    Attributes:
        distances_mm: (n,) from the first point, the last one included.
        values: For each layer (n,) float32 modality values; NaN outside it.
    """

    distances_mm: npt.NDArray[np.float64]
    values: tuple[npt.NDArray[np.float32], ...]


def profile(
    layers: Sequence[PlacedLayer], start_lps: FloatArray, stop_lps: FloatArray, step_mm: float
) -> LineProfile:
    """Take interpolated values (trilinear) of layers along a line of their common space.

    Args:
        layers: Volumes on regular grids, no colours.
        start_lps: (3,) LPS mm of the pane's space.
        stop_lps: (3,) LPS mm.
        step_mm: Wanted distance of two values; made a little shorter so that both ends are met,
            and longer where there would be more than 20 000.

    Raises:
        ValueError: A step of 0 or less, colours, or slices that are no regular grid.
    """
    if step_mm <= 0.0:
        raise ValueError(f"a profile needs a step above 0 mm, not {step_mm:g}")
    for placed in layers:
        if placed.layer.volume.is_colour or placed.layer.stack is not None:
            raise ValueError(f"{placed.layer.title} has no values on a regular grid")
    start = np.asarray(start_lps, dtype=np.float64)
    way = np.asarray(stop_lps, dtype=np.float64) - start
    length = float(np.linalg.norm(way))
    steps = min(max(int(np.ceil(length / step_mm - 1e-9)), 1), _MOST - 1) if length > 0.0 else 0
    grid = _grid_along(start, way / steps if steps else np.array([1.0, 0.0, 0.0]))
    values = tuple(_values_along(placed, grid, steps + 1) for placed in layers)
    return LineProfile(np.linspace(0.0, length, steps + 1), values)


def _grid_along(start: FloatArray, step: FloatArray) -> FloatArray:
    """(4, 4): pixel (n, 0, 0) to the n-th place; the other two axes stand square to the line."""
    smallest = np.eye(3)[int(np.argmin(np.abs(step)))]
    square = np.cross(step, smallest)
    normal = np.cross(step, square)
    grid = np.eye(4)
    grid[:3, 0] = step
    grid[:3, 1] = square / np.linalg.norm(square)
    grid[:3, 2] = normal / np.linalg.norm(normal)
    grid[:3, 3] = start
    return grid


def _values_along(placed: PlacedLayer, grid: FloatArray, count: int) -> npt.NDArray[np.float32]:
    volume = placed.layer.volume
    interpolated = not placed.layer.is_label_map
    sampled = SliceSampler(volume).sample(
        placed.to_layer @ grid, count, 1, interpolated=interpolated, smoothed=False
    )
    return modality_values(sampled[0], volume.padding_value)
