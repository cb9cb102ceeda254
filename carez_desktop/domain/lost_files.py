"""Say at a volume which files of its series could not be read: it may be shorter than it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath

from carez_desktop.domain.finding import Finding, Severity, counted
from carez_desktop.domain.study import UnreadableFile, VolumeRecord

UNREADABLE_FILES = "unreadable_files"
_NAMED = 3


def note_lost_files(
    records: Sequence[VolumeRecord], unreadable: Sequence[UnreadableFile]
) -> tuple[VolumeRecord, ...]:
    """Add a finding to each volume of a series that lost files.

    A file that still states its series belongs to it. One that does not belongs to the series of
    its folder, if all other files there are of one series.

    Args:
        records: Of one import, or of a whole library.
        unreadable: Files that could not be read.
    """
    lost = _by_series(records, unreadable)
    if not lost:
        return tuple(records)
    files_of: dict[str, set[str]] = {}
    for record in records:
        files_of.setdefault(record.series_instance_uid, set()).update(record.paths)
    return tuple(
        _with_finding(record, lost[series], len(files_of[series]))
        if (series := record.series_instance_uid) in lost
        else record
        for record in records
    )


def _by_series(
    records: Sequence[VolumeRecord], unreadable: Sequence[UnreadableFile]
) -> dict[str, list[UnreadableFile]]:
    known = {record.series_instance_uid for record in records}
    series_of_folder: dict[PurePath, set[str]] = {}
    if any(not file.series_instance_uid for file in unreadable):
        for record in records:
            if record.source_format == "dicom":
                for folder in {PurePath(path).parent for path in set(record.paths)}:
                    series_of_folder.setdefault(folder, set()).add(record.series_instance_uid)
    lost: dict[str, list[UnreadableFile]] = {}
    for file in unreadable:
        series = file.series_instance_uid
        if not series:
            near = series_of_folder.get(PurePath(file.path).parent, set())
            series = next(iter(near)) if len(near) == 1 else ""
        if series in known:
            lost.setdefault(series, []).append(file)
    return lost


def _with_finding(record: VolumeRecord, lost: Sequence[UnreadableFile], read: int) -> VolumeRecord:
    names = ", ".join(f"{PurePath(file.path).name}: {file.reason}" for file in lost[:_NAMED])
    more = f"; and {len(lost) - _NAMED} more" if len(lost) > _NAMED else ""
    text = (
        f"{len(lost)} of {counted(len(lost) + read, 'file')} of its series could not be read, so"
        f" slices may be missing ({names}{more})"
    )
    finding = Finding(Severity.WARNING, UNREADABLE_FILES, record.volume_id, text)
    others = tuple(f for f in record.findings if f.code != UNREADABLE_FILES)
    return replace(record, findings=(*others, finding))
