"""What an import read of the files that it was given."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from carez_desktop.domain.study import UnreadableFile, VolumeRecord

if TYPE_CHECKING:
    from carez_desktop.dicom.scan import ScanResult
    from carez_desktop.library.known_files import KnownFiles


@dataclass(frozen=True)
class FoundFiles:
    """What was read of the files of one import.

    Attributes:
        scan: Headers, objects, unreadable files.
        described: One record or more for each new or changed NIfTI or NRRD file, by its path.
        unreadable: Files that could not be read, volume files too.
        known: What the library was asked.
        folders: The folders that were given.
        copied: Files of which the scan names managed copies.
    """

    scan: ScanResult
    described: Mapping[str, tuple[VolumeRecord, ...]]
    unreadable: tuple[UnreadableFile, ...]
    known: KnownFiles
    folders: tuple[str, ...]
    copied: Collection[str] = frozenset()


def facts_of(found: FoundFiles, path: str) -> tuple[int, int]:
    """Return size and time of change (ns) of a file as the scan met it, else as it is now."""
    facts = found.known.fresh.get(path)
    if facts is not None:
        return facts
    now = Path(path).stat()
    return now.st_size, now.st_mtime_ns


def with_more_headers(scan: ScanResult, more: ScanResult) -> ScanResult:
    """Return a scan with what a second one read of further files."""
    return replace(
        scan,
        headers=(*scan.headers, *more.headers),
        objects=(*scan.objects, *more.objects),
        unreadable=(*scan.unreadable, *more.unreadable),
    )
