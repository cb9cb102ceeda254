"""Cohorts to rows and back."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace

from carez_desktop.domain.cohort import Cohort, CohortMember


def save(connection: sqlite3.Connection, cohort: Cohort) -> Cohort:
    """Insert under the next version; an unchanged list returns the version that has it."""
    newest = load(connection, cohort.name, None)
    if newest is not None and (newest.sha256, newest.stand_in) == (cohort.sha256, cohort.stand_in):
        return newest
    kept = replace(cohort, version=1 if newest is None else newest.version + 1)
    cursor = connection.execute(
        "INSERT INTO cohorts (name, version, created_utc, stand_in, sha256) VALUES (?, ?, ?, ?, ?)",
        (kept.name, kept.version, kept.created_utc, int(kept.stand_in), kept.sha256),
    )
    connection.executemany(
        "INSERT INTO cohort_members VALUES (?, ?, ?, ?, ?, ?)",
        [
            (
                cursor.lastrowid,
                position,
                member.volume_id,
                member.patient_id,
                member.split,
                json.dumps(dict(member.labels), ensure_ascii=False, sort_keys=True),
            )
            for position, member in enumerate(kept.members)
        ],
    )
    return kept


def load(connection: sqlite3.Connection, name: str, version: int | None) -> Cohort | None:
    """Return one version of a cohort, the newest for None; None where there is none."""
    row = connection.execute(
        "SELECT id, name, version, created_utc, stand_in FROM cohorts "
        "WHERE name = ? AND (? IS NULL OR version = ?) ORDER BY version DESC LIMIT 1",
        (name, version, version),
    ).fetchone()
    return None if row is None else _from_row(connection, row)


def load_all(connection: sqlite3.Connection) -> tuple[Cohort, ...]:
    """Return every version of every cohort, by name and version."""
    rows = connection.execute(
        "SELECT id, name, version, created_utc, stand_in FROM cohorts ORDER BY name, version"
    ).fetchall()
    return tuple(_from_row(connection, row) for row in rows)


def names(connection: sqlite3.Connection) -> tuple[str, ...]:
    """Return the names of all cohorts."""
    rows = connection.execute("SELECT DISTINCT name FROM cohorts ORDER BY name")
    return tuple(name for (name,) in rows)


def _from_row(connection: sqlite3.Connection, row: tuple[int, str, int, str, int]) -> Cohort:
    key, name, version, created_utc, stand_in = row
    members = connection.execute(
        "SELECT volume_id, patient_id, split, labels FROM cohort_members "
        "WHERE cohort = ? ORDER BY position",
        (key,),
    )
    return Cohort(
        name,
        version,
        tuple(
            CohortMember(volume_id, patient_id, split, json.loads(labels))
            for volume_id, patient_id, split, labels in members
        ),
        created_utc,
        bool(stand_in),
    )
