"""Label maps and second modalities laid over a picture."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from carez_desktop.rendering.pixels import NOTHING, Pixels, laid_over
from carez_desktop.rendering.slice_pipeline import INT16_OUTSIDE

# M. Okabe and K. Ito, Color Universal Design (2008), without black; ordered so that neighbours
# differ in lightness too.
LABEL_COLOURS: tuple[tuple[int, int, int], ...] = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (213, 94, 0),
    (240, 228, 66),
    (0, 114, 178),
    (204, 121, 167),
)
_COLOURS = np.array([0xFF000000 | r << 16 | g << 8 | b for r, g, b in LABEL_COLOURS], np.uint32)
_WIDEST_LINE = 8


def label_colour(value: int) -> tuple[int, int, int]:
    """Return red, green and blue of a label from 1; they begin anew after the seventh."""
    return LABEL_COLOURS[(value - 1) % len(LABEL_COLOURS)]


@cache
def _int16_table() -> Pixels:
    """(65536,) pixel of every int16 label, at the place of its bytes read as uint16."""
    labels = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int64)
    table = _COLOURS[(labels - 1) % len(_COLOURS)]
    table[(labels == 0) | (labels == INT16_OUTSIDE)] = NOTHING
    table.flags.writeable = False
    return np.asarray(table, dtype=np.uint32)


def label_pixels(values: npt.NDArray[Any], *, outlined: bool, line_pixels: int = 1) -> Pixels:
    """Paint sampled labels in their colours; 0, outside and what is no number are nothing.

    Args:
        values: (height, width) of the nearest voxels, int16 or float32 as `SliceSampler.sample`
            gives them.
        outlined: Only those pixels that lie within `line_pixels` of another label of the picture,
            across or down; a label that the picture cuts has no line there.
        line_pixels: Width of the outline in device pixels.
    """
    if values.dtype == np.int16:
        pixels = _int16_table()[values.view(np.uint16)]
    else:
        labels = np.rint(np.where(np.isfinite(values), values, 0.0)).astype(np.int64)
        pixels = np.where(labels == 0, np.uint32(NOTHING), _COLOURS[(labels - 1) % len(_COLOURS)])
    if outlined:
        pixels *= edges_of(values, line_pixels)
    return np.asarray(pixels, dtype=np.uint32)


def edges_of(labels: npt.NDArray[Any], line_pixels: int) -> npt.NDArray[np.bool_]:
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
    over = label_pixels(values, outlined=outlined, line_pixels=line_pixels)
    return laid_over(picture, over, opacity)
