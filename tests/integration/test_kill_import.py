"""SIGKILL at random moments: the library opens, nothing is half there, the next run completes."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from carez_desktop.domain.study import VolumeRecord
from carez_desktop.workflows.context import open_context
from tests.builders.command_line import Outcome, outcome_of, start_process, state_of_files
from tests.builders.dicom_series import SeriesPlan, build_series
from tests.builders.old_libraries import plain_volume, write_version_1

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")

DEFAULT_KILLS, SOAK_KILLS = 5, 50
SLICES, SERIES_A_ROUND = 30, 3


def carez(home: Path, *arguments: object) -> Outcome:
    return outcome_of(start_process(home, *arguments))


def volumes_of(home: Path) -> tuple[VolumeRecord, ...]:
    """The volumes of a library, after checking that audit log and database are whole."""
    context = open_context(home)
    try:
        assert context.audit_log.verify() == ()
        (path,) = (home / "library").glob("*.sqlite3")
        assert path.is_file()
        assert not list((home / "crash-reports").glob("*"))
        return context.library.volumes()
    finally:
        context.library.close()


def add_series(folder: Path, first: int, count: int = SERIES_A_ROUND) -> None:
    for number in range(first, first + count):
        plan = SeriesPlan(shape=(SLICES, 6, 8), series_uid=f"1.2.{number}.1")
        build_series(folder / str(number), plan)


@dataclass
class Killer:
    """Kills commands of one home at moments that its seed says, which a failure prints."""

    home: Path
    seed: int = field(default_factory=lambda: int(time.time()))
    kills: int = 0

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)
        self._whole_s = 0.0

    def complete(self, *order: object) -> Outcome:
        """Let a command end, and remember how long it takes."""
        started = time.monotonic()
        told = carez(self.home, *order)
        assert told.code == 0, (self.seed, told)
        self._whole_s = max(self._whole_s, time.monotonic() - started)
        return told

    def kill(self, *order: object) -> None:
        """Start a command and kill it and its children some time after it began to work."""
        process = start_process(self.home, *order)
        time.sleep(self._dice.uniform(0.3, 1.0) * self._whole_s)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            self.kills += 1
        process.communicate()


def whole_series(records: tuple[VolumeRecord, ...]) -> int:
    """How many series there are, none of which lacks a slice."""
    assert {record.shape[0] for record in records} <= {SLICES}
    return len(records)


def kill_imports(tmp_path: Path, times: int, options: tuple[str, ...] = ()) -> None:
    """Kill imports of a growing archive: each leaves what was there, or all that is new."""
    studies, killer = tmp_path / "studies", Killer(tmp_path / "home")
    add_series(studies, 0)
    killer.complete("import", *options, studies)
    known = SERIES_A_ROUND
    for turn in range(1, times + 1):
        add_series(studies, SERIES_A_ROUND * turn)
        before = state_of_files(studies)
        killer.kill("import", *options, studies)
        now = whole_series(volumes_of(killer.home))
        total = SERIES_A_ROUND * (turn + 1)
        assert now in (known, total), f"{now} series, seed {killer.seed}"
        assert state_of_files(studies) == before
        known = now
    killer.complete("import", *options, studies)
    assert whole_series(volumes_of(killer.home)) == SERIES_A_ROUND * (times + 1)
    (volume, *_) = volumes_of(killer.home)
    told = carez(killer.home, "volume", volume.volume_id, "--out", tmp_path / "x.nrrd")
    assert told.code == 0, told
    assert killer.kills >= times // 3, "too few were killed to tell"


def test_an_import_that_is_killed_five_times_completes_in_the_end(tmp_path: Path) -> None:
    kill_imports(tmp_path, DEFAULT_KILLS)


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_an_import_that_is_killed_fifty_times_completes_in_the_end(tmp_path: Path) -> None:
    kill_imports(tmp_path, SOAK_KILLS)


def test_a_killed_managed_copy_leaves_no_file_that_nobody_knows(tmp_path: Path) -> None:
    kill_imports(tmp_path, 2, ("--copy",))
    assert files_of_library(tmp_path / "home") == managed_files(tmp_path / "home")


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_a_managed_copy_that_is_killed_twenty_times(tmp_path: Path) -> None:
    kill_imports(tmp_path, 20, ("--copy",))
    assert files_of_library(tmp_path / "home") == managed_files(tmp_path / "home")


def test_a_killed_import_of_archives_completes_in_the_end(tmp_path: Path) -> None:
    kill_archives(tmp_path, 2)


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_an_import_of_archives_that_is_killed_twenty_times(tmp_path: Path) -> None:
    kill_archives(tmp_path, 20)


def kill_archives(tmp_path: Path, times: int) -> None:
    """Kill imports of one more ZIP each; what was half unpacked goes with the next import."""
    inbox, killer = tmp_path / "inbox", Killer(tmp_path / "home")
    inbox.mkdir()
    known = 0
    for turn in range(times + 1):
        series = tmp_path / f"series{turn}"
        add_series(series, SERIES_A_ROUND * turn)
        with zipfile.ZipFile(inbox / f"{turn}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(series.rglob("*")):
                if path.is_file():
                    archive.write(path, str(path.relative_to(series)))
        before = state_of_files(inbox)
        if turn:
            killer.kill("import", inbox)
        else:
            killer.complete("import", inbox)
        now = whole_series(volumes_of(killer.home))
        total = SERIES_A_ROUND * (turn + 1)
        assert now in (known, total), f"{now} series, seed {killer.seed}"
        assert state_of_files(inbox) == before
        known = now
    killer.complete("import", inbox)
    assert whole_series(volumes_of(killer.home)) == SERIES_A_ROUND * (times + 1)
    assert files_of_library(killer.home) == managed_files(killer.home)


def files_of_library(home: Path) -> set[Path]:
    return {Path(path) for record in volumes_of(home) for path in record.paths}


def managed_files(home: Path) -> set[Path]:
    """Every file that was unpacked or copied into the home, but for lists of contents."""
    return {
        path
        for path in (home / "studies").rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


def test_labels_of_a_killed_join_are_all_old_or_all_new(tmp_path: Path) -> None:
    kill_labels(tmp_path, 2)


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_a_join_of_labels_that_is_killed_fifty_times(tmp_path: Path) -> None:
    kill_labels(tmp_path, SOAK_KILLS)


def kill_labels(tmp_path: Path, times: int) -> None:
    """Kill joins of tables that each give every volume another outcome."""
    studies, killer, table = tmp_path / "studies", Killer(tmp_path / "home"), tmp_path / "l.csv"
    for number in range(60):
        build_series(studies / str(number), SeriesPlan((1, 2, 2), series_uid=f"1.2.{number}.1"))
    assert carez(killer.home, "import", studies).code == 0
    uids = [f"1.2.{number}.1" for number in range(60)]
    value = "0"
    for turn in range(times + 1):
        rows = [f"{uid},{turn}" for uid in uids]
        table.write_text("\n".join(["series_instance_uid,outcome", *rows]))
        if turn:
            killer.kill("library", "label", table)
        else:
            killer.complete("library", "label", table)
        found = {record.labels.get("outcome", "") for record in volumes_of(killer.home)}
        assert found in ({value}, {str(turn)}), f"seed {killer.seed}"
        (value,) = found
    killer.complete("library", "label", table)
    assert {r.labels["outcome"] for r in volumes_of(killer.home)} == {str(times)}


def test_a_killed_migration_loses_nothing(tmp_path: Path) -> None:
    kill_migrations(tmp_path, 2)


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_a_migration_that_is_killed_thirty_times(tmp_path: Path) -> None:
    kill_migrations(tmp_path, 30)


def kill_migrations(tmp_path: Path, times: int) -> None:
    """Kill the first start of a new version over a library of the old one."""
    volumes = [plain_volume(number, "/data") for number in range(1, 2001)]
    killer = Killer(tmp_path / "first")
    library = killer.home / "library" / "library.sqlite3"
    write_version_1(library, volumes)
    old = library.read_bytes()
    killer.complete("series", "--search", "nobody")
    for turn in range(times):
        killer.home = tmp_path / f"home{turn}"
        (killer.home / "library").mkdir(parents=True)
        killer.home.chmod(0o700)
        (killer.home / "library" / "library.sqlite3").write_bytes(old)
        killer.kill("series", "--search", "nobody")
        assert len(volumes_of(killer.home)) == len(volumes), f"seed {killer.seed}"
        shutil.rmtree(killer.home)


def test_a_first_import_that_is_killed_leaves_all_or_nothing(tmp_path: Path) -> None:
    studies = tmp_path / "studies"
    add_series(studies, 0, 20)
    for attempt, name in enumerate(("library.sqlite3", "library.sqlite3-wal")):
        home = tmp_path / f"home{attempt}"
        process = start_process(home, "import", studies)
        deadline = time.monotonic() + 60
        while not (home / "library" / name).exists() and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        assert whole_series(volumes_of(home)) in (0, 20)
        assert carez(home, "import", studies).code == 0
        assert whole_series(volumes_of(home)) == 20
