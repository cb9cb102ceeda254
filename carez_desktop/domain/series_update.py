"""A series that was known and gets new, changed or moved instances: what stays, what it is called.

The whole series is stacked again from the headers that are known and those that were read now.
Its volumes keep their ids where they keep their slices, because cohorts, labels and tags name them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

from carez_desktop.domain.study import InstanceHeader, VolumeRecord
from carez_desktop.domain.synthetic_origin import BY_PIXELS, STAND_IN_ATTRIBUTE
from carez_desktop.domain.volume import VolumeKind


@dataclass(frozen=True, slots=True)
class MergedHeaders:
    """The headers of a series after an import.

    Attributes:
        headers: Known and fresh ones.
        replaced: Paths of absent files that others stand for: the same instance from another
            place, or another instance at the same place.
    """

    headers: tuple[InstanceHeader, ...]
    replaced: tuple[str, ...]


def merge_headers(
    known: Sequence[InstanceHeader],
    fresh: Sequence[InstanceHeader],
    *,
    dropped: Collection[str] = (),
    absent: Collection[str] = (),
) -> MergedHeaders:
    """Join what is known of a series with what was read now.

    Args:
        known: As the library kept them.
        fresh: As read now; a file that was read again replaces what was known of it.
        dropped: Paths of known files that are not of this series any more.
        absent: Paths of known files that are not there. They stay in the series, unless a file
            that is there stands for them.
    """
    again = {header.path for header in fresh} | set(dropped)
    there = [h for h in known if h.path not in again and h.path not in absent]
    there += fresh
    instances = {(h.sop_instance_uid, h.frame_index) for h in there if h.sop_instance_uid}
    places = {_place(header) for header in fresh if header.image_position_patient is not None}
    kept, replaced = [], set()
    for header in known:
        if header.path in again or header.path not in absent:
            continue
        if (header.sop_instance_uid, header.frame_index) in instances or _place(header) in places:
            replaced.add(header.path)
        else:
            kept.append(header)
    return MergedHeaders((*there, *kept), tuple(sorted(replaced)))


def keep_volume_ids(
    records: Sequence[VolumeRecord],
    known: Sequence[VolumeRecord],
    *,
    instances: Mapping[str, str],
    known_instances: Mapping[str, str],
) -> tuple[VolumeRecord, ...]:
    """Give the volumes of one series the ids that their slices had.

    Args:
        records: As stacked now.
        known: As they were before.
        instances: Path -> SOP Instance UID, now.
        known_instances: Path -> SOP Instance UID, before.
    """
    if not known:
        return tuple(records)
    owners = {key: r.volume_id for r in known for key in _slices(r, known_instances)}
    shared = []
    for index, record in enumerate(records):
        counts = Counter(owners[key] for key in _slices(record, instances) if key in owners)
        shared += [(-count, index, volume_id) for volume_id, count in counts.items()]
    names: dict[int, str] = {}
    taken: set[str] = set()
    for _, index, volume_id in sorted(shared):
        if index not in names and volume_id not in taken:
            names[index] = volume_id
            taken.add(volume_id)
    taken |= {record.volume_id for record in known}
    for index, record in enumerate(records):
        if index not in names:
            names[index] = _free_name(record, taken)
            taken.add(names[index])
    return tuple(_renamed(record, names[index]) for index, record in enumerate(records))


def keep_origin(
    records: Sequence[VolumeRecord], known: Sequence[VolumeRecord]
) -> tuple[VolumeRecord, ...]:
    """Keep what the pixels told of a series: once caught as synthetic, its volumes stay so.

    Args:
        records: Of one series, as they are now.
        known: Of the same series, before.
    """
    caught = {
        finding.code: finding
        for record in known
        for finding in record.findings
        if finding.code == BY_PIXELS
    }
    if not caught:
        return tuple(records)
    (finding,) = caught.values()
    return tuple(
        replace(
            record,
            kind=VolumeKind.SYNTHETIC,
            findings=(
                *(other for other in record.findings if other.code != BY_PIXELS),
                replace(finding, subject=record.volume_id),
            ),
        )
        for record in records
    )


def stood_in(known: Sequence[VolumeRecord]) -> bool:
    """Whether a series was brought in to play real."""
    return any(record.attributes.get(STAND_IN_ATTRIBUTE) for record in known)


def _place(header: InstanceHeader) -> Hashable:
    return (
        header.image_position_patient,
        header.image_orientation_patient,
        header.instance_number,
        header.image_type,
        header.frame_index,
    )


def _slices(record: VolumeRecord, instances: Mapping[str, str]) -> set[tuple[str, int]]:
    found = set()
    for index in range(len(record.paths)):
        path, frame = record.frame_of(index)
        found.add((instances.get(path, path), frame))
    return found


def _free_name(record: VolumeRecord, taken: Collection[str]) -> str:
    if record.volume_id not in taken:
        return record.volume_id
    number = 1
    while f"{record.series_instance_uid}:{number}" in taken:
        number += 1
    return f"{record.series_instance_uid}:{number}"


def _renamed(record: VolumeRecord, volume_id: str) -> VolumeRecord:
    if record.volume_id == volume_id:
        return record
    findings = tuple(
        replace(finding, subject=volume_id) if finding.subject == record.volume_id else finding
        for finding in record.findings
    )
    return replace(record, volume_id=volume_id, findings=findings)
