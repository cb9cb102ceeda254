"""Label maps that lie beside their images as volume files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath

from carez_desktop.domain.finding import Finding, Severity
from carez_desktop.domain.study import VolumeRecord
from carez_desktop.domain.volume import VolumeKind

LABEL_OF = "label_of"


def set_apart_label_files(records: Sequence[VolumeRecord]) -> tuple[VolumeRecord, ...]:
    """Return the records, label maps among the volume files as derived ones.

    The layout is that of the Medical Segmentation Decathlon and of nnU-Net: `labels*/NAME` beside
    `images*/NAME` (or `NAME_0000`), with the same ending `Tr` or `Ts`. A label map is no image of a
    patient: counted as one it would fill the coverage matrix and enter cohorts.

    Args:
        records: Of one import; DICOM volumes pass unchanged.
    """
    images = {
        PurePath(record.paths[0]): record.volume_id
        for record in records
        if record.source_format != "dicom" and len(record.paths) == 1
    }
    return tuple(_set_apart(record, _image_of(record, images)) for record in records)


def _image_of(record: VolumeRecord, images: dict[PurePath, str]) -> str:
    """Return the volume_id of the image that a file labels, or ""."""
    if record.source_format == "dicom" or len(record.paths) != 1:
        return ""
    path = PurePath(record.paths[0])
    folder = path.parent.name
    if not folder.lower().startswith("labels"):
        return ""
    place = path.parent.parent / f"{'Images' if folder[0] == 'L' else 'images'}{folder[6:]}"
    stem, dot, suffix = path.name.partition(".")
    for name in (path.name, f"{stem}_0000{dot}{suffix}"):
        if place / name in images:
            return images[place / name]
    return ""


def _set_apart(record: VolumeRecord, image_id: str) -> VolumeRecord:
    if not image_id:
        return record
    text = "It lies as the labels of an image and is not counted as an image of a patient"
    return replace(
        record,
        kind=VolumeKind.DERIVED,
        attributes={**record.attributes, LABEL_OF: image_id},
        findings=(
            *record.findings,
            Finding(Severity.INFO, "label_file", record.volume_id, text),
        ),
    )
