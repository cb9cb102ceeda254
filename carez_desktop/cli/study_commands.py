"""`carez import`, `series`, `volume`: studies in, volumes listed and written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from carez_desktop.cli.console import (
    error_document,
    note,
    progress_on_stderr,
    say,
    show_error,
    show_findings,
    state_of,
    table,
)
from carez_desktop.domain.finding import counted
from carez_desktop.domain.study import FileCounts, ImportReport, VolumeRecord
from carez_desktop.errors import UnreadableFileError


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("import")(import_command)
    app.command("series")(series_command)
    app.command("volume")(volume_command)


def import_command(
    context: typer.Context,
    paths: Annotated[
        list[Path],
        typer.Argument(
            help="Folders, files (DICOM, NIfTI, NRRD), ZIP archives, a DICOMDIR.",
            readable=False,  # the scan says in words what may not be read
        ),
    ],
    copy: Annotated[
        bool, typer.Option("--copy", help="Keep copies in the home folder, not in place.")
    ] = False,
    reread: Annotated[
        bool, typer.Option("--reread", help="Open known files too, also if unchanged.")
    ] = False,
) -> None:
    """Import studies into the library; the source is read, never written.

    Files that are known and unchanged are not opened again.
    """
    state = state_of(context)
    from carez_desktop.workflows.import_studies import import_studies

    with progress_on_stderr() as progress:
        report = import_studies(
            state.open_context(),
            paths=tuple(paths),
            copy=copy,
            reread=reread,
            progress=progress,
            cancel=state.cancel,
        )
    document = {
        "studies": report.studies,
        "series": [volume_document(record) for record in report.series],
        "unreadable": report.unreadable,
        "findings": report.findings,
        "files": report.files,
        "seconds": report.seconds,
    }
    refused = _nothing_but_unreadable(report)
    if refused:
        document["error"] = error_document(refused)
    state.emit(document, lambda: _show_import(report))
    if refused:
        show_error(refused.what, refused.subject, refused.hint)
        raise typer.Exit(refused.exit_code)


def _nothing_but_unreadable(report: ImportReport) -> UnreadableFileError | None:
    """Return the error of an import that brought nothing because nothing could be read."""
    if report.series or not report.unreadable:
        return None
    first, count = report.unreadable[0], len(report.unreadable)
    what = first.reason if count == 1 else f"None of the {count} files could be read"
    return UnreadableFileError(
        what,
        subject=first.path if count == 1 else f"{first.path} and {count - 1} more",
        hint="Copy them again from their source; DICOM, NIfTI and NRRD files are read",
    )


def _show_import(report: ImportReport) -> None:
    show_findings(report.findings)
    for file in report.unreadable:
        note(f"not read: {file.path}: {file.reason}")
    for record in report.series:
        if record.refusal:
            note(f"not a volume: {record.volume_id}: {record.refusal}")
    if not report.series and not report.unreadable:
        note("No images were found there. What is read: DICOM, NIfTI, NRRD, ZIP and folders.")
    say(
        f"{counted(report.studies, 'study', 'studies')}, {counted(len(report.series), 'volume')}, "
        f"{counted(len(report.unreadable), 'unreadable file')} in {report.seconds:.1f} s"
    )
    files = report.files
    if files != FileCounts(new=files.new):
        say(
            f"Files: {files.new} new, {files.unchanged} unchanged, {files.changed} changed, "
            f"{files.moved} moved, {files.gone} gone, {files.returned} there again"
        )


def volume_document(record: VolumeRecord) -> dict[str, Any]:
    """Return what `carez series --json` prints of a volume."""
    return {
        "volume_id": record.volume_id,
        "series_instance_uid": record.series_instance_uid,
        "study_instance_uid": record.study_instance_uid,
        "patient_id": record.patient_id,
        "modality": record.modality,
        "description": record.description,
        "shape": record.shape,
        "spacing_mm": record.spacing_mm,
        "orientation": record.orientation,
        "kind": record.kind,
        "refusal": record.refusal,
        "slices_only": record.slices_only,
        "slice_axis": record.slice_axis,
        "samples": record.samples,
        "split_reason": record.split_reason,
        "set_id": record.set_id,
        "set_index": record.set_index,
        "findings": record.findings,
        "objects": record.objects,
        "labels": record.labels,
        "tags": record.tags,
    }


def series_command(
    context: typer.Context,
    search: Annotated[
        str, typer.Option(help="Words to find in any field; or modality:ct, date:2024, tag:x.")
    ] = "",
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many.")] = None,
    offset: Annotated[int, typer.Option(min=0, help="Skip so many first: the next page.")] = 0,
) -> None:
    """List the volumes of the library."""
    state = state_of(context)
    from carez_desktop.workflows.list_volumes import list_volumes

    records = list_volumes(state.open_context(), search=search, limit=limit, offset=offset)
    state.emit(
        [volume_document(record) for record in records], lambda: _show_volumes(records, search)
    )


def _show_volumes(records: tuple[VolumeRecord, ...], search: str) -> None:
    if not records:
        empty = "No volumes. Import a folder first: carez import FOLDER"
        note("No volume matches. Search with fewer words, or none" if search else empty)
        return
    rows = [
        (
            record.volume_id,
            record.modality,
            " x ".join(str(extent) for extent in record.shape),
            "" if record.spacing_mm is None else "/".join(f"{s:.3g}" for s in record.spacing_mm),
            record.orientation,
            record.kind.value,
            record.description,
            record.refusal,
        )
        for record in records
    ]
    columns = (
        "volume",
        "mod",
        "shape",
        "spacing mm",
        "axes",
        "kind",
        "description",
        "refused because",
    )
    table("", columns, rows)


def volume_command(
    context: typer.Context,
    volume_id: Annotated[str, typer.Argument(help="From `carez series`, or FILE.h5#CASE.")],
    out: Annotated[Path, typer.Option(help="A .nii, .nii.gz or .nrrd file.")],
    resample: Annotated[
        bool, typer.Option("--resample", help="Put tilted or uneven slices on a regular grid.")
    ] = False,
) -> None:
    """Write a volume in modality values with its geometry."""
    state = state_of(context)
    from carez_desktop.workflows.export_volume import export_volume

    with progress_on_stderr() as progress:
        facts = export_volume(
            state.open_context(),
            volume_id=volume_id,
            out=out,
            resample=resample,
            progress=progress,
            cancel=state.cancel,
        )
    state.emit(
        facts, lambda: say(f"{out}: {facts['shape']} {facts['dtype']} at {facts['spacing_mm']} mm")
    )
