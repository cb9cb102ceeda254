"""Volumes made smaller by averaging blocks of voxels, for what needs no fine grid."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.volume import Volume

_LEAST_EXTENT = 8
_TAILS = (0.1, 99.9)
_SAMPLES = 200_000


def block_factors(
    geometry: VolumeGeometry, spacing_mm: float, most_voxels: int
) -> tuple[int, int, int]:
    """Return how many voxels along each axis become one.

    Axes that are coarser than the spacing, or shorter than 16 voxels, stay as they are.

    Args:
        geometry: Of the volume.
        spacing_mm: Wanted, at the most.
        most_voxels: That the result may have; the finest axis gives way first.
    """
    factors = [
        max(1, min(int(spacing_mm / step + 1e-6), extent // _LEAST_EXTENT))
        for step, extent in zip(geometry.spacing_mm, geometry.shape, strict=True)
    ]

    def voxels() -> int:
        return int(np.prod([n // f for n, f in zip(geometry.shape, factors, strict=True)]))

    while voxels() > most_voxels:
        steps = [step * f for step, f in zip(geometry.spacing_mm, factors, strict=True)]
        factors[int(np.argmin(steps))] += 1
    return (factors[0], factors[1], factors[2])


def reduced(
    volume: Volume, factors: tuple[int, int, int]
) -> tuple[npt.NDArray[np.float32], VolumeGeometry]:
    """Return block means on their grid; voxels left over at the far ends are dropped.

    Padding and what is not finite count as the smallest value; the tails beyond the 0.1 and 99.9
    percentiles are cut, so that one hot voxel does not fill the scale.

    Args:
        volume: Grey values.
        factors: Voxels (slice, row, column) that become one.

    Returns:
        (slice, row, column) float32 and the geometry of the block centres.
    """
    low, high = _range(volume)
    slices, rows, columns = (n // f for n, f in zip(volume.geometry.shape, factors, strict=True))
    along, down, across = factors
    array = np.empty((slices, rows, columns), np.float32)
    for index in range(slices):
        block = volume.array[index * along : (index + 1) * along, : rows * down, : columns * across]
        values = np.clip(_plain(volume, block, low), low, high)
        parts = values.reshape(along, rows, down, columns, across)
        array[index] = parts.mean(axis=(0, 2, 4))
    affine = volume.geometry.affine.copy()
    middle = (np.array(factors) - 1) / 2.0
    affine[:3, 3] = volume.geometry.index_to_lps(middle)
    affine[:3, :3] *= np.array(factors)[None, :]
    return array, VolumeGeometry((slices, rows, columns), affine)


def _plain(volume: Volume, values: npt.NDArray[Any], low: float) -> npt.NDArray[np.float32]:
    """Return values as float32, with what was never imaged as the smallest value."""
    plain = values.astype(np.float32)
    if volume.padding_value is not None:
        plain[values == volume.padding_value] = low
    plain[~np.isfinite(plain)] = low
    return plain


def _range(volume: Volume) -> tuple[float, float]:
    flat = volume.array.reshape(-1)
    values = flat[:: max(1, flat.size // _SAMPLES)].astype(np.float32)
    if volume.padding_value is not None:
        values = values[values != volume.padding_value]
    values = values[np.isfinite(values)]
    if not values.size:
        return 0.0, 0.0
    low, high = np.percentile(values, _TAILS)
    return float(low), float(high)
