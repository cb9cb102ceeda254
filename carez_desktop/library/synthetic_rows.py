"""What was made here: issued UIDs and pixel digests, by which it is known again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from carez_desktop.library.volume_rows import chunks


def issue_uids(connection: sqlite3.Connection, uids: Iterable[str], purpose: str) -> None:
    """Remember UIDs under which synthetic images left."""
    connection.executemany(
        "INSERT OR REPLACE INTO issued_uids VALUES (?, ?)", [(uid, purpose) for uid in uids]
    )


def issued_uids(connection: sqlite3.Connection, uids: Iterable[str]) -> frozenset[str]:
    """Return those of the given UIDs that were issued for synthetic images."""
    if connection.execute("SELECT 1 FROM issued_uids LIMIT 1").fetchone() is None:
        return frozenset()
    found: set[str] = set()
    for chunk, marks in chunks(sorted(set(uids))):
        query = f"SELECT uid FROM issued_uids WHERE uid IN ({marks})"  # noqa: S608
        found.update(uid for (uid,) in connection.execute(query, chunk))
    return frozenset(found)


def series_with_issued_uids(
    connection: sqlite3.Connection, series_ids: Sequence[int]
) -> tuple[str, ...]:
    """Return the keys of series with real volumes of which a UID was issued here since."""
    if connection.execute("SELECT 1 FROM issued_uids LIMIT 1").fetchone() is None:
        return ()
    found: set[str] = set()
    for chunk, marks in chunks(series_ids):
        query = (
            "SELECT DISTINCT series_instance_uid FROM volumes "  # noqa: S608
            f"WHERE kind = 'real' AND series IN ({marks}) AND ("
            "series_instance_uid IN (SELECT uid FROM issued_uids) "
            "OR study_instance_uid IN (SELECT uid FROM issued_uids) "
            "OR EXISTS (SELECT 1 FROM instances JOIN issued_uids ON uid = sop_instance_uid "
            "WHERE instances.series = volumes.series))"
        )
        found.update(key for (key,) in connection.execute(query, chunk))
    return tuple(sorted(found))


def remember_digest(
    connection: sqlite3.Connection, sha256: str, shape: Sequence[int], origin: str
) -> None:
    """Remember the pixels of a synthetic volume."""
    connection.execute(
        "INSERT OR REPLACE INTO synthetic_digests VALUES (?, ?, ?)",
        (sha256, shape_text(shape), origin),
    )


def shape_text(shape: Sequence[int]) -> str:
    """Return `3x4x5`."""
    return "x".join(str(int(extent)) for extent in shape)
