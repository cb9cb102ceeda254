"""A small cohort of crude chest CT as DICOM, with nodules whose masks are known.

Not anatomy: an ellipse of soft tissue with two lungs, a few nodules and smoothed noise. It exists
so that a pilot can run in a test in seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from scipy import ndimage

from tests.builders.dicom_series import SeriesPlan, build_series

SHAPE = (8, 96, 112)
SPACING_MM = (5.0, 3.6, 3.2)


@dataclass(frozen=True)
class ChestPatient:
    """One patient with one series."""

    patient_id: str
    sex: str
    age: str
    manufacturer: str
    ctdi_vol: float
    noise_hu: float
    seed: int

    @property
    def series_uid(self) -> str:
        """UID of the one series."""
        return f"1.2.826.0.1.3680043.9.999.{self.seed + 1}"


def chest_image(patient: ChestPatient) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.uint8]]:
    """Return (slice, row, column) HU and the nodule mask."""
    random = np.random.default_rng(patient.seed)
    z, y, x = np.meshgrid(*(np.arange(size) for size in SHAPE), indexing="ij")
    dy = (y - SHAPE[1] / 2) * SPACING_MM[1] / 110.0
    dx = (x - SHAPE[2] / 2) * SPACING_MM[2] / 150.0
    image = np.full(SHAPE, -1000.0)
    image[dy**2 + dx**2 < 1.0] = 40.0
    mask = np.zeros(SHAPE, dtype=np.uint8)
    for side in (-1, 1):
        lung = (dy / 0.62) ** 2 + ((dx - side * 0.48) / 0.32) ** 2 < 1.0
        image[lung] = -850.0
        for _ in range(2):
            cz = int(random.integers(2, SHAPE[0] - 2))
            cy = SHAPE[1] / 2 + random.uniform(-14, 14)
            cx = SHAPE[2] / 2 + side * random.uniform(18, 26)
            near = ((z - cz) * 5.0) ** 2 + ((y - cy) * 3.6) ** 2 + ((x - cx) * 3.2) ** 2 < 9.0**2
            image[near] = 60.0
            mask[near] = 1
    noise = ndimage.gaussian_filter(random.normal(size=SHAPE), (0, 0.5, 0.5))
    noisy = image + noise / noise.std() * patient.noise_hu
    return np.clip(np.rint(noisy), -1024, 3000).astype(np.int16), mask


def write_chest(folder: Path, patient: ChestPatient) -> npt.NDArray[np.uint8]:
    """Write one patient's series and return its nodule mask."""
    image, mask = chest_image(patient)
    plan = SeriesPlan(shape=SHAPE, spacing_mm=SPACING_MM, series_uid=patient.series_uid)
    build_series(folder / patient.patient_id, plan, _facts(patient, image))
    return mask


def _facts(patient: ChestPatient, image: npt.NDArray[np.int16]) -> Callable[[int, Dataset], object]:
    def change(index: int, data_set: Dataset) -> None:
        data_set.PatientID = patient.patient_id
        data_set.PatientName = f"SYNTHETIC^{patient.patient_id}"
        data_set.SeriesDescription = "SYNTHETIC chest for a test"
        code = Dataset()
        code.CodeValue, code.CodingSchemeDesignator = "109100", "DCM"
        code.CodeMeaning = "Synthesizing Equipment"
        equipment = Dataset()
        equipment.Manufacturer = "Test"
        equipment.PurposeOfReferenceCodeSequence = [code]
        data_set.ContributingEquipmentSequence = [equipment]
        data_set.PatientSex = patient.sex
        data_set.PatientAge = patient.age
        data_set.Manufacturer = patient.manufacturer
        data_set.StudyInstanceUID = f"{patient.series_uid}.0"
        data_set.FrameOfReferenceUID = f"{patient.series_uid}.9"
        data_set.SliceThickness = "5"
        data_set.KVP = "120"
        data_set.CTDIvol = patient.ctdi_vol
        data_set.ConvolutionKernel = "STANDARD"
        data_set.SyntheticData = "YES"
        data_set.PixelData = (image[index].astype(np.int32) + 1024).astype("<i2").tobytes()

    return change


def chest_cohort() -> tuple[tuple[ChestPatient, str], ...]:
    """Return (patient, split): standard dose to train, low dose to test."""
    places = ["train"] * 4 + ["validation"] + ["test"] * 3
    makers = ("GE MEDICAL SYSTEMS", "SIEMENS", "Philips")
    return tuple(
        (
            ChestPatient(
                patient_id=f"P{number}",
                sex="FM"[number % 2],
                age=f"{40 + 6 * number:03d}Y",
                manufacturer=makers[number % 3],
                ctdi_vol=1.8 if place == "test" else 9.0,
                noise_hu=34.0 if place == "test" else 15.0,
                seed=number,
            ),
            place,
        )
        for number, place in enumerate(places)
    )
