"""Stack the images of studies to volumes, or say in words why they do not stack."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import PurePath

from carez_desktop.domain.pile_findings import doubles_finding, pile_findings
from carez_desktop.domain.pile_geometry import judge_geometry, stack_geometry_of
from carez_desktop.domain.pile_pixels import (
    frames_refusal,
    is_cine,
    is_colour,
    level_matrix,
    pixel_refusal,
)
from carez_desktop.domain.series_splitting import Pile, split_series
from carez_desktop.domain.split_properties import CALCULATED_MAPS
from carez_desktop.domain.study import (
    AttributeValue,
    InstanceHeader,
    ReferencedObject,
    VolumeRecord,
)
from carez_desktop.domain.volume import SliceAxis, VolumeKind

__all__ = ["series_key", "stack_geometry_of", "stack_instances"]

_PARAMETRIC_MAP = "1.2.840.10008.5.1.4.1.1.30"  # quantities computed from images (PS3.3 A.75)


def stack_instances(
    headers: Iterable[InstanceHeader], objects: Sequence[ReferencedObject] = ()
) -> tuple[VolumeRecord, ...]:
    """Stack instances to volumes, one series after the other.

    Every instance ends in exactly one record, or in a finding of the record that it repeats. A
    pile that is no regular volume is a record with a `refusal`.

    Args:
        headers: Of any number of studies, in any order.
        objects: SEG, RTSTRUCT and the like; each is attached to the volumes that it refers to.
    """
    by_series: dict[str, list[InstanceHeader]] = {}
    for header in headers:
        by_series.setdefault(series_key(header), []).append(header)
    records: list[VolumeRecord] = []
    owners: dict[str, set[int]] = {}
    for series, members in by_series.items():
        unique, doubles = _drop_doubles(members)
        piles = split_series(unique)
        sets = len({pile.set_number for pile in piles} - {None})
        for index, pile in enumerate(piles):
            volume_id = series if len(piles) == 1 else f"{series}:{index + 1}"
            record = _record(series, volume_id, pile, sets)
            if doubles and index == 0:
                more = doubles_finding(volume_id, doubles)
                record = replace(record, findings=(*record.findings, more))
            for header in (*pile.headers, *pile.dropped):
                owners.setdefault(header.sop_instance_uid, set()).add(len(records))
            owners.setdefault(series, set()).add(len(records))
            records.append(record)
    return _attach(records, owners, objects)


def series_key(header: InstanceHeader) -> str:
    """Series UID, or a made-up one for the instances of a folder that have none."""
    if header.series_instance_uid:
        return header.series_instance_uid
    facts = f"{header.study_instance_uid}|{PurePath(header.path).parent}|{header.modality}"
    digest = hashlib.sha256(facts.encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def _drop_doubles(
    headers: Sequence[InstanceHeader],
) -> tuple[list[InstanceHeader], list[InstanceHeader]]:
    """Keep the first file of each SOP instance, in path order, with all its frames."""
    owner: dict[str, str] = {}
    unique, doubles = [], []
    for header in sorted(headers, key=lambda header: (header.path, header.frame_index)):
        uid = header.sop_instance_uid
        if uid and owner.setdefault(uid, header.path) != header.path:
            doubles.append(header)
        else:
            unique.append(header)
    return unique, doubles


def _record(series: str, volume_id: str, pile: Pile, sets: int) -> VolumeRecord:
    first = pile.headers[0]
    refusal = pixel_refusal(pile.headers)
    spacing: tuple[float, float, float] | None = None
    orientation = ""
    slices_only = False
    findings = pile_findings(volume_id, pile)
    if not refusal:
        judged = judge_geometry(volume_id, pile.headers)
        refusal, slices_only = judged.refusal, judged.slices_only
        spacing, orientation = judged.spacing_mm, judged.orientation
        findings.extend(judged.findings)
    shape, paths, frames = _slices(pile.headers)
    set_id = ""
    if pile.set_number is not None:
        set_id = series if sets == 1 else f"{series}:{pile.set_number + 1}"
    attributes: dict[str, AttributeValue] = dict(first.attributes)
    attributes["transfer_syntax_uid"] = first.transfer_syntax_uid
    attributes["image_type"] = "\\".join(first.image_type)
    attributes["sop_class_uid"] = first.sop_class_uid
    return VolumeRecord(
        volume_id=volume_id,
        series_instance_uid=series,
        study_instance_uid=first.study_instance_uid,
        patient_id=str(first.attributes.get("patient_id", "")),
        modality=first.modality,
        description=str(
            first.attributes.get("series_description") or first.attributes.get("protocol_name", "")
        ),
        shape=shape,
        spacing_mm=spacing,
        orientation=orientation,
        kind=_kind(pile.headers),
        source_format="dicom",
        paths=paths,
        frame_of_reference_uid=first.frame_of_reference_uid,
        refusal=refusal,
        split_reason=pile.reason,
        set_id=set_id,
        set_index=pile.set_index if set_id else 0,
        findings=tuple(findings),
        attributes=attributes,
        frame_indices=frames if any(frames) else (),
        slices_only=slices_only,
        slice_axis=SliceAxis.TIME if is_cine(first) else SliceAxis.SPACE,
        samples=3 if is_colour(first) else 1,
    )


def _slices(
    headers: Sequence[InstanceHeader],
) -> tuple[tuple[int, int, int], tuple[str, ...], tuple[int, ...]]:
    """Return shape, and file and frame of each slice; a cine's frames are its slices."""
    first = headers[0]
    level = level_matrix(first)
    if level is not None:
        return (1, *level), (first.path,), (0,)
    if is_cine(first) and not frames_refusal(first):
        count = first.number_of_frames
        frames = tuple(range(first.frame_index, first.frame_index + count))
        return (count, first.rows, first.columns), (first.path,) * count, frames
    paths = tuple(header.path for header in headers)
    frames = tuple(header.frame_index for header in headers)
    return (len(headers), first.rows, first.columns), paths, frames


def _kind(headers: Sequence[InstanceHeader]) -> VolumeKind:
    if any(header.synthetic_marks for header in headers):
        return VolumeKind.SYNTHETIC
    image_type = headers[0].image_type
    if headers[0].sop_class_uid == _PARAMETRIC_MAP:
        return VolumeKind.DERIVED
    if image_type[:1] == ("DERIVED",) and CALCULATED_MAPS.intersection(image_type):
        return VolumeKind.DERIVED
    return VolumeKind.REAL


def _attach(
    records: list[VolumeRecord],
    owners: dict[str, set[int]],
    objects: Sequence[ReferencedObject],
) -> tuple[VolumeRecord, ...]:
    """Put each object on the volumes whose series or instances it refers to."""
    for item in objects:
        for index in set().union(*(owners.get(uid, set()) for uid in item.references)):
            record = records[index]
            records[index] = replace(record, objects=(*record.objects, item))
    return tuple(records)
