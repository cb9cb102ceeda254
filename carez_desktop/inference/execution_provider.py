"""Choose where a network runs, say so in words, and refuse what the memory does not allow."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from carez_desktop.errors import DeviceError, UsageError
from carez_desktop.inference.cuda_probe import CudaProbe, probe_cuda
from carez_desktop.system.memory import available_memory_mib

DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True, slots=True)
class ExecutionDevice:
    """Where a network runs.

    Attributes:
        kind: `cpu` or `cuda`.
        provider: Name of ONNX Runtime's execution provider.
        name: Of the processor or graphics card.
        driver: Version of the graphics driver; "" on the processor.
        reason: Why this one, in words for a person.
        total_memory_mib: Of the graphics card; 0 on the processor.
        free_memory_mib: What can be taken now; None where unknown.
    """

    kind: str
    provider: str
    name: str
    driver: str
    reason: str
    total_memory_mib: int
    free_memory_mib: int | None


def choose_device(
    requested: str = "auto", *, probe: Callable[[], CudaProbe] = probe_cuda
) -> ExecutionDevice:
    """Choose CUDA where it was found, else the processor.

    Args:
        requested: `auto`, `cpu` or `cuda`.
        probe: Looks for CUDA.

    Raises:
        UsageError: Another word. DeviceError: CUDA was asked for and is not there.
    """
    if requested not in DEVICES:
        raise UsageError(
            f"There is no device {requested}", subject="device", hint="Give auto, cpu or cuda"
        )
    if requested == "cpu":
        return _processor("The processor, as asked for")
    found = probe()
    if not found.missing:
        how = "as asked for" if requested == "cuda" else "found with its driver and libraries"
        return ExecutionDevice(
            "cuda",
            "CUDAExecutionProvider",
            found.name,
            found.driver,
            f"The graphics card {found.name}, {how}",
            found.total_memory_mib,
            found.free_memory_mib,
        )
    if requested == "cuda":
        raise DeviceError(
            f"CUDA cannot be used: {found.missing}", subject="device", hint=found.remedy
        )
    return _processor(f"The processor, since {found.missing}")


def check_memory(device: ExecutionDevice, needed_mib: int, *, subject: str) -> None:
    """Refuse work that needs more memory than the device can give.

    Args:
        device: Where it would run.
        needed_mib: What it needs, MiB.
        subject: What needs it (the generator).

    Raises:
        DeviceError: With both numbers.
    """
    free = device.free_memory_mib
    if free is not None and free < needed_mib:
        raise DeviceError(
            f"It needs {needed_mib} MiB of memory, {device.name} has {free} MiB free",
            subject=subject,
            hint="Close other programs"
            + (", or use the processor: --device cpu" if device.kind == "cuda" else ""),
        )


def fixed_thread_count(requested: int = 0) -> int:
    """Return how many threads a network runs on: the given number, or all allowed cores.

    The number goes into the provenance, since sums may differ in the last bit with another.
    """
    if requested > 0:
        return requested
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else (os.cpu_count() or 1)


def _processor(reason: str) -> ExecutionDevice:
    return ExecutionDevice(
        "cpu", "CPUExecutionProvider", _processor_name(), "", reason, 0, available_memory_mib()
    )


def _processor_name() -> str:
    table = Path("/proc/cpuinfo")
    if table.is_file():
        for line in table.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
