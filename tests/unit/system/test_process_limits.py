from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from carez_desktop.errors import ChildCrashError
from carez_desktop.system import process_limits
from carez_desktop.system.child_process import ChildPool
from carez_desktop.system.process_limits import confine, describe_death
from tests.builders.child_functions import HERE

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of Linux")


@LINUX
def test_a_child_is_limited_and_knows_no_secret(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CAREZ_TEST_SECRET", "key")
    monkeypatch.setenv("PYTHONSTARTUP", "evil.py")
    kept = [os.open(os.devnull, os.O_RDONLY) for _ in range(3)]
    for descriptor in kept:
        os.set_inheritable(descriptor, True)
    pool = ChildPool(processes=1, memory_mib=1500)
    try:
        said = pool.run(f"{HERE}:describe_self", {}, timeout_s=7.0)
    finally:
        pool.close()
        for descriptor in kept:
            os.close(descriptor)
    limits = said["limits"]
    assert limits["RLIMIT_AS"] == 1500 << 20
    assert (limits["RLIMIT_FSIZE"], limits["RLIMIT_CORE"], limits["RLIMIT_NOFILE"]) == (0, 0, 64)
    assert 7 < limits["RLIMIT_CPU"] < 20
    assert said["no_new_privileges"] == "1"
    assert said["filter"] == "2"
    assert not {"CAREZ_TEST_SECRET", "PYTHONSTARTUP"} & set(said["environment"])
    assert not set(kept) & set(said["descriptors"])
    assert len(said["descriptors"]) <= 5  # three standard ones, the line, the listed folder
    assert not said["in_working_folder"] or str(Path.cwd()) in sys.path


@LINUX
def test_processor_time_ends_a_child_even_if_its_parent_does_not_look() -> None:
    pool = ChildPool(processes=1)
    try:
        pool.run(f"{HERE}:echo", {})
        stream = pool.stream(f"{HERE}:compute_then_sleep", [{"seconds": 60}], timeout_s=30.0)
        start = time.monotonic()
        outcome = next(stream)
    finally:
        pool.close()
    assert outcome.error is not None
    assert "SIGXCPU" in str(outcome.error)
    assert time.monotonic() - start < 20


def test_deaths_in_words() -> None:
    assert "memory that is not its own" in describe_death(-signal.SIGSEGV)
    assert "killed from outside" in describe_death(-signal.SIGKILL)
    assert describe_death(-63) == "signal 63"
    assert describe_death(3) == "status 3"
    assert describe_death(None) == "status None"


def test_a_system_without_limits_is_refused_and_nothing_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process_limits.sys, "platform", "plan9")
    with subprocess.Popen([sys.executable, "-c", "pass"]) as other:
        with pytest.raises(ChildCrashError, match="cannot limit a process"):
            confine(other, 100)
        other.kill()


@pytest.mark.skipif(ctypes.sizeof(ctypes.c_void_p) != 8, reason="sizes of 64 bits")
def test_the_windows_structures_have_the_sizes_of_winnt_h() -> None:
    """JOBOBJECT_BASIC_LIMIT_INFORMATION is 64 bytes, the extended one 144 (x64)."""
    assert ctypes.sizeof(process_limits._BasicLimits) == 64
    assert ctypes.sizeof(process_limits._ExtendedLimits) == 144
