"""Limits of processes that read hostile files; what differs between Linux and Windows is here.

Linux: resource limits, no new privileges, and death with the parent, set by the child itself
before it reads anything from outside. Windows: a job object, set by the parent (not tested on the
machines at hand). Where neither is there, the work is refused instead of run without limits.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

from carez_desktop.errors import ChildCrashError

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_OPEN_FILES = 64
_KEPT_VARIABLES = (
    *("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TMPDIR", "PYTHONHOME"),
    *("SYSTEMROOT", "WINDIR", "TEMP", "TMP", "USERPROFILE", "APPDATA", "LOCALAPPDATA"),
)
_QUIET = {
    # HDF5 looks for filter plug-ins on the disk unless it is told not to.
    "HDF5_PLUGIN_PRELOAD": "::",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}


def child_environment(**more: str) -> dict[str, str]:
    """Return the few variables that a child needs; secrets of the parent's are not among them."""
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    return {**kept, **_QUIET, **more}


def limit_this_process(*, memory_mib: int, cpu_s: int | None = None) -> None:
    """Limit address space, processor time, written bytes, open files and core dumps for good.

    Raises:
        ChildCrashError: Where the system has no such limits.
    """
    if sys.platform == "win32":
        return  # the parent's `confine` did it
    import resource

    limits = {
        resource.RLIMIT_AS: memory_mib << 20,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: _OPEN_FILES,
        resource.RLIMIT_CORE: 0,
    }
    if cpu_s is not None:
        limits[resource.RLIMIT_CPU] = cpu_s
    try:
        for limit, value in limits.items():
            _, hard = resource.getrlimit(limit)
            allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(limit, (allowed, allowed))
    except (OSError, ValueError) as error:
        raise ChildCrashError(
            f"This system cannot limit a process ({error}), so a file from outside is not parsed",
            hint="Use Linux or Windows",
        ) from error


def limit_processor_time(seconds: float) -> None:
    """End this process when it has computed for so many seconds from now; may be set again."""
    if sys.platform == "win32":
        return  # the parent's wall clock ends it
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = int(time.process_time() + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def die_with_parent(parent_pid: int) -> None:
    """Let the kernel kill this process when the parent's thread that made it ends (prctl(2)).

    It holds after a `kill -9` of the parent too. Privileges can no longer be gained, and no other
    process of the same user can read this one's memory.
    """
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if os.getppid() != parent_pid:
        os._exit(0)  # it died before the line above


def confine(child: subprocess.Popen[bytes], memory_mib: int) -> object:
    """Set, in the parent, the limits that a child cannot set itself; keep what is returned.

    Raises:
        ChildCrashError: Where the system has no limits at all.
    """
    if sys.platform == "win32":
        return _windows_job(child, memory_mib)
    if not sys.platform.startswith("linux"):
        raise ChildCrashError(
            "This system cannot limit a process, so a file from outside is not decoded",
            hint="Use Linux or Windows",
        )
    return None


def describe_death(returncode: int | None) -> str:
    """Say in words how a process ended.

    Args:
        returncode: As `subprocess.Popen.returncode`: negative for a signal.
    """
    if returncode is None or returncode >= 0:
        return f"status {returncode}"
    names: Mapping[int, str] = {
        -int(number): number.name for number in signal.Signals if int(number) > 0
    }
    name = names.get(returncode, f"signal {-returncode}")
    meanings = {
        "SIGSEGV": "it reached for memory that is not its own",
        "SIGABRT": "a library gave up",
        "SIGXCPU": "it used up its processor time",
        "SIGXFSZ": "it tried to write a file",
        "SIGSYS": "it tried what it may not do",
        "SIGKILL": "it was killed from outside, perhaps for want of memory",
    }
    return f"{name}: {meanings[name]}" if name in meanings else name


class _BasicLimits(ctypes.Structure):
    _fields_ = (
        ("process_time", ctypes.c_int64),
        ("job_time", ctypes.c_int64),
        ("flags", ctypes.c_uint32),
        ("smallest_working_set", ctypes.c_size_t),
        ("largest_working_set", ctypes.c_size_t),
        ("processes", ctypes.c_uint32),
        ("affinity", ctypes.c_size_t),
        ("priority", ctypes.c_uint32),
        ("scheduling", ctypes.c_uint32),
    )


class _ExtendedLimits(ctypes.Structure):
    """JOBOBJECT_EXTENDED_LIMIT_INFORMATION of winnt.h."""

    _fields_ = (
        ("basic", _BasicLimits),
        ("io_counters", ctypes.c_uint64 * 6),
        ("process_memory", ctypes.c_size_t),
        ("job_memory", ctypes.c_size_t),
        ("peak_process_memory", ctypes.c_size_t),
        ("peak_job_memory", ctypes.c_size_t),
    )


class _JobHandle:
    """Keeps a job object open; the system ends its process when the handle closes."""

    def __init__(self, kernel: Any, handle: int) -> None:
        self._kernel, self._handle = kernel, handle

    def __del__(self) -> None:
        """Close the handle."""
        self._kernel.CloseHandle(ctypes.c_void_p(self._handle))


_JOB_PROCESSES, _JOB_MEMORY, _JOB_NO_DIALOG, _JOB_KILL_ON_CLOSE = 0x8, 0x100, 0x400, 0x2000
_JOB_EXTENDED_LIMITS = 9


def _windows_job(child: subprocess.Popen[bytes], memory_mib: int) -> object:
    """Put a child into a job: so much memory, no child of its own, no life without this handle."""
    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009
    kernel.CreateJobObjectW.restype = ctypes.c_void_p
    handle = kernel.CreateJobObjectW(None, None)
    limits = _ExtendedLimits()
    limits.basic.flags = _JOB_PROCESSES | _JOB_MEMORY | _JOB_NO_DIALOG | _JOB_KILL_ON_CLOSE
    limits.basic.processes = 1
    limits.process_memory = memory_mib << 20
    job = ctypes.c_void_p(handle)
    done = handle and kernel.SetInformationJobObject(
        job, _JOB_EXTENDED_LIMITS, ctypes.byref(limits), ctypes.sizeof(limits)
    )
    process = ctypes.c_void_p(int(getattr(child, "_handle")))  # noqa: B009
    if not done or not kernel.AssignProcessToJobObject(job, process):
        raise ChildCrashError(
            "This system cannot limit a process, so a file from outside is not decoded",
            hint="Ask the administrator whether job objects are forbidden",
        )
    return _JobHandle(kernel, handle)
