"""Run a pilot: one gap, a few synthetic cases, two arms, six axes, a signed bundle, a report."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from carez_desktop.domain.bundle import BundleVerdict
from carez_desktop.domain.evaluation import Axis, Evaluation, Measurement
from carez_desktop.domain.generation import GenerationOrder
from carez_desktop.domain.pilot import PilotResult
from carez_desktop.errors import InputError
from carez_desktop.progress import (
    IGNORE,
    NEVER,
    SILENT,
    CancellationToken,
    PartProgress,
    ProgressReporter,
)
from carez_desktop.workflows.begin_pilot import (
    PilotStart,
    begin_pilot,
    candidate_sources,
    find_gap,
    in_cell,
)
from carez_desktop.workflows.context import WorkflowContext
from carez_desktop.workflows.train_arms import Truth

if TYPE_CHECKING:
    from carez_desktop.evaluation.utility import UtilityStudy
    from carez_desktop.workflows.generate_cohort import GeneratedCohort

BUNDLE_NAME = "bundle.h5"
REPORT_NAME = "report.html"


def run_pilot(
    context: WorkflowContext,
    *,
    plan: Path | None,
    out: Path,
    cohort: str = "",
    truth: Truth | None = None,
    also: Sequence[GenerationOrder] = (),
    overwrite: bool = False,
    device: str | None = None,
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
    partial: Callable[[object], None] = IGNORE,
) -> PilotResult:
    """Go the whole way from a gap to a signed bundle and a report, as far as the data allow.

    Args:
        context: The site.
        plan: TOML with a `[pilot]` table; None takes `resources/plans/default.toml`.
        out: Folder for the bundle and the report; created where missing.
        cohort: Name of a frozen cohort; "" takes the plan's, or freezes all real volumes.
        truth: Reference label map of a volume id, where there are any.
        also: Further orders whose cases go into the same bundle.
        overwrite: Replace a bundle of an earlier run.
        device: For generating; None takes the setting.
        progress: From 0 to 1 over all steps.
        cancel: Asked within every step.
        partial: Given each case, then the evaluation.

    Raises:
        UsageError: A plan without a pilot, or a wrong field. InputError: Nothing can be generated.
        ModelError, DeviceError, StorageError: As the steps say. CancelledError: When asked.
    """
    from carez_desktop.system.paths import make_private_folder

    began = time.monotonic()
    folder = make_private_folder(out.expanduser().absolute())
    bundle = folder / BUNDLE_NAME
    start = begin_pilot(context, plan=plan, cohort=cohort, cancel=cancel)
    gap = find_gap(context, start, cancel=cancel)
    progress.report(0.02, gap.text)
    generated, skipped = generate(
        context,
        start,
        bundle,
        also=also,
        truth=truth,
        overwrite=overwrite,
        device=device,
        progress=PartProgress(progress, 0.02, 0.3),
        cancel=cancel,
        partial=partial,
    )
    study, reason = _train(
        context, start, bundle, truth, PartProgress(progress, 0.3, 0.7, "training: "), cancel
    )
    evaluation = evaluate(
        context,
        start,
        bundle,
        study=study,
        reason=reason,
        progress=PartProgress(progress, 0.7, 0.92, "evaluating: "),
        cancel=cancel,
        partial=partial,
    )
    verdict = hand_over(context, bundle, progress=PartProgress(progress, 0.92, 0.98), cancel=cancel)
    result = PilotResult(
        bundle=bundle,
        bundle_uuid=generated.bundle_uuid,
        report=folder / REPORT_NAME,
        verdict=verdict.verdict.value,
        root=verdict.root,
        keyid=verdict.keyid,
        revision=verdict.revision,
        evaluation=evaluation,
        gap=gap,
        cases=len(generated.cases),
        device=generated.device,
        seconds_per_case=generated.seconds_per_case,
        lift=_lift(evaluation),
        statements=(*start.statements, *skipped, *((reason,) if reason else ())),
        findings=(*generated.findings, *verdict.findings),
        seconds=time.monotonic() - began,
    )
    progress.report(0.98, "writing the report")
    write_report(context, start, result, generated, truth)
    context.audit_log.append(
        "pilot", bundle=result.bundle_uuid, root=result.root, verdict=result.verdict
    )
    progress.report(1.0, "Done")
    return result


def generate(
    context: WorkflowContext,
    start: PilotStart,
    bundle: Path,
    *,
    also: Sequence[GenerationOrder] = (),
    truth: Truth | None = None,
    overwrite: bool = False,
    device: str | None = None,
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
    partial: Callable[[object], None] = IGNORE,
) -> tuple[GeneratedCohort, tuple[str, ...]]:
    """Generate the plan's cases from training patients, and the further orders.

    Returns:
        What was generated, and sentences on what was not possible.

    Raises:
        InputError: No source and no further order.
    """
    from carez_desktop.workflows.generate_cohort import generate_cohort

    pilot = start.pilot
    sources = _sources(context, start, truth)
    orders = list(also)
    skipped: tuple[str, ...] = ()
    if sources:
        first = GenerationOrder(
            pilot.generator_id,
            pilot.count if truth is not None else min(pilot.count, len(sources)),
            pilot.seed,
            dict(pilot.conditions),
            sources,
        )
        orders.insert(0, first)
    else:
        modality = pilot.gap.get("modality", "fitting")
        skipped = (
            f"{pilot.generator_id} could not run: the training split has no {modality} volume.",
        )
    if not orders:
        raise InputError(
            skipped[0].rstrip("."),
            subject=start.reference,
            hint="Import a series of that modality, or choose another generator in the plan",
        )
    made = generate_cohort(
        context,
        generator_id=orders[0].generator_id,
        count=orders[0].count,
        seed=orders[0].seed,
        out=bundle,
        sources=orders[0].sources,
        conditions=orders[0].conditions,
        also=orders[1:],
        device=device,
        overwrite=overwrite,
        progress=progress,
        cancel=cancel,
        partial=partial,
    )
    return made, skipped


def _sources(context: WorkflowContext, start: PilotStart, truth: Truth | None) -> tuple[str, ...]:
    """Return training volumes outside the target cell, those with a labelled lesion first.

    Where all of them lie in the cell already, they are taken all the same; `begin_pilot` says so.
    """
    from carez_desktop.workflows._coverage_plan_file import load_coverage_plan

    axes = load_coverage_plan().axes
    cell = dict(start.pilot.gap)
    records = candidate_sources(context, start.cohort, cell)
    outside = [record for record in records if not in_cell(record, cell, axes)]
    chosen = outside or records
    if truth is not None:
        bears = {
            record.volume_id: (mask := truth(record.volume_id)) is not None and bool(mask.any())
            for record in chosen
        }
        chosen = sorted(chosen, key=lambda record: not bears[record.volume_id])
    return tuple(record.volume_id for record in chosen)


def _train(
    context: WorkflowContext,
    start: PilotStart,
    bundle: Path,
    truth: Truth | None,
    progress: ProgressReporter,
    cancel: CancellationToken,
) -> tuple[UtilityStudy | None, str]:
    from carez_desktop.workflows.train_arms import train_arms

    return train_arms(
        context,
        cohort=start.cohort,
        bundle=bundle,
        plan=start.pilot,
        truth=truth,
        progress=progress,
        cancel=cancel,
    )


def evaluate(
    context: WorkflowContext,
    start: PilotStart,
    bundle: Path,
    *,
    study: UtilityStudy | None,
    reason: str,
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
    partial: Callable[[object], None] = IGNORE,
) -> Evaluation:
    """Measure and judge six axes, and record them in the bundle."""
    from carez_desktop.workflows.evaluate_cohort import evaluate_cohort

    return evaluate_cohort(
        context,
        real=start.reference,
        synthetic=bundle,
        plan=start.plan,
        utility=study,
        utility_reason=reason,
        progress=progress,
        cancel=cancel,
        partial=partial,
    )


def hand_over(
    context: WorkflowContext,
    bundle: Path,
    *,
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
) -> BundleVerdict:
    """Seal the bundle with the site's key and verify it as a recipient would."""
    from carez_desktop.workflows.seal_bundle import seal_bundle
    from carez_desktop.workflows.verify_bundle import verify_bundle

    progress.report(0.0, "Signing")
    seal_bundle(context, bundle=bundle, progress=PartProgress(progress, 0.0, 0.5), cancel=cancel)
    progress.report(0.5, "Verifying")
    return verify_bundle(
        context, bundle=bundle, progress=PartProgress(progress, 0.5, 1.0), cancel=cancel
    )


def _lift(evaluation: Evaluation) -> Measurement | None:
    for result in evaluation.axes:
        if result.axis is Axis.UTILITY:
            return next((m for m in result.measurements if m.name == "recall_lift"), None)
    return None


def write_report(
    context: WorkflowContext,
    start: PilotStart,
    result: PilotResult,
    generated: GeneratedCohort,
    truth: Truth | None = None,
) -> None:
    """Write the HTML report with its pictures."""
    from carez_desktop.workflows.write_pilot_report import write_pilot_report

    write_pilot_report(
        context,
        plan=start.plan,
        cohort=start.cohort,
        result=result,
        generated=generated,
        truth=truth,
    )
