"""What one import changes, written in one transaction."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from carez_desktop.domain.study import (
    InstanceHeader,
    ReferencedObject,
    UnreadableFile,
    VolumeRecord,
)
from carez_desktop.library.gone_files import refresh_gone
from carez_desktop.library.header_blob import pack_headers
from carez_desktop.library.instance_rows import (
    FileRow,
    forget_files,
    keep_files,
    mark_gone,
    mark_there,
    series_of_files,
)
from carez_desktop.library.label_rows import labels_for, tags_for
from carez_desktop.library.object_rows import keep_objects, link_objects
from carez_desktop.library.path_columns import to_column
from carez_desktop.library.search import FIELDS, search_columns
from carez_desktop.library.volume_rows import chunks, paths_text, record_text, to_json
from carez_desktop.progress import NEVER, CancellationToken

if TYPE_CHECKING:
    from carez_desktop.library.database import Database

STAND_IN = "simulated_stand_in"
_REVISION = "revision"


@dataclass(frozen=True, slots=True)
class SeriesChange:
    """A series as it shall be.

    Attributes:
        key: Series Instance UID, or what stands for it.
        records: All its volumes; none deletes the series.
        headers: Of all its images; None where none are known (NIfTI, NRRD).
    """

    key: str
    records: tuple[VolumeRecord, ...]
    headers: tuple[InstanceHeader, ...] | None = None


@dataclass(frozen=True, slots=True)
class ImportChange:
    """All that one import changes.

    Attributes:
        revision: As `revision_of` was when the series were read; None writes over whatever is.
        forget: Files that are known elsewhere now, or are no images any more.
        gone: Ids of files that are not there. returned: Ids of files that are there again.
        when: ISO time, for files that are gone.
        stand_in: From now on simulated studies play real here.
    """

    series: tuple[SeriesChange, ...] = ()
    files: tuple[FileRow, ...] = ()
    objects: tuple[ReferencedObject, ...] = ()
    unreadable: tuple[UnreadableFile, ...] = ()
    forget: tuple[str, ...] = ()
    gone: tuple[int, ...] = ()
    returned: tuple[int, ...] = ()
    revision: int | None = None
    when: str = ""
    stand_in: bool = False


def revision_of(connection: sqlite3.Connection) -> int:
    """Return a number that grows whenever series change."""
    row = connection.execute("SELECT value FROM facts WHERE key = ?", (_REVISION,)).fetchone()
    return int(row[0]) if row else 0


def next_revision(connection: sqlite3.Connection) -> None:
    """Say that series changed."""
    connection.execute(
        "INSERT OR REPLACE INTO facts VALUES (?, ?)",
        (_REVISION, str(revision_of(connection) + 1)),
    )


def write_import(
    database: Database, change: ImportChange, cancel: CancellationToken = NEVER
) -> bool:
    """Write all of a change, or nothing.

    What takes long (encoding, compressing) is done before the write lock is taken.

    Returns:
        Whether it was written: not if series changed since `change.revision`, so that the change
        has to be worked out anew.

    Raises:
        CancelledError: Asked to stop at any series; the library is as it was.
    """
    prepared = []
    for item in change.series:
        cancel.raise_if_cancelled()
        prepared.append(_prepare(item))
    with database.writing() as connection:
        now = revision_of(connection)
        if change.revision is not None and now != change.revision:
            return False
        if change.series or change.objects or change.forget:
            next_revision(connection)
        if change.stand_in:
            connection.execute("INSERT OR REPLACE INTO facts VALUES (?, 'yes')", (STAND_IN,))
        _write(connection, change, prepared, cancel)
    return True


@dataclass(frozen=True, slots=True)
class _PreparedVolume:
    record: VolumeRecord
    record_text: str
    paths_text: str
    content: str


@dataclass(frozen=True, slots=True)
class _PreparedSeries:
    key: str
    volumes: tuple[_PreparedVolume, ...]
    headers: bytes | None


def _prepare(change: SeriesChange) -> _PreparedSeries:
    facts = {
        header.path: (header.sop_instance_uid, header.file_size, header.modified_ns)
        for header in change.headers or ()
    }
    return _PreparedSeries(
        change.key,
        tuple(
            _PreparedVolume(
                record, record_text(record), paths_text(record), _content_of(record, facts)
            )
            for record in change.records
        ),
        None if change.headers is None else pack_headers(change.headers),
    )


def _content_of(record: VolumeRecord, facts: Mapping[str, tuple[str, int, int]]) -> str:
    """Return a digest that stays while the pixels do; "" where that is not known.

    A file that moved keeps SOP Instance UID, size and time.
    """
    if record.source_format != "dicom":
        return record.volume_id  # it names the file by its bytes
    digest = hashlib.sha256()
    for index, path in enumerate(record.paths):
        known = facts.get(path)
        if known is None:
            return ""
        frame = record.frame_indices[index] if record.frame_indices else 0
        digest.update(f"{known[0]}|{known[1]}|{known[2]}|{frame}\n".encode())
    return digest.hexdigest()


def _write(
    connection: sqlite3.Connection,
    change: ImportChange,
    prepared: Sequence[_PreparedSeries],
    cancel: CancellationToken,
) -> None:
    forget_files(connection, change.forget)
    series_ids: dict[str, int] = {}
    known = _any_known(connection, [item.key for item in prepared])
    for item in prepared:
        cancel.raise_if_cancelled()
        if item.volumes:
            series_ids[item.key] = _keep_series(connection, item)
        else:
            delete_series(connection, [item.key])
    keep_files(connection, change.files, series_ids)
    connection.execute(
        "DELETE FROM objects WHERE EXISTS "
        "(SELECT 1 FROM instances WHERE id = instance AND role != 'object')"
    )
    objects = keep_objects(connection, change.objects)
    link_objects(connection, series_ids.values(), objects)
    mark_gone(connection, change.gone, change.when)
    mark_there(connection, change.returned)
    moved = series_of_files(connection, [*change.gone, *change.returned])
    refresh_gone(connection, sorted(moved | set(series_ids.values())))
    _note_unreadable(connection, change)
    if known or len(series_ids) < len(prepared):
        drop_empty_levels(connection)
    cancel.raise_if_cancelled()


def _any_known(connection: sqlite3.Connection, keys: Sequence[str]) -> bool:
    return any(
        connection.execute(
            f"SELECT 1 FROM series WHERE series_instance_uid IN ({marks}) LIMIT 1",  # noqa: S608
            chunk,
        ).fetchone()
        for chunk, marks in chunks(keys)
    )


def _note_unreadable(connection: sqlite3.Connection, change: ImportChange) -> None:
    readable = [
        *(file.path for file in change.files),
        *(path for item in change.series for record in item.records for path in record.paths),
        *change.forget,
    ]
    if connection.execute("SELECT 1 FROM unreadable_files LIMIT 1").fetchone() is not None:
        connection.executemany(
            "DELETE FROM unreadable_files WHERE path = ?",
            [(to_column(path),) for path in dict.fromkeys(readable)],
        )
    connection.executemany(
        "INSERT OR REPLACE INTO unreadable_files VALUES (?, ?, ?)",
        [
            (to_column(item.path), item.reason, item.series_instance_uid)
            for item in change.unreadable
        ],
    )


def _keep_series(connection: sqlite3.Connection, item: _PreparedSeries) -> int:
    first = item.volumes[0].record
    study = _study_of(connection, first, item.key)
    connection.execute(
        "INSERT INTO series (series_instance_uid, study, modality, description, headers) "
        "VALUES (?, ?, ?, ?, ?) ON CONFLICT (series_instance_uid) DO UPDATE SET "
        "study = excluded.study, modality = excluded.modality, "
        "description = excluded.description, headers = excluded.headers",
        (item.key, study, first.modality, first.description, item.headers),
    )
    series = int(
        connection.execute(
            "SELECT id FROM series WHERE series_instance_uid = ?", (item.key,)
        ).fetchone()[0]
    )
    known = {
        volume_id: (number, content)
        for number, volume_id, content in connection.execute(
            "SELECT id, volume_id, content FROM volumes WHERE series = ?", (series,)
        )
    }
    records = [volume.record for volume in item.volumes]
    gone = set(known) - {record.volume_id for record in records}
    delete_volumes(connection, [known[volume_id][0] for volume_id in gone])
    _keep_own_labels(connection, records)
    labels = labels_for(connection, records)
    tags = tags_for(connection, [record.volume_id for record in records])
    for volume in item.volumes:
        volume_id = volume.record.volume_id
        _keep_volume(
            connection,
            *(volume, series, item.key, known.get(volume_id)),
            *(labels.get(volume_id, {}), tags.get(volume_id, ())),
        )
    return series


def _keep_own_labels(connection: sqlite3.Connection, records: Sequence[VolumeRecord]) -> None:
    connection.executemany(
        "INSERT OR REPLACE INTO labels VALUES ('volume_id', ?, ?, ?)",
        [(r.volume_id, name, label) for r in records for name, label in r.labels.items()],
    )
    connection.executemany(
        "INSERT OR IGNORE INTO tags VALUES (?, ?)",
        [(r.volume_id, tag) for r in records for tag in r.tags],
    )


def _study_of(connection: sqlite3.Connection, record: VolumeRecord, key: str) -> int:
    connection.execute(
        "INSERT OR IGNORE INTO patients (patient_id) VALUES (?)", (record.patient_id,)
    )
    uid = record.study_instance_uid or key
    date = str(record.attributes.get("study_date") or "")
    text = str(record.attributes.get("study_description") or "")
    connection.execute(
        "INSERT INTO studies (study_instance_uid, patient, study_date, description) "
        "SELECT ?, id, ?, ? FROM patients WHERE patient_id = ? "
        "ON CONFLICT (study_instance_uid, patient) DO UPDATE SET "
        "study_date = excluded.study_date, description = excluded.description",
        (uid, date, text, record.patient_id),
    )
    found = connection.execute(
        "SELECT studies.id FROM studies JOIN patients ON patients.id = patient "
        "WHERE study_instance_uid = ? AND patient_id = ?",
        (uid, record.patient_id),
    ).fetchone()
    return int(found[0])


def _keep_volume(
    connection: sqlite3.Connection,
    volume: _PreparedVolume,
    series: int,
    key: str,
    known: tuple[int, str] | None,
    labels: Mapping[str, str],
    tags: Collection[str],
) -> None:
    record = volume.record
    values = (
        *(key, record.study_instance_uid, record.patient_id),
        *(str(record.attributes.get("study_date") or ""), record.modality, record.kind.value),
        *(volume.record_text, volume.paths_text, series, to_json(dict(labels)), to_json([*tags])),
        *(volume.content, record.volume_id),
    )
    if known is None:
        number = connection.execute(_INSERT, values).lastrowid
    else:
        number, content = known
        connection.execute(_UPDATE, values)
        connection.execute("DELETE FROM volume_text WHERE rowid = ?", (number,))
        if not content or content != volume.content:
            for table in ("thumbnails", "pixel_digests"):
                connection.execute(
                    f"DELETE FROM {table} WHERE volume_id = ?",  # noqa: S608
                    (record.volume_id,),
                )
    connection.execute(_INSERT_TEXT, (number, *search_columns(record, labels, [*tags])))


_NAMES = (
    *("series_instance_uid", "study_instance_uid", "patient_id", "study_date", "modality", "kind"),
    *("record", "paths", "series", "labels", "tags", "content", "volume_id"),
)
_INSERT = f"INSERT INTO volumes ({', '.join(_NAMES)}) VALUES ({', '.join('?' * len(_NAMES))})"  # noqa: S608
_UPDATE = (
    f"UPDATE volumes SET {', '.join(f'{name} = ?' for name in _NAMES[:-1])} "  # noqa: S608
    "WHERE volume_id = ?"
)
_INSERT_TEXT = (
    f"INSERT INTO volume_text (rowid, {', '.join(FIELDS)}) "  # noqa: S608
    f"VALUES (?, {', '.join('?' * len(FIELDS))})"
)


def delete_volumes(connection: sqlite3.Connection, ids: Sequence[int]) -> None:
    """Delete volumes with their search words; thumbnails, digests and links go with them."""
    for chunk, marks in chunks(ids):
        connection.execute(f"DELETE FROM volume_text WHERE rowid IN ({marks})", chunk)  # noqa: S608
        connection.execute(f"DELETE FROM volumes WHERE id IN ({marks})", chunk)  # noqa: S608


def delete_series(connection: sqlite3.Connection, keys: Sequence[str]) -> None:
    """Delete series with their volumes and the rows of their files."""
    for chunk, marks in chunks(keys):
        where = f"SELECT id FROM series WHERE series_instance_uid IN ({marks})"  # noqa: S608
        volumes = connection.execute(
            f"SELECT id FROM volumes WHERE series IN ({where})",  # noqa: S608
            chunk,
        ).fetchall()
        delete_volumes(connection, [number for (number,) in volumes])
        connection.execute(f"DELETE FROM series WHERE id IN ({where})", chunk)  # noqa: S608


def drop_empty_levels(connection: sqlite3.Connection) -> None:
    """Delete studies without series and patients without studies."""
    connection.execute(
        "DELETE FROM studies WHERE NOT EXISTS (SELECT 1 FROM series WHERE study = studies.id)"
    )
    connection.execute(
        "DELETE FROM patients WHERE NOT EXISTS (SELECT 1 FROM studies WHERE patient = patients.id)"
    )
