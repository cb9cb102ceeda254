"""Load slices that are no regular volume, each at its true position."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from carez_desktop.domain.slice_stack import SliceStack
from carez_desktop.errors import GeometryError
from carez_desktop.progress import IGNORE, NEVER, SILENT, CancellationToken, ProgressReporter
from carez_desktop.workflows.context import WorkflowContext


def load_slices(
    context: WorkflowContext,
    *,
    volume_id: str,
    audit: bool = True,
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
    partial: Callable[[Any], object] = IGNORE,
) -> SliceStack:
    """Load the slices of a record with `slices_only`: tilted, shifted or unevenly spaced.

    Args:
        context: Its library is asked.
        volume_id: Of such a record.
        audit: Whether the audit log names it; False for reads of the program's own.
        progress: Told at each slice.
        cancel: Asked at each slice.
        partial: Given (index, (rows, columns[, 3]) values) of slices, the middle one first.

    Returns:
        Slices in modality values, in order along their normal, each with its own affine.

    Raises:
        NotFoundError: No such volume.
        GeometryError: It is a regular volume, or is refused for another reason.
        UnreadableFileError: A file vanished, changed, is damaged.
        DeviceError: Too little memory. CancelledError: Between two slices.
    """
    record = context.library.volume(volume_id)
    if not record.slices_only:
        raise GeometryError(
            "These slices are not shown one by one"
            + (f": {record.refusal}" if record.refusal else ": they are a regular volume"),
            subject=volume_id,
            hint="Choose another series of the study" if record.refusal else "Load it as a volume",
        )
    if record.source_format == "dicom":
        from carez_desktop.dicom.volume_reader import read_slices

        stack = read_slices(
            record, children=context.children, progress=progress, cancel=cancel, partial=partial
        )
    else:
        from carez_desktop.imaging.volume_files import read_file_slices

        stack = read_file_slices(record, progress=progress, cancel=cancel, partial=partial)
    if audit:
        context.audit_log.append("load_slices", volume_id=volume_id)
    return stack
