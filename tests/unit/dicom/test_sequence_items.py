"""Items of sequences from raw bytes, against pydicom; damage costs what lies behind it."""

from __future__ import annotations

import random
import struct

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from carez_desktop.dicom.element_bytes import ElementBudget, NotUnderstoodError
from carez_desktop.dicom.elements import ElementTable

ENCODINGS = [(True, True), (False, True), (False, False)]
"""(implicit, little endian)."""
OUTER, INNER, UID, TEXT = 0x00081115, 0x00081140, 0x00081155, 0x00204000


def nested(depth: int, undefined: bool) -> Dataset:
    data_set = Dataset()
    data_set.ReferencedSOPInstanceUID = f"1.2.{depth}"
    data_set.ImageComments = f"level {depth}"
    if depth:
        data_set.ReferencedImageSequence = Sequence([nested(depth - 1, undefined), Dataset()])
        data_set["ReferencedImageSequence"].is_undefined_length = undefined
        for item in data_set.ReferencedImageSequence:
            item.is_undefined_length_sequence_item = undefined
    return data_set


def table_of(data_set: Dataset, implicit: bool, little: bool) -> ElementTable:
    """Write one sequence with pydicom and hand its raw value over."""
    whole = Dataset()
    whole.ReferencedSeriesSequence = Sequence([data_set, data_set])
    buffer = pydicom.filebase.DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = implicit, little
    write_dataset(buffer, whole)
    raw = buffer.getvalue()[8 if implicit else 12 :]
    return ElementTable({OUTER: raw}, little, not implicit)


@pytest.mark.parametrize(("implicit", "little"), ENCODINGS)
@pytest.mark.parametrize("undefined", [True, False])
def test_every_level_is_found(implicit: bool, little: bool, undefined: bool) -> None:
    items = table_of(nested(6, undefined), implicit, little).items(OUTER)
    assert len(items) == 2
    level = items[1]
    for depth in range(6, -1, -1):
        assert level.code(UID) == f"1.2.{depth}"
        assert level.text(TEXT) == f"level {depth}"
        inner = level.items(INNER)
        assert len(inner) == (2 if depth else 0)
        level = inner[0] if inner else level


def test_item_that_passes_the_end_is_cut_there() -> None:
    element = struct.pack("<HH2sH", 0x0020, 0x4000, b"LT", 4) + b"abcd"
    raw = struct.pack("<HHI", 0xFFFE, 0xE000, 0x7FFFFFF0) + element
    (item,) = ElementTable({OUTER: raw}).items(OUTER)
    assert item.text(TEXT) == "abcd"


def test_items_around_the_damage_are_kept() -> None:
    good = struct.pack("<HH2sH", 0x0020, 0x4000, b"LT", 4) + b"abcd"
    bad = struct.pack("<HH2sH", 0x0020, 0x4000, b"\x01\x02", 900) + b"ab"
    raw = b"".join(struct.pack("<HHI", 0xFFFE, 0xE000, len(x)) + x for x in (good, bad, good))
    items = ElementTable({OUTER: raw}).items(OUTER)
    assert (items[0].text(TEXT), items[2].text(TEXT)) == ("abcd", "abcd")


def test_absent_and_empty_sequences_have_no_items() -> None:
    assert ElementTable().items(OUTER) == ()
    assert ElementTable({OUTER: b""}).items(OUTER) == ()
    assert ElementTable().first_item(OUTER).values == {}


def test_work_is_counted() -> None:
    raw = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    raw += struct.pack("<HH2sH", 0x0020, 0x4000, b"LT", 0) * 500
    budget = ElementBudget(100)
    ElementTable({OUTER: raw}).items(OUTER, budget)
    assert budget.left < 0
    with pytest.raises(NotUnderstoodError, match="elements"):
        budget.spend()


def test_flipped_bytes_never_escape() -> None:
    generator = random.Random(4)
    raw = bytearray(table_of(nested(3, True), False, True).values[OUTER])
    for _ in range(2000):
        copy = bytearray(raw)
        for _ in range(3):
            copy[generator.randrange(len(copy))] = generator.randrange(256)
        for explicit in (True, False):
            for item in ElementTable({OUTER: bytes(copy)}, explicit=explicit).items(OUTER):
                item.items(INNER)
                item.text(TEXT)
                item.decimals(UID)
                item.binaries(UID, "d")


def test_numbers_and_tags() -> None:
    table = ElementTable(
        {
            1: struct.pack("<3d", 1.5, -2.0, 1e300),
            2: struct.pack("<2H", 0x0054, 0x0080),
            3: b"1.5\\x",
            4: b"99999999999",
            5: struct.pack("<d", float("nan")),
            6: b"  7 \0",
        }
    )
    assert table.binaries(1, "d") == (1.5, -2.0, 1e300)
    assert table.tags(2) == (Tag(0x0054, 0x0080),)
    assert (table.decimal(3), table.decimals(3)) == (1.5, ())
    assert table.integer(4) is None
    assert (table.binary(5, "d"), table.binaries(5, "d")) == (None, ())
    assert (table.integer(6), table.binary(6, "d")) == (7, None)
