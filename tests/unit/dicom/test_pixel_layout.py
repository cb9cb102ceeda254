"""Uncompressed cells of every width, against numpy written by hand and against pydicom."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from carez_desktop.dicom.colour import to_rgb
from carez_desktop.dicom.elements import ElementTable
from carez_desktop.dicom.header_reader import DicomHeader, PixelLocation
from carez_desktop.dicom.pixel_layout import PixelLayout, layout_of, unpack_frame
from carez_desktop.errors import UnreadableFileError


def header_with(**facts: int | str) -> DicomHeader:
    tags = {
        "samples": 0x00280002,
        "photometric": 0x00280004,
        "planar": 0x00280006,
        "rows": 0x00280010,
        "columns": 0x00280011,
        "allocated": 0x00280100,
        "stored": 0x00280101,
        "high_bit": 0x00280102,
        "signed": 0x00280103,
    }
    values = {
        tags[name]: value.encode() if isinstance(value, str) else value.to_bytes(2, "little")
        for name, value in facts.items()
        if name in tags
    }
    tag = int(facts.get("tag", 0x7FE00010))
    return DicomHeader(
        Path("f"), 0, 0, "1.2.840.10008.1.2.1", ElementTable(values), PixelLocation(tag, 0, 0), 0
    )


def test_one_bit_frames_start_inside_a_byte() -> None:
    layout = PixelLayout(3, 5, 1, 1, 0, signed=False)
    frames = np.random.default_rng(3).integers(0, 2, (4, 3, 5), dtype=np.uint8)
    packed = np.packbits(frames.reshape(-1), bitorder="little").tobytes()
    for index, frame in enumerate(frames):
        start, bit = divmod(index * 15, 8)
        assert np.array_equal(unpack_frame(packed[start:], layout, bit), frame)


def test_twelve_bit_cells_are_packed_low_bits_first() -> None:
    layout = PixelLayout(1, 4, 12, 12, 11, signed=False)
    cells = [0x123, 0xABC, 0xFFF, 0x001]
    number = sum(cell << (12 * index) for index, cell in enumerate(cells))
    data = number.to_bytes(6, "little")
    assert unpack_frame(data, layout).tolist() == [cells]
    odd = (number << 4).to_bytes(7, "little")
    assert unpack_frame(odd, layout, 4).tolist() == [cells]


def test_eight_bits_in_big_endian_words_are_swapped() -> None:
    layout = PixelLayout(1, 4, 8, 8, 7, signed=False, little_endian=False, swapped=True)
    assert unpack_frame(b"\x02\x01\x04\x03", layout).tolist() == [[1, 2, 3, 4]]


def test_colour_by_plane_and_by_pixel_are_one_image() -> None:
    colours = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    facts = {"samples": 3, "photometric": "RGB"}
    by_pixel = PixelLayout(2, 3, 8, 8, 7, False, **facts)
    by_plane = PixelLayout(2, 3, 8, 8, 7, False, planar=True, **facts)
    assert np.array_equal(unpack_frame(colours.tobytes(), by_pixel), colours)
    planes = np.moveaxis(colours, -1, 0).tobytes()
    assert np.array_equal(unpack_frame(planes, by_plane), colours)


def test_halved_chrominance_is_given_to_both_pixels() -> None:
    layout = PixelLayout(1, 4, 8, 8, 7, False, samples=3, photometric="YBR_FULL_422")
    data = bytes([10, 20, 100, 200, 30, 40, 110, 210])
    wanted = [[10, 100, 200], [20, 100, 200], [30, 110, 210], [40, 110, 210]]
    assert unpack_frame(data, layout)[0].tolist() == wanted


@pytest.mark.parametrize(
    ("ybr", "rgb"),
    [
        # Corners of the RGB cube by ITU-R BT.601 (JFIF 1.02, page 3).
        ((76, 85, 255), (254, 0, 0)),
        ((150, 44, 21), (0, 255, 1)),
        ((29, 255, 107), (0, 0, 254)),
        ((255, 128, 128), (255, 255, 255)),
        ((0, 128, 128), (0, 0, 0)),
    ],
)
def test_full_range_colours(ybr: tuple[int, ...], rgb: tuple[int, ...]) -> None:
    layout = PixelLayout(1, 1, 8, 8, 7, False, samples=3, photometric="YBR_FULL")
    out = to_rgb(np.array([[ybr]], np.uint8), layout)
    assert np.abs(out[0, 0].astype(int) - rgb).max() <= 1


def test_studio_range_reaches_black_and_white() -> None:
    layout = PixelLayout(1, 2, 8, 8, 7, False, samples=3, photometric="YBR_PARTIAL_422")
    cells = np.array([[[16, 128, 128], [235, 128, 128]]], np.uint8)
    assert to_rgb(cells, layout).tolist() == [[[0, 0, 0], [255, 255, 255]]]


def test_sixteen_bit_colours_keep_their_highest_bits() -> None:
    layout = PixelLayout(1, 1, 16, 16, 15, False, samples=3, photometric="RGB")
    out = to_rgb(np.array([[[0xFFFF, 0x8000, 0x00FF]]], np.uint16), layout)
    assert out.tolist() == [[[255, 128, 0]]]


def test_layout_of_headers() -> None:
    layout = layout_of(header_with(rows=3, columns=5, allocated=16, stored=12, signed=1))
    assert (layout.high_bit, layout.signed, layout.byte_count) == (11, True, 30)
    assert layout.stored_range == (-2048, 2047)
    floats = layout_of(header_with(rows=3, columns=5, tag=0x7FE00009))
    assert (floats.floating, floats.dtype, floats.byte_count) == (True, np.dtype("<f8"), 120)
    assert PixelLayout.from_plain(layout.to_plain()) == layout


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"allocated": 24}, "Pixels of 24 bits"),
        ({}, "No Bits Allocated"),
        ({"allocated": 16, "stored": 12, "high_bit": 9}, "do not fit together"),
        ({"allocated": 8, "stored": 12}, "do not fit together"),
        ({"allocated": 8, "samples": 4, "photometric": "CMYK"}, "4 samples per pixel"),
        ({"allocated": 8, "samples": 3, "photometric": "YBR_PARTIAL_420"}, "YBR_PARTIAL_420"),
        ({"allocated": 8, "samples": 1, "photometric": "HSV"}, "HSV is not read"),
        ({"allocated": 32, "samples": 3, "photometric": "RGB"}, "Colour pixels of 32 bits"),
    ],
)
def test_what_is_not_read_is_said(facts: dict[str, int | str], words: str) -> None:
    with pytest.raises(UnreadableFileError, match=words) as caught:
        layout_of(header_with(rows=3, columns=5, **facts))
    assert caught.value.subject == "f"
    assert caught.value.hint
