"""Outcomes from a table: rows keyed by volume, series, study or patient."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

from carez_desktop.domain.cohort import SPLITS, CohortMember
from carez_desktop.domain.study import VolumeRecord
from carez_desktop.domain.volume import VolumeKind
from carez_desktop.errors import InputError

KEYS = ("volume_id", "series_instance_uid", "study_instance_uid", "patient_id")
SPLIT_COLUMN = "split"
RESERVED = frozenset(
    {*(item.name for item in fields(VolumeRecord)), "tag", "slices", "rows", "columns", "stratum"}
) - {*KEYS}
"""Names that would be mistaken for what a volume is; no label may have them."""

_NAME = re.compile(r"^[^\W\d][\w .-]{0,63}$")


@dataclass(frozen=True, slots=True)
class LabelTable:
    """Labels by one kind of key.

    Attributes:
        key: Which of `KEYS` the rows are keyed by; the finest that the table has.
        rows: Key value -> label name -> value, `split` left out.
        splits: Key value -> split, where the table names one.
    """

    key: str
    rows: Mapping[str, Mapping[str, str]]
    splits: Mapping[str, str]

    def label(self, record: VolumeRecord) -> VolumeRecord:
        """Return the record with the table's labels over its own."""
        found = self.rows.get(getattr(record, self.key), {})
        return replace(record, labels={**record.labels, **found}) if found else record

    def unmatched(self, records: Sequence[VolumeRecord]) -> tuple[str, ...]:
        """Return the keys of rows that fit no volume."""
        known = {getattr(record, self.key) for record in records}
        return tuple(sorted(set(self.rows) - known))

    def place(
        self, members: Sequence[CohortMember], records: Mapping[str, VolumeRecord]
    ) -> tuple[CohortMember, ...]:
        """Put members into the splits that the table names; the others stay where they are.

        Raises:
            InputError: A patient would be in two splits, or a synthetic volume outside train.
        """
        placed = []
        for member in members:
            record = records[member.volume_id]
            split = self.splits.get(getattr(record, self.key), member.split)
            if record.kind is VolumeKind.SYNTHETIC and split != "train":
                raise InputError(
                    f"A synthetic volume cannot be in {split}",
                    subject=member.volume_id,
                    hint="Synthetic volumes may only train; change the table",
                )
            placed.append(replace(member, split=split))
        check_patients(placed)
        return tuple(placed)


def check_patients(members: Sequence[CohortMember]) -> None:
    """Refuse a split that tears a patient apart.

    Raises:
        InputError: Naming one volume of that patient, never the patient.
    """
    places: dict[str, str] = {}
    for member in members:
        if places.setdefault(member.patient_id, member.split) != member.split:
            raise InputError(
                f"One patient would be in {places[member.patient_id]} and in {member.split}",
                subject=member.volume_id,
                hint="Give all volumes of a patient the same split in the table",
            )


def build_label_table(rows: Sequence[Mapping[str, str]], subject: str) -> LabelTable:
    """Build a table from the rows of a CSV file.

    Args:
        rows: Column name -> cell; empty cells are left out.
        subject: The file, for the error.

    Raises:
        InputError: No key column, a key twice with different labels (naming both lines), an
            unknown split, a column that cannot be a label.
    """
    columns = {column for row in rows for column in row}
    _check_columns(columns, subject)
    key = next((name for name in KEYS if name in columns), "")
    if not key:
        raise InputError(
            "The table has no column that names volumes",
            subject=subject,
            hint=f"Give it one of the columns {', '.join(KEYS)}",
        )
    labels: dict[str, dict[str, str]] = {}
    splits: dict[str, str] = {}
    lines: dict[str, int] = {}
    for number, row in enumerate(rows, start=2):
        name = (row.get(key) or "").strip()
        if not name:
            continue
        cells = {column: cell.strip() for column, cell in row.items() if cell and cell.strip()}
        split = cells.pop(SPLIT_COLUMN, "")
        found = {column: cell for column, cell in cells.items() if column not in KEYS}
        where = f"{subject}, line {number}"
        if split and split not in SPLITS:
            raise InputError(
                f"{split} is no split", subject=where, hint=f"Write one of {', '.join(SPLITS)}"
            )
        earlier = lines.setdefault(name, number)
        if labels.setdefault(name, found) != found or splits.get(name, split) != split:
            raise InputError(
                f"One {key} has two different rows",
                subject=f"{subject}, lines {earlier} and {number}",
                hint="Keep one of them",
            )
        if split:
            splits[name] = split
    return LabelTable(key, labels, splits)


def _check_columns(columns: set[str], subject: str) -> None:
    for column in sorted(columns - {*KEYS, SPLIT_COLUMN}):
        if column.lower() in RESERVED:
            raise InputError(
                f"No label may be called {column}: volumes have something of that name",
                subject=f"{subject}, column {column}",
                hint="Give the column another name, such as " + f"{column}_outcome",
            )
        if not _NAME.match(column):
            raise InputError(
                f"{column[:40]!r} cannot be the name of a label",
                subject=subject,
                hint="Begin with a letter; use letters, digits, space, dot, underscore, hyphen",
            )
