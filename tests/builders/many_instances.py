"""Thousands of small CT instances, written by cloning the bytes of one."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pydicom

from tests.builders.small_studies import write_series

_SERIES, _INSTANCE, _STUDY = "1.2.826.0.1.7000", "1.2.826.0.1.8000000", "1.2.826.0.1.600"
_PATIENT, _PLACE, _NUMBER = "PATIENT000", "0000.0", "000000"


def write_instances(folder: Path, *, series: int, slices: int) -> int:
    """Write series of slices, each series in a folder of its own; returns how many files.

    Args:
        folder: Where, new.
        series: At most 900; four of a study, and two studies of a patient.
        slices: Of each series, 2.5 mm apart.
    """
    source = write_series(folder / "template", 1, slices=1) / "IM000"
    image = pydicom.dcmread(source)
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = _INSTANCE
    image.SeriesInstanceUID, image.StudyInstanceUID = _SERIES, _STUDY
    image.PatientID = _PATIENT
    image.ImagePositionPatient = ["0", "0", _PLACE]
    image.InstanceNumber = _NUMBER
    stream = BytesIO()
    image.save_as(stream, enforce_file_format=True)
    source.unlink()
    source.parent.rmdir()
    source.parent.parent.rmdir()
    template = stream.getvalue()
    for number in range(series):
        place = folder / f"study{number // 4:03d}" / f"series{number:03d}"
        place.mkdir(parents=True)
        of_series = _with(template, _SERIES, f"{_SERIES[:-3]}{number:03d}")
        of_series = _with(of_series, _STUDY, f"{_STUDY[:-3]}{100 + number // 4:03d}")
        of_series = _with(of_series, _PATIENT, f"PATIENT{number // 8:03d}")
        for index in range(slices):
            one = _with(of_series, _INSTANCE, f"{_INSTANCE[:-6]}{number * slices + index:06d}")
            one = _with(one, _PLACE, f"{2.5 * index:06.1f}")
            one = _with(one, _NUMBER, f"{index:06d}")
            (place / f"IM{index:05d}").write_bytes(one)
    return series * slices


def _with(content: bytes, old: str, new: str) -> bytes:
    if len(old) != len(new):
        raise ValueError(new)
    return content.replace(old.encode(), new.encode())
