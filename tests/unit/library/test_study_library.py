"""The library: what goes in comes out, is found, survives, and says what is wrong with the file."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from carez_desktop.domain.cohort import Cohort, CohortMember
from carez_desktop.domain.finding import Finding, Severity
from carez_desktop.domain.study import ReferencedObject, UnreadableFile, VolumeRecord
from carez_desktop.domain.volume import VolumeKind
from carez_desktop.errors import NotFoundError, StorageError
from carez_desktop.library.database import refuse_network_drive
from carez_desktop.library.schema import SCHEMA_VERSION
from carez_desktop.library.study_library import StudyLibrary


def make_record(number: int = 1, **changes: object) -> VolumeRecord:
    record = VolumeRecord(
        volume_id=f"1.2.{number}",
        series_instance_uid=f"1.2.{number}",
        study_instance_uid=f"1.1.{number}",
        patient_id=f"PAT{number:03d}",
        modality="CT",
        description="Thorax lung",
        shape=(143, 512, 256),
        spacing_mm=(2.0, 0.54, 0.61),
        orientation="SPL",
        kind=VolumeKind.REAL,
        source_format="dicom",
        paths=(f"/data/s{number}/IM0001", f"/data/s{number}/IM0002", "/data/other/x.dcm"),
        frame_of_reference_uid="1.9",
        findings=(Finding(Severity.WARNING, "duplicate", "IM0001", "Given twice"),),
        objects=(
            ReferencedObject("SEG", "1.5", "1.6", (f"1.2.{number}",), f"/data/seg{number}.dcm"),
        ),
        attributes={
            "patient_name": "Müller^Änne",
            "study_date": "20240131",
            "manufacturer": "SIEMENS",
            "kvp": 120.0,
            "ctdi_vol": None,
            "body_part_examined": "CHEST",
        },
        labels={"disease": "nodule"},
    )
    return replace(record, **changes)  # type: ignore[arg-type]


@pytest.fixture
def library(tmp_path: Path):
    opened = StudyLibrary(tmp_path / "library")
    yield opened
    opened.close()


def test_a_record_comes_back_as_it_went_in(library: StudyLibrary) -> None:
    first = make_record(1)
    second = make_record(2, spacing_mm=None, refusal="tilted by 18.5 degrees", paths=())
    library.add_volumes([first, second])
    assert library.volumes() == (first, second)
    assert library.volume("1.2.2") == second
    assert library.count() == 2


@pytest.mark.parametrize(
    "typed",
    [
        *("pat001", "mull", "MÜLLER", "änn", "thor lu", "ct", "siem", "chest", "2024", "2024-01"),
        *("20240131", "1.2.1", "nodule", "  thorax   müller^änne ", "real"),
    ],
)
def test_search_finds_what_is_typed(library: StudyLibrary, typed: str) -> None:
    other = make_record(
        2,
        modality="MR",
        description="Axial T1",
        kind=VolumeKind.SYNTHETIC,
        attributes={"patient_name": "Doe^Jane", "study_date": "19991231"},
        labels={},
    )
    library.add_volumes([make_record(1), other])
    assert [record.volume_id for record in library.volumes(typed)] == ["1.2.1"]


@pytest.mark.parametrize("typed", ['"', "AND", "NEAR(", "*", "a' OR 1=1 --", "col:x", "^", "(ct"])
def test_whatever_is_typed_is_words_and_no_query(library: StudyLibrary, typed: str) -> None:
    library.add_volumes([make_record(1)])
    found = library.volumes(typed)
    assert found == (library.volumes() if typed == "(ct" else ())


def test_an_empty_search_lists_all_and_limits_apply(library: StudyLibrary) -> None:
    library.add_volumes([make_record(number) for number in range(1, 8)])
    assert len(library.volumes("  ")) == 7
    assert [r.patient_id for r in library.volumes(limit=2, offset=3)] == ["PAT004", "PAT005"]
    assert len(library.volumes("thorax", limit=3)) == 3


def test_importing_a_series_again_replaces_it_and_keeps_labels(library: StudyLibrary) -> None:
    split = [make_record(1, volume_id=f"1.2.1:{k}", set_index=k) for k in (1, 2, 3)]
    library.add_volumes(split)
    library.set_thumbnail("1.2.1:1", b"png")
    library.add_volumes([make_record(1, volume_id="1.2.1:1", labels={}, description="Other")])
    (only,) = library.volumes()
    assert only.labels == {"disease": "nodule"}
    assert library.volumes("thorax") == ()
    assert library.volumes("other") == (only,)
    assert library.thumbnail("1.2.1:1") is None


def test_of_two_copies_the_first_is_kept(library: StudyLibrary) -> None:
    library.add_volumes([make_record(1), make_record(1, description="copy")])
    assert [record.description for record in library.volumes()] == ["Thorax lung"]


def test_volume_files_without_series_do_not_replace_each_other(library: StudyLibrary) -> None:
    library.add_volumes([make_record(1, series_instance_uid="")])
    library.add_volumes([make_record(2, series_instance_uid="")])
    library.add_volumes([make_record(1, series_instance_uid="", description="again")])
    assert [record.description for record in library.volumes()] == ["again", "Thorax lung"]


def test_a_missing_volume_names_the_way_on(library: StudyLibrary) -> None:
    library.add_volumes([make_record(1, volume_id=f"1.2.1:{k}") for k in (1, 2)])
    with pytest.raises(NotFoundError, match=r"1\.2\.1:1, 1\.2\.1:2"):
        library.volume("1.2.1")
    with pytest.raises(NotFoundError, match="carez series"):
        library.volume("9.9")


def test_unreadable_files_stay_until_they_are_read(library: StudyLibrary) -> None:
    bad = [UnreadableFile("/data/s1/IM0001", "truncated"), UnreadableFile("/data/b", "text")]
    library.add_volumes([], bad)
    assert library.unreadable_files() == (bad[1], bad[0])
    library.add_volumes([make_record(1)])
    assert library.unreadable_files() == (bad[1],)


def test_update_keeps_thumbnail_and_changes_search(library: StudyLibrary) -> None:
    library.add_volumes([make_record(1)])
    library.set_thumbnail("1.2.1", b"png")
    library.update_volumes([make_record(1, kind=VolumeKind.SYNTHETIC, description="Caught")])
    assert library.volumes("caught synth")[0].kind is VolumeKind.SYNTHETIC
    assert library.volumes("thorax") == ()
    assert library.thumbnail("1.2.1") == b"png"
    assert library.kinds() == {VolumeKind.SYNTHETIC: 1}


def test_what_was_made_here_is_known_again(library: StudyLibrary) -> None:
    library.issue_uids(["2.25.1", "2.25.2"])
    many = [f"2.25.{number}" for number in range(1500)]
    assert library.issued_uids(many) == {"2.25.1", "2.25.2"}
    library.remember_digest("ab" * 32, shape=(3, 4, 5), origin="bundle#case-0001")
    assert library.known_digest("ab" * 32) == "bundle#case-0001"
    assert library.known_digest("cd" * 32) is None
    assert library.has_synthetic_shape((3, 4, 5))
    assert not library.has_synthetic_shape((3, 5, 4))
    library.add_volumes([make_record(1)])
    library.set_pixel_digest("1.2.1", "ef" * 32)
    assert library.pixel_digest("1.2.1") == "ef" * 32
    library.set_pixel_digest("9.9", "ef" * 32)
    assert library.pixel_digest("9.9") is None


def test_stand_in_is_remembered(tmp_path: Path) -> None:
    library = StudyLibrary(tmp_path)
    assert not library.simulated_stand_in
    library.simulated_stand_in = True
    library.close()
    again = StudyLibrary(tmp_path)
    assert again.simulated_stand_in
    again.close()


def test_cohort_versions_are_frozen(library: StudyLibrary) -> None:
    members = (
        CohortMember("1.2.2", "P2", "train", {"disease": "nodule"}),
        CohortMember("1.2.1", "P1", "test"),
    )
    first = library.save_cohort(Cohort("chest", 7, members, "2026-01-01T00:00:00+00:00", True))
    assert first.version == 1
    assert library.save_cohort(replace(first, version=0, created_utc="later")) == first
    second = library.save_cohort(replace(first, members=members[:1]))
    assert second.version == 2
    assert library.cohort("chest") == second
    assert library.cohort("chest", 1) == first
    assert library.cohorts() == (first, second)
    with pytest.raises(NotFoundError, match="chest"):
        library.cohort("head")
    with pytest.raises(NotFoundError, match="version 3"):
        library.cohort("chest", 3)


def test_threads_share_one_library(library: StudyLibrary) -> None:
    failures: list[BaseException] = []

    def fill(start: int) -> None:
        try:
            for number in range(start, start + 20):
                library.add_volumes([make_record(number)])
                library.volumes("thorax", limit=5)
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=fill, args=(1000 * k,)) for k in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert library.count() == 80
    # Connections of threads that ended are closed by the next thread that comes.
    late = threading.Thread(target=library.count)
    late.start()
    late.join()
    assert len(library.database._connections) <= 2


def test_two_processes_write_at_once(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from carez_desktop.library.study_library import StudyLibrary\n"
        "library = StudyLibrary(Path(sys.argv[1]))\n"
        "for k in range(200):\n"
        "    library.issue_uids([f'2.25.{sys.argv[2]}{k:03d}'])\n"
    )
    children = [
        subprocess.Popen([sys.executable, "-c", script, str(tmp_path), name]) for name in "12"
    ]
    assert [child.wait(timeout=60) for child in children] == [0, 0]
    library = StudyLibrary(tmp_path)
    assert len(library.issued_uids([f"2.25.{n}{k:03d}" for n in "12" for k in range(200)])) == 400
    library.close()


def test_a_kill_in_the_middle_of_an_import_leaves_the_old_library(tmp_path: Path) -> None:
    library = StudyLibrary(tmp_path)
    library.add_volumes([make_record(1)])
    library.close()
    script = (
        "import os, sys; from pathlib import Path\n"
        "from carez_desktop.library import import_rows, study_library\n"
        "seen = []\n"
        "real = import_rows._keep_volume\n"
        "def insert(*values):\n"
        "    real(*values); seen.append(1)\n"
        "    if len(seen) == 2: os._exit(9)\n"
        "import_rows._keep_volume = insert\n"
        "library = study_library.StudyLibrary(Path(sys.argv[1]))\n"
        "record = library.volume('1.2.1')\n"
        "from dataclasses import replace\n"
        "library.add_volumes([replace(record, volume_id=f'1.2.1:{k}') for k in (1, 2, 3)])\n"
    )
    assert subprocess.run([sys.executable, "-c", script, str(tmp_path)]).returncode == 9
    again = StudyLibrary(tmp_path)
    assert again.volumes() == (make_record(1),)
    again.add_volumes([make_record(2)])
    again.close()


def test_a_newer_library_is_refused_unchanged(tmp_path: Path) -> None:
    library = StudyLibrary(tmp_path)
    path = library.path
    library.close()
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO schema_version VALUES (?, 'x')", (SCHEMA_VERSION + 1,))
    connection.close()
    with pytest.raises(StorageError, match=f"version {SCHEMA_VERSION + 1}"):
        StudyLibrary(tmp_path)


def test_a_damaged_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "library.sqlite3").write_bytes(b"this is no database at all" * 100)
    with pytest.raises(StorageError, match="is not a library") as caught:
        StudyLibrary(tmp_path)
    assert caught.value.subject.endswith("library.sqlite3")


def test_a_locked_file_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("carez_desktop.library.database.BUSY_TIMEOUT_S", 0.05)
    library = StudyLibrary(tmp_path)
    other = sqlite3.connect(library.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageError, match="locked by another process"):
        library.issue_uids(["1.2"])
    other.close()
    library.issue_uids(["1.2"])
    library.close()


def test_a_full_disk_says_so_and_keeps_what_was(library: StudyLibrary) -> None:
    library.add_volumes([make_record(1)])
    with library.database.reading() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(StorageError, match="disk is full"):
        library.set_thumbnail("1.2.1", b"x" * 1_000_000)
    assert library.volumes() == (make_record(1),)
    assert library.thumbnail("1.2.1") is None


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv of util-linux")
def test_a_read_only_home_says_so(tmp_path: Path) -> None:
    # Root ignores permissions, so the child drops to nobody.
    script = (
        "import sys; from pathlib import Path\n"
        "from carez_desktop.errors import StorageError\n"
        "from carez_desktop.library.study_library import StudyLibrary\n"
        "try: StudyLibrary(Path(sys.argv[1]))\n"
        "except StorageError as error: print(error.subject, error.hint)\n"
    )
    child = subprocess.run(
        [
            *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
            *(sys.executable, "-c", script, "/proc/1/nowhere"),
        ],
        capture_output=True,
        text=True,
    )
    if child.returncode:
        pytest.skip("an unprivileged child cannot start here")
    assert "--home" in child.stdout


MOUNTS = (
    "/dev/sda1 / ext4 rw 0 0\n"
    "server:/export /home nfs4 rw 0 0\n"
    "/dev/sdb1 /home/local\\040disk ext4 rw 0 0\n"
    "//s/x /mnt/share cifs rw 0 0\n"
)


@pytest.mark.parametrize(
    ("folder", "refused"),
    [
        ("/srv/carez", ""),
        ("/home/anna/carez", "nfs4"),
        ("/home/local disk/carez", ""),
        ("/mnt/share", "cifs"),
        ("/mnt/shareholder", ""),
    ],
)
def test_a_network_home_is_refused(tmp_path: Path, folder: str, refused: str) -> None:
    table = tmp_path / "mounts"
    table.write_text(MOUNTS)
    if not refused:
        refuse_network_drive(Path(folder), table)
        return
    with pytest.raises(StorageError, match=refused) as caught:
        refuse_network_drive(Path(folder), table)
    assert "local disk" in caught.value.hint
