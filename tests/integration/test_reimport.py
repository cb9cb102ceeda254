"""Importing again: what is unchanged is not opened, what is new joins, what is gone is said."""

from __future__ import annotations

import os
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from carez_desktop.domain.pixel_identity import pixel_digest
from carez_desktop.domain.volume import VolumeKind
from carez_desktop.system.settings import load_settings
from carez_desktop.workflows.context import WorkflowContext
from carez_desktop.workflows.import_studies import import_studies
from carez_desktop.workflows.list_volumes import list_volumes
from carez_desktop.workflows.rescan_library import rescan_library
from tests.builders.small_studies import write_series

SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"


@pytest.fixture
def context(tmp_path: Path):
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    opened = WorkflowContext(
        home, load_settings(home), lambda: datetime(2026, 1, 2, tzinfo=UTC), lambda: "2.25.1"
    )
    yield opened
    opened.library.close()


class OpenedFiles:
    """Which slices are opened while it listens; `os.open` and `open` both pass an audit event."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.listens = True
        sys.addaudithook(self._hear)

    def _hear(self, event: str, values: tuple[object, ...]) -> None:
        if self.listens and event == "open" and "IM0" in str(values[0]):
            self.names.add(Path(str(values[0])).name)


@pytest.fixture
def opened_files():
    opened = OpenedFiles()
    yield opened
    opened.listens = False  # a hook cannot be taken away


def test_unchanged_files_are_not_opened(
    context: WorkflowContext, tmp_path: Path, opened_files: OpenedFiles
) -> None:
    folder = write_series(tmp_path / "studies", 1)
    (tmp_path / "studies" / "IM0.txt").write_text("no image")
    import_studies(context, paths=[tmp_path / "studies"])
    assert opened_files.names == {"IM0.txt", *(f"IM00{k}" for k in range(4))}
    opened_files.names.clear()
    again = import_studies(context, paths=[tmp_path / "studies"])
    assert opened_files.names == set()
    assert again.files.unchanged == 4
    (folder / "IM001").touch()
    changed = import_studies(context, paths=[tmp_path / "studies"])
    assert opened_files.names == {"IM001"}
    assert (changed.files.changed, changed.files.unchanged) == (1, 3)
    everything = import_studies(context, paths=[tmp_path / "studies"], reread=True)
    assert everything.files.changed == 4
    assert everything.series == again.series


def test_new_slices_join_their_series(context: WorkflowContext, tmp_path: Path) -> None:
    write_series(tmp_path / "a", 1, slices=3)
    import_studies(context, paths=[tmp_path / "a"])
    context.library.set_thumbnail("1.2.1", b"png")
    late = write_series(tmp_path / "b", 1, slices=6, first=3)
    report = import_studies(context, paths=[late])
    (record,) = report.series
    assert (record.volume_id, record.shape, record.refusal) == ("1.2.1", (6, 12, 10), "")
    assert (report.files.new, report.files.gone) == (3, 0)
    assert [Path(path).name for path in record.paths] == [f"IM00{k}" for k in range(6)]
    # The pixels are others, so the picture is too.
    assert context.library.thumbnail("1.2.1") is None


def test_a_volume_keeps_its_id_when_its_series_splits(
    context: WorkflowContext, tmp_path: Path
) -> None:
    from carez_desktop.workflows.tag_studies import tag_studies

    write_series(tmp_path / "a", 1, slices=4)
    import_studies(context, paths=[tmp_path / "a"])
    tag_studies(context, keys=["1.2.1"], add=["teaching"])
    context.library.set_thumbnail("1.2.1", b"png")
    scout = write_series(tmp_path / "b", 1, slices=1)
    image = pydicom.dcmread(scout / "IM000")
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = "1.2.1.99"
    image.ImageOrientationPatient = [0.0, 1.0, 0.0, 0.0, 0.0, -1.0]
    image.InstanceNumber = 0
    image.save_as(scout / "IM000", enforce_file_format=True)
    report = import_studies(context, paths=[tmp_path / "b"])
    by_id = {record.volume_id: record for record in report.series}
    assert by_id["1.2.1"].shape[0] == 4
    assert by_id["1.2.1"].tags == ("teaching",)
    assert len(by_id) == 2
    assert all(finding.subject == r.volume_id for r in report.series for finding in r.findings)
    assert context.library.thumbnail("1.2.1") == b"png"


def test_moved_files_are_found_at_their_new_place(context: WorkflowContext, tmp_path: Path) -> None:
    folder = write_series(tmp_path / "old", 1)
    import_studies(context, paths=[tmp_path / "old"])
    context.library.set_thumbnail("1.2.1", b"png")
    (tmp_path / "new").mkdir()
    shutil.move(folder, tmp_path / "new" / "place")
    report = import_studies(context, paths=[tmp_path / "old", tmp_path / "new"])
    assert (report.files.moved, report.files.new, report.files.gone) == (4, 0, 0)
    (record,) = list_volumes(context)
    assert record.findings == ()
    assert all("new/place" in path for path in record.paths)
    assert context.library.thumbnail("1.2.1") == b"png"
    assert not context.library.knows_paths_below(str(tmp_path / "old"))


def test_copies_beside_the_originals_are_duplicates(
    context: WorkflowContext, tmp_path: Path
) -> None:
    folder = write_series(tmp_path / "a", 1)
    import_studies(context, paths=[tmp_path / "a"])
    shutil.copytree(folder, tmp_path / "b")
    report = import_studies(context, paths=[tmp_path / "b"])
    assert report.files.moved == 0
    (record,) = report.series
    assert record.shape[0] == 4
    assert [finding.code for finding in record.findings] == ["duplicate_instance"]
    again = import_studies(context, paths=[tmp_path / "b"])
    assert again.files.unchanged == 4


def test_gone_files_are_said_and_come_back(context: WorkflowContext, tmp_path: Path) -> None:
    folder = write_series(tmp_path / "a", 1)
    import_studies(context, paths=[tmp_path / "a"])
    aside = tmp_path / "aside"
    shutil.move(folder / "IM001", aside)
    gone = rescan_library(context)
    assert (gone.found, gone.gone) == (3, (str(folder / "IM001"),))
    (record,) = list_volumes(context)
    assert record.shape[0] == 4
    (finding,) = record.findings
    assert finding.code == "files_gone"
    assert "1 of 4 files are gone, missed first 2026-01-02" in finding.text
    report = import_studies(context, paths=[tmp_path / "a"])
    assert report.series == (record,)
    shutil.move(aside, folder / "IM001")
    back = rescan_library(context)
    assert (back.found, back.gone, back.returned) == (4, (), 1)
    assert list_volumes(context)[0].findings == ()


def test_an_import_notices_what_is_gone_from_its_folder(
    context: WorkflowContext, tmp_path: Path
) -> None:
    write_series(tmp_path / "a", 1)
    second = write_series(tmp_path / "a", 2)
    write_series(tmp_path / "b", 3)
    import_studies(context, paths=[tmp_path / "a", tmp_path / "b"])
    shutil.rmtree(second)
    shutil.rmtree(tmp_path / "b")
    report = import_studies(context, paths=[tmp_path / "a"])
    assert report.files.gone == 4
    assert "known_files_gone" in [finding.code for finding in report.findings]
    said = {r.volume_id: [f.code for f in r.findings] for r in list_volumes(context)}
    assert said == {"1.2.1": [], "1.2.2": ["files_gone"], "1.2.3": []}
    write_series(tmp_path / "a", 2)
    # Written anew, so another time of change: read again, and there.
    report = import_studies(context, paths=[tmp_path / "a"])
    assert context.library.volume("1.2.2").findings == ()


def test_a_new_export_of_gone_files_takes_their_place(
    context: WorkflowContext, tmp_path: Path
) -> None:
    folder = write_series(tmp_path / "a", 1)
    import_studies(context, paths=[tmp_path / "a"])
    shutil.rmtree(folder)
    write_series(tmp_path / "b", 1)
    for index, path in enumerate(sorted((tmp_path / "b" / "series1").iterdir())):
        image = pydicom.dcmread(path)
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = f"1.2.77.{index}"
        image.save_as(path, enforce_file_format=True)
    (record,) = import_studies(context, paths=[tmp_path / "b"]).series
    assert record.shape[0] == 4
    assert record.findings == ()


def test_a_file_that_becomes_another_series_leaves_the_first(
    context: WorkflowContext, tmp_path: Path
) -> None:
    folder = write_series(tmp_path / "a", 1)
    other = write_series(tmp_path / "elsewhere", 2, slices=1)
    import_studies(context, paths=[tmp_path / "a"])
    shutil.copy(other / "IM000", folder / "IM003")
    report = import_studies(context, paths=[tmp_path / "a"])
    shapes = {record.volume_id: record.shape[0] for record in report.series}
    assert shapes == {"1.2.1": 3, "1.2.2": 1}
    for path in folder.iterdir():
        shutil.copy(other / "IM000", path)
    import_studies(context, paths=[tmp_path / "a"])
    assert [record.volume_id for record in list_volumes(context)] == ["1.2.2"]
    assert context.library.counts().patients == 1


def test_a_damaged_file_does_not_lose_the_rest(context: WorkflowContext, tmp_path: Path) -> None:
    folder = write_series(tmp_path / "a", 1)
    import_studies(context, paths=[tmp_path / "a"])
    good = (folder / "IM003").read_bytes()
    (folder / "IM003").write_bytes(good[:-40])
    report = import_studies(context, paths=[tmp_path / "a"])
    (record,) = report.series
    assert record.shape[0] == 3
    assert len(report.unreadable) == 1
    (finding,) = record.findings
    assert finding.code == "unreadable_files"
    assert "1 of 4 files of its series could not be read" in finding.text
    # Said as long as it is so, also when other files are imported.
    again = import_studies(context, paths=[folder])
    assert again.series[0].findings == (finding,)
    (folder / "IM003").write_bytes(good)
    report = import_studies(context, paths=[tmp_path / "a"])
    assert report.series[0].shape[0] == 4
    assert report.series[0].findings == ()
    assert context.library.unreadable_files() == ()


def write_segmentation(path: Path, number: int, *, series: str, instances: list[str]) -> None:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = SEGMENTATION
    meta.MediaStorageSOPInstanceUID = f"1.5.{number}"
    item = Dataset()
    item.file_meta = meta
    item.SOPClassUID, item.SOPInstanceUID = SEGMENTATION, f"1.5.{number}"
    item.StudyInstanceUID, item.SeriesInstanceUID = "1.1.1", f"1.6.{number}"
    item.Modality, item.PatientID = "SEG", "PAT01"
    references = []
    for uid in instances:
        reference = Dataset()
        reference.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
        reference.ReferencedSOPInstanceUID = uid
        references.append(reference)
    referenced = Dataset()
    if series:
        referenced.SeriesInstanceUID = series
    referenced.ReferencedInstanceSequence = references
    item.ReferencedSeriesSequence = [referenced]
    path.parent.mkdir(parents=True, exist_ok=True)
    item.save_as(path, enforce_file_format=True)


@pytest.mark.parametrize("series", ["1.2.1", ""])
@pytest.mark.parametrize("order", [("images", "object"), ("object", "images")])
def test_objects_are_linked_whichever_comes_first(
    context: WorkflowContext, tmp_path: Path, order: tuple[str, str], series: str
) -> None:
    write_series(tmp_path / "images", 1)
    write_series(tmp_path / "images", 2)
    write_segmentation(tmp_path / "object" / "seg", 1, series=series, instances=["1.2.1.2"])
    first = import_studies(context, paths=[tmp_path / order[0]])
    if order[0] == "object":
        assert "objects_without_images" in [finding.code for finding in first.findings]
    import_studies(context, paths=[tmp_path / order[1]])
    linked = {r.volume_id: [o.sop_instance_uid for o in r.objects] for r in list_volumes(context)}
    assert linked == {"1.2.1": ["1.5.1"], "1.2.2": []}
    again = import_studies(context, paths=[tmp_path / "images", tmp_path / "object"])
    assert again.files.new == again.files.changed == 0
    (tmp_path / "object" / "seg").rename(tmp_path / "object" / "moved")
    again = import_studies(context, paths=[tmp_path / "images", tmp_path / "object"])
    assert {r.volume_id: len(r.objects) for r in again.series} == {"1.2.1": 1, "1.2.2": 0}


def test_what_came_back_as_synthetic_stays_so_with_new_slices(
    context: WorkflowContext, tmp_path: Path
) -> None:
    from carez_desktop.workflows.freeze_cohort import freeze_cohort

    folder = write_series(tmp_path / "a", 1, slices=3)
    write_series(tmp_path / "a", 2)
    pixels = np.stack([pydicom.dcmread(path).pixel_array for path in sorted(folder.iterdir())])
    context.library.remember_digest(pixel_digest(pixels), shape=pixels.shape, origin="case-0001")
    import_studies(context, paths=[tmp_path / "a"])
    freeze_cohort(context, name="c")
    assert context.library.volume("1.2.1").kind is VolumeKind.SYNTHETIC
    write_series(tmp_path / "b", 1, slices=5, first=3)
    (record,) = import_studies(context, paths=[tmp_path / "b"]).series
    assert (record.kind, record.shape[0]) == (VolumeKind.SYNTHETIC, 5)
    assert record.findings[-1].code == "synthetic_by_pixels"


def test_uids_issued_later_are_seen_on_unchanged_files(
    context: WorkflowContext, tmp_path: Path
) -> None:
    write_series(tmp_path / "a", 1)
    import_studies(context, paths=[tmp_path / "a"])
    context.library.issue_uids(["1.2.1.2"])
    (record,) = import_studies(context, paths=[tmp_path / "a"]).series
    assert record.kind is VolumeKind.SYNTHETIC


def test_stand_ins_go_on_playing_real(context: WorkflowContext, tmp_path: Path) -> None:
    write_series(tmp_path / "a", 1, slices=3, marks=True)
    import_studies(context, paths=[tmp_path / "a"], stand_in=True)
    write_series(tmp_path / "b", 1, slices=5, first=3, marks=True)
    (record,) = import_studies(context, paths=[tmp_path / "b"]).series
    assert record.kind is VolumeKind.REAL
    assert record.attributes["stand_in"] == "yes"
    later = write_series(tmp_path / "c", 2, marks=True)
    assert import_studies(context, paths=[later]).series[0].kind is VolumeKind.SYNTHETIC
    (record,) = import_studies(context, paths=[later], stand_in=True).series
    assert record.kind is VolumeKind.REAL


def test_copies_take_the_place_of_files_that_were_known_in_place(
    context: WorkflowContext, tmp_path: Path
) -> None:
    nibabel = pytest.importorskip("nibabel")
    write_series(tmp_path / "a", 1)
    write_segmentation(tmp_path / "a" / "seg", 1, series="1.2.1", instances=["1.2.1.2"])
    voxels = np.arange(120, dtype="i2").reshape(4, 5, 6)
    nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4)), tmp_path / "a" / "x.nii")
    before = import_studies(context, paths=[tmp_path / "a"]).series
    copied = import_studies(context, paths=[tmp_path / "a"], copy=True)
    assert (copied.files.new, copied.files.moved, copied.files.gone) == (0, 5, 0)
    assert [r.volume_id for r in copied.series] == [r.volume_id for r in before]
    managed = str(context.home / "studies")
    for record in copied.series:
        assert record.findings == ()
        assert all(path.startswith(managed) for path in record.paths)
        assert all(item.path.startswith(managed) for item in record.objects)
    assert sum(len(record.objects) for record in copied.series) == 1
    assert not context.library.knows_paths_below(str(tmp_path / "a"))
    shutil.rmtree(tmp_path / "a")
    assert rescan_library(context).gone == ()


def test_first_copies_are_new(context: WorkflowContext, tmp_path: Path) -> None:
    write_series(tmp_path / "a", 1)
    first = import_studies(context, paths=[tmp_path / "a"], copy=True)
    assert (first.files.new, first.files.moved) == (4, 0)
    again = import_studies(context, paths=[tmp_path / "a"], copy=True)
    assert len(again.series) == 1
    assert again.series[0].shape[0] == 4
    assert again.files.gone == 0


def test_names_that_are_no_text_survive(context: WorkflowContext, tmp_path: Path) -> None:
    folder = write_series(tmp_path / "a", 1)
    odd = os.fsencode(folder) + b"/caf\xe9\xff"
    (folder / "IM002").rename(os.fsdecode(odd))
    odd_folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/a/\xff\xfe"))
    odd_folder.mkdir()
    (folder / "IM003").rename(odd_folder / "x")
    (record,) = import_studies(context, paths=[tmp_path / "a"]).series
    assert record.shape[0] == 4
    assert all(Path(path).is_file() for path in context.library.volume("1.2.1").paths)
    assert import_studies(context, paths=[tmp_path / "a"]).files.unchanged == 4
    shutil.rmtree(odd_folder)
    assert import_studies(context, paths=[tmp_path / "a"]).files.gone == 1


def test_volume_files_move_copy_and_change(context: WorkflowContext, tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel")

    def write(name: str, seed: int) -> Path:
        path = tmp_path / "n" / name
        path.parent.mkdir(exist_ok=True)
        voxels = np.random.default_rng(seed).integers(0, 99, (4, 5, 6), "i2")
        nibabel.save(nibabel.Nifti1Image(voxels, np.diag([1.0, 2.0, 3.0, 1.0])), path)
        return path

    first = write("one.nii", 1)
    (record,) = import_studies(context, paths=[tmp_path / "n"]).series
    shutil.copy(first, tmp_path / "n" / "two.nii")
    copied = import_studies(context, paths=[tmp_path / "n"])
    assert [finding.code for finding in copied.findings] == ["copy"]
    assert list_volumes(context)[0].paths == record.paths
    first.unlink()
    moved = import_studies(context, paths=[tmp_path / "n"])
    assert moved.files.moved == 1
    (now,) = list_volumes(context)
    assert (now.volume_id, Path(now.paths[0]).name) == (record.volume_id, "two.nii")
    write("two.nii", 2)
    import_studies(context, paths=[tmp_path / "n"])
    (changed,) = list_volumes(context)
    assert changed.volume_id != record.volume_id


def test_all_shared_studies_again_change_nothing(context: WorkflowContext, studies: Path) -> None:
    first = import_studies(context, paths=[studies])
    again = import_studies(context, paths=[studies])
    assert first.files.new > 3000
    assert (again.files.new, again.files.changed, again.files.gone) == (0, 0, 0)
    assert again.files.unchanged == first.files.new
    assert again.series == first.series
    assert again.findings == first.findings
    # Stacking from kept headers gives what stacking from the files gave.
    restacked = import_studies(context, paths=[studies], reread=True)
    assert restacked.series == first.series
