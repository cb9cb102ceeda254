"""The window that shows a region of a pane best."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from carez_desktop.rendering.slice_pipeline import INT16_OUTSIDE, sampler_of
from carez_desktop.workspace.display_window import DisplayWindow
from carez_desktop.workspace.pane import Pane, PlacedLayer

_LARGEST_SIDE = 512
_FEWEST = 4


def region_values(
    pane: Pane, placed: PlacedLayer, rectangle: tuple[float, float, float, float]
) -> npt.NDArray[np.float32]:
    """Return the modality values of a layer inside a rectangle of the plane shown.

    Args:
        pane: Shows the plane.
        placed: One of its layers.
        rectangle: x0, y0, x1, y1 in logical pixels of the pane, in any order.

    Returns:
        (n,) finite values, padding and what lies outside the volume left out; empty for colours.
    """
    viewport, volume = pane.viewport, placed.layer.volume
    if viewport is None or volume.is_colour:
        return np.zeros(0, np.float32)
    left, right = sorted((rectangle[0], rectangle[2]))
    top, bottom = sorted((rectangle[1], rectangle[3]))
    step = max(1.0, (right - left) / _LARGEST_SIDE, (bottom - top) / _LARGEST_SIDE)
    width = max(1, int((right - left) / step))
    height = max(1, int((bottom - top) / step))
    to_region = np.diag([step, step, 1.0, 1.0])
    to_region[:2, 3] = (left, top)
    grid = placed.to_layer @ viewport.pixel_grid(1.0) @ to_region
    sampler = sampler_of(placed.layer).at(viewport.array_index)
    found = sampler.sample(grid, width, height, interpolated=False, slab=viewport.slab)
    if found.dtype == np.int16:
        found = found[found != INT16_OUTSIDE]
    values = found.astype(np.float32).reshape(-1)
    values = values[np.isfinite(values)]
    return values if volume.padding_value is None else values[values != volume.padding_value]


def window_of_values(
    values: npt.NDArray[np.float32], low: float = 1.0, high: float = 99.0
) -> DisplayWindow | None:
    """Return the window between two percentiles (0-100) of values; None for too few of them."""
    if values.size < _FEWEST:
        return None
    bottom, top = np.percentile(values, (low, high))
    return DisplayWindow.from_range(float(bottom), float(top))
