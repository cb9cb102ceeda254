"""Take in what a person gives: scan it, unpack ZIPs, follow DICOMDIRs, copy where asked."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from carez_desktop.domain.codec import to_plain
from carez_desktop.domain.finding import Finding, Severity
from carez_desktop.domain.study import UnreadableFile
from carez_desktop.errors import UnreadableFileError
from carez_desktop.progress import (
    NEVER,
    SILENT,
    CancellationToken,
    PartProgress,
    ProgressReporter,
)
from carez_desktop.workflows._managed_copies import copy_files
from carez_desktop.workflows._managed_files import CONTENTS, STUDIES, ManagedImport, synchronise
from carez_desktop.workflows.context import WorkflowContext

if TYPE_CHECKING:
    from carez_desktop.dicom.scan import Known, ScanResult

_HASHED_AT_ONCE = 1 << 20


@dataclass(slots=True)
class Intake:
    """What was taken in.

    Attributes:
        scan: Of everything, ZIP members and copies under their managed paths.
        findings: About ZIPs, DICOMDIRs and copies.
        sources: Managed path -> where it came from (`archive.zip/member`, or the copied file).
    """

    scan: ScanResult
    findings: list[Finding] = field(default_factory=list)
    sources: dict[str, str] = field(default_factory=dict)


@contextmanager
def take_in(
    context: WorkflowContext,
    paths: Sequence[Path],
    *,
    known: Known | None = None,
    copy: bool = False,
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
) -> Iterator[Intake]:
    """Scan files, folders, ZIPs and DICOMDIRs; keep what was unpacked or copied if all goes well.

    ZIPs, given or met in a folder, are unpacked below `<home>/studies` once and recognised by
    their digest. A DICOMDIR that is given brings the files that it lists and no others.

    Args:
        context: Whose home and library.
        paths: Anything that can be imported, mixed.
        known: As for `scan_files`; with `copy` asked for files of `<home>/studies` only.
        copy: Copy every file below `<home>/studies`, verified; the source is only read.
        progress: Of all of it.
        cancel: Asked at each file and each megabyte.

    Yields:
        What was found; the library is written inside the `with`. An error there, or a kill, takes
        back what was made here and the library does not know.

    Raises:
        UnreadableFileError: A given path does not exist, or is neither file nor folder.
        StorageError: The home folder is full or cannot be written.
        CancelledError: On the way.
    """
    root = context.home / STUDIES
    managed = ManagedImport(root, context.library.knows_paths_below)
    try:
        yield _take_in(context, managed, paths, known, copy=copy, progress=progress, cancel=cancel)
    except BaseException:
        managed.undo()
        raise
    managed.keep()


def _take_in(
    context: WorkflowContext,
    managed: ManagedImport,
    paths: Sequence[Path],
    known: Known | None,
    *,
    copy: bool,
    progress: ProgressReporter,
    cancel: CancellationToken,
) -> Intake:
    from carez_desktop.dicom.scan import scan_files

    asked = _only_managed(known, managed.root) if known and copy else known
    share = 0.4 if copy or any(_looks_packed(path) for path in paths) else 0.95
    taken = Intake(
        scan_files(
            paths,
            known=asked,
            children=context.children,
            progress=PartProgress(progress, 0.0, share),
            cancel=cancel,
        )
    )
    taken.findings.extend(taken.scan.findings)
    middle = share + 0.3 * (1.0 - share) if copy else share + 0.6 * (1.0 - share)
    more = _listed(taken, cancel)
    unpacking = PartProgress(progress, share, middle)
    folders = _unpack_all(managed, taken, unpacking, cancel)
    if more or folders:
        second = scan_files(
            [*more, *folders],
            known=asked,
            children=context.children,
            progress=PartProgress(progress, middle, 1.0),
            cancel=cancel,
        )
        taken.scan = _merged(taken.scan, second)
    if copy:
        copying = PartProgress(progress, middle, 1.0)
        scan, sources, findings = copy_files(managed, taken.scan, copying, cancel)
        taken.scan = _without_known(scan, sources, known)
        taken.sources.update(sources)
        taken.findings.extend(findings)
    return taken


def _only_managed(known: Known, root: Path) -> Known:
    """Return `known` for files that are copies already; others are to be copied."""
    below = f"{root}{os.sep}"
    return lambda path, facts: path.startswith(below) and known(path, facts)


def _without_known(scan: ScanResult, copies: Mapping[str, str], known: Known | None) -> ScanResult:
    """Pass over copies that were made and imported before."""
    if known is None:
        return scan
    same = {path for path in copies if known(path, Path(path).stat())}
    return replace(
        scan,
        headers=tuple(header for header in scan.headers if header.path not in same),
        objects=tuple(item for item in scan.objects if item.path not in same),
        volume_files=tuple(path for path in scan.volume_files if str(path) not in same),
        unchanged=(*scan.unchanged, *sorted(same)),
    )


def _looks_packed(path: Path) -> bool:
    return Path(path).suffix.lower() == ".zip"


def _listed(taken: Intake, cancel: CancellationToken) -> list[Path]:
    """Return the files that the given DICOMDIRs list."""
    from carez_desktop.dicom.directory_file import read_directory

    files: list[Path] = []
    for path in taken.scan.directories:
        try:
            listing = read_directory(path, cancel=cancel)
        except UnreadableFileError as error:
            _note_unreadable(taken, [UnreadableFile(str(path), f"{error.what}. {error.hint}")])
            continue
        files.extend(listing.files)
        taken.findings.extend(listing.findings)
    return files


def _unpack_all(
    managed: ManagedImport, taken: Intake, progress: ProgressReporter, cancel: CancellationToken
) -> list[Path]:
    """Unpack the ZIPs of a scan; return their folders."""
    from carez_desktop.dicom.zip_archives import RefusedArchiveError

    folders: dict[Path, None] = {}
    archives = taken.scan.archives
    for index, path in enumerate(archives):
        part = PartProgress(progress, index / len(archives), (index + 1) / len(archives))
        try:
            folders[_unpack(managed, path, taken, part, cancel)] = None
        except RefusedArchiveError as error:
            _note_unreadable(taken, [UnreadableFile(str(path), f"The ZIP is not opened: {error}")])
        except OSError as error:
            reason = f"The ZIP cannot be read: {error.strerror or error}"
            _note_unreadable(taken, [UnreadableFile(str(path), reason)])
    return list(folders)


def _unpack(
    managed: ManagedImport,
    path: Path,
    taken: Intake,
    progress: ProgressReporter,
    cancel: CancellationToken,
) -> Path:
    """Return the folder of an unpacked ZIP, which is made unless it is there complete."""
    from carez_desktop.dicom.zip_archives import unpack_archive

    final = managed.root / _digest(path, cancel)
    if final.exists():
        managed.claim(final)
    contents = _complete_contents(final)
    if contents is None:
        part = managed.new_part()
        part.mkdir(mode=0o700)
        unpacked = unpack_archive(
            path, part, room_bytes=managed.room_bytes(), progress=progress, cancel=cancel
        )
        contents = {
            "name": path.name,
            "files": unpacked.files,
            "unreadable": to_plain(unpacked.unreadable),
            "findings": to_plain(unpacked.findings),
        }
        (part / CONTENTS).write_text(json.dumps(contents), encoding="utf-8")
        synchronise(part, cancel)
        try:
            managed.put(part, final)
        except FileExistsError:
            _fill_up(managed, part, final, unpacked.files)
    _tell(taken, path, final, contents)
    return final


def _complete_contents(folder: Path) -> Mapping[str, object] | None:
    """Return what an unpacked folder holds; None if it is not there or lacks files."""
    try:
        contents = json.loads((folder / CONTENTS).read_text(encoding="utf-8"))
        sizes = {name: (folder / name).stat().st_size for name in contents["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return contents if sizes == contents["files"] else None


def _fill_up(managed: ManagedImport, part: Path, final: Path, names: Mapping[str, int]) -> None:
    """Put back what was deleted of an unpacked ZIP, or was unpacked by another just now."""
    for name in [*names, CONTENTS]:
        target = final / name
        if not target.exists():
            managed.put(part / name, target)


def _tell(taken: Intake, path: Path, final: Path, contents: Mapping[str, object]) -> None:
    """Say what a ZIP held, whether it was unpacked now or before."""
    plain = json.loads(json.dumps(contents))
    _note_unreadable(taken, [UnreadableFile(**item) for item in plain["unreadable"]])
    for item in plain["findings"]:
        taken.findings.append(
            Finding(Severity(item["severity"]), item["code"], str(path), item["text"])
        )
    for name in plain["files"]:
        taken.sources[str(final / name)] = f"{path}/{name}"
    if not plain["files"]:
        text = "The ZIP holds no DICOM, NIfTI or NRRD file"
        taken.findings.append(Finding(Severity.WARNING, "archive_empty", str(path), text))


def _digest(path: Path, cancel: CancellationToken) -> str:
    """Return the first 32 hex digits of the SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_HASHED_AT_ONCE):
            cancel.raise_if_cancelled()
            digest.update(block)
    return digest.hexdigest()[:32]


def _note_unreadable(taken: Intake, files: Sequence[UnreadableFile]) -> None:
    taken.scan = replace(taken.scan, unreadable=(*taken.scan.unreadable, *files))


def _merged(first: ScanResult, second: ScanResult) -> ScanResult:
    """Join two scans; a file that both met counts once."""
    paths = {header.path for header in first.headers} | {item.path for item in first.objects}
    return replace(
        first,
        headers=(*first.headers, *(h for h in second.headers if h.path not in paths)),
        volume_files=tuple(dict.fromkeys((*first.volume_files, *second.volume_files))),
        objects=(*first.objects, *(o for o in second.objects if o.path not in paths)),
        unreadable=tuple(dict.fromkeys((*first.unreadable, *second.unreadable))),
        ignored_count=first.ignored_count + second.ignored_count,
        unchanged=tuple(dict.fromkeys((*first.unchanged, *second.unchanged))),
        findings=(*first.findings, *second.findings),
    )
