"""Volume files against nibabel, an independent reader of NIfTI."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - its own convention
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.volume import Volume, VolumeKind
from carez_desktop.errors import StorageError, UnreadableFileError, UsageError
from carez_desktop.imaging.sitk_bridge import array_of, geometry_of, to_sitk
from carez_desktop.imaging.volume_files import describe_volume_file, read_volume_file
from carez_desktop.imaging.volume_writer import write_volume_file
from tests.builders.dicom_series import rotation

FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])
"""LPS to RAS."""


def make(turn: np.ndarray, *, left_handed: bool = False, dtype: str = "i2") -> Volume:
    direction = turn[:, ::-1].copy()
    if left_handed:
        direction[:, 0] *= -1
    geometry = VolumeGeometry.from_parts((3, 4, 6), (2.5, 0.8, 0.6), (-11, 5, 42), direction)
    array = np.arange(72, dtype=dtype).reshape(3, 4, 6)
    return Volume("1.2", array, geometry, "CT", "HU", attributes={"patient_name": "X"})


angles = st.floats(-180, 180)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(angles, angles, angles, st.booleans(), st.sampled_from([".nii.gz", ".nii", ".nrrd"]))
def test_written_volume_reads_back(
    tmp_path_factory: pytest.TempPathFactory,
    x: float,
    y: float,
    z: float,
    left_handed: bool,
    suffix: str,
) -> None:
    volume = make(rotation(x, y, z), left_handed=left_handed)
    path = tmp_path_factory.mktemp("files") / f"volume{suffix}"
    write_volume_file(volume, path)
    again = read_volume_file(*describe_volume_file(path))
    assert np.array_equal(again.array, volume.array)
    assert again.array.dtype == np.int16
    assert again.geometry.is_close_to(volume.geometry, tolerance_mm=1e-3)


@pytest.mark.parametrize("left_handed", [False, True])
def test_nifti_affine_is_what_nibabel_reads(tmp_path: Path, left_handed: bool) -> None:
    volume = make(rotation(20, -35, 60), left_handed=left_handed)
    path = tmp_path / "v.nii.gz"
    write_volume_file(volume, path)
    oracle = nib.load(path)
    assert np.array_equal(np.asarray(oracle.dataobj).T, volume.array)
    for index in [(0, 0, 0), (2, 0, 0), (0, 3, 0), (0, 0, 5), (2, 3, 5)]:
        ras = oracle.affine @ [*index[::-1], 1.0]
        assert np.allclose((FLIP @ ras)[:3], volume.geometry.index_to_lps(index), atol=1e-3)


def test_nifti_of_nibabel_is_described_and_read_in_lps(tmp_path: Path) -> None:
    affine = np.array([[-0.6, 0, 0, 10], [0, 0.8, 0.1, -20], [0, -0.1, 2.5, 30], [0, 0, 0, 1.0]])
    affine[:3, :3] = rotation(10, 0, 0) @ np.diag([-0.6, 0.8, 2.5])
    voxels = np.arange(24, dtype=np.float32).reshape(2, 3, 4) + 0.5
    path = tmp_path / "patient-7.nii"
    nib.Nifti1Image(voxels, affine).to_filename(path)
    (record,) = describe_volume_file(path)
    assert record.patient_id == "patient-7"
    assert record.shape == (4, 3, 2)
    assert record.spacing_mm == pytest.approx((2.5, 0.8, 0.6), abs=1e-6)
    assert record.orientation == "SAL"
    assert record.volume_id.startswith("2.25.")
    assert record.source_format == "nifti"
    volume = read_volume_file(record)
    assert volume.array.dtype == np.float32
    assert np.array_equal(volume.array, voxels.T)
    assert np.allclose(
        volume.geometry.index_to_lps((3, 2, 1)), (FLIP @ affine @ [1, 2, 3, 1])[:3], atol=1e-4
    )


def test_volume_id_follows_the_content_not_the_name(tmp_path: Path) -> None:
    write_volume_file(make(np.eye(3)), tmp_path / "a.nrrd")
    (tmp_path / "b.nrrd").write_bytes((tmp_path / "a.nrrd").read_bytes())
    (first,), (second,) = (describe_volume_file(tmp_path / n) for n in ("a.nrrd", "b.nrrd"))
    assert first.volume_id == second.volume_id
    assert (first.modality, first.source_format) == ("CT", "nrrd")


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".nrrd"])
def test_synthetic_volume_stays_marked(tmp_path: Path, suffix: str) -> None:
    volume = make(np.eye(3))
    synthetic = volume.with_array(volume.array, kind=VolumeKind.SYNTHETIC)
    write_volume_file(synthetic, tmp_path / f"s{suffix}")
    write_volume_file(volume, tmp_path / f"r{suffix}")
    assert describe_volume_file(tmp_path / f"s{suffix}")[0].kind is VolumeKind.SYNTHETIC
    assert describe_volume_file(tmp_path / f"r{suffix}")[0].kind is VolumeKind.REAL
    if suffix != ".nrrd":
        header = nib.load(tmp_path / f"s{suffix}").header
        assert bytes(header["descrip"]).startswith(b"SYNTHETIC")
    else:
        assert b"SyntheticData:=YES" in (tmp_path / "s.nrrd").read_bytes()


def test_patient_facts_do_not_leave_in_the_file(tmp_path: Path) -> None:
    volume = make(np.eye(3))
    named = volume.with_array(volume.array, attributes={"patient_name": "SECRET^NAME"})
    write_volume_file(named, tmp_path / "v.nrrd")
    assert b"SECRET" not in (tmp_path / "v.nrrd").read_bytes()


def test_bad_input_is_named(tmp_path: Path) -> None:
    text = tmp_path / "text.nii.gz"
    text.write_text("this is no volume")
    with pytest.raises(UnreadableFileError) as caught:
        describe_volume_file(text)
    assert caught.value.subject == str(text)
    path = tmp_path / "v.nrrd"
    write_volume_file(make(np.eye(3)), path)
    (record,) = describe_volume_file(path)
    content = path.read_bytes()
    path.write_bytes(content[:-20])
    with pytest.raises(UnreadableFileError, match="changed since its import"):
        read_volume_file(record)
    with pytest.raises(UnreadableFileError):
        read_volume_file(*describe_volume_file(path))


def test_four_dimensions_are_an_ordered_set(tmp_path: Path) -> None:
    path = tmp_path / "four.nii.gz"
    voxels = np.arange(2 * 3 * 4 * 5, dtype=np.int16).reshape(2, 3, 4, 5)
    nib.Nifti1Image(voxels, np.diag([1.0, 2, 3, 1])).to_filename(path)
    records = describe_volume_file(path)
    assert [record.set_index for record in records] == [0, 1, 2, 3, 4]
    assert {record.set_id for record in records} == {records[0].series_instance_uid}
    assert records[4].volume_id == f"{records[0].set_id}:5"
    for index, record in enumerate(records):
        assert np.array_equal(read_volume_file(record).array, voxels[..., index].T)


def test_values_that_are_not_finite_become_zero_with_a_finding(tmp_path: Path) -> None:
    voxels = np.zeros((2, 3, 4), np.float32)
    voxels[1, 1, 1] = np.nan
    path = tmp_path / "nan.nrrd"
    sitk.WriteImage(sitk.GetImageFromArray(voxels), str(path))
    volume = read_volume_file(*describe_volume_file(path))
    assert np.isfinite(volume.array).all()
    assert [finding.code for finding in volume.findings] == ["not_finite"]


def test_output_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        write_volume_file(make(np.eye(3)), tmp_path / "v.png")
    with pytest.raises(StorageError) as caught:
        write_volume_file(make(np.eye(3)), tmp_path / "none" / "v.nrrd")
    assert caught.value.exit_code == 6
    assert not list(tmp_path.iterdir())


def test_bridge_reverses_axes_only(tmp_path: Path) -> None:
    volume = make(rotation(15, 25, -40))
    image = to_sitk(volume)
    assert image.GetSize() == (6, 4, 3)
    assert image.GetPixel(5, 3, 2) == int(volume.array[2, 3, 5])
    point = image.TransformIndexToPhysicalPoint((5, 3, 2))
    assert np.allclose(point, volume.geometry.index_to_lps((2, 3, 5)))
    assert geometry_of(image).is_close_to(volume.geometry, tolerance_mm=1e-9)
    assert np.array_equal(array_of(image), volume.array)


def test_hippocampus_volumes_equal_nibabel(studies: Path) -> None:
    paths = sorted((studies / "hippocampus_train" / "images").iterdir())
    assert len(paths) == 217
    for path in paths[::40]:
        oracle = nib.load(path)
        volume = read_volume_file(*describe_volume_file(path))
        assert np.array_equal(volume.array, np.asarray(oracle.dataobj).T)
        corner = np.array(volume.geometry.shape) - 1
        ras = oracle.affine @ [*corner[::-1], 1.0]
        assert np.allclose((FLIP @ ras)[:3], volume.geometry.index_to_lps(corner), atol=1e-4)
