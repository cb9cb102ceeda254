"""The study library: volumes with search, cohorts, thumbnails, digests, issued UIDs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from carez_desktop.domain.cohort import Cohort
from carez_desktop.domain.label_table import KEYS
from carez_desktop.domain.study import UnreadableFile, VolumeRecord
from carez_desktop.domain.volume import VolumeKind
from carez_desktop.errors import NotFoundError
from carez_desktop.library import cohort_rows, synthetic_rows
from carez_desktop.library.database import Database
from carez_desktop.library.import_rows import STAND_IN, ImportChange, SeriesChange, write_import
from carez_desktop.library.instance_rows import OBJECT, FileRow
from carez_desktop.library.path_columns import below, from_column, split_path
from carez_desktop.library.volume_queries import (
    LibraryCounts,
    count_levels,
    find_volumes,
    update_volumes,
)
from carez_desktop.library.volume_rows import COLUMNS, chunks, records_from_rows, series_key

LIBRARY_FILE = "library.sqlite3"


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
        self.database = Database(folder / LIBRARY_FILE)

    @property
    def path(self) -> Path:
        """The SQLite file."""
        return self.database.path

    def close(self) -> None:
        """Close the connections of all threads; a later call opens new ones."""
        self.database.close()

    # Volumes

    def add_volumes(
        self, records: Iterable[VolumeRecord], unreadable: Iterable[UnreadableFile] = ()
    ) -> None:
        """Keep volumes whose instances are not known; a series that was known is replaced.

        Args:
            records: Volumes; several of one series belong into one call. Of two with one volume_id
                (copies of one file) the first is kept. Their labels and tags are added, their
                objects linked by what they refer to.
            unreadable: Files that could not be read, kept for the Library page.
        """
        by_series: dict[str, dict[str, VolumeRecord]] = {}
        for record in records:
            by_series.setdefault(series_key(record), {}).setdefault(record.volume_id, record)
        changes = [SeriesChange(key, tuple(found.values())) for key, found in by_series.items()]
        objects = {
            item.path: item
            for change in changes
            for record in change.records
            for item in record.objects
        }
        change = ImportChange(
            series=tuple(changes),
            files=tuple(FileRow(path, -1, -1, OBJECT) for path in objects),
            objects=tuple(objects.values()),
            unreadable=tuple(unreadable),
        )
        write_import(self.database, change)

    def volumes(
        self, search: str = "", *, limit: int | None = None, offset: int = 0
    ) -> tuple[VolumeRecord, ...]:
        """Return volumes by patient, date and identifier; those found, if something is searched.

        Args:
            search: Words as typed; each must begin a word of patient, descriptions, modality,
                manufacturer, body part, date, kind, label, tag, or a UID. `modality:ct` searches
                one of `search.FIELDS`.
            limit: At most so many; None for all. A search with a limit returns the first found
                in the order of import, sorted among themselves.
            offset: Skip so many first.
        """
        with self.database.reading() as connection:
            return find_volumes(connection, search, limit=limit, offset=offset)

    def volume(self, volume_id: str) -> VolumeRecord:
        """Return one volume.

        Raises:
            NotFoundError: Naming the volumes of the series where it splits into several.
        """
        with self.database.reading() as connection:
            rows = connection.execute(
                f"SELECT {COLUMNS} FROM volumes WHERE volume_id = ?",  # noqa: S608
                (volume_id,),
            ).fetchall()
            if rows:
                return records_from_rows(connection, rows)[0]
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
        return self.volumes_with("series_instance_uid", [series_instance_uid])

    def volumes_with(self, key: str, values: Sequence[str]) -> tuple[VolumeRecord, ...]:
        """Return the volumes of which a key has one of some values, by volume_id.

        Args:
            key: `volume_id`, `series_instance_uid`, `study_instance_uid` or `patient_id`.
            values: Unknown ones are left out.
        """
        if key not in KEYS:
            raise ValueError(key)
        found: list[VolumeRecord] = []
        with self.database.reading() as connection:
            for chunk, marks in chunks(sorted(set(values))):
                query = (
                    f"SELECT {COLUMNS} FROM volumes WHERE {key} IN ({marks}) "  # noqa: S608
                    "ORDER BY volume_id"
                )
                found.extend(
                    records_from_rows(connection, connection.execute(query, chunk).fetchall())
                )
        return tuple(found)

    def count(self) -> int:
        """Return how many volumes the library knows."""
        with self.database.reading() as connection:
            return int(connection.execute("SELECT count(*) FROM volumes").fetchone()[0])

    def counts(self) -> LibraryCounts:
        """Return how many patients, studies, series, instances and volumes there are."""
        with self.database.reading() as connection:
            return count_levels(connection)

    def update_volumes(self, records: Iterable[VolumeRecord]) -> None:
        """Replace records by others of the same volume_id (kind, findings, attributes).

        Thumbnails and pixel digests stay, because the pixels are the same; labels and tags stay.
        """
        with self.database.writing() as connection:
            update_volumes(connection, records)

    def knows_paths_below(self, path: str) -> bool:
        """Whether a file, or any file below a folder, is one that the library knows."""
        condition, values = below(path)
        folder, name = split_path(path)
        with self.database.reading() as connection:
            row = connection.execute(
                "SELECT 1 FROM folders JOIN instances ON folder = folders.id "  # noqa: S608
                f"WHERE {condition} OR (path = ? AND name = ?) LIMIT 1",
                (*values, folder, name),
            ).fetchone()
        return row is not None

    def unreadable_files(self) -> tuple[UnreadableFile, ...]:
        """Return the files that imports could not read, by path."""
        with self.database.reading() as connection:
            rows = connection.execute(
                "SELECT path, reason, series_instance_uid FROM unreadable_files"
            ).fetchall()
        files = [UnreadableFile(from_column(path), reason, uid) for path, reason, uid in rows]
        return tuple(sorted(files, key=lambda file: file.path))

    # Thumbnails

    def thumbnail(self, volume_id: str) -> bytes | None:
        """Return the PNG of a volume, or None where none was made yet."""
        with self.database.reading() as connection:
            row = connection.execute(
                "SELECT png FROM thumbnails WHERE volume_id = ?", (volume_id,)
            ).fetchone()
        return None if row is None else bytes(row[0])

    def without_thumbnail(self, volume_ids: Sequence[str] | None = None) -> tuple[str, ...]:
        """Return the ids of volumes that have no thumbnail, of those given or of all."""
        query = (
            "SELECT volume_id FROM volumes WHERE NOT EXISTS "
            "(SELECT 1 FROM thumbnails WHERE thumbnails.volume_id = volumes.volume_id)"
        )
        found: list[str] = []
        with self.database.reading() as connection:
            if volume_ids is None:
                rows = connection.execute(f"{query} ORDER BY patient_id, study_date, volume_id")
                return tuple(volume_id for (volume_id,) in rows)
            for chunk, marks in chunks([*dict.fromkeys(volume_ids)]):
                rows = connection.execute(f"{query} AND volume_id IN ({marks})", chunk)
                missing = {volume_id for (volume_id,) in rows}
                found.extend(volume_id for volume_id in chunk if volume_id in missing)
        return tuple(found)

    def set_thumbnail(self, volume_id: str, png: bytes) -> None:
        """Keep the PNG of a known volume; one of an unknown volume is dropped."""
        with self.database.writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO thumbnails SELECT volume_id, ? FROM volumes "
                "WHERE volume_id = ?",
                (png, volume_id),
            )

    # What is synthetic

    @property
    def simulated_stand_in(self) -> bool:
        """Whether simulated studies play real in this home (DESIGN section 8)."""
        with self.database.reading() as connection:
            row = connection.execute(
                "SELECT value FROM facts WHERE key = ?", (STAND_IN,)
            ).fetchone()
        return row is not None and row[0] == "yes"

    @simulated_stand_in.setter
    def simulated_stand_in(self, value: bool) -> None:
        with self.database.writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO facts VALUES (?, ?)", (STAND_IN, "yes" if value else "no")
            )

    def issue_uids(self, uids: Iterable[str], purpose: str = "synthetic_case") -> None:
        """Remember UIDs under which synthetic images left, so that import knows them again."""
        with self.database.writing() as connection:
            synthetic_rows.issue_uids(connection, uids, purpose)

    def issued_uids(self, uids: Iterable[str]) -> frozenset[str]:
        """Return those of the given UIDs that were issued for synthetic images."""
        with self.database.reading() as connection:
            return synthetic_rows.issued_uids(connection, uids)

    def remember_digest(
        self, sha256: str, *, shape: Sequence[int], origin: str = "synthetic_case"
    ) -> None:
        """Remember the pixels of a synthetic volume.

        Args:
            sha256: As `domain.pixel_identity.pixel_digest` gives it.
            shape: (slices, rows, columns); only volumes of this shape need be compared.
            origin: Bundle and case, for whoever asks why.
        """
        with self.database.writing() as connection:
            synthetic_rows.remember_digest(connection, sha256, shape, origin)

    def known_digest(self, sha256: str) -> str | None:
        """Return the origin of the synthetic volume with these pixels, or None."""
        with self.database.reading() as connection:
            row = connection.execute(
                "SELECT origin FROM synthetic_digests WHERE sha256 = ?", (sha256,)
            ).fetchone()
        return None if row is None else str(row[0])

    def has_synthetic_shape(self, shape: Sequence[int]) -> bool:
        """Whether a remembered synthetic volume has this (slices, rows, columns)."""
        with self.database.reading() as connection:
            row = connection.execute(
                "SELECT 1 FROM synthetic_digests WHERE shape = ? LIMIT 1",
                (synthetic_rows.shape_text(shape),),
            ).fetchone()
        return row is not None

    def set_pixel_digest(self, volume_id: str, sha256: str) -> None:
        """Keep the digest of a known volume's pixels until the series is imported again."""
        with self.database.writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO pixel_digests SELECT volume_id, ? FROM volumes "
                "WHERE volume_id = ?",
                (sha256, volume_id),
            )

    def pixel_digest(self, volume_id: str) -> str | None:
        """Return the digest of a volume's pixels, or None where it was not computed yet."""
        with self.database.reading() as connection:
            row = connection.execute(
                "SELECT sha256 FROM pixel_digests WHERE volume_id = ?", (volume_id,)
            ).fetchone()
        return None if row is None else str(row[0])

    def kinds(self) -> Mapping[VolumeKind, int]:
        """Return how many volumes there are of each kind."""
        with self.database.reading() as connection:
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
        with self.database.writing() as connection:
            return cohort_rows.save(connection, cohort)

    def cohorts(self) -> tuple[Cohort, ...]:
        """Return every version of every cohort, by name and version."""
        with self.database.reading() as connection:
            return cohort_rows.load_all(connection)

    def cohort(self, name: str, version: int | None = None) -> Cohort:
        """Return a cohort; its newest version unless one is named.

        Raises:
            NotFoundError: Naming the cohorts that exist.
        """
        with self.database.reading() as connection:
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
