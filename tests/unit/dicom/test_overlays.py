"""Overlay planes against the bits that were drawn, and against pydicom's overlay_array."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from pydicom.dataset import Dataset

from carez_desktop.dicom.elements import ElementTable
from carez_desktop.dicom.overlays import embedded_overlays, packed_overlays, plane_in_cells
from carez_desktop.dicom.pixel_layout import PixelLayout


def elements_of(bits: np.ndarray, group: int = 0x6000, **more: bytes) -> ElementTable:
    """An overlay of (frames, rows, columns) whose first pixel lies at row 3, column -1."""
    frames, rows, columns = bits.shape
    values = {
        0x0010: struct.pack("<H", rows),
        0x0011: struct.pack("<H", columns),
        0x0015: str(frames).encode(),
        0x0040: b"R ",
        0x0050: struct.pack("<hh", 3, -1),
        0x0100: struct.pack("<H", 1),
        0x0102: struct.pack("<H", 0),
        0x1500: b"marks",
        0x3000: np.packbits(bits.reshape(-1), bitorder="little").tobytes(),
    }
    values.update({int(name[1:], 16): value for name, value in more.items()})
    return ElementTable({group << 16 | element: value for element, value in values.items()})


def drawn(frames: int = 1) -> np.ndarray:
    bits = np.zeros((frames, 5, 7), np.uint8)
    for frame in range(frames):
        bits[frame, 1:4, 2 + frame] = 1
    return bits


def test_plane_is_cut_to_what_is_drawn() -> None:
    (plane,) = packed_overlays(elements_of(drawn()), 0, 4)
    assert plane.bits.tolist() == [[True], [True], [True]]
    assert (plane.slice_index, plane.origin) == (4, (2 + 1, -2 + 2))
    assert (plane.label, plane.kind) == ("marks", "R")


def test_packed_bits_equal_those_of_pydicom() -> None:
    bits = np.random.default_rng(8).integers(0, 2, (1, 5, 7), dtype=np.uint8)
    bits[0, 0, 0] = bits[0, 4, 6] = 1
    image = Dataset()
    block = elements_of(bits)
    image.add_new(0x60000010, "US", 5)
    image.add_new(0x60000011, "US", 7)
    image.add_new(0x60000100, "US", 1)
    image.add_new(0x60003000, "OW", block.raw(0x60003000) + b"\0")
    (plane,) = packed_overlays(block, 0, 0)
    assert np.array_equal(plane.bits, image.overlay_array(0x6000))


@pytest.mark.parametrize(("frame", "column"), [(0, None), (1, 2), (2, 3), (3, None)])
def test_frames_lie_on_the_frames_they_name(frame: int, column: int | None) -> None:
    elements = elements_of(drawn(2), x0051=struct.pack("<H", 2))
    planes = packed_overlays(elements, frame, 0)
    assert [plane.origin[1] + 2 for plane in planes] == ([] if column is None else [column])


def test_nothing_drawn_and_rubbish_give_nothing() -> None:
    assert packed_overlays(elements_of(np.zeros((1, 5, 7), np.uint8)), 0, 0) == ()
    assert packed_overlays(elements_of(drawn(), x3000=b"\xff"), 0, 0) == ()
    huge = elements_of(drawn(), x0010=b"\xff\xff", x0011=b"\xff\xff")
    assert packed_overlays(huge, 0, 0) == ()


def test_overlay_in_unused_bits_of_the_pixels() -> None:
    layout = PixelLayout(2, 3, 16, 12, 11, signed=False)
    facts = {"x0100": struct.pack("<H", 16), "x0102": struct.pack("<H", 13), "x3000": b""}
    (found,) = embedded_overlays(elements_of(drawn(), 0x6002, **facts), layout)
    cells = np.array([[5, 5 | 1 << 13, 5], [4095, 1 << 12, 1 << 13]], np.uint16)
    plane = plane_in_cells(found, cells, 7)
    assert plane is not None
    assert plane.bits.tolist() == [[True, False], [False, True]]
    assert (plane.origin, plane.slice_index) == ((0, 1), 7)
    inside = elements_of(drawn(), 0x6002, **{**facts, "x0102": struct.pack("<H", 5)})
    assert embedded_overlays(inside, layout) == ()
