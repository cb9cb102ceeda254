"""List the cohorts of the library."""

from __future__ import annotations

from carez_desktop.domain.cohort import Cohort
from carez_desktop.workflows.context import WorkflowContext


def list_cohorts(context: WorkflowContext) -> tuple[Cohort, ...]:
    """Return every version of every cohort, by name and version.

    Raises:
        StorageError: The library cannot be read.
    """
    return context.library.cohorts()
