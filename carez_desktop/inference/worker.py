"""The parent's side of the generation process: start it, feed it, stop it, survive its death."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
import tempfile
import time
import weakref
from collections.abc import Iterator
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Self

from carez_desktop.errors import CancelledError, CarezError, ChildCrashError, DeviceError
from carez_desktop.inference.worker_process import (
    CANCEL,
    CLOSE,
    SampledLatent,
    SamplingJob,
    StepDone,
    serve,
)
from carez_desktop.progress import NEVER, SILENT, CancellationToken, ProgressReporter

_POLL_S = 0.02
_GRACE_S = 3.0
_KILLED = -9


class GenerationProcess:
    """A spawned child that keeps its network loaded between cases.

    The child starts with the first job and ends with `close`, with this object, or with this
    process, whichever comes first.
    """

    def __init__(self) -> None:
        """Start nothing yet."""
        self._process: SpawnProcess | None = None
        self._connection: Connection | None = None
        self._log: Path | None = None
        self._stop: weakref.finalize[..., GenerationProcess] | None = None

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the child."""
        self.close()

    def close(self) -> None:
        """End the child and give back all that it held; it starts again with the next job."""
        if self._stop is not None:
            self._stop()
        self._process = self._connection = self._log = self._stop = None

    def sample(
        self,
        job: SamplingJob,
        *,
        progress: ProgressReporter = SILENT,
        cancel: CancellationToken = NEVER,
    ) -> SampledLatent:
        """Make one latent in the child.

        Args:
            job: What to make.
            progress: Receives each step.
            cancel: Stops it within one step; a child that does not answer is ended.

        Raises:
            ModelError: A graph that does not run. DeviceError: The device or its memory.
            ChildCrashError: The child died. CancelledError: The person stopped it.
        """
        cancel.raise_if_cancelled()
        connection = self._started()
        finished = False
        try:
            connection.send(job)
            answer = self._wait(connection, progress, cancel)
            finished = True
        except (EOFError, OSError):
            raise self._died(job) from None
        finally:
            if not finished:
                self.close()
        if isinstance(answer, CarezError):
            raise answer
        return answer

    def _wait(
        self, connection: Connection, progress: ProgressReporter, cancel: CancellationToken
    ) -> SampledLatent | CarezError:
        give_up: float | None = None
        while True:
            if cancel.is_cancelled and give_up is None:
                connection.send(CANCEL)
                give_up = time.monotonic() + _GRACE_S
            if give_up is not None and time.monotonic() > give_up:
                raise CancelledError("Cancelled", hint="Nothing half-written was left behind")
            if not connection.poll(_POLL_S):
                continue
            message = connection.recv()
            if isinstance(message, StepDone):
                progress.report(
                    message.done / message.steps, f"step {message.done} of {message.steps}"
                )
            elif isinstance(message, SampledLatent | CarezError):
                return message

    def _started(self) -> Connection:
        if self._process is not None and self._process.is_alive() and self._connection is not None:
            return self._connection
        self.close()
        spawn = multiprocessing.get_context("spawn")
        ours, theirs = spawn.Pipe()
        descriptor, name = tempfile.mkstemp(prefix="carez-generation-", suffix=".log")
        os.close(descriptor)
        self._log = Path(name)
        process = spawn.Process(
            target=serve, args=(theirs, name), name="carez-generation", daemon=True
        )
        with _empty_main_module():
            process.start()
        theirs.close()
        self._process, self._connection = process, ours
        self._stop = weakref.finalize(self, _end, process, ours, self._log)
        return ours

    def _died(self, job: SamplingJob) -> CarezError:
        """Say how the child ended, with the last line that it printed."""
        code = None
        if self._process is not None:
            self._process.join(_GRACE_S)
            code = self._process.exitcode
        if code == _KILLED:
            return DeviceError(
                "The system ended the generation process, most likely for lack of memory",
                subject=job.device.name,
                hint="Close other programs and try again",
            )
        last = _last_line(self._log)
        return ChildCrashError(
            f"The generation process died (exit code {code})" + (f": {last}" if last else ""),
            subject=str(job.graph),
            hint="Try again; with --device cpu if a graphics card was used",
        )


@contextlib.contextmanager
def _empty_main_module() -> Iterator[None]:
    """Keep a spawned child from running this program's main module again.

    `multiprocessing` imports the parent's `__main__` in each spawned child. The child needs nothing
    of it; a window's imports would cost a second, and a script without a guard would start over.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _end(process: SpawnProcess, connection: Connection, log: Path) -> None:
    """Ask the child to end, then end it, then remove its log."""
    with contextlib.suppress(OSError, ValueError):
        connection.send(CLOSE)
    with contextlib.suppress(OSError):
        connection.close()
    process.join(0.5)
    if process.is_alive():
        process.terminate()
        process.join(_GRACE_S)
    if process.is_alive():
        process.kill()
        process.join()
    log.unlink(missing_ok=True)


def _last_line(log: Path | None) -> str:
    if log is None or not log.is_file():
        return ""
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    printed = [line.strip() for line in lines if line.strip()]
    return printed[-1][:200] if printed else ""
