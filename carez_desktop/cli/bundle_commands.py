"""`carez bundle`, `audit`, `keys`: hand over, check, make again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from carez_desktop.cli.console import note, progress_on_stderr, say, show_findings, state_of

bundle_app = typer.Typer(no_args_is_help=True, help="Seal, verify, inspect and regenerate bundles.")
audit_app = typer.Typer(no_args_is_help=True, help="The hash-chained audit log.")

BundleFile = Annotated[Path, typer.Argument(help="A bundle, FILE.h5.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(bundle_app, name="bundle")
    app.add_typer(audit_app, name="audit")


@bundle_app.command("seal")
def seal_command(
    context: typer.Context,
    bundle: BundleFile,
    out: Annotated[Path | None, typer.Option(help="Write the sealed bundle here.")] = None,
) -> None:
    """Sign a bundle with the site's key."""
    state = state_of(context)
    from carez_desktop.workflows.seal_bundle import seal_bundle

    sealed = seal_bundle(state.open_context(), bundle=bundle, out=out)
    state.emit(
        sealed, lambda: say(f"sealed: {sealed.bundle}\nroot {sealed.root}\nkey  {sealed.keyid}")
    )


@bundle_app.command("verify")
def verify_command(context: typer.Context, bundle: BundleFile) -> None:
    """Check every object of a bundle against its manifest, and its signature."""
    state = state_of(context)
    from carez_desktop.workflows.verify_bundle import verify_bundle

    verdict = verify_bundle(state.open_context(), bundle=bundle)

    def show() -> None:
        show_findings(verdict.findings)
        say(verdict.verdict)

    state.emit(verdict, show)
    if verdict.verdict == "invalid":
        raise typer.Exit(1)


@bundle_app.command("inspect")
def inspect_command(context: typer.Context, bundle: BundleFile) -> None:
    """Show what a bundle holds, and where it departs from best practice."""
    state = state_of(context)
    from carez_desktop.workflows.inspect_bundle import inspect_bundle

    facts = inspect_bundle(state.open_context(), bundle=bundle)

    def show() -> None:
        for key, value in facts.items():
            if isinstance(value, str | int | float | bool):
                say(f"{key}: {value}")
        for case in facts.get("cases", ()):
            say(f"  {case}")
        show_findings(facts.get("findings", ()))

    state.emit(facts, show)


@bundle_app.command("regenerate")
def regenerate_command(context: typer.Context, bundle: BundleFile) -> None:
    """Make every case again from its record and compare."""
    state = state_of(context)
    from carez_desktop.workflows.regenerate_cases import regenerate_cases

    with progress_on_stderr() as progress:
        cases = regenerate_cases(
            state.open_context(), bundle=bundle, progress=progress, cancel=state.cancel
        )

    def show() -> None:
        for case in cases:
            say(f"{case.case_id}: {case.outcome.replace('_', ' ')}")

    state.emit({"cases": cases}, show)
    if any(case.outcome == "different" for case in cases):
        raise typer.Exit(1)


@audit_app.command("verify")
def audit_verify_command(context: typer.Context) -> None:
    """Check the chain of the audit log."""
    state = state_of(context)
    findings = state.open_context().audit_log.verify()
    verdict = "invalid" if findings else "valid"

    def show() -> None:
        show_findings(findings)
        say(verdict)

    state.emit({"verdict": verdict, "findings": findings}, show)
    if findings:
        note("Lines of the audit log were changed, removed or reordered.")
        raise typer.Exit(1)
