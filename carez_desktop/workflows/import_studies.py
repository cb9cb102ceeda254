"""Bring studies into the library: scan, stack, recognise what is synthetic, keep."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from carez_desktop.domain.finding import Finding, Severity, counted
from carez_desktop.domain.study import FileCounts, ImportReport, UnreadableFile, VolumeRecord
from carez_desktop.domain.volume import VolumeKind
from carez_desktop.errors import CarezError, StorageError, UsageError
from carez_desktop.progress import (
    IGNORE,
    NEVER,
    SILENT,
    CancellationToken,
    PartProgress,
    ProgressReporter,
)
from carez_desktop.workflows.context import WorkflowContext
from carez_desktop.workflows.delete_studies import finish_deletions

if TYPE_CHECKING:
    from collections.abc import Callable

    from carez_desktop.dicom.scan import ScanResult
    from carez_desktop.library.known_files import KnownFiles
    from carez_desktop.library.study_library import StudyLibrary
    from carez_desktop.workflows._found_files import FoundFiles
    from carez_desktop.workflows._import_staging import StagedImport

STAND_IN_FINDING = "simulated_stand_in"
_SAID_ONE_BY_ONE = 5
_ATTEMPTS = 5


def import_studies(
    context: WorkflowContext,
    *,
    paths: Sequence[Path],
    copy: bool = False,
    reread: bool = False,
    stand_in: bool = False,
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
    partial: Callable[[object], None] = IGNORE,
) -> ImportReport:
    """Read the headers below the given paths and keep their volumes in the library.

    The files are read where they lie and never written. Either the whole import is kept or, when
    it is cancelled or killed, nothing of it. Files that are known with their size and time are not
    opened again; new images of a known series join it, and volumes keep their ids, labels and tags.

    Args:
        context: Whose library.
        paths: Files and folders, ZIP archives, a DICOMDIR.
        copy: Keep copies below the home folder instead of reading the files in place later.
        reread: Open known files too.
        stand_in: The studies are simulated, carry every mark, and play real in this home, which
            from then on takes no real studies.
        progress: Of the whole.
        cancel: Asked at every file.
        partial: Receives the new and changed records (tuple) before they are kept.

    Raises:
        UnreadableFileError: A given path does not exist.
        UsageError: Simulated stand-ins and real studies would meet in one library.
        StorageError: The library cannot be written.
        CancelledError: On the way.
    """
    from carez_desktop.library.known_files import KnownFiles
    from carez_desktop.workflows._intake import take_in

    started = time.perf_counter()
    stands_in = _check_stand_in(context.library, stand_in=stand_in)
    finish_deletions(context)
    known = KnownFiles(context.library.database, reread)
    given = [Path(path).absolute() for path in paths]
    reading = PartProgress(progress, 0.0, 0.8)
    with take_in(
        context, given, known=known.known, copy=copy, progress=reading, cancel=cancel
    ) as taken:
        found = _read_rest(context, taken.scan, known, given, progress, cancel)
        found = replace(found, copied=frozenset(taken.sources.values()))
        staged = _write(
            *(context, found),
            stand_in=stand_in,
            stands_in=stands_in,
            partial=partial,
            progress=PartProgress(progress, 0.97, 1.0),
            cancel=cancel,
        )
    report = _report(
        context, found, staged, (*taken.findings, *staged.findings), stands_in=stands_in
    )
    report = replace(report, seconds=time.perf_counter() - started)
    context.audit_log.append(
        "import_studies",
        studies=report.studies,
        volumes=len(report.series),
        synthetic=sum(record.kind is VolumeKind.SYNTHETIC for record in report.series),
        new_files=report.files.new,
        changed_files=report.files.changed,
        unreadable_files=len(report.unreadable),
        stand_in=stands_in,
        copied=copy,
    )
    progress.report(1.0, counted(len(report.series), "volume"))
    return report


def _read_rest(
    context: WorkflowContext,
    scan: ScanResult,
    known: KnownFiles,
    given: Sequence[Path],
    progress: ProgressReporter,
    cancel: CancellationToken,
) -> FoundFiles:
    """Read volume files, and what an older version of the library did not keep of known series."""
    from carez_desktop.dicom.scan import scan_files
    from carez_desktop.library.instance_rows import unread_paths
    from carez_desktop.workflows._found_files import FoundFiles, with_more_headers
    from carez_desktop.workflows._import_staging import affected_series

    progress.report(0.8, "Stacking slices")
    keys = affected_series(context.library, scan.headers, known)
    with context.library.database.reading() as connection:
        older = unread_paths(connection, keys)
    read = {header.path for header in scan.headers} | {file.path for file in scan.unreadable}
    missing = [Path(path) for path in older if path not in read]
    missing = [path for path in missing if path.is_file()]
    if missing:
        scan = with_more_headers(scan, scan_files(missing, cancel=cancel))
    described, damaged = _describe_files(scan.volume_files, progress, cancel)
    folders = tuple(str(path) for path in given if path.is_dir())
    return FoundFiles(scan, described, (*scan.unreadable, *damaged), known, folders)


def _write(
    context: WorkflowContext,
    found: FoundFiles,
    *,
    stand_in: bool,
    stands_in: bool,
    partial: Callable[[object], None],
    progress: ProgressReporter,
    cancel: CancellationToken,
) -> StagedImport:
    """Work out the change and write it; again where another process was faster."""
    from carez_desktop.library.import_rows import write_import
    from carez_desktop.workflows._import_staging import stage_import

    for attempt in range(_ATTEMPTS):
        stacking = PartProgress(progress, 0.0, 0.5)
        staged = stage_import(context, found, stand_in=stand_in, progress=stacking, cancel=cancel)
        if stands_in:
            _refuse_real(staged.records)
        if attempt == 0:
            partial(staged.records)
        cancel.raise_if_cancelled()
        progress.report(0.5, "Writing the library")
        if write_import(context.library.database, staged.change, cancel):
            return staged
    raise StorageError(
        "Other imports change the library all the time, so this one was not kept",
        subject=str(context.library.path),
        hint="Import again when they are done; nothing was changed",
    )


def _report(
    context: WorkflowContext,
    found: FoundFiles,
    staged: StagedImport,
    findings: Sequence[Finding],
    *,
    stands_in: bool,
) -> ImportReport:
    from carez_desktop.library.object_rows import unlinked_objects
    from carez_desktop.library.volume_queries import volumes_of_import

    met = found.known
    keys = [item.key for item in staged.change.series]
    with context.library.database.reading() as connection:
        records = volumes_of_import(connection, keys, sorted(met.series))
        unlinked = unlinked_objects(connection)
    images = sum(file.series_key != "" for file in staged.change.files)
    changed = sum(file.path in met.changed for file in staged.change.files if file.series_key)
    files = FileCounts(
        new=images - changed - staged.moved,
        unchanged=met.images - len(met.returned),
        changed=changed,
        moved=staged.moved,
        gone=len(staged.change.gone),
        returned=len(met.returned),
    )
    return ImportReport(
        studies=len({record.study_instance_uid or record.volume_id for record in records}),
        series=records,
        unreadable=found.unreadable,
        findings=(
            *_findings(records, found.unreadable, stands_in=stands_in),
            *_file_findings(files, len(unlinked)),
            *findings,
        ),
        seconds=0.0,
        files=files,
    )


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
) -> tuple[dict[str, tuple[VolumeRecord, ...]], list[UnreadableFile]]:
    if not paths:
        return {}, []
    from carez_desktop.imaging.volume_files import describe_volume_file

    records: dict[str, tuple[VolumeRecord, ...]] = {}
    damaged = []
    for index, path in enumerate(paths):
        cancel.raise_if_cancelled()
        progress.report(0.82 + 0.15 * index / len(paths), f"Reading {path.name}")
        try:
            records[str(path)] = describe_volume_file(path)
        except CarezError as error:
            damaged.append(UnreadableFile(str(path), error.what))
    return records, damaged


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
    records: Sequence[VolumeRecord], unreadable: Sequence[UnreadableFile], *, stands_in: bool
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
    if unreadable:
        text = (
            f"{counted(len(unreadable), 'file')} could not be read, each for the reason given. "
            "Copy them again from their source; the rest was imported"
        )
        findings.append(Finding(Severity.WARNING, "unreadable_files", "import", text))
    return tuple(findings)


def _file_findings(files: FileCounts, unlinked: int) -> tuple[Finding, ...]:
    findings = []
    if files.moved:
        text = (
            f"{counted(files.moved, 'file')} moved and {_was(files.moved)} found at the new place"
        )
        findings.append(Finding(Severity.INFO, "files_moved", "import", text))
    if files.gone:
        text = (
            f"{counted(files.gone, 'known file')} {_was(files.gone)} not found any more below the "
            "imported folders. The volumes stay listed and say so"
        )
        findings.append(Finding(Severity.WARNING, "known_files_gone", "import", text))
    if unlinked:
        text = (
            f"{counted(unlinked, 'object')} (segmentations, reports and the like) refer to images "
            "that are not in the library; they are linked when those come"
        )
        findings.append(Finding(Severity.INFO, "objects_without_images", "library", text))
    return tuple(findings)


def _was(number: int) -> str:
    return "was" if number == 1 else "were"
