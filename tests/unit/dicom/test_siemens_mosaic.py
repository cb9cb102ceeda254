"""Siemens mosaics against nibabel's MosaicWrapper, dcm2niix, and the plan they were made from."""

from __future__ import annotations

import shutil
import struct
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from carez_desktop.dicom.scan import scan_files
from carez_desktop.dicom.siemens_mosaic import csa_values
from carez_desktop.dicom.volume_reader import read_volume
from carez_desktop.domain.stacking import stack_instances
from carez_desktop.domain.study import VolumeRecord
from carez_desktop.domain.volume import Volume
from carez_desktop.system.child_process import ChildPool
from tests.builders.dicom_series import SeriesPlan, rotation, stored_at
from tests.builders.encoded_pixels import KINDS, put_pixels
from tests.builders.odd_corpus import data_set

PLAN = SeriesPlan(
    (7, 20, 24), (3.3, 2.0, 2.5), rotation(12, -8, 20), intercept=None, slope=None, signed=False
)
ACROSS = 3
MR = "1.2.840.10008.5.1.4.1.1.4"


@pytest.fixture(scope="module")
def children() -> Iterator[ChildPool]:
    pool = ChildPool(processes=1)
    yield pool
    pool.close()


def csa_header(values: dict[str, list[str]]) -> bytes:
    """A CSA header of the second kind (SV10)."""
    out = b"SV10\4\3\2\1" + struct.pack("<2I", len(values), 77)
    for name, items in values.items():
        vr = {"N": b"US", "S": b"FD", "A": b"SH"}[name[0]]
        out += name.encode().ljust(64, b"\0")
        out += struct.pack("<i4siii", len(items), vr, 3, len(items), 77)
        for item in items:
            data = item.encode() + b"\0"
            out += struct.pack("<4i", len(data), len(data), 77, len(data))
            out += data.ljust(-(-len(data) // 4) * 4, b"\0")
    return out


def mosaic(
    *, moment: int = 0, downwards: bool = False, syntax: str = "explicit", csa: bool = True
) -> tuple[Dataset, np.ndarray]:
    """A mosaic of the plan's slices; downwards it holds them from the last to the first."""
    slices, rows, columns = PLAN.shape
    cells = (stored_at(PLAN.points()) + 10 * moment).astype("<u2")
    first, normal = PLAN.affine[:3, 3], PLAN.turn[:, 2]
    if downwards:
        first, normal, cells = PLAN.points()[-1, 0, 0], -normal, cells[::-1]
    whole = np.zeros((ACROSS * rows, ACROSS * columns), "<u2")
    for index, tile in enumerate(cells):
        down, along = divmod(index, ACROSS)
        whole[down * rows : (down + 1) * rows, along * columns : (along + 1) * columns] = tile
    shift = PLAN.turn[:, 0] * 2.5 * (ACROSS - 1) * columns / 2
    shift = shift + PLAN.turn[:, 1] * 2.0 * (ACROSS - 1) * rows / 2
    image = data_set("mosaic", MR, "MR", moment)
    image.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]
    image.Manufacturer = "SIEMENS"
    image.FrameOfReferenceUID = "1.2.3.9"
    image.ImagePositionPatient = [f"{part:.10f}"[:16] for part in first - shift]
    image.ImageOrientationPatient = [
        f"{part:.12f}"[:16] for part in (*PLAN.turn[:, 0], *PLAN.turn[:, 1])
    ]
    image.PixelSpacing, image.SliceThickness = ["2.0", "2.5"], "3"
    image.SpacingBetweenSlices, image.AcquisitionNumber = "3.3", moment + 1
    image.RepetitionTime, image.EchoTime, image.FlipAngle = "2000", "30", "90"
    image.ScanningSequence, image.SequenceVariant = "EP", "SK"
    image.MRAcquisitionType, image.MagneticFieldStrength = "2D", "3"
    image.AcquisitionMatrix = [rows, 0, 0, columns]
    image.AcquisitionTime = f"1015{2 * moment:02d}.000000"
    put_pixels(image, [whole], syntax, KINDS["grey12"])
    if csa:
        image.private_block(0x0029, "SIEMENS CSA HEADER", create=True).add_new(
            0x10,
            "OB",
            csa_header(
                {
                    "AcquisitionMatrixText": [f"{columns}*{rows}"],
                    "NumberOfImagesInMosaic": [str(slices)],
                    "SliceNormalVector": [f"{part:.8f}" for part in normal],
                }
            ),
        )
    return image, whole


def write(folder: Path, *images: Dataset) -> tuple[VolumeRecord, ...]:
    folder.mkdir(exist_ok=True)
    for index, image in enumerate(images):
        image.save_as(folder / f"{index:03d}.dcm", enforce_file_format=True)
    return stack_instances(scan_files([folder]).headers)


@pytest.mark.parametrize("syntax", ["explicit", "jpegls", "deflated"])
@pytest.mark.parametrize("downwards", [False, True])
def test_slices_lie_where_the_plan_has_them(
    tmp_path: Path, syntax: str, downwards: bool, children: ChildPool
) -> None:
    image, _ = mosaic(downwards=downwards, syntax=syntax)
    (record,) = write(tmp_path, image)
    volume = read_volume(record, children=children)
    assert record.shape == PLAN.shape
    index = np.stack(np.meshgrid(*map(np.arange, PLAN.shape), indexing="ij"), axis=-1)
    places = volume.geometry.index_to_lps(index)
    assert np.abs(volume.array - stored_at(places)).max() <= 1
    assert np.abs(np.sort(volume.geometry.corners_lps, 0) - np.sort(corners(), 0)).max() < 1e-3


def corners() -> np.ndarray:
    return PLAN.points()[:: PLAN.shape[0] - 1, :: PLAN.shape[1] - 1, :: PLAN.shape[2] - 1].reshape(
        -1, 3
    )


@pytest.mark.parametrize("downwards", [False, True])
def test_voxels_and_places_equal_those_of_nibabel(tmp_path: Path, downwards: bool) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from nibabel.nicom import dicomwrappers

    image, _ = mosaic(downwards=downwards)
    (record,) = write(tmp_path, image)
    volume = read_volume(record)
    oracle = dicomwrappers.wrapper_from_data(pydicom.dcmread(record.paths[0]))
    assert oracle.is_mosaic
    data = np.asarray(oracle.get_data())  # (row, column, slice)
    for place in ((0, 0, 0), (6, 19, 23), (3, 7, 11)):
        lps = volume.geometry.index_to_lps(place)
        row, column, number, _ = np.linalg.inv(oracle.affine) @ [*lps, 1.0]
        theirs = data[round(row), round(column), round(number)]
        assert np.abs(np.array([row, column, number]) - np.rint([row, column, number])).max() < 1e-3
        assert volume.array[place] == theirs


def converted(folder: Path, files: Path) -> nibabel.Nifti1Image:
    """What dcm2niix makes of a file or folder."""
    folder.mkdir()
    subprocess.run(
        ["dcm2niix", "-b", "n", "-z", "n", "-o", folder, files], check=True, capture_output=True
    )
    (path,) = folder.glob("*.nii")
    return nibabel.load(path)


def assert_equal_places(volume: Volume, oracle: nibabel.Nifti1Image) -> None:
    """A voxel of ours and that of theirs at the same place have the same value."""
    data = np.asarray(oracle.dataobj)
    slices, rows, columns = volume.geometry.shape
    inverse = np.linalg.inv(oracle.affine)
    for place in np.random.default_rng(4).integers(0, [slices, rows, columns], (300, 3)):
        ras = volume.geometry.index_to_lps(place) * [-1, -1, 1]
        index = (inverse @ [*ras, 1.0])[:3]
        assert np.abs(index - np.rint(index)).max() < 1e-3
        assert volume.array[tuple(place)] == data[tuple(int(part) for part in np.rint(index))]


needs_dcm2niix = pytest.mark.skipif(shutil.which("dcm2niix") is None, reason="no dcm2niix here")


@needs_dcm2niix
@pytest.mark.parametrize("downwards", [False, True])
def test_voxels_and_places_equal_those_of_dcm2niix(tmp_path: Path, downwards: bool) -> None:
    image, _ = mosaic(downwards=downwards)
    (record,) = write(tmp_path / "in", image)
    assert_equal_places(read_volume(record), converted(tmp_path / "out", tmp_path / "in"))


@needs_dcm2niix
def test_real_mosaic_equals_that_of_dcm2niix(tmp_path: Path, studies: Path) -> None:
    path = tmp_path / "in" / "1.dcm"
    path.parent.mkdir()
    shutil.copyfile(studies / "transfer_syntax_ts" / "1.dcm", path)
    (record,) = stack_instances(scan_files([path]).headers)
    assert record.shape == (35, 64, 64)
    assert_equal_places(read_volume(record), converted(tmp_path / "out", path.parent))


def test_moments_are_a_set_of_volumes(tmp_path: Path) -> None:
    records = write(tmp_path, *(mosaic(moment=moment)[0] for moment in range(3)))
    assert [record.shape for record in records] == [PLAN.shape] * 3
    assert [record.set_index for record in records] == [0, 1, 2]
    means = [float(read_volume(record).array.mean()) for record in records]
    assert np.allclose(np.diff(means), 10.0)


def test_mosaic_without_csa_header_stays_one_image(tmp_path: Path) -> None:
    image, whole = mosaic(csa=False)
    (record,) = write(tmp_path, image)
    assert record.shape == (1, 60, 72)
    assert np.array_equal(read_volume(record).array[0], whole)
    assert "mosaic" in {finding.code for finding in record.findings}


@pytest.mark.parametrize("keep", [0, 3, 12, 40, 110, 180, 230])
def test_cut_csa_header_is_no_error(keep: int) -> None:
    raw = csa_header({"NumberOfImagesInMosaic": ["7"], "SliceNormalVector": ["0", "0.6", "0.8"]})
    found = csa_values(raw[:keep], ("NumberOfImagesInMosaic", "SliceNormalVector"))
    assert set(found) <= {"NumberOfImagesInMosaic", "SliceNormalVector"}
    whole = csa_values(raw, ("NumberOfImagesInMosaic", "SliceNormalVector"))
    assert whole == {"NumberOfImagesInMosaic": (7.0,), "SliceNormalVector": (0.0, 0.6, 0.8)}
