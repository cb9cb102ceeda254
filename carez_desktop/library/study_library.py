"""The study library: volumes with search, cohorts, thumbnails, digests, issued UIDs."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from carez_desktop.domain.cohort import Cohort
from carez_desktop.domain.study import UnreadableFile, VolumeRecord
from carez_desktop.domain.volume import VolumeKind
from carez_desktop.errors import NotFoundError
from carez_desktop.library import cohort_rows
from carez_desktop.library.database import Database
from carez_desktop.library.volume_rows import (
    match_expression,
    record_from_columns,
    record_to_columns,
    search_words,
    series_key,
)

LIBRARY_FILE = "library.sqlite3"

_STAND_IN = "simulated_stand_in"
_CHUNK = 500


class StudyLibrary:
    """What is known of the local studies; one SQLite file in a folder.

    Any thread may call any method, and several processes may use one folder at once. Every
    method that changes something is one transaction. The files of the studies are only named
    here, never touched.
    """

    def __init__(self, folder: Path) -> None:
        """Open the library of a folder, creating it where there is none.

        Raises:
            StorageError: On a network drive; locked, read-only, full, damaged, or written by a
                newer version.
        """
        self.folder = folder
        self._database = Database(folder / LIBRARY_FILE)

    @property
    def path(self) -> Path:
        """The SQLite file."""
        return self._database.path

    def close(self) -> None:
        """Close the connections of all threads; a later call opens new ones."""
        self._database.close()

    # Volumes

    def add_volumes(
        self, records: Iterable[VolumeRecord], unreadable: Iterable[UnreadableFile] = ()
    ) -> None:
        """Keep the records of one import; a series that was known before is replaced.

        Labels joined earlier stay where the new record brings none.

        Args:
            records: Volumes; several of one series belong into one call. Of two with one volume_id
                (copies of one file) the first is kept.
            unreadable: Files that could not be read, kept for the Library page.
        """
        by_id: dict[str, VolumeRecord] = {}
        for record in records:
            by_id.setdefault(record.volume_id, record)
        records = list(by_id.values())
        with self._database.writing() as connection:
            series = {series_key(record) for record in records}
            kept = _labels_of_series(connection, series)
            _delete_series(connection, series)
            for record in records:
                labelled = _with_labels(record, kept.get(record.volume_id, {}))
                _insert_volume(connection, labelled)
            _forget_readable(connection, records)
            connection.executemany(
                "INSERT OR REPLACE INTO unreadable_files VALUES (?, ?)",
                [(item.path, item.reason) for item in unreadable],
            )

    def volumes(
        self, search: str = "", *, limit: int | None = None, offset: int = 0
    ) -> tuple[VolumeRecord, ...]:
        """Return volumes by patient, date and identifier; those found, if something is searched.

        Args:
            search: Words as typed; each must begin a word of patient, descriptions, modality,
                manufacturer, body part, date, kind, label or UID.
            limit: At most so many; None for all. A search with a limit returns the first found
                in the order of import, sorted among themselves.
            offset: Skip so many first.
        """
        expression = match_expression(search)
        if expression:
            query = (
                "SELECT record, paths FROM (SELECT rowid FROM volume_text "
                "WHERE volume_text MATCH ? ORDER BY rowid LIMIT ? OFFSET ?) AS found "
                "JOIN volumes ON volumes.id = found.rowid "
                "ORDER BY patient_id, study_date, volume_id"
            )
            values: tuple[object, ...] = (expression, -1 if limit is None else limit, offset)
        else:
            query = (
                "SELECT record, paths FROM volumes "
                "ORDER BY patient_id, study_date, volume_id LIMIT ? OFFSET ?"
            )
            values = (-1 if limit is None else limit, offset)
        if search.strip() and not expression:
            return ()
        with self._database.reading() as connection:
            rows = connection.execute(query, values).fetchall()
        return tuple(record_from_columns(record, paths) for record, paths in rows)

    def volume(self, volume_id: str) -> VolumeRecord:
        """Return one volume.

        Raises:
            NotFoundError: Naming the volumes of the series where it splits into several.
        """
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT record, paths FROM volumes WHERE volume_id = ?", (volume_id,)
            ).fetchone()
            if row is not None:
                return record_from_columns(*row)
            parts = connection.execute(
                "SELECT volume_id FROM volumes WHERE series_instance_uid = ? ORDER BY volume_id",
                (volume_id,),
            ).fetchall()
        if parts:
            raise NotFoundError(
                f"The series has {len(parts)} volumes; name one of them",
                subject=volume_id,
                hint="Volumes: " + ", ".join(part for (part,) in parts[:8]),
            )
        raise NotFoundError(
            "The library has no such volume",
            subject=volume_id,
            hint="carez series lists the volumes; carez import brings in more",
        )

    def volumes_of_series(self, series_instance_uid: str) -> tuple[VolumeRecord, ...]:
        """Return the volumes of one series; none for a series that is not known."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT record, paths FROM volumes WHERE series_instance_uid = ? "
                "ORDER BY volume_id",
                (series_instance_uid,),
            ).fetchall()
        return tuple(record_from_columns(record, paths) for record, paths in rows)

    def count(self) -> int:
        """Return how many volumes the library knows."""
        with self._database.reading() as connection:
            return int(connection.execute("SELECT count(*) FROM volumes").fetchone()[0])

    def update_volumes(self, records: Iterable[VolumeRecord]) -> None:
        """Replace records by others of the same volume_id (labels, kind, findings).

        Thumbnails and pixel digests stay, because the pixels are the same.
        """
        with self._database.writing() as connection:
            for record in records:
                columns = record_to_columns(record)
                connection.execute(
                    "UPDATE volumes SET series_instance_uid = ?, study_instance_uid = ?, "
                    "patient_id = ?, study_date = ?, modality = ?, kind = ?, record = ?, paths = ? "
                    "WHERE volume_id = ?",
                    (*columns[1:], columns[0]),
                )
                connection.execute(
                    "UPDATE volume_text SET words = ? "
                    "WHERE rowid = (SELECT id FROM volumes WHERE volume_id = ?)",
                    (search_words(record), record.volume_id),
                )

    def unreadable_files(self) -> tuple[UnreadableFile, ...]:
        """Return the files that imports could not read, by path."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT path, reason FROM unreadable_files ORDER BY path")
            return tuple(UnreadableFile(path, reason) for path, reason in rows)

    # Thumbnails

    def thumbnail(self, volume_id: str) -> bytes | None:
        """Return the PNG of a volume, or None where none was made yet."""
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT png FROM thumbnails WHERE volume_id = ?", (volume_id,)
            ).fetchone()
        return None if row is None else bytes(row[0])

    def set_thumbnail(self, volume_id: str, png: bytes) -> None:
        """Keep the PNG of a known volume; one of an unknown volume is dropped."""
        with self._database.writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO thumbnails SELECT volume_id, ? FROM volumes "
                "WHERE volume_id = ?",
                (png, volume_id),
            )

    # What is synthetic

    @property
    def simulated_stand_in(self) -> bool:
        """Whether simulated studies play real in this home (DESIGN section 8)."""
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT value FROM facts WHERE key = ?", (_STAND_IN,)
            ).fetchone()
        return row is not None and row[0] == "yes"

    @simulated_stand_in.setter
    def simulated_stand_in(self, value: bool) -> None:
        with self._database.writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO facts VALUES (?, ?)", (_STAND_IN, "yes" if value else "no")
            )

    def issue_uids(self, uids: Iterable[str], purpose: str = "synthetic_case") -> None:
        """Remember UIDs under which synthetic images left, so that import knows them again."""
        with self._database.writing() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO issued_uids VALUES (?, ?)",
                [(uid, purpose) for uid in uids],
            )

    def issued_uids(self, uids: Iterable[str]) -> frozenset[str]:
        """Return those of the given UIDs that were issued for synthetic images."""
        found: set[str] = set()
        with self._database.reading() as connection:
            for chunk, marks in _chunks(sorted(set(uids))):
                query = f"SELECT uid FROM issued_uids WHERE uid IN ({marks})"  # noqa: S608
                found.update(uid for (uid,) in connection.execute(query, chunk))
        return frozenset(found)

    def remember_digest(
        self, sha256: str, *, shape: Sequence[int], origin: str = "synthetic_case"
    ) -> None:
        """Remember the pixels of a synthetic volume.

        Args:
            sha256: As `domain.pixel_identity.pixel_digest` gives it.
            shape: (slices, rows, columns); only volumes of this shape need be compared.
            origin: Bundle and case, for whoever asks why.
        """
        with self._database.writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO synthetic_digests VALUES (?, ?, ?)",
                (sha256, _shape_text(shape), origin),
            )

    def known_digest(self, sha256: str) -> str | None:
        """Return the origin of the synthetic volume with these pixels, or None."""
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT origin FROM synthetic_digests WHERE sha256 = ?", (sha256,)
            ).fetchone()
        return None if row is None else str(row[0])

    def has_synthetic_shape(self, shape: Sequence[int]) -> bool:
        """Whether a remembered synthetic volume has this (slices, rows, columns)."""
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT 1 FROM synthetic_digests WHERE shape = ? LIMIT 1", (_shape_text(shape),)
            ).fetchone()
        return row is not None

    def set_pixel_digest(self, volume_id: str, sha256: str) -> None:
        """Keep the digest of a known volume's pixels until the series is imported again."""
        with self._database.writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO pixel_digests SELECT volume_id, ? FROM volumes "
                "WHERE volume_id = ?",
                (sha256, volume_id),
            )

    def pixel_digest(self, volume_id: str) -> str | None:
        """Return the digest of a volume's pixels, or None where it was not computed yet."""
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT sha256 FROM pixel_digests WHERE volume_id = ?", (volume_id,)
            ).fetchone()
        return None if row is None else str(row[0])

    def kinds(self) -> Mapping[VolumeKind, int]:
        """Return how many volumes there are of each kind."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT kind, count(*) FROM volumes GROUP BY kind").fetchall()
        return {VolumeKind(kind): int(count) for kind, count in rows}

    # Cohorts

    def save_cohort(self, cohort: Cohort) -> Cohort:
        """Freeze a cohort under the next version of its name.

        The version it carries is ignored: two processes that freeze at once get two versions.
        A list equal to the newest version is not kept twice.

        Returns:
            The cohort as kept, with its version.
        """
        with self._database.writing() as connection:
            return cohort_rows.save(connection, cohort)

    def cohorts(self) -> tuple[Cohort, ...]:
        """Return every version of every cohort, by name and version."""
        with self._database.reading() as connection:
            return cohort_rows.load_all(connection)

    def cohort(self, name: str, version: int | None = None) -> Cohort:
        """Return a cohort; its newest version unless one is named.

        Raises:
            NotFoundError: Naming the cohorts that exist.
        """
        with self._database.reading() as connection:
            found = cohort_rows.load(connection, name, version)
            if found is None:
                names = cohort_rows.names(connection)
        if found is not None:
            return found
        raise NotFoundError(
            "There is no such cohort",
            subject=name if version is None else f"{name} version {version}",
            hint=f"Cohorts: {', '.join(names)}"
            if names
            else "Make one with carez cohort create NAME",
        )


def _shape_text(shape: Sequence[int]) -> str:
    return "x".join(str(int(extent)) for extent in shape)


def _chunks(values: Sequence[str]) -> Iterable[tuple[Sequence[str], str]]:
    """Cut a list to what one statement may bind, with its question marks."""
    for start in range(0, len(values), _CHUNK):
        chunk = values[start : start + _CHUNK]
        yield chunk, ",".join("?" * len(chunk))


def _labels_of_series(
    connection: sqlite3.Connection, series: set[str]
) -> dict[str, Mapping[str, str]]:
    kept: dict[str, Mapping[str, str]] = {}
    for chunk, marks in _chunks(sorted(series)):
        query = f"SELECT record, paths FROM volumes WHERE series_instance_uid IN ({marks})"  # noqa: S608
        for columns in connection.execute(query, chunk):
            record = record_from_columns(*columns)
            if record.labels:
                kept[record.volume_id] = record.labels
    return kept


def _delete_series(connection: sqlite3.Connection, series: set[str]) -> None:
    for chunk, marks in _chunks(sorted(series)):
        where = f"series_instance_uid IN ({marks})"
        connection.execute(
            f"DELETE FROM volume_text WHERE rowid IN (SELECT id FROM volumes WHERE {where})",  # noqa: S608
            chunk,
        )
        connection.execute(f"DELETE FROM volumes WHERE {where}", chunk)  # noqa: S608


def _with_labels(record: VolumeRecord, labels: Mapping[str, str]) -> VolumeRecord:
    return replace(record, labels=labels) if labels and not record.labels else record


def _insert_volume(connection: sqlite3.Connection, record: VolumeRecord) -> None:
    cursor = connection.execute(
        "INSERT INTO volumes (volume_id, series_instance_uid, study_instance_uid, patient_id, "
        "study_date, modality, kind, record, paths) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        record_to_columns(record),
    )
    connection.execute(
        "INSERT INTO volume_text (rowid, words) VALUES (?, ?)",
        (cursor.lastrowid, search_words(record)),
    )


def _forget_readable(connection: sqlite3.Connection, records: Iterable[VolumeRecord]) -> None:
    paths = sorted({path for record in records for path in record.paths})
    for chunk, marks in _chunks(paths):
        connection.execute(f"DELETE FROM unreadable_files WHERE path IN ({marks})", chunk)  # noqa: S608
