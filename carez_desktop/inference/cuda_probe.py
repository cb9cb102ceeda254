"""Whether CUDA can be asked for: the wheel, the driver and the libraries, looked for first.

ONNX Runtime prints an error in red when its CUDA provider is asked for and a library is missing,
so nothing is asked before everything was found. Nothing here creates a CUDA context.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_MIB = 1 << 20
_WINDOWS = sys.platform == "win32"


@dataclass(frozen=True, slots=True)
class CudaProbe:
    """What was found.

    Attributes:
        missing: Why CUDA cannot be used, in words; "" where it can.
        remedy: What to do about it.
        name: Of the graphics card.
        driver: Version of its driver.
        total_memory_mib / free_memory_mib: Of the graphics card.
    """

    missing: str = ""
    remedy: str = ""
    name: str = ""
    driver: str = ""
    total_memory_mib: int = 0
    free_memory_mib: int = 0


def probe_cuda() -> CudaProbe:
    """Look for the CUDA provider of ONNX Runtime, a driver with a card, and the libraries."""
    capi = _runtime_folder()
    if capi is None or not _provider_library(capi).is_file():
        return CudaProbe(
            "this ONNX Runtime is the CPU build", "Install onnxruntime-gpu instead of onnxruntime"
        )
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None and not re.match(r"\s*(\d|GPU-|MIG-)", visible):
        return CudaProbe("CUDA_VISIBLE_DEVICES hides the graphics card", "Unset that variable")
    card = _ask_driver(int(visible) if visible is not None and visible.isdigit() else 0)
    if card.missing:
        return card
    absent = missing_libraries(needed_libraries(capi), library_folders())
    if absent:
        return CudaProbe(
            f"CUDA libraries are missing ({', '.join(absent)})",
            "Install them with: pip install 'carez-desktop[cuda]'",
            card.name,
        )
    return card


def needed_libraries(capi: Path) -> tuple[str, ...]:
    """Return the libraries that the CUDA provider of an ONNX Runtime wheel loads.

    Args:
        capi: Its `onnxruntime/capi` folder, whose build facts name the CUDA version.
    """
    facts = capi / "build_and_package_info.py"
    text = facts.read_text(encoding="utf-8") if facts.is_file() else ""
    found = re.search(r"cuda_version\s*=\s*['\"](\d+)", text)
    major = int(found.group(1)) if found else 13
    if _WINDOWS:
        return (f"cudart64_{major}.dll", f"cublasLt64_{major}.dll", "cudnn64_9.dll")
    return (f"libcudart.so.{major}", f"libcublasLt.so.{major}", "libcudnn.so.9")


def library_folders() -> tuple[Path, ...]:
    """Return where CUDA libraries may lie: NVIDIA's wheels, then the loader's places."""
    folders: list[Path] = []
    spec = importlib.util.find_spec("nvidia")
    for place in spec.submodule_search_locations or () if spec else ():
        folders += sorted(Path(place).glob("*/lib"))
        folders += sorted(Path(place).glob("*/bin"))
        folders += sorted(Path(place).glob("*/bin/x86_64"))
    variable = "PATH" if _WINDOWS else "LD_LIBRARY_PATH"
    folders += [Path(part) for part in os.environ.get(variable, "").split(os.pathsep) if part]
    if not _WINDOWS:
        folders += [
            Path("/usr/local/cuda/lib64"),
            Path("/usr/lib/x86_64-linux-gnu"),
            Path("/usr/lib64"),
            Path("/usr/lib"),
        ]
    return tuple(folders)


def missing_libraries(names: Iterable[str], folders: Iterable[Path]) -> tuple[str, ...]:
    """Return the names that none of the folders holds."""
    places = tuple(folders)
    return tuple(name for name in names if not any((place / name).exists() for place in places))


def _runtime_folder() -> Path | None:
    spec = importlib.util.find_spec("onnxruntime")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "capi"


def _provider_library(capi: Path) -> Path:
    name = "onnxruntime_providers_cuda"
    return capi / (f"{name}.dll" if _WINDOWS else f"lib{name}.so")


class _Memory(ctypes.Structure):
    """nvmlMemory_t."""

    _fields_ = (
        ("total", ctypes.c_ulonglong),
        ("free", ctypes.c_ulonglong),
        ("used", ctypes.c_ulonglong),
    )


def _ask_driver(index: int) -> CudaProbe:
    """Ask NVIDIA's management library, which comes with the driver, for one card."""
    try:
        nvml = ctypes.CDLL("nvml.dll" if _WINDOWS else "libnvidia-ml.so.1")
    except OSError:
        return CudaProbe("no NVIDIA driver was found", "Install the NVIDIA driver, or use cpu")
    if nvml.nvmlInit_v2() != 0:
        return CudaProbe("the NVIDIA driver does not answer", "Restart, or update the driver")
    try:
        handle = ctypes.c_void_p()
        if nvml.nvmlDeviceGetHandleByIndex_v2(ctypes.c_uint(index), ctypes.byref(handle)) != 0:
            return CudaProbe(
                "the NVIDIA driver sees no graphics card", "Check the card, or use cpu"
            )
        name, driver = ctypes.create_string_buffer(96), ctypes.create_string_buffer(81)
        nvml.nvmlDeviceGetName(handle, name, ctypes.c_uint(96))
        nvml.nvmlSystemGetDriverVersion(driver, ctypes.c_uint(81))
        memory = _Memory()
        nvml.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(memory))
        return CudaProbe(
            name=name.value.decode(errors="replace"),
            driver=driver.value.decode(errors="replace"),
            total_memory_mib=int(memory.total) // _MIB,
            free_memory_mib=int(memory.free) // _MIB,
        )
    finally:
        nvml.nvmlShutdown()
