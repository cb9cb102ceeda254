"""Five threads share three children for twenty seconds: crashes, cancels, early ends, late work."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from carez_desktop.errors import CancelledError, ChildCrashError
from carez_desktop.progress import CancellationFlag
from carez_desktop.system.child_process import ChildPool
from carez_desktop.system.shared_array import SharedArray
from tests.builders.child_functions import HERE

SECONDS = 20.0


def echo(pool: ChildPool, rng: random.Random) -> None:
    mark = rng.random()
    requests = [{"mark": mark, "n": n} for n in range(rng.randrange(1, 30))]
    for outcome in pool.stream(f"{HERE}:echo", requests):
        assert outcome.result == {"mark": mark, "n": outcome.index}, outcome.error


def crash(pool: ChildPool, rng: random.Random) -> None:
    how = rng.choice(["abort", "segfault", "leave"])
    for outcome in pool.stream(f"{HERE}:{how}", [{}] * 2):
        assert isinstance(outcome.error, ChildCrashError)


def cancel(pool: ChildPool, rng: random.Random) -> None:
    flag = CancellationFlag()
    timer = threading.Timer(rng.random() * 0.1, flag.cancel)
    timer.start()
    with pytest.raises(CancelledError):
        list(pool.stream(f"{HERE}:sleep", [{"seconds": 0.05}] * 60, cancel=flag))
    timer.join()


def leave_early(pool: ChildPool, rng: random.Random) -> None:
    wanted = rng.randrange(4)
    for seen, _ in enumerate(pool.stream(f"{HERE}:sleep", [{"seconds": 0.01}] * 20)):
        if seen >= wanted:
            break


def fill(pool: ChildPool, rng: random.Random) -> None:
    first = rng.randrange(1000)
    shared = SharedArray.allocate((6, 64, 64), "i2")
    requests = [{"region": shared.region(i, 1), "value": first + i} for i in range(6)]
    for outcome in pool.stream(f"{HERE}:fill", requests):
        assert outcome.error is None
    assert all((shared.array[i] == first + i).all() for i in range(6))


def come_late(pool: ChildPool, _: random.Random) -> None:
    with pytest.raises(ChildCrashError, match="longer than"):
        pool.run(f"{HERE}:sleep", {"seconds": 1}, timeout_s=0.05)


WORKS: tuple[Callable[[ChildPool, random.Random], None], ...] = (
    *(echo, crash, cancel),
    *(leave_early, fill, come_late),
)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts in /proc")
def test_five_threads_and_three_children() -> None:
    seed = time.time_ns() % 1_000_000
    print(f"seed {seed}")
    failed: list[BaseException] = []

    def work(who: int) -> None:
        rng = random.Random(seed + who)
        try:
            while time.monotonic() < end and not failed:
                rng.choice(WORKS)(pool, rng)
        except BaseException as error:  # noqa: BLE001 - carried to the test's thread
            failed.append(error)

    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    pool = ChildPool(processes=3)
    end = time.monotonic() + SECONDS
    threads = [threading.Thread(target=work, args=(who,)) for who in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    hanging = [thread for thread in threads if thread.is_alive()]
    pool.close()
    assert not hanging
    if failed:
        raise failed[0]
    assert len(list(Path("/proc/self/fd").iterdir())) <= descriptors + 1
