"""Label maps and second modalities laid over a picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from carez_desktop.rendering.pixels import NOTHING, Pixels, laid_over
from carez_desktop.rendering.slice_pipeline import INT16_OUTSIDE

# M. Okabe and K. Ito, Color Universal Design (2008), without black; vermillion before yellow so
# that neighbours differ in lightness too.
LABEL_COLOURS: tuple[tuple[int, int, int], ...] = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (213, 94, 0),
    (240, 228, 66),
    (0, 114, 178),
    (204, 121, 167),
)
_TABLE = np.array([0xFF000000 | r << 16 | g << 8 | b for r, g, b in LABEL_COLOURS], np.uint32)
_WIDEST_LINE = 8


def label_colour(value: int) -> tuple[int, int, int]:
    """Return red, green and blue of a label from 1; they begin anew after the seventh."""
    return LABEL_COLOURS[(value - 1) % len(LABEL_COLOURS)]


def labels_of(values: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
    """Return sampled values of a label map as whole numbers, 0 outside it.

    Args:
        values: (height, width) of the nearest voxels, int16 or float32.
    """
    if values.dtype == np.int16:
        made = values.astype(np.int32)
        made[values == INT16_OUTSIDE] = 0
        return made
    finite = np.where(np.isfinite(values), values, 0.0)
    return np.rint(finite).astype(np.int32)


def label_pixels(labels: npt.NDArray[np.int32], *, outlined: bool, line_pixels: int = 1) -> Pixels:
    """Paint labels in their colours; 0 is nothing.

    Args:
        labels: (height, width).
        outlined: Only those pixels that lie within `line_pixels` of another label of the picture,
            across or down; a label that the picture cuts has no line there.
        line_pixels: Width of the outline in device pixels.
    """
    pixels = _TABLE[(labels - 1) % len(_TABLE)]
    pixels[labels == 0] = NOTHING
    if outlined:
        pixels[~edges_of(labels, line_pixels)] = NOTHING
    return np.asarray(pixels, dtype=np.uint32)


def edges_of(labels: npt.NDArray[np.int32], line_pixels: int) -> npt.NDArray[np.bool_]:
    """(height, width): whether another label lies within `line_pixels` across or down."""
    edges = np.zeros(labels.shape, np.bool_)
    for step in range(1, min(max(line_pixels, 1), _WIDEST_LINE) + 1):
        across = labels[:, step:] != labels[:, :-step]
        edges[:, step:] |= across
        edges[:, :-step] |= across
        down = labels[step:] != labels[:-step]
        edges[step:] |= down
        edges[:-step] |= down
    return edges


def with_labels(
    picture: Pixels,
    values: npt.NDArray[Any],
    *,
    opacity: float,
    outlined: bool,
    line_pixels: int = 1,
) -> Pixels:
    """Lay a label map over a picture.

    Args:
        picture: (height, width) pixels.
        values: Of the label map under the same pixels, nearest voxel.
        opacity: 0 to 1 of the labels.
        outlined: Whether only their edges are drawn.
        line_pixels: Width of the edges in device pixels.
    """
    over = label_pixels(labels_of(values), outlined=outlined, line_pixels=line_pixels)
    return laid_over(picture, over, opacity)
