"""Real-world value mappings that lie in objects of their own (PS3.3 A.46, C.7.6.16.2.11)."""

from __future__ import annotations

from pathlib import Path

from carez_desktop.dicom.display_values import linear_maps
from carez_desktop.dicom.header_reader import read_header
from carez_desktop.dicom.slice_source import SliceSource
from carez_desktop.domain.finding import Finding, Severity
from carez_desktop.domain.intensity import RealWorldMap
from carez_desktop.domain.study import VolumeRecord
from carez_desktop.errors import UnreadableFileError

MAPPING_OBJECT = "Real World Value Mapping"
"""What such an object is called in the library."""

_MAPPED_IMAGES, _IMAGES, _MAPPINGS, _INSTANCE = 0x00409094, 0x00081140, 0x00409096, 0x00081155
_TAGS = frozenset((_MAPPED_IMAGES,))
_MOST_OBJECTS = 8


def read_linked_maps(
    record: VolumeRecord, source: SliceSource, *, is_suv: bool
) -> tuple[tuple[RealWorldMap, ...], tuple[Finding, ...]]:
    """Return the mappings that objects of the study give to a slice, without repeats.

    Objects exist whose slopes were meant for rescaled values although the standard applies them to
    stored ones. Where the voxels are SUV by body weight it shows, and such an object is left out.

    Args:
        record: Its objects are asked.
        source: The slice that speaks for the volume.
        is_suv: Whether the voxels, and with them the rescale of the slice, are SUV by body weight.

    Returns:
        The mappings, and a finding for each object that could not be read or contradicts the
        images.
    """
    maps: dict[RealWorldMap, None] = {}
    findings = []
    objects = [item for item in record.objects if item.sop_class == MAPPING_OBJECT]
    for item in objects[:_MOST_OBJECTS]:
        try:
            found = _maps_of(item.path, source)
        except UnreadableFileError as error:
            text = f"A real-world value mapping cannot be read: {error.what}"
            findings.append(Finding(Severity.WARNING, "real_world_map_lost", item.path, text))
            continue
        wrong = [m for m in found if is_suv and _contradicts(m)]
        if wrong:
            text = (
                "A real-world value mapping was left out: it gives SUV as stored value x"
                f" {wrong[0].slope:.4g}, the image x {wrong[0].modality_slope:.4g}"
            )
            findings.append(Finding(Severity.WARNING, "real_world_map_differs", item.path, text))
            continue
        maps.update(dict.fromkeys(found))
    return tuple(maps), tuple(findings)


def _contradicts(mapping: RealWorldMap) -> bool:
    """Whether a mapping to SUV by body weight differs by more than 5 % from the voxels' own."""
    if not mapping.unit.startswith("{SUVbw}"):
        return False
    return abs(mapping.slope - mapping.modality_slope) > 0.05 * abs(mapping.modality_slope)


def _maps_of(path: str, source: SliceSource) -> tuple[RealWorldMap, ...]:
    elements = read_header(Path(path), _TAGS).elements
    found: list[RealWorldMap] = []
    for group in elements.items(_MAPPED_IMAGES):
        images = {image.code(_INSTANCE) for image in group.items(_IMAGES)}
        if source.instance.sop_instance_uid in images:
            signed = source.transform.layout.signed
            found += linear_maps(group.items(_MAPPINGS), source.transform.rescale, signed=signed)
    return tuple(found)
