"""Series of every shape, made by hypothesis: their corners lie where the plan put them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st

from carez_desktop.domain.stacking import stack_geometry_of, stack_instances
from carez_desktop.domain.study import InstanceHeader, VolumeRecord
from tests.builders.dicom_series import rotation
from tests.builders.image_headers import header

CORNER_MM = 1e-3
ROWS, COLUMNS = 37, 53
MANY = settings(max_examples=60, deadline=None)

angles = st.tuples(st.floats(-180, 180), st.floats(-90, 90), st.floats(-180, 180))
turns = angles.map(lambda three: rotation(*three))
spacings = st.tuples(st.floats(0.4, 9), st.floats(0.2, 2.5), st.floats(0.2, 2.5))
origins = st.tuples(st.floats(-900, 900), st.floats(-900, 900), st.floats(-2000, 2000))
Turn = npt.NDArray[np.float64]
Triple = tuple[float, float, float]


class Plan:
    """Slices of a grid that is known; the normal is column direction x row direction."""

    def __init__(
        self, turn: Turn, spacing: Triple, origin: Triple, slant: tuple[float, float] = (0.0, 0.0)
    ) -> None:
        self.turn, self.spacing, self.origin = turn, spacing, np.array(origin)
        self.step = turn[:, 2] * spacing[0] + turn[:, 1] * slant[0] + turn[:, 0] * slant[1]

    def header(self, number: float, name: int, **changes: object) -> InstanceHeader:
        position = tuple(float(part) for part in self.origin + self.step * number)
        cosines = tuple(float(part) for part in (*self.turn[:, 0], *self.turn[:, 1]))
        facts = {
            "rows": ROWS,
            "columns": COLUMNS,
            "image_position_patient": position,
            "image_orientation_patient": cosines,
            "pixel_spacing": self.spacing[1:],
            **changes,
        }
        return header(name, 0.0, **facts)

    def corners(self, numbers: Sequence[float]) -> npt.NDArray[np.float64]:
        """(slices, 4, 3) corners of the slices with these numbers."""
        ends = [(r, c) for r in (0, ROWS - 1) for c in (0, COLUMNS - 1)]
        return np.array(
            [
                [
                    self.origin
                    + self.step * number
                    + self.turn[:, 1] * self.spacing[1] * row
                    + self.turn[:, 0] * self.spacing[2] * column
                    for row, column in ends
                ]
                for number in numbers
            ]
        )


def check_corners(
    record: VolumeRecord, headers: Sequence[InstanceHeader], plan: Plan, numbers: Sequence[float]
) -> None:
    """The volume's corners are those of the slices with these numbers, in this order."""
    known = {(item.path, item.frame_index): item for item in headers}
    ordered = [known[record.frame_of(index)] for index in range(record.shape[0])]
    geometry, _ = stack_geometry_of(ordered)
    assert geometry.is_right_handed
    expected = plan.corners(numbers)
    ends = [(r, c) for r in (0, ROWS - 1) for c in (0, COLUMNS - 1)]
    index = [[(s, r, c) for r, c in ends] for s in range(len(numbers))]
    assert np.abs(geometry.index_to_lps(index) - expected).max() < CORNER_MM
    assert record.spacing_mm is not None
    assert np.allclose(record.spacing_mm, plan.spacing, rtol=1e-6)


@MANY
@given(turns, spacings, origins, st.integers(2, 30), st.randoms(use_true_random=False))
def test_shuffled_reversed_and_oblique(
    turn: Turn, spacing: Triple, origin: Triple, count: int, chance: object
) -> None:
    plan = Plan(turn, spacing, origin)
    names = list(range(count))
    chance.shuffle(names)  # type: ignore[attr-defined]
    headers = [plan.header(number, name) for number, name in enumerate(names)]
    chance.shuffle(headers)  # type: ignore[attr-defined]
    (record,) = stack_instances(headers)
    assert not record.refusal
    check_corners(record, headers, plan, range(count))
    (descending,) = stack_instances([plan.header(-n, n) for n in range(count)])
    check_corners(descending, [plan.header(-n, n) for n in range(count)], plan, range(1 - count, 1))


@MANY
@given(turns, spacings, origins, st.integers(2, 12), st.integers(1, 4))
def test_frames_over_several_files(
    turn: Turn, spacing: Triple, origin: Triple, count: int, files: int
) -> None:
    plan = Plan(turn, spacing, origin)
    headers = [
        plan.header(n, n % files, frame_index=n // files, sop_instance_uid=f"1.9.{n % files}")
        for n in range(count)
    ]
    (record,) = stack_instances(headers[::-1])
    check_corners(record, headers, plan, range(count))


@MANY
@given(turns, spacings, origins, st.integers(3, 12), st.data())
def test_copies_and_repeats_change_nothing(
    turn: Turn, spacing: Triple, origin: Triple, count: int, data: st.DataObject
) -> None:
    plan = Plan(turn, spacing, origin)
    headers = [plan.header(n, n) for n in range(count)]
    number = data.draw(st.integers(0, count - 1))
    copy = plan.header(number, number, path="z-copy")
    repeat = plan.header(number, 500)
    for extra, code in ((copy, "duplicate_instance"), (repeat, "duplicate_position")):
        (record,) = stack_instances([extra, *headers])
        assert code in [finding.code for finding in record.findings]
        check_corners(record, headers, plan, range(count))


@MANY
@given(turns, spacings, origins, st.integers(4, 15), st.data())
def test_missing_slices_are_refused_and_named(
    turn: Turn, spacing: Triple, origin: Triple, count: int, data: st.DataObject
) -> None:
    plan = Plan(turn, spacing, origin)
    lost = data.draw(st.integers(1, count - 2))
    headers = [plan.header(n, n) for n in range(count) if n != lost]
    (record,) = stack_instances(headers)
    assert record.slices_only
    if count > 4:  # of two gaps neither is the usual one
        assert f"after slice {lost}," in record.refusal
    assert [name for name, _ in map(record.frame_of, range(count - 1))] == [
        item.path for item in headers
    ]


@MANY
@given(
    turns, spacings, origins, st.integers(3, 15), st.tuples(st.floats(0.05, 1), st.floats(-1, 1))
)
def test_tilted_slices_are_refused_with_their_angle(
    turn: Turn, spacing: Triple, origin: Triple, count: int, slant: tuple[float, float]
) -> None:
    plan = Plan(turn, spacing, origin, slant)
    headers = [plan.header(n, n) for n in range(count)]
    (record,) = stack_instances(headers)
    angle = float(np.degrees(np.arctan2(np.hypot(*slant), spacing[0])))
    assert record.slices_only
    assert f"Tilted by {angle:.2f} degrees" in record.refusal


@MANY
@given(turns, spacings, origins, st.integers(2, 8), st.integers(2, 5))
def test_moments_at_the_same_places_are_an_ordered_set(
    turn: Turn, spacing: Triple, origin: Triple, count: int, moments: int
) -> None:
    plan = Plan(turn, spacing, origin)
    headers = [
        plan.header(
            n,
            100 * t + n,
            attributes={"bits_allocated": 16.0, "trigger_time": 30.0 * (moments - t)},
        )
        for t in range(moments)
        for n in range(count)
    ]
    records = stack_instances(headers)
    assert [record.set_index for record in records] == list(range(moments))
    for turn_number, record in enumerate(records):
        check_corners(record, headers, plan, range(count))
        assert record.paths[0] == f"f{100 * (moments - 1 - turn_number):03d}"
