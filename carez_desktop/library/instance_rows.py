"""Files that the library knows: where, how large, of which series, gone or there."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from carez_desktop.domain.study import InstanceHeader
from carez_desktop.library.header_blob import unpack_headers
from carez_desktop.library.path_columns import below, join_path, split_path
from carez_desktop.library.volume_rows import chunks

READER_VERSION = 1
"""Raised whenever reading a file yields other headers than before: known files are read again."""

IMAGE, OBJECT, VOLUME, COPY, OTHER = "image", "object", "volume", "copy", "other"


@dataclass(frozen=True, slots=True)
class FileRow:
    """One file as it was when it was read.

    Attributes:
        role: `image` (DICOM), `object` (SEG, SR, ...), `volume` (NIfTI, NRRD), `copy` of another
            volume file, `other` (nothing that is imported).
        series_key: Of an image or a volume file; "" otherwise.
    """

    path: str
    size: int
    modified_ns: int
    role: str
    sop_instance_uid: str = ""
    series_key: str = ""


def keep_files(
    connection: sqlite3.Connection, files: Iterable[FileRow], series_ids: Mapping[str, int]
) -> None:
    """Insert files or bring them up to date; all of them are there."""
    folders: dict[str | bytes, int] = {}
    rows = []
    for file in files:
        folder, name = split_path(file.path)
        number = folders.get(folder)
        if number is None:
            number = folders[folder] = _folder(connection, folder)
        rows.append(
            (
                *(number, name, file.size, file.modified_ns, READER_VERSION, file.role),
                *(file.sop_instance_uid, series_ids.get(file.series_key)),
            )
        )
    connection.executemany(
        "INSERT INTO instances "
        "(folder, name, size, modified_ns, reader, role, sop_instance_uid, series) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (folder, name) DO UPDATE SET "
        "size = excluded.size, modified_ns = excluded.modified_ns, reader = excluded.reader, "
        "role = excluded.role, sop_instance_uid = excluded.sop_instance_uid, "
        "series = excluded.series, missing_since = NULL",
        rows,
    )


def forget_files(connection: sqlite3.Connection, paths: Iterable[str]) -> None:
    """Delete the rows of files; objects among them go too."""
    connection.executemany(
        "DELETE FROM instances WHERE name = ? AND folder = (SELECT id FROM folders WHERE path = ?)",
        [tuple(reversed(split_path(path))) for path in paths],
    )


def mark_gone(connection: sqlite3.Connection, ids: Iterable[int], when: str) -> None:
    """Note that files are no longer there, since when at the latest."""
    connection.executemany(
        "UPDATE instances SET missing_since = ? WHERE id = ? AND missing_since IS NULL",
        [(when, number) for number in ids],
    )


def mark_there(connection: sqlite3.Connection, ids: Iterable[int]) -> None:
    """Note that files are there again."""
    connection.executemany(
        "UPDATE instances SET missing_since = NULL WHERE id = ?", [(number,) for number in ids]
    )


def series_of_files(connection: sqlite3.Connection, ids: Sequence[int]) -> set[int]:
    """Return the series that files belong to."""
    found: set[int] = set()
    for chunk, marks in chunks(ids):
        query = f"SELECT DISTINCT series FROM instances WHERE id IN ({marks})"  # noqa: S608
        found.update(series for (series,) in connection.execute(query, chunk) if series)
    return found


def files_below(connection: sqlite3.Connection, folder: str) -> list[tuple[int, str]]:
    """Return id and path of the files of a folder and all below it, those gone too."""
    condition, values = below(folder)
    rows = connection.execute(
        "SELECT instances.id, path, name FROM folders "  # noqa: S608
        f"JOIN instances ON folder = folders.id WHERE {condition}",
        values,
    )
    return [(number, join_path(place, name)) for number, place, name in rows]


def paths_with_uids(
    connection: sqlite3.Connection, uids: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """Return the known image files of SOP Instance UIDs."""
    found: dict[str, tuple[str, ...]] = {}
    for chunk, marks in chunks(uids):
        query = (
            "SELECT sop_instance_uid, path, name FROM instances "  # noqa: S608
            "JOIN folders ON folders.id = folder "
            f"WHERE sop_instance_uid != '' AND sop_instance_uid IN ({marks})"
        )
        for uid, folder, name in connection.execute(query, chunk):
            found[uid] = (*found.get(uid, ()), join_path(folder, name))
    return found


def series_of_paths(connection: sqlite3.Connection, paths: Iterable[str]) -> set[str]:
    """Return the keys of the series to which known files belong."""
    found: set[str] = set()
    for path in paths:
        folder, name = split_path(path)
        row = connection.execute(
            "SELECT series_instance_uid FROM instances JOIN folders ON folders.id = folder "
            "JOIN series ON series.id = series WHERE path = ? AND name = ?",
            (folder, name),
        ).fetchone()
        if row is not None:
            found.add(row[0])
    return found


def headers_of_series(
    connection: sqlite3.Connection, keys: Sequence[str]
) -> dict[str, tuple[InstanceHeader, ...]]:
    """Return the kept headers of known series; series without any are left out."""
    found = {}
    for chunk, marks in chunks(keys):
        query = (
            "SELECT series_instance_uid, headers FROM series "  # noqa: S608
            f"WHERE headers IS NOT NULL AND series_instance_uid IN ({marks})"
        )
        for key, blob in connection.execute(query, chunk):
            found[key] = unpack_headers(blob)
    return found


def unread_paths(connection: sqlite3.Connection, keys: Sequence[str]) -> tuple[str, ...]:
    """Return the image files of series whose headers are not kept, or of an older reader."""
    found = []
    for chunk, marks in chunks(keys):
        query = (
            "SELECT path, name FROM series JOIN instances ON instances.series = series.id "  # noqa: S608
            "JOIN folders ON folders.id = folder WHERE role = 'image' "
            "AND (headers IS NULL OR reader != ?) AND missing_since IS NULL "
            f"AND series_instance_uid IN ({marks})"
        )
        rows = connection.execute(query, (READER_VERSION, *chunk))
        found += [join_path(folder, name) for folder, name in rows]
    return tuple(found)


def _folder(connection: sqlite3.Connection, path: str | bytes) -> int:
    found = connection.execute("SELECT id FROM folders WHERE path = ?", (path,)).fetchone()
    if found is not None:
        return int(found[0])
    return int(connection.execute("INSERT INTO folders (path) VALUES (?)", (path,)).lastrowid or 0)
