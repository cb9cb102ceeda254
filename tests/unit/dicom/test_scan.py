from __future__ import annotations

from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from carez_desktop.dicom.scan import scan_files
from carez_desktop.errors import CancelledError, UnreadableFileError
from carez_desktop.progress import CancellationFlag
from tests.builders.dicom_series import SeriesPlan, build_series


def test_finds_every_kind_by_content(tmp_path: Path) -> None:
    build_series(tmp_path / "deep" / "er", SeriesPlan())
    (tmp_path / "notes.txt").write_text("nothing")
    (tmp_path / "text.dcm").write_text("this is no DICOM at all")
    (tmp_path / "empty.dcm").touch()
    (tmp_path / "a.nii.gz").write_bytes(b"")
    (tmp_path / "b.NRRD").write_bytes(b"")
    result = scan_files([tmp_path])
    assert len(result.headers) == 5
    assert [path.name for path in result.volume_files] == ["a.nii.gz", "b.NRRD"]
    assert result.ignored_count == 1
    assert [Path(item.path).name for item in result.unreadable] == ["empty.dcm", "text.dcm"]
    assert "not DICOM" in result.unreadable[1].reason


def test_truncated_file_is_listed_with_what_is_missing(tmp_path: Path) -> None:
    paths = build_series(tmp_path, SeriesPlan((3, 6, 8)))
    content = paths[1].read_bytes()
    paths[1].write_bytes(content[:-40])
    result = scan_files([tmp_path])
    assert len(result.headers) == 2
    (bad,) = result.unreadable
    assert bad.path == str(paths[1])
    assert bad.reason == "The file is truncated: 40 of 96 bytes of pixel data are missing"
    assert paths[1].read_bytes() == content[:-40]


def test_links_are_followed_but_no_loop(tmp_path: Path) -> None:
    build_series(tmp_path / "real", SeriesPlan((2, 6, 8)))
    (tmp_path / "real" / "again").symlink_to(tmp_path / "real", target_is_directory=True)
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere")
    file_link = tmp_path / "one"
    file_link.symlink_to(next(p for p in (tmp_path / "real").iterdir() if p.is_file()))
    assert len(scan_files([tmp_path]).headers) == 3


def test_objects_are_listed_with_their_references(tmp_path: Path) -> None:
    def change(_: int, data_set: Dataset) -> None:
        data_set.SOPClassUID = "1.2.840.10008.5.1.4.1.1.66.4"
        instance = Dataset()
        instance.ReferencedSOPInstanceUID = "1.2.3.4.1"
        series = Dataset()
        series.SeriesInstanceUID = "1.2.3.77"
        series.ReferencedInstanceSequence = Sequence([instance])
        data_set.ReferencedSeriesSequence = Sequence([series])

    build_series(tmp_path, SeriesPlan((1, 6, 8)), change)
    result = scan_files([tmp_path])
    assert not result.headers
    (item,) = result.objects
    assert item.sop_class == "Segmentation"
    assert item.references == ("1.2.3.77", "1.2.3.4.1")


def test_missing_path_and_cancel(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="No such file"):
        scan_files([tmp_path / "gone"])
    build_series(tmp_path, SeriesPlan())
    flag = CancellationFlag()
    flag.cancel()
    with pytest.raises(CancelledError):
        scan_files([tmp_path], cancel=flag)
