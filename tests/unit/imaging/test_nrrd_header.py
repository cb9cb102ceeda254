"""NRRD headers and voxels against SimpleITK (ITK's reader) and pynrrd."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import nrrd
import numpy as np
import numpy.typing as npt
import pytest
import SimpleITK as sitk  # noqa: N813 - its own convention

from carez_desktop.domain.volume import Volume, VolumeKind
from carez_desktop.errors import UnreadableFileError
from carez_desktop.imaging.sitk_bridge import array_of, geometry_of
from carez_desktop.imaging.volume_files import (
    data_files_of,
    describe_volume_file,
    read_volume_file,
)
from tests.builders.dicom_series import rotation

SHAPE = (5, 4, 3)
"""(column, row, slice), as NRRD counts."""


def cells(dtype: Any = np.int16, shape: tuple[int, ...] = SHAPE) -> npt.NDArray[Any]:
    return (np.arange(np.prod(shape)).reshape(shape) * 7 % 120).astype(dtype)


def fields(*, left_handed: bool = False, **more: Any) -> dict[str, Any]:
    """An oblique, anisotropic grid; rows of `space directions` are the axes, fastest first."""
    step = -2.5 if left_handed else 2.5
    directions = (rotation(20, -35, 60) @ np.diag([0.6, 0.8, step])).T
    return {
        "space": "left-posterior-superior",
        "space directions": directions,
        "space origin": np.array([-11.0, 5.0, 42.0]),
        "kinds": ["domain"] * 3,
        **more,
    }


def read(path: Path) -> Volume:
    return read_volume_file(*describe_volume_file(path))


def agrees_with_itk(path: Path) -> Volume:
    volume = read(path)
    image = sitk.ReadImage(str(path))
    assert np.array_equal(volume.array, array_of(image))
    assert volume.geometry.is_close_to(geometry_of(image), tolerance_mm=1e-6)
    return volume


def text(header: str, path: Path, payload: bytes = b"") -> Path:
    path.write_bytes(header.strip().encode() + b"\n\n" + payload)
    return path


PLAIN = """NRRD0004
type: short
dimension: 3
space: left-posterior-superior
sizes: 5 4 3
space directions: (0.6,0,0) (0,0.8,0) (0,0,2.5)
kinds: domain domain domain
endian: little
encoding: raw
space origin: (1,2,3)
"""


@pytest.mark.parametrize("encoding", ["raw", "gzip", "bzip2", "ascii"])
@pytest.mark.parametrize("detached", [False, True])
def test_encodings_attached_and_detached(tmp_path: Path, encoding: str, detached: bool) -> None:
    path = tmp_path / ("v.nhdr" if detached else "v.nrrd")
    nrrd.write(str(path), cells(), fields(encoding=encoding), detached_header=detached)
    volume = read(path)
    values, _ = nrrd.read(str(path))
    assert np.array_equal(volume.array, values.T)
    assert bool(data_files_of(path)) is detached
    if encoding != "bzip2":  # which ITK does not read
        agrees_with_itk(path)


def test_hexadecimal(tmp_path: Path) -> None:
    header = PLAIN.replace("raw", "hex")
    path = text(
        header, tmp_path / "v.nrrd", cells().T.astype("<i2").tobytes().hex(" ", 30).encode()
    )
    assert np.array_equal(read(path).array, cells().T)


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
def test_types_keep_their_values(tmp_path: Path, dtype: str) -> None:
    path = tmp_path / "v.nrrd"
    nrrd.write(str(path), cells(dtype), fields())
    volume = read(path)
    assert np.array_equal(volume.array, cells(dtype).T)
    assert volume.array.dtype == (np.float32 if dtype[0] == "f" else np.int16)


@pytest.mark.parametrize("endian", ["little", "big"])
def test_byte_orders(tmp_path: Path, endian: str) -> None:
    order = "<i2" if endian == "little" else ">i2"
    header = PLAIN.replace("little", endian)
    agrees_with_itk(text(header, tmp_path / "v.nrrd", cells().T.astype(order).tobytes()))


@pytest.mark.parametrize("left_handed", [False, True])
@pytest.mark.parametrize(
    "space",
    [
        "left-posterior-superior",
        "LPS",
        "right-anterior-superior",
        "RAS",
        "left-anterior-superior",
        "LAS",
    ],
)
def test_anatomical_spaces_become_lps_as_itk_reads_them(
    tmp_path: Path, space: str, left_handed: bool
) -> None:
    path = tmp_path / "v.nrrd"
    nrrd.write(str(path), cells(), fields(left_handed=left_handed, space=space))
    volume = agrees_with_itk(path)
    mirrored = space.lower() in ("las", "left-anterior-superior")
    assert volume.geometry.is_right_handed is (left_handed == mirrored)


@pytest.mark.parametrize("space", ["scanner-xyz", "3D-right-handed", ""])
def test_a_space_that_is_not_the_patient_has_no_letters(tmp_path: Path, space: str) -> None:
    header = PLAIN.replace("left-posterior-superior", space)
    header = header if space else header.replace("space: \n", "space dimension: 3\n")
    path = text(header, tmp_path / "v.nrrd", cells().T.tobytes())
    (record,) = describe_volume_file(path)
    assert record.orientation == ""
    assert record.spacing_mm == pytest.approx((2.5, 0.8, 0.6))
    assert [finding.code for finding in record.findings] == ["no_position"]
    assert np.array_equal(read_volume_file(record).array, cells().T)


def test_spacings_without_directions(tmp_path: Path) -> None:
    header = """NRRD0001
type: short
dimension: 3
sizes: 5 4 3
spacings: 0.6 0.8 2.5
endian: little
encoding: raw
"""
    volume = agrees_with_itk(text(header, tmp_path / "v.nrrd", cells().T.tobytes()))
    assert volume.geometry.spacing_mm == pytest.approx((2.5, 0.8, 0.6))


@pytest.mark.parametrize(
    ("line", "factor"),
    [
        ('space units: "mm" "mm" "mm"', 1),
        ('units: "cm" "cm" "cm"', 10),
        ('space units: "um" "um" "um"', 0.001),
    ],
)
def test_units_of_length(tmp_path: Path, line: str, factor: float) -> None:
    path = text(PLAIN + line, tmp_path / "v.nrrd", cells().T.tobytes())
    geometry = read(path).geometry
    assert geometry.spacing_mm == pytest.approx((2.5 * factor, 0.8 * factor, 0.6 * factor))
    assert geometry.origin_lps == pytest.approx((factor, 2 * factor, 3 * factor))


@pytest.mark.parametrize("slowest", [False, True])
def test_four_dimensions_are_an_ordered_set(tmp_path: Path, slowest: bool) -> None:
    path = tmp_path / "v.nrrd"
    voxels = cells(shape=(*SHAPE, 4) if slowest else (4, *SHAPE))
    stated = fields()
    none = np.full((1, 3), np.nan)
    axes = [stated["space directions"], none] if slowest else [none, stated["space directions"]]
    stated["space directions"] = np.vstack(axes)
    stated["kinds"] = ["domain"] * 3 + ["list"] if slowest else ["list"] + ["domain"] * 3
    nrrd.write(str(path), voxels, stated)
    records = describe_volume_file(path)
    assert [record.set_index for record in records] == [0, 1, 2, 3]
    for record in records:
        point = voxels[..., record.set_index] if slowest else voxels[record.set_index]
        volume = read_volume_file(record)
        assert np.array_equal(volume.array, point.T)
        assert volume.geometry.spacing_mm == pytest.approx((2.5, 0.8, 0.6))


def test_colours_and_vectors(tmp_path: Path) -> None:
    voxels = cells(np.uint8, (3, *SHAPE))
    stated = fields()
    stated["space directions"] = np.vstack([np.full((1, 3), np.nan), stated["space directions"]])
    for kind in ("RGB-color", "3-color"):
        stated["kinds"] = [kind, "domain", "domain", "domain"]
        path = tmp_path / "v.nrrd"
        nrrd.write(str(path), voxels, stated)
        volume = read(path)
        assert (volume.units, volume.array.shape) == ("rgb", (3, 4, 5, 3))
        assert np.array_equal(volume.array, voxels.T)
        assert np.array_equal(volume.array, array_of(sitk.ReadImage(str(path))))
    stated["kinds"] = ["3-vector", "domain", "domain", "domain"]
    nrrd.write(str(path), voxels.astype(np.float32), stated)
    (record,) = describe_volume_file(path)
    assert "3-vector" in record.refusal


def test_skipped_lines_and_bytes(tmp_path: Path) -> None:
    payload = cells().T.tobytes()
    (tmp_path / "v.raw").write_bytes(b"one\ntwo\nxyz" + payload)
    skips = "line skip: 2\nbyte skip: 3\ndata file: v.raw"
    agrees_with_itk(text(PLAIN + skips, tmp_path / "v.nhdr"))
    end = "byte skip: -1\ndata file: v.raw"
    agrees_with_itk(text(PLAIN + end, tmp_path / "w.nhdr"))


@pytest.mark.parametrize("listed", [False, True])
def test_a_file_for_each_slice(tmp_path: Path, listed: bool) -> None:
    for index in range(3):
        (tmp_path / f"s{index + 1:03d}.raw").write_bytes(cells().T[index].tobytes())
    names = "LIST\ns001.raw\ns002.raw\ns003.raw" if listed else "s%03d.raw 1 3 1"
    path = text(f"{PLAIN}data file: {names}", tmp_path / "v.nhdr")
    assert len(data_files_of(path)) == 3
    volume = read(path)
    assert np.array_equal(volume.array, cells().T)
    if not listed:
        agrees_with_itk(path)


@pytest.mark.parametrize("name", ["../v.raw", "/tmp/v.raw", "sub/../../v.raw", "out/v.raw"])
def test_voxels_outside_the_folder_are_not_read(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "given"
    (folder / "sub").mkdir(parents=True)
    (tmp_path / "v.raw").write_bytes(cells().T.tobytes())
    (folder / "out").symlink_to(tmp_path)
    path = text(f"{PLAIN}data file: {name}", folder / "v.nhdr")
    with pytest.raises(UnreadableFileError, match="outside its folder"):
        describe_volume_file(path)


def test_a_mark_of_synthetic_data_is_seen(tmp_path: Path) -> None:
    for line in ("SyntheticData:=YES", "descrip:=SYNTHETIC CT", 'content: "SYNTHETIC CT"'):
        path = text(PLAIN + line, tmp_path / "v.nrrd", cells().T.tobytes())
        assert describe_volume_file(path)[0].kind is VolumeKind.SYNTHETIC
    path = text(PLAIN + "Modality:=MR", tmp_path / "v.nrrd", cells().T.tobytes())
    assert describe_volume_file(path)[0].kind is VolumeKind.REAL
    assert describe_volume_file(path)[0].modality == "MR"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("NRRD0004", "NOTNRRD"),
        ("sizes: 5 4 3", "sizes: 5 4"),
        ("sizes: 5 4 3", "sizes: 5 4 -3"),
        ("sizes: 5 4 3", "sizes: 99999 99999 99999"),
        ("sizes: 5 4 3", "sizes: 99999999999999999999 1 1"),
        ("dimension: 3", "dimension: 3000000"),
        ("dimension: 3", "dimension: three"),
        ("type: short", "type: block"),
        ("encoding: raw", "encoding: zrl"),
        ("endian: little\n", ""),
        ("(0,0,2.5)", "(0,0,nan)"),
        ("(0,0,2.5)", "(0,0,0)"),
        ("(0,0,2.5)", "(0,x,1)"),
        ("(0,0,2.5)", ""),
        ("(0,0,2.5)", "(0,0,2.5,1)"),
        ("kinds: domain", "a line that says nothing\nkinds: domain"),
        ("encoding: raw", "encoding: raw\nline skip: -3\nbyte skip: 9999999999999"),
    ],
)
def test_headers_that_lie_are_refused(tmp_path: Path, old: str, new: str) -> None:
    path = text(PLAIN.replace(old, new, 1), tmp_path / "v.nrrd", cells().T.tobytes())
    try:
        (record,) = describe_volume_file(path)
    except UnreadableFileError as error:
        assert error.subject == str(path)  # noqa: PT017 - either way is a refusal
    else:
        assert record.refusal


def test_text_that_is_no_number(tmp_path: Path) -> None:
    header = PLAIN.replace("raw", "ascii")
    for payload in (b"1 2 three " * 30, b"9" * 500_000, b"1e400 " * 60, b"70000 " * 60, b"1 2 3"):
        path = text(header, tmp_path / "v.nrrd", payload)
        with pytest.raises(UnreadableFileError):
            read(path)


def test_an_endless_header_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "v.nrrd"
    path.write_bytes(b"NRRD0004\n" + b"a:=b\n" * 400_000)
    with pytest.raises(UnreadableFileError):
        describe_volume_file(path)
    path.write_bytes(b"NRRD0004\n" + os.urandom(100_000))
    with pytest.raises(UnreadableFileError):
        describe_volume_file(path)


def test_colours_of_more_than_8_bits_are_refused(tmp_path: Path) -> None:
    stated = fields(kinds=["RGB-color", "domain", "domain", "domain"])
    stated["space directions"] = np.vstack([np.full((1, 3), np.nan), stated["space directions"]])
    path = tmp_path / "v.nrrd"
    nrrd.write(str(path), cells(np.uint16, (3, *SHAPE)), stated)
    (record,) = describe_volume_file(path)
    assert "8 bits" in record.refusal


def test_segments_of_slicer_are_labels(tmp_path: Path) -> None:
    line = "Segment0_ID:=Segment_1\nSegment0_LabelValue:=1"
    path = text(PLAIN + line, tmp_path / "v.seg.nrrd", cells().T.tobytes())
    (record,) = describe_volume_file(path)
    assert record.kind is VolumeKind.DERIVED
    assert [finding.code for finding in record.findings] == ["label_file"]
    assert read_volume_file(record).units == "label"
