from __future__ import annotations

import os
import platform
import re
import sys
from pathlib import Path

import pytest

from carez_desktop.system.call_filter import _FORBIDDEN, _PROCESSORS, _program
from carez_desktop.system.child_process import ChildPool
from carez_desktop.system.limited_process import run_limited
from tests.builders.child_functions import HERE

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or platform.machine() not in _PROCESSORS,
    reason="no filter for this system",
)
ALLOWED = {"read", "thread"}


def check(said: dict[str, str], folder: Path) -> None:
    assert {name for name, what in said.items() if what == "done"} == ALLOWED
    assert {what for name, what in said.items() if name not in ALLOWED} == {"PermissionError"}
    assert [path.name for path in folder.iterdir()] == ["old"]
    assert (folder / "old").read_text() == "kept"


def test_a_child_of_the_pool_reads_and_computes_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("kept")
    pool = ChildPool(processes=1)
    try:
        request = {"folder": str(tmp_path), "parent": os.getpid()}
        check(pool.run(f"{HERE}:forbidden", request), tmp_path)
    finally:
        pool.close()


def test_so_does_a_fresh_one(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("kept")
    request = {"folder": str(tmp_path), "parent": os.getpid()}
    said = run_limited(f"{HERE}:forbidden", {"request": request}, memory_mib=2048, timeout_s=30)
    check(said, tmp_path)


def numbers_in(pattern: str) -> dict[str, int]:
    """Calls as a header of the kernel numbers them; empty where it is not installed."""
    found: dict[str, int] = {}
    for header in Path("/usr/include").glob(pattern):
        for line in header.read_text().splitlines():
            match = re.match(r"#define __NR(?:3264)?_(\w+)\s+(\d+)$", line)
            if match:
                found[match[1]] = int(match[2])
    return found


@pytest.mark.parametrize(
    ("name", "pattern"),
    [("x86_64", "**/asm/unistd_64.h"), ("aarch64", "asm-generic/unistd.h")],
)
def test_the_numbers_are_the_kernel_s(name: str, pattern: str) -> None:
    known = numbers_in(pattern)
    if not known:
        pytest.skip("no kernel headers")
    processor = _PROCESSORS[name]
    ours = {call: numbers[processor.column] for call, numbers in _FORBIDDEN.items()}
    ours |= {call: getattr(processor, call) for call in ("seccomp", "openat", "clone", "tgkill")}
    ours["open"] = processor.open
    assert len(ours.keys() & known.keys()) > 45
    for call in ours.keys() & known.keys():
        assert ours[call] in (known[call], -1), call
    if name == "x86_64":
        assert -1 not in ours.values()


@pytest.mark.parametrize("name", list(_PROCESSORS))
def test_the_program_fits_the_kernel(name: str) -> None:
    program = _program(_PROCESSORS[name], 1)
    assert len(program) % 8 == 0
    assert len(program) // 8 < 4096  # BPF_MAXINSNS


def test_what_is_asked_second_can_still_be_imported_in_a_child() -> None:
    pool = ChildPool(processes=1, timeout_s=60.0)
    try:
        modules = ["pydicom.pixels.decoders.base", "gdcm", "imagecodecs", "h5py"]
        pool.run(f"{HERE}:import_modules", {"modules": modules})
    finally:
        pool.close()
