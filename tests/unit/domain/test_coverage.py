"""Coverage: strata of volumes, counts, combinatorial coverage and the ranking of gaps."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest

from carez_desktop.domain.coverage import (
    NOT_APPLICABLE,
    UNKNOWN,
    CoverageAxis,
    CoverageSubject,
    measure,
    strata_of,
)
from carez_desktop.domain.strata import AxisSource, age_years, field_strength_t, mas_at_120_kvp
from carez_desktop.domain.study import VolumeRecord
from carez_desktop.domain.volume import VolumeKind
from carez_desktop.workflows._coverage_plan_file import load_coverage_plan


def make_record(patient: str = "P1", **changes: object) -> VolumeRecord:
    facts: dict[str, object] = {
        "volume_id": f"1.{patient}",
        "series_instance_uid": f"1.{patient}",
        "study_instance_uid": "1",
        "patient_id": patient,
        "modality": "CT",
        "description": "",
        "shape": (10, 20, 30),
        "spacing_mm": (2.5, 0.7, 0.8),
        "orientation": "SPL",
        "kind": VolumeKind.REAL,
        "source_format": "dicom",
        "paths": (),
    }
    return VolumeRecord(**(facts | changes))  # type: ignore[arg-type]


def stratum(axis: str, modality: str = "CT", **attributes: object) -> str:
    record = make_record(modality=modality, attributes=attributes)
    return strata_of(record, load_coverage_plan().axes)[axis]


@pytest.mark.parametrize(
    ("axis", "attributes", "expected"),
    [
        ("age_group", {"patient_age": 17.9}, "0-17"),
        ("age_group", {"patient_age": "018Y"}, "18-39"),
        ("age_group", {"patient_age": "011M"}, "0-17"),
        ("age_group", {"patient_age": 64.99}, "40-64"),
        ("age_group", {"patient_age": 89.5}, "65-89"),
        ("age_group", {"patient_age": 90.0}, "90+"),
        (
            "age_group",
            {"patient_birth_date": "19500602", "study_date": "20150601"},
            "40-64",
        ),
        (
            "age_group",
            {"patient_birth_date": "19500601", "study_date": "20150601"},
            "65-89",
        ),
        ("age_group", {"patient_age": "old"}, UNKNOWN),
        ("age_group", {}, UNKNOWN),
        ("sex", {"patient_sex": "F"}, "F"),
        ("sex", {"patient_sex": "O"}, "other"),
        ("sex", {"patient_sex": None}, UNKNOWN),
        ("manufacturer", {"manufacturer": "GE MEDICAL SYSTEMS / MIM Software"}, "GE"),
        ("manufacturer", {"manufacturer": "SIEMENS"}, "Siemens"),
        ("manufacturer", {"manufacturer": "Siemens Healthineers"}, "Siemens"),
        ("manufacturer", {"manufacturer": "TOSHIBA"}, "Canon (Toshiba)"),
        ("manufacturer", {"manufacturer": "UNKNOWN"}, UNKNOWN),
        ("manufacturer", {"manufacturer": "Genuine Labs"}, "Genuine Labs"),
        ("slice_thickness", {"slice_thickness": 1.5}, "<=1.5"),
        ("slice_thickness", {"slice_thickness": 3.26999999999998}, "3-5"),
        ("slice_thickness", {"slice_thickness": 3.00000000000002}, "1.5-3"),
        ("slice_thickness", {}, "1.5-3"),  # 2.5 mm between slices
        ("dose", {"ctdi_vol": 1.8, "exposure": 400.0, "kvp": 120.0}, "low"),
        ("dose", {"ctdi_vol": 9.0}, "standard"),
        ("dose", {"ctdi_vol": 45.2}, "high"),
        ("dose", {"exposure": 40.0, "kvp": 120.0}, "low"),
        (
            "dose",
            {"exposure": 0.0, "x_ray_tube_current": 343.0, "exposure_time": 875.0, "kvp": 120.0},
            "high",
        ),
        ("dose", {"exposure": 40.0}, UNKNOWN),
        ("dose", {}, UNKNOWN),
        ("field_strength", {}, NOT_APPLICABLE),
    ],
)  # fmt: skip
def test_the_default_axes_place_a_ct(axis: str, attributes: dict, expected: str) -> None:
    assert stratum(axis, **attributes) == expected


def test_the_default_axes_place_an_mr() -> None:
    assert stratum("dose", "MR", ctdi_vol=3.0) == NOT_APPLICABLE
    assert stratum("field_strength", "MR", magnetic_field_strength=1.5) == "1-2"
    assert stratum("field_strength", "MR", magnetic_field_strength=15000.0) == "1-2"
    assert stratum("field_strength", "MR") == UNKNOWN


def test_tube_load_scales_with_voltage_and_time() -> None:
    # 100 kVp: (100 / 120) ** 2.5 = 0.63393815..., by hand from sqrt(5/6) * (5/6)^2.
    record = make_record(
        attributes={"x_ray_tube_current": 200.0, "exposure_time": 500.0, "kvp": 100.0}
    )
    assert mas_at_120_kvp(record) == pytest.approx(100 * (5 / 6) ** 2 * np.sqrt(5 / 6))
    assert age_years(make_record(attributes={"patient_age": -3.0})) is None
    assert (
        field_strength_t(make_record(attributes={"magnetic_field_strength": float("nan")})) is None
    )


def binary_axes(count: int) -> tuple[CoverageAxis, ...]:
    return tuple(
        CoverageAxis(name, name, (AxisSource(f"label:{name}"),), levels=("0", "1"))
        for name in "abcdefgh"[:count]
    )


def subjects_from(rows: list[str], axes: tuple[CoverageAxis, ...]) -> list[CoverageSubject]:
    return [
        CoverageSubject(f"P{number}", dict(zip((a.name for a in axes), row, strict=True)))
        for number, row in enumerate(rows)
    ]


def test_combinatorial_coverage_of_the_nist_example() -> None:
    """NISTIR 7878 (Kuhn, Kacker, Lei 2012, doi 10.6028/NIST.IR.7878), 4 binary parameters.

    Tests 0000, 0110, 1001, 0111 cover 19 of the 24 two-way settings, 79 % (by hand: ab, ac and ad
    lack one setting each, bc two, bd and cd none).
    """
    axes = binary_axes(4)
    matrix = measure(subjects_from(["0000", "0110", "1001", "0111"], axes), axes)
    assert matrix.pairwise_coverage == pytest.approx(19 / 24)


def test_coverage_against_a_direct_count() -> None:
    axes = binary_axes(5)
    rng = np.random.default_rng(5)
    rows = ["".join(map(str, rng.integers(0, 2, 5))) for _ in range(6)]
    matrix = measure(subjects_from(rows, axes), axes)
    for size, value in ((2, matrix.pairwise_coverage), (3, matrix.threewise_coverage)):
        possible = [
            (places, levels)
            for places in combinations(range(5), size)
            for levels in product("01", repeat=size)
        ]
        covered = [
            1
            for places, levels in possible
            if any(all(row[p] == v for p, v in zip(places, levels, strict=True)) for row in rows)
        ]
        assert value == pytest.approx(len(covered) / len(possible))


def test_impossible_cells_are_neither_cells_nor_gaps() -> None:
    axes = load_coverage_plan().axes
    records = [
        make_record("P1", attributes={"ctdi_vol": 9.0}),
        make_record("P2", modality="MR", attributes={"magnetic_field_strength": 3.0}),
    ]
    matrix = measure(records, axes)
    assert matrix.cell({"modality": "MR", "dose": "low"}) is None
    assert matrix.cell({"dose": "low", "field_strength": "1-2"}) is None
    assert matrix.cell({"modality": "CT", "dose": "standard"}).patients == 1
    assert matrix.cell({"dose": "low"}).patients == 0
    assert matrix.cell({"sex": UNKNOWN}).patients == 2
    only_ct = measure(records[:1], axes)
    assert only_ct.cell({"field_strength": "1-2"}) is None
    assert all("field_strength" not in gap.axes for gap in only_ct.gaps)


def test_patients_are_counted_once_and_synthetic_apart() -> None:
    axes = load_coverage_plan().axes
    attributes = {"ctdi_vol": 9.0, "patient_sex": "F"}
    records = [
        make_record("P1", volume_id="1", attributes=attributes),
        make_record("P1", volume_id="2", attributes=attributes),
        make_record("P2", volume_id="3", kind=VolumeKind.DERIVED, attributes=attributes),
        make_record("P3", volume_id="4", refusal="tilted", attributes=attributes),
        make_record("P4", volume_id="5", attributes={"image_type": "ORIGINAL\\PRIMARY\\LOCALIZER"}),
        make_record(
            "S1",
            volume_id="6",
            kind=VolumeKind.SYNTHETIC,
            attributes={**attributes, "ctdi_vol": 1.0},
        ),
    ]
    matrix = measure(records, axes)
    assert (matrix.patients, matrix.volumes, matrix.synthetic_volumes) == (1, 2, 1)
    assert matrix.excluded == {"derived": 1, "refused": 1, "localizer": 1}
    low = matrix.cell({"sex": "F", "dose": "low"})
    assert (low.patients, low.volumes, low.synthetic_volumes) == (0, 0, 1)
    assert matrix.pairwise_with_synthetic > matrix.pairwise_coverage
    (gap,) = [gap for gap in matrix.gaps if gap.axes == ("dose",) and gap.strata == ("low",)]
    assert gap.synthetic_volumes == 1


def test_low_dose_is_the_first_gap_of_a_standard_dose_cohort() -> None:
    axes = load_coverage_plan().axes
    makers = ("GE MEDICAL SYSTEMS", "SIEMENS", "Philips")
    records = [
        make_record(
            f"P{number}",
            attributes={
                "patient_age": 30.0 + 5 * number,
                "patient_sex": "FM"[number % 2],
                "manufacturer": makers[number % 3],
                "slice_thickness": 2.0,
                "ctdi_vol": 8.0 + number / 4,
            },
        )
        for number in range(9)
    ]
    first = measure(records, axes).gaps[0]
    assert first.axes == ("dose",)
    assert first.strata in (("low",), ("high",))
    assert measure(records, axes).gaps[0].cell == {"dose": "low", "modality": "CT"}
    assert str(first).startswith("modality CT, dose low: 0 patients")


def test_a_pair_is_a_gap_only_where_its_levels_are_not() -> None:
    axes = binary_axes(3)
    matrix = measure(subjects_from(["000", "010", "110", "100", "010"], axes), axes)
    # c = 1 never occurs: no pair with it is listed beside it.
    assert [gap.strata for gap in matrix.gaps if "c" in gap.axes] == [("1",)]
    two = measure(subjects_from(["00", "01", "10", "10", "01"], axes[:2]), axes[:2])
    (gap,) = two.gaps
    assert (gap.axes, gap.strata) == (("a", "b"), ("1", "1"))
    # Expected share under independence: 2 of 5 have a = 1, 2 of 5 have b = 1.
    assert gap.support == pytest.approx(0.4 * 0.4)


def test_a_pair_is_expected_among_those_it_concerns() -> None:
    axes = tuple(a for a in load_coverage_plan().axes if a.name in ("modality", "dose", "sex"))
    rows = [("CT", "low", "F"), ("CT", "standard", "M"), ("CT", "standard", "M")]
    rows += [("MR", NOT_APPLICABLE, "F")] * 20
    subjects = [
        CoverageSubject(f"P{number}", dict(zip(("modality", "dose", "sex"), row, strict=True)))
        for number, row in enumerate(rows)
    ]
    support = {gap.strata: gap.support for gap in measure(subjects, axes).gaps}
    # Of three CT patients one has low dose and two are men; the 20 MR do not count.
    assert support["low", "M"] == pytest.approx(1 / 3 * 2 / 3)


def test_a_gap_of_an_ordered_axis_is_nearer_to_a_full_neighbour() -> None:
    axis = CoverageAxis(
        "age",
        "Age",
        (AxisSource("age_years", (1.0, 2.0, 3.0)),),
        ("a", "b", "c", "d"),
        ordered=True,
    )
    matrix = measure([CoverageSubject("P", {"age": "a"})], [axis])
    assert [(gap.strata[0], gap.score) for gap in matrix.gaps] == [
        ("b", 1.0),
        ("c", 0.5),
        ("d", 0.25),
    ]


def test_minimum_patients_makes_a_thin_cell_a_gap() -> None:
    axes = binary_axes(1)
    subjects = subjects_from(["0", "0", "0", "1"], axes)
    assert measure(subjects, axes).gaps == ()
    (gap,) = measure(subjects, axes, minimum_patients=3).gaps
    assert gap.score == pytest.approx((1 - 1 / 3) * 0.5)


def test_unknown_is_a_cell_but_no_gap_and_no_combination() -> None:
    axes = binary_axes(2)
    subjects = [*subjects_from(["00"], axes), CoverageSubject("Q", {"a": "1"})]
    matrix = measure(subjects, axes)
    assert matrix.cell({"a": "1", "b": UNKNOWN}).patients == 1
    assert matrix.pairwise_coverage == pytest.approx(1 / 4)
    assert all(UNKNOWN not in gap.strata for gap in matrix.gaps)


def test_nothing_to_count() -> None:
    matrix = measure([], load_coverage_plan().axes)
    assert matrix.patients == 0
    assert matrix.pairwise_coverage == 0.0
    assert all(gap.score >= 0 for gap in matrix.gaps)


def test_wrong_axes_are_refused() -> None:
    dose = CoverageAxis(
        "dose", "Dose", (AxisSource("ctdi_vol_mgy", (3.0,)),), ("a", "b"), modalities=("CT",)
    )
    with pytest.raises(ValueError, match="modality"):
        measure([], [dose])
    with pytest.raises(ValueError, match="one name"):
        measure([], binary_axes(1) * 2)
    with pytest.raises(ValueError, match="levels"):
        CoverageAxis("x", "X", (AxisSource("age_years", (1.0, 2.0)),), ("a", "b"))
    with pytest.raises(ValueError, match="ascend"):
        CoverageAxis("x", "X", (AxisSource("age_years", (2.0, 1.0)),), ("a", "b", "c"))
