"""Follow a DICOMDIR (or DIRFILE) to the files that it lists, and never out of its folder.

A directory is a chain of records tied by byte offsets (PS3.10 8, PS3.3 F.3). Offsets are often
wrong in copies, so they are not used: every record that names a file counts, in the order of the
file. Names are those of a disc (ISO 9660): on other systems they come back in lower case, with a
version `;1`, or below another folder than they state.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from carez_desktop.dicom.data_set_start import looks_like_dicom, read_start
from carez_desktop.dicom.element_bytes import NotUnderstoodError, element_at
from carez_desktop.dicom.elements import ElementTable
from carez_desktop.dicom.header_reader import read_header
from carez_desktop.dicom.referenced_objects import DIRECTORY_CLASS
from carez_desktop.domain.finding import Finding, Severity, counted
from carez_desktop.errors import UnreadableFileError
from carez_desktop.progress import NEVER, CancellationToken

_MEDIA_CLASS = 0x00020002
_RECORDS, _IN_USE, _FILE_ID = 0x00041220, 0x00041410, 0x00041500
_REFERENCED_INSTANCE, _SOP_INSTANCE = 0x00041511, 0x00080018
_INACTIVE = 0
_MOST_BYTES = 256 << 20
_MOST_COMPONENTS = 8
"""PS3.10 8.2: a File ID has one to eight components."""
_NAMED = 5
_VERSION = re.compile(r"\.?;\d+$")


@dataclass(frozen=True, slots=True)
class DirectoryListing:
    """The files that a directory names, in its order, and what was odd."""

    files: tuple[Path, ...]
    findings: tuple[Finding, ...]


def is_directory_file(path: Path) -> bool:
    """Whether a file is a DICOM directory, by the class that its file meta states."""
    try:
        with path.open("rb") as stream:
            start = stream.read(1024)
    except OSError:
        return False
    at = start.find(struct.pack("<HH", 2, 2), 132, 400)
    return start[128:132] == b"DICM" and DIRECTORY_CLASS.encode() in start[at : at + 40] and at > 0


def read_directory(path: Path, *, cancel: CancellationToken = NEVER) -> DirectoryListing:
    """Find the files that a DICOMDIR lists.

    A name that is not there is looked for without regard to case, version (`;1`) and trailing
    dot; then below fewer folders than it states, where the file must have the instance UID that
    the record states. A name that leads out of the folder, by `..`, as absolute path or through
    a link, is left out.

    Args:
        path: The directory file; its folder is the root of the file set.
        cancel: Asked at each record.

    Raises:
        UnreadableFileError: It is damaged before its first record, or too large.
        CancelledError: Between two records.
    """
    records, is_cut = _records(path)
    root = _FileSet(path.parent)
    found: dict[Path, None] = {}
    missing, outside, moved = [], [], 0
    for components, instance in records:
        cancel.raise_if_cancelled()
        name = "/".join(components)
        if not _is_plain(components):
            outside.append(name)
            continue
        place = root.find(components)
        if place is None and (place := _find_moved(root, components, instance)):
            moved += 1
        if place is None:
            missing.append(name)
        elif root.holds(place):
            found[place] = None
        else:
            outside.append(name)
    findings = _findings(path, missing, outside, moved, is_cut=is_cut)
    return DirectoryListing(tuple(found), findings)


class _FileSet:
    """Names below the folder of a DICOMDIR, looked up as a disc would."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._real_root = os.path.realpath(root)
        self._names: dict[Path, dict[str, str]] = {}

    def find(self, components: Sequence[str]) -> Path | None:
        """Return the file of a File ID, or None."""
        place = self._root
        for component in components:
            names = self._listed(place)
            name = component if component in names.values() else names.get(_folded(component))
            if name is None:
                return None
            place = place / name
        return place if place.is_file() else None

    def holds(self, place: Path) -> bool:
        """Whether a file really lies below the root, links followed."""
        real = os.path.realpath(place)
        return os.path.commonpath((self._real_root, real)) == self._real_root

    def _listed(self, folder: Path) -> dict[str, str]:
        if folder not in self._names:
            try:
                names = sorted(entry.name for entry in folder.iterdir())
            except OSError:
                names = []
            self._names[folder] = {_folded(name): name for name in names}
        return self._names[folder]


def _folded(name: str) -> str:
    return _VERSION.sub("", name).rstrip(".").upper()


def _is_plain(components: Sequence[str]) -> bool:
    """Whether every component of a File ID is one name, not a way."""
    return 0 < len(components) <= _MOST_COMPONENTS and not any(
        part in ("", ".", "..") or set(part) & set("/\\\0:") for part in components
    )


def _find_moved(root: _FileSet, components: Sequence[str], instance: str) -> Path | None:
    """Find a file below fewer folders than its File ID states, known by its instance UID."""
    for first in range(1, len(components) if instance else 0):
        place = root.find(components[first:])
        if place is None or not root.holds(place):
            continue
        try:
            header = read_header(place, frozenset((_SOP_INSTANCE,)))
        except UnreadableFileError:
            continue
        if header.elements.code(_SOP_INSTANCE) == instance:
            return place
    return None


def _records(path: Path) -> tuple[list[tuple[list[str], str]], bool]:
    """Return (File ID, instance UID) of every record in use that names a file; and if it is cut.

    Raises:
        UnreadableFileError: The file cannot be read, or has no directory records.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        raise _damaged(path, error.strerror or str(error)) from error
    if len(content) > _MOST_BYTES:
        raise _damaged(path, f"it is larger than {_MOST_BYTES >> 20} MiB")
    try:
        table, is_cut = _sequence(content)
    except (NotUnderstoodError, struct.error) as error:
        raise _damaged(path, str(error)) from error
    return list(_file_records(table)), is_cut


def _sequence(content: bytes) -> tuple[ElementTable, bool]:
    """Return the data set with its record sequence, and whether the file ends within it."""
    if not looks_like_dicom(content[:4096]):
        raise NotUnderstoodError("it is not DICOM")
    start = read_start(content[: 1 << 16])
    order = "<" if start.little_endian else ">"
    offset = start.offset
    while offset + 8 <= len(content):
        tag, _, length, value = element_at(content, offset, start.explicit, order)
        if tag == _RECORDS:
            is_cut = length != 0xFFFFFFFF and value + length > len(content)
            stop = min(len(content), value + length)
            table = ElementTable({tag: content[value:stop]}, start.little_endian, start.explicit)
            return table, is_cut
        offset = value + length
    raise NotUnderstoodError("it has no directory records")


def _file_records(table: ElementTable) -> Iterator[tuple[list[str], str]]:
    for record in table.items(_RECORDS):
        raw = record.raw(_FILE_ID).decode("latin-1").strip(" \0")
        if not raw or record.unsigned(_IN_USE) == _INACTIVE:
            continue
        instance = record.code(_REFERENCED_INSTANCE) or record.code(_SOP_INSTANCE)
        yield [part.strip(" \0") for part in raw.split("\\")], instance


def _findings(
    path: Path, missing: Sequence[str], outside: Sequence[str], moved: int, *, is_cut: bool
) -> tuple[Finding, ...]:
    findings = []
    if missing:
        text = f"{counted(len(missing), 'file')} that it lists are not there: {_some(missing)}"
        findings.append(Finding(Severity.WARNING, "directory_files_missing", str(path), text))
    if outside:
        text = (
            f"{counted(len(outside), 'name')} in it lead out of its folder and were not followed: "
            f"{_some(outside)}"
        )
        findings.append(Finding(Severity.WARNING, "directory_leads_out", str(path), text))
    if moved:
        text = f"{counted(moved, 'file')} lie below other folders than it states; found by UID"
        findings.append(Finding(Severity.INFO, "directory_moved", str(path), text))
    if is_cut:
        text = "It is cut off; the records before the cut were read. Import its folder for the rest"
        findings.append(Finding(Severity.WARNING, "directory_cut", str(path), text))
    return tuple(findings)


def _some(names: Sequence[str]) -> str:
    """Name the first few; control characters of a hostile name stay visible as escapes."""
    shown = ", ".join(
        "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in name)
        for name in names[:_NAMED]
    )
    return shown + (" ..." if len(names) > _NAMED else "")


def _damaged(path: Path, reason: str) -> UnreadableFileError:
    return UnreadableFileError(
        f"The DICOMDIR cannot be read: {reason}",
        subject=str(path),
        hint="Import its folder instead: every file below it is then read",
    )
