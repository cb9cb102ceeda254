"""A library of an older version opens with everything it held, or stays as it was."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from carez_desktop.domain.study import UnreadableFile
from carez_desktop.domain.volume import SliceAxis, VolumeKind
from carez_desktop.library.schema import SCHEMA_VERSION
from carez_desktop.library.study_library import StudyLibrary
from carez_desktop.system.settings import load_settings
from carez_desktop.workflows.context import WorkflowContext
from carez_desktop.workflows.import_studies import import_studies
from carez_desktop.workflows.rescan_library import rescan_library
from tests.builders.old_libraries import plain_volume, write_version_1
from tests.builders.small_studies import write_series

SEG = {
    "sop_class": "Segmentation",
    "sop_instance_uid": "1.5.1",
    "series_instance_uid": "1.6.1",
    "references": ["1.2.1"],
    "path": "/data/seg",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    volumes = [
        plain_volume(1, "/data", labels={"disease": "nodule"}, objects=[SEG]),
        plain_volume(2, "/data", kind="synthetic"),
        plain_volume(3, "/data", volume_id="1.2.3:1", split_reason="b-value 0"),
        plain_volume(3, "/data", volume_id="1.2.3:2", split_reason="b-value 800"),
        plain_volume(
            4,
            "/data",
            series_instance_uid="",
            source_format="nifti",
            paths=["/data/x.nii"],
            volume_id="2.25.4",
            study_instance_uid="",
        ),
    ]
    write_version_1(tmp_path / "library" / "library.sqlite3", volumes)
    # Version 1 kept the volume itself where there was no series.
    with sqlite3.connect(tmp_path / "library" / "library.sqlite3") as connection:
        connection.execute(
            "UPDATE volumes SET series_instance_uid = volume_id WHERE series_instance_uid = ''"
        )
    connection.close()
    return tmp_path / "library"


def test_version_1_comes_over_with_its_data(folder: Path) -> None:
    library = StudyLibrary(folder)
    found = {record.volume_id: record for record in library.volumes()}
    assert list(found) == ["1.2.1", "1.2.2", "1.2.3:1", "1.2.3:2", "2.25.4"]
    first = found["1.2.1"]
    assert first.labels == {"disease": "nodule"}
    assert first.paths == tuple(f"/data/series1/IM00{k}" for k in range(4))
    assert [item.sop_instance_uid for item in first.objects] == ["1.5.1"]
    assert first.attributes["kvp"] == 120.0
    assert [finding.code for finding in first.findings] == ["monochrome1"]
    assert (first.slice_axis, first.samples, first.tags) == (SliceAxis.SPACE, 1, ())
    assert found["1.2.2"].kind is VolumeKind.SYNTHETIC
    assert found["2.25.4"].paths == ("/data/x.nii",)
    assert library.thumbnail("1.2.1") == b"\x89PNG"
    assert library.pixel_digest("1.2.1") == "abab"
    assert library.known_digest("cdcd") == "bundle#case-0001"
    assert library.issued_uids(["2.25.77"]) == {"2.25.77"}
    assert library.unreadable_files() == (UnreadableFile("/data/bad", "truncated"),)
    assert library.cohort("chest").members[0].volume_id == "1.2.1"
    assert [record.volume_id for record in library.volumes("mull label:nodule")] == ["1.2.1"]
    assert [record.volume_id for record in library.volumes("date:2024-01 lung pat02")] == ["1.2.2"]
    counts = library.counts()
    assert (counts.patients, counts.studies, counts.series, counts.volumes) == (4, 4, 4, 5)
    library.close()
    again = StudyLibrary(folder)
    assert again.volumes()[0] == first
    again.close()


def test_what_version_1_did_not_keep_is_read_at_the_next_import(
    tmp_path: Path, folder: Path
) -> None:
    source = write_series(tmp_path / "studies", 1)
    write_version_1(
        tmp_path / "home" / "library" / "library.sqlite3",
        [plain_volume(1, str(tmp_path / "studies"), labels={"disease": "nodule"})],
    )
    home = tmp_path / "home"
    home.chmod(0o700)
    context = WorkflowContext(
        home, load_settings(home), lambda: datetime(2026, 1, 2, tzinfo=UTC), lambda: "2.25.1"
    )
    assert rescan_library(context).gone == ()
    # One new slice: the four known ones are read as well, although they are elsewhere.
    late = write_series(tmp_path / "late", 1, slices=5, first=4)
    (record,) = import_studies(context, paths=[late]).series
    assert (record.volume_id, record.shape[0]) == ("1.2.1", 5)
    assert record.labels == {"disease": "nodule"}
    assert import_studies(context, paths=[source]).files.unchanged == 4
    context.library.close()


@pytest.mark.parametrize("step", ["create table instances", "insert into volume_text", "commit"])
def test_a_kill_in_the_middle_of_a_migration_leaves_version_1(folder: Path, step: str) -> None:
    script = (
        "import os, sqlite3, sys; from pathlib import Path\n"
        "from carez_desktop.library.study_library import StudyLibrary\n"
        "real = sqlite3.connect\n"
        "def watch(said):\n"
        "    if said.lower().lstrip().startswith(sys.argv[2]): os._exit(9)\n"
        "def connect(*given, **more):\n"
        "    made = real(*given, **more); made.set_trace_callback(watch); return made\n"
        "sqlite3.connect = connect\n"
        "StudyLibrary(Path(sys.argv[1]))\n"
    )
    child = subprocess.run([sys.executable, "-c", script, str(folder), step])
    assert child.returncode == 9
    connection = sqlite3.connect(folder / "library.sqlite3")
    assert connection.execute("SELECT max(version) FROM schema_version").fetchone() == (1,)
    assert connection.execute("SELECT count(*) FROM volumes").fetchone() == (5,)
    connection.close()
    library = StudyLibrary(folder)
    assert library.count() == 5
    assert library.volumes("nodule")[0].volume_id == "1.2.1"
    library.close()


def test_a_new_library_has_the_tables_of_a_migrated_one(tmp_path: Path, folder: Path) -> None:
    StudyLibrary(folder).close()
    StudyLibrary(tmp_path / "new").close()

    def tables(path: Path) -> set[tuple[str, str]]:
        with sqlite3.connect(path / "library.sqlite3") as connection:
            rows = connection.execute(
                "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL "
                "AND name NOT LIKE 'sqlite%'"
            )
            found = {(name, " ".join(sql.split())) for name, sql in rows}
        connection.close()
        return found

    old, new = tables(folder), tables(tmp_path / "new")
    assert {name for name, _ in old} == {name for name, _ in new}
    assert SCHEMA_VERSION == 2
