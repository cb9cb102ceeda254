"""Bad input on the way from disk to volume, through the real command line: words and exit codes."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders.command_line import (
    CommandLine,
    Outcome,
    names_below,
    outcome_of,
    start_process,
    state_of_files,
)
from tests.builders.dicom_series import SeriesPlan, build_series

UNPRIVILEGED = ("setpriv", "--bounding-set=-all", "--inh-caps=-all") if os.geteuid() == 0 else ()
can_drop = pytest.mark.skipif(
    sys.platform != "linux" or not shutil.which("setpriv"), reason="drops capabilities"
)
can_mount = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("mount"),
    reason="mounts a small disk",
)
GOOD, OTHER = "1.2.3.4", "1.2.3.5"


@pytest.fixture
def studies(tmp_path: Path) -> Path:
    """Two series of five slices."""
    for uid in (GOOD, OTHER):
        build_series(tmp_path / "studies" / uid, SeriesPlan(series_uid=uid))
    return tmp_path / "studies"


@pytest.fixture
def carez(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(tmp_path / "home", capsys)


def unprivileged(home: Path, *arguments: object) -> Outcome:
    """Run a real `carez` that may not read what the owner forbids."""
    return outcome_of(start_process(home, *arguments, before=UNPRIVILEGED))


# Files that may not be read


@can_drop
def test_a_file_that_may_not_be_read_is_named_and_the_rest_comes_in(
    studies: Path, tmp_path: Path
) -> None:
    forbidden = sorted((studies / GOOD).iterdir())[2]
    forbidden.chmod(0)
    told = unprivileged(tmp_path / "home", "import", studies)
    forbidden.chmod(0o600)
    assert told.code == 0, told
    assert "Traceback" not in told.err
    assert f"{forbidden}" in told.err
    assert "Permission denied" in told.err
    assert "1 file could not be read" in told.err


@can_drop
def test_a_folder_that_may_not_be_read_is_named(studies: Path, tmp_path: Path) -> None:
    (studies / OTHER).chmod(0)
    told = unprivileged(tmp_path / "home", "import", studies)
    alone = unprivileged(tmp_path / "home2", "import", studies / OTHER)
    (studies / OTHER).chmod(0o700)
    assert told.code == 0, told
    assert str(studies / OTHER) in told.err
    assert "Permission denied" in told.err
    alone.refuses(3, str(studies / OTHER), "Permission denied")


@can_drop
def test_a_library_that_may_not_be_opened_is_named(studies: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert unprivileged(home, "import", studies).code == 0
    (home / "library").chmod(0)
    told = unprivileged(home, "series")
    (home / "library").chmod(0o700)
    told.refuses(6, str(home / "library"))
    assert unprivileged(home, "series").code == 0


# Files that change between import and load


@pytest.mark.parametrize("which", [0, 2, 4])
def test_a_file_that_vanished_is_named_when_the_volume_is_loaded(
    carez: CommandLine, studies: Path, tmp_path: Path, which: int
) -> None:
    carez("import", studies).does()
    gone = sorted((studies / GOOD).iterdir())[which]
    kept = gone.read_bytes()
    gone.unlink()
    told = carez("volume", GOOD, "--out", tmp_path / "x.nii.gz")
    told.refuses(3, str(gone))
    assert not (tmp_path / "x.nii.gz").exists()
    carez("volume", OTHER, "--out", tmp_path / "y.nii.gz").does()
    gone.write_bytes(kept)
    carez("volume", GOOD, "--out", tmp_path / "x.nii.gz").does()


def test_a_file_that_was_cut_after_its_import_is_named(
    carez: CommandLine, studies: Path, tmp_path: Path
) -> None:
    carez("import", studies).does()
    cut = sorted((studies / GOOD).iterdir())[3]
    cut.write_bytes(cut.read_bytes()[:-30])
    carez("volume", GOOD, "--out", tmp_path / "x.nii.gz").refuses(3, str(cut), "truncated")


def test_a_file_that_became_another_is_named(
    carez: CommandLine, studies: Path, tmp_path: Path
) -> None:
    carez("import", studies).does()
    changed, other = sorted((studies / GOOD).iterdir())[1], sorted((studies / OTHER).iterdir())[1]
    changed.write_bytes(other.read_bytes())
    carez("volume", GOOD, "--out", tmp_path / "x.nii.gz").refuses(3, str(changed), "changed")


def test_a_folder_that_vanished_leaves_the_library_usable(
    carez: CommandLine, studies: Path, tmp_path: Path
) -> None:
    carez("import", studies).does()
    shutil.rmtree(studies / GOOD)
    carez("volume", GOOD, "--out", tmp_path / "x.nrrd").refuses(3, str(studies / GOOD))
    listed = carez("--json", "series").document
    assert {volume["volume_id"] for volume in listed} == {GOOD, OTHER}
    carez("import", studies).does()
    carez("volume", OTHER, "--out", tmp_path / "y.nrrd").does()


# A table of labels


def test_keys_that_nobody_has_are_listed_and_the_others_join(
    carez: CommandLine, studies: Path, tmp_path: Path
) -> None:
    carez("import", studies).does()
    table = tmp_path / "labels.csv"
    table.write_text(f"series_instance_uid,disease\n{GOOD},nodule\n9.9.9,none\n8.8.8,none\n")
    carez("library", "label", table).does("1 key", "9.9.9", "8.8.8")
    document = carez("--json", "library", "label", table).document
    assert set(document["unmatched"]) == {"9.9.9", "8.8.8"}
    assert len(document["matched"]) == 1
    labels = {v["volume_id"]: v["labels"] for v in carez("--json", "series").document}
    assert labels == {GOOD: {"disease": "nodule"}, OTHER: {}}


def test_two_rows_for_one_patient_that_disagree_are_refused_with_both_lines(
    carez: CommandLine, studies: Path, tmp_path: Path
) -> None:
    carez("import", studies).does()
    table = tmp_path / "labels.csv"
    table.write_text("patient_id,disease\nP1,nodule\nP2,none\nP1,none\n")
    carez("library", "label", table).refuses(3, "labels.csv", "lines 2 and 4")
    assert {str(v["labels"]) for v in carez("--json", "series").document} == {"{}"}
    table.write_text("patient_id,disease\nP1,nodule\nP1,nodule\n")
    carez("library", "label", table).does()


@pytest.mark.parametrize(
    "content",
    [b"", b"nothing\n", b"patient_id\nP1\n", b"\x00\xff\xfe", b"disease\nnodule\n"],
    ids=["empty", "header", "no labels", "binary", "no key"],
)
def test_a_table_that_is_none_changes_nothing(
    carez: CommandLine, studies: Path, tmp_path: Path, content: bytes
) -> None:
    carez("import", studies).does()
    table = tmp_path / "labels.csv"
    table.write_bytes(content)
    told = carez("library", "label", table)
    assert told.code in (2, 3), told
    told.refuses(told.code, "labels.csv")
    assert {str(v["labels"]) for v in carez("--json", "series").document} == {"{}"}


def test_a_library_of_a_newer_version_is_left_alone(carez: CommandLine, studies: Path) -> None:
    carez("import", studies).does()
    library = carez.home / "library" / "library.sqlite3"
    with sqlite3.connect(library) as connection:
        connection.execute("INSERT INTO schema_version VALUES (999, '2040-01-01')")
    connection.close()
    before = library.read_bytes()
    for order in (("import", studies), ("library", "rescan"), ("volume", GOOD, "--out", "x.nrrd")):
        carez(*order).refuses(6, str(library), "newer")
    assert library.read_bytes() == before


# A disk that is full


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    order = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)]
    if subprocess.run(order, check=False).returncode:
        pytest.skip("no permission to mount")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


@can_mount
def test_an_import_onto_a_full_disk_keeps_the_library_as_it_was(
    studies: Path, tmp_path: Path, small_disk: Path
) -> None:
    home = small_disk / "home"
    assert outcome_of(start_process(home, "import", studies / GOOD)).code == 0
    for number in range(12):
        plan = SeriesPlan(shape=(30, 4, 4), series_uid=f"1.2.9.{number}")
        build_series(studies / f"more{number}", plan)
    filler = small_disk / "filler"
    with filler.open("wb") as stream:
        free = os.statvfs(small_disk)
        stream.write(b"x" * max(0, (free.f_bavail - 6) * free.f_frsize))
    told = outcome_of(start_process(home, "import", studies))
    told.refuses(6, str(home))
    assert "full" in told.err or "space" in told.err.lower()
    filler.unlink()
    listed = outcome_of(start_process(home, "--json", "series"))
    assert listed.code == 0, listed
    assert {volume["volume_id"] for volume in listed.document} == {GOOD}
    assert outcome_of(start_process(home, "import", studies)).code == 0
    assert len(outcome_of(start_process(home, "--json", "series")).document) == 14


# Nothing of the above changes the source


def test_bad_input_never_changes_the_source(
    carez: CommandLine, studies: Path, tmp_path: Path
) -> None:
    before, names = state_of_files(studies), names_below(studies)
    carez("import", studies).does()
    carez("volume", GOOD, "--out", tmp_path / "x.nrrd").does()
    carez("volume", "9.9.9", "--out", tmp_path / "z.nrrd").refuses(3, "9.9.9")
    assert (state_of_files(studies), names_below(studies)) == (before, names)
