"""Validation patients for a cohort that came with train and test only."""

from __future__ import annotations

from carez_desktop.domain.cohort import Cohort, CohortMember, with_validation


def _cohort(*places: tuple[str, str, str]) -> Cohort:
    return Cohort("c", 1, tuple(CohortMember(*place) for place in places), "")


def _splits(cohort: Cohort) -> dict[str, str]:
    return {member.volume_id: member.split for member in cohort.members}


def test_untested_patients_and_the_last_training_patient_are_set_apart() -> None:
    cohort = _cohort(
        ("v1", "a", "train"),
        ("v2", "b", "train"),
        ("v3", "c", "train"),
        ("v4", "c", "train"),
        ("v5", "x", "test"),
        ("v6", "x", "test"),
        ("v7", "y", "test"),
    )
    found = _splits(with_validation(cohort, {"v5"}))
    assert found == {
        "v1": "train",
        "v2": "train",
        "v3": "validation",
        "v4": "validation",
        "v5": "test",
        "v6": "test",
        "v7": "validation",
    }


def test_a_cohort_with_validation_or_too_few_patients_stays() -> None:
    given = _cohort(("v1", "a", "train"), ("v2", "b", "validation"), ("v3", "c", "test"))
    assert with_validation(given, set()) is given
    small = _cohort(("v1", "a", "train"), ("v2", "b", "test"))
    assert _splits(with_validation(small, {"v2"})) == {"v1": "train", "v2": "test"}
