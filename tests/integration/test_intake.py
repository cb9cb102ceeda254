"""What may be given to an import: DICOMDIRs, copies, anything mixed; and what stays behind."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest

from carez_desktop.errors import CancelledError, GeometryError, StorageError
from carez_desktop.progress import CancellationFlag
from carez_desktop.workflows import _managed_files
from carez_desktop.workflows._intake import take_in
from carez_desktop.workflows.context import WorkflowContext, open_context
from carez_desktop.workflows.import_studies import import_studies
from carez_desktop.workflows.load_volume import load_volume
from tests.builders.archives import codes, left_in, pack, taken
from tests.builders.dicom_series import SeriesPlan, build_series


@pytest.fixture
def context(tmp_path: Path) -> Iterator[WorkflowContext]:
    opened = open_context(tmp_path / "home")
    yield opened
    opened.close()


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    return build_series(tmp_path / "source", SeriesPlan((3, 6, 8), series_uid="1.2.33"))


def test_too_little_room_is_said_before_unpacking(
    context: WorkflowContext, tmp_path: Path, images: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = pack(tmp_path / "s.zip", {p.name: p.read_bytes() for p in images})
    monkeypatch.setattr(_managed_files, "_LEFT_FREE", 1 << 60)
    (item,) = taken(context, path).scan.unreadable
    assert "room" in item.reason
    with pytest.raises(StorageError, match="room"):
        taken(context, images[0].parent, copy=True)
    assert left_in(context.home) == []


def test_an_error_and_a_cancel_take_everything_back(
    context: WorkflowContext, tmp_path: Path, images: list[Path]
) -> None:
    path = pack(tmp_path / "s.zip", {p.name: p.read_bytes() for p in images})

    def fail() -> None:
        with take_in(context, [path, images[0].parent], copy=True) as result:
            assert left_in(context.home)
            assert result.scan.headers
            raise StorageError("the library is full")

    with pytest.raises(StorageError):
        fail()
    assert left_in(context.home) == []
    flag = CancellationFlag()

    class Stop:
        def report(self, fraction: float, message: str = "") -> None:
            if message.startswith("Unpacking"):
                flag.cancel()

    with pytest.raises(CancelledError), take_in(context, [path], progress=Stop(), cancel=flag):
        pass
    assert left_in(context.home) == []


KILLED = """
import os, sys
from pathlib import Path
from carez_desktop.workflows._intake import take_in
from carez_desktop.workflows.context import open_context
context = open_context(Path(sys.argv[1]))
with take_in(context, [Path(p) for p in sys.argv[3:]], copy=sys.argv[2] == "copy"):
    os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("way", ["zip", "copy"])
def test_a_kill_leaves_nothing_after_the_next_import(
    context: WorkflowContext, tmp_path: Path, images: list[Path], way: str
) -> None:
    path = images[0].parent
    if way == "zip":
        path = pack(tmp_path / "s.zip", {p.name: p.read_bytes() for p in images})
    command = [sys.executable, "-c", KILLED, str(context.home), way, str(path)]
    killed = subprocess.run(command, check=False)
    assert killed.returncode == -9
    assert left_in(context.home)
    with take_in(context, []):
        assert left_in(context.home) == []
    report = import_studies(context, paths=[path], copy=way == "copy")
    assert len(report.series) == 1
    subprocess.run(command, check=False)
    with take_in(context, []):  # what the library knows is not taken away
        assert all(Path(p).is_file() for p in report.series[0].paths)


def test_an_import_at_work_is_left_alone(
    context: WorkflowContext, tmp_path: Path, images: list[Path]
) -> None:
    with take_in(context, [images[0].parent], copy=True) as first, take_in(context, []):
        assert all(Path(header.path).is_file() for header in first.scan.headers)


@pytest.mark.parametrize("copy", [False, True])
def test_an_import_that_fails_leaves_what_another_uses(
    context: WorkflowContext, tmp_path: Path, images: list[Path], copy: bool
) -> None:
    path = images[0].parent
    if not copy:
        path = pack(tmp_path / "s.zip", {p.name: p.read_bytes() for p in images})
    first = take_in(context, [path], copy=copy)
    first.__enter__()
    with take_in(context, [path], copy=copy) as second:
        error = StorageError("full")
        assert not first.__exit__(StorageError, error, None)
        assert all(Path(header.path).is_file() for header in second.scan.headers)
        assert len(second.scan.headers) == 3


def test_what_the_library_knows_of_a_zip_stays(context: WorkflowContext, tmp_path: Path) -> None:
    for name, value in (("a.nii.gz", 1), ("b.nii.gz", 2)):
        image = nibabel.Nifti1Image(np.full((3, 4, 5), value, np.int16), np.diag([1, 2, 3, 1.0]))
        image.to_filename(tmp_path / name)
    members = {name: (tmp_path / name).read_bytes() for name in ("a.nii.gz", "b.nii.gz")}
    path = pack(tmp_path / "s.zip", members)
    report = import_studies(context, paths=[path])
    with pytest.raises(StorageError), take_in(context, [path]):
        raise StorageError("full")
    assert len(report.series) == 2
    for record in report.series:
        assert load_volume(context, volume_id=record.volume_id).array.shape == (5, 4, 3)


def test_pairs_and_objects_survive_a_later_import_that_fails(
    context: WorkflowContext, tmp_path: Path, images: list[Path]
) -> None:
    (tmp_path / "p").mkdir()
    pair = nibabel.Nifti1Pair(np.ones((3, 4, 5), np.int16), np.eye(4))
    pair.to_filename(tmp_path / "p" / "v.img")
    report_object = pydicom.dcmread(images[0])
    report_object.SOPClassUID = "1.2.840.10008.5.1.4.1.1.88.33"
    report_object.SOPInstanceUID = "1.2.3.99"
    del report_object.PixelData
    report_object.save_as(tmp_path / "source" / "report")
    given = [tmp_path / "p", tmp_path / "source"]
    import_studies(context, paths=given, copy=True)
    kept = left_in(context.home)
    assert len(kept) == 6
    with pytest.raises(StorageError), take_in(context, given, copy=True):
        raise StorageError("full")
    assert left_in(context.home) == kept


def test_copies_are_verified_private_and_read_instead_of_the_source(
    context: WorkflowContext, tmp_path: Path, images: list[Path]
) -> None:
    report = import_studies(context, paths=[images[0].parent], copy=True)
    (record,) = report.series
    by_uid = {str(pydicom.dcmread(p).SOPInstanceUID): p.read_bytes() for p in images}
    for path in map(Path, record.paths):
        assert path.is_relative_to(context.home / "studies")
        assert path.read_bytes() == by_uid[path.name.removesuffix(".dcm")]
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not any("part" in name or ".imports" in name for name in left_in(context.home))
    again = import_studies(context, paths=[images[0].parent], copy=True)
    assert (again.files.new, again.files.unchanged, again.files.moved) == (0, 3, 0)
    changed = pydicom.dcmread(images[0])
    changed.PatientComments = "another file with the same instance UID"
    changed.save_as(images[0])
    again = taken(context, images[0].parent, copy=True)
    assert len(again.scan.headers) == 3
    assert len(left_in(context.home)) == 4
    names = [Path(header.path).name for header in again.scan.headers]
    assert sum("~" in name for name in names) == 1


def test_a_copy_that_a_full_disk_cuts_leaves_nothing(
    tmp_path: Path, images: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("may not mount here")
    try:
        monkeypatch.setattr(_managed_files, "_LEFT_FREE", -(1 << 40))  # the check before is fooled
        context = open_context(disk / "home")
        context.library.count()
        (tmp_path / "source" / "large.nii").write_bytes(os.urandom(1 << 20))
        for copy in (True, False):
            given = images[0].parent
            if not copy:
                given = pack(tmp_path / "s.zip", {"l.nii": os.urandom(1 << 20)})
            with pytest.raises(StorageError) as caught, take_in(context, [given], copy=copy):
                pass
            assert "No space" in str(caught.value)
            assert left_in(context.home) == []
        context.close()
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_label_files_stay_beside_their_images_when_copied(
    context: WorkflowContext, tmp_path: Path
) -> None:
    for value, folder in enumerate(("imagesTr", "labelsTr")):
        (tmp_path / "set" / folder).mkdir(parents=True)
        image = nibabel.Nifti1Image(np.full((3, 4, 5), value, np.int16), np.diag([1, 2, 3, 1.0]))
        image.to_filename(tmp_path / "set" / folder / "a.nii.gz")
    report = import_studies(context, paths=[tmp_path / "set"], copy=True)
    kinds = {Path(r.paths[0]).parent.name: r.kind.value for r in report.series}
    assert kinds == {"imagesTr": "real", "labelsTr": "derived"}


def test_a_dicomdir_brings_what_it_lists(context: WorkflowContext, studies: Path) -> None:
    folder = studies / "ct_tilt_phantom_philips" / "S2010"
    result = taken(context, folder / "DIRFILE")
    assert len(result.scan.headers) == 54
    assert codes(result.findings) == {"directory_moved"}
    assert taken(context, folder).scan.directories == ()


def test_everything_at_once(context: WorkflowContext, tmp_path: Path, images: list[Path]) -> None:
    archive = pack(tmp_path / "s.zip", {"a": images[0].read_bytes()})
    text = tmp_path / "notes.txt"
    text.write_text("text")
    result = taken(context, archive, images[1], images[0].parent, text)
    assert len(result.scan.headers) == 4
    (item,) = result.scan.unreadable
    assert item.path == str(text)


def test_a_sheared_nifti_is_resampled_on_demand(context: WorkflowContext, tmp_path: Path) -> None:
    """A linear field of values has to come out where it was, whatever the grid."""
    shape = (24, 20, 16)
    affine = np.diag([1.0, 1.5, 3.0, 1.0])
    affine[1, 2] = 3.0 * np.tan(np.radians(12.0))
    points = np.stack([*np.indices(shape), np.ones(shape)], axis=-1) @ affine.T
    field = (points[..., 0] * 2 + points[..., 1] * 3 + points[..., 2] * 5).astype(np.float32)
    nibabel.Nifti1Image(field + 1000, affine).to_filename(tmp_path / "v.nii")
    (record,) = import_studies(context, paths=[tmp_path / "v.nii"]).series
    assert record.slices_only
    with pytest.raises(GeometryError, match=r"12\.00 degrees"):
        load_volume(context, volume_id=record.volume_id)
    volume = load_volume(context, volume_id=record.volume_id, resample=True)
    middle = [extent // 2 for extent in volume.geometry.shape]
    for index in (middle, [middle[0] + 3, middle[1], middle[2] - 2]):
        left, back, up = volume.geometry.index_to_lps(index)
        expected = -left * 2 - back * 3 + up * 5 + 1000
        assert volume.array[tuple(index)] == pytest.approx(expected, abs=0.05)
