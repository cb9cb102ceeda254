"""Tomograms of nuclear medicine: slices where PS3.3 C.8.4.15 says, everything else stays whole."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from carez_desktop.dicom.header_reader import read_header
from carez_desktop.dicom.instance_header import WANTED_TAGS, frame_headers
from carez_desktop.domain.study import InstanceHeader
from tests.builders.dicom_series import SeriesPlan, rotation
from tests.builders.enhanced_images import build_tomogram

PLAN = SeriesPlan((5, 4, 6), (4.0, 2.0, 3.0), rotation(15, 25, -40), modality="NM")


def frames_of(path: Path) -> tuple[InstanceHeader, ...]:
    return frame_headers(read_header(path, WANTED_TAGS))


@pytest.mark.parametrize("step", [4.0, -4.0])
def test_slices_lie_along_the_normal(tmp_path: Path, step: float) -> None:
    """Positive: behind the first slice, which is along row x column direction."""
    slices = [1, 3, 2, 5]
    frames = frames_of(build_tomogram(tmp_path, PLAN, slices, spacing=step))
    assert [frame.frame_index for frame in frames] == [0, 1, 2, 3]
    for frame, number in zip(frames, slices, strict=True):
        place = PLAN.affine[:3, 3] + PLAN.turn[:, 2] * step * (number - 1)
        assert frame.image_position_patient == pytest.approx(tuple(place), abs=1e-6)
        assert frame.pixel_spacing == (2.0, 3.0)


def test_missing_spacing_is_taken_from_the_thickness_and_said(tmp_path: Path) -> None:
    frames = frames_of(build_tomogram(tmp_path, PLAN, [1, 2], spacing=None))
    place = PLAN.affine[:3, 3] + PLAN.turn[:, 2] * 7.5
    assert frames[1].image_position_patient == pytest.approx(tuple(place), abs=1e-6)
    assert frames[1].attributes["header_flags"] == "spacing_from_thickness"


def test_gated_tomogram_tells_the_moment(tmp_path: Path) -> None:
    def change(data_set: Dataset) -> None:
        data_set.TimeSlotVector = [1, 1, 2, 2]

    path = build_tomogram(
        tmp_path, PLAN, [1, 2, 1, 2], spacing=4.0, kind="RECON GATED TOMO", change=change
    )
    moments = [frame.attributes["temporal_position_identifier"] for frame in frames_of(path)]
    assert moments == [1.0, 1.0, 2.0, 2.0]


@pytest.mark.parametrize("kind", ["STATIC", "DYNAMIC", "GATED", "WHOLE BODY", "TOMO"])
def test_projections_stay_one_header(tmp_path: Path, kind: str) -> None:
    (whole,) = frames_of(build_tomogram(tmp_path, PLAN, [1, 2, 3], spacing=4.0, kind=kind))
    assert whole.number_of_frames == 3
    assert whole.attributes["frame_increment_pointer"] == "00540080"


def test_tomogram_that_does_not_say_where_it_lies(tmp_path: Path) -> None:
    def change(data_set: Dataset) -> None:
        del data_set.DetectorInformationSequence

    (whole,) = frames_of(build_tomogram(tmp_path, PLAN, [1, 2], spacing=4.0, change=change))
    assert whole.attributes["header_flags"] == "tomogram_without_place"
