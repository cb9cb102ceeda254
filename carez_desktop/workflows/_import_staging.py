"""What an import changes, worked out before anything is written.

Nothing here writes. If another process changes the library meanwhile, the same is worked out anew
from what was read of the files; they are not read twice.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from carez_desktop.domain.finding import Finding
from carez_desktop.domain.study import InstanceHeader, UnreadableFile, VolumeRecord
from carez_desktop.library.import_rows import ImportChange, SeriesChange
from carez_desktop.library.instance_rows import IMAGE, OBJECT, OTHER, FileRow
from carez_desktop.progress import NEVER, SILENT, CancellationToken, ProgressReporter
from carez_desktop.workflows._found_files import FoundFiles, facts_of
from carez_desktop.workflows._volume_file_staging import stage_volume_files

if TYPE_CHECKING:
    from carez_desktop.library.known_files import KnownFiles
    from carez_desktop.library.study_library import StudyLibrary
    from carez_desktop.workflows.context import WorkflowContext

_REPORT_S = 0.1


@dataclass(frozen=True)
class StagedImport:
    """An import that is ready to be written.

    Attributes:
        change: For the library.
        records: New and changed volumes.
        findings: That belong to no volume.
        moved: How many files moved.
    """

    change: ImportChange
    records: tuple[VolumeRecord, ...]
    findings: tuple[Finding, ...]
    moved: int


class _SeriesSteps:
    """Go through series; ask at each whether to stop, and say how far it is."""

    def __init__(self, progress: ProgressReporter, cancel: CancellationToken) -> None:
        self._progress = progress
        self._cancel = cancel

    def of(self, keys: Collection[str], start: float, stop: float) -> Iterator[str]:
        """Yield the keys; a report goes out every tenth of a second."""
        last = time.monotonic()
        for index, key in enumerate(keys):
            self._cancel.raise_if_cancelled()
            if time.monotonic() - last >= _REPORT_S:
                last = time.monotonic()
                fraction = start + (stop - start) * index / len(keys)
                self._progress.report(fraction, f"Stacking series {index + 1} of {len(keys)}")
            yield key


def stage_import(
    context: WorkflowContext,
    found: FoundFiles,
    *,
    stand_in: bool,
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
) -> StagedImport:
    """Work out what an import changes.

    Args:
        context: Whose library.
        found: What was read.
        stand_in: This import brings simulated studies that play real.
        progress: Of the stacking.
        cancel: Asked at every series.

    Raises:
        CancelledError: On the way.
    """
    from carez_desktop.library.import_rows import revision_of

    library = context.library
    with library.database.reading() as connection:
        revision = revision_of(connection)
    steps = _SeriesSteps(progress, cancel)
    series, replaced = _stage_images(context, found, steps, stand_in=stand_in)
    files, copies, moved_files = stage_volume_files(library, found)
    series += files.series
    of_files = {item.key for item in files.series}
    series = [item for item in series if item.records or item.key not in of_files]
    forget = {*replaced, *_moved_objects(library, found), *moved_files, *_taken_over(found)}
    gone = {
        number
        for number, path in found.known.gone_below(found.folders).items()
        if path not in forget and not os.path.exists(path)  # noqa: PTH110 - many
    }
    change = ImportChange(
        series=tuple(series),
        files=(
            *_image_files(found.scan.headers),
            *files.files,
            *_object_files(found),
            *_rest(found),
        ),
        objects=found.scan.objects,
        unreadable=found.unreadable,
        forget=tuple(sorted(forget)),
        gone=tuple(sorted(gone)),
        returned=tuple(sorted(found.known.returned)),
        revision=revision,
        when=context.clock().isoformat(timespec="seconds"),
        stand_in=stand_in,
    )
    records = tuple(record for item in series for record in item.records)
    return StagedImport(change, records, copies, len(replaced) + len(moved_files))


def affected_series(
    library: StudyLibrary, found_headers: Iterable[InstanceHeader], known: KnownFiles
) -> list[str]:
    """Return the keys of the series that have to be stacked anew."""
    from carez_desktop.domain.stacking import series_key
    from carez_desktop.library.instance_rows import series_of_paths
    from carez_desktop.library.synthetic_rows import series_with_issued_uids

    keys = dict.fromkeys(series_key(header) for header in found_headers)
    with library.database.reading() as connection:
        keys.update(dict.fromkeys(sorted(series_of_paths(connection, known.changed))))
        keys.update(dict.fromkeys(series_with_issued_uids(connection, sorted(known.series))))
    return list(keys)


def _stage_images(
    context: WorkflowContext, found: FoundFiles, steps: _SeriesSteps, *, stand_in: bool
) -> tuple[list[SeriesChange], tuple[str, ...]]:
    from carez_desktop.domain.stacking import series_key, stack_instances
    from carez_desktop.library.instance_rows import headers_of_series

    library = context.library
    keys = affected_series(library, found.scan.headers, found.known)
    keys = list(dict.fromkeys((*keys, *_with_unreadable(library, found.unreadable))))
    if stand_in:
        keys = list(dict.fromkeys((*keys, *_touched_keys(library, found.known))))
    with library.database.reading() as connection:
        known = {
            key: headers
            for one in steps.of(keys, 0.0, 0.2)
            for key, headers in headers_of_series(connection, [one]).items()
        }
    fresh: dict[str, list[InstanceHeader]] = {}
    for header in found.scan.headers:
        fresh.setdefault(series_key(header), []).append(header)
    merged, replaced = _merge(found, keys, known, fresh)
    stacked: dict[str, list[VolumeRecord]] = {}
    for key in steps.of(merged, 0.2, 0.8):
        for record in stack_instances(merged[key]):
            stacked.setdefault(record.series_instance_uid, []).append(record)
    before = _known_records(library, keys)
    unreadable = {file.path for file in (*found.unreadable, *library.unreadable_files())}
    judge = _judge(context, [h for headers in merged.values() for h in headers], stand_in=stand_in)
    named = [
        record
        for key, headers in merged.items()
        for record in _named(stacked[key], before.get(key, ()), headers, known.get(key, ()))
    ]
    noted: dict[str, list[VolumeRecord]] = {}
    for record in _with_lost(library, named, found):
        noted.setdefault(record.series_instance_uid, []).append(record)
    changes = [
        SeriesChange(key, judge(noted[key], before.get(key, ()), merged[key]), merged[key])
        for key in steps.of(merged, 0.8, 1.0)
    ]
    changes += [
        SeriesChange(key, ())
        for key in keys
        if key not in merged and _is_given_up(before.get(key, ()), found, unreadable)
    ]
    return changes, replaced


def _merge(
    found: FoundFiles,
    keys: Sequence[str],
    known: Mapping[str, tuple[InstanceHeader, ...]],
    fresh: Mapping[str, list[InstanceHeader]],
) -> tuple[dict[str, tuple[InstanceHeader, ...]], tuple[str, ...]]:
    """Return the headers of each series as it is now, and the files that others stand for."""
    from carez_desktop.domain.series_update import merge_headers

    met = found.known
    merged: dict[str, tuple[InstanceHeader, ...]] = {}
    replaced: list[str] = []
    for key in keys:
        before = known.get(key, ())
        absent = {
            path
            for path in {header.path for header in before}
            if path not in met.fresh and not os.path.exists(path)  # noqa: PTH110 - many
        }
        dropped = {*met.changed, *found.copied}
        result = merge_headers(before, fresh.get(key, ()), dropped=dropped, absent=absent)
        if result.headers:
            merged[key] = result.headers
        replaced += result.replaced
        replaced += sorted({header.path for header in before}.intersection(found.copied))
    return merged, tuple(replaced)


def _named(
    records: Sequence[VolumeRecord],
    before: Sequence[VolumeRecord],
    headers: Sequence[InstanceHeader],
    known: Sequence[InstanceHeader],
) -> tuple[VolumeRecord, ...]:
    from carez_desktop.domain.series_update import keep_volume_ids

    return keep_volume_ids(
        records,
        before,
        instances={header.path: header.sop_instance_uid for header in headers},
        known_instances={header.path: header.sop_instance_uid for header in known or headers},
    )


def _with_lost(
    library: StudyLibrary, records: Sequence[VolumeRecord], found: FoundFiles
) -> tuple[VolumeRecord, ...]:
    """Say at volumes which of their series' files could not be read."""
    from carez_desktop.domain.lost_files import note_lost_files
    from carez_desktop.library.volume_queries import volumes_of

    readable = {header.path for header in found.scan.headers}
    files = {file.path: file for file in library.unreadable_files() if file.path not in readable}
    files.update({file.path: file for file in found.unreadable})
    if not files:
        return tuple(records)
    # Whose a file without a series is, its neighbours tell: unchanged ones too.
    with library.database.reading() as connection:
        stored = volumes_of(connection, sorted(found.known.series))
    keys = {record.series_instance_uid for record in records}
    others = [record for record in stored if record.series_instance_uid not in keys]
    noted = note_lost_files((*records, *others), tuple(files.values()))
    return noted[: len(records)]


def _judge(
    context: WorkflowContext, headers: Sequence[InstanceHeader], *, stand_in: bool
) -> Callable[
    [Sequence[VolumeRecord], Sequence[VolumeRecord], Sequence[InstanceHeader]],
    tuple[VolumeRecord, ...],
]:
    """Return what tells real from synthetic volumes of one series."""
    from carez_desktop.domain.series_update import keep_origin, stood_in
    from carez_desktop.domain.synthetic_origin import judge_origin

    uids = {uid for h in headers for uid in (h.sop_instance_uid, h.study_instance_uid)}
    uids |= {header.series_instance_uid for header in headers}
    issued = context.library.issued_uids(uids - {""})

    def judge(
        records: Sequence[VolumeRecord],
        before: Sequence[VolumeRecord],
        of_series: Sequence[InstanceHeader],
    ) -> tuple[VolumeRecord, ...]:
        by_path = {header.path: header for header in of_series}
        plays = stand_in or stood_in(before)
        judged = [
            judge_origin(
                record,
                [by_path[path] for path in dict.fromkeys(record.paths) if path in by_path],
                issued=issued,
                uid_root=context.settings.uid_root,
                stand_in=plays,
            )
            for record in records
        ]
        return keep_origin(judged, before)

    return judge


def _known_records(
    library: StudyLibrary, keys: Sequence[str]
) -> dict[str, tuple[VolumeRecord, ...]]:
    found: dict[str, tuple[VolumeRecord, ...]] = {}
    for record in library.volumes_with("series_instance_uid", keys):
        key = record.series_instance_uid
        found[key] = (*found.get(key, ()), record)
    return found


def _touched_keys(library: StudyLibrary, known: KnownFiles) -> tuple[str, ...]:
    """Return the keys of the DICOM series whose files are unchanged."""
    from carez_desktop.library.volume_queries import series_keys

    with library.database.reading() as connection:
        return series_keys(connection, sorted(known.series), dicom_only=True)


def _with_unreadable(library: StudyLibrary, files: Sequence[UnreadableFile]) -> list[str]:
    """Return the known series of which a file could not be read, so that they say so."""
    uids = sorted({file.series_instance_uid for file in files} - {""})
    return [r.series_instance_uid for r in library.volumes_with("series_instance_uid", uids)]


def _is_given_up(
    before: Sequence[VolumeRecord], found: FoundFiles, unreadable: Iterable[str]
) -> bool:
    """Whether a known series has no image left, and not only for being damaged or gone."""
    damaged = set(unreadable)
    paths = {path for record in before for path in record.paths}
    return any(path in found.known.changed and path not in damaged for path in paths)


def _image_files(headers: Iterable[InstanceHeader]) -> list[FileRow]:
    from carez_desktop.domain.stacking import series_key

    return list(
        {
            header.path: FileRow(
                header.path,
                header.file_size,
                header.modified_ns,
                IMAGE,
                header.sop_instance_uid,
                series_key(header),
            )
            for header in headers
        }.values()
    )


def _object_files(found: FoundFiles) -> list[FileRow]:
    return [
        FileRow(item.path, *facts_of(found, item.path), OBJECT, item.sop_instance_uid)
        for item in found.scan.objects
    ]


def _moved_objects(library: StudyLibrary, found: FoundFiles) -> list[str]:
    """Return the former files of objects that are found elsewhere now."""
    from carez_desktop.library.instance_rows import paths_with_uids

    uids = [item.sop_instance_uid for item in found.scan.objects]
    with library.database.reading() as connection:
        known = paths_with_uids(connection, sorted({*uids} - {""}))
    now = {item.path for item in found.scan.objects}
    return [
        path
        for paths in known.values()
        for path in paths
        if path not in now and (path in found.copied or not os.path.exists(path))  # noqa: PTH110
    ]


def _rest(found: FoundFiles) -> list[FileRow]:
    """Return the files that are nothing to import, so that they are not opened again."""
    taken = {header.path for header in found.scan.headers}
    taken |= {item.path for item in found.scan.objects}
    taken |= {file.path for file in found.unreadable} | set(found.described)
    taken |= {str(path) for path in found.scan.archives}
    taken |= {str(path) for path in found.scan.directories}
    return [
        FileRow(path, size, modified_ns, OTHER)
        for path, (size, modified_ns) in found.known.fresh.items()
        if path not in taken
    ]


def _taken_over(found: FoundFiles) -> list[str]:
    """Return the known files that can no longer be read; they are tried again next time."""
    return [file.path for file in found.unreadable if file.path in found.known.changed]
