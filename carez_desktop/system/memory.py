"""How much memory this machine can still give, without a library for it."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

_MIB = 1 << 20


def available_memory_mib() -> int | None:
    """Return the memory that can be taken without swapping, in MiB; None where unknown.

    Linux: MemAvailable of /proc/meminfo, or what the control group leaves if that is less.
    Windows: ullAvailPhys of GlobalMemoryStatusEx.
    """
    if sys.platform == "win32":
        return _windows_available_mib()
    bounds = [
        bound
        for bound in (_meminfo_mib(Path("/proc/meminfo")), _cgroup_mib(Path("/sys/fs/cgroup")))
        if bound is not None
    ]
    if bounds:
        return min(bounds)
    names = getattr(os, "sysconf_names", {})
    if "SC_AVPHYS_PAGES" in names:
        return int(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // _MIB)
    return None


def _meminfo_mib(path: Path) -> int | None:
    try:
        text = path.read_text(encoding="ascii")
    except OSError:
        return None
    for line in text.splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) // 1024
    return None


def _cgroup_mib(folder: Path) -> int | None:
    """Return what control group v2 leaves: limit - used + reclaimable file pages."""
    try:
        limit = (folder / "memory.max").read_text(encoding="ascii").strip()
        used = int((folder / "memory.current").read_text(encoding="ascii"))
        statistics = (folder / "memory.stat").read_text(encoding="ascii")
    except (OSError, ValueError):
        return None
    if limit == "max":
        return None
    reclaimable = sum(
        int(line.split()[1])
        for line in statistics.splitlines()
        if line.startswith("inactive_file ")
    )
    return max(int(limit) - used + reclaimable, 0) // _MIB


class _MemoryStatus(ctypes.Structure):
    _fields_ = (
        ("length", ctypes.c_ulong),
        ("load", ctypes.c_ulong),
        *(
            (name, ctypes.c_ulonglong)
            for name in ("total", "available", "page", "page_free", "virtual", "virtual_free", "x")
        ),
    )


def _windows_available_mib() -> int | None:
    status = _MemoryStatus()
    status.length = ctypes.sizeof(status)
    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009
    if not kernel.GlobalMemoryStatusEx(ctypes.byref(status)):
        return None
    return int(status.available) // _MIB
