"""Enhanced multi-frame images and nuclear medicine tomograms with places that are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import EnhancedMRImageStorage, NuclearMedicineImageStorage

from tests.builders.dicom_series import SeriesPlan, build_series

FrameChange = Callable[[int, Dataset], object]


def one(**values: object) -> Items:
    """A sequence of one item."""
    item = Dataset()
    for name, value in values.items():
        setattr(item, name, value)
    return Items([item])


def frame_item(position: npt.NDArray[np.float64], index: int) -> Dataset:
    """The per-frame groups of one frame."""
    item = Dataset()
    item.PlanePositionSequence = one(ImagePositionPatient=[f"{x:.10f}"[:16] for x in position])
    item.FrameContentSequence = one(
        StackID="1", InStackPositionNumber=index + 1, DimensionIndexValues=[1, index + 1]
    )
    return item


def build_enhanced(
    folder: Path,
    plan: SeriesPlan,
    order: Sequence[int],
    *,
    change_frame: FrameChange = lambda index, item: None,
    change: Callable[[Dataset], object] = lambda data_set: None,
) -> Path:
    """Write one enhanced MR whose frames lie at the slices `order` of a plan.

    Orientation, measures, rescale and frame type are shared; positions are per frame.
    """
    affine = plan.affine

    def enhance(_: int, data_set: Dataset) -> None:
        data_set.SOPClassUID = data_set.file_meta.MediaStorageSOPClassUID = EnhancedMRImageStorage
        cosines = data_set.ImageOrientationPatient
        shared = Dataset()
        shared.PlaneOrientationSequence = one(ImageOrientationPatient=cosines)
        shared.PixelMeasuresSequence = one(
            PixelSpacing=data_set.PixelSpacing,
            SliceThickness=f"{plan.spacing_mm[0]:.10g}",
            SpacingBetweenSlices=f"{plan.spacing_mm[0]:.10g}",
        )
        shared.PixelValueTransformationSequence = one(
            RescaleSlope="2.5", RescaleIntercept="-3", RescaleType="US"
        )
        shared.MRImageFrameTypeSequence = one(
            FrameType=["ORIGINAL", "PRIMARY", "T1", "NONE"], ComplexImageComponent="MAGNITUDE"
        )
        for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
            delattr(data_set, name)
        for name in ("SliceThickness", "SliceLocation", "RescaleSlope", "RescaleIntercept"):
            delattr(data_set, name)
        frames = []
        for index, number in enumerate(order):
            item = frame_item(affine[:3, 3] + affine[:3, 0] * number, index)
            change_frame(index, item)
            frames.append(item)
        data_set.NumberOfFrames = len(order)
        data_set.SharedFunctionalGroupsSequence = Items([shared])
        data_set.PerFrameFunctionalGroupsSequence = Items(frames)
        data_set.PixelData = data_set.PixelData * len(order)
        change(data_set)

    one_slice = SeriesPlan(
        (1, *plan.shape[1:]), plan.spacing_mm, plan.turn, plan.origin_lps, modality="MR"
    )
    (path,) = build_series(folder, one_slice, enhance)
    return path


def build_tomogram(
    folder: Path,
    plan: SeriesPlan,
    slices: Sequence[int],
    *,
    spacing: float | None,
    kind: str = "RECON TOMO",
    change: Callable[[Dataset], object] = lambda data_set: None,
) -> Path:
    """Write one NM image whose frames are the slices with these numbers, counted from 1."""

    def tomogram(_: int, data_set: Dataset) -> None:
        data_set.SOPClassUID = NuclearMedicineImageStorage
        data_set.file_meta.MediaStorageSOPClassUID = NuclearMedicineImageStorage
        data_set.ImageType = ["ORIGINAL", "PRIMARY", kind, "EMISSION"]
        data_set.DetectorInformationSequence = one(
            ImagePositionPatient=data_set.ImagePositionPatient,
            ImageOrientationPatient=data_set.ImageOrientationPatient,
        )
        del data_set.ImagePositionPatient, data_set.ImageOrientationPatient
        if spacing is not None:
            data_set.SpacingBetweenSlices = f"{spacing:.10g}"
        data_set.SliceThickness = "7.5"
        data_set.NumberOfFrames = len(slices)
        data_set.FrameIncrementPointer = 0x00540080
        data_set.SliceVector = list(slices)
        data_set.PixelData = data_set.PixelData * len(slices)
        change(data_set)

    one_slice = SeriesPlan(
        (1, *plan.shape[1:]), plan.spacing_mm, plan.turn, plan.origin_lps, modality="NM"
    )
    (path,) = build_series(folder, one_slice, tomogram)
    return path
