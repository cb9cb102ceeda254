"""`carez cohort`, `coverage`: frozen lists, and where the data has gaps."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from carez_desktop.cli.console import note, say, state_of, table
from carez_desktop.domain.cohort import SPLITS, Cohort
from carez_desktop.errors import InputError

cohort_app = typer.Typer(no_args_is_help=True, help="Freeze and list cohorts.")


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(cohort_app, name="cohort")
    app.command("coverage")(coverage_command)


def cohort_document(cohort: Cohort) -> dict[str, Any]:
    """Return what `carez cohort --json` prints of a cohort."""
    return {
        "name": cohort.name,
        "version": cohort.version,
        "patients": len(cohort.patients),
        "volumes": [member.volume_id for member in cohort.members],
        "splits": {split: len(cohort.of_split(split)) for split in SPLITS},
        "sha256": cohort.sha256,
        "stand_in": cohort.stand_in,
    }


def _show_cohort(cohort: Cohort) -> None:
    splits = ", ".join(f"{split} {len(cohort.of_split(split))}" for split in SPLITS)
    say(
        f"{cohort.name} version {cohort.version}: {len(cohort.patients)} patients, "
        f"{len(cohort.members)} volumes ({splits})"
    )


@cohort_app.command("create")
def create_command(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the cohort.")],
    search: Annotated[str, typer.Option(help="Words that its volumes match.")] = "",
    where: Annotated[
        list[str] | None,
        typer.Option(help="e.g. modality=CT, kvp>=100, stratum.dose=low; may be repeated."),
    ] = None,
    from_file: Annotated[
        Path | None, typer.Option("--from", help="A file with one volume per line.")
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(help="CSV keyed by patient, study, series or volume; may name splits."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Order of the patients in the split.")] = 0,
) -> None:
    """Freeze the matching volumes under a name, with a patient-level split."""
    state = state_of(context)
    from carez_desktop.workflows.freeze_cohort import freeze_cohort

    cohort = freeze_cohort(
        state.open_context(),
        name=name,
        search=search,
        where=tuple(where or ()),
        volume_ids=None if from_file is None else _listed_volumes(from_file),
        labels=labels,
        seed=seed,
        cancel=state.cancel,
    )
    state.emit(cohort_document(cohort), lambda: _show_cohort(cohort))


def _listed_volumes(path: Path) -> tuple[str, ...]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"The list of volumes cannot be read: {error}",
            subject=str(path),
            hint="Give a text file with one volume_id per line",
        ) from error
    return tuple(line.strip() for line in lines if line.strip())


@cohort_app.command("list")
def list_command(context: typer.Context) -> None:
    """List the cohorts."""
    state = state_of(context)
    from carez_desktop.workflows.list_cohorts import list_cohorts

    cohorts = list_cohorts(state.open_context())

    def show() -> None:
        for cohort in cohorts:
            _show_cohort(cohort)
        if not cohorts:
            note("No cohorts. Freeze one: carez cohort create NAME --search TEXT")

    state.emit([cohort_document(cohort) for cohort in cohorts], show)


@cohort_app.command("show")
def show_command(
    context: typer.Context,
    cohort: Annotated[str, typer.Argument(help="NAME or NAME@split.")],
) -> None:
    """Show a cohort and its members."""
    state = state_of(context)
    from carez_desktop.workflows.show_cohort import show_cohort

    found, split = show_cohort(state.open_context(), cohort=cohort)
    members = found.of_split(split)
    document = cohort_document(found) | {"members": members, "split": split}

    def show() -> None:
        _show_cohort(found)
        rows: list[tuple[str, ...]] = [
            (member.volume_id, member.patient_id, member.split) for member in members
        ]
        table("", ("volume", "patient", "split"), rows)

    state.emit(document, show)


def coverage_command(
    context: typer.Context,
    cohort: Annotated[
        str | None, typer.Argument(help="NAME or NAME@split; all without it.")
    ] = None,
    plan: Annotated[Path | None, typer.Option(help="TOML with the axes and bands.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write a report.")] = None,
) -> None:
    """Count the coverage matrix and rank its gaps."""
    state = state_of(context)
    from carez_desktop.workflows.measure_coverage import measure_coverage

    matrix = measure_coverage(state.open_context(), cohort=cohort, plan=plan, html=html)

    def show() -> None:
        say(
            f"Pairs covered {matrix.pairwise_coverage:.0%}, "
            f"triples covered {matrix.threewise_coverage:.0%}. Gaps, the most telling first:"
        )
        for gap in matrix.gaps[:20]:
            say(f"  {gap}")

    state.emit(matrix, show)
