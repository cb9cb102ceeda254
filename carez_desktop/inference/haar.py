"""One level of the orthonormal 3-D Haar transform, exact in both directions.

Every 2 x 2 x 2 block of voxels becomes eight coefficients: the block as a vector times the 8 x 8
Sylvester-Hadamard matrix divided by sqrt(8). That matrix is symmetric and orthogonal, so it is its
own inverse, the transform keeps energy, and white noise stays white noise. Band k of a block has
the bits (slice, row, column) of k, most significant first; a set bit means "difference along this
axis", so band 0 is sqrt(8) times the block's mean.

Source: A. Haar, Math. Ann. 69 (1910) 331; in this tensor form S. Mallat, A Wavelet Tour of Signal
Processing, 7.7.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carez_desktop.errors import InputError

BANDS = 8
"""Coefficients of one 2 x 2 x 2 block."""


def haar_matrix() -> NDArray[np.float64]:
    """Return the orthonormal 8 x 8 matrix: rows are bands, columns voxels in C order."""
    pair = np.array([[1.0, 1.0], [1.0, -1.0]]) / np.sqrt(2.0)
    return np.kron(np.kron(pair, pair), pair)


def haar3d_forward(volumes: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the Haar coefficients of volumes.

    Args:
        volumes: Shape [..., channel, slice, row, column]; the last three are even.

    Returns:
        float32, shape [..., 8 * channel, slice/2, row/2, column/2]; band k of channel c is at
        8 * c + k.

    Raises:
        InputError: The array has fewer than four axes or an odd spatial size.
    """
    if volumes.ndim < 4 or any(size % 2 for size in volumes.shape[-3:]):
        raise InputError(
            f"A Haar transform needs [channel, slice, row, column] and even sizes: {volumes.shape}",
            subject="volumes",
            hint="Pad or crop the volume to even sizes",
        )
    *lead, channels, slices, rows, columns = volumes.shape
    blocks = volumes.reshape(*lead, channels, slices // 2, 2, rows // 2, 2, columns // 2, 2)
    axes = tuple(range(len(lead) + 1))
    first = len(axes)
    order = (*axes, first + 1, first + 3, first + 5, first, first + 2, first + 4)
    vectors = blocks.transpose(order).reshape(*lead, channels, BANDS, -1)
    bands = haar_matrix() @ vectors.astype(np.float64)
    shape = (*lead, channels * BANDS, slices // 2, rows // 2, columns // 2)
    return bands.reshape(shape).astype(np.float32)


def haar3d_inverse(coefficients: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the volumes whose Haar coefficients are given.

    Args:
        coefficients: Shape [..., 8 * channel, slice, row, column] as `haar3d_forward` returns them.

    Returns:
        float32, shape [..., channel, 2 * slice, 2 * row, 2 * column].

    Raises:
        InputError: The array has fewer than four axes, or channels that are no multiple of eight.
    """
    if coefficients.ndim < 4 or coefficients.shape[-4] % BANDS:
        raise InputError(
            f"Haar coefficients need [8 * channel, slice, row, column], not {coefficients.shape}",
            subject="coefficients",
            hint="Pass the array as haar3d_forward returns it",
        )
    *lead, bands, slices, rows, columns = coefficients.shape
    channels = bands // BANDS
    vectors = coefficients.reshape(*lead, channels, BANDS, -1).astype(np.float64)
    blocks = (haar_matrix() @ vectors).reshape(*lead, channels, 2, 2, 2, slices, rows, columns)
    axes = tuple(range(len(lead) + 1))
    first = len(axes)
    order = (*axes, first + 3, first, first + 4, first + 1, first + 5, first + 2)
    volume = blocks.transpose(order).reshape(*lead, channels, 2 * slices, 2 * rows, 2 * columns)
    return volume.astype(np.float32)
