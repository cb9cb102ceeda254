"""Levels of whole-slide images composed of their tiles, full and sparse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from carez_desktop.dicom.scan import scan_files
from carez_desktop.dicom.volume_reader import read_frame, read_volume
from carez_desktop.domain.stacking import stack_instances
from carez_desktop.domain.study import VolumeRecord
from carez_desktop.errors import GeometryError
from tests.builders.odd_corpus import data_set

SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
ROWS, COLUMNS, TILE = 50, 70, (24, 32)


def level() -> np.ndarray:
    rows, columns = np.mgrid[:ROWS, :COLUMNS]
    return np.stack([rows * 5, columns * 3, (rows + columns) * 2], axis=-1).astype(np.uint8)


def tiles() -> list[tuple[int, int, np.ndarray]]:
    """(top, left, tile) row by row; the last ones reach beyond the level."""
    padded = np.full((72, 96, 3), 9, np.uint8)
    padded[:ROWS, :COLUMNS] = level()
    corners = [(top, left) for top in range(0, 72, 24) for left in range(0, 96, 32)]
    return [(t, c, padded[t : t + 24, c : c + 32]) for t, c in corners]


def write(folder: Path, *, sparse: bool, leave_out: int | None = None) -> VolumeRecord:
    image = data_set("slide", SLIDE, "SM")
    image.ImageType = ["DERIVED", "PRIMARY", "VOLUME", "RESAMPLED"]
    chosen = [tile for index, tile in enumerate(tiles()) if index != leave_out]
    if sparse:
        chosen.reverse()
        image.DimensionOrganizationType = "TILED_SPARSE"
        groups = []
        for top, left, _ in chosen:
            place = Dataset()
            place.ColumnPositionInTotalImagePixelMatrix = left + 1
            place.RowPositionInTotalImagePixelMatrix = top + 1
            group = Dataset()
            group.PlanePositionSlideSequence = [place]
            groups.append(group)
        image.PerFrameFunctionalGroupsSequence = groups
    else:
        image.DimensionOrganizationType = "TILED_FULL"
    image.TotalPixelMatrixRows, image.TotalPixelMatrixColumns = ROWS, COLUMNS
    image.Rows, image.Columns = TILE
    image.SamplesPerPixel, image.PhotometricInterpretation = 3, "RGB"
    image.PlanarConfiguration, image.PixelRepresentation = 0, 0
    image.BitsAllocated, image.BitsStored, image.HighBit = 8, 8, 7
    image.NumberOfFrames = len(chosen)
    image.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    image.PixelData = b"".join(cells.tobytes() for _, _, cells in chosen)
    image["PixelData"].VR = "OB"
    folder.mkdir(exist_ok=True)
    image.save_as(folder / "slide.dcm", enforce_file_format=True)
    (record,) = stack_instances(scan_files([folder]).headers)
    return record


def test_spacing_comes_from_the_pixel_measures(tmp_path: Path) -> None:
    write(tmp_path, sparse=False)
    image = pydicom.dcmread(tmp_path / "slide.dcm")
    measures, shared = Dataset(), Dataset()
    measures.PixelSpacing = ["0.0005", "0.00025"]
    shared.PixelMeasuresSequence = [measures]
    image.SharedFunctionalGroupsSequence = [shared]
    image.save_as(tmp_path / "slide.dcm", enforce_file_format=True)
    (record,) = stack_instances(scan_files([tmp_path]).headers)
    assert record.spacing_mm == pytest.approx((1.0, 0.0005, 0.00025))
    assert read_volume(record).geometry.spacing_mm == pytest.approx((1.0, 0.0005, 0.00025))


@pytest.mark.parametrize("sparse", [False, True])
def test_tiles_make_the_level(tmp_path: Path, sparse: bool) -> None:
    record = write(tmp_path, sparse=sparse)
    volume = read_volume(record)
    assert record.shape == (1, ROWS, COLUMNS)
    assert np.array_equal(volume.array[0], level())
    assert "9 tiles" in volume.findings[-1].text
    assert np.array_equal(read_frame(record, 0).array, volume.array)


def test_place_without_tile_is_white_as_glass(tmp_path: Path) -> None:
    volume = read_volume(write(tmp_path, sparse=True, leave_out=4))
    wanted = level()
    wanted[24:48, 32:64] = 255
    assert np.array_equal(volume.array[0], wanted)


def test_large_level_is_refused_in_words(tmp_path: Path) -> None:
    record = replace(write(tmp_path, sparse=False), shape=(1, 4097, 100), refusal="")
    with pytest.raises(GeometryError, match="4097 x 100 pixels; whole-slide images open up to"):
        read_volume(record)
