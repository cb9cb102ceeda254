"""Join outcomes of a CSV to the volumes of the library, or take them away again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from carez_desktop.errors import InputError
from carez_desktop.workflows._label_table_file import read_label_table
from carez_desktop.workflows.context import WorkflowContext


@dataclass(frozen=True, slots=True)
class LabelReport:
    """What a table of labels did.

    Attributes:
        key: By which column its rows were joined.
        names: Labels that it has.
        matched: Keys that name volumes here.
        unmatched: Keys that name none; their rows are kept out.
        volumes: How many volumes have other labels now.
        has_splits: The table has a column for splits, which belongs to cohorts and was passed over.
    """

    key: str
    names: tuple[str, ...]
    matched: tuple[str, ...]
    unmatched: tuple[str, ...]
    volumes: int
    has_splits: bool


class UnmatchedTableError(InputError):
    """A table of labels of which no row names anything of the library; nothing was changed."""

    def __init__(self, what: str, *, subject: str, hint: str, unmatched: tuple[str, ...]) -> None:
        """Keep the keys that name nothing."""
        super().__init__(what, subject=subject, hint=hint)
        self.unmatched = unmatched


def label_studies(context: WorkflowContext, *, table: Path, remove: bool = False) -> LabelReport:
    """Label volumes by the rows of a table; all of it, or nothing.

    A label holds for what its key names, so also for images of that patient, study or series that
    come later; a label by a finer key goes before one by a coarser. Labels of one name are written
    over. Empty cells are no labels.

    Args:
        context: Whose library.
        table: CSV with one of the columns volume_id, series_instance_uid, study_instance_uid,
            patient_id (the finest counts); every other column is a label.
        remove: Take away what this table joined; what was written over by another since stays.

    Raises:
        InputError: Not such a table, or two different rows for one key.
        UnmatchedTableError: No row fits.
        StorageError: The library cannot be written.
    """
    from carez_desktop.library.label_rows import (
        drop_labels,
        keep_labels,
        refresh,
        volumes_with_key,
    )

    labels = read_label_table(table)
    database = context.library.database
    wanted = sorted(key for key, row in labels.rows.items() if row)
    with database.writing() as connection:
        known = volumes_with_key(connection, labels.key, wanted)
        if not known:
            raise UnmatchedTableError(
                _what_fits_not(len(wanted)),
                subject=f"{table.name}, column {labels.key}",
                hint="Compare that column with what carez --json series prints",
                unmatched=tuple(wanted),
            )
        rows = {key: labels.rows[key] for key in wanted if key in known}
        records = context.library.volumes_with(labels.key, sorted(known))
        if remove:
            drop_labels(connection, labels.key, rows)
        else:
            keep_labels(connection, labels.key, rows)
        changed = refresh(connection, records)
    report = LabelReport(
        key=labels.key,
        names=tuple(sorted({name for row in rows.values() for name in row})),
        matched=tuple(sorted(known)),
        unmatched=tuple(key for key in wanted if key not in known),
        volumes=len(changed),
        has_splits=bool(labels.splits),
    )
    context.audit_log.append(
        "unlabel_studies" if remove else "label_studies",
        key=report.key,
        labels=list(report.names),
        matched=len(report.matched),
        unmatched=len(report.unmatched),
        volumes=report.volumes,
    )
    return report


def _what_fits_not(keys: int) -> str:
    if not keys:
        return "The table of labels has no row with a label"
    whose = "its one key" if keys == 1 else f"any of its {keys} keys"
    return f"No row of the table fits: the library does not have {whose}"
