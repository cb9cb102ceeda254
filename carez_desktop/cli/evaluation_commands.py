"""`carez evaluate`, `pilot`, `demo`: proof on six axes, and the whole way in one command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from carez_desktop.cli.console import note, progress_on_stderr, say, show_findings, state_of, table
from carez_desktop.domain.evaluation import Evaluation


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("evaluate")(evaluate_command)
    app.command("pilot")(pilot_command)
    app.command("demo")(demo_command)


def _show_evaluation(evaluation: Evaluation) -> None:
    rows = [
        (
            axis.axis.value,
            axis.verdict.value.replace("_", " "),
            str(len(axis.measurements)),
            axis.reason,
        )
        for axis in evaluation.axes
    ]
    table("", ("axis", "verdict", "measured", "why"), rows)


def evaluate_command(
    context: typer.Context,
    real: Annotated[str, typer.Option(help="Cohort of real volumes, NAME or NAME@split.")],
    synthetic: Annotated[str, typer.Option(help="A bundle FILE.h5, or a cohort.")],
    plan: Annotated[Path | None, typer.Option(help="TOML with margins and seeds.")] = None,
    report: Annotated[Path | None, typer.Option(help="Folder for the report.")] = None,
) -> None:
    """Evaluate synthetic cases on six axes, into a new revision of their bundle."""
    state = state_of(context)
    from carez_desktop.workflows.evaluate_cohort import evaluate_cohort

    with progress_on_stderr() as progress:
        evaluation = evaluate_cohort(
            state.open_context(),
            real=real,
            synthetic=synthetic,
            plan=plan,
            report_dir=report,
            progress=progress,
            cancel=state.cancel,
        )
    state.emit(evaluation, lambda: _show_evaluation(evaluation))
    if report is not None:
        note(f"Report: {report.absolute()}")
    if evaluation.is_negative:
        raise typer.Exit(1)


def pilot_command(
    context: typer.Context,
    plan: Annotated[Path, typer.Argument(help="The plan, TOML.")],
    out: Annotated[Path, typer.Option(help="Folder for bundle and report.")],
) -> None:
    """Run a pilot: gap, generate, train both arms, lift, evaluate, sign, report."""
    state = state_of(context)
    from carez_desktop.workflows.run_pilot import run_pilot

    with progress_on_stderr() as progress:
        result = run_pilot(
            state.open_context(), plan=plan, out=out, progress=progress, cancel=state.cancel
        )

    def show() -> None:
        _show_evaluation(result.evaluation)
        say(f"Bundle: {result.bundle} ({result.verdict})\nReport: {result.report}")

    state.emit(result, show)
    if result.evaluation.is_negative:
        raise typer.Exit(1)


def demo_command(
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="Folder for bundle and report.")] = Path("carez-demo"),
    studies: Annotated[
        Path | None, typer.Option(help="Real studies instead of the simulated cohort.")
    ] = None,
) -> None:
    """Show the whole way on a simulated cohort, or on the studies given as far as they allow."""
    state = state_of(context)
    from carez_desktop.workflows.run_demo import run_demo

    with progress_on_stderr() as progress:
        result = run_demo(
            state.open_context(), out=out, studies=studies, progress=progress, cancel=state.cancel
        )

    def show() -> None:
        show_findings(result.findings)
        for line in result.statements:
            say(line)
        _show_evaluation(result.evaluation)
        say(f"Bundle: {result.bundle} ({result.verdict})\nReport: {result.report}")
        note(f"Done in {result.seconds:.0f} s.")

    state.emit(result, show)
