"""Files that imports keep below `<home>/studies`: whole or not at all, owner only.

Every import that makes some has a folder of its own below `.imports`: half-made files lie there,
and a journal names what was put in place. Once the library knows them that folder goes; if the
import fails, or was killed and the next one finds its folder, what the library does not know goes
too.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import IO

from carez_desktop.progress import NEVER, CancellationToken
from carez_desktop.system.file_safety import (
    hold_file,
    is_held,
    storage_error,
    synchronise_folder,
)
from carez_desktop.system.paths import make_private_folder

STUDIES = "studies"
CONTENTS = ".contents.json"
"""What a folder of unpacked files holds, beside them."""

_IMPORTS = ".imports"
_JOURNAL = "journal"
_BEGINNING_S = 60.0
_AT_ONCE = 16
_LEFT_FREE = 256 << 20
"""Bytes that stay free for the library and everybody else."""


class ManagedImport:
    """What one import puts below `<home>/studies`; nothing is made before the first file."""

    def __init__(self, root: Path, is_known: Callable[[str], bool]) -> None:
        """Remove what killed imports left.

        Args:
            root: `<home>/studies`.
            is_known: Whether the library has files at a path or below it.

        Raises:
            StorageError: What was left cannot be removed.
        """
        self.root = root
        self._is_known = is_known
        self._folder: Path | None = None
        self._journal: IO[bytes] | None = None
        self._parts = 0
        _remove_left(root, is_known)

    def new_part(self) -> Path:
        """Return a path, of this call alone, for something half-made on the right disk."""
        self._parts += 1
        return self._begun() / f"part-{self._parts}"

    def put(self, part: Path, final: Path) -> None:
        """Move a finished file or folder to its place, noted before it is there.

        Raises:
            StorageError: The disk is full or read-only. FileExistsError: Another was faster.
        """
        try:
            make_private_folder(final.parent)
            self.claim(final)
            is_free = not final.exists()
            if is_free:
                part.rename(final)
        except OSError as error:
            if error.errno == errno.ENOTEMPTY:
                raise FileExistsError(str(final)) from error
            raise storage_error(error, final, "The copy cannot be kept") from error
        if not is_free:
            raise FileExistsError(str(final))

    def claim(self, final: Path) -> None:
        """Note a file or folder that this import uses: another that fails leaves it alone.

        Raises:
            OSError: The journal cannot be written.
        """
        self._begun()
        assert self._journal is not None  # noqa: S101 - _begun opened it
        self._journal.write(_journal_line(self.root, final))
        self._journal.flush()

    def room_bytes(self) -> int:
        """Return how many bytes may be written without filling the disk."""
        return shutil.disk_usage(self._begun()).free - _LEFT_FREE

    def keep(self) -> None:
        """Let everything stay: the library knows it."""
        self._end()

    def undo(self) -> None:
        """Remove what was made and the library does not know."""
        if self._folder is not None:
            _remove_unknown(self.root, self._folder, self._is_known)
        self._end()

    def _begun(self) -> Path:
        if self._folder is None:
            make_private_folder(self.root)
            folder = make_private_folder(self.root / _IMPORTS / uuid.uuid4().hex)
            self._journal = hold_file(folder / _JOURNAL)
            self._folder = folder
        return self._folder

    def _end(self) -> None:
        if self._journal is not None:
            self._journal.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder = self._journal = None


def synchronise(folder: Path, cancel: CancellationToken = NEVER) -> None:
    """Bring the files of a folder, and their names, safely to the disk.

    Raises:
        OSError: The disk reports that it could not write them. CancelledError: Between two.
    """
    folders, files = [], []
    for path, _, names in os.walk(folder):
        folders.append(Path(path))
        files += [os.path.join(path, name) for name in names]  # noqa: PTH118 - one of thousands
    with ThreadPoolExecutor(_AT_ONCE) as pool:  # a disk brings many files home in one go
        try:
            for _ in pool.map(_flush, files):
                cancel.raise_if_cancelled()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    for below in folders:
        synchronise_folder(below)


def _flush(path: str) -> None:
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove_left(root: Path, is_known: Callable[[str], bool]) -> None:
    """Undo what killed imports left; one that is still at work holds its journal."""
    with suppress(FileNotFoundError):
        for folder in sorted((root / _IMPORTS).iterdir()):
            journal = folder / _JOURNAL
            if is_held(journal) or (not journal.exists() and _is_new(folder)):
                continue
            _remove_unknown(root, folder, is_known)
            shutil.rmtree(folder, ignore_errors=True)


def _is_new(folder: Path) -> bool:
    """Whether an import may just be about to begin its journal."""
    return time.time() - folder.stat().st_mtime < _BEGINNING_S


def _journal_line(root: Path, final: Path) -> bytes:
    return json.dumps(os.path.relpath(final, root)).encode() + b"\n"


def _remove_unknown(root: Path, folder: Path, is_known: Callable[[str], bool]) -> None:
    """Remove what the journal of an import names, neither the library knows nor another uses."""
    used = _used_by_others(root, folder)
    for line in reversed(_lines(folder / _JOURNAL)):
        with suppress(ValueError):  # the last line of a killed import may be cut
            final = Path(os.path.normpath(root / json.loads(line)))
            # The voxels of a detached header are no file that the library knows: their folder is.
            asked = final if final.suffix in ("", ".dcm") else final.parent
            if line in used or not final.is_relative_to(root) or is_known(str(asked)):
                continue
            if final.is_dir():
                shutil.rmtree(final, ignore_errors=True)
            else:
                final.unlink(missing_ok=True)
            with suppress(OSError):
                final.parent.rmdir()  # only if nothing else lies in it


def _used_by_others(root: Path, folder: Path) -> set[bytes]:
    """Return the journal lines of imports that are at work."""
    others = (other / _JOURNAL for other in (root / _IMPORTS).iterdir() if other != folder)
    return {line for journal in others if is_held(journal) for line in _lines(journal)}


def _lines(journal: Path) -> list[bytes]:
    try:
        return journal.read_bytes().splitlines()
    except OSError:
        return []
