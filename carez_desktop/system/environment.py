"""What a result depends on besides its inputs: processor, threads, versions."""

from __future__ import annotations

import hashlib
import os
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from carez_desktop import __version__

_LIBRARIES = (
    "numpy",
    "scipy",
    "h5py",
    "onnxruntime",
    "onnxruntime-gpu",
    "torch",
    "pydicom",
    "SimpleITK",
    "cryptography",
)
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def describe_environment() -> dict[str, Any]:
    """Return versions, processor and threads as plain data; no host name, path or person.

    Bit identity of a regenerated case is promised only where this is equal (DESIGN section 7).
    """
    model, flags = _processor()
    return {
        "carez_desktop": __version__,
        "python": platform.python_version(),
        "os": platform.system(),
        "os_release": platform.release(),
        "machine": platform.machine(),
        "cpu_model": model,
        "cpu_flags_sha256": flags,
        "cpu_count": os.cpu_count() or 1,
        "threads": {name: os.environ[name] for name in _THREAD_VARIABLES if name in os.environ},
        "libraries": dict(_library_versions()),
    }


@cache
def _library_versions() -> tuple[tuple[str, str], ...]:
    found = []
    for name in _LIBRARIES:
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            continue
    return tuple(found)


@cache
def _processor() -> tuple[str, str]:
    """Return the processor's name and the SHA-256 of its sorted feature flags."""
    model, flags = platform.processor(), ""
    table = Path("/proc/cpuinfo")
    if table.is_file():
        for line in table.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                model = value.strip()
            elif name.strip() in ("flags", "Features") and not flags:
                flags = " ".join(sorted(value.split()))
    return model, hashlib.sha256(flags.encode()).hexdigest() if flags else ""
