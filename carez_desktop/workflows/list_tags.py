"""List the tags of the library."""

from __future__ import annotations

from collections.abc import Mapping

from carez_desktop.workflows.context import WorkflowContext


def list_tags(context: WorkflowContext) -> Mapping[str, int]:
    """Return each tag and how many volumes carry it.

    Raises:
        StorageError: The library cannot be read.
    """
    from carez_desktop.library.label_rows import all_tags

    with context.library.database.reading() as connection:
        return all_tags(connection)
