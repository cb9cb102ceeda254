"""Which spacing an image has: the elements' rank, the detector's warning, ultrasound regions."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from carez_desktop.dicom.header_reader import read_header
from carez_desktop.dicom.instance_header import WANTED_TAGS, to_instance_header
from carez_desktop.domain.study import InstanceHeader
from tests.builders.dicom_series import SeriesPlan, build_series


def image_of(tmp_path: Path, modality: str, **values: object) -> InstanceHeader:
    def change(_: int, data_set: Dataset) -> None:
        for name in ("PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient"):
            delattr(data_set, name)
        for name, value in values.items():
            setattr(data_set, name, value)

    (path,) = build_series(tmp_path, SeriesPlan((1, 6, 8), modality=modality), change)
    return to_instance_header(read_header(path, WANTED_TAGS))


@pytest.mark.parametrize(
    ("modality", "values", "spacing", "source", "flags"),
    [
        ("CT", {"PixelSpacing": ["0.7", "0.6"]}, (0.7, 0.6), None, None),
        (
            "DX",
            {"ImagerPixelSpacing": ["0.14", "0.15"]},
            (0.14, 0.15),
            "imager_pixel_spacing",
            "spacing_at_detector",
        ),
        (
            "MG",
            {"PixelSpacing": ["0.1", "0.1"], "ImagerPixelSpacing": ["0.1", "0.1"]},
            (0.1, 0.1),
            None,
            "spacing_at_detector",
        ),
        (
            "XA",
            {"PixelSpacing": ["0.2", "0.2"], "ImagerPixelSpacing": ["0.3", "0.3"]},
            (0.2, 0.2),
            None,
            None,
        ),
        (
            "DX",
            {
                "PixelSpacing": ["0.3", "0.3"],
                "ImagerPixelSpacing": ["0.3", "0.3"],
                "PixelSpacingCalibrationType": "FIDUCIAL",
            },
            (0.3, 0.3),
            None,
            None,
        ),
        (
            "OT",
            {"NominalScannedPixelSpacing": ["0.2", "0.25"]},
            (0.2, 0.25),
            "nominal_scanned_pixel_spacing",
            None,
        ),
        ("CR", {"PixelSpacing": ["0", "0.2"]}, None, None, None),
        ("CR", {}, None, None, None),
    ],
)
def test_rank_of_spacings(
    tmp_path: Path,
    modality: str,
    values: dict[str, object],
    spacing: tuple[float, float] | None,
    source: str | None,
    flags: str | None,
) -> None:
    header = image_of(tmp_path, modality, **values)
    assert header.pixel_spacing == spacing
    assert header.attributes.get("spacing_source") == source
    assert header.attributes.get("header_flags") == flags


def region(across: float, down: float, units: int = 3, spatial_format: int = 1) -> Dataset:
    item = Dataset()
    item.RegionSpatialFormat = spatial_format
    item.PhysicalUnitsXDirection = item.PhysicalUnitsYDirection = units
    item.PhysicalDeltaX, item.PhysicalDeltaY = across, down
    return item


def test_ultrasound_regions_are_in_centimetres(tmp_path: Path) -> None:
    """Columns run along X; a spectrum and a Doppler trace beside the image do not count."""
    regions = [region(0.03, -0.02), region(0.03, 0.02), region(9, 9, units=4), region(9, 9, 3, 3)]
    header = image_of(tmp_path, "US", SequenceOfUltrasoundRegions=Sequence(regions))
    assert header.pixel_spacing == pytest.approx((0.2, 0.3))
    assert header.attributes["spacing_source"] == "us_region"


def test_ultrasound_regions_of_two_scales_give_none(tmp_path: Path) -> None:
    regions = Sequence([region(0.03, 0.03), region(0.05, 0.05)])
    header = image_of(tmp_path, "US", SequenceOfUltrasoundRegions=regions)
    assert header.pixel_spacing is None
    assert header.attributes["header_flags"] == "us_regions_differ"
