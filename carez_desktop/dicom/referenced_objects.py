"""Recognise SEG, RTSTRUCT, SR, PR and other objects that are listed but not stacked."""

from __future__ import annotations

from dataclasses import dataclass, field

from carez_desktop.dicom.element_bytes import ElementBudget, NotUnderstoodError
from carez_desktop.dicom.elements import SPECIFIC_CHARACTER_SET, ElementTable
from carez_desktop.dicom.header_reader import DicomHeader, read_header
from carez_desktop.domain.study import ReferencedObject
from carez_desktop.errors import UnreadableFileError

_SOP_CLASS, _SOP_INSTANCE, _SERIES = 0x00080016, 0x00080018, 0x0020000E
_MODALITY, _SERIES_DESCRIPTION = 0x00080060, 0x0008103E
_TITLE_CODE, _MEANING = 0x0040A043, 0x00080104
_REFERENCED_CLASS, _REFERENCED_INSTANCE = 0x00081150, 0x00081155
_DEEPEST = 24
_MOST_REFERENCES = 200_000
_LONGEST_DESCRIPTION = 300
_REFERRING_SEQUENCES = frozenset(
    (
        0x00081115,  # Referenced Series
        0x00081140,  # Referenced Image
        0x00081200,  # Studies Containing Other Referenced Instances
        0x00082112,  # Source Image
        0x00409094,  # Referenced Image Real World Value Mapping
        0x0040A375,  # Current Requested Procedure Evidence
        0x0040A385,  # Pertinent Other Evidence
        0x00420013,  # Source Instance (encapsulated documents)
        0x00700308,  # Registration
        0x00700404,  # Referenced Spatial Registration
        0x00640002,  # Deformable Registration
        0x30060010,  # Referenced Frame of Reference
        0x300C0002,  # Referenced RT Plan
        0x300C0060,  # Referenced Structure Set
    )
)
"""Where objects name what they refer to, without their contours and frames."""
_DEEP_SEQUENCES = frozenset(
    (
        0x00089124,  # Derivation Image
        0x0040A730,  # Content (the tree of a report)
        0x0040A168,  # Concept Code of a content item
        0x00700001,  # Graphic Annotation
        0x30060039,  # ROI Contour
        0x52009229,  # Shared Functional Groups
        0x52009230,  # Per-Frame Functional Groups
        0x00660002,  # Surface
        0x00686002,  # Implant templates
        0x006A0002,  # Annotation Group
    )
)
"""Asked where the first ones say nothing: large, and nested deeply."""
_LABELS = (
    0x00700080,  # Content Label
    0x30060002,  # Structure Set Label
    0x300A0002,  # RT Plan Label
    0x00420010,  # Document Title
    0x30060004,  # Structure Set Name
    0x3004000A,  # Dose Summation Type
)
_DESCRIPTIONS = (0x00700081, 0x30060006, 0x300A0004)
_PARTS = ((0x00620002, 0x00620005), (0x30060020, 0x30060026), (0x006A0002, 0x006A0005))
"""Sequences of segments, regions and annotation groups, and the label in each item."""
_NAME_TAGS = frozenset(
    (
        *(SPECIFIC_CHARACTER_SET, _SERIES_DESCRIPTION, _TITLE_CODE),
        *(*_LABELS, *_DESCRIPTIONS),
        *(sequence for sequence, _ in _PARTS),
    )
)
_STUDY_LEVEL = "1.2.840.10008.3.1.2.3."
"""Classes of references to studies and procedures, which are no images."""

OBJECT_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.66.4": "Segmentation",
    "1.2.840.10008.5.1.4.1.1.66.7": "Label Map Segmentation",
    "1.2.840.10008.5.1.4.1.1.66.8": "Height Map Segmentation",
    "1.2.840.10008.5.1.4.1.1.66.5": "Surface Segmentation",
    "1.2.840.10008.5.1.4.1.1.66.6": "Tractography Results",
    "1.2.840.10008.5.1.4.1.1.66.1": "Spatial Registration",
    "1.2.840.10008.5.1.4.1.1.66.2": "Spatial Fiducials",
    "1.2.840.10008.5.1.4.1.1.66.3": "Deformable Spatial Registration",
    "1.2.840.10008.5.1.4.1.1.66": "Raw Data",
    "1.2.840.10008.5.1.4.1.1.67": "Real World Value Mapping",
    "1.2.840.10008.5.1.4.1.1.68.1": "Surface Scan Mesh",
    "1.2.840.10008.5.1.4.1.1.4.2": "MR Spectroscopy",
    "1.2.840.10008.5.1.4.1.1.88.59": "Key Object Selection",
    "1.2.840.10008.5.1.4.1.1.481.2": "RT Dose",
    "1.2.840.10008.5.1.4.1.1.481.3": "RT Structure Set",
    "1.2.840.10008.5.1.4.1.1.481.5": "RT Plan",
}
_OBJECT_FAMILIES = (
    ("1.2.840.10008.5.1.4.1.1.88.", "Structured Report"),
    ("1.2.840.10008.5.1.4.1.1.11.", "Presentation State"),
    ("1.2.840.10008.5.1.4.1.1.104.", "Encapsulated Document"),
    ("1.2.840.10008.5.1.4.1.1.9.", "Waveform"),
    ("1.2.840.10008.5.1.4.1.1.91.", "Microscopy Annotations"),
)
_RT_FAMILY, _RT_IMAGE = "1.2.840.10008.5.1.4.1.1.481.", "1.2.840.10008.5.1.4.1.1.481.1"
DIRECTORY_CLASS = "1.2.840.10008.1.3.10"


_BY_MODALITY = {
    "SEG": "Segmentation",
    "RTSTRUCT": "RT Structure Set",
    "RTPLAN": "RT Plan",
    "RTDOSE": "RT Dose",
    "SR": "Structured Report",
    "KO": "Key Object Selection",
    "PR": "Presentation State",
    "REG": "Spatial Registration",
    "RWV": "Real World Value Mapping",
    "DOC": "Encapsulated Document",
    "ECG": "Waveform",
}
"""For files that do not name their class."""


def object_name(sop_class_uid: str, modality: str = "") -> str:
    """Return the name of a class that refers to images; "" for an image or an unknown class."""
    if not sop_class_uid:
        return _BY_MODALITY.get(modality, "")
    exact = OBJECT_CLASSES.get(sop_class_uid)
    if exact:
        return exact
    if sop_class_uid.startswith(_RT_FAMILY) and sop_class_uid != _RT_IMAGE:
        return "Radiotherapy Object"
    return next((name for root, name in _OBJECT_FAMILIES if sop_class_uid.startswith(root)), "")


def read_referenced_object(header: DicomHeader) -> ReferencedObject:
    """List which series and instances an object refers to, and what it calls itself.

    An object whose sequences cannot be read is listed without references.
    """
    elements = header.elements
    own_series = elements.code(_SERIES)
    found = _References()
    names = elements
    for tags in (_REFERRING_SEQUENCES | _NAME_TAGS, _DEEP_SEQUENCES):
        try:
            table = read_header(header.path, tags).elements
        except UnreadableFileError:
            break
        if tags is not _DEEP_SEQUENCES:
            names = table
        found.gather(table, tags - _NAME_TAGS)
        if found.series - {own_series} or found.instances:
            break
    series, instances = sorted(found.series - {own_series, ""}), sorted(found.instances - {""})
    return ReferencedObject(
        sop_class=object_name(elements.code(_SOP_CLASS), elements.code(_MODALITY)),
        sop_instance_uid=elements.code(_SOP_INSTANCE),
        series_instance_uid=own_series,
        references=(*series, *instances),
        path=str(header.path),
        label=_label(names),
        description=_description(names),
        series_description=names.text(_SERIES_DESCRIPTION),
        referenced_series=len(series),
        referenced_instances=len(instances),
    )


def _label(names: ElementTable) -> str:
    for tag in _LABELS:
        text = names.text(tag)
        if text:
            return text
    return names.first_item(_TITLE_CODE).text(_MEANING)


def _description(names: ElementTable) -> str:
    """Return the description, then the names of segments or regions."""
    texts = [text for text in map(names.text, _DESCRIPTIONS) if text]
    for sequence, label in _PARTS:
        parts = [part for part in (item.text(label) for item in names.items(sequence)) if part]
        if parts:
            texts.append(", ".join(dict.fromkeys(parts)))
    text = "; ".join(texts)
    return text if len(text) <= _LONGEST_DESCRIPTION else text[: _LONGEST_DESCRIPTION - 3] + "..."


@dataclass(slots=True)
class _References:
    """Series and instances that the items of a data set name, gathered within bounds."""

    series: set[str] = field(default_factory=set)
    instances: set[str] = field(default_factory=set)
    budget: ElementBudget = field(default_factory=ElementBudget)

    def gather(self, table: ElementTable, tags: frozenset[int]) -> None:
        """Add what the sequences of a table name, at any depth."""
        waiting = [(table, tag, 0) for tag in tags if tag in table]
        while waiting and len(self.instances) < _MOST_REFERENCES:
            parent, tag, depth = waiting.pop()
            try:
                items = parent.items(tag, self.budget)
                self.budget.spend(len(items))
            except NotUnderstoodError:
                return
            for item in items:
                self._take(item)
                if depth < _DEEPEST:
                    waiting += [(item, inner, depth + 1) for inner in _sequences(item)]

    def _take(self, item: ElementTable) -> None:
        if _SERIES in item:
            self.series.add(item.code(_SERIES))
        study_level = item.code(_REFERENCED_CLASS).startswith(_STUDY_LEVEL)
        if _REFERENCED_INSTANCE in item and not study_level:
            self.instances.add(item.code(_REFERENCED_INSTANCE))


def _sequences(item: ElementTable) -> list[int]:
    """Return the tags of an item whose value begins with an item of its own."""
    starts = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")
    return [tag for tag, raw in item.values.items() if raw[:4] in starts]
