"""Oracles: our reader, pydicom alone, and dciodvfy (dicom3tools) where it is installed."""

from __future__ import annotations

import itertools
import math
import shutil
import subprocess

import numpy as np
import pydicom
import pytest

from carez_desktop.dicom.scan import scan_files
from carez_desktop.dicom.series_writer import write_series
from carez_desktop.dicom.synthetic_marking import (
    SyntheticMarks,
    synthetic_description,
    synthetic_name,
)
from carez_desktop.dicom.volume_reader import read_volume
from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.stacking import stack_instances
from carez_desktop.domain.synthetic_origin import ALL_MARKS
from carez_desktop.domain.volume import Volume
from carez_desktop.errors import CancelledError, InputError, StorageError
from carez_desktop.progress import CancellationFlag

MARKS = SyntheticMarks("low-dose-ct 1.0.0", "Noise of a lower dose was added")
FACTS = {
    "patient_id": "SIM-1",
    "patient_sex": "F",
    "patient_age": 63.0,
    "study_date": "20260105",
    "manufacturer": "SIEMENS",
    "kvp": 120.0,
    "exposure": 99.6,
    "ctdi_vol": 8.5,
    "slice_thickness": 2.5,
    "convolution_kernel": "B31f",
    "series_description": "chest",
}


def uids():
    count = itertools.count(1)
    return lambda: f"2.25.{next(count)}"


def oblique(shape, spacing, *, degrees=25.0):
    turn = math.radians(degrees)
    column = np.array([math.cos(turn), math.sin(turn), 0.0])
    row = np.array([-math.sin(turn) * math.cos(0.3), math.cos(turn) * math.cos(0.3), math.sin(0.3)])
    direction = np.stack([np.cross(column, row), row, column], axis=1)
    return VolumeGeometry.from_parts(shape, spacing, (-33.3, 12.123456, 400.7), direction)


def ct(shape=(5, 20, 14), dtype=np.int16):
    array = np.random.default_rng(1).integers(-1024, 2000, shape).astype(dtype)
    return Volume(
        "x",
        array,
        oblique(shape, (2.5, 0.7, 0.9)),
        "CT",
        "HU",
        frame_of_reference_uid="2.25.77",
        padding_value=-1024.0,
        window_center=40.0,
        window_width=400.0,
    )


def write(volume, folder, **more):
    return write_series(volume, folder, attributes=FACTS, uid_factory=uids(), marks=MARKS, **more)


def read(folder):
    scan = scan_files([folder])
    (record,) = stack_instances(scan.headers)
    return scan, record, read_volume(record)


def test_an_oblique_anisotropic_series_comes_back(tmp_path):
    volume = ct()
    written = write(volume, tmp_path / "series")
    scan, record, again = read(written.folder)
    assert not scan.unreadable
    assert again.geometry.is_close_to(volume.geometry, tolerance_mm=1e-3)
    assert np.array_equal(again.array, volume.array)
    assert (again.modality, again.units) == ("CT", "HU")
    assert again.padding_value == -1024.0
    assert again.frame_of_reference_uid == "2.25.77"
    assert record.series_instance_uid == written.series_instance_uid
    assert record.attributes["patient_age"] == 63.0
    assert record.attributes["ctdi_vol"] == 8.5
    assert record.attributes["kvp"] == 120.0


def test_every_instance_carries_every_mark(tmp_path):
    written = write(ct(), tmp_path / "series")
    assert len(set(written.sop_instance_uids)) == 5
    for header in scan_files([written.folder]).headers:
        assert set(header.synthetic_marks) == set(ALL_MARKS)
    for path in written.paths:
        file = pydicom.dcmread(path)
        assert file.SyntheticData == "YES"
        assert file.ImageType[0] == "DERIVED"
        assert str(file.PatientName).startswith("SYNTHETIC^")
        item = file.ContributingEquipmentSequence[0]
        code = item.PurposeOfReferenceCodeSequence[0]
        assert (code.CodeValue, code.CodingSchemeDesignator) == ("109100", "DCM")
        assert "low-dose-ct 1.0.0" in item.SoftwareVersions


def test_real_names_and_long_descriptions_do_not_pass():
    assert synthetic_name("Doe^Jane") == "SYNTHETIC^UNNAMED"
    assert synthetic_name("SYNTHETIC^SIM-1") == "SYNTHETIC^SIM-1"
    text = synthetic_description("x" * 100)
    assert text.startswith("SYNTHETIC ")
    assert len(text) <= 64
    assert synthetic_description("a SYNTHETIC series") == "a SYNTHETIC series"


def test_floating_point_mr_loses_half_a_step_at_most(tmp_path):
    shape = (3, 12, 10)
    array = np.random.default_rng(2).uniform(-3.0, 977.7, shape).astype(np.float32)
    volume = Volume("m", array, oblique(shape, (3.0, 1.1, 0.8)), "MR", "arbitrary")
    _, _, again = read(write(volume, tmp_path / "mr").folder)
    assert np.abs(again.array - array).max() <= 0.51 * (float(np.ptp(array)) / 65535.0)


def test_a_left_handed_volume_shows_the_same_voxels_at_the_same_points(tmp_path):
    volume = ct()
    flipped = Volume(
        "f",
        volume.array,
        VolumeGeometry.from_parts(
            volume.geometry.shape,
            volume.geometry.spacing_mm,
            volume.geometry.origin_lps,
            volume.geometry.direction_lps * np.array([-1.0, 1.0, 1.0]),
        ),
        "CT",
        "HU",
    )
    _, _, again = read(write(flipped, tmp_path / "left").folder)
    for index in ((0, 0, 0), (4, 3, 9), (2, 19, 13)):
        place = again.geometry.lps_to_index(flipped.geometry.index_to_lps(index))
        nearest = tuple(int(x) for x in np.rint(place))
        assert np.abs(place - nearest).max() < 1e-3
        assert again.array[nearest] == flipped.array[index]


def test_nothing_is_left_when_it_is_cancelled_or_refused(tmp_path):
    flag = CancellationFlag()
    flag.cancel()
    with pytest.raises(CancelledError):
        write(ct(), tmp_path / "series", cancel=flag)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "full").mkdir()
    with pytest.raises(StorageError, match="there already"):
        write(ct(), tmp_path / "full")
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError) as caught:
        write(ct(), tmp_path / "file" / "series")
    assert caught.value.hint
    volume = ct()
    with pytest.raises(InputError):
        write(volume.with_array(volume.array, modality="PT"), tmp_path / "pt")


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dicom3tools is not installed")
@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_dciodvfy_finds_no_error(tmp_path, modality):
    volume = ct()
    volume = volume.with_array(volume.array, modality=modality)
    written = write(volume, tmp_path / "series")
    done = subprocess.run(
        ["dciodvfy", str(written.paths[0])], capture_output=True, text=True, check=False
    )
    # Its dictionary is older than Synthetic Data (0008,001C).
    errors = [
        line
        for line in done.stderr.splitlines()
        if line.startswith("Error") and "0x001c" not in line
    ]
    assert errors == []
