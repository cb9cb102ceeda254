"""SEG, RTSTRUCT, SR, PR and KO: kept once, and linked to the volumes that they refer to.

An object may come before, with or after its images; links are made whenever either comes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Sequence

from carez_desktop.domain.study import ReferencedObject
from carez_desktop.library.path_columns import split_path
from carez_desktop.library.volume_rows import chunks, object_from, paths_of, to_json


def keep_objects(
    connection: sqlite3.Connection, objects: Iterable[ReferencedObject]
) -> tuple[int, ...]:
    """Insert objects or replace them; their files are known already. Returns their ids."""
    kept = []
    for item in objects:
        folder, name = split_path(item.path)
        row = connection.execute(
            "SELECT instances.id FROM folders JOIN instances ON folder = folders.id "
            "WHERE path = ? AND name = ?",
            (folder, name),
        ).fetchone()
        if row is None:
            continue
        connection.execute("DELETE FROM objects WHERE instance = ?", row)
        number = connection.execute(
            "INSERT INTO objects (instance, record) VALUES (?, ?)", (*row, to_json(item))
        ).lastrowid
        connection.executemany(
            "INSERT OR IGNORE INTO object_references VALUES (?, ?)",
            [(uid, number) for uid in item.references],
        )
        kept.append(int(number or 0))
    return tuple(kept)


def link_objects(
    connection: sqlite3.Connection, series_ids: Iterable[int], object_ids: Sequence[int]
) -> None:
    """Link the volumes of series anew, and objects to whatever they refer to.

    Args:
        connection: In a transaction.
        series_ids: Series whose volumes were written.
        object_ids: Objects that were written.
    """
    if connection.execute("SELECT 1 FROM object_references LIMIT 1").fetchone() is None:
        return
    wanted = set(series_ids)
    for chunk, marks in chunks(object_ids):
        for column, table in (
            ("series.id", "series ON series_instance_uid = uid"),
            ("series", "instances ON sop_instance_uid = uid AND sop_instance_uid != ''"),
        ):
            query = (
                f"SELECT DISTINCT {column} FROM object_references JOIN {table} "  # noqa: S608
                f"WHERE object IN ({marks})"
            )
            wanted.update(found for (found,) in connection.execute(query, chunk) if found)
    for series in sorted(wanted):
        _link_series(connection, series)


def unlinked_objects(connection: sqlite3.Connection) -> tuple[ReferencedObject, ...]:
    """Return the objects that refer to nothing that the library has."""
    rows = connection.execute(
        "SELECT record FROM objects WHERE id NOT IN (SELECT object FROM volume_objects) ORDER BY id"
    )
    return tuple(object_from(record) for (record,) in rows)


def _link_series(connection: sqlite3.Connection, series: int) -> None:
    volumes = connection.execute(
        "SELECT id, paths FROM volumes WHERE series = ?", (series,)
    ).fetchall()
    connection.executemany(
        "DELETE FROM volume_objects WHERE volume = ?", [(number,) for number, _ in volumes]
    )
    whole = [
        number
        for (number,) in connection.execute(
            "SELECT object FROM object_references "
            "JOIN series ON series_instance_uid = uid WHERE series.id = ?",
            (series,),
        )
    ]
    links = {(volume, number) for volume, _ in volumes for number in whole}
    parts = connection.execute(
        "SELECT path, name, object FROM instances "
        "JOIN object_references ON uid = sop_instance_uid "
        "JOIN folders ON folders.id = folder WHERE series = ? AND sop_instance_uid != ''",
        (series,),
    ).fetchall()
    if parts:
        links |= _part_links(volumes, parts)
    connection.executemany("INSERT OR IGNORE INTO volume_objects VALUES (?, ?)", sorted(links))


def _part_links(
    volumes: Collection[tuple[int, str]], parts: Collection[tuple[str | bytes, str | bytes, int]]
) -> set[tuple[int, int]]:
    """Link volumes whose files are named one by one."""
    owners: dict[tuple[str | bytes, str | bytes], set[int]] = {}
    for volume, paths in volumes:
        for path in set(paths_of(paths)):
            owners.setdefault(split_path(path), set()).add(volume)
    return {
        (volume, number)
        for folder, name, number in parts
        for volume in owners.get((folder, name), ())
    }
