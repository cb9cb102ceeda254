"""Run one function in a fresh process with limits of memory, time and files, then let it die.

For verdicts on files from outside: a crash of the parser kills the child only, the child can
neither write files nor load plug-ins, and no file is parsed by a child that saw another one before.
`child_process` keeps children warm, where thousands of files are read and a start for each would
cost minutes. Where the system cannot set limits, the work is refused instead of run unlimited.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from carez_desktop import errors
from carez_desktop.errors import CarezError, ChildCrashError
from carez_desktop.progress import NEVER, CancellationToken
from carez_desktop.system.call_filter import forbid_calls
from carez_desktop.system.process_limits import (
    child_environment,
    describe_death,
    die_with_parent,
    limit_this_process,
)

_BOOT = "from carez_desktop.system.limited_process import serve; serve()"
_POLL_S = 0.1
_HINT = "Get a new copy of the file from its sender"


def run_limited(
    function: str,
    request: Mapping[str, Any],
    *,
    memory_mib: int,
    timeout_s: float,
    cancel: CancellationToken = NEVER,
) -> Any:
    """Call `package.module:function(**request)` in a limited child and return its plain result.

    Args:
        function: Of this product.
        request: JSON-ready keyword arguments.
        memory_mib: Address space of the child.
        timeout_s: Wall time; the child is killed after it.
        cancel: Asked ten times a second.

    Raises:
        CarezError: What the function raised, with its subject and hint.
        ChildCrashError: It crashed, ran over a limit, or limits cannot be set here.
        CancelledError: The child was killed.
    """
    order = {"function": function, "request": dict(request), "memory_mib": memory_mib}
    order["cpu_s"] = int(timeout_s) + 1
    order["parent"] = os.getpid()
    child = subprocess.Popen(
        [sys.executable, "-c", _BOOT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=child_environment(PYTHONPATH=_search_path()),
    )
    with child:
        try:
            output = _converse(child, json.dumps(order).encode(), timeout_s, cancel)
        finally:
            if child.poll() is None:
                child.kill()
    return _result(child.returncode, output)


def serve() -> None:
    """Be the child: read the order, set the limits, call the function, write its result."""
    order = json.loads(sys.stdin.buffer.read())
    die_with_parent(order["parent"])
    try:
        module, _, name = order["function"].partition(":")
        called = getattr(importlib.import_module(module), name)
        _limit_self(order["memory_mib"], order["cpu_s"])
        forbid_calls()
        answer = {"result": called(**order["request"])}
    except CarezError as error:
        answer = {"error": [type(error).__name__, error.what, error.subject, error.hint]}
    except MemoryError:
        answer = {"error": ["ChildCrashError", "It needs more memory than allowed", "", _HINT]}
    sys.stdout.buffer.write(json.dumps(answer).encode())
    sys.stdout.buffer.flush()


def _converse(
    child: subprocess.Popen[bytes], order: bytes, timeout_s: float, cancel: CancellationToken
) -> bytes:
    deadline = time.monotonic() + timeout_s
    pending: bytes | None = order
    while True:
        cancel.raise_if_cancelled()
        try:
            return child.communicate(pending, timeout=_POLL_S)[0]
        except subprocess.TimeoutExpired:
            pending = None
            if time.monotonic() > deadline:
                raise ChildCrashError(
                    f"It takes longer than the {timeout_s:.0f} s allowed", hint=_HINT
                ) from None


def _result(returncode: int, output: bytes) -> Any:
    try:
        answer = json.loads(output)
    except ValueError:
        raise ChildCrashError(
            f"The process that read the file died ({describe_death(returncode)})", hint=_HINT
        ) from None
    if "error" in answer:
        kind, what, subject, hint = answer["error"]
        found = getattr(errors, kind, ChildCrashError)
        raise found(what, subject=subject, hint=hint)
    return answer["result"]


def _search_path() -> str:
    root = str(Path(__file__).resolve().parents[2])
    return os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH", "")])])


def _limit_self(memory_mib: int, cpu_s: int) -> None:
    """Set the limits of this process; no file is written below them.

    Raises:
        ChildCrashError: Where a process cannot limit itself (Windows).
    """
    if sys.platform == "win32":
        raise ChildCrashError(
            "This system cannot limit a process, so a file from outside is not parsed",
            hint="Verify it on Linux, or with docs/reference/verify_bundle.py at your own risk",
        )
    limit_this_process(memory_mib=memory_mib, cpu_s=cpu_s)
