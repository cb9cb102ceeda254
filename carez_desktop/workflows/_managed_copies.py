"""Copy the files of a scan below `<home>/studies`, verified byte for byte."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from carez_desktop.domain.finding import Finding, Severity, counted
from carez_desktop.domain.study import UnreadableFile
from carez_desktop.errors import StorageError
from carez_desktop.progress import CancellationToken, ProgressReporter
from carez_desktop.system.file_safety import storage_error
from carez_desktop.workflows._managed_files import ManagedImport, synchronise

if TYPE_CHECKING:
    from carez_desktop.dicom.scan import ScanResult

_STEP = 1 << 20
_UID = re.compile(r"^[0-9.]{1,64}$")


@dataclass(slots=True)
class _Copies:
    """What was copied: source -> managed path; and what could not be read on the way."""

    placed: dict[str, Path] = field(default_factory=dict)
    lost: list[UnreadableFile] = field(default_factory=list)
    size: int = 0


def copy_files(
    managed: ManagedImport, scan: ScanResult, progress: ProgressReporter, cancel: CancellationToken
) -> tuple[ScanResult, dict[str, str], tuple[Finding, ...]]:
    """Copy what a scan found and return the scan with the paths of the copies.

    DICOM goes to `<digest of the study UID>/<SOP UID>.dcm`, a volume file to `<digest of the folder
    above its own>/<its folder>/<its name>`, so that label folders stay beside image folders. A copy
    that is there with the same bytes is used. Files that are managed already stay.

    Returns:
        The scan; managed path -> source path; findings.

    Raises:
        StorageError: Too little room, or the copy differs from its source.
        CancelledError: Between two megabytes.
    """
    wanted = _wanted(managed.root, scan)
    needed = sum(_size(source) for source, target in wanted.items() if not target.exists())
    if wanted and needed > (room := managed.room_bytes()):
        raise StorageError(
            f"The copy needs {needed >> 20} MiB, and there is room for {max(room, 0) >> 20} MiB",
            subject=str(managed.root),
            hint="Free space on its disk, or import in place, without --copy",
        )
    copies = _Copies()
    for source, target in wanted.items():
        cancel.raise_if_cancelled()
        progress.report(min(1.0, copies.size / max(needed, 1)), f"Copying {Path(source).name}")
        _copy(managed, source, target, copies, cancel)
    for folder in sorted({target.parent for target in copies.placed.values()}):
        _synchronise(folder, cancel)
    return _moved(scan, copies), {str(t): s for s, t in copies.placed.items()}, _said(copies)


def _wanted(root: Path, scan: ScanResult) -> dict[str, Path]:
    """Return source -> place of its copy, for what is not managed yet."""
    from carez_desktop.imaging.volume_files import data_files_of

    below = f"{root}{os.sep}"
    wanted: dict[str, Path] = {}
    for header in scan.headers:
        folder = root / _digest(header.study_instance_uid)
        wanted.setdefault(header.path, folder / _dicom_name(header.sop_instance_uid))
    studies = {header.series_instance_uid: header.study_instance_uid for header in scan.headers}
    for item in scan.objects:
        study = studies.get(item.series_instance_uid, item.series_instance_uid)
        wanted.setdefault(item.path, root / _digest(study) / _dicom_name(item.sop_instance_uid))
    for path in scan.volume_files:
        for file in (path, *data_files_of(path)):
            folder = root / _digest(str(file.parent.parent)) / (file.parent.name or "files")
            wanted.setdefault(str(file), folder / file.name)
    return {source: target for source, target in wanted.items() if not source.startswith(below)}


def _copy(
    managed: ManagedImport,
    source: str,
    target: Path,
    copies: _Copies,
    cancel: CancellationToken,
) -> None:
    if _is_there(source, target):
        managed.claim(target)
        copies.placed[source] = target
        return
    part = managed.new_part()
    try:
        stream = open(source, "rb")  # noqa: PTH123, SIM115 - its errors are told from the copy's
    except OSError as error:
        reason = f"The file cannot be copied: {error.strerror or error}"
        copies.lost.append(UnreadableFile(source, reason))
        return
    with stream:
        try:
            handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as out:
                digest = hashlib.sha256()
                while block := stream.read(_STEP):
                    cancel.raise_if_cancelled()
                    digest.update(block)
                    copies.size += out.write(block)
            written = _file_digest(part)
        except OSError as error:
            raise storage_error(error, target, "The file cannot be copied") from error
    if written != digest.hexdigest():
        raise StorageError(
            "The copy differs from its source",
            subject=source,
            hint="The disk of the home folder, or its memory, is damaged: check it",
        )
    copies.placed[source] = _place(managed, part, target, written)


def _is_there(source: str, target: Path) -> bool:
    """Whether a copy was made before and has the bytes of its source still."""
    try:
        if os.stat(source).st_size != target.stat().st_size:  # noqa: PTH116 - text
            return False
        return _file_digest(Path(source)) == _file_digest(target)
    except OSError:
        return False  # copying it says why


def _place(managed: ManagedImport, part: Path, target: Path, digest: str) -> Path:
    """Put a copy in its place, beside another file of that name if it has other bytes."""
    if target.exists() and _file_digest(target) != digest:
        target = target.with_name(f"{digest[:8]}~{target.name}")
    if not target.exists():
        managed.put(part, target)
    else:
        managed.claim(target)
        part.unlink()
    return target


def _moved(scan: ScanResult, copies: _Copies) -> ScanResult:
    """Return the scan with managed paths; what could not be copied is unreadable."""
    lost = {item.path for item in copies.lost}
    headers = []
    for header in scan.headers:
        target = copies.placed.get(header.path)
        if target is not None:
            facts = target.stat()
            header = replace(
                header,
                path=str(target),
                file_size=facts.st_size,
                modified_ns=facts.st_mtime_ns,
            )
        if header.path not in lost:
            headers.append(header)
    return replace(
        scan,
        headers=tuple(headers),
        objects=tuple(
            replace(item, path=str(copies.placed.get(item.path, item.path)))
            for item in scan.objects
            if item.path not in lost
        ),
        volume_files=tuple(
            copies.placed.get(str(path), path)
            for path in scan.volume_files
            if str(path) not in lost
        ),
        unreadable=(*scan.unreadable, *copies.lost),
    )


def _said(copies: _Copies) -> tuple[Finding, ...]:
    if not copies.placed:
        return ()
    text = f"{counted(len(copies.placed), 'file')} copied into the home folder and verified"
    return (Finding(Severity.INFO, "copied", "import", text),)


def _dicom_name(uid: str) -> str:
    return f"{uid if _UID.match(uid) else _digest(uid)}.dcm"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _file_digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116 - text, and one of many
    except OSError:
        return 0  # it vanished: copying it says so


def _synchronise(folder: Path, cancel: CancellationToken) -> None:
    try:
        synchronise(folder, cancel)
    except OSError as error:
        raise storage_error(error, folder / "copy", "The copy cannot be kept") from error
