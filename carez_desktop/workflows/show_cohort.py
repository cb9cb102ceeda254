"""Look up a cohort, or one split of it, by the words that commands take."""

from __future__ import annotations

from carez_desktop.domain.cohort import Cohort, parse_cohort_reference
from carez_desktop.workflows.context import WorkflowContext


def show_cohort(context: WorkflowContext, *, cohort: str) -> tuple[Cohort, str]:
    """Return the newest version of a cohort, and the split that was named ("" for all).

    Args:
        context: Whose library.
        cohort: `NAME` or `NAME@split`.

    Raises:
        UsageError: For a split that there is not. NotFoundError: For an unknown cohort.
    """
    name, split = parse_cohort_reference(cohort)
    return context.library.cohort(name), split
