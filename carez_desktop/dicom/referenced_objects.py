"""Recognise SEG, RTSTRUCT, SR, PR and other objects that are listed but not stacked."""

from __future__ import annotations

from collections.abc import Iterator

import pydicom
from pydicom.dataset import Dataset

from carez_desktop.dicom.header_reader import DicomHeader
from carez_desktop.domain.study import ReferencedObject

_SOP_CLASS, _SOP_INSTANCE, _SERIES = 0x00080016, 0x00080018, 0x0020000E
_REFERENCED_INSTANCE = 0x00081155
_DEEPEST = 24
_REFERRING_SEQUENCES = [
    0x00081115,  # Referenced Series
    0x00081140,  # Referenced Image
    0x00082112,  # Source Image
    0x00409094,  # Referenced Image Real World Value Mapping
    0x0040A375,  # Current Requested Procedure Evidence
    0x0040A385,  # Pertinent Other Evidence
    0x30060010,  # Referenced Frame of Reference
]
"""Where objects name what they refer to, without their contours and frames."""

OBJECT_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.66.4": "Segmentation",
    "1.2.840.10008.5.1.4.1.1.66.7": "Label Map Segmentation",
    "1.2.840.10008.5.1.4.1.1.66.5": "Surface Segmentation",
    "1.2.840.10008.5.1.4.1.1.66.1": "Spatial Registration",
    "1.2.840.10008.5.1.4.1.1.66.2": "Spatial Fiducials",
    "1.2.840.10008.5.1.4.1.1.66.3": "Deformable Spatial Registration",
    "1.2.840.10008.5.1.4.1.1.66": "Raw Data",
    "1.2.840.10008.5.1.4.1.1.67": "Real World Value Mapping",
    "1.2.840.10008.5.1.4.1.1.88.59": "Key Object Selection",
    "1.2.840.10008.5.1.4.1.1.481.2": "RT Dose",
    "1.2.840.10008.5.1.4.1.1.481.3": "RT Structure Set",
    "1.2.840.10008.5.1.4.1.1.481.5": "RT Plan",
}
_OBJECT_FAMILIES = (
    ("1.2.840.10008.5.1.4.1.1.88.", "Structured Report"),
    ("1.2.840.10008.5.1.4.1.1.11.", "Presentation State"),
    ("1.2.840.10008.5.1.4.1.1.104.", "Encapsulated Document"),
    ("1.2.840.10008.5.1.4.1.1.481.", "Radiotherapy Object"),
    ("1.2.840.10008.5.1.4.1.1.9.", "Waveform"),
    ("1.2.840.10008.5.1.4.1.1.91.", "Microscopy Annotations"),
)
DIRECTORY_CLASS = "1.2.840.10008.1.3.10"


def object_name(sop_class_uid: str) -> str:
    """Return the name of a class that refers to images; "" for an image or an unknown class."""
    exact = OBJECT_CLASSES.get(sop_class_uid)
    if exact:
        return exact
    return next((name for root, name in _OBJECT_FAMILIES if sop_class_uid.startswith(root)), "")


def read_referenced_object(header: DicomHeader) -> ReferencedObject:
    """List which series and instances an object refers to.

    `references` has the series UIDs first, then the SOP Instance UIDs, each sorted. An object
    whose sequences cannot be read is listed without references.
    """
    elements = header.elements
    own_series = elements.code(_SERIES)
    series: set[str] = set()
    instances: set[str] = set()
    for tags in (_REFERRING_SEQUENCES, None):
        try:
            data_set = pydicom.dcmread(
                header.path, stop_before_pixels=True, force=True, specific_tags=tags
            )
            for item in _items(data_set, 0):
                if _SERIES in item:
                    series.add(str(item[_SERIES].value))
                if _REFERENCED_INSTANCE in item:
                    instances.add(str(item[_REFERENCED_INSTANCE].value))
        except Exception:  # noqa: BLE001 - pydicom raises anything on a damaged sequence
            series, instances = set(), set()
        if series or instances:
            break
    return ReferencedObject(
        sop_class=object_name(elements.code(_SOP_CLASS)),
        sop_instance_uid=elements.code(_SOP_INSTANCE),
        series_instance_uid=own_series,
        references=(*sorted(series - {own_series, ""}), *sorted(instances - {""})),
        path=str(header.path),
    )


def _items(data_set: Dataset, depth: int) -> Iterator[Dataset]:
    """Yield every item of every sequence below a data set."""
    if depth > _DEEPEST:
        return
    for element in data_set:
        if element.VR != "SQ" or element.value is None:
            continue
        for item in element.value:
            yield item
            yield from _items(item, depth + 1)
