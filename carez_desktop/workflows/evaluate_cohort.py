"""Evaluate synthetic cases on six axes against a cohort of real volumes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from carez_desktop.domain.evaluation import Evaluation
from carez_desktop.domain.plan import EvaluationPlan
from carez_desktop.domain.study import VolumeRecord
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
from carez_desktop.workflows.context import WorkflowContext

if TYPE_CHECKING:
    from carez_desktop.evaluation.utility import UtilityStudy


def evaluate_cohort(
    context: WorkflowContext,
    *,
    real: str,
    synthetic: Path | str,
    plan: Path | EvaluationPlan | None = None,
    report_dir: Path | None = None,
    utility: UtilityStudy | None = None,
    utility_reason: str = "",
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
    partial: Callable[[object], None] = IGNORE,
) -> Evaluation:
    """Measure six axes, judge them by the plan's margins, and record them.

    For a bundle the evaluation goes into a new revision of it; for a cohort of synthetic volumes it
    is only returned and reported.

    Args:
        context: The site.
        real: `NAME` or `NAME@split` of a cohort of real volumes.
        synthetic: A bundle, or `NAME[@split]` of a cohort of synthetic volumes.
        plan: TOML with margins and seeds, or a plan; None takes `resources/plans/default.toml`.
        report_dir: Folder for `evaluation.html`, created where missing; None for no report.
        utility: Both arms on held-out patients, as `run_pilot` trains them.
        utility_reason: Why they were not trained.
        progress: From 0 to 1.
        cancel: Asked at each volume and case.
        partial: Receives the evaluation before it is recorded.

    Raises:
        UsageError: A wrong plan, naming the field. NotFoundError: No such cohort or bundle.
        InputError: Synthetic volumes among the real ones, or the other way round.
        StorageError: The bundle or the report cannot be written.
    """
    from carez_desktop.evaluation.axes import evaluate_axes
    from carez_desktop.evaluation.scorecard import assemble_evaluation
    from carez_desktop.workflows._evaluation_plan_file import load_evaluation_plan
    from carez_desktop.workflows.gather_evidence import gather_evidence
    from carez_desktop.workflows.measure_coverage import cohort_records
    from carez_desktop.workflows.record_evaluation import record_evaluation

    judged_by = plan if isinstance(plan, EvaluationPlan) else load_evaluation_plan(plan)
    cases = _synthetic_side(context, synthetic)
    evidence = gather_evidence(
        context,
        real=[
            record
            for record in cohort_records(context, real)
            if record.kind is not VolumeKind.SYNTHETIC
        ],
        synthetic=cases,
        plan=judged_by,
        utility=utility,
        utility_reason=utility_reason,
        progress=PartProgress(progress, 0.0, 0.85),
        cancel=cancel,
    )
    progress.report(0.86, "Judging the axes")
    created = context.clock().isoformat(timespec="seconds")
    evaluation = assemble_evaluation(evaluate_axes(evidence, judged_by), judged_by, created)
    partial(evaluation)
    if isinstance(cases, Path):
        record_evaluation(
            context,
            bundle=cases,
            evaluation=evaluation,
            progress=PartProgress(progress, 0.88, 0.98),
            cancel=cancel,
        )
    if report_dir is not None:
        _write_report(context, evaluation, report_dir, real, cases)
    context.audit_log.append(
        "evaluate",
        cases=len(evidence.cases),
        real_volumes=len(evidence.real),
        verdicts={result.axis.value: result.verdict.value for result in evaluation.axes},
    )
    progress.report(1.0, "Evaluated")
    return evaluation


def _synthetic_side(
    context: WorkflowContext, synthetic: Path | str
) -> Path | tuple[VolumeRecord, ...]:
    """Return a bundle's path, or the records of a cohort of synthetic volumes."""
    from carez_desktop.workflows.measure_coverage import cohort_records

    path = Path(synthetic).expanduser()
    if path.is_file():
        return path.absolute()
    if isinstance(synthetic, Path) or path.suffix in (".h5", ".hdf5"):
        raise NotFoundError(
            "No such bundle", subject=str(synthetic), hint="carez generate makes one"
        )
    records = cohort_records(context, synthetic)
    real = [record for record in records if record.kind is not VolumeKind.SYNTHETIC]
    if real:
        raise InputError(
            "The synthetic cohort holds volumes that are not synthetic",
            subject=real[0].volume_id,
            hint="Freeze it with --where kind=synthetic",
        )
    return records


def _write_report(
    context: WorkflowContext,
    evaluation: Evaluation,
    folder: Path,
    real: str,
    cases: Path | tuple[VolumeRecord, ...],
) -> None:
    from carez_desktop.reports.evaluation_report import render_evaluation_report
    from carez_desktop.system.file_safety import atomic_output
    from carez_desktop.system.paths import make_private_folder

    name = cases.name if isinstance(cases, Path) else "a cohort of synthetic volumes"
    text = render_evaluation_report(
        evaluation,
        title=f"Evaluation of {name}",
        subtitle=f"against the cohort {real}",
        stand_in=context.library.simulated_stand_in,
    )
    make_private_folder(folder)
    with atomic_output(folder / "evaluation.html", "The report cannot be written") as part:
        part.write_text(text, encoding="utf-8")
