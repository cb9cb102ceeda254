"""`carez library` on a home with a few small studies: labels, tags, deletion, rescan, search."""

from __future__ import annotations

import gc
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pydicom
import pytest

from carez_desktop.cli.app import run
from carez_desktop.workflows.context import open_context
from carez_desktop.workflows.import_studies import import_studies
from tests.builders.small_studies import write_series


class Carez:
    """The command line on one home."""

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.home, self._capsys = home, capsys

    def __call__(self, *words: object, code: int = 0) -> Any:
        """Run a command and return its JSON document."""
        self._capsys.readouterr()
        found = run(["--home", str(self.home), "--json", *map(str, words)])
        out, err = self._capsys.readouterr()
        assert found == code, err
        return json.loads(out)


@pytest.fixture
def carez(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Carez:
    for number in (1, 2, 3):
        write_series(tmp_path / "studies", number)
    tool = Carez(tmp_path / "home", capsys)
    tool("import", tmp_path / "studies")
    return tool


def table(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "labels.csv"
    path.write_text(text, encoding=encoding)
    return path


def test_a_table_that_names_nothing_here_lists_its_keys(
    carez: Carez, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = table(tmp_path, "patient_id,d\nPAT77,a\nPAT78,b\n")
    document = carez("library", "label", path, code=3)
    assert (document["matched"], document["unmatched"]) == ([], ["PAT77", "PAT78"])
    assert "any of its 2 keys" in document["error"]["what"]
    assert run(["--home", str(carez.home), "library", "label", str(path)]) == 3
    told = capsys.readouterr().err
    assert "not in the library: PAT77" in told
    assert "labels.csv, column patient_id" in told


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_labels_are_joined_found_and_taken_away(
    carez: Carez, tmp_path: Path, separator: str, encoding: str
) -> None:
    lines = ["patient_id;disease state;stage", "PAT01;Knötchen;2", "PAT02;none;", "PAT09;none;1"]
    path = table(tmp_path, "\n".join(lines).replace(";", separator), encoding)
    report = carez("library", "label", path)
    assert (report["matched"], report["unmatched"]) == (["PAT01", "PAT02"], ["PAT09"])
    assert (report["volumes"], report["names"]) == (2, ["disease state", "stage"])
    labels = {item["volume_id"]: item["labels"] for item in carez("series")}
    assert labels == {
        "1.2.1": {"disease state": "Knötchen", "stage": "2"},
        "1.2.2": {"disease state": "none"},
        "1.2.3": {},
    }
    assert [item["volume_id"] for item in carez("series", "--search", "label:knot")] == ["1.2.1"]
    assert carez("library", "label", path)["volumes"] == 0
    assert carez("library", "label", path, "--remove")["volumes"] == 2
    assert all(not item["labels"] for item in carez("series"))
    assert carez("series", "--search", "knot") == []


def test_labels_hold_for_what_comes_later_and_the_finer_key_wins(
    carez: Carez, tmp_path: Path
) -> None:
    carez("library", "label", table(tmp_path, "patient_id,disease,arm\nPAT01,none,a\n"))
    carez("library", "label", table(tmp_path, "series_instance_uid,disease\n1.2.1,nodule\n"))
    write_series(tmp_path / "later", 4, PatientID="PAT01", StudyInstanceUID="1.1.1")
    carez("import", tmp_path / "later")
    labels = {item["volume_id"]: item["labels"] for item in carez("series", "--search", "pat01")}
    assert labels == {
        "1.2.1": {"arm": "a", "disease": "nodule"},
        "1.2.4": {"arm": "a", "disease": "none"},
    }


def test_removal_leaves_what_was_written_over(carez: Carez, tmp_path: Path) -> None:
    first = "patient_id,disease\nPAT01,none\nPAT02,none\n"
    carez("library", "label", table(tmp_path, first))
    carez("library", "label", table(tmp_path, "patient_id,disease\nPAT01,nodule\n"))
    carez("library", "label", table(tmp_path, first), "--remove")
    labels = {item["volume_id"]: item["labels"] for item in carez("series")}
    assert labels == {"1.2.1": {"disease": "nodule"}, "1.2.2": {}, "1.2.3": {}}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("patient_id,d\nPAT01,a\nPAT02,b\nPAT01,c\n", "lines 2 and 4"),
        ("name,d\nAnna,a\n", "no column that names volumes"),
        ("patient_id,modality\nPAT01,CT\n", "No label may be called modality"),
        ("patient_id,tags\nPAT01,x\n", "No label may be called tags"),
        ("patient_id,d,d\nPAT01,a,b\n", "Two columns are called d"),
        ("patient_id,d\nPAT01,a,b\n", "3 cells"),
        ("patient_id,d\nNOBODY,a\n", "does not have its one key"),
        ("patient_id,=cmd\nPAT01,a\n", "cannot be the name of a label"),
        ("", "no column that names volumes"),
    ],
)
def test_tables_that_are_refused_change_nothing(
    carez: Carez, tmp_path: Path, text: str, says: str
) -> None:
    error = carez("library", "label", table(tmp_path, text), code=3)["error"]
    assert says in f"{error['what']} {error['where']}"
    assert error["hint"]
    assert all(not item["labels"] for item in carez("series"))


def test_the_same_row_twice_is_fine_and_latin_1_is_named(carez: Carez, tmp_path: Path) -> None:
    carez("library", "label", table(tmp_path, "patient_id,d\nPAT01,a\nPAT01,a\n\n"))
    path = table(tmp_path, "patient_id,d\nPAT01,Knötchen\n", "latin-1")
    assert "UTF-8" in carez("library", "label", path, code=3)["error"]["hint"]


def test_tags_go_on_and_off(carez: Carez) -> None:
    report = carez("library", "tag", "PAT01", "1.2.2", "9.9", "--add", "teaching", "--add", "Öl")
    assert (report["matched"], report["unmatched"]) == (["1.2.1", "1.2.2"], ["9.9"])
    assert report["tags"]["1.2.1"] == ["teaching", "Öl"]
    assert carez("library", "tags") == {"teaching": 2, "Öl": 2}
    found = [item["volume_id"] for item in carez("series", "--search", "tag:teach ct")]
    assert found == ["1.2.1", "1.2.2"]
    carez("library", "tag", "1.1.1", "--remove", "teaching")
    assert [item["tags"] for item in carez("series")] == [["Öl"], ["teaching", "Öl"], []]
    assert carez("library", "tag", "1.2.1", code=2)["error"]["code"] == "usage"
    assert carez("library", "tag", "1.2.1", "--add", "two words", code=2)
    assert carez("library", "tag", "9.9", "--add", "x", code=3)["error"]["code"] == "not_found"


def test_deletion_says_what_goes_and_needs_yes(carez: Carez, tmp_path: Path) -> None:
    carez("cohort", "create", "c")
    carez("library", "tag", "1.2.1", "--add", "teaching")
    carez("library", "label", table(tmp_path, "patient_id,d\nPAT01,a\nPAT02,b\n"))
    error = carez("library", "delete", "PAT01", code=2)["error"]
    assert "1 volume of 1 series, 1 study and 1 patient" in error["what"]
    assert "cohorts c" in error["what"]
    assert len(carez("series")) == 3
    report = carez("library", "delete", "PAT01", "1.2.2", "--yes")
    assert (report["matched"], report["deleted"]) == (["1.2.1", "1.2.2"], True)
    assert [item["volume_id"] for item in carez("series")] == ["1.2.3"]
    assert carez("series", "--search", "pat01") == []
    assert carez("library", "tags") == {}
    assert len(list((tmp_path / "studies").rglob("IM*"))) == 12
    assert len(carez("cohort", "show", "c")["members"]) == 3
    missing = carez("coverage", "c", code=3)["error"]
    assert "no longer in the library" in missing["what"]
    # What was deleted comes back as new, without labels and tags.
    again = carez("import", tmp_path / "studies")
    assert (again["files"]["new"], again["files"]["unchanged"]) == (8, 4)
    assert all(not item["labels"] and not item["tags"] for item in carez("series"))
    assert carez("library", "delete", "nobody", code=3)["error"]["code"] == "not_found"


def test_one_volume_of_a_series_can_go_and_come_back(carez: Carez, tmp_path: Path) -> None:
    write_series(tmp_path / "more", 3, slices=6, first=4)
    for path in (tmp_path / "more" / "series3").iterdir():
        image = pydicom.dcmread(path)
        image.ImageOrientationPatient = [0.0, 1.0, 0.0, 0.0, 0.0, -1.0]
        image.ImagePositionPatient = [3.0 * image.InstanceNumber, 0.0, 0.0]
        image.save_as(path, enforce_file_format=True)
    carez("import", tmp_path / "more")
    parts = [item["volume_id"] for item in carez("series", "--search", "pat03")]
    assert len(parts) == 2
    other = next(part for part in parts if part != "1.2.3")
    carez("library", "delete", other, "--yes")
    assert [item["volume_id"] for item in carez("series", "--search", "pat03")] == ["1.2.3"]
    assert carez("import", tmp_path / "studies", tmp_path / "more")["files"]["new"] == 2
    assert len(carez("series", "--search", "pat03")) == 2


def test_managed_copies_go_with_their_volumes_and_nothing_else(tmp_path: Path) -> None:
    from carez_desktop.workflows.delete_studies import delete_studies

    context = open_context(tmp_path / "home")
    inside = context.home / "studies" / "0a"
    write_series(inside, 1)
    outside = write_series(tmp_path / "elsewhere", 2)
    (context.home / "studies" / "link").symlink_to(outside.parent)
    import_studies(context, paths=[inside, context.home / "studies" / "link"])
    keep = inside / "series1" / "notes.txt"
    keep.write_text("not ours")
    report = delete_studies(context, keys=["1.2.1", "1.2.2"], confirmed=True)
    assert report.managed_files == 4
    assert list(inside.rglob("*")) == [inside / "series1", keep]
    assert len(list(outside.iterdir())) == 4
    context.library.close()


def test_nothing_of_a_deleted_archive_stays_behind(carez: Carez, tmp_path: Path) -> None:
    folder = write_series(tmp_path / "z", 5)
    shutil.copy(folder / "IM000", folder / "again")  # a duplicate, which is in no volume
    archive = tmp_path / "doe_john.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for path in folder.iterdir():
            packed.write(path, f"doe_john/{path.name}")
    carez("import", archive)
    studies = carez.home / "studies"
    assert len([path for path in studies.rglob("*") if path.is_file()]) == 6
    carez("library", "delete", "PAT05", "--yes")
    assert [path for path in studies.rglob("*") if ".imports" not in path.parts] == []
    assert archive.is_file()
    assert carez("import", archive)["files"]["new"] == 5


def test_rescan_names_what_is_gone(carez: Carez, tmp_path: Path) -> None:
    assert carez("library", "rescan") == {
        "matched": 12,
        "unmatched": [],
        "changed": [],
        "returned": 0,
    }
    shutil.rmtree(tmp_path / "studies" / "series1")
    (tmp_path / "studies" / "series2" / "IM000").touch()
    report = carez("library", "rescan")
    assert (report["matched"], len(report["unmatched"]), len(report["changed"])) == (7, 4, 1)
    gone = {item["volume_id"]: item["findings"] for item in carez("series")}
    assert "4 of 4 files are gone" in gone["1.2.1"][0]["text"]
    assert gone["1.2.2"] == []
    error = carez("volume", "1.2.1", "--out", tmp_path / "x.nii", code=3)["error"]
    assert error["hint"]


def test_the_list_is_searched_by_field_and_paged(carez: Carez) -> None:
    def ids(*words: str) -> list[str]:
        return [item["volume_id"] for item in carez("series", *words)]

    assert ids("--limit", "2") == ["1.2.1", "1.2.2"]
    assert ids("--limit", "2", "--offset", "2") == ["1.2.3"]
    assert ids("--search", "modality:ct", "--limit", "1", "--offset", "1") == ["1.2.2"]
    assert ids("--search", "date:2024-01 kind:real secret3") == ["1.2.3"]
    assert ids("--search", "1.1.2") == ["1.2.2"]
    assert ids("--search", "1.2. ct") == ["1.2.1", "1.2.2", "1.2.3"]
    assert ids("--search", "modality:mr") == []
    assert ids("--search", "patient:lung") == []


def test_the_library_is_closed_when_a_command_ends(carez: Carez, tmp_path: Path) -> None:
    gc.disable()  # closing must not wait for memory to be cleared up
    try:
        for code, text in ((0, "patient_id,d\nPAT01,a\n"), (3, "patient_id,d\nNOBODY,a\n")):
            carez("library", "label", table(tmp_path, text), code=code)
            assert [p.name for p in (carez.home / "library").glob("*.sqlite3*")] == [
                "library.sqlite3"
            ]
    finally:
        gc.enable()
