"""Memory of a process and of its children, seen from outside (Linux)."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self


def memory_of_group(leader: int) -> float:
    """MiB of a process and its descendants: resident, shared pages counted once (Pss)."""
    total = 0.0
    for pid in [leader, *descendants(leader)]:
        try:
            shares = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in shares.splitlines() if line[:4] == "Pss:")
    return total / 1024


def descendants(leader: int) -> list[int]:
    """Process ids below a process."""
    found, waiting = [], [leader]
    while waiting:
        pid = waiting.pop()
        try:
            tasks = list(Path(f"/proc/{pid}/task").iterdir())
            text = " ".join((task / "children").read_text() for task in tasks)
        except OSError:
            continue
        children = [int(word) for word in text.split()]
        found += children
        waiting += children
    return found


class PeakMemory:
    """Samples this process and its children: `above_start_mib` when it is over."""

    def __init__(self, sample_s: float = 0.005) -> None:
        self._sample_s = sample_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._start = self._peak = 0.0

    def __enter__(self) -> Self:
        self._start = self._peak = memory_of_group(os.getpid())
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._sample()
        self._stop.set()
        self._thread.join()

    @property
    def above_start_mib(self) -> float:
        return self._peak - self._start

    def _sample(self) -> None:
        self._peak = max(self._peak, memory_of_group(os.getpid()))

    def _watch(self) -> None:
        while not self._stop.is_set():
            self._sample()
            time.sleep(self._sample_s)
