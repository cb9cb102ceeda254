"""Take volumes, series, studies or patients out of the library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from carez_desktop.domain.finding import counted
from carez_desktop.domain.label_table import KEYS
from carez_desktop.domain.study import VolumeRecord
from carez_desktop.errors import NotFoundError, UsageError
from carez_desktop.workflows._managed_files import CONTENTS, STUDIES
from carez_desktop.workflows.context import WorkflowContext
from carez_desktop.workflows.forget_alignments import forget_alignments


@dataclass(frozen=True, slots=True)
class DeletionReport:
    """What a deletion takes away, or took.

    Attributes:
        matched: Ids of the volumes.
        managed_files: Files of the home folder that go too; files in place are never touched.
        cohorts: Names of cohorts that go on naming these volumes.
        deleted: Whether it was done.
    """

    matched: tuple[str, ...]
    unmatched: tuple[str, ...]
    patients: int
    studies: int
    series: int
    managed_files: int
    cohorts: tuple[str, ...]
    deleted: bool

    def text(self) -> str:
        """Say what goes, in one sentence."""
        text = (
            f"{counted(len(self.matched), 'volume')} of {counted(self.series, 'series', 'series')},"
            f" {counted(self.studies, 'study', 'studies')} and {counted(self.patients, 'patient')}"
        )
        if self.managed_files:
            text += f", with {counted(self.managed_files, 'managed copy', 'managed copies')}"
        if self.cohorts:
            text += f"; the cohorts {', '.join(self.cohorts)} name some of them and keep their list"
        return text


def delete_studies(
    context: WorkflowContext, *, keys: Sequence[str], confirmed: bool = False
) -> DeletionReport:
    """Delete what keys name from the library; files in place are never touched.

    Managed copies below the home folder are deleted with their volumes. Labels and tags go too.
    Frozen cohorts keep their list, and say what is missing when they are used.

    Args:
        context: Whose library.
        keys: Volume ids, series or study UIDs, patient ids.
        confirmed: Without it nothing is deleted, and the report says what would be.

    Raises:
        NotFoundError: None of the keys names anything. StorageError: The library cannot be
            written.
    """
    from carez_desktop.library.deletion import delete, plan_deletion

    library = context.library
    records, unmatched = volumes_named(context, keys)
    if not records:
        raise NotFoundError(
            "The library has nothing by these names",
            subject=", ".join(keys[:3]),
            hint="Give volume ids, series or study UIDs, or patient ids: carez --json series",
        )
    plan = plan_deletion(library.database, records)
    managed = tuple(path for path in plan.files if _is_managed(context, path))
    managed = _unshared(context, managed, records)
    report = DeletionReport(
        matched=tuple(record.volume_id for record in records),
        unmatched=unmatched,
        patients=len({record.patient_id for record in records}),
        studies=len({record.study_instance_uid or record.volume_id for record in records}),
        series=len({record.series_instance_uid or record.volume_id for record in records}),
        managed_files=len(managed),
        cohorts=_cohorts_naming(context, records),
        deleted=confirmed,
    )
    if not confirmed:
        return report
    delete(library.database, plan, managed)
    finish_deletions(context)
    forget_alignments(context, volume_ids=report.matched)
    context.audit_log.append(
        "delete_studies",
        volumes=list(report.matched),
        managed_files=report.managed_files,
    )
    return report


def require_confirmation(report: DeletionReport) -> None:
    """Refuse a deletion that was not confirmed.

    Raises:
        UsageError: Saying what would go.
    """
    if not report.deleted:
        raise UsageError(
            f"This would delete {report.text()}. Nothing was deleted",
            subject="--yes",
            hint="Repeat it with --yes",
        )


def volumes_named(
    context: WorkflowContext, keys: Sequence[str]
) -> tuple[tuple[VolumeRecord, ...], tuple[str, ...]]:
    """Return the volumes that keys of any level name, and the keys that name none.

    Args:
        context: Whose library.
        keys: Volume ids, series or study UIDs, patient ids. The finest level that knows a key
            counts.
    """
    found: dict[str, VolumeRecord] = {}
    left = list(dict.fromkeys(keys))
    for level in KEYS:
        records = context.library.volumes_with(level, left)
        found.update({record.volume_id: record for record in records})
        matched = {str(getattr(record, level)) for record in records}
        left = [key for key in left if key not in matched]
    return tuple(found[volume_id] for volume_id in sorted(found)), tuple(left)


def finish_deletions(context: WorkflowContext) -> None:
    """Delete the managed copies that a deletion left to do, also one that was killed."""
    from carez_desktop.library.deletion import files_deleted, files_to_delete

    database = context.library.database
    paths = files_to_delete(database)
    done = []
    for path in paths:
        if not _is_managed(context, path):
            done.append(path)
            continue
        try:
            Path(path).unlink(missing_ok=True)
        except OSError:  # tried again next time; it stays written down
            continue
        done.append(path)
        _drop_empty_folders(context, Path(path).parent)
    files_deleted(database, done)


def _drop_empty_folders(context: WorkflowContext, folder: Path) -> None:
    """Delete a folder of copies with its list of contents once its last copy is gone."""
    root = context.home / STUDIES
    while folder != root and folder.is_relative_to(root):
        try:
            left = {entry.name for entry in folder.iterdir()}
            if left - {CONTENTS}:
                return
            (folder / CONTENTS).unlink(missing_ok=True)
            folder.rmdir()
        except OSError:  # gone already, or in use by an import of this moment
            return
        folder = folder.parent


def _is_managed(context: WorkflowContext, path: str) -> bool:
    """Whether a file is a copy of ours: below the home folder, also when links are followed."""
    root = (context.home / STUDIES).resolve()
    return Path(path).parent.resolve().is_relative_to(root)


def _unshared(
    context: WorkflowContext, paths: Sequence[str], records: Sequence[VolumeRecord]
) -> tuple[str, ...]:
    """Leave out files that volumes of the same series, which stay, also use."""
    going = {record.volume_id for record in records}
    series = {record.series_instance_uid for record in records} - {""}
    others = context.library.volumes_with("series_instance_uid", sorted(series))
    kept = {path for record in others if record.volume_id not in going for path in record.paths}
    return tuple(path for path in paths if path not in kept)


def _cohorts_naming(context: WorkflowContext, records: Sequence[VolumeRecord]) -> tuple[str, ...]:
    ids = {record.volume_id for record in records}
    return tuple(
        sorted(
            {
                cohort.name
                for cohort in context.library.cohorts()
                if any(member.volume_id in ids for member in cohort.members)
            }
        )
    )
