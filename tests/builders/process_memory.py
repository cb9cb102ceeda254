"""Memory of a process and of its children, seen from outside (Linux)."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

_OWN = ("Pss_Anon:", "Pss_File:")


def memory_of_group(leader: int) -> float:
    """MiB of a process and its descendants, shared pages counted once.

    Memory of `memfd_create` counts by the pages that it has, whether or not anybody maps them:
    what a child wrote for its parent is in the proportional set (Pss) of neither.
    """
    own, shared = 0, {}
    for pid in [leader, *descendants(leader)]:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            shared |= _memory_files(Path(f"/proc/{pid}/fd"))
        except OSError:
            continue
        own += sum(int(line.split()[1]) for line in lines if line.startswith(_OWN))
    return own / 1024 + sum(shared.values()) / 2**20


def _memory_files(descriptors: Path) -> dict[int, int]:
    """Bytes of each anonymous file in memory that a process holds, by its inode."""
    found = {}
    for link in descriptors.iterdir():
        try:
            if str(link.readlink()).startswith("/memfd:"):
                facts = link.stat()
                found[facts.st_ino] = facts.st_blocks * 512
        except OSError:
            continue
    return found


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


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (OSError, IndexError):
        return False


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
