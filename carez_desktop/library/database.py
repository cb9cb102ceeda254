"""Connections to the library file: one per thread, short transactions, errors with a remedy."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from carez_desktop.errors import StorageError
from carez_desktop.library.schema import bring_up_to_date

BUSY_TIMEOUT_S = 60.0
"""How long a write waits for the write of another process."""

_LARGEST_JOURNAL = 64 * 2**20

NETWORK_FILE_SYSTEMS = frozenset(
    (
        *("nfs", "nfs3", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "ncpfs", "afs", "davfs"),
        *("ceph", "lustre", "beegfs", "glusterfs", "gpfs", "ocfs2", "gfs2"),
        *("fuse.sshfs", "fuse.rclone", "fuse.davfs", "fuse.s3fs", "fuse.ceph", "fuse.glusterfs"),
    )
)

_REMEDIES = (
    ("locked", "is locked by another process", "Close the other Carez Desktop, or try again"),
    ("readonly", "is read-only", "Make the home folder writable, or choose another with --home"),
    ("full", "cannot grow: the disk is full", "Free some space on that disk and try again"),
    ("unable to open", "cannot be opened", "Check that its folder exists and is yours to write"),
    (
        "malformed",
        "is damaged",
        "Move it away and import the studies again; they were never changed",
    ),
    ("not a database", "is not a library", "Move it away and import the studies again"),
    ("disk i/o", "cannot be read or written", "Check the disk, and that the folder is writable"),
)


class Database:
    """One SQLite file in WAL mode; usable from any thread and from several processes at once."""

    def __init__(self, path: Path) -> None:
        """Open the file, creating or updating its tables.

        Raises:
            StorageError: On a network drive; locked, read-only, full, damaged or newer.
        """
        self.path = path
        self._lock = threading.Lock()
        self._connections: dict[threading.Thread, sqlite3.Connection] = {}
        refuse_network_drive(path.parent)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(
                f"The library folder cannot be made: {error.strerror}",
                subject=str(path.parent),
                hint="Choose a folder that you may write to with --home",
            ) from error
        with self.reading() as connection:
            bring_up_to_date(connection, str(path))

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lend this thread's connection, outside any transaction."""
        with _with_remedies(self.path):
            yield self._connection()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Lend this thread's connection in one transaction: all of it is kept, or nothing."""
        with _with_remedies(self.path):
            connection = self._connection()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                # A full disk has already rolled back by itself.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close the connections of all threads; a later call opens new ones."""
        with self._lock:
            for connection in self._connections.values():
                # What the planner knows of the tables, where they have grown; a reader of a
                # locked or read-only library goes without.
                with suppress(sqlite3.Error):
                    connection.execute("PRAGMA busy_timeout = 0")
                    connection.execute("PRAGMA analysis_limit = 400")
                    connection.execute("PRAGMA optimize")
                connection.close()
            self._connections.clear()

    def _connection(self) -> sqlite3.Connection:
        thread = threading.current_thread()
        with self._lock:
            found = self._connections.get(thread)
            if found is not None:
                return found
            for gone in [owner for owner in self._connections if not owner.is_alive()]:
                self._connections.pop(gone).close()
        # Closed by whichever thread closes the library, so the thread check is off; between
        # opening and closing only its own thread uses it.
        connection = sqlite3.connect(
            self.path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute(f"PRAGMA journal_size_limit = {_LARGEST_JOURNAL}")
        except BaseException:
            connection.close()
            raise
        with self._lock:
            self._connections[thread] = connection
        return connection


@contextmanager
def _with_remedies(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        said = str(error).lower()
        for key, what, hint in _REMEDIES:
            if key in said:
                raise StorageError(f"The library {what}", subject=str(path), hint=hint) from error
        raise StorageError(
            f"The library refused: {error}",
            subject=str(path),
            hint="Try again; if it stays, move the file away and import the studies again",
        ) from error


def refuse_network_drive(folder: Path, mounts: Path = Path("/proc/mounts")) -> None:
    """Raise where the folder lies on a network drive: SQLite's locks are not safe there.

    Args:
        folder: Need not exist yet.
        mounts: The kernel's table of mounts; where there is none only UNC paths are refused.

    Raises:
        StorageError: Naming the folder and the kind of drive.
    """
    place = str(folder.absolute())
    kind = "network share" if place.startswith(("\\\\", "//")) else ""
    if not kind and mounts.is_file():
        found = _file_system_of(Path(place).resolve(), mounts.read_text(errors="replace"))
        kind = found if found in NETWORK_FILE_SYSTEMS else ""
    if kind:
        raise StorageError(
            f"The library cannot lie on a network drive ({kind}): two computers could damage it",
            subject=place,
            hint="Choose a folder on a local disk with --home or CAREZ_HOME",
        )


def _file_system_of(folder: Path, table: str) -> str:
    best, kind = -1, ""
    for line in table.splitlines():
        columns = line.split(" ")
        if len(columns) < 3:
            continue
        # The kernel writes a space in a mount point as \040.
        point = Path(columns[1].replace("\\040", " ").replace("\\011", "\t"))
        depth = len(point.parts)
        if depth >= best and folder.is_relative_to(point):
            best, kind = depth, columns[2]
    return kind
