"""Unpack the images of a ZIP into a folder, as a file that somebody may have built to do harm.

Nothing that the archive says is believed: names cannot leave the folder, bytes are counted as
they come, links are not made, and what is no image is not written.
"""

from __future__ import annotations

import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from carez_desktop.dicom.archive_names import UniqueNames, plain_name
from carez_desktop.dicom.data_set_start import looks_like_dicom
from carez_desktop.dicom.scan import VOLUME_SUFFIXES
from carez_desktop.domain.finding import Finding, Severity, counted
from carez_desktop.domain.study import UnreadableFile
from carez_desktop.progress import NEVER, SILENT, CancellationToken, ProgressReporter
from carez_desktop.system.file_safety import storage_error

MOST_MEMBERS = 200_000
MOST_RATIO = 200
"""Deflate reaches 1032, images hardly 20, phantoms of one value 200."""
SMALL_BYTES = 1 << 30
"""What unpacks to less is no bomb, whatever its ratio."""
_MOST_DIRECTORY_BYTES = 32 << 20
_DEEPEST = 2
_STEP = 1 << 20
_SNIFFED = 1024
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
_COMPANION_SUFFIXES = (".raw", ".gz", ".bz2", ".img", ".dat", ".txt", ".hex", ".data")
_END, _END_64, _LOCATOR_64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    ValueError,
    NotImplementedError,
    RuntimeError,
    struct.error,
    OverflowError,
)


class RefusedArchiveError(Exception):
    """The archive as a whole is not unpacked; the text says why."""


@dataclass(slots=True)
class Unpacked:
    """What came out of an archive.

    Attributes:
        files: Relative name (with `/`) and size of each file that was written.
        unreadable: Members that are damaged, under `archive/member`.
        findings: Members that were left out, and why.
    """

    files: dict[str, int] = field(default_factory=dict)
    unreadable: list[UnreadableFile] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def unpack_archive(
    path: Path,
    folder: Path,
    *,
    room_bytes: int,
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
) -> Unpacked:
    """Write the DICOM, NIfTI and NRRD members of a ZIP below a folder; nested ZIPs two deep.

    Args:
        path: The archive, which is not changed.
        folder: Empty, on the disk that the files are for.
        room_bytes: How many bytes all members together may take.
        progress: Of the bytes.
        cancel: Asked at each megabyte.

    Raises:
        RefusedArchiveError: No ZIP, damaged as a whole, a bomb, too large, encrypted throughout.
        StorageError: The folder cannot be written, or its disk is full.
        CancelledError: On the way; the caller removes the folder.
    """
    unpacking = _Unpacking(folder, path, room_bytes, progress, cancel)
    unpacking.unpack(path, PurePosixPath(), 0)
    return unpacking.unpacked


class _Unpacking:
    """One archive with those inside it, within one budget."""

    def __init__(
        self,
        folder: Path,
        path: Path,
        room_bytes: int,
        progress: ProgressReporter,
        cancel: CancellationToken,
    ) -> None:
        self.unpacked = Unpacked()
        self._folder, self._path = folder, path
        self._room = room_bytes
        self._most = max(SMALL_BYTES, MOST_RATIO * path.stat().st_size)
        self._written = self._expected = 0
        self._members = 0
        self._names = UniqueNames()
        self._progress, self._cancel = progress, cancel

    def unpack(self, path: Path, below: PurePosixPath, depth: int) -> None:
        """Unpack one archive below a relative folder."""
        _check_directory_size(path)
        try:
            archive = zipfile.ZipFile(path)
        except (*_DAMAGE, OSError) as error:
            raise RefusedArchiveError(f"It is damaged or no ZIP ({error})") from error
        with archive:
            # Not is_dir(): a damaged directory may state an empty name, which it cannot take.
            members = [info for info in archive.infolist() if not info.filename.endswith("/")]
            self._members += len(members)
            if self._members > MOST_MEMBERS:
                raise RefusedArchiveError(f"It has more than {MOST_MEMBERS} members")
            wanted = self._wanted(archive, self._allowed(members, depth))
            self._expect(sum(info.file_size for info, _ in wanted))
            for info, name in wanted:
                if name.name.lower().endswith(".zip"):
                    self._unpack_inner(archive, info, below / name, depth)
                else:
                    self._write(archive, info, self._names.unique(below / name))

    def _allowed(self, members: Sequence[zipfile.ZipInfo], depth: int) -> list[zipfile.ZipInfo]:
        """Leave out what is encrypted, packed in a rare way, a link, or nested too deep."""
        allowed = []
        encrypted, rare, links, deep = [], [], [], []
        for info in members:
            if info.flag_bits & 1:
                encrypted.append(info)
            elif info.compress_type not in _METHODS:
                rare.append(info)
            elif stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
                links.append(info)
            elif depth >= _DEEPEST and info.filename.lower().endswith(".zip"):
                deep.append(info)
            else:
                allowed.append(info)
        if encrypted and len(encrypted) == len(members):
            raise RefusedArchiveError(
                "It is encrypted: unpack it with its password and import the folder"
            )
        self._leave_out(encrypted, "encrypted", "are encrypted: unpack them with their password")
        self._leave_out(rare, "method", "are packed in a way that is not opened (LZMA and rarer)")
        self._leave_out(links, "link", "are links or devices, which are never made")
        self._leave_out(deep, "nested", f"are ZIPs nested deeper than {_DEEPEST}")
        return allowed

    def _wanted(
        self, archive: zipfile.ZipFile, members: Sequence[zipfile.ZipInfo]
    ) -> list[tuple[zipfile.ZipInfo, PurePosixPath]]:
        """Return the members that are images, or belong to one, with their plain names."""
        wanted, others, outside = [], [], []
        for info in members:
            self._cancel.raise_if_cancelled()
            name = plain_name(info.filename)
            if name is None:
                outside.append(info)
            elif self._is_image(archive, info, name):
                wanted.append((info, name))
            else:
                others.append((info, name))
        self._leave_out(outside, "outside", "have names that lead out of the archive")
        belongs = _companions([name for _, name in wanted])
        return wanted + [(info, name) for info, name in others if belongs(name)]

    def _is_image(
        self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: PurePosixPath
    ) -> bool:
        if name.name.lower().endswith((*VOLUME_SUFFIXES, ".hdr", ".zip")):
            return True
        try:
            return looks_like_dicom(next(_blocks(archive, info, _SNIFFED), b""))
        except _DAMAGE as error:
            self._damaged(info, error)
            return False

    def _expect(self, count: int) -> None:
        """Refuse by stated sizes, before anything is written; what is written is counted too."""
        self._expected = self._written + count
        self._check(self._expected)

    def _check(self, count: int) -> None:
        if count > self._most:
            raise RefusedArchiveError(
                f"It unpacks to more than {MOST_RATIO} times its size, "
                f"over {self._most >> 20} MiB, as no images do"
            )
        if count > self._room:
            raise RefusedArchiveError(
                f"It unpacks to over {count >> 20} MiB, and the disk of the home folder has room "
                f"for {max(self._room, 0) >> 20} MiB. Free space or unpack it elsewhere"
            )

    def _unpack_inner(
        self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: PurePosixPath, depth: int
    ) -> None:
        aside = self._names.unique(name.with_name(f"{name.name}.part"))
        if not self._write(archive, info, aside):
            return
        packed = self._folder / aside
        del self.unpacked.files[str(aside)]
        try:
            self.unpack(packed, name, depth + 1)
        except RefusedArchiveError as error:
            self._damaged(info, error)
        finally:
            packed.unlink()

    def _write(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: PurePosixPath) -> bool:
        """Write one member; False where it is damaged, which costs this one only."""
        target = self._folder / name
        size = 0
        try:
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as out:
                for block in _blocks(archive, info, _STEP):
                    self._cancel.raise_if_cancelled()
                    size += len(block)
                    self._written += len(block)
                    self._check(self._written)
                    out.write(block)
        except RefusedArchiveError:
            target.unlink()
            raise
        except _DAMAGE as error:
            with suppress(OSError):
                target.unlink()
            self._damaged(info, error)
            return False
        except OSError as error:
            raise storage_error(error, target, "The ZIP cannot be unpacked") from error
        self.unpacked.files[str(name)] = size
        done = self._written / max(self._expected, 1)
        self._progress.report(min(done, 1.0), f"Unpacking {self._path.name}")
        return True

    def _damaged(self, info: zipfile.ZipInfo, error: Exception) -> None:
        reason = f"This member of the ZIP is damaged: {' '.join(str(error).split())[:200]}"
        name = f"{self._path}/{printable(info.filename)}"
        self.unpacked.unreadable.append(UnreadableFile(name, reason))

    def _leave_out(self, members: Sequence[zipfile.ZipInfo], code: str, why: str) -> None:
        if not members:
            return
        text = (
            f"{counted(len(members), 'member')} of the ZIP were left out: they {why}. "
            f"First: {printable(members[0].filename)}"
        )
        finding = Finding(Severity.WARNING, f"archive_{code}", str(self._path), text)
        self.unpacked.findings.append(finding)


def _blocks(archive: zipfile.ZipFile, info: zipfile.ZipInfo, size: int) -> Iterator[bytes]:
    """Yield a member block by block; what fails on the way is damage, not the disk written to."""
    try:
        with archive.open(info) as stream:
            while block := stream.read(size):
                yield block
    except OSError as error:
        raise zipfile.BadZipFile(error.strerror or str(error)) from error


def printable(name: str) -> str:
    """Return a hostile name for people: control characters as escapes, cut at 120 characters."""
    shown = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in name[:121])
    return shown if len(name) <= 120 else shown[:120] + "..."


def _companions(images: Sequence[PurePosixPath]) -> Callable[[PurePosixPath], bool]:
    """Return a test for files that hold the voxels of a detached header (`.nhdr`, `.hdr`)."""
    nrrd_folders = {name.parent for name in images if name.suffix.lower() == ".nhdr"}
    pairs = {name.with_suffix("") for name in images if name.suffix.lower() == ".hdr"}

    def belongs(name: PurePosixPath) -> bool:
        in_folder = name.parent in nrrd_folders
        if in_folder and name.name.lower().endswith(_COMPANION_SUFFIXES):
            return True
        return name.suffix.lower() == ".img" and name.with_suffix("") in pairs

    return belongs


def _check_directory_size(path: Path) -> None:
    """Refuse a central directory that would fill the memory (APPNOTE 4.3.14 and 4.3.16).

    Raises:
        RefusedArchiveError: It has none, or one that is too large.
    """
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - (1 << 16) - 22))
            tail = stream.read()
            at = tail.rfind(_END)
            if at < 0 or len(tail) < at + 22:
                raise RefusedArchiveError("It is cut off or no ZIP: its directory is missing")
            (directory,) = struct.unpack_from("<I", tail, at + 12)
            if at >= 20 and tail[at - 20 : at - 16] == _LOCATOR_64:
                (offset,) = struct.unpack_from("<Q", tail, at - 12)
                stream.seek(min(offset, size))
                end = stream.read(56)
                if end[:4] == _END_64 and len(end) == 56:
                    (directory,) = struct.unpack_from("<Q", end, 40)
    except OSError as error:
        raise RefusedArchiveError(f"It cannot be read: {error.strerror or error}") from error
    if directory > _MOST_DIRECTORY_BYTES:
        raise RefusedArchiveError(f"Its directory is larger than {_MOST_DIRECTORY_BYTES >> 20} MiB")
