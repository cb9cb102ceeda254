"""Forget every alignment of volumes that are deleted."""

from __future__ import annotations

from collections.abc import Collection

from carez_desktop.workflows.context import WorkflowContext


def forget_alignments(context: WorkflowContext, *, volume_ids: Collection[str]) -> int:
    """Forget what was kept of volumes, with whatever other volume.

    Args:
        context: Whose home.
        volume_ids: Volumes that go.

    Returns:
        How many alignments were forgotten.

    Raises:
        StorageError: The home folder cannot be written.
    """
    from carez_desktop.workflows.keep_alignment import forget_alignment
    from carez_desktop.workflows.list_alignments import list_alignments

    gone = set(volume_ids)
    pairs = [
        (item.fixed_id, item.moving_id)
        for item in list_alignments(context).alignments
        if gone & {item.fixed_id, item.moving_id}
    ]
    return sum(forget_alignment(context, fixed_id=pair[0], moving_id=pair[1]) for pair in pairs)
