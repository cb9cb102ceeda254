"""The one crossing from job threads into the Qt thread.

Job threads emit signals; Qt queues them and the slots run on the thread of the bridge. A key with a
generation number drops what an older job of the same key still sends.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal, Slot

from carez_desktop.errors import CarezError
from carez_desktop.jobs.job_runner import Job, JobRunner, JobState, JobStatus, Lane


@dataclass(frozen=True, eq=False)
class _Listeners:
    key: Hashable
    generation: int
    on_result: Callable[[Any], None]
    on_error: Callable[[CarezError], None]
    on_partial: Callable[[Any], None]
    on_status: Callable[[JobStatus], None]
    visible: bool


@dataclass(frozen=True, eq=False)
class JobCall:
    """What a piece of work is given: progress, cancel and partial of a workflow."""

    progress: Job
    partial: Callable[[Any], None]

    @property
    def cancel(self) -> Any:
        """The job's cancellation flag."""
        return self.progress.cancel_flag


def _nothing(_: Any) -> None:
    return


class JobBridge(QObject):
    """Submit work and hear of it in the Qt thread.

    Signals:
        status_changed(JobStatus): Of every job that is shown in the status bar.
    """

    status_changed = Signal(object)
    _arrived = Signal(object, str, object)

    def __init__(self, runner: JobRunner, parent: QObject | None = None) -> None:
        """Bridge a runner into the thread that this object lives in."""
        super().__init__(parent)
        self._runner = runner
        self._counter = itertools.count(1)
        self._generations: dict[Hashable, int] = {}
        self._jobs: dict[Hashable, Job] = {}
        self._shown: dict[int, Job] = {}
        self._closed = False
        self._arrived.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def submit(
        self,
        title: str,
        work: Callable[[JobCall], Any],
        *,
        key: Hashable = None,
        lane: Lane = Lane.IO,
        visible: bool = True,
        on_result: Callable[[Any], None] = _nothing,
        on_error: Callable[[CarezError], None] = _nothing,
        on_partial: Callable[[Any], None] = _nothing,
        on_status: Callable[[JobStatus], None] = _nothing,
    ) -> Job:
        """Run work off the Qt thread.

        Args:
            title: Words for the status bar.
            work: Called on the job's thread with a `JobCall`.
            key: A newer job of the same key cancels the older one and drops what it still sends.
            lane: `GPU` for generators.
            visible: Whether the status bar shows it.
            on_result: Gets the result; as all of these, on the Qt thread.
            on_error: Gets the error of a failed job.
            on_partial: Gets what the work hands out on the way.
            on_status: Gets every change of state and throttled progress.
        """
        if key is None:
            key = object()
        generation = next(self._counter)
        self._generations[key] = generation
        older = self._jobs.pop(key, None)
        if older is not None:
            older.cancel()
        listeners = _Listeners(key, generation, on_result, on_error, on_partial, on_status, visible)

        def send(what: str, value: object) -> None:
            if not self._closed:
                self._arrived.emit(listeners, what, value)

        job = self._runner.submit(
            title,
            lambda job: work(JobCall(job, lambda value: send("partial", value))),
            lane=lane,
            on_status=lambda status: send("status", status),
            on_result=lambda result: send("result", result),
        )
        self._jobs[key] = job
        if visible and not job.status.is_over:
            self._shown[job.status.number] = job
        return job

    def cancel(self, number: int) -> None:
        """Ask a job of the status bar to stop."""
        if number in self._shown:
            self._shown[number].cancel()

    @property
    def is_busy(self) -> bool:
        """Whether a job is queued, running, or has something to deliver."""
        return bool(self._jobs)

    def close(self) -> None:
        """Stop every job and deliver nothing more."""
        self._closed = True
        self._runner.close()

    @Slot(object, str, object)
    def _deliver(self, listeners: _Listeners, what: str, value: Any) -> None:
        if self._closed:
            return
        if what == "status" and listeners.visible:
            self.status_changed.emit(value)
            if value.is_over:
                self._shown.pop(value.number, None)
        if self._generations.get(listeners.key) != listeners.generation:
            return
        if what == "result":
            listeners.on_result(value)
        elif what == "partial":
            listeners.on_partial(value)
        else:
            self._deliver_status(listeners, value)

    def _deliver_status(self, listeners: _Listeners, status: JobStatus) -> None:
        listeners.on_status(status)
        if status.is_over:
            self._jobs.pop(listeners.key, None)
            self._generations.pop(listeners.key, None)
        if status.state is JobState.FAILED and status.error is not None:
            listeners.on_error(status.error)
