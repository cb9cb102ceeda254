"""Count the coverage matrix of the library or of a cohort, and rank its gaps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from carez_desktop.domain.coverage import CoverageMatrix, measure
from carez_desktop.domain.study import VolumeRecord
from carez_desktop.errors import NotFoundError
from carez_desktop.progress import NEVER, SILENT, CancellationToken, ProgressReporter
from carez_desktop.workflows.context import WorkflowContext


def measure_coverage(
    context: WorkflowContext,
    *,
    cohort: str | None = None,
    plan: Path | None = None,
    html: Path | None = None,
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
) -> CoverageMatrix:
    """Count volumes and patients on the axes of a plan.

    Args:
        context: Whose library.
        cohort: `NAME` or `NAME@split`; None counts the whole library.
        plan: TOML with the axes; None takes `resources/coverage/default.toml`.
        html: Where to write a report for people of this site (its counts are exact); None for none.
        progress: Of comparing pixels with generated cases.
        cancel: Asked at every slice that is read.

    Raises:
        UsageError: A plan or a split that is wrong. NotFoundError: An unknown cohort, or one with
            volumes that the library no longer has. StorageError: The report cannot be written.
    """
    from carez_desktop.workflows._coverage_plan_file import load_coverage_plan
    from carez_desktop.workflows.recognise_synthetic import recognise_synthetic

    wanted = load_coverage_plan(plan)
    records = cohort_records(context, cohort) if cohort else context.library.volumes()
    judged = recognise_synthetic(context, records=records, progress=progress, cancel=cancel)
    matrix = measure(
        judged,
        wanted.axes,
        minimum_patients=wanted.minimum_patients,
        stand_in=context.library.simulated_stand_in,
    )
    if html is not None:
        _write_report(context, matrix, html, cohort or "the whole library")
    context.audit_log.append(
        "measure_coverage",
        cohort=cohort or "",
        volumes=matrix.volumes,
        synthetic=matrix.synthetic_volumes,
        pairwise_coverage=matrix.pairwise_coverage,
        gaps=len(matrix.gaps),
    )
    return matrix


def cohort_records(context: WorkflowContext, cohort: str) -> tuple[VolumeRecord, ...]:
    """Return the volumes of `NAME` or `NAME@split`, with the cohort's labels.

    Raises:
        NotFoundError: An unknown cohort, or a volume that the library no longer has.
    """
    from carez_desktop.workflows.show_cohort import show_cohort

    found, split = show_cohort(context, cohort=cohort)
    records = []
    for member in found.of_split(split):
        try:
            record = context.library.volume(member.volume_id)
        except NotFoundError as error:
            raise NotFoundError(
                f"A volume of the cohort {found.name} is no longer in the library",
                subject=member.volume_id,
                hint="Import its study again, or freeze a new version of the cohort",
            ) from error
        records.append(replace(record, labels={**record.labels, **member.labels}))
    return tuple(records)


def _write_report(context: WorkflowContext, matrix: CoverageMatrix, html: Path, what: str) -> None:
    from carez_desktop.reports.coverage_report import render_coverage_report
    from carez_desktop.system.file_safety import atomic_output

    text = render_coverage_report(
        matrix, title=what, created_utc=context.clock().isoformat(timespec="seconds")
    )
    with atomic_output(html, "The report cannot be written") as part:
        part.write_text(text, encoding="utf-8")
