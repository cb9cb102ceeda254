"""The files that imports could not read and that are not read since."""

from __future__ import annotations

from carez_desktop.domain.study import UnreadableFile
from carez_desktop.workflows.context import WorkflowContext


def list_unreadable(context: WorkflowContext) -> tuple[UnreadableFile, ...]:
    """Return the files that could not be read, by path, each with its reason.

    Raises:
        StorageError: The library cannot be read.
    """
    return context.library.unreadable_files()
