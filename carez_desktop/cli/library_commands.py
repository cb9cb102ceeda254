"""`carez library`: labels, tags, deletion and rescan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from carez_desktop.cli.console import (
    CliState,
    error_document,
    note,
    progress_on_stderr,
    say,
    show_error,
    state_of,
)
from carez_desktop.domain.finding import counted

if TYPE_CHECKING:
    from carez_desktop.workflows.label_studies import UnmatchedTableError

library_app = typer.Typer(
    no_args_is_help=True, help="Label, tag, delete and look after what was imported."
)
_SHOWN = 10

Keys = Annotated[
    list[str], typer.Argument(help="Volume ids, series or study UIDs, or patient ids.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(library_app, name="library")


@library_app.command("label")
def label_command(
    context: typer.Context,
    table: Annotated[
        Path,
        typer.Argument(help="CSV keyed by patient, study, series or volume; the rest is labels."),
    ],
    remove: Annotated[bool, typer.Option(help="Take away what this table joined.")] = False,
) -> None:
    """Join outcomes to volumes by patient, study, series or volume."""
    state = state_of(context)
    from carez_desktop.workflows.label_studies import UnmatchedTableError, label_studies

    try:
        report = label_studies(state.open_context(), table=table, remove=remove)
    except UnmatchedTableError as error:
        _tell_unmatched(state, error)
        raise typer.Exit(error.exit_code) from error

    def show() -> None:
        _show_unmatched(report.unmatched, report.key)
        if report.has_splits:
            note("The column split belongs to cohorts and was passed over here")
        done = "lost labels" if remove else "have other labels now"
        say(
            f"{counted(len(report.matched), 'key')} of {report.key} matched; "
            f"{counted(report.volumes, 'volume')} {done} ({', '.join(report.names)})"
        )

    state.emit(report, show)


@library_app.command("tag")
def tag_command(
    context: typer.Context,
    keys: Keys,
    add: Annotated[list[str] | None, typer.Option(help="Put on; may be repeated.")] = None,
    remove: Annotated[list[str] | None, typer.Option(help="Take off; may be repeated.")] = None,
) -> None:
    """Put tags on volumes, or take them off; `series --search tag:WORD` finds them."""
    state = state_of(context)
    from carez_desktop.workflows.tag_studies import tag_studies

    report = tag_studies(state.open_context(), keys=keys, add=add or (), remove=remove or ())
    document = {
        "matched": [record.volume_id for record in report.matched],
        "unmatched": report.unmatched,
        "tags": {record.volume_id: record.tags for record in report.matched},
    }

    def show() -> None:
        _show_unmatched(report.unmatched, "the names")
        for record in report.matched:
            say(f"{record.volume_id}: {', '.join(record.tags) or 'no tags'}")

    state.emit(document, show)


@library_app.command("tags")
def tags_command(context: typer.Context) -> None:
    """List the tags and how many volumes carry each."""
    state = state_of(context)
    from carez_desktop.workflows.list_tags import list_tags

    tags = list_tags(state.open_context())

    def show() -> None:
        for tag, count in tags.items():
            say(f"{tag}: {counted(count, 'volume')}")
        if not tags:
            note("No tags. Put one on: carez library tag VOLUME --add WORD")

    state.emit(tags, show)


@library_app.command("delete")
def delete_command(
    context: typer.Context,
    keys: Keys,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without it nothing goes.")] = False,
) -> None:
    """Delete volumes, series, studies or patients; files in place are never touched."""
    state = state_of(context)
    from carez_desktop.workflows.delete_studies import delete_studies, require_confirmation

    report = delete_studies(state.open_context(), keys=keys, confirmed=yes)
    if not yes:
        _show_unmatched(report.unmatched, "the names")
    require_confirmation(report)

    def show() -> None:
        _show_unmatched(report.unmatched, "the names")
        say(f"Deleted {report.text()}")

    state.emit(report, show)


@library_app.command("rescan")
def rescan_command(context: typer.Context) -> None:
    """Look whether all known files are still there; nothing is opened or lost."""
    state = state_of(context)
    from carez_desktop.workflows.rescan_library import rescan_library

    with progress_on_stderr() as progress:
        report = rescan_library(state.open_context(), progress=progress, cancel=state.cancel)
    document = {
        "matched": report.found,
        "unmatched": report.gone,
        "changed": report.changed,
        "returned": report.returned,
    }

    def show() -> None:
        for path in report.gone[:_SHOWN]:
            note(f"gone: {path}")
        if len(report.gone) > _SHOWN:
            note(f"and {len(report.gone) - _SHOWN} more; --json lists all")
        if report.changed:
            files = counted(len(report.changed), "file")
            note(f"{files} changed since they were read: import that folder again")
        say(
            f"{counted(report.found, 'file')} found, {len(report.gone)} gone, "
            f"{report.returned} there again"
        )

    state.emit(document, show)


def _tell_unmatched(state: CliState, error: UnmatchedTableError) -> None:
    document = {
        "matched": [],
        "unmatched": error.unmatched,
        "error": error_document(error),
    }
    state.emit(document, lambda: _show_unmatched(error.unmatched, "the table"))
    show_error(error.what, error.subject, error.hint)


def _show_unmatched(keys: tuple[str, ...], what: str) -> None:
    for key in keys[:_SHOWN]:
        note(f"not in the library: {key}")
    if len(keys) > _SHOWN:
        note(f"and {len(keys) - _SHOWN} more of {what}; --json lists all")
