"""`carez models`, `generate`: packages, and bundles of synthetic cases."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from carez_desktop.cli.console import (
    duration_text,
    note,
    progress_on_stderr,
    say,
    show_findings,
    state_of,
    table,
)
from carez_desktop.domain.finding import counted
from carez_desktop.domain.generation import GeneratorManifest
from carez_desktop.errors import UsageError

models_app = typer.Typer(no_args_is_help=True, help="Generator packages.")


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(models_app, name="models")
    app.command("generate")(generate_command)


def _manifest_document(manifest: GeneratorManifest) -> dict[str, Any]:
    return {
        "id": manifest.id,
        "version": manifest.version,
        "family": manifest.family,
        "title": manifest.title,
        "summary": manifest.summary,
        "modality": manifest.modality,
        "units": manifest.units,
        "source_modality": manifest.source_modality,
        "privacy_class": manifest.privacy_class,
        "license": manifest.license,
        "intended_use": manifest.intended_use,
        "minimum_memory_mib": manifest.minimum_memory_mib,
        "conditions": manifest.conditions,
        "files": manifest.files,
    }


@models_app.command("list")
def list_command(context: typer.Context) -> None:
    """List the generator packages of the product and of this site."""
    state = state_of(context)
    from carez_desktop.workflows.list_generators import list_generators

    manifests = list_generators(state.open_context())
    rows = [
        (m.id, m.version, m.family, m.modality, m.source_modality or "-", m.license)
        for m in manifests
    ]
    columns = ("id", "version", "family", "makes", "from", "licence")
    state.emit([_manifest_document(m) for m in manifests], lambda: table("", columns, rows))


@models_app.command("show")
def show_command(
    context: typer.Context, generator_id: Annotated[str, typer.Argument(help="From `models list`.")]
) -> None:
    """Show a package: what it makes, from what, under which conditions."""
    state = state_of(context)
    from carez_desktop.workflows.verify_generators import verify_generators

    verdict = verify_generators(state.open_context(), generator_id=generator_id)[0]
    manifest = verdict.manifest

    def show() -> None:
        say(f"{manifest.title} ({manifest.id} {manifest.version}, {manifest.license})")
        say(manifest.summary)
        for spec in manifest.conditions:
            default = "" if spec.default is None else f", default {spec.default}"
            say(f"  {spec.name}: {spec.range_text}{default}. {spec.description}")

    state.emit(_manifest_document(manifest) | {"digest": verdict.digest}, show)


@models_app.command("verify")
def verify_command(
    context: typer.Context,
    generator_id: Annotated[str | None, typer.Argument(help="All packages without it.")] = None,
) -> None:
    """Check every file of the packages against the hashes of their manifests."""
    state = state_of(context)
    from carez_desktop.workflows.verify_generators import verify_generators

    verdicts = verify_generators(state.open_context(), generator_id=generator_id)
    document = [
        {"id": v.manifest.id, "version": v.manifest.version, "digest": v.digest, "verdict": "valid"}
        for v in verdicts
    ]

    def show() -> None:
        for verdict in verdicts:
            say(f"valid: {verdict.manifest.id} {verdict.manifest.version} {verdict.digest[:16]}")

    state.emit(document, show)


def parse_settings(pairs: list[str]) -> dict[str, str]:
    """Read `key=value` pairs of `--set`.

    Raises:
        UsageError: For one without `=`, or a key given twice.
    """
    conditions: dict[str, str] = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key or key in conditions:
            raise UsageError(
                "--set wants key=value, each key once",
                subject=pair,
                hint="e.g. --set dose_fraction=0.25",
            )
        conditions[key] = value
    return conditions


def generate_command(
    context: typer.Context,
    generator: Annotated[str, typer.Argument(help="Generator id, from `carez models list`.")],
    out: Annotated[Path, typer.Option(help="The bundle to write, FILE.h5.")],
    count: Annotated[int, typer.Option("-n", "--count", help="How many cases, in all.")] = 1,
    seed: Annotated[int, typer.Option(help="The same seed gives the same cases.")] = 0,
    source: Annotated[
        list[str] | None, typer.Option(help="A volume or cohort; sources take turns.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Condition key=value; may be repeated.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.")] = None,
) -> None:
    """Generate synthetic cases into a bundle."""
    state = state_of(context)
    from carez_desktop.workflows.generate_cohort import generate_cohort

    with progress_on_stderr() as progress:
        made = generate_cohort(
            state.open_context(),
            generator_id=generator,
            count=count,
            seed=seed,
            sources=tuple(source or ()),
            conditions=parse_settings(settings or []),
            out=out,
            device=device,
            progress=progress,
            cancel=state.cancel,
        )

    def show() -> None:
        show_findings(made.findings)
        say(f"{counted(len(made.cases), 'case')} in {made.bundle}")
        note(
            f"Device: {made.device}; {duration_text(made.seconds_per_case)} a case. Not signed yet."
        )

    state.emit(made, show)
