"""What the library knows of one volume, before a voxel of it is read."""

from __future__ import annotations

from carez_desktop.domain.study import VolumeRecord
from carez_desktop.workflows.context import WorkflowContext


def describe_volume(context: WorkflowContext, *, volume_id: str) -> VolumeRecord | None:
    """Return the record of a volume; None for a case of a bundle, which no library lists.

    Raises:
        NotFoundError: The library has no such volume.
        StorageError: The library cannot be read.
    """
    if "#" in volume_id:
        return None
    return context.library.volume(volume_id)
