"""Palettes against pydicom's apply_color_lut and against segments expanded by hand."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut

from carez_desktop.dicom.elements import ElementTable
from carez_desktop.dicom.palette import read_palette
from carez_desktop.errors import UnreadableFileError

COLOURS = ("Red", "Green", "Blue")


def table_of(
    entries: dict[str, bytes], count: int, first: int, bits: int, *, segmented: bool = False
) -> ElementTable:
    values = {0x00280103: b"\0\0"}
    for index, name in enumerate(COLOURS):
        values[0x00281101 + index] = struct.pack("<HHH", count & 0xFFFF, first & 0xFFFF, bits)
        values[(0x00281221 if segmented else 0x00281201) + index] = entries[name]
    return ElementTable(values)


def words(values: list[int]) -> bytes:
    return np.array(values, "<u2").tobytes()


@pytest.mark.parametrize(("bits", "first"), [(16, 0), (8, 0), (16, 100), (8, 7)])
def test_colours_equal_those_of_pydicom(bits: int, first: int) -> None:
    rng = np.random.default_rng(5)
    top = (1 << bits) - 1
    tables = {name: rng.integers(0, top + 1, 64) for name in COLOURS}
    kind = "<u2" if bits == 16 else "u1"
    data = {name: table.astype(kind).tobytes() for name, table in tables.items()}
    stored = rng.integers(0, 256, (5, 7)).astype(np.uint8)
    image = Dataset()
    for name in COLOURS:
        setattr(image, f"{name}PaletteColorLookupTableDescriptor", [64, first, bits])
        setattr(image, f"{name}PaletteColorLookupTableData", data[name])
    oracle = apply_color_lut(stored, image)
    found = read_palette(table_of(data, 64, first, bits), "f").apply(stored)
    assert np.array_equal(found, oracle >> (bits - 8))


def test_segments_are_expanded() -> None:
    # PS3.3 C.7.9.2: 3 discrete entries, a line of 4 steps to 0xF000, both once more by offset.
    segments = words([0, 3, 0, 0x1000, 0x2000, 1, 4, 0xF000, 2, 2, 0, 0])
    line = [0x5400, 0x8800, 0xBC00, 0xF000]
    expected = [0, 0x1000, 0x2000, *line, 0, 0x1000, 0x2000, *line]
    data = dict.fromkeys(COLOURS, segments)
    palette = read_palette(table_of(data, 14, 0, 16, segmented=True), "f")
    assert palette.colours[:, 0].tolist() == [value >> 8 for value in expected]


def test_offset_of_repeated_segments_counts_bytes() -> None:
    segments = words([0, 2, 0, 0x1000, 1, 2, 0x3000, 2, 1, 8, 0])
    data = dict.fromkeys(COLOURS, segments)
    palette = read_palette(table_of(data, 6, 0, 16, segmented=True), "f")
    assert palette.colours[:, 1].tolist() == [0, 0x10, 0x20, 0x30, 0x30, 0x30]


def test_segments_that_repeat_themselves_end() -> None:
    segments = words([2, 65535, 0, 0] * 50)
    with pytest.raises(UnreadableFileError, match="0 of 256 entries of red"):
        read_palette(table_of(dict.fromkeys(COLOURS, segments), 256, 0, 16, segmented=True), "f")


def test_missing_entries_are_said() -> None:
    with pytest.raises(UnreadableFileError, match="3 of 256 entries of red"):
        read_palette(table_of(dict.fromkeys(COLOURS, words([1, 2, 3])), 256, 0, 16), "f")
    with pytest.raises(UnreadableFileError, match="palette"):
        read_palette(ElementTable(), "f")


def test_values_outside_take_the_ends() -> None:
    data = dict.fromkeys(COLOURS, words([0x0100, 0x0200, 0xFF00]))
    palette = read_palette(table_of(data, 3, 10, 16), "f")
    assert palette.apply(np.array([0, 10, 11, 12, 99]))[:, 0].tolist() == [1, 1, 2, 255, 255]
