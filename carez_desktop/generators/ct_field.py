"""From HU slices to coarse attenuation maps, with the body continued where the field cuts it.

A reconstruction field narrower than the body leaves out tissue that the X-rays passed, so that
line integrals would come out too small near the edge. Where tissue meets the edge of the imaged
field, it is continued outwards to an ellipse that fits the visible anterior and posterior skin.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from carez_desktop.generators.ct_projection import CoarseProjector, Float32Array, FloatArray

BoolArray = npt.NDArray[np.bool_]
AnyArray = npt.NDArray[Any]

TISSUE_HU = -300.0
CHEST_WIDTH_TO_DEPTH = 1.45
"""Lateral over antero-posterior width of an adult chest (about 33 cm by 23 cm)."""
_LARGEST_RADIUS_MM = 250.0
_COARSE_STEP_MM = 2.5
_COARSE_VIEWS = 120
_ANGLES = 360
_BAND_MM = 10.0
_TRUNCATED_SHARE = 0.02
_AIR_HU = -1000.0
_HIGHEST_HU = 3000.0
_NEVER_IMAGED_HU = -1500.0


def imaged_pixels(array: AnyArray, padding_value: float | None) -> BoolArray:
    """Tell pixels that were imaged from padding.

    A CT number is never far below air; values under -1500 HU are what scanners write outside the
    round field (-2000, -2048, -3024), whether or not Pixel Padding Value names them.

    Args:
        array: Modality values in HU, any shape.
        padding_value: What the source names, in HU.
    """
    imaged = np.asarray(array > _NEVER_IMAGED_HU)
    if padding_value is not None and padding_value < _AIR_HU - 0.5:
        imaged &= np.asarray(array != padding_value)
    return imaged


@dataclass(frozen=True, eq=False)
class CoarseSlices:
    """Line integrals of some slices.

    Attributes:
        projector: Its grid and views.
        integrals: (slice, view, ray), without unit.
        truncated: (slice,) whether tissue met the edge of the field.
    """

    projector: CoarseProjector
    integrals: Float32Array
    truncated: BoolArray


class FieldSampler:
    """Resample slices of one shape onto the coarse grid and project them."""

    def __init__(self, shape: tuple[int, int], spacing_mm: tuple[float, float]) -> None:
        """Prepare for slices of (rows, columns) with (row, column) spacing."""
        half = math.hypot(shape[0] * spacing_mm[0], shape[1] * spacing_mm[1]) / 2
        reach = max(half, _LARGEST_RADIUS_MM if half > 100.0 else half * 1.5)
        step = max(_COARSE_STEP_MM, min(spacing_mm))
        side = 2 * math.ceil(reach / step) + 4
        self.projector = CoarseProjector(side, step, _COARSE_VIEWS)
        self._reach = reach
        centres = self.projector.ray_positions_mm
        self._rows = sparse.csr_array(_box_weights(centres, step, shape[0], spacing_mm[0]))
        self._columns = sparse.csr_array(_box_weights(centres, step, shape[1], spacing_mm[1]))
        y, x = np.meshgrid(centres, centres, indexing="ij")
        self._radius = np.hypot(x, y)
        bins = np.floor((np.arctan2(y, x) + np.pi) * (_ANGLES / (2 * np.pi)))
        self._bin = bins.astype(np.intp) % _ANGLES
        self._polar, self._radii = self._polar_index(side, step)

    def _polar_index(self, side: int, step: float) -> tuple[npt.NDArray[np.intp], FloatArray]:
        radii = np.arange(side // 2, dtype=np.float64) * step
        angles = (np.arange(_ANGLES) + 0.5) * (2 * np.pi / _ANGLES) - np.pi
        centre = (side - 1) / 2
        column = np.rint(np.outer(np.cos(angles), radii) / step + centre)
        row = np.rint(np.outer(np.sin(angles), radii) / step + centre)
        index = np.clip(row, 0, side - 1) * side + np.clip(column, 0, side - 1)
        return np.asarray(index.astype(np.intp)), radii

    def sample(self, array: AnyArray, imaged: BoolArray, water_per_mm: float) -> CoarseSlices:
        """Return the line integrals of slices.

        Args:
            array: (slice, row, column) HU.
            imaged: Same shape; pixels outside count as air unless tissue is continued there.
            water_per_mm: Linear attenuation of water.
        """
        maps, truncated = [], []
        for hu, inside in zip(array, imaged, strict=True):
            coarse, cut = self._extend(*self._resample(hu, inside))
            maps.append((1.0 + coarse / 1000.0) * water_per_mm)
            truncated.append(cut)
        attenuation = np.asarray(np.stack(maps), dtype=np.float32)
        return CoarseSlices(
            self.projector, self.projector.project(attenuation), np.array(truncated, dtype=bool)
        )

    def _resample(self, hu: AnyArray, imaged: BoolArray) -> tuple[FloatArray, BoolArray]:
        """Return (side, side) mean HU of the imaged part, and where more than half is imaged."""
        weight = imaged.astype(np.float32)
        clipped = np.clip(hu.astype(np.float32), _AIR_HU, _HIGHEST_HU) * weight
        share = self._mean(weight)
        total = self._mean(clipped)
        inside = share > 0.5
        return np.where(inside, total / np.maximum(share, 1e-6), _AIR_HU), inside

    def _mean(self, fine: Float32Array) -> Float32Array:
        along_rows = np.ascontiguousarray((self._rows @ fine).T)
        return np.asarray((self._columns @ along_rows).T, dtype=np.float32)

    def _extend(self, hu: FloatArray, inside: BoolArray) -> tuple[FloatArray, bool]:
        """Continue tissue beyond the field; returns the map and whether the field cut it."""
        polar = hu.ravel()[self._polar]
        imaged = inside.ravel()[self._polar]
        if not imaged.any():
            return hu, False
        tissue = (polar > TISSUE_HU) & imaged
        count = len(self._radii)
        last = np.where(imaged.any(axis=1), count - 1 - np.argmax(imaged[:, ::-1], axis=1), 0)
        band = max(2, round(_BAND_MM / self.projector.step_mm))
        place = np.arange(count)[None, :]
        in_band = (place <= last[:, None]) & (place > last[:, None] - band) & imaged
        share = (tissue & in_band).sum(axis=1) / np.maximum(in_band.sum(axis=1), 1)
        cut = share > 0.5
        if cut.mean() < _TRUNCATED_SHARE:
            return hu, False
        edge = self._radii[last]
        fill = np.sum(np.where(in_band, polar, 0.0), axis=1) / np.maximum(in_band.sum(axis=1), 1)
        outer = np.where(cut, np.maximum(self._ellipse_radius(tissue, cut, edge), edge), 0.0)
        cut &= outer > edge + 2.0 * self.projector.step_mm
        if cut.mean() < _TRUNCATED_SHARE:
            return hu, False
        added = (~inside) & (self._radius <= outer[self._bin]) & cut[self._bin]
        return np.where(added, np.clip(fill, -120.0, 60.0)[self._bin], hu), True

    def _ellipse_radius(self, tissue: BoolArray, cut: BoolArray, edge: FloatArray) -> FloatArray:
        """Return (angle,) radii of the ellipse that stands for the skin."""
        angles = (np.arange(_ANGLES) + 0.5) * (2 * np.pi / _ANGLES) - np.pi
        count = len(self._radii)
        outermost = self._radii[count - 1 - np.argmax(tissue[:, ::-1], axis=1)]
        free = ~cut & tissue.any(axis=1)
        height = outermost * np.abs(np.sin(angles))
        upright = np.abs(np.sin(angles)) > 0.85
        seen = free & upright
        longest = float(edge[cut].max())
        depth = float(np.median(height[seen])) if seen.sum() >= 10 else longest + 10.0
        width = min(max(CHEST_WIDTH_TO_DEPTH * depth, longest + 10.0), _LARGEST_RADIUS_MM)
        return np.asarray(
            1.0 / np.hypot(np.cos(angles) / width, np.sin(angles) / max(depth, 1.0)),
            dtype=np.float64,
        )


def _box_weights(centres: FloatArray, step: float, count: int, spacing: float) -> Float32Array:
    """Return (len(centres), count) shares of pixels along one axis that fall into coarse cells."""
    low = (np.arange(count) - count / 2) * spacing
    overlap = np.minimum(low[None, :] + spacing, centres[:, None] + step / 2) - np.maximum(
        low[None, :], centres[:, None] - step / 2
    )
    return np.asarray(np.maximum(overlap, 0.0) / step, dtype=np.float32)
