"""`carez bundle`, `audit`, `keys`: hand over, check, make again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from carez_desktop.cli.console import (
    note,
    progress_on_stderr,
    say,
    show_findings,
    size_text,
    state_of,
    table,
)
from carez_desktop.domain.finding import counted

bundle_app = typer.Typer(no_args_is_help=True, help="Seal, verify, inspect and regenerate bundles.")
audit_app = typer.Typer(no_args_is_help=True, help="The hash-chained audit log.")

_ANATOMY = {
    "unconditional": "nobody's",
    "simulated_label": "a simulated label map's",
    "real_label": "a patient's label map",
    "image_conditioned": "a patient's",
}
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

    state.emit(facts, lambda: _show_bundle(facts))


def _show_bundle(facts: dict[str, Any]) -> None:
    """Print a bundle for a person: its header, a line for each case, a line for each axis."""
    state, count = facts["state"], counted(facts["case_count"], "case")
    say(f"{facts['bundle']}: {state}, revision {facts['revision']}, {count}")
    stand_in = "simulated studies played the part of real ones" if facts["stand_in"] else ""
    rows = (
        ("bundle", facts["bundle_uuid"]),
        ("made", f"{facts['created_utc']} by {facts['producer']}"),
        ("size", size_text(facts["size_bytes"])),
        ("root", facts["root"]),
        ("follows", facts["previous_root"]),
        ("licence", facts["license"]),
        ("use", facts["intended_use"]),
        ("cards", ", ".join(facts["cards"])),
        ("stand-in", stand_in),
    )
    for name, value in rows:
        if value:
            say(f"  {name:<9} {value}")
    say("")
    columns = ("case", "made by", "image", "spacing mm", "labels", "anatomy shown")
    table("", columns, [_case_row(case) for case in facts["cases"]])
    if facts["evaluation"]:
        say("")
        axes = [
            (axis["axis"].replace("_", " "), axis["verdict"].replace("_", " "), axis["reason"])
            for axis in facts["evaluation"]["axes"]
        ]
        table("", ("axis", "verdict", "why"), axes)
    show_findings(facts["findings"])


def _case_row(case: dict[str, Any]) -> tuple[str, ...]:
    extents = " x ".join(str(extent) for extent in case["shape"])
    return (
        case["case_id"],
        f"{case['generator_id']} {case['generator_version']}",
        f"{case['modality']} {extents} {case['units']}",
        " x ".join(f"{step:.3g}" for step in case["spacing_mm"]),
        ", ".join(case["labels"]) or "-",
        _ANATOMY.get(case["privacy_class"], case["privacy_class"]),
    )


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
