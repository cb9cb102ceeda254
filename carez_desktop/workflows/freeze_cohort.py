"""Freeze a list of volumes under a name, with labels and a patient-level split."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from carez_desktop.domain.cohort import Cohort, split_by_patient
from carez_desktop.domain.label_table import LabelTable
from carez_desktop.domain.selection import Condition, check_names, parse_condition
from carez_desktop.domain.study import VolumeRecord
from carez_desktop.domain.volume import VolumeKind
from carez_desktop.errors import InputError, UsageError
from carez_desktop.progress import NEVER, SILENT, CancellationToken, ProgressReporter
from carez_desktop.workflows._label_table_file import read_label_table
from carez_desktop.workflows.context import WorkflowContext

_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")


def freeze_cohort(
    context: WorkflowContext,
    *,
    name: str,
    search: str = "",
    where: Sequence[str] = (),
    volume_ids: Sequence[str] | None = None,
    labels: Path | None = None,
    seed: int = 0,
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
) -> Cohort:
    """Freeze the chosen volumes as the next version of a cohort.

    Refused and derived volumes and localizers are left out of what is searched. Synthetic volumes
    come in only where they are asked for (`kind=synthetic`, or by volume_id), and then only to
    train.

    Args:
        context: Whose library.
        name: Letters, digits, `.`, `_`, `-`.
        search: Words, as in the Library page.
        where: Conditions that all have to hold: `modality=CT`, `kvp>=100`, `stratum.dose=low`.
        volume_ids: These volumes, whatever else is chosen; None for a search.
        labels: CSV with a column volume_id, series_instance_uid, study_instance_uid or patient_id;
            the other columns are labels, `split` (train, validation, test) places the rows.
        seed: Order of the patients in the split.
        progress: Of comparing pixels with generated cases.
        cancel: Asked at every slice that is read.

    Raises:
        UsageError: A wrong name or condition. InputError: Nothing is chosen, or a table that does
            not fit. NotFoundError: A volume that is not in the library.
    """
    if not _NAME.match(name):
        raise UsageError(
            "This cannot be the name of a cohort",
            subject=name or "name",
            hint="Use letters, digits, dot, underscore and hyphen, 64 at most",
        )
    library = context.library
    conditions = [parse_condition(text) for text in where]
    if volume_ids is None:
        records = library.volumes(search)
        check_names(conditions, records)
        wants_synthetic = any(
            condition.name == "kind" and condition.operator == "=" for condition in conditions
        )
        records = _usable(records, with_synthetic=wants_synthetic)
    else:
        records = _named(context, volume_ids)
    table = read_label_table(labels) if labels else None
    if table is not None:
        records = tuple(table.label(record) for record in records)
    records = _matching(records, conditions)
    from carez_desktop.workflows.recognise_synthetic import recognise_synthetic

    judged = recognise_synthetic(context, records=records, progress=progress, cancel=cancel)
    # A volume caught as synthetic leaves a search for real ones; a named one stays, to train.
    chosen = [
        after
        for before, after in zip(records, judged, strict=True)
        if after.kind is before.kind or volume_ids is not None
    ]
    if not chosen:
        raise InputError(
            "No volume fits, so there is nothing to freeze",
            subject=name,
            hint="Search with fewer words or conditions; carez series lists the volumes",
        )
    return _freeze(context, name, chosen, table, seed)


def _freeze(
    context: WorkflowContext,
    name: str,
    records: Sequence[VolumeRecord],
    table: LabelTable | None,
    seed: int,
) -> Cohort:
    members = split_by_patient(records, seed=seed)
    if table is not None:
        by_id = {record.volume_id: record for record in records}
        if not any(getattr(record, table.key) in table.rows for record in records):
            raise InputError(
                "No row of the table of labels fits a chosen volume",
                subject=table.key,
                hint="Compare that column with what carez series prints",
            )
        members = table.place(members, by_id)
    cohort = context.library.save_cohort(
        Cohort(
            name=name,
            version=0,
            members=tuple(sorted(members, key=lambda member: member.volume_id)),
            created_utc=context.clock().isoformat(timespec="seconds"),
            stand_in=context.library.simulated_stand_in,
        )
    )
    context.audit_log.append(
        "freeze_cohort",
        cohort=cohort.name,
        version=cohort.version,
        volumes=len(cohort.members),
        patients_count=len(cohort.patients),
        sha256=cohort.sha256,
        stand_in=cohort.stand_in,
    )
    return cohort


def _usable(records: Sequence[VolumeRecord], *, with_synthetic: bool) -> tuple[VolumeRecord, ...]:
    from carez_desktop.domain.coverage import exclusion_of

    return tuple(
        record
        for record in records
        if not exclusion_of(record) and (with_synthetic or record.kind is VolumeKind.REAL)
    )


def _named(context: WorkflowContext, volume_ids: Sequence[str]) -> tuple[VolumeRecord, ...]:
    records = []
    for volume_id in dict.fromkeys(volume_ids):
        record = context.library.volume(volume_id)
        if record.refusal:
            raise InputError(
                f"This does not load as a volume: {record.refusal}",
                subject=volume_id,
                hint="Leave it out of the cohort",
            )
        records.append(record)
    return tuple(records)


def _matching(
    records: Sequence[VolumeRecord], conditions: Sequence[Condition]
) -> tuple[VolumeRecord, ...]:
    if not conditions:
        return tuple(records)
    from carez_desktop.domain.strata import strata_of
    from carez_desktop.workflows._coverage_plan_file import load_coverage_plan

    by_strata = any(condition.name.startswith("stratum.") for condition in conditions)
    axes = load_coverage_plan().axes if by_strata else ()
    unknown = [
        condition.name
        for condition in conditions
        if condition.name.startswith("stratum.")
        and condition.name.removeprefix("stratum.") not in {axis.name for axis in axes}
    ]
    if unknown:
        raise UsageError(
            "There is no such axis of coverage",
            subject=unknown[0],
            hint="Axes: " + ", ".join(axis.name for axis in axes),
        )
    return tuple(
        record
        for record in records
        if all(condition.holds_for(record, strata_of(record, axes)) for condition in conditions)
    )
