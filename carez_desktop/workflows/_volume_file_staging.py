"""What NIfTI and NRRD files change in the library: new ones, copies, moved ones, label maps."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from carez_desktop.domain.finding import Finding, Severity
from carez_desktop.domain.study import VolumeRecord
from carez_desktop.library.import_rows import SeriesChange
from carez_desktop.library.instance_rows import COPY, VOLUME, FileRow
from carez_desktop.workflows._found_files import FoundFiles, facts_of

if TYPE_CHECKING:
    from carez_desktop.library.known_files import KnownFiles
    from carez_desktop.library.study_library import StudyLibrary


@dataclass(frozen=True)
class StagedFiles:
    """Volume files as series of their own, and the rows of all of them, copies too."""

    series: list[SeriesChange]
    files: list[FileRow]


def stage_volume_files(
    library: StudyLibrary, found: FoundFiles
) -> tuple[StagedFiles, tuple[Finding, ...], tuple[str, ...]]:
    """Return volume files as series of their own, the copies left out, and files that moved."""
    from carez_desktop.domain.label_files import set_apart_label_files
    from carez_desktop.library.volume_rows import series_key

    staged = StagedFiles([], [])
    copies, moved = [], []
    kept: dict[str, VolumeRecord] = {}
    known = _owners(library, found.described)
    for path, records in found.described.items():
        first = records[0]
        owner = kept[first.volume_id].paths[0] if first.volume_id in kept else None
        stored = known.get(first.volume_id)
        if owner is None and stored is not None and stored != path:
            stays = stored not in found.known.changed and stored not in found.copied
            if stays and os.path.exists(stored):  # noqa: PTH110
                owner = stored
            else:
                moved.append(stored)
        if owner is not None:
            text = "1 file is a copy of another and was left out"
            copies.append(Finding(Severity.INFO, "copy", first.volume_id, text))
        else:
            kept.update({record.volume_id: record for record in records})
        role = VOLUME if owner is None else COPY
        key = series_key(first) if owner is None else ""
        staged.files.append(FileRow(path, *facts_of(found, path), role, "", key))
    unchanged = _unchanged_files(library, found.known) if kept else ()
    apart = set_apart_label_files((*unchanged, *kept.values()))
    changes: dict[str, list[VolumeRecord]] = {}
    for record in apart:
        changes.setdefault(series_key(record), []).append(record)
    before: dict[str, list[VolumeRecord]] = {}
    for record in unchanged:
        before.setdefault(series_key(record), []).append(record)
    staged.series.extend(
        SeriesChange(key, tuple(records))
        for key, records in changes.items()
        if records != before.get(key)
    )
    return staged, tuple(copies), tuple(moved)


def _owners(
    library: StudyLibrary, described: Mapping[str, tuple[VolumeRecord, ...]]
) -> dict[str, str]:
    """Return volume_id -> file of volumes that the library knows already."""
    ids = [records[0].volume_id for records in described.values()]
    return {record.volume_id: record.paths[0] for record in library.volumes_with("volume_id", ids)}


def _unchanged_files(library: StudyLibrary, known: KnownFiles) -> tuple[VolumeRecord, ...]:
    """Return the volumes of unchanged NIfTI and NRRD files, which new ones may be labels of."""
    from carez_desktop.library.volume_queries import as_imported, volumes_of

    with library.database.reading() as connection:
        records = volumes_of(connection, sorted(known.series))
    return tuple(as_imported(record) for record in records if record.source_format != "dicom")
