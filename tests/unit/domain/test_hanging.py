"""Which volumes belong in which panes: roles, relations between studies, order of protocols."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from carez_desktop.domain.hanging import (
    HangingPane,
    HangingProtocol,
    HangingRole,
    HangingVolume,
    StudyRelation,
    hangings_for,
)
from carez_desktop.domain.study import VolumeRecord
from carez_desktop.domain.volume import SliceAxis, Volume, VolumeKind
from tests.builders.analytic_volumes import GEOMETRIES, analytic_volume

CT = HangingVolume("ct", "CT", patient_id="P", study_uid="1", date="20240105", body_part="CHEST")
PET = replace(CT, volume_id="pet", modality="PT")
PRIOR = replace(CT, volume_id="prior", study_uid="0", date="20230105")
SYNTHETIC = replace(CT, volume_id="made", kind=VolumeKind.SYNTHETIC, study_uid="9", patient_id="")


def _protocol(name: str, *roles: HangingRole, **facts: int) -> HangingProtocol:
    return HangingProtocol(name, name, "1x1", roles, (HangingPane(roles[0].name),), **facts)


def _ids(found: tuple) -> list[str]:
    return [item.protocol.id for item in found]


@pytest.mark.parametrize(
    ("role", "fits"),
    [
        (HangingRole("x"), True),
        (HangingRole("x", modalities=("MR", "CT")), True),
        (HangingRole("x", modalities=("MR",)), False),
        (HangingRole("x", kinds=(VolumeKind.SYNTHETIC,)), False),
        (HangingRole("x", body_parts=("CHEST",)), True),
        (HangingRole("x", body_parts=("HEAD", "BRAIN")), False),
        (HangingRole("x", words=("lung",)), True),
        (HangingRole("x", words=("bone",)), False),
        (HangingRole("x", without_words=("lung",)), False),
        (HangingRole("x", plane="axial"), True),
        (HangingRole("x", plane="coronal"), False),
        (HangingRole("x", has_planes=True), True),
        (HangingRole("x", has_planes=False), False),
    ],
)
def test_each_condition_of_a_role(role: HangingRole, fits: bool) -> None:
    assert role.accepts(replace(CT, plane="axial", words="ct lung 2 mm")) is fits


def test_a_body_part_is_found_in_the_words_too_but_not_inside_one() -> None:
    role = HangingRole("x", body_parts=("ARM",))
    assert role.accepts(replace(CT, body_part="", words="left arm_ct"))
    assert not role.accepts(replace(CT, body_part="", words="alarming"))


def test_priority_then_roles_then_conditions_decide() -> None:
    anything = _protocol("anything", HangingRole("a"))
    chest = _protocol("chest", HangingRole("a", body_parts=("CHEST",)))
    pair = _protocol("pair", HangingRole("a"), HangingRole("b"))
    first = _protocol("first", HangingRole("a"), priority=1)
    for order in itertools.permutations((anything, chest, pair, first)):
        assert _ids(hangings_for(order, [CT, PET])) == ["first", "pair", "chest", "anything"]


def test_the_opened_volume_plays_a_role_in_every_hanging() -> None:
    fused = _protocol(
        "fused", HangingRole("ct", modalities=("CT",)), HangingRole("pet", modalities=("PT",))
    )
    only = _protocol("only", HangingRole("ct", modalities=("CT",)))
    assert _ids(hangings_for((fused, only), [PET, CT])) == ["fused"]
    assert hangings_for((fused, only), [PET, CT])[0].volume_ids == {"ct": "ct", "pet": "pet"}
    # Of three volumes that could be the CT, the one that was opened is.
    other = replace(CT, volume_id="other")
    opened = hangings_for((fused,), [other, CT, PET])[0]
    assert opened.volume_ids == {"ct": "other", "pet": "pet"}
    assert opened.role_of("pet").name == "pet"
    assert opened.role_of("ct") is None


def test_a_role_gives_way_to_one_that_has_no_other_choice() -> None:
    # Any volume would do for `a`, only the CT does for `b`.
    protocol = _protocol("two", HangingRole("a"), HangingRole("b", modalities=("CT",)))
    assert hangings_for((protocol,), [PET, CT])[0].volume_ids == {"a": "pet", "b": "ct"}
    assert hangings_for((protocol,), [CT, PET])[0].volume_ids == {"a": "pet", "b": "ct"}
    assert hangings_for((protocol,), [CT]) == ()


def test_a_prior_is_an_earlier_study_of_the_patient() -> None:
    protocol = _protocol(
        "prior", HangingRole("now"), HangingRole("then", study=StudyRelation.PRIOR)
    )
    found = hangings_for((protocol,), [CT, PET, PRIOR])
    assert found[0].volume_ids == {"now": "ct", "then": "prior"}
    # Opened from the prior's side, the later study still counts as the present one.
    assert hangings_for((protocol,), [PRIOR, CT])[0].volume_ids == {"now": "ct", "then": "prior"}
    for wrong in (
        replace(PRIOR, patient_id="Q"),
        replace(PRIOR, date=CT.date),
        replace(PRIOR, date=""),
        replace(PRIOR, patient_id=""),
    ):
        assert hangings_for((protocol,), [CT, wrong]) == ()


def test_same_and_other_study() -> None:
    same = _protocol("same", HangingRole("a"), HangingRole("b", study=StudyRelation.SAME))
    other = _protocol("other", HangingRole("a"), HangingRole("b", study=StudyRelation.OTHER))
    assert _ids(hangings_for((same, other), [CT, PET])) == ["same"]
    assert _ids(hangings_for((same, other), [CT, SYNTHETIC])) == ["other"]
    nameless = replace(CT, study_uid="")
    assert _ids(hangings_for((same,), [nameless, replace(PET, study_uid="")])) == []


def test_optional_roles_and_the_most_volumes() -> None:
    roles = (HangingRole("a"), HangingRole("b", modalities=("PT",), is_optional=True))
    protocol = _protocol("maybe", *roles)
    assert hangings_for((protocol,), [CT])[0].volume_ids == {"a": "ct"}
    assert hangings_for((protocol,), [CT, PET])[0].volume_ids == {"a": "ct", "b": "pet"}
    few = _protocol("few", HangingRole("a"), most_volumes=2)
    assert _ids(hangings_for((few,), [CT, PET])) == ["few"]
    assert hangings_for((few,), [CT, PET, PRIOR]) == ()
    assert hangings_for((few,), []) == ()


def test_many_alike_volumes_do_not_take_long() -> None:
    volumes = [replace(CT, volume_id=str(number)) for number in range(60)]
    roles = [HangingRole(f"r{number}", modalities=("CT",)) for number in range(11)]
    impossible = _protocol("impossible", *roles, HangingRole("last", words=("never",)))
    assert hangings_for((impossible,), volumes) == ()


def test_facts_of_a_record_and_of_a_volume_agree() -> None:
    volume = analytic_volume("coronal")
    facts = {"series_description": "T2 Cor", "body_part_examined": "Pelvis"}
    volume = volume.with_array(volume.array, attributes=facts)
    seen = HangingVolume.of_volume(volume)
    assert (seen.plane, seen.has_planes, seen.body_part) == ("coronal", True, "PELVIS")
    record = VolumeRecord(
        volume.volume_id, "1", "2", "P", "CT", "T2 Cor", volume.geometry.shape,
        volume.geometry.spacing_mm, volume.geometry.orientation, VolumeKind.REAL, "dicom", (),
        attributes={"body_part_examined": "Pelvis", "study_date": "20240101"},
    )  # fmt: skip
    known = HangingVolume.of_record(record)
    assert (known.plane, known.has_planes, known.body_part) == ("coronal", True, "PELVIS")
    assert (known.words.split(), known.date) == (["t2", "cor"], "20240101")
    for change in (
        {"refusal": "tilted"}, {"orientation": ""}, {"shape": (1, 4, 4)},
        {"slice_axis": SliceAxis.TIME},
    ):  # fmt: skip
        assert not HangingVolume.of_record(replace(record, **change)).has_planes
    cine = Volume(
        "c", np.zeros(GEOMETRIES["axial"].shape), GEOMETRIES["axial"], "US", "",
        slice_axis=SliceAxis.TIME,
    )  # fmt: skip
    assert not HangingVolume.of_volume(cine).has_planes
