"""Bands of rows: the same as the whole picture at once, whatever its size."""

from __future__ import annotations

import numpy as np
import pytest

from carez_desktop.rendering.bands import in_bands


@pytest.mark.parametrize("shape", [(1, 1), (3, 70_000), (130, 1000), (1024, 257), (65, 1024)])
def test_bands_make_the_whole(shape: tuple[int, int]) -> None:
    random = np.random.default_rng(6)
    first, second = (random.integers(0, 1000, shape) for _ in range(2))
    made = in_bands(lambda a, b: (a * 3 - b).astype(np.float32), first, second)
    assert made.dtype == np.float32
    np.testing.assert_array_equal(made, (first * 3 - second).astype(np.float32))
