"""Whether a file that a scan meets is known and unchanged, asked once for each file."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from carez_desktop.library.instance_rows import COPY, IMAGE, READER_VERSION, files_below
from carez_desktop.library.path_columns import Column, split_path

if TYPE_CHECKING:
    from carez_desktop.library.database import Database

_Row = tuple[int, int, int, bool, str, bool, int | None]


@dataclass
class KnownFiles:
    """Answers a scan, and remembers what it was asked.

    One folder at a time is held, because a scan goes folder by folder.

    Attributes:
        reread: Nothing counts as unchanged.
        unchanged: Ids of files that need not be read.
        returned: Those of them that were gone.
        changed: Path -> id of known files with another size or time.
        fresh: Path -> (size, time of change in ns) of all files that have to be opened.
        series: Ids of the series of unchanged files.
    """

    database: Database
    reread: bool = False
    unchanged: set[int] = field(default_factory=set)
    returned: set[int] = field(default_factory=set)
    changed: dict[str, int] = field(default_factory=dict)
    fresh: dict[str, tuple[int, int]] = field(default_factory=dict)
    series: set[int] = field(default_factory=set)
    images: int = 0
    _folder: Column | None = None
    _rows: dict[Column, _Row] = field(default_factory=dict)

    def known(self, path: str | os.PathLike[str], facts: os.stat_result) -> bool:
        """Whether a file is known as it is, so that it need not be opened."""
        text = os.fspath(path)
        folder, name = split_path(text)
        if folder != self._folder:
            self._load(folder)
        row = self._rows.get(name)
        if row is not None:
            number, size, modified_ns, usable, role, missing, series = row
            same = (size, modified_ns) == (facts.st_size, facts.st_mtime_ns)
            if same and usable and not self.reread:
                self.unchanged.add(number)
                self.images += role == IMAGE or series is not None
                if missing:
                    self.returned.add(number)
                if series is not None:
                    self.series.add(series)
                return True
            self.changed[text] = number
        self.fresh[text] = (facts.st_size, facts.st_mtime_ns)
        return False

    def gone_below(self, folders: Iterable[str]) -> dict[int, str]:
        """Return id and path of the known files below folders that the scan did not meet."""
        met = self.unchanged | set(self.changed.values())
        with self.database.reading() as connection:
            return {
                number: path
                for folder in folders
                for number, path in files_below(connection, folder)
                if number not in met
            }

    def _load(self, folder: Column) -> None:
        with self.database.reading() as connection:
            self._rows = _rows_of(connection, folder)
        self._folder = folder


def _rows_of(connection: sqlite3.Connection, folder: Column) -> dict[Column, _Row]:
    rows = connection.execute(
        "SELECT name, instances.id, size, modified_ns, "
        "reader = ? AND role != ? AND (role != ? OR headers IS NOT NULL), role, "
        "missing_since IS NOT NULL, series "
        "FROM folders JOIN instances ON folder = folders.id "
        "LEFT JOIN series ON series.id = instances.series WHERE path = ?",
        (READER_VERSION, COPY, IMAGE, folder),
    )
    return {name: tuple(row) for name, *row in rows}
