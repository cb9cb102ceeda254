"""List the volumes of the library."""

from __future__ import annotations

from carez_desktop.domain.study import VolumeRecord
from carez_desktop.workflows.context import WorkflowContext


def list_volumes(
    context: WorkflowContext, *, search: str = "", limit: int | None = None, offset: int = 0
) -> tuple[VolumeRecord, ...]:
    """Return the volumes of the library, by patient, date and identifier.

    Args:
        context: Whose library.
        search: Words as typed; each must begin a word of patient, descriptions, modality,
            manufacturer, body part, date, kind, label, tag or a UID. All volumes for none. A field
            may be named: `modality:ct`, `date:2024`, `kind:real`, `tag:teaching`.
        limit: At most so many.
        offset: Skip so many first, for the next page.

    Raises:
        StorageError: The library cannot be read.
    """
    return context.library.volumes(search, limit=limit, offset=offset)
