"""What leaves the library: volumes, series, studies or patients, with all that hangs on them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from carez_desktop.domain.study import VolumeRecord
from carez_desktop.library.header_blob import pack_headers, unpack_headers
from carez_desktop.library.import_rows import (
    delete_series,
    delete_volumes,
    drop_empty_levels,
    next_revision,
)
from carez_desktop.library.instance_rows import forget_files
from carez_desktop.library.path_columns import from_column, join_path, to_column
from carez_desktop.library.volume_rows import chunks, object_from, series_key

if TYPE_CHECKING:
    from carez_desktop.library.database import Database


@dataclass(frozen=True, slots=True)
class Deletion:
    """What a deletion takes away.

    Attributes:
        volumes: As they were.
        objects: Files of SEG, SR and the like that referred to nothing else.
        files: Every file of these volumes and objects.
    """

    volumes: tuple[VolumeRecord, ...]
    objects: tuple[str, ...]
    files: tuple[str, ...]


def plan_deletion(database: Database, records: Sequence[VolumeRecord]) -> Deletion:
    """Work out what goes with volumes, without deleting anything."""
    with database.reading() as connection:
        objects = _objects_only_of(connection, [record.volume_id for record in records])
        files = _files_of_whole_series(connection)
    files |= {path for record in records for path in record.paths}
    return Deletion(tuple(records), objects, tuple(sorted(files | set(objects))))


def delete(database: Database, deletion: Deletion, managed: Iterable[str]) -> None:
    """Delete the rows of volumes; their labels and tags go too, frozen cohorts stay.

    Args:
        database: Of the library.
        deletion: From `plan_deletion`.
        managed: Files of our own that are to be deleted afterwards; they are written down, so
            that a kill between leaves none.
    """
    by_series: dict[str, list[VolumeRecord]] = {}
    for record in deletion.volumes:
        by_series.setdefault(series_key(record), []).append(record)
    with database.writing() as connection:
        connection.execute("PRAGMA secure_delete = ON")
        for key, records in by_series.items():
            _delete_of_series(connection, key, records)
        forget_files(connection, deletion.objects)
        drop_empty_levels(connection)
        _drop_labels(connection, deletion.volumes)
        connection.executemany(
            "INSERT OR IGNORE INTO files_to_delete VALUES (?)",
            [(to_column(path),) for path in managed],
        )
        next_revision(connection)
        connection.execute("PRAGMA secure_delete = OFF")


def files_to_delete(database: Database) -> tuple[str, ...]:
    """Return the files of our own that still have to go."""
    with database.reading() as connection:
        rows = connection.execute("SELECT path FROM files_to_delete").fetchall()
    return tuple(from_column(path) for (path,) in rows)


def files_deleted(database: Database, paths: Iterable[str]) -> None:
    """Note that files of our own are gone."""
    values = [(to_column(path),) for path in paths]
    if values:
        with database.writing() as connection:
            connection.executemany("DELETE FROM files_to_delete WHERE path = ?", values)


def _delete_of_series(
    connection: sqlite3.Connection, key: str, records: Sequence[VolumeRecord]
) -> None:
    """Delete the volumes of a series, and the series with the last of them."""
    ids: list[int] = []
    for chunk, marks in chunks([record.volume_id for record in records]):
        query = f"SELECT id FROM volumes WHERE volume_id IN ({marks})"  # noqa: S608
        ids += [number for (number,) in connection.execute(query, chunk)]
    delete_volumes(connection, ids)
    left = connection.execute(
        "SELECT paths FROM volumes WHERE series_instance_uid = ? LIMIT 1", (key,)
    ).fetchone()
    if left is None:
        delete_series(connection, [key])
        return
    slices = {record.frame_of(index) for record in records for index in range(len(record.paths))}
    _drop_headers(connection, key, slices)


def _drop_headers(connection: sqlite3.Connection, key: str, slices: set[tuple[str, int]]) -> None:
    """Forget the images of deleted volumes, so that the next import finds them new."""
    blob = connection.execute(
        "SELECT headers FROM series WHERE series_instance_uid = ?", (key,)
    ).fetchone()[0]
    gone = {path for path, _ in slices}
    if blob is not None:
        headers = unpack_headers(blob)
        # A cine is one header of many frames.
        kept = [header for header in headers if (header.path, header.frame_index) not in slices]
        gone -= {header.path for header in kept}
        connection.execute(
            "UPDATE series SET headers = ? WHERE series_instance_uid = ?",
            (pack_headers(kept), key),
        )
    forget_files(connection, sorted(gone))


def _objects_only_of(connection: sqlite3.Connection, volume_ids: Sequence[str]) -> tuple[str, ...]:
    """Return the files of objects that are linked to these volumes and to no others."""
    connection.execute("CREATE TEMP TABLE IF NOT EXISTS leaving (id INTEGER PRIMARY KEY)")
    connection.execute("DELETE FROM leaving")
    for chunk, marks in chunks(volume_ids):
        query = f"INSERT INTO leaving SELECT id FROM volumes WHERE volume_id IN ({marks})"  # noqa: S608
        connection.execute(query, chunk)
    rows = connection.execute(
        "SELECT DISTINCT record FROM volume_objects JOIN objects ON objects.id = object "
        "WHERE volume IN (SELECT id FROM leaving) AND NOT EXISTS ("
        "SELECT 1 FROM volume_objects AS other WHERE other.object = objects.id "
        "AND other.volume NOT IN (SELECT id FROM leaving))"
    ).fetchall()
    return tuple(sorted(object_from(record).path for (record,) in rows))


def _files_of_whole_series(connection: sqlite3.Connection) -> set[str]:
    """Return the files of series that leave with all their volumes: duplicates are in none."""
    rows = connection.execute(
        "SELECT path, name FROM instances JOIN folders ON folders.id = folder "
        "WHERE series IN (SELECT series FROM volumes WHERE id IN (SELECT id FROM leaving)) "
        "AND series NOT IN (SELECT series FROM volumes WHERE series IS NOT NULL "
        "AND id NOT IN (SELECT id FROM leaving) AND series IN "
        "(SELECT series FROM volumes WHERE id IN (SELECT id FROM leaving)))"
    )
    return {join_path(folder, name) for folder, name in rows}


def _drop_labels(connection: sqlite3.Connection, records: Sequence[VolumeRecord]) -> None:
    """Delete the labels and tags of what no longer has any volume."""
    connection.executemany(
        "DELETE FROM tags WHERE volume_id = ?", [(record.volume_id,) for record in records]
    )
    for key in ("volume_id", "series_instance_uid", "study_instance_uid", "patient_id"):
        values = {str(getattr(record, key)) for record in records}
        connection.executemany(
            "DELETE FROM labels WHERE key = ? AND key_value = ? "  # noqa: S608
            f"AND NOT EXISTS (SELECT 1 FROM volumes WHERE {key} = ?)",
            [(key, value, value) for value in sorted(values)],
        )
