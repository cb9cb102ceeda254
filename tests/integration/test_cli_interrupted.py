"""Real processes that are stopped, killed and run at once: what they leave behind."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from carez_desktop.workflows.context import open_context
from tests.builders.command_line import (
    Outcome,
    names_below,
    outcome_of,
    start_process,
    state_of_files,
)
from tests.builders.dicom_series import SeriesPlan, build_series

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")

PATIENCE_S = 60.0


def carez(home: Path, *arguments: object) -> Outcome:
    return outcome_of(start_process(home, *arguments))


def volumes_in(home: Path) -> int:
    """Count the volumes of a library, after checking that the audit log is whole."""
    context = open_context(home)
    try:
        assert context.audit_log.verify() == ()
        return context.library.count()
    finally:
        context.library.close()


def wait_until(process: Any, ready: Any) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not ready():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A home with one series that takes a while to make a case of, and the series."""
    folder = tmp_path_factory.mktemp("site")
    build_series(folder / "studies", SeriesPlan(shape=(24, 64, 64), series_uid="1.2.3"))
    assert carez(folder / "home", "import", folder / "studies").code == 0
    return folder / "home", folder / "studies"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_in_the_middle_of_generating_leaves_nothing(
    site: tuple[Path, Path], tmp_path: Path, number: signal.Signals
) -> None:
    home, studies = site
    before = state_of_files(studies)
    order = ("generate", "low-dose-ct", "-n", 2000, "--source", "1.2.3")
    process = start_process(home, "--json", *order, "--out", tmp_path / "x.h5")
    wait_until(process, lambda: any(tmp_path.glob(".x.h5.staging-*/*.h5")))
    os.killpg(process.pid, number)  # as a terminal does: the children get it too
    started = time.monotonic()
    told = outcome_of(process).refuses_to_go_on()
    assert time.monotonic() - started < 20
    assert told.document["error"]["code"] == "cancelled"
    assert names_below(tmp_path) == []
    assert state_of_files(studies) == before
    assert carez(home, "audit", "verify").code == 0


def test_a_second_stop_ends_at_once_and_still_leaves_nothing(
    site: tuple[Path, Path], tmp_path: Path
) -> None:
    home, _ = site
    order = ("generate", "low-dose-ct", "-n", 2000, "--source", "1.2.3")
    process = start_process(home, *order, "--out", tmp_path / "x.h5")
    wait_until(process, lambda: any(tmp_path.glob(".x.h5.staging-*/*.h5")))
    os.killpg(process.pid, signal.SIGINT)
    time.sleep(0.05)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
    outcome_of(process).refuses_to_go_on()
    assert names_below(tmp_path) == []


def test_what_a_killed_generation_left_is_removed_by_the_next(
    site: tuple[Path, Path], tmp_path: Path
) -> None:
    home, _ = site
    order = ("generate", "low-dose-ct", "--source", "1.2.3", "--out", tmp_path / "x.h5")
    process = start_process(home, *order, "-n", 2000)
    wait_until(process, lambda: any(tmp_path.glob(".x.h5.staging-*/*.h5")))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not (tmp_path / "x.h5").exists()
    assert carez(home, *order).code == 0
    assert names_below(tmp_path) == ["x.h5"]
    assert carez(home, "bundle", "verify", tmp_path / "x.h5").out == "unsigned\n"
    assert carez(home, "audit", "verify").code == 0


def build_many(folder: Path, series: int, first: int = 0) -> Path:
    for number in range(first, first + series):
        plan = SeriesPlan(shape=(30, 6, 8), series_uid=f"1.2.{number}.1")
        build_series(folder / f"{number}", plan)
    return folder


def test_two_imports_at_once_leave_a_whole_library(tmp_path: Path) -> None:
    home = tmp_path / "home"
    folders = [build_many(tmp_path / f"s{part}", 10, first=10 * part) for part in range(2)]
    processes = [start_process(home, "import", folder) for folder in (*folders, folders[0])]
    for process in processes:
        told = outcome_of(process)
        assert told.code == 0, told
    assert volumes_in(home) == 20


def test_two_generations_to_one_file_leave_one_whole_bundle(
    site: tuple[Path, Path], tmp_path: Path
) -> None:
    home, _ = site
    order = ("generate", "low-dose-ct", "-n", 2, "--source", "1.2.3", "--out", tmp_path / "x.h5")
    told = [outcome_of(p) for p in [start_process(home, *order) for _ in range(2)]]
    assert 0 in {one.code for one in told}
    for one in told:
        assert one.code in (0, 2), one
        assert "Traceback" not in one.err
    assert names_below(tmp_path) == ["x.h5"]
    assert carez(home, "bundle", "verify", tmp_path / "x.h5").code == 0
