"""CT of real size: slices of 512 x 512 with the noise of a usual dose, in any encoding."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import EnhancedCTImageStorage

from tests.builders.dicom_series import SeriesPlan, build_series
from tests.builders.encoded_pixels import NATIVE, SYNTAXES, PixelKind, encode_frame

GREY12 = PixelKind(16, 12)
_DIFFERENT = 8


def slice_like_ct(index: int) -> npt.NDArray[np.uint16]:
    """(512, 512) stored values of a body in air with the noise of a usual dose."""
    noise = np.random.default_rng(index).normal(0, 18, (512, 512))
    y, x = np.mgrid[-1:1:512j, -1:1:512j]
    body = (x / 0.85) ** 2 + (y / 0.6) ** 2 < 1
    lungs = ((np.abs(x) - 0.4) / 0.25) ** 2 + (y / 0.4) ** 2 < 1
    values = np.where(body, np.where(lungs, -850, 40), -1000) + noise
    return np.rint(np.clip(values, -1024, 3071) + 1024).astype("<u2")


@cache
def stream_of(index: int, syntax: str) -> bytes:
    """One of eight slices, encoded."""
    return encode_frame(slice_like_ct(index), syntax, GREY12)


def write_ct(folder: Path, count: int, syntax: str = "explicit", uid: str = "1.2.3.4") -> Path:
    """Write a CT of `count` slices of 512 x 512 and return its folder."""

    def change(index: int, data_set: Dataset) -> None:
        stream = stream_of(index % _DIFFERENT, syntax)
        data_set.file_meta.TransferSyntaxUID = SYNTAXES[syntax]
        data_set.PixelData = stream if syntax in NATIVE else encapsulate([stream])
        data_set["PixelData"].VR = "OW" if syntax in NATIVE else "OB"

    plan = SeriesPlan(
        (count, 512, 512), (1.0, 0.7, 0.7), signed=False, bits_stored=12, series_uid=uid
    )
    build_series(folder, plan, change)
    return folder


def write_enhanced_ct(folder: Path, count: int, syntax: str = "explicit") -> Path:
    """Write one enhanced multi-frame CT with a place for each of its frames."""
    plain = write_ct(folder / "plain", 1, uid="1.2.3.5")
    import pydicom

    image = pydicom.dcmread(next(plain.iterdir()))
    next(plain.iterdir()).unlink()
    plain.rmdir()
    image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = EnhancedCTImageStorage
    image.file_meta.TransferSyntaxUID = SYNTAXES[syntax]
    shared, measures, turn, values = Dataset(), Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = image.PixelSpacing, "1"
    turn.ImageOrientationPatient = image.ImageOrientationPatient
    values.RescaleSlope, values.RescaleIntercept, values.RescaleType = "1", "-1024", "HU"
    shared.PixelMeasuresSequence = Sequence([measures])
    shared.PlaneOrientationSequence = Sequence([turn])
    shared.PixelValueTransformationSequence = Sequence([values])
    image.SharedFunctionalGroupsSequence = Sequence([shared])
    groups = []
    for index in range(count):
        group, place = Dataset(), Dataset()
        place.ImagePositionPatient = ["-12.5", "8.25", str(40.0 + index)]
        group.PlanePositionSequence = Sequence([place])
        groups.append(group)
    image.PerFrameFunctionalGroupsSequence = Sequence(groups)
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        delattr(image, keyword)
    for keyword in ("RescaleSlope", "RescaleIntercept", "SliceThickness", "SliceLocation"):
        delattr(image, keyword)
    image.NumberOfFrames = count
    streams = [stream_of(index % _DIFFERENT, syntax) for index in range(count)]
    image.PixelData = b"".join(streams) if syntax in NATIVE else encapsulate(streams)
    image["PixelData"].VR = "OW" if syntax in NATIVE else "OB"
    path = folder / "enhanced"
    image.save_as(path, enforce_file_format=True)
    return path
