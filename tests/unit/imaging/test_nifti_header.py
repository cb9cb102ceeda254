"""NIfTI headers against nibabel, and against SimpleITK where nibabel has no units."""

from __future__ import annotations

import gzip
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - its own convention

from carez_desktop.domain.volume import VolumeKind
from carez_desktop.errors import GeometryError, UnreadableFileError
from carez_desktop.imaging.nifti_header import read_nifti_header
from carez_desktop.imaging.sitk_bridge import geometry_of
from carez_desktop.imaging.volume_files import (
    data_files_of,
    describe_volume_file,
    read_file_slices,
    read_volume_file,
)
from tests.builders.dicom_series import rotation
from tests.builders.nifti_files import (
    FLIP,
    SHAPE,
    agrees_with_nibabel,
    as_nibabel,
    cells,
    oblique,
    read,
)


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("endian", ["<", ">"])
@pytest.mark.parametrize("name", ["v.nii", "v.nii.gz"])
@pytest.mark.parametrize("left_handed", [False, True])
def test_versions_orders_and_hands(
    tmp_path: Path, kind: Any, endian: str, name: str, left_handed: bool
) -> None:
    header = kind.header_class(endianness=endian)
    header.set_data_dtype("i2")
    affine = oblique(left_handed=left_handed)
    kind(cells(), affine, header).to_filename(tmp_path / name)
    volume = agrees_with_nibabel(tmp_path / name)
    assert volume.geometry.is_right_handed is not left_handed
    assert volume.array.dtype == np.int16


@pytest.mark.parametrize(
    ("scale", "dtype"),
    [
        ((0.5, -7.0), "float32"),
        ((2.0, -1024.0), "int16"),
        ((1.0, 40000.0), "int32"),
        ((0.0, 5.0), "int16"),
        ((float("nan"), 3.0), "int16"),
        ((float("inf"), 0.0), "int16"),
        ((-1.0, 0.0), "int16"),
    ],
)
def test_slope_and_intercept_as_nibabel_applies_them(
    tmp_path: Path, scale: tuple[float, float], dtype: str
) -> None:
    path = tmp_path / "v.nii"
    nib.Nifti1Image(cells(), oblique()).to_filename(path)
    content = bytearray(path.read_bytes())
    struct.pack_into("<ff", content, 112, *scale)
    path.write_bytes(content)
    volume = read(path)
    values, _ = as_nibabel(path)
    assert np.allclose(volume.array, values, rtol=1e-6)
    assert volume.array.dtype.name == dtype


def test_slope_without_an_intercept_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "v.nii"
    nib.Nifti1Image(cells(), oblique()).to_filename(path)
    content = bytearray(path.read_bytes())
    struct.pack_into("<ff", content, 112, 2.0, float("nan"))
    path.write_bytes(content)
    with pytest.raises(UnreadableFileError, match="intercept"):
        describe_volume_file(path)


@pytest.mark.parametrize("codes", [(2, 0), (0, 1), (1, 3), (0, 0)])
@pytest.mark.parametrize("left_handed", [False, True])
def test_sform_qform_or_neither_as_nibabel_chooses(
    tmp_path: Path, codes: tuple[int, int], left_handed: bool
) -> None:
    path = tmp_path / "v.nii"
    image = nib.Nifti1Image(cells(), None)
    other = oblique(left_handed=left_handed)
    other[:3, 3] += 3.0
    image.set_qform(oblique(left_handed=left_handed), code=codes[1], update_affine=False)
    image.set_sform(other, code=codes[0], update_affine=False)
    image.to_filename(path)
    volume = agrees_with_nibabel(path)
    (record,) = describe_volume_file(path)
    placed = codes != (0, 0)
    assert bool(record.orientation) is placed
    assert ("no_position" in {f.code for f in volume.findings}) is not placed


def test_a_turn_by_180_degrees_in_the_quaternion(tmp_path: Path) -> None:
    for turn in ([0, 180, 0], [180, 0, 0], [0, 0, 180], [180, 0, 90]):
        affine = np.eye(4)
        affine[:3, :3] = rotation(*turn) @ np.diag([0.6, 0.8, 2.5])
        image = nib.Nifti1Image(cells(), None)
        image.set_qform(affine, code=1)
        image.to_filename(tmp_path / "v.nii")
        agrees_with_nibabel(tmp_path / "v.nii")


@pytest.mark.parametrize(("unit", "factor"), [("meter", 1000.0), ("micron", 0.001), ("mm", 1.0)])
def test_units_of_length_become_millimetres_as_itk_reads_them(
    tmp_path: Path, unit: str, factor: float
) -> None:
    path = tmp_path / "v.nii"
    image = nib.Nifti1Image(cells(), oblique())
    image.header.set_xyzt_units(unit, "sec")
    image.to_filename(path)
    volume = read(path)
    assert volume.geometry.spacing_mm == pytest.approx(
        (2.5 * factor, 0.8 * factor, 0.6 * factor), rel=1e-5
    )
    itk = geometry_of(sitk.ReadImage(str(path)))
    assert volume.geometry.is_close_to(itk, tolerance_mm=1e-3 * max(factor, 1.0))


def test_a_pair_of_header_and_image(tmp_path: Path) -> None:
    nib.Nifti1Pair(cells(), oblique()).to_filename(tmp_path / "v.img")
    path = tmp_path / "v.hdr"
    agrees_with_nibabel(path)
    assert data_files_of(path) == (tmp_path / "v.img",)
    (record,) = describe_volume_file(path)
    assert record.patient_id == "v"
    image = bytearray((tmp_path / "v.img").read_bytes())
    image[3] ^= 1
    (tmp_path / "v.img").write_bytes(image)
    with pytest.raises(UnreadableFileError, match="changed"):
        read_volume_file(record)
    (tmp_path / "v.img").unlink()
    with pytest.raises(UnreadableFileError, match="missing"):
        describe_volume_file(path)


def test_analyze_is_refused_in_words(tmp_path: Path) -> None:
    nib.AnalyzeImage(cells(), np.diag([0.6, 0.8, 2.5, 1])).to_filename(tmp_path / "v.img")
    with pytest.raises(UnreadableFileError, match="which side is left"):
        describe_volume_file(tmp_path / "v.hdr")


@pytest.mark.parametrize("alpha", [False, True])
def test_colours(tmp_path: Path, alpha: bool) -> None:
    names = "RGBA" if alpha else "RGB"
    voxels = np.zeros(SHAPE, dtype=[(name, "u1") for name in names])
    for number, name in enumerate(names):
        voxels[name] = cells(np.uint8) + number
    nib.Nifti1Image(voxels, oblique()).to_filename(tmp_path / "v.nii")
    (record,) = describe_volume_file(tmp_path / "v.nii")
    assert record.samples == 3
    volume = read_volume_file(record)
    assert (volume.units, volume.array.dtype) == ("rgb", np.uint8)
    for number, name in enumerate("RGB"):
        assert np.array_equal(volume.array[..., number], voxels[name].T)
    assert ("opacity" in {f.code for f in volume.findings}) is alpha


@pytest.mark.parametrize("name", ["v.nii", "v.nii.gz"])
def test_five_dimensions_in_the_order_of_the_file(tmp_path: Path, name: str) -> None:
    voxels = cells(shape=(*SHAPE, 2, 3))
    nib.Nifti1Image(voxels, oblique()).to_filename(tmp_path / name)
    records = describe_volume_file(tmp_path / name)
    assert len(records) == 6
    for record in records:
        second, first = divmod(record.set_index, 2)
        expected = voxels[..., first, second].T
        assert np.array_equal(read_volume_file(record).array, expected)


def test_two_dimensions_are_one_slice(tmp_path: Path) -> None:
    nib.Nifti1Image(cells(shape=(5, 4)), oblique()).to_filename(tmp_path / "v.nii")
    volume = read(tmp_path / "v.nii")
    assert np.array_equal(volume.array[0], cells(shape=(5, 4)).T)


def test_what_is_no_grey_value_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "v.nii"
    nib.Nifti1Image(cells(np.complex64), oblique()).to_filename(path)
    assert "complex" in describe_volume_file(path)[0].refusal
    image = nib.Nifti1Image(cells(np.float32, (*SHAPE, 1, 3)), oblique())
    image.header.set_intent("vector")
    image.to_filename(path)
    (record,) = describe_volume_file(path)
    assert "vectors" in record.refusal
    with pytest.raises(GeometryError, match="vectors"):
        read_volume_file(record)


def test_the_label_intent_makes_a_label_map(tmp_path: Path) -> None:
    image = nib.Nifti1Image(cells(np.uint8), oblique())
    image.header.set_intent("label")
    image.to_filename(tmp_path / "v.nii")
    (record,) = describe_volume_file(tmp_path / "v.nii")
    assert record.kind is VolumeKind.DERIVED
    assert read_volume_file(record).units == "label"


def test_a_sheared_grid_stays_slices_at_their_places(tmp_path: Path) -> None:
    affine = oblique()
    affine[:3, 2] += affine[:3, 1] * np.tan(np.radians(3.0)) * 2.5 / 0.8
    path = tmp_path / "v.nii"
    nib.Nifti1Image(cells(), affine).to_filename(path)
    (record,) = describe_volume_file(path)
    assert "3.00 degrees" in record.refusal
    assert record.slices_only
    assert record.spacing_mm is None
    with pytest.raises(GeometryError, match="perpendicular") as caught:
        read_volume_file(record)
    assert "--resample" in caught.value.hint
    stack = read_file_slices(record)
    assert len(stack.slices) == 3
    for index, one in enumerate(stack.slices):
        assert np.array_equal(one.array[0], cells()[..., index].T)
        for row, column in ((0, 0), (3, 0), (0, 4), (3, 4)):
            expected = (FLIP @ affine @ [column, row, index, 1.0])[:3]
            assert np.allclose(one.geometry.index_to_lps((0, row, column)), expected, atol=1e-4)
        across = one.geometry.direction_lps.T @ one.geometry.direction_lps
        assert np.allclose(across, np.eye(3), atol=1e-6)
    assert stack.slices[0].geometry.spacing_mm[0] == pytest.approx(2.5, abs=1e-5)


def test_rows_that_are_not_perpendicular_to_columns_are_refused(tmp_path: Path) -> None:
    affine = oblique()
    affine[:3, 1] += affine[:3, 0] * 0.1
    path = tmp_path / "v.nii"
    nib.Nifti1Image(cells(), affine).to_filename(path)
    (record,) = describe_volume_file(path)
    assert record.refusal
    assert not record.slices_only


def _broken(path: Path, offset: int, kind: str, *values: float) -> None:
    nib.Nifti1Image(cells(), oblique()).to_filename(path)
    content = bytearray(path.read_bytes())
    struct.pack_into(kind, content, offset, *values)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("offset", "kind", "values"),
    [
        (40, "<8h", (3, -1, 4, 3, 1, 1, 1, 1)),
        (40, "<8h", (3, 0, 4, 3, 1, 1, 1, 1)),
        (40, "<8h", (3, 32767, 32767, 32767, 1, 1, 1, 1)),
        (40, "<8h", (7, 32767, 32767, 32767, 32767, 32767, 32767, 32767)),
        (40, "<8h", (99, 5, 4, 3, 1, 1, 1, 1)),
        (108, "<f", (float("nan"),)),
        (108, "<f", (-5.0,)),
        (108, "<f", (1e30,)),
        (280, "<f", (float("inf"),)),
        (280, "<12f", (0.0,) * 12),
        (344, "<4s", (b"abc\0",)),
        (0, "<i", (17,)),
    ],
)
def test_headers_that_lie_are_refused_without_taking_memory(
    tmp_path: Path, offset: int, kind: str, values: tuple[Any, ...]
) -> None:
    path = tmp_path / "v.nii"
    _broken(path, offset, kind, *values)
    packed = tmp_path / "p.nii.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    tracemalloc.start()
    try:
        for file in (path, packed):
            with pytest.raises(UnreadableFileError) as caught:
                describe_volume_file(file)
            assert caught.value.subject == str(file)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_every_real_file_equals_nibabel(studies: Path) -> None:
    paths = sorted(studies.rglob("*.nii.gz"))
    assert len(paths) > 400
    for path in paths[::7]:
        header = read_nifti_header(path)
        values, affine = as_nibabel(path)
        assert np.allclose(header.affine, affine, atol=1e-5)
        if values.dtype.names is None:
            assert np.array_equal(read(path).array, values)
