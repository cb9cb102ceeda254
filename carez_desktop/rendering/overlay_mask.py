"""Graphics of the source (60xx overlay planes) under the pixels of a pane."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.intensity import OverlayPlane
from carez_desktop.domain.patient_space import FloatArray
from carez_desktop.rendering.slice_pipeline import sampling_matrix

_WIDEST = 8


def overlay_mask(
    overlays: Sequence[OverlayPlane],
    geometry: VolumeGeometry,
    pixel_grid: FloatArray,
    width: int,
    height: int,
) -> npt.NDArray[np.bool_]:
    """Return which pixels of a pane lie on a graphic.

    Args:
        overlays: Of the slice that is shown; the pane must show a plane of rows and columns.
        geometry: Grid of the slices.
        pixel_grid: (4, 4) device pixel (column, row, 0) to LPS mm.
        width: Device pixels across.
        height: Device pixels down.

    Returns:
        (height, width); where several image pixels share one of the pane, any of them counts, so
        that thin lines stay whole.
    """
    matrix = sampling_matrix(geometry, pixel_grid)
    x = np.arange(width)[None, :]
    y = np.arange(height)[:, None]
    columns = np.rint(matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 3]).astype(np.int64)
    rows = np.rint(matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 3]).astype(np.int64)
    step = math.ceil(float(np.abs(matrix[:2, :2]).sum(axis=1).max()) - 1e-6)
    shown = np.zeros((height, width), np.bool_)
    for overlay in overlays:
        bits = _thickened(overlay.bits, min(max(step, 1), _WIDEST))
        r, c = rows - overlay.origin[0], columns - overlay.origin[1]
        inside = (r >= 0) & (c >= 0) & (r < bits.shape[0]) & (c < bits.shape[1])
        shown |= inside & bits[np.where(inside, r, 0), np.where(inside, c, 0)]
    return shown


def _thickened(bits: npt.NDArray[np.bool_], width: int) -> npt.NDArray[np.bool_]:
    """Spread every pixel over `width` pixels around it."""
    made = bits.copy()
    before = (width - 1) // 2
    for shift in range(-before, width - before):
        if shift:
            made |= _shifted(bits, shift, 0)
    wide = made.copy()
    for shift in range(-before, width - before):
        if shift:
            made |= _shifted(wide, shift, 1)
    return made


def _shifted(bits: npt.NDArray[np.bool_], by: int, axis: int) -> npt.NDArray[np.bool_]:
    moved = np.roll(bits, by, axis=axis)
    edge = slice(0, by) if by > 0 else slice(by, None)
    moved[(edge, slice(None)) if axis == 0 else (slice(None), edge)] = False
    return moved
