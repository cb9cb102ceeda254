"""Look whether the files of the library are still where they were."""

from __future__ import annotations

import os
from dataclasses import dataclass

from carez_desktop.progress import NEVER, SILENT, CancellationToken, ProgressReporter
from carez_desktop.workflows.context import WorkflowContext
from carez_desktop.workflows.delete_studies import finish_deletions


@dataclass(frozen=True, slots=True)
class RescanReport:
    """What became of the files that the library knows.

    Attributes:
        found: How many are there as they were, those that returned too.
        gone: Paths of the missing ones, those missed before too.
        changed: Paths of files with another size or time; an import reads them again.
        returned: How many were gone and are there again.
    """

    found: int
    gone: tuple[str, ...]
    changed: tuple[str, ...]
    returned: int


def rescan_library(
    context: WorkflowContext,
    *,
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
) -> RescanReport:
    """Mark the files that are gone at their volumes, and take the mark off those that came back.

    No file is opened, no volume is lost.

    Args:
        context: Whose library.
        progress: Of the folders.
        cancel: Asked at every folder.

    Raises:
        StorageError: The library cannot be written. CancelledError: Nothing was changed.
    """
    from carez_desktop.library.import_rows import ImportChange, write_import
    from carez_desktop.library.rescan_rows import known_folders

    finish_deletions(context)
    gone: list[tuple[int, str]] = []
    changed, returned, found = [], [], 0
    database = context.library.database
    for done, (total, folder, rows) in enumerate(known_folders(database)):
        cancel.raise_if_cancelled()
        progress.report(done / total, f"Looking for files, folder {done + 1} of {total}")
        there = _files_in(folder)
        for row in rows:
            facts = there.get(row.name)
            path = os.path.join(folder, row.name)  # noqa: PTH118 - many
            if facts is None:
                gone.append((row.number, path))
            elif facts != (row.size, row.modified_ns):
                changed.append(path)
            else:
                found += 1
                if row.missing:
                    returned.append(row.number)
    change = ImportChange(
        gone=tuple(number for number, _ in gone),
        returned=tuple(returned),
        when=context.clock().isoformat(timespec="seconds"),
    )
    write_import(database, change)
    context.audit_log.append(
        "rescan_library", found=found, gone=len(gone), changed=len(changed), returned=len(returned)
    )
    progress.report(1.0, f"{found} files found")
    return RescanReport(found, tuple(path for _, path in gone), tuple(changed), len(returned))


def _files_in(folder: str) -> dict[str, tuple[int, int]]:
    """Return name -> (size, time of change in ns); nothing for a folder that is not there."""
    found = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    facts = entry.stat()
                except OSError:  # it went in this moment, or is a link to nowhere: gone
                    continue
                found[entry.name] = (facts.st_size, facts.st_mtime_ns)
    except OSError:  # the folder is gone or not ours to read: so are its files
        return {}
    return found
