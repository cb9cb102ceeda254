"""Files that are written whole or not at all, and files that only their owner may read.

Linux and Windows differ here: a folder cannot be synchronised on Windows, and the mode bits of a
file say nothing there (the home folder's access list protects it instead).
"""

from __future__ import annotations

import errno
import glob
import itertools
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from carez_desktop.errors import StorageError

IS_POSIX = os.name == "posix"
_NUMBERS = itertools.count()
_LEFT_BEHIND_S = 86400.0

_REMEDIES = {
    errno.ENOSPC: "Free space on its disk, or choose another folder",
    errno.EDQUOT: "Free space within your quota, or choose another folder",
    errno.EACCES: "Choose a folder that you may write to, or change its permissions",
    errno.EPERM: "Choose a folder that you may write to, or change its permissions",
    errno.EROFS: "The disk is read-only: choose a folder on another disk",
    errno.ENOENT: "Create the folder first, or choose another one",
}
_DEFAULT_REMEDY = "Check that the folder is writable and its disk not full"


def storage_error(error: BaseException, path: Path, what: str) -> StorageError:
    """Turn a failed write into an error that names the folder and the remedy.

    HDF5 reports a full disk as text only, so the text is searched where no number came along.

    Args:
        error: What the system or a library raised.
        path: The file that was being written; its folder becomes the subject.
        what: Start of the sentence (`The bundle cannot be written`).
    """
    number = getattr(error, "errno", None)
    text = os.strerror(number) if isinstance(number, int) else str(error)
    if not isinstance(number, int):
        for candidate in (errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT):
            if f"errno = {candidate}," in text or os.strerror(candidate) in text:
                number, text = candidate, os.strerror(candidate)
                break
    hint = _REMEDIES.get(number, _DEFAULT_REMEDY) if isinstance(number, int) else _DEFAULT_REMEDY
    return StorageError(f"{what}: {text}", subject=str(path.parent), hint=hint)


def part_path(path: Path) -> Path:
    """Return a name, of this call alone, for writing a file before it is renamed into place.

    Two processes that write one target at once must not rename each other's half-written file.
    """
    return path.with_name(f".{path.name}.{os.getpid()}-{next(_NUMBERS)}.part")


def is_running(process: int) -> bool:
    """Whether a process may still be there; on Windows, where asking is not harmless, always."""
    if not IS_POSIX:
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _remove_left_parts(path: Path) -> None:
    """Remove what killed processes left behind of the same target."""
    prefix = f".{path.name}."
    for left in path.parent.glob(f"{glob.escape(prefix)}*.part"):
        number = left.name.removeprefix(prefix).partition("-")[0]
        with suppress(OSError):
            old = time.time() - left.stat().st_mtime > _LEFT_BEHIND_S
            if old or (number.isdigit() and not is_running(int(number))):
                left.unlink()


@contextmanager
def atomic_output(path: Path, what: str) -> Iterator[Path]:
    """Yield a `.part` path beside the target; on success synchronise it and rename it into place.

    A killed process leaves the old file or none, and at most a `.part` that the next run removes.

    Raises:
        StorageError: When the folder cannot be written or its disk is full.
    """
    part = part_path(path)
    try:
        _remove_left_parts(path)
        yield part
        with part.open("rb+") as stream:
            os.fsync(stream.fileno())
        part.replace(path)
        synchronise_folder(path.parent)
    except OSError as error:
        raise storage_error(error, path, what) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def synchronise_folder(folder: Path) -> None:
    """Make a rename durable; does nothing where the system has no such call."""
    if not IS_POSIX:
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def hold_file(path: Path) -> IO[bytes]:
    """Create a file for appending and hold it until it is closed or this process dies.

    Raises:
        StorageError: It cannot be written.
    """
    try:
        stream = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "ab+")
    except OSError as error:
        raise storage_error(error, path, f"{path.name} cannot be written") from error
    if IS_POSIX:
        import fcntl

        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return stream


def is_held(path: Path) -> bool:
    """Whether a living process holds a file with `hold_file`.

    Windows has no such lock, but lets nobody rename a file that is open.
    """
    if not IS_POSIX:
        return _is_open_elsewhere(path)
    import fcntl

    try:
        with path.open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def _is_open_elsewhere(path: Path) -> bool:
    """Whether a file is open, by renaming it to itself aside and back (Windows)."""
    aside = path.with_name(f"{path.name}.free")
    try:
        path.rename(aside)
        aside.rename(path)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def create_owner_only(path: Path, content: bytes) -> bool:
    """Create a file that only its owner may read; return False where it exists already.

    The content appears under the name at once (written aside, then linked), so a second process
    that starts at the same moment never reads half a key.

    Raises:
        StorageError: When it cannot be written.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        try:
            os.link(aside, path)
        except FileExistsError:
            return False
        synchronise_folder(path.parent)
    except OSError as error:
        raise storage_error(error, path, f"{path.name} cannot be written") from error
    else:
        return True
    finally:
        with suppress(OSError):
            aside.unlink(missing_ok=True)


def read_owner_only(path: Path) -> bytes:
    """Read a file that only its owner may read.

    Raises:
        StorageError: When it cannot be read, or when others may read it.
    """
    try:
        if IS_POSIX and path.stat().st_mode & 0o077:
            raise StorageError(
                "Others may read this secret file",
                subject=str(path),
                hint=f"Run: chmod 600 {path.name}; replace the key if others had access",
            )
        return path.read_bytes()
    except OSError as error:
        raise storage_error(error, path, f"{path.name} cannot be read") from error
