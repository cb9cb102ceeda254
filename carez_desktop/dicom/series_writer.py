"""Write a volume as a series of single-frame CT or MR images, Explicit VR Little Endian.

Every series written here is synthetic and carries all marks; a real one is never written.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, MRImageStorage
from pydicom.valuerep import format_number_as_ds

from carez_desktop.dicom.synthetic_marking import SyntheticMarks, mark_synthetic
from carez_desktop.domain.volume import Volume
from carez_desktop.errors import InputError, StorageError
from carez_desktop.progress import NEVER, SILENT, CancellationToken, ProgressReporter

IMPLEMENTATION_CLASS_UID = "2.25.152637489003672210894773215690417283401"
_STORAGE = {"CT": CTImageStorage, "MR": MRImageStorage}
_FREE_SPACE = "Free space on the disk, or choose a writable folder"
Attributes = Mapping[str, str | float | None]

# Keyword of ours -> DICOM keyword; text and numbers as they stand.
_TEXT_KEYWORDS = {
    "patient_id": "PatientID",
    "patient_name": "PatientName",
    "patient_sex": "PatientSex",
    "study_date": "StudyDate",
    "study_time": "StudyTime",
    "study_description": "StudyDescription",
    "series_description": "SeriesDescription",
    "manufacturer": "Manufacturer",
    "manufacturer_model_name": "ManufacturerModelName",
    "body_part_examined": "BodyPartExamined",
    "convolution_kernel": "ConvolutionKernel",
    "protocol_name": "ProtocolName",
    "patient_position": "PatientPosition",
}
_DECIMAL_KEYWORDS = {
    "slice_thickness": "SliceThickness",
    "kvp": "KVP",
    "repetition_time": "RepetitionTime",
    "echo_time": "EchoTime",
    "magnetic_field_strength": "MagneticFieldStrength",
    "reconstruction_diameter": "ReconstructionDiameter",
}
_WHOLE_KEYWORDS = {
    "exposure": "Exposure",
    "x_ray_tube_current": "XRayTubeCurrent",
    "exposure_time": "ExposureTime",
}


@dataclass(frozen=True, slots=True)
class WrittenSeries:
    """A series on disk."""

    folder: Path
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uids: tuple[str, ...]
    paths: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class _Storage:
    """How modality values become stored values: modality = stored * slope + intercept."""

    slope: float
    intercept: float
    signed: bool


def write_series(
    volume: Volume,
    folder: Path,
    *,
    attributes: Attributes,
    uid_factory: Callable[[], str],
    marks: SyntheticMarks,
    study_instance_uid: str = "",
    series_number: int = 1,
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
) -> WrittenSeries:
    """Write a volume as one file for each slice, `00001.dcm` on.

    The files are written into `<folder>.part`, which then takes the folder's name: a killed or
    cancelled process leaves no folder that looks whole.

    Args:
        volume: (slice, row, column) modality values of modality CT or MR.
        folder: Must not exist.
        attributes: snake_case keywords as the library names them; `patient_age` in years.
        uid_factory: Gives a new UID at each call: study (if not given), series, then instances.
        marks: Every file carries them.
        study_instance_uid: Study that the series belongs to; "" for a new one.
        series_number: Series Number.
        progress: Told at each slice.
        cancel: Asked at each slice.

    Raises:
        InputError: A modality without a writer here, or an array with colour.
        StorageError: The folder exists, or cannot be written.
        CancelledError: The person stopped it.
    """
    if volume.modality not in _STORAGE or volume.array.ndim != 3:
        raise InputError(
            f"A {volume.modality} volume cannot be written as DICOM here",
            subject=volume.volume_id,
            hint="CT and MR volumes can",
        )
    if folder.exists():
        raise StorageError(
            "The folder is there already", subject=str(folder), hint="Choose a new folder"
        )
    study_uid = study_instance_uid or uid_factory()
    series_uid = uid_factory()
    frame_uid = volume.frame_of_reference_uid or uid_factory()
    storage, stored = _stored_values(volume.array)
    common = _common(volume, attributes, storage)
    common.StudyInstanceUID = study_uid
    common.SeriesInstanceUID = series_uid
    common.FrameOfReferenceUID = frame_uid
    common.SeriesNumber = series_number
    mark_synthetic(common, marks)
    part = folder.with_name(folder.name + ".part")
    count = volume.array.shape[0]
    uids = [uid_factory() for _ in range(count)]
    names = [f"{index + 1:05d}.dcm" for index in range(count)]
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        for index, (uid, name) in enumerate(zip(uids, names, strict=True)):
            cancel.raise_if_cancelled()
            _write_slice(common, volume, stored[index], index, uid, part / name)
            progress.report((index + 1) / count, f"Slice {index + 1} of {count}")
        part.replace(folder)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise StorageError(
            f"Cannot write the series: {error.strerror or error}",
            subject=str(folder),
            hint=_FREE_SPACE,
        ) from error
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return WrittenSeries(
        folder, study_uid, series_uid, tuple(uids), tuple(folder / name for name in names)
    )


def _stored_values(array: npt.NDArray[Any]) -> tuple[_Storage, npt.NDArray[Any]]:
    """Return 16-bit stored values; whole numbers that fit are kept as they are."""
    low, high = float(array.min()), float(array.max())
    if np.issubdtype(array.dtype, np.integer):
        if low >= -32768 and high <= 32767:
            return _Storage(1.0, 0.0, signed=True), array.astype("<i2")
        if low >= 0 and high <= 65535:
            return _Storage(1.0, 0.0, signed=False), array.astype("<u2")
    # The slope as it will be read back, so that writing loses half a step and no more.
    slope = float(_ds(max((high - low) / 65535.0, 1e-12)))
    intercept = float(_ds(low))
    stored = np.rint((array.astype(np.float64) - intercept) / slope)
    return _Storage(slope, intercept, signed=False), np.clip(stored, 0, 65535).astype("<u2")


def _common(volume: Volume, attributes: Attributes, storage: _Storage) -> Dataset:
    """Return what all slices share; type 2 attributes are there even when empty."""
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate"):
        setattr(dataset, keyword, "")
    for keyword in (
        "StudyTime",
        "AccessionNumber",
        "ReferringPhysicianName",
        "StudyID",
        "Laterality",
    ):
        setattr(dataset, keyword, "")
    dataset.Manufacturer = ""
    dataset.PositionReferenceIndicator = ""
    dataset.PatientPosition = "HFS"
    dataset.AcquisitionNumber = 1
    dataset.Modality = volume.modality
    dataset.SOPClassUID = _STORAGE[volume.modality]
    dataset.ImageType = ["DERIVED", "SECONDARY", "AXIAL" if volume.modality == "CT" else "OTHER"]
    if volume.modality == "CT":
        dataset.KVP = None
        dataset.RescaleType = "HU"
    else:
        dataset.ScanningSequence = "RM"
        dataset.SequenceVariant = "NONE"
        for keyword in ("ScanOptions", "RepetitionTime", "EchoTime", "EchoTrainLength"):
            setattr(dataset, keyword, None)
        dataset.MRAcquisitionType = "3D"
    dataset.SliceThickness = _ds(volume.geometry.spacing_mm[0])
    _put_attributes(dataset, attributes)
    _put_pixel_module(dataset, volume, storage)
    return dataset


def _put_attributes(dataset: Dataset, attributes: Attributes) -> None:
    for name, value in attributes.items():
        if value is None or value == "":
            continue
        if name in _TEXT_KEYWORDS:
            setattr(dataset, _TEXT_KEYWORDS[name], str(value))
        elif name in _DECIMAL_KEYWORDS:
            setattr(dataset, _DECIMAL_KEYWORDS[name], _ds(float(value)))
        elif name in _WHOLE_KEYWORDS:
            setattr(dataset, _WHOLE_KEYWORDS[name], round(float(value)))
        elif name == "ctdi_vol":
            dataset.CTDIvol = float(value)
        elif name == "patient_age":
            dataset.PatientAge = f"{min(round(float(value)), 999):03d}Y"


def _put_pixel_module(dataset: Dataset, volume: Volume, storage: _Storage) -> None:
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = volume.array.shape[1], volume.array.shape[2]
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = int(storage.signed)
    dataset.RescaleSlope = _ds(storage.slope)
    dataset.RescaleIntercept = _ds(storage.intercept)
    spacing = volume.geometry.spacing_mm
    dataset.PixelSpacing = [_ds(spacing[1]), _ds(spacing[2])]
    # PS3.3 C.7.6.2.1.1: first the direction along increasing columns, then along increasing rows.
    direction = volume.geometry.direction_lps
    dataset.ImageOrientationPatient = [_ds(x) for x in (*direction[:, 2], *direction[:, 1])]
    if volume.window_center is not None and volume.window_width is not None:
        dataset.WindowCenter = _ds(volume.window_center)
        dataset.WindowWidth = _ds(volume.window_width)
    if volume.padding_value is not None:
        stored = round((volume.padding_value - storage.intercept) / storage.slope)
        tag = "SS" if storage.signed else "US"
        dataset.add_new("PixelPaddingValue", tag, stored)


def _write_slice(
    common: Dataset,
    volume: Volume,
    stored: npt.NDArray[Any],
    index: int,
    uid: str,
    path: Path,
) -> None:
    # The elements are shared, not copied: only those of the slice are set anew.
    dataset = Dataset(common)
    dataset.SOPInstanceUID = uid
    dataset.InstanceNumber = index + 1
    position = volume.geometry.index_to_lps((index, 0, 0))
    dataset.ImagePositionPatient = [_ds(x) for x in position]
    dataset.PixelData = np.ascontiguousarray(stored).tobytes()
    dataset["PixelData"].VR = "OW"
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = UID(uid)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = "CAREZ_DESKTOP"
    dataset.file_meta = meta
    dcmwrite(path, dataset, enforce_file_format=True)


def _ds(value: float) -> str:
    """Return a decimal string of at most 16 characters (PS3.5 6.2)."""
    return str(format_number_as_ds(float(value)))
