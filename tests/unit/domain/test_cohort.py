"""Cohorts: patient-level splits, references, conditions, label tables, origin of volumes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from carez_desktop.domain.cohort import Cohort, parse_cohort_reference, split_by_patient
from carez_desktop.domain.label_files import set_apart_label_files
from carez_desktop.domain.label_table import build_label_table
from carez_desktop.domain.pixel_identity import pixel_digest
from carez_desktop.domain.selection import check_names, parse_condition
from carez_desktop.domain.study import InstanceHeader, VolumeRecord
from carez_desktop.domain.synthetic_origin import ALL_MARKS, judge_origin
from carez_desktop.domain.volume import VolumeKind
from carez_desktop.errors import InputError, UsageError


def make_record(patient: str, number: int = 1, **changes: object) -> VolumeRecord:
    record = VolumeRecord(
        volume_id=f"1.{patient[1:]}.{number}",
        series_instance_uid=f"1.{patient[1:]}.{number}",
        study_instance_uid="1",
        patient_id=patient,
        modality="CT",
        description="Lung standard",
        shape=(40, 64, 32),
        spacing_mm=(2.5, 0.7, 0.8),
        orientation="SPL",
        kind=VolumeKind.REAL,
        source_format="dicom",
        paths=(),
        attributes={"kvp": 120.0, "manufacturer": "SIEMENS"},
        labels={"disease": "nodule"},
    )
    return replace(record, **changes)  # type: ignore[arg-type]


def test_no_patient_is_in_two_splits_and_order_does_not_matter() -> None:
    records = [make_record(f"P{p:02d}", n) for p in range(20) for n in (1, 2)]
    members = split_by_patient(records, seed=3)
    places: dict[str, set[str]] = {}
    for member in members:
        places.setdefault(member.patient_id, set()).add(member.split)
    assert all(len(splits) == 1 for splits in places.values())
    counts = [sum(s == {name} for s in places.values()) for name in ("train", "validation", "test")]
    assert counts == [12, 4, 4]
    backwards = split_by_patient(records[::-1], seed=3)
    assert sorted(backwards, key=repr) == sorted(members, key=repr)
    assert split_by_patient(records, seed=4) != members


@pytest.mark.parametrize(
    ("patients", "expected"),
    [
        (1, ["train"]),
        (2, ["test", "train"]),
        (3, ["test", "train", "validation"]),
    ],
)
def test_few_patients_still_split(patients: int, expected: list[str]) -> None:
    members = split_by_patient([make_record(f"P{p}") for p in range(patients)])
    assert sorted(member.split for member in members) == expected


def test_a_synthetic_volume_only_trains() -> None:
    records = [
        *(make_record(f"P{p}") for p in range(9)),
        *(make_record(f"S{p}", 2, kind=VolumeKind.SYNTHETIC) for p in range(9)),
        make_record("P0", 3, kind=VolumeKind.SYNTHETIC),
    ]
    members = {m.volume_id: m.split for m in split_by_patient(records)}
    synthetic = [r for r in records if r.kind is VolumeKind.SYNTHETIC]
    assert {members[record.volume_id] for record in synthetic} == {"train"}
    real = sorted(members[f"1.{p}.1"] for p in range(9))
    assert real.count("test") == 2


def test_digest_names_the_list_and_not_the_name() -> None:
    members = split_by_patient([make_record(f"P{p}") for p in range(4)])
    first = Cohort("a", 1, members, "now")
    assert first.sha256 == Cohort("b", 5, members, "later").sha256
    assert first.sha256 != Cohort("a", 1, members[:3], "now").sha256
    assert first.patients == ("P0", "P1", "P2", "P3")
    assert len(first.of_split("")) == 4


def test_references() -> None:
    assert parse_cohort_reference("chest") == ("chest", "")
    assert parse_cohort_reference("chest@test") == ("chest", "test")
    for wrong in ("chest@", "chest@tset", "@test"):
        with pytest.raises(UsageError, match="no split"):
            parse_cohort_reference(wrong)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("modality=ct", True),
        ("modality!=MR", True),
        ("kvp>=120", True),
        ("kvp>120", False),
        ("kvp=120", True),
        ("slices<41", True),
        ("columns = 32", True),
        ("description~LUNG", True),
        ("label.disease=nodule", True),
        ("label.disease!=nodule", False),
        ("label.other!=x", True),
        ("label.other=x", False),
        ("kind=real", True),
        ("stratum.dose=low", True),
        ("manufacturer<3", False),
        ("exposure>1", False),
    ],
)
def test_conditions(text: str, holds: bool) -> None:
    assert parse_condition(text).holds_for(make_record("P1"), {"dose": "low"}) is holds


@pytest.mark.parametrize("text", ["", "modality", "=CT", "kvp>much", "3=4"])
def test_what_is_no_condition(text: str) -> None:
    with pytest.raises(UsageError):
        parse_condition(text)


def test_a_slip_of_the_pen_is_named() -> None:
    with pytest.raises(UsageError, match="modalty"):
        check_names([parse_condition("modalty=CT")], [make_record("P1")])
    with pytest.raises(UsageError, match=r"label\.desease"):
        check_names([parse_condition("label.desease=x")], [make_record("P1")])
    check_names([parse_condition("kvp=1"), parse_condition("label.disease=x")], [make_record("P1")])


def test_labels_and_splits_of_a_table() -> None:
    records = [make_record("P1"), make_record("P1", 2), make_record("P2"), make_record("P3")]
    rows = [
        {"patient_id": "P1", "disease": "none", "split": "test", "grade": ""},
        {"patient_id": "P2", "disease": "mass", "split": "train"},
        {"patient_id": "P9", "disease": "mass", "split": ""},
    ]
    table = build_label_table(rows, "labels.csv")
    labelled = [table.label(record) for record in records]
    assert [r.labels["disease"] for r in labelled] == ["none", "none", "mass", "nodule"]
    assert "grade" not in labelled[0].labels
    assert "split" not in labelled[0].labels
    assert table.unmatched(records) == ("P9",)
    members = table.place(split_by_patient(records), {r.volume_id: r for r in records})
    assert {m.split for m in members if m.patient_id == "P1"} == {"test"}


def test_tables_that_do_not_fit_are_refused() -> None:
    records = [make_record("P1"), make_record("P1", 2)]
    torn = [
        {"volume_id": "1.1.1", "split": "train"},
        {"volume_id": "1.1.2", "split": "test"},
    ]
    with pytest.raises(InputError, match="One patient") as caught:
        build_label_table(torn, "t").place(
            split_by_patient(records), {r.volume_id: r for r in records}
        )
    assert "P1" not in str(caught.value)
    made = make_record("P5", kind=VolumeKind.SYNTHETIC)
    with pytest.raises(InputError, match="synthetic volume cannot be in test"):
        build_label_table([{"patient_id": "P5", "split": "test"}], "t").place(
            split_by_patient([made]), {made.volume_id: made}
        )
    with pytest.raises(InputError, match="no column"):
        build_label_table([{"name": "x"}], "t.csv")
    with pytest.raises(InputError, match="holdout is no split"):
        build_label_table([{"patient_id": "P1", "split": "holdout"}], "t.csv")
    with pytest.raises(InputError, match="two different rows") as caught:
        build_label_table([{"patient_id": "P1", "d": "a"}, {"patient_id": "P1", "d": "b"}], "t.csv")
    assert caught.value.subject == "t.csv, lines 2 and 3"


def test_label_files_are_no_images() -> None:
    paths = [
        "/d/imagesTr/a_0000.nii.gz",
        "/d/labelsTr/a.nii.gz",
        "/d/labelsTs/a.nii.gz",
        "/e/images/b.nii",
        "/e/labels/b.nii",
        "/e/labels/c.nii",
    ]
    records = [
        make_record("P1", number, paths=(path,), source_format="nifti")
        for number, path in enumerate(paths)
    ]
    made = set_apart_label_files([*records, make_record("P1", 9, paths=("/e/labels/b.nii",))])
    assert [r.kind.value[0] for r in made] == ["r", "d", "r", "r", "d", "r", "r"]
    assert made[4].attributes["label_of"] == records[3].volume_id
    assert made[1].findings[-1].code == "label_file"


def make_header(*marks: str, uid: str = "1.5.1") -> InstanceHeader:
    return InstanceHeader(
        path="x", file_size=1, modified_ns=1, sop_class_uid="", sop_instance_uid=uid,
        series_instance_uid="1.1.1", study_instance_uid="1", frame_of_reference_uid="",
        modality="CT", transfer_syntax_uid="", rows=1, columns=1, number_of_frames=1,
        instance_number=1, image_position_patient=None, image_orientation_patient=None,
        pixel_spacing=None, image_type=(), has_pixels=True, synthetic_marks=tuple(marks),
    )  # fmt: skip


def test_origin_of_volumes() -> None:
    real = make_record("P1")
    marked = replace(real, kind=VolumeKind.SYNTHETIC)
    whole = [make_header(*ALL_MARKS)] * 2
    assert judge_origin(real, [make_header()], issued=()) == real
    assert judge_origin(marked, whole, issued=()) == marked
    partly = judge_origin(marked, [*whole, make_header("synthetic_data")], issued=())
    assert partly.kind is VolumeKind.SYNTHETIC
    assert partly.findings[0].code == "synthetic_marks_incomplete"
    stripped = judge_origin(real, [make_header(uid="2.25.7")], issued={"2.25.7"})
    assert stripped.kind is VolumeKind.SYNTHETIC
    below = judge_origin(
        replace(real, series_instance_uid="1.3.6.9"), [], issued=(), uid_root="1.3.6"
    )
    assert below.kind is VolumeKind.SYNTHETIC
    other = judge_origin(
        replace(real, series_instance_uid="1.3.66"), [], issued=(), uid_root="1.3.6"
    )
    assert other.kind is VolumeKind.REAL
    plays = judge_origin(marked, whole, issued=(), uid_root="1.1", stand_in=True)
    assert plays.kind is VolumeKind.REAL
    assert plays.attributes["stand_in"] == "yes"
    made_here = judge_origin(marked, whole, issued={"1.5.1"}, stand_in=True)
    assert made_here.kind is VolumeKind.SYNTHETIC
    half = judge_origin(marked, [make_header("synthetic_data")], issued=(), stand_in=True)
    assert half.kind is VolumeKind.SYNTHETIC


def test_pixel_digest_sees_through_the_data_type() -> None:
    values = np.arange(60).reshape(3, 4, 5) - 30
    digests = {pixel_digest(values.astype(kind)) for kind in ("i2", "i4", "<f4", ">i2", "f8", "i8")}
    assert len(digests) == 1
    assert pixel_digest(values.astype("i2").reshape(4, 3, 5)) not in digests
    changed = values.astype("f4")
    changed[2, 3, 4] += 0.5
    assert pixel_digest(changed) not in digests
    assert pixel_digest(changed) == pixel_digest(changed.astype("f8"))
    transposed = values.transpose(2, 1, 0)
    assert pixel_digest(transposed) == pixel_digest(np.ascontiguousarray(transposed))
    strange = np.full((1, 2, 2), np.nan, dtype="f4")
    assert pixel_digest(strange) == pixel_digest(strange.copy())
