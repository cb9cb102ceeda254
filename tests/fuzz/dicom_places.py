"""Where the elements of a valid DICOM file lie: what a fuzzer aims at."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache

import pydicom
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

LONG_VRS = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"))
IMPLICIT = "1.2.840.10008.1.2"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"


@dataclass(frozen=True)
class Place:
    """One element: its tag, and the offsets of tag, VR (or -1), length and value."""

    tag: int
    start: int
    vr_at: int
    length_at: int
    length_size: int
    value_at: int
    length: int

    @property
    def end(self) -> int:
        return self.value_at + max(0, self.length)


@dataclass(frozen=True)
class Places:
    """The elements of a file in its byte order; `little` is that of the data set."""

    elements: tuple[Place, ...]
    little: bool
    explicit: bool


@lru_cache(maxsize=1024)
def places_of(content: bytes) -> Places:
    """Find the elements of a valid file, nested ones too; none where it is deflated."""
    if content[128:132] != b"DICM" and content[:1] not in (b"\x02", b"\x08"):
        return Places((), True, True)
    found: list[Place] = []
    try:
        data_set = pydicom.dcmread(io.BytesIO(content), force=True)
        syntax = str(data_set.file_meta.get("TransferSyntaxUID", IMPLICIT))
        explicit = not data_set.is_implicit_VR
        if syntax != DEFLATED:
            _walk(data_set, explicit, found)
    except Exception:  # noqa: BLE001 - what pydicom cannot read has no places
        return Places((), True, True)
    kept = tuple(place for place in found if 0 <= place.start < len(content))
    return Places(kept, syntax != BIG_ENDIAN, explicit)


def _walk(data_set: Dataset, explicit: bool, found: list[Place]) -> None:
    for tag in list(data_set.keys()):
        raw = data_set.get_item(tag)
        if isinstance(raw, RawDataElement):
            value_at, vr, length = raw.value_tell, raw.VR or "", raw.length
        else:
            value_at, vr, length = raw.file_tell, str(raw.VR), -1
        if value_at is None:
            continue
        long = not explicit or vr in LONG_VRS
        size = 4 if long else 2
        header = 8 if not explicit or not long else 12
        found.append(
            Place(
                int(tag),
                value_at - header,
                value_at - header + 4 if explicit else -1,
                value_at - size,
                size,
                value_at,
                -1 if length == 0xFFFFFFFF else length,
            )
        )
        if vr == "SQ" or (not explicit and _is_sequence(data_set, tag)):
            try:
                for item in data_set[tag].value:
                    _walk(item, explicit, found)
            except (AttributeError, TypeError, ValueError):
                continue


def _is_sequence(data_set: Dataset, tag: pydicom.tag.BaseTag) -> bool:
    try:
        return data_set[tag].VR == "SQ"
    except Exception:  # noqa: BLE001 - then it is none that can be walked
        return False
