from __future__ import annotations

import time

import numpy as np
import pytest

from carez_desktop.domain.stacking import stack_instances
from carez_desktop.domain.study import VolumeRecord
from tests.builders.dicom_series import rotation
from tests.builders.image_headers import header


def reasons(records: tuple[VolumeRecord, ...]) -> list[str]:
    return [record.split_reason for record in records]


def test_contrasts_at_other_places_are_never_one_volume() -> None:
    headers = [
        header(z, 3.0 * z, facts={"echo_time": 4.6 if z < 4 else 9.2, "echo_numbers": 1.0 + z // 4})
        for z in range(8)
    ]
    records = stack_instances(headers)
    assert reasons(records) == ["Echo Time 4.6", "Echo Time 9.2"]
    assert {record.set_id for record in records} == {""}


def test_a_contrast_that_runs_from_slice_to_slice_is_named_and_does_not_split() -> None:
    (record,) = stack_instances(
        header(z, 3.0 * z, facts={"echo_time": 4.0 + z / 100}) for z in range(6)
    )
    assert "Echo Time differs from slice to slice (4 to 4.05)" in record.findings[0].text


@pytest.mark.parametrize(
    ("name", "values", "title", "shown"),
    [
        ("b_value", (0.0, 50.0, 1000.0), "b-value", ["0", "50", "1000"]),
        ("inversion_time", (50.0, 2500.0), "Inversion Time", ["50", "2500"]),
        ("convolution_kernel", ("B30f", "B70f"), "Convolution Kernel", ["B30f", "B70f"]),
        ("monoenergetic_kev", (40.0, 70.0), "energy in keV", ["40", "70"]),
        ("temporal_position_identifier", (2.0, 10.0), "Temporal Position", ["2", "10"]),
        ("trigger_time", (9.5, 100.0), "Trigger Time", ["9.5", "100"]),
        ("diffusion_direction", ("0\\0\\1", "1\\0\\0"), "diffusion direction", None),
        ("acquisition_time", ("090000", "1000"), "Acquisition Time", ["09:00:00", "10:00:00"]),
        ("complex_image_component", ("REAL", "PHASE"), "image component", ["phase", "real"]),
    ],
)
def test_each_property_tells_images_at_one_place_apart(
    name: str, values: tuple[object, ...], title: str, shown: list[str] | None
) -> None:
    headers = [
        header(10 * turn + z, 2.0 * z, facts={name: value})
        for turn, value in reversed(list(enumerate(values)))
        for z in range(4)
    ]
    records = stack_instances(headers)
    assert reasons(records) == [f"{title} {value}" for value in shown or values]
    assert [record.set_index for record in records] == list(range(len(values)))
    assert {record.set_id for record in records} == {"1.2"}
    assert all(record.shape[0] == 4 for record in records)


def test_times_pass_midnight_in_order() -> None:
    moments = [("20240101", "235959.9"), ("20240102", "000004.0")]
    headers = [
        header(10 * turn + z, 2.0 * z, facts={"acquisition_date": day, "acquisition_time": clock})
        for turn, (day, clock) in enumerate(moments)
        for z in range(3)
    ]
    records = stack_instances(headers)
    assert [record.paths[0] for record in records] == ["f000", "f010"]


def test_directions_split_below_their_b_value() -> None:
    kinds = [(0.0, None), (1000.0, "1\\0\\0"), (1000.0, "0\\1\\0"), (1000.0, "0\\0\\1")]
    headers = [
        header(
            10 * turn + z,
            2.0 * z,
            facts={"b_value": b} if d is None else {"b_value": b, "diffusion_direction": d},
        )
        for turn, (b, d) in enumerate(kinds)
        for z in range(3)
    ]
    records = stack_instances(headers)
    assert len(records) == 4
    assert records[0].split_reason == "b-value 0"
    assert records[1].split_reason == "b-value 1000; diffusion direction 0\\0\\1"
    assert [record.set_index for record in records] == [0, 1, 2, 3]


def test_phases_whose_times_differ_at_each_place_are_ranked() -> None:
    headers = [
        header(100 * z + (7 * turn) % 5, 4.0 * z, facts={"trigger_time": 40.0 * turn + 1.5 * z})
        for z in range(6)
        for turn in range(5)
    ]
    records = stack_instances(headers)
    assert len(records) == 5
    assert records[1].split_reason == "in order of Trigger Time, 2 of 5 at each place"
    times = {h.path: h.attributes["trigger_time"] for h in headers}
    assert [times[path] for path in records[3].paths] == [120.0 + 1.5 * z for z in range(6)]


def test_magnitude_and_phase_apart_by_image_type() -> None:
    headers = [
        header(10 * turn + z, 2.0 * z, image_type=("ORIGINAL", "PRIMARY", part, "ND"))
        for turn, part in enumerate(("M", "P"))
        for z in range(3)
    ]
    assert reasons(stack_instances(headers)) == [
        "image component magnitude",
        "image component phase",
    ]


def test_localizers_are_apart_even_in_the_same_plane() -> None:
    scout = ("ORIGINAL", "PRIMARY", "LOCALIZER")
    headers = [header(z, 2.0 * z) for z in range(4)]
    headers += [header(20, 9.0, image_type=scout)]
    records = stack_instances(headers)
    assert reasons(records) == ["without the localizers", "localizer"]
    assert [record.shape[0] for record in records] == [4, 1]


def test_parallel_stacks_side_by_side_are_no_repeats() -> None:
    headers = [
        header(10 * side + z, 2.0 * z, image_position_patient=(90.0 * side, 2.0, 2.0 * z))
        for side in (0, 1)
        for z in range(4)
    ]
    records = stack_instances(headers)
    assert reasons(records) == ["stack beside others, 1 of 2", "stack beside others, 2 of 2"]
    assert [record.refusal for record in records] == ["", ""]
    assert {record.set_id for record in records} == {""}


def test_stations_with_a_gap_between_them_are_volumes_of_their_own() -> None:
    headers = [header(z, 2.0 * z, facts={"acquisition_number": 1.0}) for z in range(4)]
    headers += [header(9 + z, 31.0 + 2.0 * z, facts={"acquisition_number": 2.0}) for z in range(5)]
    records = stack_instances(headers)
    assert reasons(records) == ["Acquisition Number 1", "Acquisition Number 2"]
    assert [record.shape[0] for record in records] == [4, 5]
    assert not any(record.refusal for record in records)


def test_a_missing_slice_between_two_turns_of_the_gantry_does_not_part_them() -> None:
    heights = [0.0, 5.0, 15.0, 20.0]
    headers = [
        header(n, z, facts={"acquisition_number": 4.0 + n // 2}) for n, z in enumerate(heights)
    ]
    (record,) = stack_instances(headers)
    assert record.slices_only
    assert "about 1 slice is missing: after slice 2, between 5.00 and 15.00 mm" in record.refusal


def test_radial_slices_say_that_they_cross() -> None:
    headers = []
    for number in range(6):
        turn = rotation(0.0, 0.0, 30.0 * number) @ rotation(90.0, 0.0, 0.0)
        cosines = (*turn[:, 0], *turn[:, 1])
        headers.append(header(number, 0.0, image_orientation_patient=cosines))
    records = stack_instances(headers)
    assert len(records) == 6
    assert all("6 slices" in record.findings[0].text for record in records)
    assert records[1].split_reason == "orientation turned by 30.00 degrees against the first"


def test_two_sets_of_one_series_have_ids_of_their_own() -> None:
    sagittal = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
    axial = [
        header(10 * t + z, 2.0 * z, facts={"b_value": 500.0 * t}) for t in (0, 1) for z in range(3)
    ]
    other = [
        header(
            100 + 10 * t + x,
            0.0,
            image_orientation_patient=sagittal,
            image_position_patient=(3.0 * x, 0.0, 0.0),
            facts={"b_value": 500.0 * t},
        )
        for t in (0, 1)
        for x in range(3)
    ]
    records = stack_instances([*axial, *other])
    assert [(r.set_id, r.set_index) for r in records] == [
        *(("1.2:1", 0), ("1.2:1", 1)),
        *(("1.2:2", 0), ("1.2:2", 1)),
    ]


def test_frames_of_reference_are_never_mixed() -> None:
    headers = [header(z, 2.0 * z, frame_of_reference_uid=f"1.3.{z // 3}") for z in range(6)]
    records = stack_instances(headers)
    assert [record.shape[0] for record in records] == [3, 3]
    assert "frame of reference" in records[0].split_reason


def test_ten_thousand_slices_stack_within_a_second() -> None:
    headers = [
        header(n, 0.5 * (n % 500), facts={"temporal_position_identifier": float(n // 500)})
        for n in range(10_000)
    ]
    start = time.perf_counter()
    records = stack_instances(headers)
    assert time.perf_counter() - start < 2.0  # measured 0.4 s alone on the machine
    assert len(records) == 20


@pytest.mark.parametrize("kind", ["orientation", "time", "matrix"])
def test_thousands_of_single_slices_take_no_quadratic_time(kind: str) -> None:
    headers = []
    for n in range(5000):
        turn = rotation(0.0, 0.0, 0.03 * n)
        changes = {
            "orientation": {"image_orientation_patient": (*turn[:, 0], *turn[:, 1])},
            "time": {"facts": {"content_time": f"12{n // 60:02d}{n % 60:02d}"}},
            "matrix": {"rows": n + 1},
        }[kind]
        headers.append(header(n, 0.0, **changes))
    start = time.perf_counter()
    records = stack_instances(headers)
    assert time.perf_counter() - start < 4.0  # measured 1 s alone on the machine
    assert len(records) > 4000
    assert np.unique([record.volume_id for record in records]).size == len(records)
