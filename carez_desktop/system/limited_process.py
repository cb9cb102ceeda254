"""Run one function in a fresh process with limits of memory, time and files, then let it die.

For parsing hostile files: a crash of the parser kills the child only, and the child can neither
write files nor load plug-ins. `child_process` keeps warm children for trusted work; here each call
starts clean. Where the system cannot set limits, the work is refused instead of run unlimited.
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

_BOOT = "from carez_desktop.system.limited_process import serve; serve()"
_POLL_S = 0.1
_HINT = "Get a new copy of the file from its sender"
_QUIET = {
    # HDF5 looks for filter plug-ins on the disk unless it is told not to.
    "HDF5_PLUGIN_PRELOAD": "::",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}


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
    child = subprocess.Popen(
        [sys.executable, "-c", _BOOT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=_environment(),
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
    try:
        module, _, name = order["function"].partition(":")
        called = getattr(importlib.import_module(module), name)
        _limit_self(order["memory_mib"], order["cpu_s"])
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
            f"The process that read the file died (status {returncode})", hint=_HINT
        ) from None
    if "error" in answer:
        kind, what, subject, hint = answer["error"]
        found = getattr(errors, kind, ChildCrashError)
        raise found(what, subject=subject, hint=hint)
    return answer["result"]


def _environment() -> dict[str, str]:
    root = str(Path(__file__).resolve().parents[2])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH", "")])]
    return {**os.environ, **_QUIET, "PYTHONPATH": os.pathsep.join(paths)}


def _limit_self(memory_mib: int, cpu_s: int) -> None:
    """Limit address space, processor time, written files, open files and core dumps.

    Raises:
        ChildCrashError: Where the system has no such limits (Windows).
    """
    try:
        import resource
    except ImportError:
        raise ChildCrashError(
            "This system cannot limit a process, so a file from outside is not parsed",
            hint="Verify it on Linux, or with docs/reference/verify_bundle.py at your own risk",
        ) from None
    limits = {
        resource.RLIMIT_AS: memory_mib << 20,
        resource.RLIMIT_CPU: cpu_s,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: 64,
        resource.RLIMIT_CORE: 0,
    }
    for limit, value in limits.items():
        _, hard = resource.getrlimit(limit)
        allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (allowed, allowed))
