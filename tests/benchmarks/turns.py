"""The best time of several works, taken in turns so that a busy machine is busy for all."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def best_of(works: dict[str, Callable[[], object]], turns: int = 4) -> dict[str, float]:
    """Seconds of each work, the best of its turns."""
    best = dict.fromkeys(works, float("inf"))
    for _ in range(turns):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            best[name] = min(best[name], time.perf_counter() - start)
    return best


@contextmanager
def one_core() -> Iterator[None]:
    """Hold the calling thread, and all that it starts, to one core (Linux)."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
