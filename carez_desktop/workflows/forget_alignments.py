"""Forget alignments that were kept."""

from __future__ import annotations

from collections.abc import Collection

from carez_desktop.workflows.context import WorkflowContext
from carez_desktop.workflows.list_alignments import list_alignments


def forget_alignments(
    context: WorkflowContext, *, volume_ids: Collection[str], both: bool = False
) -> int:
    """Forget what was kept of volumes (they are deleted), or of one pair of them.

    Args:
        context: Whose home.
        volume_ids: Volumes.
        both: Only where both volumes are among them: a person took one alignment back.

    Returns:
        How many were forgotten.

    Raises:
        StorageError: The home folder cannot be written.
    """
    from carez_desktop.system.file_safety import storage_error
    from carez_desktop.workflows._alignment_file import alignment_path

    count = 0
    for item in list_alignments(context).alignments:
        named = [name in volume_ids for name in (item.fixed_id, item.moving_id)]
        if not (all(named) if both else any(named)):
            continue
        path = alignment_path(context.home, item.fixed_id, item.moving_id)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise storage_error(error, path, "The alignment cannot be forgotten") from error
        count += 1
    if count:
        context.audit_log.append("forget_alignments", alignments=count)
    return count
