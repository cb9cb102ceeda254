from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from carez_desktop.domain.slice_order import check_corners
from carez_desktop.domain.stacking import stack_geometry_of, stack_instances
from carez_desktop.domain.study import ReferencedObject
from carez_desktop.domain.volume import SliceAxis, VolumeKind
from tests.builders.image_headers import header


def test_order_follows_position_not_instance_number() -> None:
    (record,) = stack_instances(header(n, z) for n, z in enumerate([6.0, 2.0, 4.0, 0.0]))
    assert record.paths == ("f003", "f001", "f002", "f000")
    assert record.volume_id == "1.2"
    assert record.shape == (4, 4, 6)
    assert record.spacing_mm == pytest.approx((2.0, 0.8, 0.6))
    assert record.orientation == "SPL"
    assert not record.refusal
    assert [f.code for f in record.findings] == ["reordered_slices"]
    (in_order,) = stack_instances(header(n, 2.0 * n) for n in range(4))
    assert not in_order.findings
    (against,) = stack_instances(header(n, -2.0 * n) for n in range(4))
    assert "left-handed" in against.findings[0].text


def test_reversed_slices_of_a_flipped_patient_stay_right_handed() -> None:
    flipped = (-1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    headers = [header(n, float(n), image_orientation_patient=flipped) for n in range(3)]
    (record,) = stack_instances(headers)
    assert record.orientation == "IPR"
    by_path = {item.path: item for item in headers}
    ordered = [by_path[path] for path in record.paths]
    geometry, _ = stack_geometry_of(ordered)
    assert geometry.is_right_handed
    assert check_corners(ordered, geometry) < 1e-12


def test_diffusion_splits_by_b_value() -> None:
    headers = [
        header(b * 10 + z, 3.0 * z, facts={"b_value": float(b)})
        for b in (800, 50, 400)
        for z in range(4)
    ]
    records = stack_instances(headers)
    assert [r.volume_id for r in records] == ["1.2:1", "1.2:2", "1.2:3"]
    assert [r.split_reason for r in records] == ["b-value 50", "b-value 400", "b-value 800"]
    assert [r.set_index for r in records] == [0, 1, 2]
    assert {r.set_id for r in records} == {"1.2"}
    assert all(r.shape[0] == 4 and not r.refusal for r in records)


def test_unequal_coverage_splits_too() -> None:
    b0 = [header(z, 3.0 * z, facts={"b_value": 0.0}) for z in range(6)]
    b1 = [header(100 + z, 3.0 * z, facts={"b_value": 900.0}) for z in range(2, 5)]
    records = stack_instances([*b0, *b1])
    assert [r.shape[0] for r in records] == [6, 3]


def test_property_that_differs_from_slice_to_slice_does_not_split() -> None:
    headers = [header(z, 3.0 * z, facts={"acquisition_time": f"1200{z:02d}"}) for z in range(8)]
    assert len(stack_instances(headers)) == 1


def test_repeats_without_a_telling_property_split_by_turn() -> None:
    headers = [header(turn * 10 + z, 2.0 * z) for turn in range(3) for z in range(5)]
    records = stack_instances(headers)
    assert [r.shape[0] for r in records] == [5, 5, 5]
    assert records[1].paths == tuple(f"f{n:03d}" for n in range(10, 15))
    assert records[1].split_reason == "repeat 2 of 3 at each place"


def test_one_repeated_slice_is_left_out_with_a_finding() -> None:
    (record,) = stack_instances([*(header(z, 2.0 * z) for z in range(5)), header(99, 4.0)])
    assert record.shape[0] == 5
    assert [f.code for f in record.findings] == ["duplicate_position"]
    assert "f099" not in record.paths


def test_same_instance_in_two_files_is_left_out_with_a_finding() -> None:
    copy = header(2, 4.0, path="z-copy")
    (record,) = stack_instances([*(header(z, 2.0 * z) for z in range(4)), copy])
    assert [f.code for f in record.findings] == ["duplicate_instance"]
    assert "z-copy" in record.findings[0].text


def test_mixed_matrix_gives_two_volumes_that_say_so() -> None:
    headers = [header(z, 2.0 * z) for z in range(4)]
    headers += [header(10 + z, 2.0 * z, rows=8) for z in range(3)]
    records = stack_instances(headers)
    assert [r.split_reason for r in records] == ["matrix 4 x 6", "matrix 8 x 6"]
    assert all(f.code == "mixed_matrix" for r in records for f in r.findings)


def test_orientations_are_separated() -> None:
    sagittal = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
    headers = [header(z, 2.0 * z) for z in range(4)]
    headers += [
        header(
            10 + x,
            0.0,
            image_orientation_patient=sagittal,
            image_position_patient=(3.0 * x, 0.0, 0.0),
        )
        for x in range(3)
    ]
    records = stack_instances(headers)
    assert [(r.shape[0], r.refusal) for r in records] == [(4, ""), (3, "")]
    assert records[0].split_reason == "first orientation"
    assert records[1].split_reason == "orientation turned by 90.00 degrees against the first"


def test_tilted_and_uneven_are_records_with_a_refusal() -> None:
    tilted = [header(n, 2.0 * n, image_position_patient=(0, 0.5 * n, 2.0 * n)) for n in range(4)]
    (record,) = stack_instances(tilted)
    assert record.refusal.startswith("Tilted by 14.04 degrees")
    assert record.spacing_mm is None
    assert record.shape == (4, 4, 6)
    uneven = [header(n, z) for n, z in enumerate([0.0, 1.0, 2.0, 5.0])]
    (record,) = stack_instances(uneven)
    assert "about 2 slices are missing" in record.refusal
    assert record.findings[0].code == "uneven_slices"


def test_images_without_position_stand_alone() -> None:
    records = stack_instances([header(1, None), header(2, None)])
    assert [r.volume_id for r in records] == ["1.2:1", "1.2:2"]
    assert all(r.orientation == "" and r.shape == (1, 4, 6) and not r.refusal for r in records)
    assert [f.code for f in records[0].findings] == ["no_position"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"has_pixels": False}, "no pixel data"),
        ({"number_of_frames": 2_000_000_000}, "cannot hold"),
        ({"transfer_syntax_uid": "1.2.840.10008.1.2.4.100"}, "encoding is not read"),
        ({"facts": {"samples_per_pixel": 4.0}}, "4 samples"),
        ({"facts": {"bits_allocated": 24.0}}, "24 bits"),
        ({"image_orientation_patient": (1.0, 0, 0, 1.0, 0, 0)}, "invalid"),
        ({"rows": 0}, "matrix is 0 x 6"),
        ({"pixel_spacing": (1e200, 1.0)}, "is impossible"),
        ({"pixel_spacing": (float("inf"), 1.0)}, "is impossible"),
    ],
)
def test_refusals_say_why(changes: dict[str, object], words: str) -> None:
    (record,) = stack_instances([header(1, 0.0, **changes)])
    assert words in record.refusal


def test_missing_pixel_spacing_of_a_stack_is_refused() -> None:
    (record,) = stack_instances(header(z, 2.0 * z, pixel_spacing=None) for z in range(3))
    assert record.refusal == "Pixel Spacing is missing"


def test_kind_follows_marks_and_calculated_maps() -> None:
    marked = header(1, 0.0, synthetic_marks=("synthetic_data",))
    assert stack_instances([marked])[0].kind is VolumeKind.SYNTHETIC
    adc = header(1, 0.0, image_type=("DERIVED", "PRIMARY", "DIFFUSION", "ADC"))
    assert stack_instances([adc])[0].kind is VolumeKind.DERIVED
    quantity = header(
        *(1, 0.0),
        image_type=("DERIVED", "PRIMARY", "VOLUME", "QUANTITY"),
        sop_class_uid="1.2.840.10008.5.1.4.1.1.30",
    )
    assert stack_instances([quantity])[0].kind is VolumeKind.DERIVED
    reformatted = header(1, 0.0, image_type=("DERIVED", "PRIMARY", "AXIAL"))
    assert stack_instances([reformatted])[0].kind is VolumeKind.REAL


def test_objects_go_to_the_volumes_that_they_refer_to() -> None:
    seg = ReferencedObject("Segmentation", "1.7", "1.8", ("1.9.2",), "seg")
    other = ReferencedObject("Segmentation", "1.7", "1.8", ("9.9",), "other")
    records = stack_instances(
        [header(n, 2.0 * n, facts={"b_value": float(n % 2)}) for n in range(6)], [seg, other]
    )
    assert [len(r.objects) for r in records] == [1, 0]
    assert records[0].objects == (seg,)


def test_instances_without_series_uid_are_kept_by_folder() -> None:
    (record,) = stack_instances(header(z, 2.0 * z, series_instance_uid="") for z in range(3))
    assert record.volume_id.startswith("2.25.")
    assert [f.code for f in record.findings] == ["no_series_uid"]


def test_corner_check_sees_a_wrong_flip() -> None:
    headers = [header(z, 2.0 * z) for z in range(3)]
    geometry, _ = stack_geometry_of(headers)
    assert check_corners(headers, geometry) == 0.0
    assert check_corners(headers[::-1], geometry) == pytest.approx(4.0)
    turned = [replace(h, image_orientation_patient=(0, 1, 0, 1, 0, 0)) for h in headers]
    assert check_corners(turned, geometry) > 0.5
    assert np.isinf(check_corners(headers[:2], geometry))


def test_frames_of_a_cine_are_moments() -> None:
    (record,) = stack_instances([header(1, None, number_of_frames=12)])
    assert record.slice_axis is SliceAxis.TIME
    assert record.shape == (12, 4, 6)
    assert record.paths == ("f001",) * 12
    assert [record.frame_of(index)[1] for index in range(12)] == list(range(12))
    assert record.orientation == ""
    assert not record.refusal


def test_a_cine_with_a_place_stays_a_series_of_moments() -> None:
    (record,) = stack_instances([header(1, 5.0, number_of_frames=3)])
    assert (record.slice_axis, record.orientation) == (SliceAxis.TIME, "")


def test_frames_with_places_stack_from_one_file_and_from_several() -> None:
    frames = [
        header(1 + n // 4, 3.0 * n, frame_index=n % 4, sop_instance_uid=f"1.9.{n // 4}")
        for n in (5, 2, 7, 0, 3, 6, 1, 4)
    ]
    (record,) = stack_instances(frames)
    assert record.paths == ("f001",) * 4 + ("f002",) * 4
    assert record.frame_indices == (0, 1, 2, 3, 0, 1, 2, 3)
    assert record.slice_axis is SliceAxis.SPACE


def test_frames_of_one_file_split_into_volumes() -> None:
    frames = [
        header(1, 3.0 * (n // 2), frame_index=n, facts={"echo_time": (4.0, 9.0)[n % 2]})
        for n in range(8)
    ]
    records = stack_instances(frames)
    assert [r.split_reason for r in records] == ["Echo Time 4", "Echo Time 9"]
    assert [r.frame_indices for r in records] == [(0, 2, 4, 6), (1, 3, 5, 7)]


def test_a_copy_of_a_multi_frame_file_counts_once() -> None:
    frames = [header(1, 3.0 * n, frame_index=n) for n in range(4)]
    copy = [replace(frame, path="z-copy") for frame in frames]
    (record,) = stack_instances([*frames, *copy])
    assert record.shape[0] == 4
    assert record.findings[0].text.startswith("1 file repeats the SOP Instance UID")


def test_a_level_of_a_whole_slide_is_one_image() -> None:
    facts = {"total_pixel_matrix_rows": 50.0, "total_pixel_matrix_columns": 70.0}
    colour = {"samples_per_pixel": 3.0, "bits_allocated": 8.0}
    level = header(1, None, modality="SM", number_of_frames=25, facts={**facts, **colour})
    (record,) = stack_instances([level])
    assert (record.shape, record.paths, record.samples) == ((1, 50, 70), ("f001",), 3)
    assert record.slice_axis is SliceAxis.SPACE


def test_a_level_too_large_is_refused_in_words() -> None:
    facts = {"total_pixel_matrix_rows": 90000.0, "total_pixel_matrix_columns": 70.0}
    (record,) = stack_instances([header(1, None, modality="SM", number_of_frames=9, facts=facts)])
    assert "90000 x 70 pixels" in record.refusal
    assert not record.slices_only


@pytest.mark.parametrize(
    "facts",
    [
        {"samples_per_pixel": 3.0, "bits_allocated": 8.0},
        {"photometric_interpretation": "PALETTE COLOR"},
    ],
)
def test_colour_with_a_place_stacks(facts: dict[str, object]) -> None:
    (record,) = stack_instances(header(z, 2.0 * z, facts=facts) for z in range(3))
    assert (record.samples, record.shape, record.refusal) == (3, (3, 4, 6), "")


def test_tilted_and_uneven_slices_can_be_shown_as_slices() -> None:
    tilted = [header(n, 2.0 * n, image_position_patient=(0, 0.5 * n, 2.0 * n)) for n in range(4)]
    assert stack_instances(tilted)[0].slices_only
    (uneven,) = stack_instances([header(n, z) for n, z in enumerate([0.0, 1.0, 2.0, 5.0])])
    assert uneven.slices_only
    assert "after slice 3, between 2.00 and 5.00 mm" in uneven.refusal
    (unplaced,) = stack_instances([header(1, 0.0, has_pixels=False)])
    assert not unplaced.slices_only


def test_a_position_out_of_this_world_is_no_position() -> None:
    headers = [header(1, 0.0), header(2, 2.0), header(3, 1e300), header(4, float("nan"))]
    records = stack_instances(headers)
    assert [record.shape[0] for record in records] == [2, 1, 1]
    assert [record.orientation for record in records] == ["SPL", "", ""]
    assert records[2].findings[-1].code == "no_position"
