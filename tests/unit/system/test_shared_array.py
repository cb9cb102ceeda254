from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from carez_desktop.errors import ChildCrashError, DeviceError
from carez_desktop.system.child_process import ChildPool
from carez_desktop.system.shared_array import SharedArray
from tests.builders.child_functions import HERE

pytestmark = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="Linux memory")


@pytest.fixture(scope="module")
def pool() -> Iterator[ChildPool]:
    pool = ChildPool(processes=2)
    yield pool
    pool.close()


@pytest.mark.parametrize("shape", [(7, 33, 21), (7, 33, 21, 3), (5, 64, 64), (1, 1, 1), (9,)])
@pytest.mark.parametrize("dtype", ["i2", "u1", "f8"])
def test_children_write_their_regions_and_nothing_else(
    pool: ChildPool, shape: tuple[int, ...], dtype: str
) -> None:
    shared = SharedArray.allocate(shape, dtype)
    assert shared.array.shape == shape
    assert not shared.array.any()
    requests = [{"region": shared.region(i, 1), "value": i + 1} for i in range(0, shape[0], 2)]
    for outcome in pool.stream(f"{HERE}:fill", requests):
        assert outcome.result == [1, *shape[1:]]
    expected = np.zeros(shape, dtype)
    for index in range(0, shape[0], 2):
        expected[index] = index + 1
    assert np.array_equal(shared.array, expected)


def test_two_memories_at_any_depth(pool: ChildPool) -> None:
    source, target = SharedArray.allocate((3, 5), "i4"), SharedArray.allocate((6, 5), "i4")
    source.array[...] = np.arange(15).reshape(3, 5)
    request = {"source": source.region(0, 3), "nested": [{"target": target.region(2, 3)}]}
    pool.run(f"{HERE}:double", request)
    assert np.array_equal(target.array[2:5], 2 * source.array)
    assert not target.array[:2].any()
    assert not target.array[5:].any()


def test_a_region_may_be_empty_but_not_outside(pool: ChildPool) -> None:
    empty = SharedArray.allocate((0, 512, 512), "i2")
    assert pool.run(f"{HERE}:fill", {"region": empty.region(0, 0), "value": 1}) == [0, 512, 512]
    shared = SharedArray.allocate((4, 2), "i2")
    for start, count in ((-1, 1), (4, 1), (0, 5), (2, -1)):
        with pytest.raises(IndexError):
            shared.region(start, count)


def test_a_child_cannot_take_the_memory_away(pool: ChildPool) -> None:
    shared = SharedArray.allocate((4, 4096), "u1")
    with pytest.raises(PermissionError):
        os.ftruncate(shared.descriptor, 0)
    with pytest.raises(ChildCrashError, match="PermissionError"):
        pool.run(f"{HERE}:shrink", {"region": shared.region(0, 4)})
    shared.array[...] = 7  # a shrunk mapping would end this process with SIGBUS
    assert shared.array.sum() == 7 * 4 * 4096


def test_more_than_four_gib_beyond_the_limit_of_a_child(pool: ChildPool) -> None:
    """Pages are taken when they are written: this needs two pages of real memory."""
    try:
        shared = SharedArray.allocate((5 << 10, 1 << 20), "u1")
    except DeviceError:
        pytest.skip("less than 5 GiB are free")
    last = len(shared.array) - 1
    pool.run(f"{HERE}:fill", {"region": shared.region(last, 1), "value": 9})
    assert shared.array[last, -1] == 9
    assert shared.array[last - 1, -1] == 0


def test_the_array_outlives_its_maker_and_takes_the_memory_along() -> None:
    def memories() -> int:
        links = Path("/proc/self/fd").iterdir()
        return sum("memfd:carez" in str(link.readlink()) for link in links if link.is_symlink())

    gc.collect()
    before = memories()
    view = SharedArray.allocate((16, 1 << 20), "u1").array[3:5]
    gc.collect()
    view[...] = 5
    assert view.sum() == 5 * 2 << 20
    assert memories() == before + 1
    del view
    assert memories() == before


def test_too_large_is_refused_in_words() -> None:
    with pytest.raises(DeviceError, match="MiB are free") as caught:
        SharedArray.allocate((1 << 20, 1 << 20, 1 << 10), "f8", subject="1.2.3")
    assert caught.value.subject == "1.2.3"
