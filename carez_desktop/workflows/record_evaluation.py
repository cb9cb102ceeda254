"""Record an evaluation in a bundle, as a new revision that names the root of the old one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from carez_desktop.domain.bundle import BundleState, BundleSummary
from carez_desktop.domain.evaluation import Evaluation
from carez_desktop.domain.provenance import with_activity
from carez_desktop.progress import (
    IGNORE,
    NEVER,
    SILENT,
    CancellationToken,
    PartProgress,
    ProgressReporter,
)
from carez_desktop.workflows.context import WorkflowContext
from carez_desktop.workflows.seal_bundle import next_revision


def record_evaluation(
    context: WorkflowContext,
    *,
    bundle: Path,
    evaluation: Evaluation,
    out: Path | None = None,
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
    partial: Callable[[object], None] = IGNORE,
) -> BundleSummary:
    """Write the six axes into a new revision in state `evaluated`; it is unsigned until sealed.

    Args:
        context: The site.
        bundle: Checked first.
        evaluation: Small numbers of subjects are stored as `<=10`.
        out: None replaces the bundle atomically; another path must not exist.
        progress: From 0 to 1.
        cancel: Asked throughout.
        partial: Receives the summary.

    Raises:
        InputError: The bundle is not intact. UsageError: `out` exists.
        StorageError: It cannot be written.
    """
    from carez_desktop.hdf5.assembly import refuse_existing, revise_bundle

    if out is not None:
        refuse_existing(out, overwrite=False)
    root, header = next_revision(context, bundle, BundleState.EVALUATED, cancel=cancel)
    progress.report(0.3, "Recording the evaluation")
    summary = revise_bundle(
        bundle,
        out or bundle,
        header=header,
        evaluation=evaluation,
        provenance=lambda document: with_activity(
            document,
            f"evaluation-{header.revision}",
            ended_utc=evaluation.created_utc,
            used_root=root,
            kind="evaluation",
        ),
        audit_extract=context.audit_log.extract(),
        progress=PartProgress(progress, 0.3, 1.0),
        cancel=cancel,
    )
    context.audit_log.append(
        "record_evaluation",
        bundle_uuid=summary.bundle_uuid,
        revision=summary.revision,
        root=summary.root,
        verdicts={result.axis.value: result.verdict.value for result in evaluation.axes},
    )
    partial(summary)
    return summary
