"""What the workstation says of its machine: the device that generates, and that nothing leaves."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from carez_desktop import __version__
from carez_desktop.system.network_guard import is_network_guarded
from carez_desktop.system.paths import resource_path
from carez_desktop.workflows.context import WorkflowContext


@dataclass(frozen=True, slots=True)
class WorkstationFacts:
    """What stands in the status bar and where the looks come from.

    Attributes:
        device: `GPU: ...` or `CPU, 2 cores`, in words.
        network: `network: off` while the guard holds.
        theme: File with the colours and sizes.
    """

    device: str
    network: str
    theme: Path
    home: Path
    version: str


def describe_workstation(context: WorkflowContext) -> WorkstationFacts:
    """Describe machine and installation without loading a generator's libraries.

    Whether the GPU is used by a generator is known only when it runs; its provenance says it.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    driver = Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi") is not None
    processor = f"CPU {cores} cores"
    device = f"GPU: NVIDIA, {processor}" if driver else f"GPU: none, {processor}"
    network = "network: off" if is_network_guarded() else "network: not guarded"
    return WorkstationFacts(device, network, resource_path("theme.toml"), context.home, __version__)
