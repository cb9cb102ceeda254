"""Labels and tags: rows keyed by what they hold for, and their copies beside each volume.

A label holds for a patient, a study, a series or a volume, whichever key its table had, and so
also for what is imported later. The finer key wins.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from carez_desktop.domain.label_table import KEYS
from carez_desktop.domain.study import VolumeRecord
from carez_desktop.library.volume_rows import chunks, to_json

_COARSE_TO_FINE = tuple(reversed(KEYS))


def labels_for(
    connection: sqlite3.Connection, records: Sequence[VolumeRecord]
) -> dict[str, dict[str, str]]:
    """Return volume_id -> labels that hold for it; nothing for volumes without any."""
    if connection.execute("SELECT 1 FROM labels LIMIT 1").fetchone() is None:
        return {}
    found: dict[str, dict[str, str]] = {}
    for key in _COARSE_TO_FINE:
        by_value: dict[str, list[str]] = {}
        for record in records:
            by_value.setdefault(str(getattr(record, key)), []).append(record.volume_id)
        by_value.pop("", None)
        for chunk, marks in chunks(sorted(by_value)):
            query = (
                "SELECT key_value, name, value FROM labels "  # noqa: S608
                f"WHERE key = ? AND key_value IN ({marks})"
            )
            for value, name, label in connection.execute(query, (key, *chunk)):
                for volume_id in by_value[value]:
                    found.setdefault(volume_id, {})[name] = label
    return {volume_id: dict(sorted(labels.items())) for volume_id, labels in found.items()}


def tags_for(
    connection: sqlite3.Connection, volume_ids: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """Return volume_id -> tags, sorted; nothing for volumes without any."""
    found: dict[str, tuple[str, ...]] = {}
    for chunk, marks in chunks(volume_ids):
        query = f"SELECT volume_id, tag FROM tags WHERE volume_id IN ({marks}) ORDER BY tag"  # noqa: S608
        for volume_id, tag in connection.execute(query, chunk):
            found[volume_id] = (*found.get(volume_id, ()), tag)
    return found


def keep_labels(
    connection: sqlite3.Connection, key: str, rows: Mapping[str, Mapping[str, str]]
) -> None:
    """Insert labels, over those of the same key and name."""
    connection.executemany(
        "INSERT OR REPLACE INTO labels VALUES (?, ?, ?, ?)", _label_values(key, rows)
    )


def drop_labels(
    connection: sqlite3.Connection, key: str, rows: Mapping[str, Mapping[str, str]]
) -> int:
    """Delete labels that are as given; one that was changed since stays. Returns how many."""
    cursor = connection.executemany(
        "DELETE FROM labels WHERE key = ? AND key_value = ? AND name = ? AND value = ?",
        _label_values(key, rows),
    )
    return cursor.rowcount


def volumes_with_key(
    connection: sqlite3.Connection, key: str, values: Sequence[str]
) -> dict[str, list[str]]:
    """Return key value -> volume ids; values that fit no volume are left out.

    Args:
        connection: Of the library.
        key: One of `KEYS`.
        values: What the key may be.
    """
    if key not in KEYS:
        raise ValueError(key)
    found: dict[str, list[str]] = {}
    for chunk, marks in chunks(values):
        query = (
            f"SELECT {key}, volume_id FROM volumes WHERE {key} IN ({marks}) "  # noqa: S608
            "ORDER BY volume_id"
        )
        for value, volume_id in connection.execute(query, chunk):
            found.setdefault(value, []).append(volume_id)
    return found


def keep_tags(
    connection: sqlite3.Connection, volume_ids: Iterable[str], tags: Collection[str]
) -> None:
    """Put tags on volumes."""
    connection.executemany(
        "INSERT OR IGNORE INTO tags VALUES (?, ?)",
        [(volume_id, tag) for volume_id in volume_ids for tag in tags],
    )


def drop_tags(
    connection: sqlite3.Connection, volume_ids: Iterable[str], tags: Collection[str]
) -> None:
    """Take tags off volumes."""
    connection.executemany(
        "DELETE FROM tags WHERE volume_id = ? AND tag = ?",
        [(volume_id, tag) for volume_id in volume_ids for tag in tags],
    )


def all_tags(connection: sqlite3.Connection) -> dict[str, int]:
    """Return each tag and how many volumes carry it."""
    rows = connection.execute(
        "SELECT tag, count(*) FROM tags JOIN volumes USING (volume_id) GROUP BY tag ORDER BY tag"
    )
    return dict(rows.fetchall())


def refresh(
    connection: sqlite3.Connection, records: Sequence[VolumeRecord]
) -> tuple[VolumeRecord, ...]:
    """Bring the copies beside volumes and their search words up to date.

    Args:
        connection: In a transaction.
        records: Volumes whose labels or tags may have changed.

    Returns:
        Those that are other now, as they are now.
    """
    labels = labels_for(connection, records)
    tags = tags_for(connection, [record.volume_id for record in records])
    changed = []
    for record in records:
        now = replace(
            record,
            labels=labels.get(record.volume_id, {}),
            tags=tags.get(record.volume_id, ()),
        )
        if (now.labels, now.tags) == (dict(record.labels), record.tags):
            continue
        connection.execute(
            "UPDATE volumes SET labels = ?, tags = ? WHERE volume_id = ?",
            (json.dumps(now.labels), to_json(now.tags), now.volume_id),
        )
        connection.execute(
            "UPDATE volume_text SET label = ?, tag = ? "
            "WHERE rowid = (SELECT id FROM volumes WHERE volume_id = ?)",
            (" ".join(now.labels.values()), " ".join(now.tags), now.volume_id),
        )
        changed.append(now)
    return tuple(changed)


def _label_values(
    key: str, rows: Mapping[str, Mapping[str, str]]
) -> list[tuple[str, str, str, str]]:
    return [
        (key, value, name, label)
        for value, labels in rows.items()
        for name, label in labels.items()
    ]
