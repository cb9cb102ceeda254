"""The known files, folder by folder, for whoever looks whether they are still there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from carez_desktop.library.path_columns import from_column

if TYPE_CHECKING:
    from carez_desktop.library.database import Database


@dataclass(frozen=True, slots=True)
class KnownFile:
    """One file of a folder; size and time as they were when it was read, -1 where unknown."""

    number: int
    name: str
    size: int
    modified_ns: int
    missing: bool


def known_folders(database: Database) -> Iterator[tuple[int, str, list[KnownFile]]]:
    """Yield how many folders there are, a folder, and the files that volumes of it use."""
    with database.reading() as connection:
        folders = connection.execute("SELECT id, path FROM folders ORDER BY id").fetchall()
    for number, path in folders:
        with database.reading() as connection:
            rows = connection.execute(
                "SELECT id, name, size, modified_ns, missing_since IS NOT NULL FROM instances "
                "WHERE folder = ? AND role != 'other'",
                (number,),
            ).fetchall()
        files = [
            KnownFile(key, from_column(name), size, modified_ns, bool(missing))
            for key, name, size, modified_ns, missing in rows
        ]
        if files:
            yield len(folders), from_column(path), files
