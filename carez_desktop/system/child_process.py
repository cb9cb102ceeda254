"""A pool of warm child processes for what parses hostile bytes: decoders, foreign readers.

A crash, a hang or a memory bomb ends one child and costs one request; the child is replaced and the
others go on. Requests and answers are plain data, arrays lie in `shared_array` memory. What has to
start clean for each file (bundles) runs in `limited_process` instead.
"""

from __future__ import annotations

import os
import time
import weakref
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from carez_desktop import errors
from carez_desktop.errors import CarezError, ChildCrashError
from carez_desktop.progress import NEVER, CancellationToken
from carez_desktop.system.child_crew import POLL_S, Crew, children_with_news
from carez_desktop.system.child_start import Child

_MOST_PROCESSES = 8
_SEND_TRIES = 3


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one request of a stream.

    Attributes:
        index: Of the request, from 0.
        result: Plain data; None where it failed.
        error: Why it failed.
    """

    index: int
    result: Any = None
    error: CarezError | None = None


class ChildPool:
    """Children with limits of memory and time, started when first needed and kept warm.

    Threads may share a pool. A function is named `package.module:function`, takes the request as
    its only argument and returns JSON-ready data. A request may hold `subject` (what errors name)
    and, at any depth, `Region`s of a `SharedArray`.
    """

    def __init__(
        self,
        *,
        processes: int | None = None,
        memory_mib: int = 2048,
        timeout_s: float = 10.0,
        preload: Sequence[str] = (),
    ) -> None:
        """Describe the pool; nothing is started yet.

        Args:
            processes: At the most; None for one per processor, eight at the most.
            memory_mib: Address space of a child.
            timeout_s: Wall time of a request where it gives none.
            preload: Modules that a child imports before it is ready.
        """
        count = processes or min(_MOST_PROCESSES, usable_processors())
        self._crew = Crew(count, memory_mib, preload)
        self._timeout_s = timeout_s
        self._end = weakref.finalize(self, self._crew.dismiss, wait=False)

    @property
    def processes(self) -> int:
        """How many requests run at once, at the most."""
        return self._crew.processes

    @property
    def is_warm(self) -> bool:
        """Whether a child has been started already, so that work need not wait for one."""
        return self._crew.has_children

    def warm_up(self) -> None:
        """Start all children in the background, without waiting for them."""
        self._crew.start_missing(self._crew.processes)

    def run(
        self,
        function: str,
        request: Mapping[str, Any],
        *,
        timeout_s: float | None = None,
        cancel: CancellationToken = NEVER,
    ) -> Any:
        """Run one request and return its plain result.

        Raises:
            CarezError: What the function raised.
            ChildCrashError: It crashed or ran over a limit, or no child can be started.
            CancelledError: Asked for while it ran; the pool stays usable.
        """
        for outcome in self.stream(function, [request], timeout_s=timeout_s, cancel=cancel):
            if outcome.error is not None:
                raise outcome.error
            return outcome.result
        return None

    def stream(
        self,
        function: str,
        requests: Iterable[Mapping[str, Any]],
        *,
        timeout_s: float | None = None,
        cancel: CancellationToken = NEVER,
    ) -> Iterator[Outcome]:
        """Run many requests and yield their outcomes as they come, in any order.

        Requests are taken from the iterable one by one, as children are free. Whoever leaves the
        iteration early gives up what is still running.

        Raises:
            ChildCrashError: No child can be started. CancelledError: Within 0.1 s.
            TypeError: A request has no JSON form.
        """
        limit_s = self._timeout_s if timeout_s is None else timeout_s
        work = _Stream(self._crew, function, limit_s, cancel)
        try:
            yield from work.outcomes(enumerate(requests))
        finally:
            work.give_up()

    def close(self) -> None:
        """End all children; the pool cannot be used any more."""
        self._end.detach()
        self._crew.dismiss()


class _Stream:
    """The requests of one caller that are being worked on."""

    def __init__(
        self, crew: Crew, function: str, timeout_s: float, cancel: CancellationToken
    ) -> None:
        self._crew = crew
        self._function = function
        self._timeout_s = timeout_s
        self._cancel = cancel
        self._busy: dict[Child, tuple[int, str]] = {}
        self._done: deque[Outcome] = deque()

    def outcomes(self, requests: Iterator[tuple[int, Mapping[str, Any]]]) -> Iterator[Outcome]:
        """Hand out requests and yield what comes back."""
        following = next(requests, None)
        while following is not None or self._busy or self._done:
            self._cancel.raise_if_cancelled()
            while following is not None and self._hand_out(*following):
                following = next(requests, None)
            while self._done:
                yield self._done.popleft()
            if self._busy:
                self._listen()

    def _hand_out(self, index: int, request: Mapping[str, Any]) -> bool:
        """Give a request to a child; False where none is free and others are to be heard."""
        for _ in range(_SEND_TRIES):
            may_wait = not self._busy and not self._done
            child = self._crew.acquire(self._cancel, may_wait=may_wait)
            if child is None:
                return False
            try:
                child.send(self._function, request, self._timeout_s)
            except OSError:
                self._crew.discard(child)  # it died while it was idle
                continue
            except BaseException:
                self._crew.release(child)
                raise
            self._busy[child] = (index, str(request.get("subject", "")))
            return True
        raise ChildCrashError(
            f"{_SEND_TRIES} child processes died before they were given work",
            hint="Look for what ends them: a security program, or too little memory",
        )

    def _listen(self) -> None:
        """Wait a moment for answers, and end the children whose time is over."""
        first_deadline = min(child.deadline for child in self._busy)
        wait_s = min(POLL_S, max(first_deadline - time.monotonic(), 0.0))
        for child in children_with_news(self._busy, wait_s):
            try:
                answer = child.receive()
            except ChildCrashError as error:
                self._lose(child, error)
                continue
            if answer is not None:
                self._take(child, answer)
        now = time.monotonic()
        for child in [child for child in self._busy if now > child.deadline]:
            self._lose(child, child.too_late())

    def _take(self, child: Child, answer: Mapping[str, Any]) -> None:
        index, subject = self._busy.pop(child)
        if answer.get("worn"):
            self._crew.discard(child)
        else:
            self._crew.release(child)
        if "error" in answer:
            self._done.append(Outcome(index, error=_error_of(answer["error"], subject)))
        else:
            self._done.append(Outcome(index, answer.get("result")))

    def _lose(self, child: Child, error: ChildCrashError) -> None:
        """Give up a child and its request; one that could not even start is nobody's request."""
        index, subject = self._busy.pop(child)
        self._crew.discard(child)
        if not child.ready:
            raise error
        named = ChildCrashError(error.what, subject=subject, hint=error.hint)
        self._done.append(Outcome(index, error=named))

    def give_up(self) -> None:
        """Leave the children to end what nobody waits for any more."""
        for child in self._busy:
            self._crew.abandon(child)
        self._busy.clear()


def usable_processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _error_of(plain: object, subject: str) -> CarezError:
    """Build the error that a child names; a child may say anything."""
    if not (isinstance(plain, list) and len(plain) == 4 and all(isinstance(p, str) for p in plain)):
        return ChildCrashError("The process that read it gave an unknown answer", subject=subject)
    kind, what, where, hint = plain
    found = getattr(errors, kind, None)
    if not (isinstance(found, type) and issubclass(found, CarezError)):
        found = ChildCrashError
    return found(what, subject=where or subject, hint=hint)
