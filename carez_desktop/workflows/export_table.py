"""Write numbers of a plot as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from carez_desktop.workflows.context import WorkflowContext

TABLES_FOLDER = "tables"


def export_table(
    context: WorkflowContext,
    *,
    name: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[float]],
    out: Path | None = None,
) -> Path:
    """Write columns of numbers, the point as decimal sign, and note it in the audit log.

    Args:
        context: Its home has the folder that is the default place.
        name: What the numbers are, in snake case; it begins the file's name.
        columns: Titles with units; those of synthetic volumes say so.
        rows: As many numbers as columns in each.
        out: The file; None makes a name that says nothing of the patient, in the home's folder.

    Returns:
        The file.

    Raises:
        StorageError: It cannot be written.
    """
    import csv

    from carez_desktop.system.file_safety import atomic_output
    from carez_desktop.system.paths import make_private_folder

    if out is None:
        stamp = context.clock().strftime("%Y%m%d-%H%M%S")
        out = make_private_folder(context.home / TABLES_FOLDER) / f"{name}-{stamp}.csv"
        number = 2
        while out.exists():
            out, number = out.with_name(f"{name}-{stamp}-{number}.csv"), number + 1
    target = out.expanduser().absolute()
    with (
        atomic_output(target, "The numbers cannot be written") as part,
        part.open("w", encoding="utf-8", newline="") as stream,
    ):
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows([f"{value:.9g}" for value in row] for row in rows)
    context.audit_log.append("export_table", table=name, rows=str(len(rows)))
    return target
