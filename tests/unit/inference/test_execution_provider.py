"""The device is chosen from what was found, said in words, and refused with a remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from carez_desktop.errors import DeviceError, UsageError
from carez_desktop.inference import cuda_probe
from carez_desktop.inference.cuda_probe import CudaProbe, missing_libraries, needed_libraries
from carez_desktop.inference.execution_provider import (
    check_memory,
    choose_device,
    fixed_thread_count,
)
from carez_desktop.system import memory

CARD = CudaProbe(name="Test card", driver="580.1", total_memory_mib=8192, free_memory_mib=8000)
NONE = CudaProbe("no NVIDIA driver was found", "Install the NVIDIA driver, or use cpu")


def test_auto_takes_the_card_where_it_was_found() -> None:
    device = choose_device("auto", probe=lambda: CARD)
    assert (device.kind, device.provider) == ("cuda", "CUDAExecutionProvider")
    assert device.reason.startswith("The graphics card Test card")
    assert choose_device("cuda", probe=lambda: CARD).reason.endswith("as asked for")


def test_auto_falls_back_and_says_why() -> None:
    device = choose_device("auto", probe=lambda: NONE)
    assert (device.kind, device.provider) == ("cpu", "CPUExecutionProvider")
    assert device.reason == "The processor, since no NVIDIA driver was found"
    assert device.name


def test_cpu_does_not_even_look_for_a_card() -> None:
    def fail() -> CudaProbe:
        raise AssertionError("looked")

    assert choose_device("cpu", probe=fail).kind == "cpu"


def test_cuda_that_is_not_there_is_an_error_with_a_remedy() -> None:
    with pytest.raises(DeviceError, match="no NVIDIA driver") as refused:
        choose_device("cuda", probe=lambda: NONE)
    assert refused.value.subject == "device"
    assert "Install" in refused.value.hint
    with pytest.raises(UsageError, match="auto, cpu or cuda"):
        choose_device("tpu")


def test_too_little_memory_is_refused_with_both_numbers() -> None:
    device = choose_device("cuda", probe=lambda: CARD)
    check_memory(device, 8000, subject="tiny-flow")
    with pytest.raises(DeviceError, match=r"9000 MiB.*8000 MiB free") as refused:
        check_memory(device, 9000, subject="tiny-flow")
    assert "--device cpu" in refused.value.hint


def test_a_hidden_card_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert cuda_probe.probe_cuda().missing


def test_the_libraries_are_those_of_the_wheel(tmp_path: Path) -> None:
    (tmp_path / "build_and_package_info.py").write_text("cuda_version = '12.8'\n")
    names = needed_libraries(tmp_path)
    assert all("12" in name for name in names[:2])
    lib = tmp_path / "lib"
    lib.mkdir()
    (lib / names[0]).touch()
    assert missing_libraries(names, (tmp_path / "absent", lib)) == names[1:]


def test_threads_are_a_fixed_number() -> None:
    assert fixed_thread_count(3) == 3
    assert fixed_thread_count() >= 1


def test_free_memory_is_the_smaller_of_machine_and_control_group(tmp_path: Path) -> None:
    table = tmp_path / "meminfo"
    table.write_text("MemTotal: 9 kB\nMemAvailable:    4194304 kB\n")
    assert memory._meminfo_mib(table) == 4096
    (tmp_path / "memory.max").write_text(f"{1024 << 20}\n")
    (tmp_path / "memory.current").write_text(f"{600 << 20}\n")
    (tmp_path / "memory.stat").write_text(f"anon 5\ninactive_file {100 << 20}\n")
    assert memory._cgroup_mib(tmp_path) == 524
    (tmp_path / "memory.max").write_text("max\n")
    assert memory._cgroup_mib(tmp_path) is None
    assert memory._meminfo_mib(tmp_path / "absent") is None
    available = memory.available_memory_mib()
    assert available is None or available > 0
