"""Find the images of files and folders, whatever their names, and read their headers."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from carez_desktop.dicom.directory_file import is_directory_file
from carez_desktop.dicom.file_content import FileContent
from carez_desktop.dicom.file_walk import FoundFile, walk_files
from carez_desktop.dicom.header_batch import read_contents
from carez_desktop.domain.finding import Finding, Severity, counted
from carez_desktop.domain.study import InstanceHeader, ReferencedObject, UnreadableFile
from carez_desktop.progress import NEVER, SILENT, CancellationToken, ProgressReporter
from carez_desktop.system.child_process import ChildPool

VOLUME_SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".nhdr")
PACKED_SUFFIXES = (".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".7z", ".rar")
"""Packed files that are not opened; people are told to unpack them."""

_ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
_ZIP_SUFFIX = ".zip"
_PAIR_SUFFIX = ".hdr"
_APPLE_DOUBLE = "._"
_REPORT_EACH_S = 0.1
_NO_KIND = (
    "The file is of no kind that is opened: DICOM, DICOMDIR, NIfTI (.nii, .nii.gz, .hdr with .img),"
    " NRRD (.nrrd, .nhdr) or ZIP"
)

_NO_WAIT = getattr(os, "O_NONBLOCK", 0)
_NO_TRANSLATION = getattr(os, "O_BINARY", 0)

Known = Callable[[str, os.stat_result], bool]


@dataclass(frozen=True, slots=True)
class ScanResult:
    """What lies in the scanned files and folders.

    Attributes:
        headers: Of each DICOM image instance, or of each frame with a place, in path order.
        volume_files: NIfTI and NRRD files.
        objects: SEG, RTSTRUCT, SR, PR, KO and the like.
        unreadable: Files that should be images and are not readable, with the reason.
        ignored_count: Files of other kinds (text, spreadsheets, DICOMDIR in a folder).
        unchanged: Paths that the caller knew and that were not opened.
        archives: ZIP files, which are not opened here.
        directories: DICOMDIR files that were named; one met in a folder is ignored, since
            everything below that folder is read anyway.
        findings: What was odd and is no file of its own.
    """

    headers: tuple[InstanceHeader, ...] = ()
    volume_files: tuple[Path, ...] = ()
    objects: tuple[ReferencedObject, ...] = ()
    unreadable: tuple[UnreadableFile, ...] = ()
    ignored_count: int = 0
    unchanged: tuple[str, ...] = ()
    archives: tuple[Path, ...] = ()
    directories: tuple[Path, ...] = ()
    findings: tuple[Finding, ...] = ()


def scan_files(
    paths: Sequence[Path],
    *,
    known: Known | None = None,
    children: ChildPool | None = None,
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
) -> ScanResult:
    """Scan files and folders for images; nothing is changed, pixels are not read.

    DICOM is recognised by content, under any name, hidden or not. Each file is opened once at
    most; pipes, sockets and devices are never opened. A damaged file never stops the scan.

    Args:
        paths: Files, and folders that are searched to the bottom. Links are followed, loops not.
        known: Asked once for every regular file before it is opened, with its path and what the
            system says of it; True passes over it.
        children: Where headers are read if there are many; None reads them here.
        progress: Told ten times a second, with files per second.
        cancel: Asked at each file.

    Raises:
        UnreadableFileError: A given path does not exist, or is neither file nor folder.
        CancelledError: Between two files.
    """
    progress.report(0.0, "Looking for files")
    sorted_in = _Sorting(known)
    found_files = walk_files(paths, cancel=cancel, on_unreadable=sorted_in.unreadable.append)
    pace = _Pace(progress)
    for found in found_files:
        sorted_in.take(found)
        pace.step()
    files = sorted_in.to_read
    pace.begin_reading(len(files))
    contents: list[FileContent | None] = [None] * len(files)
    read = read_contents([found.path for found in files], children=children, cancel=cancel)
    for index, content in read:
        contents[index] = content
        pace.step()
    progress.report(1.0, f"Read {counted(len(files), 'file')}")
    return _gather(sorted_in, contents)


class _Sorting:
    """The files of a walk by what their names and the caller say of them."""

    def __init__(self, known: Known | None) -> None:
        self._known = known
        self.to_read: list[FoundFile] = []
        self.unreadable: list[UnreadableFile] = []
        self.volume_files: list[Path] = []
        self.archives: list[Path] = []
        self.unchanged: list[str] = []
        self.packed: list[Path] = []
        self.ignored = 0

    def take(self, found: FoundFile) -> None:
        """Put one file where it belongs."""
        path, name = found.path, found.path.name.lower()
        if self._known is not None and self._known(str(path), found.facts):
            self.unchanged.append(str(path))
        elif name.endswith(VOLUME_SUFFIXES) or (
            name.endswith(_PAIR_SUFFIX) and _is_pair_header(path)
        ):
            self.volume_files.append(path)
        elif name.endswith(_ZIP_SUFFIX) or (found.given and _start(path, 4) in _ZIP_STARTS):
            self.archives.append(path)
        elif name.endswith(PACKED_SUFFIXES):
            self.packed.append(path)
        elif name.startswith(_APPLE_DOUBLE) and not found.given:
            self.ignored += 1  # what macOS keeps beside a file on foreign disks
        else:
            self.to_read.append(found)


class _Pace:
    """Tell ten times a second how far the work is and how fast; the faces add the time left."""

    def __init__(self, progress: ProgressReporter) -> None:
        self._progress = progress
        self._total = self._done = 0
        self._started = self._told = time.monotonic()

    def begin_reading(self, total: int) -> None:
        """Count from here to a total; before, files are only looked for."""
        self._total, self._done = total, 0
        self._started = time.monotonic()

    def step(self) -> None:
        """Count one more file."""
        self._done += 1
        now = time.monotonic()
        if now - self._told < _REPORT_EACH_S:
            return
        self._told = now
        if not self._total:
            self._progress.report(0.0, f"Looking for files, {self._done} found")
            return
        rate = self._done / max(now - self._started, 1e-3)
        text = f"Reading headers, {self._done} of {self._total}, {rate:.0f} files/s"
        self._progress.report(self._done / self._total, text)


def _gather(sorted_in: _Sorting, contents: Sequence[FileContent | None]) -> ScanResult:
    """Put what the files hold into one record, in path order."""
    headers: list[InstanceHeader] = []
    objects, directories = [], []
    unreadable, ignored = list(sorted_in.unreadable), sorted_in.ignored
    for found, content in zip(sorted_in.to_read, contents, strict=True):
        if content is None or content == FileContent():
            if found.given and is_directory_file(found.path):
                directories.append(found.path)
            elif found.given:
                unreadable.append(UnreadableFile(str(found.path), _NO_KIND))
            else:
                ignored += 1
            continue
        headers.extend(content.headers)
        if content.object is not None:
            objects.append(content.object)
        if content.unreadable is not None:
            unreadable.append(content.unreadable)
    return ScanResult(
        tuple(headers),
        tuple(sorted_in.volume_files),
        tuple(objects),
        tuple(unreadable),
        ignored + len(sorted_in.packed),
        tuple(sorted_in.unchanged),
        tuple(sorted_in.archives),
        tuple(directories),
        _packed_finding(sorted_in.packed),
    )


def _packed_finding(packed: Sequence[Path]) -> tuple[Finding, ...]:
    if not packed:
        return ()
    text = (
        f"{counted(len(packed), 'packed file')} of a kind that is not opened (.tar, .7z, .rar), "
        f"first: {packed[0].name}. Unpack it and import its folder; ZIP files are opened"
    )
    return (Finding(Severity.WARNING, "packed_file", str(packed[0]), text),)


def _is_pair_header(path: Path) -> bool:
    """Whether a `.hdr` is the first half of a NIfTI or Analyze pair, by its stated size."""
    return _start(path, 4) in (
        (348).to_bytes(4, "little"),
        (348).to_bytes(4, "big"),
        (540).to_bytes(4, "little"),
        (540).to_bytes(4, "big"),
    )


def _start(path: Path, count: int) -> bytes:
    """Return the first bytes of a file; none where it cannot be read, which its reader reports."""
    try:
        handle = os.open(path, os.O_RDONLY | _NO_WAIT | _NO_TRANSLATION)
    except OSError:
        return b""
    try:
        return os.read(handle, count)
    except OSError:
        return b""
    finally:
        os.close(handle)
