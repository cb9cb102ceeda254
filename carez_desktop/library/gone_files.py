"""What the library says of volumes whose files are gone; nothing of them is lost."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from carez_desktop.domain.finding import Finding, Severity
from carez_desktop.library.path_columns import split_path
from carez_desktop.library.volume_rows import paths_of, to_json

FILES_GONE = "files_gone"
_REMEDY = "Bring the disk or folder back and run carez library rescan, or delete the volume"


def refresh_gone(connection: sqlite3.Connection, series_ids: Iterable[int]) -> None:
    """Say at each volume of the series how many of its files are gone, or nothing."""
    for series in series_ids:
        gone = {
            (folder, name): since
            for folder, name, since in connection.execute(
                "SELECT path, name, missing_since FROM instances "
                "JOIN folders ON folders.id = folder "
                "WHERE series = ? AND missing_since IS NOT NULL",
                (series,),
            )
        }
        volumes = connection.execute(
            "SELECT id, volume_id, paths, notes FROM volumes WHERE series = ?", (series,)
        ).fetchall()
        for number, volume_id, paths, before in volumes:
            notes = to_json(_notes(volume_id, set(paths_of(paths)), gone))
            if notes != before:
                connection.execute("UPDATE volumes SET notes = ? WHERE id = ?", (notes, number))


def _notes(
    volume_id: str, paths: set[str], gone: dict[tuple[str | bytes, str | bytes], str]
) -> list[Finding]:
    lost = [gone[key] for key in map(split_path, paths) if key in gone] if gone else []
    if not lost:
        return []
    of = f"{len(lost)} of {len(paths)} files are" if len(paths) > 1 else "Its file is"
    text = f"{of} gone, missed first {min(lost)[:16].replace('T', ' ')} UTC. {_REMEDY}"
    return [Finding(Severity.WARNING, FILES_GONE, volume_id, text)]
