"""DICOMDIR files made by pydicom's FileSet, an independent writer, and one by Philips."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pydicom
import pytest
from pydicom.dataset import FileDataset
from pydicom.fileset import FileSet

from carez_desktop.dicom.directory_file import is_directory_file, read_directory
from carez_desktop.dicom.scan import scan_files
from carez_desktop.errors import CancelledError, UnreadableFileError
from carez_desktop.progress import CancellationFlag
from tests.builders.dicom_series import SeriesPlan, build_series


def _complete(_: int, data_set: FileDataset) -> None:
    """Add what a directory record requires (PS3.3 F.5)."""
    data_set.StudyDate, data_set.StudyTime = "20240102", "101500"
    data_set.StudyID, data_set.SeriesNumber, data_set.AccessionNumber = "1", 1, "A"
    data_set.PatientName = data_set.get("PatientName") or "Test^One"
    data_set.PatientID = data_set.get("PatientID") or "P1"


@pytest.fixture
def disc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file set of four images and, beside it, one that is not listed."""
    staging = SimpleNamespace(name=str(tmp_path / "staging"), cleanup=lambda: None)
    (tmp_path / "staging").mkdir()
    monkeypatch.setattr("pydicom.fileset.TemporaryDirectory", lambda: staging)  # it leaks its own
    sources = build_series(tmp_path / "source", SeriesPlan((4, 6, 8)), _complete)
    file_set = FileSet()
    for path in sources:
        file_set.add(pydicom.dcmread(path))
    file_set.write(tmp_path / "disc")
    build_series(tmp_path / "disc" / "beside", SeriesPlan((1, 6, 8), series_uid="1.2.999"))
    shutil.rmtree(tmp_path / "source")
    return tmp_path / "disc" / "DICOMDIR"


def change_records(path: Path, change: Callable[[list[pydicom.Dataset]], None]) -> None:
    data_set = pydicom.dcmread(path)
    records = [item for item in data_set.DirectoryRecordSequence if "ReferencedFileID" in item]
    change(records)
    data_set.save_as(path)


def test_lists_what_pydicom_wrote_and_nothing_beside(disc: Path) -> None:
    assert is_directory_file(disc)
    assert not is_directory_file(next((disc.parent / "beside").iterdir()))
    listing = read_directory(disc)
    expected = {Path(instance.path) for instance in FileSet(disc)}
    assert set(listing.files) == expected
    assert len(expected) == 4
    assert listing.findings == ()
    assert scan_files([disc]).directories == (disc,)
    whole = scan_files([disc.parent])
    assert len(whole.headers) == 5
    assert whole.directories == ()
    assert whole.ignored_count == 1


def test_disc_names_in_lower_case_and_with_versions(disc: Path) -> None:
    before = read_directory(disc).files

    def lower(folder: Path) -> None:
        for path in sorted(folder.rglob("*"), key=lambda p: -len(p.parts)):
            if path.name != "DICOMDIR":
                suffix = ".;1" if path.is_file() else ""
                path.rename(path.with_name(path.name.lower() + suffix))

    lower(disc.parent)
    listing = read_directory(disc)
    assert len(listing.files) == len(before)
    assert all(path.is_file() for path in listing.files)
    assert [f.code for f in listing.findings] == []


def test_missing_files_are_counted_and_named(disc: Path) -> None:
    gone = read_directory(disc).files[1]
    gone.unlink()
    listing = read_directory(disc)
    assert len(listing.files) == 3
    (finding,) = listing.findings
    assert finding.code == "directory_files_missing"
    assert finding.text.startswith("1 file")
    assert gone.relative_to(disc.parent).as_posix() in finding.text


@pytest.mark.parametrize(
    "names",
    [
        ["..", "secret"],
        ["", "etc", "passwd"],
        ["/etc/passwd"],
        ["PT000000", "..", "..", "secret"],
        ["C:", "secret"],
        ["out", "secret"],
    ],
)
def test_no_name_leads_out_of_the_folder(disc: Path, names: list[str]) -> None:
    outside = build_series(disc.parent.parent / "elsewhere", SeriesPlan((1, 6, 8)))[0]
    shutil.copy(outside, disc.parent.parent / "secret")
    (disc.parent / "out").symlink_to(disc.parent.parent)

    def lead_out(records: list[pydicom.Dataset]) -> None:
        records[0].ReferencedFileID = names if len(names) > 1 else names[0]

    change_records(disc, lead_out)
    listing = read_directory(disc)
    assert len(listing.files) == 3
    assert all(path.resolve().is_relative_to(disc.parent.resolve()) for path in listing.files)
    (finding,) = listing.findings
    assert finding.code == "directory_leads_out"


def test_records_out_of_use_and_wrong_offsets(disc: Path) -> None:
    def spoil(records: list[pydicom.Dataset]) -> None:
        records[2].RecordInUseFlag = 0
        for record in records:
            record.OffsetOfTheNextDirectoryRecord = 0xFFFFFFF0
            record.OffsetOfReferencedLowerLevelDirectoryEntity = 1

    change_records(disc, spoil)
    assert len(read_directory(disc).files) == 3


def test_files_of_a_study_folder_copied_alone_are_found_by_their_uid(disc: Path) -> None:
    files = read_directory(disc).files
    alone = disc.parent.parent / "alone"
    alone.mkdir()
    for path in [disc, *files]:
        shutil.copy(path, alone / path.name)
    other = pydicom.dcmread(alone / files[0].name)
    other.SOPInstanceUID = "1.2.3.4.5.6"
    other.save_as(alone / files[0].name)
    listing = read_directory(alone / disc.name)
    assert {path.name for path in listing.files} == {path.name for path in files[1:]}
    assert {f.code for f in listing.findings} == {"directory_files_missing", "directory_moved"}


def test_damaged_directories(disc: Path) -> None:
    content = disc.read_bytes()
    disc.write_bytes(content[: len(content) - 300])
    cut = read_directory(disc)
    assert 2 <= len(cut.files) <= 4
    assert "directory_cut" in {f.code for f in cut.findings}
    for damaged in (content[:200], b"", b"text" * 100):
        disc.write_bytes(damaged)
        with pytest.raises(UnreadableFileError) as caught:
            read_directory(disc)
        assert caught.value.subject == str(disc)
        assert "folder" in caught.value.hint


def test_cancel(disc: Path) -> None:
    flag = CancellationFlag()
    flag.cancel()
    with pytest.raises(CancelledError):
        read_directory(disc, cancel=flag)


def test_dirfile_of_philips(studies: Path) -> None:
    path = studies / "ct_tilt_phantom_philips" / "S2010" / "DIRFILE"
    assert scan_files([path]).directories == (path,)
    listing = read_directory(path)
    images = {p for p in path.parent.iterdir() if p.name.startswith("I")}
    assert set(listing.files) == images
    assert len(images) == 54
    assert [f.code for f in listing.findings] == ["directory_moved"]
