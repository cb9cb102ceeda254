"""Noise of an image: its standard deviation and mean frequency in uniform regions.

Patches are chosen where the *neighbouring* slices show little structure, and measured in the slice
itself: a patch chosen for its own low variance would make the noise look lower than it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

PATCH = 8
_SOFT_TISSUE_HU = (-60.0, 140.0)
_LEAST_PATCHES = 12
_UNIFORM_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class NoiseMeasurement:
    """Noise in uniform regions.

    Attributes:
        sd: Standard deviation, modality units.
        mean_frequency: First moment of the noise power spectrum over all in-plane frequencies,
            cycles per pixel.
        patches: How many patches of 8 x 8 pixels it rests on.
    """

    sd: float
    mean_frequency: float
    patches: int


def _patches(plane_stack: FloatArray) -> FloatArray:
    """Cut (slice, row, column) into (n, 8, 8) tiles; what does not fill one is left out."""
    slices, rows, columns = plane_stack.shape
    down, across = rows // PATCH, columns // PATCH
    cut = plane_stack[:, : down * PATCH, : across * PATCH]
    tiles = cut.reshape(slices, down, PATCH, across, PATCH).transpose(0, 1, 3, 2, 4)
    return tiles.reshape(-1, PATCH, PATCH)


def _plane_projector() -> FloatArray:
    """Return the (64, 64) matrix that removes the best plane from a flattened patch."""
    row, column = np.mgrid[0:PATCH, 0:PATCH] - (PATCH - 1) / 2.0
    basis = np.stack([np.ones(PATCH * PATCH), row.ravel(), column.ravel()], axis=1)
    return np.asarray(np.eye(PATCH * PATCH) - basis @ np.linalg.pinv(basis), dtype=np.float64)


def _residuals(tiles: FloatArray) -> FloatArray:
    """Return (n, 8, 8) patches with their best plane removed."""
    flat = tiles.reshape(len(tiles), -1)
    return (flat @ _plane_projector()).reshape(tiles.shape)


_FREEDOM = PATCH * PATCH - 3


def uniform_patches(array: npt.NDArray[Any], *, modality: str) -> npt.NDArray[np.bool_] | None:
    """Choose the patches without structure, in the order of the tiles.

    Args:
        array: (slice, row, column), modality values.
        modality: For CT only soft tissue counts (mean of the neighbours -60 to 140 HU).

    Returns:
        (n,) bool over all tiles of 8 x 8 pixels, or None where fewer than 12 qualify.
    """
    data = np.asarray(array, dtype=np.float64)
    if data.shape[0] > 2:
        neighbours = np.empty_like(data)
        neighbours[1:-1] = (data[:-2] + data[2:]) / 2.0
        neighbours[0], neighbours[-1] = data[1], data[-2]
    else:
        neighbours = data
    tiles = _patches(neighbours)
    means = tiles.mean(axis=(1, 2))
    if modality == "CT":
        candidates = (means > _SOFT_TISSUE_HU[0]) & (means < _SOFT_TISSUE_HU[1])
    else:
        candidates = means > 0.2 * float(np.percentile(means, 99))
    if np.count_nonzero(candidates) < _LEAST_PATCHES:
        return None
    structure = np.ptp(
        tiles.reshape(-1, 2, PATCH // 2, 2, PATCH // 2).mean(axis=(2, 4)).reshape(-1, 4), axis=1
    ) + _residuals(tiles).std(axis=(1, 2))
    limit = np.quantile(structure[candidates], _UNIFORM_SHARE)
    chosen = candidates & (structure <= limit)
    return chosen if np.count_nonzero(chosen) >= _LEAST_PATCHES else None


def noise_in(array: npt.NDArray[Any], chosen: npt.NDArray[np.bool_]) -> NoiseMeasurement:
    """Measure the noise of an image in chosen patches.

    The deviation is the root of the median patch variance over 61 degrees of freedom (64 pixels
    less a plane), which a few patches with structure do not move.

    Args:
        array: (slice, row, column), modality values.
        chosen: (n,) as `uniform_patches` returns it.
    """
    residual = _residuals(_patches(np.asarray(array, dtype=np.float64))[chosen])
    variances = np.sum(residual**2, axis=(1, 2)) / _FREEDOM
    power = (np.abs(np.fft.fft2(residual)) ** 2).mean(axis=0)
    axis = np.fft.fftfreq(PATCH)
    frequency = np.hypot(axis[:, None], axis[None, :])
    total = float(power.sum())
    mean_frequency = float((power * frequency).sum() / total) if total > 0.0 else 0.0
    return NoiseMeasurement(
        float(np.sqrt(np.median(variances))), mean_frequency, int(np.count_nonzero(chosen))
    )


def measure_noise(array: npt.NDArray[Any], *, modality: str) -> NoiseMeasurement | None:
    """Measure the noise of an image in its uniform regions; None where it has too few.

    Args:
        array: (slice, row, column), modality values.
        modality: DICOM Modality.
    """
    chosen = uniform_patches(array, modality=modality)
    return None if chosen is None else noise_in(array, chosen)
