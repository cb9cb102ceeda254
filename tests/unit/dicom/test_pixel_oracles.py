"""Every frame of the real odd files, decoded by pydicom and by SimpleITK, against ours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813 - its own convention
from pydicom.encaps import get_frame
from pydicom.pixels import pixel_array
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut

from carez_desktop.dicom.scan import scan_files
from carez_desktop.dicom.volume_reader import is_slide_level, read_frame
from carez_desktop.domain.stacking import stack_instances
from carez_desktop.domain.study import VolumeRecord
from carez_desktop.system.child_process import ChildPool

FOLDERS = ("pydicom_data_subset", "highdicom_objects", "transfer_syntax_ts", "dicom2nifti_cases")
HIGH_THROUGHPUT = tuple(f"1.2.840.10008.1.2.4.{number}" for number in (201, 202, 203))
_RESCALED_BY_FRAME = "SharedFunctionalGroupsSequence"


@pytest.fixture(scope="module")
def children() -> Iterator[ChildPool]:
    pool = ChildPool(processes=2)
    yield pool
    pool.close()


def records_in(folder: Path) -> list[VolumeRecord]:
    found = stack_instances(scan_files([folder]).headers)
    return [r for r in found if r.attributes.get("transfer_syntax_uid") and not is_slide_level(r)]


def by_pydicom(image: pydicom.Dataset, frame: int) -> np.ndarray:
    """Modality values or colours of one frame; HTJ2K, which pydicom lacks here, by OpenJPH."""
    if image.file_meta.TransferSyntaxUID in HIGH_THROUGHPUT:
        return np.asarray(imagecodecs.htj2k_decode(get_frame(image.PixelData, 0)))
    cells = pixel_array(image, index=frame if int(image.get("NumberOfFrames", 1)) > 1 else None)
    if image.PhotometricInterpretation == "PALETTE COLOR":
        colours = apply_color_lut(cells, image)
        return colours >> 8 if colours.dtype == np.uint16 else colours
    if _RESCALED_BY_FRAME in image and image.Modality in ("CT", "MR", "PT"):
        shared = image.SharedFunctionalGroupsSequence[0]
        own = image.PerFrameFunctionalGroupsSequence[frame]
        for group in (own, shared):
            if "PixelValueTransformationSequence" in group:
                item = group.PixelValueTransformationSequence[0]
                return cells * float(item.RescaleSlope) + float(item.RescaleIntercept)
        return cells
    return np.asarray(apply_modality_lut(cells, image))


@pytest.mark.parametrize("folder", FOLDERS)
def test_frames_equal_those_of_pydicom(studies: Path, folder: str, children: ChildPool) -> None:
    seen = 0
    for record in records_in(studies / folder):
        for index in sorted({0, len(record.paths) // 2, len(record.paths) - 1}):
            path, frame = record.frame_of(index)
            image = pydicom.dcmread(path, force=True)
            if "TransferSyntaxUID" not in image.file_meta:
                image.file_meta.TransferSyntaxUID = record.attributes["transfer_syntax_uid"]
            ours = read_frame(record, index, children=children).array[0]
            oracle = by_pydicom(image, frame)
            if record.attributes.get("mosaic_tile"):
                rows, columns = ours.shape
                down, along = divmod(frame, oracle.shape[1] // columns)
                oracle = oracle[down * rows :, along * columns :][:rows, :columns]
            assert ours.shape == oracle.shape, path
            step = 2.0 if ours.ndim == 3 else 1e-6 * max(1.0, float(np.abs(oracle).max()))
            apart = np.abs(ours.astype(float) - oracle)
            if image.file_meta.TransferSyntaxUID in HIGH_THROUGHPUT:
                apart = np.minimum(apart, 256 - apart)  # OpenJPH wraps 256 to 0
            difference = apart.max()
            assert difference <= step, f"{path} frame {frame}: {difference}"
            seen += 1
    assert seen >= 2


def test_single_files_equal_those_of_simpleitk(studies: Path, children: ChildPool) -> None:
    seen = 0
    for record in records_in(studies / "pydicom_data_subset"):
        if len(record.paths) > 1 or record.attributes.get("modality_lut"):
            continue
        try:
            image = sitk.ReadImage(record.paths[0])
        except RuntimeError:
            continue
        oracle = sitk.GetArrayFromImage(image)
        oracle = oracle >> 8 if oracle.dtype == np.uint16 and oracle.ndim == 4 else oracle
        ours = read_frame(record, 0, children=children).array
        if oracle.shape != ours.shape:
            continue
        difference = np.abs(ours.astype(float) - oracle).max()
        assert difference <= (2.0 if ours.ndim == 4 else 1e-4), record.paths[0]
        seen += 1
    assert seen >= 8
