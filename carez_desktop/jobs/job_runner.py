"""Run any callable off the calling thread, with progress, cancelling and ordering by lanes.

One lane for the device (`gpu`: cases wait for each other), one with several threads for reading and
writing (`io`), one for what a person waits for while typing (`quick`: never behind an import).
Listeners are plain callables and are called on the job's thread: whoever owns a toolkit brings the
call to its own thread.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from carez_desktop.errors import CancelledError, CarezError
from carez_desktop.progress import CancellationFlag

REPORTS_A_SECOND = 10.0
_SECONDS_BEFORE_ESTIMATE = 0.7


class Lane(StrEnum):
    """Where a job waits for its turn."""

    GPU = "gpu"
    IO = "io"
    QUICK = "quick"


class JobState(StrEnum):
    """How far a job has come."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A job as it stands at one moment.

    Attributes:
        number: Counts jobs of one runner from 1.
        fraction: In [0, 1].
        seconds_left: Estimated from the time taken so far; None while unknown.
        error: Why it failed; None unless it did.
    """

    number: int
    title: str
    state: JobState
    fraction: float = 0.0
    message: str = ""
    seconds_left: float | None = None
    error: CarezError | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return self.state in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


StatusListener = Callable[["JobStatus"], None]
Work = Callable[..., Any]


class Job:
    """One piece of work: a progress reporter for it and the way to cancel it."""

    def __init__(
        self,
        number: int,
        title: str,
        listener: StatusListener,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start as queued; `listener` gets every status."""
        self.cancel_flag = CancellationFlag()
        self._listener = listener
        self._clock = clock
        self._status = JobStatus(number, title, JobState.QUEUED)
        self._started = 0.0
        self._last_report = -1.0
        self._lock = threading.Lock()

    @property
    def status(self) -> JobStatus:
        """The latest status."""
        return self._status

    def cancel(self) -> None:
        """Ask the work to stop; it answers at its next check."""
        self.cancel_flag.cancel()

    def report(self, fraction: float, message: str = "") -> None:
        """Take progress from the work; listeners hear at most ten times a second."""
        with self._lock:
            now = self._clock()
            bounded = min(max(fraction, 0.0), 1.0)
            self._status = replace(
                self._status,
                fraction=bounded,
                message=message or self._status.message,
                seconds_left=self._left(now, bounded),
            )
            due = now - self._last_report >= 1.0 / REPORTS_A_SECOND
            if due:
                self._last_report = now
        if due:
            self._listener(self._status)

    def enter(self, state: JobState, error: CarezError | None = None) -> None:
        """Change the state; every listener hears of it at once."""
        with self._lock:
            if state is JobState.RUNNING:
                self._started = self._clock()
            fraction = 1.0 if state is JobState.DONE else self._status.fraction
            self._status = replace(
                self._status, state=state, error=error, fraction=fraction, seconds_left=None
            )
        self._listener(self._status)

    def _left(self, now: float, fraction: float) -> float | None:
        taken = now - self._started
        if fraction <= 0.0 or taken < _SECONDS_BEFORE_ESTIMATE:
            return None
        return taken * (1.0 - fraction) / fraction


class JobRunner:
    """Run jobs in three lanes until closed."""

    def __init__(self, *, io_threads: int = 3) -> None:
        """Prepare the lanes; threads start with the first job."""
        self._numbers = itertools.count(1)
        self._lanes = {
            Lane.GPU: ThreadPoolExecutor(1, thread_name_prefix="carez-gpu"),
            Lane.IO: ThreadPoolExecutor(io_threads, thread_name_prefix="carez-io"),
            Lane.QUICK: ThreadPoolExecutor(2, thread_name_prefix="carez-quick"),
        }
        self._live: dict[int, Job] = {}
        self._closed = False

    def submit(
        self,
        title: str,
        work: Callable[[Job], Any],
        *,
        lane: Lane = Lane.IO,
        on_status: StatusListener = lambda _: None,
        on_result: Callable[[Any], None] = lambda _: None,
    ) -> Job:
        """Queue work and return its job; after closing, one that is cancelled.

        Args:
            title: Words for the person who waits.
            work: Called with the job, which is its progress reporter and holds the cancel flag.
            lane: `GPU` runs one job at a time.
            on_status: Hears every change of state and throttled progress, on the job's thread.
            on_result: Gets the result before the state becomes done, on the job's thread.
        """
        job = Job(next(self._numbers), title, on_status)
        if self._closed:
            job.enter(JobState.CANCELLED)
            return job
        self._live[job.status.number] = job
        future = self._lanes[lane].submit(self._run, job, work, on_result)
        future.add_done_callback(lambda done: self._settle(job, done))
        return job

    def close(self) -> None:
        """Cancel what runs, drop what waits, and wait for the threads to end."""
        self._closed = True
        for job in list(self._live.values()):
            job.cancel()
        for pool in self._lanes.values():
            pool.shutdown(wait=True, cancel_futures=True)

    def _run(self, job: Job, work: Callable[[Job], Any], on_result: Callable[[Any], None]) -> None:
        try:
            job.cancel_flag.raise_if_cancelled()
            job.enter(JobState.RUNNING)
            result = work(job)
            on_result(result)
            job.enter(JobState.DONE)
        except CancelledError:
            job.enter(JobState.CANCELLED)
        except CarezError as error:
            job.enter(JobState.FAILED, error)
        except Exception as error:  # noqa: BLE001 - a job must end with words, whatever happened
            job.enter(JobState.FAILED, _unexpected(error))

    def _settle(self, job: Job, done: Future[None]) -> None:
        if done.cancelled():
            job.enter(JobState.CANCELLED)
        self._live.pop(job.status.number, None)


def _unexpected(error: Exception) -> CarezError:
    """Put an error that nobody foresaw into words, with its cause kept for a crash report."""
    wrapped = CarezError(
        f"An internal error: {type(error).__name__}: {error}",
        hint="Nothing was changed; report it with what you did last",
    )
    wrapped.__cause__ = error
    return wrapped


def time_left_text(seconds: float | None) -> str:
    """Write seconds left as `0:42 left` or `1:02:03 left`; "" while unknown."""
    if seconds is None:
        return ""
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    clock = f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
    return f"{clock} left"
