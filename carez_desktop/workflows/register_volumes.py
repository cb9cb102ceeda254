"""Find how two volumes lie to each other where no common frame of reference says so."""

from __future__ import annotations

from carez_desktop.domain.registration import RegistrationReport
from carez_desktop.domain.volume import Volume
from carez_desktop.progress import NEVER, SILENT, CancellationToken, ProgressReporter
from carez_desktop.workflows.context import WorkflowContext


def register_volumes(
    context: WorkflowContext,
    *,
    fixed: Volume,
    moving: Volume,
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
) -> RegistrationReport:
    """Register two volumes that are open, rigidly; nothing is kept yet (`keep_alignment` does).

    To be run in a job: it takes seconds to a minute, and lets the window go on.

    Args:
        context: Gets the audit line.
        fixed: From whose LPS mm the alignment leads.
        moving: To whose LPS mm it leads.
        progress: Told while it searches.
        cancel: Asked at each step of the search.

    Returns:
        The alignment to propose with its quality, or the reason why none is proposed.

    Raises:
        GeometryError: A volume has no three dimensions in space. CancelledError: On the way.
    """
    from carez_desktop.imaging.registration import register

    report = register(fixed, moving, progress=progress, cancel=cancel)
    context.audit_log.append(
        "register_volumes",
        fixed=fixed.volume_id,
        moving=moving.volume_id,
        proposed="YES" if report.alignment is not None else "NO",
        residual_mm=round(report.measures.residual_mm, 2),
    )
    return report
