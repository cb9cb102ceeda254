"""Two pictures of one plane in one pane: curtain, squares, mixture, or one after the other."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from carez_desktop.domain.patient_space import FloatArray
from carez_desktop.rendering.pixels import Pixels, mixed
from carez_desktop.workspace.compare_settings import CompareMode, CompareSettings


def compose(
    settings: CompareSettings, base: Pixels, second: Pixels, pixel_grid: FloatArray
) -> Pixels:
    """Join two pictures of a plane.

    Args:
        settings: Mode and its numbers; a difference is no mixture of pictures and is not made here.
        base: (height, width) pixels.
        second: Of the same shape and place.
        pixel_grid: (4, 4) device pixel to LPS mm of the pane's space, for the squares.

    Returns:
        (height, width): base alone for `CompareMode.NONE` and `DIFFERENCE`.
    """
    if settings.mode is CompareMode.SWIPE:
        return swiped(base, second, settings.curtain, is_vertical=settings.is_vertical)
    if settings.mode is CompareMode.CHECKERBOARD:
        height, width = base.shape
        squares = second_squares(pixel_grid, width, height, settings.tile_mm)
        return np.asarray(np.where(squares, second, base))
    if settings.mode is CompareMode.BLEND:
        return mixed(base, second, settings.opacity)
    if settings.mode is CompareMode.FLICKER:
        return second if settings.shows_second else base
    return base


def swiped(base: Pixels, second: Pixels, curtain: float, *, is_vertical: bool) -> Pixels:
    """Show the base before the curtain's edge (left of it or above it), the second behind it."""
    made = base.copy()
    if is_vertical:
        edge = round(curtain * base.shape[1])
        made[:, edge:] = second[:, edge:]
    else:
        edge = round(curtain * base.shape[0])
        made[edge:] = second[edge:]
    return made


def second_squares(
    pixel_grid: FloatArray, width: int, height: int, tile_mm: float
) -> npt.NDArray[np.bool_]:
    """Return which pixels of a checkerboard show the second layer.

    The squares are fixed to the patient: counted from LPS 0 along the two directions of the plane,
    each taken the way in which its largest LPS part grows, so that pan, zoom, flips and quarter
    turns move or turn the board together with the picture.

    Args:
        pixel_grid: (4, 4) device pixel (column, row, 0) to LPS mm.
        width: Columns of the picture.
        height: Rows of the picture.
        tile_mm: Edge of a square.

    Returns:
        (height, width).
    """
    across = _squares_along(pixel_grid[:3, 0], pixel_grid[:3, 3], width, tile_mm)
    down = _squares_along(pixel_grid[:3, 1], pixel_grid[:3, 3], height, tile_mm)
    return np.asarray((across[None, :] ^ down[:, None]).astype(np.bool_))


def _squares_along(
    step: FloatArray, start: FloatArray, count: int, tile_mm: float
) -> npt.NDArray[np.int64]:
    """(count,) 0 or 1: which square each pixel lies in along one screen direction."""
    length = float(np.linalg.norm(step))
    axis = step / length
    if axis[int(np.argmax(np.abs(axis)))] < 0.0:
        axis, length = -axis, -length
    place = float(start @ axis) + length * np.arange(count)
    return np.asarray(np.floor(place / tile_mm).astype(np.int64) & 1)
