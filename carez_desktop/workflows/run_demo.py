"""The first thing anyone runs: the whole way, on simulated patients or on the studies given."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from carez_desktop.domain.finding import Finding, Severity, counted
from carez_desktop.domain.generation import GenerationOrder
from carez_desktop.domain.pilot import PilotResult
from carez_desktop.domain.study import ImportReport
from carez_desktop.domain.volume import VolumeKind
from carez_desktop.errors import InputError, NotFoundError
from carez_desktop.progress import (
    IGNORE,
    NEVER,
    SILENT,
    CancellationToken,
    PartProgress,
    ProgressReporter,
)

if TYPE_CHECKING:
    from carez_desktop.workflows.context import WorkflowContext
    from carez_desktop.workflows.train_arms import Truth

COHORT = "demo"
PATIENTS = 20
SEED = 7
FLOW_ORDER = GenerationOrder("hippocampus-flow", 4, SEED)
_SIMULATED = (
    "This cohort is simulated: no image here shows a person. "
    "It stands in for a site's own studies, to show the way of the data."
)


def run_demo(
    context: WorkflowContext,
    *,
    out: Path,
    studies: Path | None = None,
    device: str | None = None,
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
    partial: Callable[[object], None] = IGNORE,
) -> PilotResult:
    """Go from studies to a signed, verified bundle and a report.

    Without `studies` it simulates a small chest CT cohort in a home of its own (`<home>/demo`), so
    that simulated patients never play real among a site's studies.

    Args:
        context: The site.
        out: Folder for bundle and report; an earlier demo's are replaced.
        studies: Real studies to go the same way with, as far as they allow.
        device: For generating; None takes the setting.
        progress: From 0 to 1 over all steps.
        cancel: Asked within every step.
        partial: Given cases and the evaluation as they come.

    Raises:
        InputError: Studies in which nothing can be generated. StorageError: No room.
        CancelledError: When asked; no half-written bundle is left.
    """
    began = time.monotonic()
    if studies is None:
        result = _on_simulated(context, out, device, progress, cancel, partial)
    else:
        result = _on_given(context, out, studies, device, progress, cancel, partial)
    return replace(result, seconds=time.monotonic() - began)


def _on_simulated(
    context: WorkflowContext,
    out: Path,
    device: str | None,
    progress: ProgressReporter,
    cancel: CancellationToken,
    partial: Callable[[object], None],
) -> PilotResult:
    from carez_desktop.system.paths import resource_path
    from carez_desktop.workflows.context import open_context
    from carez_desktop.workflows.freeze_cohort import freeze_cohort
    from carez_desktop.workflows.import_studies import import_studies
    from carez_desktop.workflows.run_pilot import run_pilot
    from carez_desktop.workflows.simulate_studies import simulate_studies

    site = open_context(context.home / COHORT)
    simulated = simulate_studies(
        site,
        folder=site.home / "studies",
        patients=PATIENTS,
        seed=SEED,
        progress=PartProgress(progress, 0.0, 0.12),
        cancel=cancel,
    )
    report = import_studies(
        site,
        paths=(simulated.dicom_folder,),
        stand_in=True,
        progress=PartProgress(progress, 0.12, 0.15, "importing: "),
        cancel=cancel,
    )
    freeze_cohort(site, name=COHORT, labels=simulated.labels, seed=SEED, cancel=cancel)
    result = run_pilot(
        site,
        plan=resource_path("plans/demo.toml"),
        out=out,
        cohort=COHORT,
        truth=_truth_of(site, simulated.folder),
        also=(FLOW_ORDER,),
        overwrite=True,
        device=device,
        progress=PartProgress(progress, 0.15, 1.0),
        cancel=cancel,
        partial=partial,
    )
    return _with_import(result, report, (_SIMULATED,))


def _truth_of(context: WorkflowContext, folder: Path) -> Truth:
    from carez_desktop.workflows.simulate_studies import load_truth

    def truth(volume_id: str) -> npt.NDArray[Any] | None:
        try:
            return load_truth(folder, context.library.volume(volume_id).series_instance_uid)
        except NotFoundError:
            return None

    return truth


def _on_given(
    context: WorkflowContext,
    out: Path,
    studies: Path,
    device: str | None,
    progress: ProgressReporter,
    cancel: CancellationToken,
    partial: Callable[[object], None],
) -> PilotResult:
    from carez_desktop.workflows.freeze_cohort import freeze_cohort
    from carez_desktop.workflows.import_studies import import_studies
    from carez_desktop.workflows.run_pilot import run_pilot

    report = import_studies(
        context,
        paths=(studies,),
        progress=PartProgress(progress, 0.0, 0.1, "importing: "),
        cancel=cancel,
    )
    usable = [
        record.volume_id
        for record in report.series
        if record.kind is VolumeKind.REAL and not record.refusal
    ]
    if not usable:
        raise _nothing_usable(studies, report)
    cohort = freeze_cohort(context, name="studies", volume_ids=usable, seed=SEED, cancel=cancel)
    result = run_pilot(
        context,
        plan=None,
        out=out,
        cohort=cohort.name,
        also=(FLOW_ORDER,),
        overwrite=True,
        device=device,
        progress=PartProgress(progress, 0.1, 1.0),
        cancel=cancel,
        partial=partial,
    )
    return _with_import(result, report, ())


def _nothing_usable(studies: Path, report: ImportReport) -> InputError:
    """Say which files and series there were, and why none will do; the first three by name."""
    reasons = [
        *(f"{Path(file.path).name}: {file.reason}" for file in report.unreadable),
        *(
            f"{record.description or record.volume_id}: {record.refusal}"
            for record in report.series
        ),
    ]
    files = counted(len(report.unreadable), "unreadable file")
    return InputError(
        f"No real volume can be used: {counted(len(report.series), 'series', 'series')}, {files}",
        subject=str(studies),
        hint="; ".join([*reasons[:3], "choose another folder"]),
    )


def _with_import(
    result: PilotResult, report: ImportReport, statements: tuple[str, ...]
) -> PilotResult:
    """Return the result with what the import had to say in front."""
    unreadable = tuple(
        Finding(Severity.WARNING, "unreadable_file", file.path, file.reason)
        for file in report.unreadable
    )
    refused = tuple(
        Finding(Severity.INFO, "not_a_volume", record.volume_id, record.refusal)
        for record in report.series
        if record.refusal
    )
    return replace(
        result,
        statements=tuple(dict.fromkeys((*statements, *result.statements))),
        findings=(*report.findings, *unreadable, *refused, *result.findings),
    )
