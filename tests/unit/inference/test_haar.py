"""Oracles: the separable definition axis by axis, Parseval, and one block by hand."""

from __future__ import annotations

import numpy as np
import pytest

from carez_desktop.errors import InputError
from carez_desktop.inference.haar import haar3d_forward, haar3d_inverse, haar_matrix

SHAPE = (2, 3, 6, 8, 10)


def _volumes() -> np.ndarray:
    return np.random.default_rng(1).normal(size=SHAPE).astype(np.float32)


def test_matrix_is_orthonormal_and_its_own_inverse():
    matrix = haar_matrix()
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(8), atol=1e-15)
    np.testing.assert_allclose(matrix @ matrix, np.eye(8), atol=1e-15)


def test_round_trip_gives_the_volumes_back():
    volumes = _volumes()
    np.testing.assert_allclose(haar3d_inverse(haar3d_forward(volumes)), volumes, atol=1e-6)


def test_energy_is_kept():
    volumes = _volumes()
    before, after = np.square(volumes).sum(), np.square(haar3d_forward(volumes)).sum()
    assert after == pytest.approx(before, rel=1e-6)


def _split(array: np.ndarray, axis: int, difference: bool) -> np.ndarray:
    """One axis by definition: (first +- second) / sqrt(2) of each pair."""
    even = np.take(array, range(0, array.shape[axis], 2), axis)
    odd = np.take(array, range(1, array.shape[axis], 2), axis)
    return (even - odd if difference else even + odd) / np.sqrt(2.0)


def test_bands_agree_with_the_separable_definition():
    volume = _volumes()[0]
    bands = haar3d_forward(volume)
    for channel in range(3):
        for band in range(8):
            expected = volume[channel].astype(np.float64)
            for axis, bit in enumerate((4, 2, 1)):
                expected = _split(expected, axis, bool(band & bit))
            np.testing.assert_allclose(bands[8 * channel + band], expected, atol=1e-5)


def test_one_block_by_hand():
    block = np.zeros((1, 2, 2, 2), np.float32)
    block[0, 1, 0, 1] = np.sqrt(8.0)
    bands = haar3d_forward(block).reshape(8)
    # Differences are first minus second; the voxel is second along slice and column.
    np.testing.assert_allclose(bands, [1, -1, 1, -1, -1, 1, -1, 1], atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 3, 4, 4), (2, 4, 4)])
def test_forward_refuses_what_has_no_blocks(shape):
    with pytest.raises(InputError, match="even sizes"):
        haar3d_forward(np.zeros(shape, np.float32))


def test_inverse_refuses_channels_that_are_no_multiple_of_eight():
    with pytest.raises(InputError, match="8 \\* channel"):
        haar3d_inverse(np.zeros((7, 2, 2, 2), np.float32))
