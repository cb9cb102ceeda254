"""Volumes found, counted and updated."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from carez_desktop.domain.study import VolumeRecord
from carez_desktop.library.gone_files import FILES_GONE
from carez_desktop.library.label_rows import labels_for, tags_for
from carez_desktop.library.search import FIELDS, parse_query, search_columns
from carez_desktop.library.volume_rows import COLUMNS, Row, chunks, record_text, records_from_rows

_LARGEST_PAGE = 1000
_ORDER = "ORDER BY patient_id, study_date, volume_id"
_UIDS = ("volume_id", "volumes.series_instance_uid", "study_instance_uid")


@dataclass(frozen=True, slots=True)
class LibraryCounts:
    """How many there are of each level; instances are image files."""

    patients: int
    studies: int
    series: int
    instances: int
    volumes: int


def find_volumes(
    connection: sqlite3.Connection, search: str, *, limit: int | None, offset: int
) -> tuple[VolumeRecord, ...]:
    """Return the volumes that fit what is typed; all for nothing."""
    query = parse_query(search)
    if query.nothing:
        return ()
    page = (-1 if limit is None else limit, offset)
    rows = _found(connection, query.words, query.uids, page)
    return records_from_rows(connection, rows)


def _found(
    connection: sqlite3.Connection, words: str, uids: tuple[str, ...], page: tuple[int, int]
) -> list[Row]:
    if not words and not uids:
        query = f"SELECT {COLUMNS} FROM volumes {_ORDER} LIMIT ? OFFSET ?"  # noqa: S608
        return _fetch(connection, query, page)
    conditions, values = [], []
    for uid in uids:
        # What follows in a UID or volume id is a digit, a dot or a colon; `;` comes after those.
        conditions.append("(" + " OR ".join(f"{n} >= ? AND {n} < ?" for n in _UIDS) + ")")
        values += [uid, f"{uid};"] * len(_UIDS)
    if words:
        inner = "SELECT rowid AS found FROM volume_text"
        if uids:
            inner += " JOIN volumes ON volumes.id = volume_text.rowid"
        conditions.insert(0, "volume_text MATCH ?")
        values.insert(0, words)
        tail = " ORDER BY rowid LIMIT ? OFFSET ?"
    else:
        inner, tail = "SELECT id AS found FROM volumes", " LIMIT ? OFFSET ?"
    if words and uids:
        inner = inner.replace("rowid AS found", "volume_text.rowid AS found")
        tail = tail.replace("ORDER BY rowid", "ORDER BY volume_text.rowid")
    inner += f" WHERE {' AND '.join(conditions)}{tail}"
    query = f"SELECT {COLUMNS} FROM ({inner}) JOIN volumes ON volumes.id = found {_ORDER}"  # noqa: S608
    return _fetch(connection, query, (*values, *page))


def _fetch(connection: sqlite3.Connection, query: str, values: Sequence[object]) -> list[Row]:
    """Return the rows of a query that ends with limit and offset.

    A page comes as one value: for each row that is fetched a thread has to get the interpreter
    back, and while another thread imports that takes up to 5 ms each time.
    """
    limit = values[-2]
    if not isinstance(limit, int) or not 0 <= limit <= _LARGEST_PAGE:
        return connection.execute(query, values).fetchall()
    names = ", ".join(name.removeprefix("volumes.") for name in COLUMNS.split(", "))
    page = connection.execute(
        f"SELECT json_group_array(json_array({names})) FROM ({query})",  # noqa: S608
        values,
    ).fetchone()[0]
    return [tuple(row) for row in json.loads(page)]


def count_levels(connection: sqlite3.Connection) -> LibraryCounts:
    """Count patients, studies, series, image files and volumes."""

    def count(what: str) -> int:
        return int(connection.execute(f"SELECT count(*) FROM {what}").fetchone()[0])  # noqa: S608

    return LibraryCounts(
        count("patients"),
        count("studies"),
        count("series"),
        count("instances WHERE series IS NOT NULL"),
        count("volumes"),
    )


def update_volumes(connection: sqlite3.Connection, records: Iterable[VolumeRecord]) -> None:
    """Replace records by others of the same volume_id; labels, tags and files stay."""
    for record in records:
        own = as_imported(record)
        connection.execute(
            "UPDATE volumes SET modality = ?, kind = ?, record = ? WHERE volume_id = ?",
            (record.modality, record.kind.value, record_text(own), record.volume_id),
        )
        labels = labels_for(connection, [record]).get(record.volume_id, {})
        tags = tags_for(connection, [record.volume_id]).get(record.volume_id, ())
        connection.execute(
            f"UPDATE volume_text SET {', '.join(f'{name} = ?' for name in FIELDS)} "  # noqa: S608
            "WHERE rowid = (SELECT id FROM volumes WHERE volume_id = ?)",
            (*search_columns(record, labels, tags), record.volume_id),
        )


def as_imported(record: VolumeRecord) -> VolumeRecord:
    """Return a record without what the library itself adds when it hands it out."""
    kept = tuple(finding for finding in record.findings if finding.code != FILES_GONE)
    return replace(record, findings=kept, labels={}, tags=(), objects=())


def volumes_of(connection: sqlite3.Connection, series: Sequence[int]) -> tuple[VolumeRecord, ...]:
    """Return the volumes of series by patient, date and identifier."""
    found: list[Row] = []
    for chunk, marks in chunks(series):
        query = f"SELECT {COLUMNS} FROM volumes WHERE series IN ({marks})"  # noqa: S608
        found += connection.execute(query, chunk).fetchall()
    records = records_from_rows(connection, found)
    return tuple(sorted(records, key=listing_order))


def volumes_of_import(
    connection: sqlite3.Connection, keys: Sequence[str], series: Sequence[int]
) -> tuple[VolumeRecord, ...]:
    """Return the volumes of series named by their keys or their row numbers, in listing order."""
    numbers = set(series)
    for chunk, marks in chunks(keys):
        query = f"SELECT id FROM series WHERE series_instance_uid IN ({marks})"  # noqa: S608
        numbers.update(number for (number,) in connection.execute(query, chunk))
    return volumes_of(connection, sorted(numbers))


def series_keys(
    connection: sqlite3.Connection, series: Sequence[int], *, dicom_only: bool
) -> tuple[str, ...]:
    """Return the keys of series by their row numbers; only those with images on request."""
    found: list[str] = []
    condition = " AND headers IS NOT NULL" if dicom_only else ""
    for chunk, marks in chunks(series):
        query = f"SELECT series_instance_uid FROM series WHERE id IN ({marks}){condition}"  # noqa: S608
        found += [key for (key,) in connection.execute(query, chunk)]
    return tuple(found)


def listing_order(record: VolumeRecord) -> tuple[str, str, str]:
    """Return by what volumes are listed."""
    return (record.patient_id, str(record.attributes.get("study_date") or ""), record.volume_id)
