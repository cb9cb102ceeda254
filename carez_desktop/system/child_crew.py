"""The children of a pool: who is free, who waits for one, who is replaced."""

from __future__ import annotations

import contextlib
import selectors
import threading
import time
from collections import deque
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor

from carez_desktop.errors import CarezError, ChildCrashError
from carez_desktop.progress import CancellationToken
from carez_desktop.system.child_start import Child

POLL_S = 0.05


def children_with_news(children: Collection[Child], timeout_s: float) -> list[Child]:
    """Wait until a child says something or ends, at the most so long; return those that did."""
    if not children:
        return []
    kind = getattr(selectors, "PollSelector", selectors.SelectSelector)
    with kind() as selector:
        for child in children:
            selector.register(child.connection, selectors.EVENT_READ, child)
        return [key.data for key, _ in selector.select(timeout_s)]


class Crew:
    """Up to so many children, shared by threads: first come, first served.

    All children are started by one thread that lives as long as the crew: the kernel ends them
    when it ends (`process_limits.die_with_parent`), whichever way the program does.
    """

    def __init__(self, processes: int, memory_mib: int, preload: Sequence[str]) -> None:
        self.processes = processes
        self._memory_mib = memory_mib
        self._preload = tuple(preload)
        self._changed = threading.Condition()
        self._idle: list[Child] = []
        self._finishing: list[Child] = []
        self._working: set[Child] = set()
        self._starting = 0
        self._waiting: deque[object] = deque()
        self._start_error: CarezError | None = None
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="children")
        self._dismissed = False

    @property
    def has_children(self) -> bool:
        """Whether any child was started and lives."""
        with self._changed:
            return self._living() > self._starting

    def start_missing(self, wanted: int) -> None:
        """Start children in the background until so many live, or all are there."""
        with self._changed:
            while self._living() < min(wanted, self.processes) and not self._dismissed:
                self._starting += 1
                self._starter.submit(self._start_one)

    def _living(self) -> int:
        return len(self._idle) + len(self._finishing) + len(self._working) + self._starting

    def _start_one(self) -> None:
        child: Child | None = None
        error: CarezError | None = None
        try:
            child = Child(self._memory_mib, self._preload)
        except CarezError as refused:
            error = refused
        except OSError as failed:
            error = ChildCrashError(
                f"A child process cannot start: {failed.strerror or failed}",
                hint="Close other programs and try again",
            )
        with self._changed:
            self._starting -= 1
            self._start_error = error
            if child is not None and not self._dismissed:
                self._idle.append(child)
                child = None
            self._changed.notify_all()
        if child is not None:
            child.kill()

    def acquire(self, cancel: CancellationToken, *, may_wait: bool) -> Child | None:
        """Take a child; wait for one in turn, or return None at once where nobody may wait.

        Raises:
            ChildCrashError: No child can be started. CancelledError: While waiting.
        """
        turn = object()
        with self._changed:
            self._waiting.append(turn)
            try:
                while True:
                    child = self._take_idle() if self._waiting[0] is turn else None
                    if child is not None:
                        self._working.add(child)
                        return child
                    self._start_another()
                    if not may_wait:
                        return None
                    self._changed.wait(POLL_S)
                    cancel.raise_if_cancelled()
            finally:
                self._waiting.remove(turn)
                self._changed.notify_all()

    def _start_another(self) -> None:
        if self._dismissed:
            raise ChildCrashError("The child processes were shut down")
        if self._start_error is not None and not self._living():
            error, self._start_error = self._start_error, None
            raise error
        if not self._starting:
            self.start_missing(max(1, 2 * self._living()))  # all of eight after three looks

    def _take_idle(self) -> Child | None:
        """Return a child that is ready, else one that soon will be; forget the dead."""
        self._look_after_finishing()
        for child in [child for child in self._idle if child.has_died]:
            self._idle.remove(child)
            child.kill()
        for child in children_with_news([c for c in self._idle if not c.ready], 0.0):
            self._hear(child, self._idle)
        if not self._idle:
            return None
        child = next((child for child in self._idle if child.ready), self._idle[0])
        self._idle.remove(child)
        return child

    def _hear(self, child: Child, among: list[Child]) -> bool:
        """Take what a child says; False where it has not said all. One that fails is ended."""
        try:
            return child.receive() is not None
        except ChildCrashError as error:
            self._start_error = None if child.ready else error
            among.remove(child)
            child.kill()
            return False

    def _look_after_finishing(self) -> None:
        """Give back those that have ended what nobody waits for; end those that take too long."""
        for child in children_with_news(self._finishing, 0.0):
            if self._hear(child, self._finishing):
                child.rest()
                self._finishing.remove(child)
                self._idle.append(child)
        for child in [child for child in self._finishing if time.monotonic() > child.deadline]:
            self._finishing.remove(child)
            child.kill()

    def release(self, child: Child) -> None:
        """Give back a child that has answered."""
        with self._changed:
            self._working.discard(child)
            if not self._dismissed:
                child.rest()
                self._idle.append(child)
                self._changed.notify_all()
                return
        child.kill()

    def abandon(self, child: Child) -> None:
        """Give back a child that still works on what nobody wants any more."""
        with self._changed:
            self._working.discard(child)
            if not self._dismissed:
                self._finishing.append(child)
                self._changed.notify_all()
                return
        child.kill()

    def discard(self, child: Child) -> None:
        """End a child and start another in its place, if it had ever been of use."""
        child.kill()
        with self._changed:
            self._working.discard(child)
            if child.ready:
                self.start_missing(self._living() + 1)
            self._changed.notify_all()

    def dismiss(self, *, wait: bool = True) -> None:
        """End all children; whoever still waits for an answer gets an error.

        Args:
            wait: Until the thread that starts them has ended, too; not from a finalizer, which
                may run in that very thread.
        """
        with self._changed:
            self._dismissed = True
            gone = [*self._idle, *self._finishing]
            self._idle.clear()
            self._finishing.clear()
            for child in self._working:
                child.interrupt()
            self._changed.notify_all()
        for child in gone:
            with contextlib.suppress(OSError):
                child.kill()
        self._starter.shutdown(wait=wait)
