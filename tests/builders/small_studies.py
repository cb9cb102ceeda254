"""Small axial CT series on disk, one patient each, for tests of import and library."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian


def write_series(
    folder: Path,
    number: int,
    *,
    slices: int = 4,
    first: int = 0,
    marks: bool = False,
    **facts: object,
) -> Path:
    """Write a small axial CT of one patient; returns its folder.

    Args:
        folder: Where; the series gets a folder of its own below it.
        number: Ends every UID and the patient's id.
        slices: How many in all.
        first: Only slices from this one on are written.
        marks: Whether it carries every mark of a synthetic study.
        **facts: Elements by keyword, over those of the builder.
    """
    folder = folder / f"series{number}"
    folder.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(-1000, 1000, (slices, 12, 10), "i2")
    for index in range(first, slices):
        meta = FileMetaDataset()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        meta.MediaStorageSOPClassUID = CTImageStorage
        meta.MediaStorageSOPInstanceUID = f"1.2.{number}.{index + 1}"
        image = Dataset()
        image.file_meta = meta
        image.SOPClassUID = CTImageStorage
        image.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
        image.StudyInstanceUID = f"1.1.{number}"
        image.SeriesInstanceUID = f"1.2.{number}"
        image.FrameOfReferenceUID = f"1.3.{number}"
        image.PatientID = f"PAT{number:02d}"
        image.PatientName = f"Secret{number}^Anna"
        image.PatientSex = "FM"[number % 2]
        image.PatientAge = f"{30 + number:03d}Y"
        image.StudyDate = "20240131"
        image.Modality = "CT"
        image.Manufacturer = "SIEMENS"
        image.SeriesDescription = f"Lung {number}"
        image.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        image.KVP, image.Exposure, image.SliceThickness = 120, 100, 2.5
        image.ImagePositionPatient = [0.0, 0.0, 2.5 * index]
        image.ImageOrientationPatient = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
        image.PixelSpacing = [0.8, 0.7]
        image.Rows, image.Columns = pixels.shape[1:]
        image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
        image.BitsAllocated, image.BitsStored, image.HighBit = 16, 16, 15
        image.PixelRepresentation = 1
        image.RescaleSlope, image.RescaleIntercept = 1, 0
        image.InstanceNumber = index + 1
        image.PixelData = pixels[index].tobytes()
        if marks:
            add_marks(image)
        for keyword, value in facts.items():
            setattr(image, keyword, value)
        image.save_as(folder / f"IM{index:03d}", enforce_file_format=True)
    return folder


def add_marks(image: Dataset) -> None:
    image.add_new(0x0008001C, "CS", "YES")
    image.PatientName = f"SYNTHETIC^{image.PatientID}"
    image.SeriesDescription = "SYNTHETIC chest"
    purpose = Dataset()
    purpose.CodeValue, purpose.CodingSchemeDesignator = "109100", "DCM"
    purpose.CodeMeaning = "Synthesizing Equipment"
    equipment = Dataset()
    equipment.Manufacturer = "Carez"
    equipment.PurposeOfReferenceCodeSequence = [purpose]
    image.ContributingEquipmentSequence = [equipment]
