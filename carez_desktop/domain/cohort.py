"""Frozen, versioned lists of volumes with labels and a patient-level split."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from carez_desktop.domain.codec import digest_of
from carez_desktop.domain.study import VolumeRecord
from carez_desktop.domain.volume import VolumeKind
from carez_desktop.errors import UsageError

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class CohortMember:
    """One volume of a cohort."""

    volume_id: str
    patient_id: str
    split: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cohort:
    """A named, frozen list of volumes.

    Attributes:
        version: 1, 2, ... under one name; an older version is never changed.
        stand_in: Whether its studies are simulated and play real here (DESIGN section 8).
    """

    name: str
    version: int
    members: tuple[CohortMember, ...]
    created_utc: str
    stand_in: bool = False

    @property
    def sha256(self) -> str:
        """Digest of the members: the same list has the same digest under any name."""
        return digest_of([*self.members])

    @property
    def patients(self) -> tuple[str, ...]:
        """Patients, sorted."""
        return tuple(sorted({member.patient_id for member in self.members}))

    def of_split(self, split: str) -> tuple[CohortMember, ...]:
        """Members of one split; all of them for an empty name."""
        return tuple(member for member in self.members if not split or member.split == split)


def parse_cohort_reference(reference: str) -> tuple[str, str]:
    """Split `NAME` or `NAME@split` into name and split; the split is "" for all of it.

    Raises:
        UsageError: For a split that is none of train, validation, test.
    """
    name, marked, split = reference.rpartition("@")
    if not marked:
        return reference, ""
    if split not in SPLITS or not name:
        raise UsageError(
            f"{split or 'nothing'} is no split of a cohort",
            subject=reference,
            hint="Write NAME, or NAME@" + ", NAME@".join(SPLITS),
        )
    return name, split


def split_by_patient(
    records: Sequence[VolumeRecord],
    *,
    seed: int = 0,
    shares: tuple[float, float, float] = (0.6, 0.2, 0.2),
) -> tuple[CohortMember, ...]:
    """Give every patient, with all volumes, to one split.

    Patients are ordered by SHA-256 of (seed, patient) and cut by the shares, so that the order in
    which they were given does not matter. With three patients or more no split is empty. A
    synthetic volume always goes to train: it never enters a test set.

    Args:
        records: Volumes to place.
        seed: Changes the order of the patients.
        shares: Of train, validation, test; they sum to 1.
    """
    patients = sorted(
        {record.patient_id for record in records if record.kind is not VolumeKind.SYNTHETIC},
        key=lambda patient: hashlib.sha256(f"{seed}|{patient}".encode()).hexdigest(),
    )
    count = len(patients)
    if count >= len(SPLITS):
        validation = max(1, round(count * shares[1]))
        test = max(1, round(count * shares[2]))
    else:
        validation, test = 0, min(1, count - 1)
    places = dict.fromkeys(patients, "train")
    places.update(dict.fromkeys(patients[:test], "test"))
    places.update(dict.fromkeys(patients[test : test + validation], "validation"))
    return tuple(
        CohortMember(
            record.volume_id,
            record.patient_id,
            "train" if record.kind is VolumeKind.SYNTHETIC else places[record.patient_id],
            dict(record.labels),
        )
        for record in records
    )


def with_validation(cohort: Cohort, tested: Collection[str]) -> Cohort:
    """Give a cohort without validation patients some, and leave any other as it is.

    They are the test patients of whom nothing is tested (they lie outside the cell that a pilot
    fills), and the last of three or more training patients; each with all volumes.

    Args:
        cohort: With a patient-level split.
        tested: Volume ids that will be tested on.
    """
    if cohort.of_split("validation"):
        return cohort
    busy = {member.patient_id for member in cohort.members if member.volume_id in tested}
    moved = {member.patient_id for member in cohort.of_split("test")} - busy
    training = sorted({member.patient_id for member in cohort.of_split("train")})
    if len(training) >= len(SPLITS):
        moved.add(training[-1])
    members = tuple(
        replace(member, split="validation") if member.patient_id in moved else member
        for member in cohort.members
    )
    return replace(cohort, members=members)
