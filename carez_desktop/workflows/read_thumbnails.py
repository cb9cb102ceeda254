"""Read the small pictures that the library keeps."""

from __future__ import annotations

from collections.abc import Sequence

from carez_desktop.workflows.context import WorkflowContext


def read_thumbnails(context: WorkflowContext, *, volume_ids: Sequence[str]) -> dict[str, bytes]:
    """Return PNG bytes by volume id; volumes without a thumbnail are left out.

    Raises:
        StorageError: The library cannot be read.
    """
    found = {}
    for volume_id in volume_ids:
        png = context.library.thumbnail(volume_id)
        if png is not None:
            found[volume_id] = png
    return found
