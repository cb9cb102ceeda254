"""One copy of the voxels, whoever shows them, in a type that keeps every value."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.volume import Volume
from carez_desktop.rendering.display_voxels import display_voxels
from carez_desktop.rendering.slice_pipeline import SliceSampler

GEOMETRY = VolumeGeometry.from_parts((3, 4, 5), (1, 1, 1), (0, 0, 0), np.eye(3))


def volume_of(cells: np.ndarray) -> Volume:
    return Volume("1", cells, GEOMETRY, "CT", "HU")


def spread(low: float, high: float, dtype: type) -> np.ndarray:
    return np.linspace(low, high, 60).reshape(3, 4, 5).astype(dtype)


@pytest.mark.parametrize(
    ("cells", "dtype", "is_shared"),
    [
        (spread(-32768, 32767, np.int16), np.int16, True),
        (spread(0, 32767, np.uint16), np.int16, True),
        (spread(0, 65535, np.uint16), np.float32, False),
        (spread(0, 255, np.uint8), np.int16, False),
        (spread(-128, 127, np.int8), np.int16, False),
        (spread(0, 1, np.bool_), np.int16, False),
        (spread(-32767, 32767, np.int32), np.int16, False),
        (spread(-32768, 100, np.int32), np.float32, False),
        (spread(-1e6, 1e6, np.int32), np.float32, False),
        (spread(-1.0, 1.0, np.float32), np.float32, True),
        (spread(-1.0, 1.0, np.float64), np.float32, False),
        (spread(-1.0, 1.0, np.float16), np.float32, False),
    ],
)
def test_values_are_kept_and_memory_is_shared(cells, dtype, is_shared) -> None:
    volume = volume_of(cells)
    voxels = display_voxels(volume)
    assert voxels.dtype == dtype
    assert np.shares_memory(voxels, volume.array) == is_shared
    np.testing.assert_allclose(voxels, cells.astype(np.float64), rtol=1e-7)
    assert not voxels.flags.writeable
    samplers = [SliceSampler(volume) for _ in range(4)]
    assert all(np.shares_memory(one._voxels, voxels) for one in samplers)


def test_the_copy_goes_with_its_volume() -> None:
    volume = volume_of(spread(0, 9, np.float64))
    ghost = weakref.ref(display_voxels(volume))
    SliceSampler(volume).sample(np.eye(4), 3, 3)
    gc.collect()
    assert ghost() is not None
    del volume
    gc.collect()
    assert ghost() is None


def test_values_beyond_float32_become_infinite_without_a_warning() -> None:
    volume = volume_of(spread(-1e300, 1e300, np.float64))
    assert np.isinf(display_voxels(volume)).any()


def test_colours_stay_as_they_are() -> None:
    cells = np.zeros((3, 4, 5, 3), np.uint8)
    volume = volume_of(cells)
    assert np.shares_memory(display_voxels(volume), volume.array)
