"""Find the images of files and folders, whatever their names, and read their headers."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from carez_desktop.dicom.header_reader import DicomHeader, read_header
from carez_desktop.dicom.instance_header import WANTED_TAGS, to_instance_header
from carez_desktop.dicom.referenced_objects import (
    DIRECTORY_CLASS,
    object_name,
    read_referenced_object,
)
from carez_desktop.domain.study import InstanceHeader, ReferencedObject, UnreadableFile
from carez_desktop.errors import UnreadableFileError
from carez_desktop.progress import NEVER, SILENT, CancellationToken, ProgressReporter

VOLUME_SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".nhdr")
DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")
_SOP_CLASS, _SOP_INSTANCE = 0x00080016, 0x00080018
_REPORT_EACH = 50


@dataclass(frozen=True, slots=True)
class ScanResult:
    """What lies in the scanned files and folders.

    Attributes:
        headers: One of each DICOM image instance, in path order.
        volume_files: NIfTI and NRRD files.
        objects: SEG, RTSTRUCT, SR, PR, KO and the like.
        unreadable: Files that should be images and are not readable, with the reason.
        ignored_count: Files of other kinds (text, spreadsheets, DICOMDIR).
    """

    headers: tuple[InstanceHeader, ...]
    volume_files: tuple[Path, ...]
    objects: tuple[ReferencedObject, ...]
    unreadable: tuple[UnreadableFile, ...]
    ignored_count: int


def scan_files(
    paths: Sequence[Path],
    *,
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
) -> ScanResult:
    """Scan files and folders for images; nothing is changed, pixels are not read.

    DICOM is recognised by content, under any name. A damaged file never stops the scan.

    Args:
        paths: Files, and folders that are searched to the bottom. Links are followed, loops not.
        progress: Told every 50 files.
        cancel: Asked at each file.

    Raises:
        UnreadableFileError: A given path does not exist.
        CancelledError: Between two files.
    """
    progress.report(0.0, "Looking for files")
    files = list(_walk(paths, cancel))
    gathered = _Gathered()
    for index, path in enumerate(files):
        cancel.raise_if_cancelled()
        if index % _REPORT_EACH == 0:
            progress.report(index / len(files), f"Reading headers, {index} of {len(files)}")
        gathered.take(path)
    progress.report(1.0, f"Read {len(files)} files")
    return gathered.result()


class _Gathered:
    """What the scan has found so far."""

    def __init__(self) -> None:
        self._headers: list[InstanceHeader] = []
        self._volume_files: list[Path] = []
        self._objects: list[ReferencedObject] = []
        self._unreadable: list[UnreadableFile] = []
        self._ignored = 0

    def take(self, path: Path) -> None:
        """Look at one file and note what it is."""
        name = path.name.lower()
        if name.endswith(VOLUME_SUFFIXES):
            self._volume_files.append(path)
            return
        try:
            header = read_header(path, WANTED_TAGS)
        except UnreadableFileError as error:
            not_dicom = error.what.startswith("The file is not DICOM")
            if not_dicom and not name.endswith(DICOM_SUFFIXES):
                self._ignored += 1
            else:
                self._unreadable.append(UnreadableFile(str(path), error.what))
            return
        self._sort_in(path, header)

    def _sort_in(self, path: Path, header: DicomHeader) -> None:
        sop_class = header.elements.code(_SOP_CLASS)
        if sop_class == DIRECTORY_CLASS:
            self._ignored += 1
        elif object_name(sop_class):
            self._objects.append(read_referenced_object(header))
        elif not header.elements.code(_SOP_INSTANCE) and header.pixels is None:
            reason = "The file has neither a SOP Instance UID nor pixels"
            self._unreadable.append(UnreadableFile(str(path), reason))
        elif shortage := _truncation(header):
            self._unreadable.append(UnreadableFile(str(path), shortage))
        else:
            self._headers.append(to_instance_header(header))

    def result(self) -> ScanResult:
        """Return what was found as one record."""
        return ScanResult(
            tuple(self._headers),
            tuple(self._volume_files),
            tuple(self._objects),
            tuple(self._unreadable),
            self._ignored,
        )


def _truncation(header: DicomHeader) -> str:
    """Say by how much the pixels of a file are cut off; "" where they are complete."""
    pixels = header.pixels
    if pixels is None or pixels.length is None:
        return ""
    missing = pixels.offset + pixels.length - header.file_size
    if missing <= 0:
        return ""
    return f"The file is truncated: {missing} of {pixels.length} bytes of pixel data are missing"


def _walk(paths: Sequence[Path], cancel: CancellationToken) -> Iterator[Path]:
    """Yield every file once, folders in name order, following links but no loop."""
    seen_folders: set[tuple[int, int]] = set()
    for path in paths:
        absolute = Path(path).absolute()
        if absolute.is_file():
            yield absolute
        elif absolute.is_dir():
            yield from _walk_folder(absolute, seen_folders, cancel)
        else:
            raise UnreadableFileError(
                "No such file or folder", subject=str(path), hint="Check the path"
            )


def _walk_folder(
    folder: Path, seen: set[tuple[int, int]], cancel: CancellationToken
) -> Iterator[Path]:
    for root, folders, names in os.walk(folder, followlinks=True):
        cancel.raise_if_cancelled()
        facts = Path(root).stat()
        identity = (facts.st_dev, facts.st_ino)
        if identity in seen:
            folders.clear()
            continue
        seen.add(identity)
        folders.sort()
        for name in sorted(names):
            path = Path(root) / name
            if path.is_file():
                yield path
