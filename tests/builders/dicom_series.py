"""DICOM series whose stored values are a linear function of the place in the patient.

Any mistake in order, spacing, direction or flip moves a value by more than rounding does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRBigEndian, ExplicitVRLittleEndian

GRADIENT = np.array([3.0, 7.0, 11.0])
OFFSET = 600.0


def stored_at(points_lps: npt.ArrayLike, gain: float = 1.0) -> npt.NDArray[np.int64]:
    """Stored values at (..., 3) LPS mm."""
    values = gain * (np.asarray(points_lps) @ GRADIENT) + OFFSET
    return np.rint(values).astype(np.int64)


def rotation(x: float, y: float, z: float) -> npt.NDArray[np.float64]:
    """Rotation matrix of three angles in degrees, about x, then y, then z."""
    cx, cy, cz = np.cos(np.radians([x, y, z]))
    sx, sy, sz = np.sin(np.radians([x, y, z]))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x, dtype=np.float64)


@dataclass(frozen=True)
class SeriesPlan:
    """What a built series is like; spacing and shape are (slice, row, column)."""

    shape: tuple[int, int, int] = (5, 6, 8)
    spacing_mm: tuple[float, float, float] = (2.5, 0.8, 0.6)
    turn: npt.NDArray[np.float64] = field(default_factory=lambda: np.eye(3))
    origin_lps: tuple[float, float, float] = (-12.5, 8.25, 40.0)
    tilt_mm: float = 0.0
    numbers: Sequence[float] = ()
    signed: bool = True
    bits_stored: int = 16
    slope: str | None = "1"
    intercept: str | None = "-1024"
    transfer_syntax: str = ExplicitVRLittleEndian
    series_uid: str = "1.2.3.4"
    modality: str = "CT"

    @property
    def affine(self) -> npt.NDArray[np.float64]:
        """Index (slice, row, column) -> LPS mm; slices along column x row direction."""
        affine = np.eye(4)
        axes = (self.turn[:, 2], self.turn[:, 1], self.turn[:, 0])
        for axis, (direction, step) in enumerate(zip(axes, self.spacing_mm, strict=True)):
            affine[:3, axis] = direction * step
        affine[:3, 0] += self.turn[:, 1] * self.tilt_mm
        affine[:3, 3] = self.origin_lps
        return affine

    def points(self) -> npt.NDArray[np.float64]:
        """(slices, rows, columns, 3) LPS mm of every voxel."""
        index = np.stack(np.meshgrid(*map(np.arange, self.shape), indexing="ij"), axis=-1)
        return np.asarray(index @ self.affine[:3, :3].T + self.affine[:3, 3])


def build_series(
    folder: Path,
    plan: SeriesPlan,
    change: Callable[[int, Dataset], object] = lambda index, data_set: None,
    *,
    seed: int = 1,
) -> list[Path]:
    """Write a series under names and instance numbers that say nothing of its order.

    `change` may alter the data set of the slice with an index before it is written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    numbers = list(plan.numbers) or list(range(plan.shape[0]))
    names = np.random.default_rng(seed).permutation(len(numbers))
    paths = []
    for index, number in enumerate(numbers):
        data_set = _data_set(plan, index, number)
        data_set.InstanceNumber = int(names[index]) + 1
        change(index, data_set)
        path = folder / f"{names[index]:04d}"
        data_set.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def _data_set(plan: SeriesPlan, index: int, number: float) -> Dataset:
    _, rows, columns = plan.shape
    affine = plan.affine
    position = affine[:3, 3] + affine[:3, 0] * number
    grid = np.stack(np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij"), axis=-1)
    points = position + grid @ affine[:3, 1:3].T
    data_set = Dataset()
    data_set.file_meta = FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = plan.transfer_syntax
    data_set.file_meta.MediaStorageSOPClassUID = CTImageStorage
    data_set.file_meta.MediaStorageSOPInstanceUID = f"{plan.series_uid}.{index + 1}"
    data_set.SOPClassUID = CTImageStorage
    data_set.SOPInstanceUID = f"{plan.series_uid}.{index + 1}"
    data_set.SeriesInstanceUID = plan.series_uid
    data_set.StudyInstanceUID = "1.2.3"
    data_set.FrameOfReferenceUID = "1.2.3.9"
    data_set.Modality = plan.modality
    data_set.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    data_set.PatientID = "P1"
    data_set.PatientName = "Test^One"
    data_set.SliceThickness = "77"
    data_set.SliceLocation = f"{-number:.3f}"
    data_set.ImagePositionPatient = [f"{part:.10f}"[:16] for part in position]
    cosines = (*plan.turn[:, 0], *plan.turn[:, 1])
    data_set.ImageOrientationPatient = [f"{part:.12f}"[:16] for part in cosines]
    data_set.PixelSpacing = [f"{plan.spacing_mm[1]:.10g}", f"{plan.spacing_mm[2]:.10g}"]
    data_set.Rows, data_set.Columns = rows, columns
    data_set.SamplesPerPixel = 1
    data_set.PhotometricInterpretation = "MONOCHROME2"
    data_set.BitsAllocated, data_set.BitsStored = 16, plan.bits_stored
    data_set.HighBit = plan.bits_stored - 1
    data_set.PixelRepresentation = int(plan.signed)
    if plan.slope is not None:
        data_set.RescaleSlope = plan.slope
    if plan.intercept is not None:
        data_set.RescaleIntercept = plan.intercept
    order = ">" if plan.transfer_syntax == ExplicitVRBigEndian else "<"
    cells = stored_at(points).astype(f"{order}{'i' if plan.signed else 'u'}2")
    data_set.PixelData = cells.tobytes()
    data_set["PixelData"].VR = "OW"
    return data_set
