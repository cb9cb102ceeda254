"""Tables of the library and the steps that bring an older file up to date."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime

from carez_desktop.errors import StorageError
from carez_desktop.library import migration_2

_VERSION_1 = (
    "CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE volumes (
        id INTEGER PRIMARY KEY,
        volume_id TEXT NOT NULL UNIQUE,
        series_instance_uid TEXT NOT NULL,
        study_instance_uid TEXT NOT NULL,
        patient_id TEXT NOT NULL,
        study_date TEXT NOT NULL,
        modality TEXT NOT NULL,
        kind TEXT NOT NULL,
        record TEXT NOT NULL,
        paths TEXT NOT NULL
    )""",
    "CREATE INDEX volumes_by_series ON volumes (series_instance_uid)",
    "CREATE INDEX volumes_by_study ON volumes (study_instance_uid)",
    "CREATE INDEX volumes_in_order ON volumes (patient_id, study_date, volume_id)",
    "CREATE INDEX volumes_by_kind ON volumes (kind)",
    """CREATE VIRTUAL TABLE volume_text USING fts5 (
        words, prefix = '1 2 3', tokenize = 'unicode61 remove_diacritics 2'
    )""",
    """CREATE TABLE thumbnails (
        volume_id TEXT PRIMARY KEY REFERENCES volumes (volume_id) ON DELETE CASCADE,
        png BLOB NOT NULL
    )""",
    """CREATE TABLE pixel_digests (
        volume_id TEXT PRIMARY KEY REFERENCES volumes (volume_id) ON DELETE CASCADE,
        sha256 TEXT NOT NULL
    )""",
    """CREATE TABLE synthetic_digests (
        sha256 TEXT PRIMARY KEY, shape TEXT NOT NULL, origin TEXT NOT NULL
    ) WITHOUT ROWID""",
    "CREATE INDEX synthetic_digests_by_shape ON synthetic_digests (shape)",
    """CREATE TABLE issued_uids (
        uid TEXT PRIMARY KEY, purpose TEXT NOT NULL
    ) WITHOUT ROWID""",
    """CREATE TABLE unreadable_files (
        path TEXT PRIMARY KEY, reason TEXT NOT NULL
    ) WITHOUT ROWID""",
    """CREATE TABLE cohorts (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        version INTEGER NOT NULL,
        created_utc TEXT NOT NULL,
        stand_in INTEGER NOT NULL,
        sha256 TEXT NOT NULL,
        UNIQUE (name, version)
    )""",
    """CREATE TABLE cohort_members (
        cohort INTEGER NOT NULL REFERENCES cohorts (id) ON DELETE CASCADE,
        position INTEGER NOT NULL,
        volume_id TEXT NOT NULL,
        patient_id TEXT NOT NULL,
        split TEXT NOT NULL,
        labels TEXT NOT NULL,
        PRIMARY KEY (cohort, position)
    ) WITHOUT ROWID""",
)

Step = tuple[tuple[str, ...], Callable[[sqlite3.Connection], None] | None]

MIGRATIONS: tuple[Step, ...] = (
    (_VERSION_1, None),
    (migration_2.STATEMENTS, migration_2.move_data),
)
"""What leads from version k to k + 1: statements, then data. A released step is never edited."""

SCHEMA_VERSION = len(MIGRATIONS)


def bring_up_to_date(connection: sqlite3.Connection, subject: str) -> None:
    """Create the tables or run the missing steps, all of them or none.

    Args:
        connection: In autocommit mode (`isolation_level` None).
        subject: The file, for the error.

    Raises:
        StorageError: For a library that a newer version of the program wrote.
    """
    if _version_of(connection, subject) == SCHEMA_VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Asked again under the write lock: another process may have been faster.
        found = _version_of(connection, subject)
        connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_version "
            "(version INTEGER PRIMARY KEY, applied_utc TEXT NOT NULL)"
        )
        for version in range(found, SCHEMA_VERSION):
            statements, move_data = MIGRATIONS[version]
            for statement in statements:
                connection.execute(statement)
            if move_data is not None:
                move_data(connection)
            connection.execute(
                "INSERT INTO schema_version VALUES (?, ?)",
                (version + 1, datetime.now(UTC).isoformat(timespec="seconds")),
            )
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _version_of(connection: sqlite3.Connection, subject: str) -> int:
    named = connection.execute(
        "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'schema_version'"
    ).fetchone()[0]
    if not named:
        return 0
    found = connection.execute("SELECT max(version) FROM schema_version").fetchone()[0] or 0
    if found > SCHEMA_VERSION:
        raise StorageError(
            f"The library has schema version {found}; this program knows {SCHEMA_VERSION}",
            subject=subject,
            hint="Start the newer Carez Desktop that wrote it, or choose another home with --home",
        )
    return int(found)
