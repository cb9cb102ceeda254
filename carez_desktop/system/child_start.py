"""Start one child of the pool, and speak with it from the parent."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from carez_desktop.errors import ChildCrashError
from carez_desktop.system.child_messages import Inbox, MessageError, send_message
from carez_desktop.system.child_server import BOOT
from carez_desktop.system.process_limits import child_environment, confine, describe_death

_START_S = 60.0
_SEND_S = 5.0
_REAP_S = 5.0
_HINT = "The file may be damaged; get a new copy from its source"


class Child:
    """A started child; it may still be importing, and takes its first request already.

    Attributes:
        ready: Whether it has said that its imports and limits are done.
        deadline: When it is too late, of `time.monotonic`; infinite while it is idle.
    """

    def __init__(self, memory_mib: int, preload: Sequence[str]) -> None:
        self.ready = False
        self.deadline = time.monotonic() + _START_S
        self._timeout_s = 0.0
        self._inbox = Inbox()
        self.connection, theirs = socket.socketpair()
        self.connection.settimeout(_SEND_S)
        try:
            with theirs:
                self._process = _spawn(theirs, memory_mib, preload)
        except BaseException:
            self.connection.close()
            raise
        self._confined: object = None
        try:
            self._confined = confine(self._process, memory_mib)
        except BaseException:
            self.kill()
            raise

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    @property
    def has_died(self) -> bool:
        """Whether the process has ended."""
        return self._process.poll() is not None

    def send(self, function: str, request: Mapping[str, Any], timeout_s: float) -> None:
        """Send a request; its time runs from now on, or from when the child is ready.

        Raises:
            TypeError: It has no JSON form. OSError: The child is gone.
        """
        message = {"call": function, "request": dict(request), "cpu_s": timeout_s + 1}
        self.connection.settimeout(_SEND_S if self.ready else _START_S)
        send_message(self.connection, message)
        self._timeout_s = timeout_s
        if self.ready:
            self.deadline = time.monotonic() + timeout_s

    def receive(self) -> dict[str, Any] | None:
        """Take what the child has said; None while its answer is not complete.

        Returns:
            `{"result": ...}` or `{"error": [class, what, subject, hint], "worn": bool}`.

        Raises:
            ChildCrashError: It died, or says what is no answer. It can then only be killed.
        """
        alive = self._inbox.receive(self.connection)
        try:
            message = self._inbox.next_message(alone=self.ready)
            if message is not None and not self.ready:
                self._greet(message)
                message = self._inbox.next_message(alone=True)
        except MessageError as error:
            raise ChildCrashError(f"The process that read it gave {error}", hint=_HINT) from error
        if message is None and not alive:
            raise self._death()
        return message

    def _greet(self, message: dict[str, Any]) -> None:
        if message.get("ready") is not True:
            raise ChildCrashError(
                f"A child process cannot start: {str(message.get('failed'))[:300]}",
                hint="Check the installation and the free memory",
            )
        self.ready = True
        self.deadline = time.monotonic() + self._timeout_s if self._timeout_s else float("inf")

    def _death(self) -> ChildCrashError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_REAP_S)
        how = describe_death(self._process.returncode)
        if self.ready:
            return ChildCrashError(f"The process that read it died ({how})", hint=_HINT)
        return ChildCrashError(
            f"A child process cannot start: it died ({how})",
            hint="Check the installation and the free memory",
        )

    def too_late(self) -> ChildCrashError:
        """Say that its time is over."""
        if self.ready:
            return ChildCrashError(
                f"It takes longer than the {self._timeout_s:g} s that a file may take", hint=_HINT
            )
        return ChildCrashError(
            f"A child process did not start within {_START_S:.0f} s",
            hint="Try again when the machine is less busy",
        )

    def rest(self) -> None:
        """Note that it was answered and has nothing to do."""
        self._timeout_s = 0.0
        self.deadline = float("inf")

    def interrupt(self) -> None:
        """End it while another thread listens to it; that thread takes its remains away."""
        self._process.kill()

    def kill(self) -> None:
        """End it and take its remains away."""
        self.connection.close()
        if self._process.poll() is None:
            self._process.kill()
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait()
        self._confined = None


def _spawn(
    theirs: socket.socket, memory_mib: int, preload: Sequence[str]
) -> subprocess.Popen[bytes]:
    order = {
        "path": _search_path(),
        "parent": os.getpid(),
        "descriptor": theirs.fileno(),
        "preload": list(preload),
        "memory_mib": memory_mib,
    }
    if sys.platform == "win32":
        return _spawn_on_windows(theirs, order)
    return subprocess.Popen(
        [sys.executable, "-I", "-c", BOOT, json.dumps(order)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=child_environment(),
        pass_fds=(theirs.fileno(),),
    )


def _spawn_on_windows(theirs: socket.socket, order: dict[str, Any]) -> subprocess.Popen[bytes]:
    """Start the interpreter itself, not the launcher of a virtual environment, and hand over."""
    base = getattr(sys, "_base_executable", None) or sys.executable
    child = subprocess.Popen(
        [base, "-I", "-c", BOOT, json.dumps(order)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=child_environment(__PYVENV_LAUNCHER__=sys.executable),
    )
    shared: bytes = getattr(theirs, "share")(child.pid)  # noqa: B009
    if child.stdin is not None:
        child.stdin.write(len(shared).to_bytes(4, "little") + shared)
        child.stdin.flush()
    return child


def _search_path() -> list[str]:
    """Where the child finds modules: as the parent, but never in the working folder."""
    absolute = [path for path in sys.path if path and Path(path).is_absolute()]
    root = str(Path(__file__).resolve().parents[2])
    return absolute if root in absolute else [*absolute, root]
