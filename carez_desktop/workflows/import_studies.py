"""Bring studies into the library: scan, stack, recognise what is synthetic, keep."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from carez_desktop.domain.finding import Finding, Severity, counted
from carez_desktop.domain.study import ImportReport, UnreadableFile, VolumeRecord
from carez_desktop.domain.volume import VolumeKind
from carez_desktop.errors import CarezError, UsageError
from carez_desktop.progress import (
    IGNORE,
    NEVER,
    SILENT,
    CancellationToken,
    PartProgress,
    ProgressReporter,
)
from carez_desktop.workflows.context import WorkflowContext

if TYPE_CHECKING:
    from collections.abc import Callable

    from carez_desktop.dicom.scan import ScanResult
    from carez_desktop.library.study_library import StudyLibrary

STAND_IN_FINDING = "simulated_stand_in"
_SAID_ONE_BY_ONE = 5


def import_studies(
    context: WorkflowContext,
    *,
    paths: Sequence[Path],
    stand_in: bool = False,
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
    partial: Callable[[object], None] = IGNORE,
) -> ImportReport:
    """Read the headers below the given paths and keep their volumes in the library.

    The files are read where they lie and never written. Either the whole import is kept or, when
    it is cancelled or killed, nothing of it. A series that was known before is replaced.

    Args:
        context: Whose library.
        paths: Files and folders.
        stand_in: The studies are simulated, carry every mark, and play real in this home, which
            from then on takes no real studies.
        progress: Of the whole.
        cancel: Asked at every file.
        partial: Receives the records (tuple) once they are known, before they are kept.

    Raises:
        UnreadableFileError: A given path does not exist.
        UsageError: Simulated stand-ins and real studies would meet in one library.
        StorageError: The library cannot be written.
        CancelledError: On the way.
    """
    from carez_desktop.dicom.scan import scan_files
    from carez_desktop.domain.label_files import set_apart_label_files
    from carez_desktop.domain.stacking import stack_instances

    started = time.perf_counter()
    library = context.library
    stands_in = _check_stand_in(library, stand_in=stand_in)
    scan = scan_files(
        [Path(path).absolute() for path in paths],
        progress=PartProgress(progress, 0.0, 0.8),
        cancel=cancel,
    )
    progress.report(0.8, "Stacking slices")
    stacked = stack_instances(scan.headers, scan.objects)
    described, damaged = _describe_files(scan.volume_files, progress, cancel)
    unique, copies = _without_copies((*stacked, *set_apart_label_files(described)))
    records = _judge(context, scan, unique, stand_in=stand_in)
    if stands_in:
        _refuse_real(records)
    unreadable = (*scan.unreadable, *damaged)
    partial(records)
    cancel.raise_if_cancelled()
    progress.report(0.97, "Writing the library")
    findings = (*_findings(library, records, unreadable, stands_in=stands_in), *copies)
    if stand_in:
        library.simulated_stand_in = True
    library.add_volumes(records, unreadable)
    report = ImportReport(
        studies=len({record.study_instance_uid or record.volume_id for record in records}),
        series=records,
        unreadable=unreadable,
        findings=findings,
        seconds=time.perf_counter() - started,
    )
    context.audit_log.append(
        "import_studies",
        studies=report.studies,
        volumes=len(records),
        synthetic=sum(record.kind is VolumeKind.SYNTHETIC for record in records),
        unreadable_files=len(unreadable),
        ignored_files=scan.ignored_count,
        stand_in=stands_in,
    )
    progress.report(1.0, f"{len(records)} volumes")
    return report


def _check_stand_in(library: StudyLibrary, *, stand_in: bool) -> bool:
    already = library.simulated_stand_in
    if stand_in and not already and library.count():
        raise UsageError(
            "Simulated studies may play real only in a home of their own; this library has others",
            subject=str(library.path),
            hint="Choose an empty home with --home",
        )
    return already or stand_in


def _describe_files(
    paths: Sequence[Path], progress: ProgressReporter, cancel: CancellationToken
) -> tuple[list[VolumeRecord], list[UnreadableFile]]:
    if not paths:
        return [], []
    from carez_desktop.imaging.volume_files import describe_volume_file

    records, damaged = [], []
    for index, path in enumerate(paths):
        cancel.raise_if_cancelled()
        progress.report(0.82 + 0.15 * index / len(paths), f"Reading {path.name}")
        try:
            records.append(describe_volume_file(path))
        except CarezError as error:
            damaged.append(UnreadableFile(str(path), error.what))
    return records, damaged


def _without_copies(
    records: Sequence[VolumeRecord],
) -> tuple[tuple[VolumeRecord, ...], tuple[Finding, ...]]:
    """Keep the first of several files with the same bytes, which have the same volume_id."""
    unique: dict[str, VolumeRecord] = {}
    copies = []
    for record in records:
        first = unique.setdefault(record.volume_id, record)
        if first is not record:
            text = f"{len(record.paths)} files are copies of others and were left out"
            copies.append(Finding(Severity.INFO, "copy", record.volume_id, text))
    return tuple(unique.values()), tuple(copies)


def _judge(
    context: WorkflowContext,
    scan: ScanResult,
    records: Sequence[VolumeRecord],
    *,
    stand_in: bool,
) -> tuple[VolumeRecord, ...]:
    from carez_desktop.domain.synthetic_origin import judge_origin

    headers = {header.path: header for header in scan.headers}
    uids = {record.series_instance_uid for record in records}
    for header in scan.headers:
        uids |= {header.sop_instance_uid, header.study_instance_uid}
    issued = context.library.issued_uids(uids)
    return tuple(
        judge_origin(
            record,
            [headers[path] for path in record.paths if path in headers],
            issued=issued,
            uid_root=context.settings.uid_root,
            stand_in=stand_in,
        )
        for record in records
    )


def _refuse_real(records: Sequence[VolumeRecord]) -> None:
    real = [
        record
        for record in records
        if record.kind is VolumeKind.REAL and not record.attributes.get("stand_in")
    ]
    if real:
        raise UsageError(
            f"{len(real)} of these volumes are not simulated, and in this home simulated studies "
            "play real: the two would be confused",
            subject=real[0].volume_id,
            hint="Import real studies into another home, with --home",
        )


def _gathered(findings: Sequence[Finding]) -> list[Finding]:
    """Say once what holds for many volumes; each record keeps its own findings."""
    by_kind: dict[tuple[Severity, str], list[Finding]] = {}
    for finding in findings:
        by_kind.setdefault((finding.severity, finding.code), []).append(finding)
    gathered = []
    for (severity, code), group in by_kind.items():
        if severity is not Severity.INFO or len(group) <= _SAID_ONE_BY_ONE:
            gathered.extend(group)
            continue
        text = f"{len(group)} times, first: {group[0].text}"
        gathered.append(Finding(severity, code, group[0].subject, text))
    return gathered


def _findings(
    library: StudyLibrary,
    records: Sequence[VolumeRecord],
    unreadable: Sequence[UnreadableFile],
    *,
    stands_in: bool,
) -> tuple[Finding, ...]:
    findings = _gathered([finding for record in records for finding in record.findings])
    if stands_in:
        findings.insert(
            0,
            Finding(
                Severity.WARNING,
                STAND_IN_FINDING,
                "library",
                "The studies of this home are simulated and stand in for real ones: nothing "
                "measured here says anything about patients",
            ),
        )
    read: dict[str, set[str]] = {}
    for record in records:
        read.setdefault(record.series_instance_uid, set()).update(record.paths)
    for series, now in read.items():
        known = {path for item in library.volumes_of_series(series) for path in item.paths}
        if known - now:
            text = f"It was known with {len(known)} files and is replaced by {len(now)} others"
            findings.append(Finding(Severity.WARNING, "series_replaced", series, text))
    if unreadable:
        text = (
            f"{counted(len(unreadable), 'file')} could not be read, each for the reason given. "
            "Copy them again from their source; the rest was imported"
        )
        findings.append(Finding(Severity.WARNING, "unreadable_files", "import", text))
    return tuple(findings)
