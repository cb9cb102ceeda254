"""Where frames lie, against the encapsulation that pydicom writes and by counting bits."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import pytest
from pydicom.encaps import encapsulate, encapsulate_extended

from carez_desktop.dicom.elements import ElementTable
from carez_desktop.dicom.frame_location import (
    EXTENDED_OFFSETS,
    locate_encapsulated,
    locate_native,
    read_fragments,
)
from carez_desktop.dicom.header_reader import DicomHeader, PixelLocation
from carez_desktop.dicom.pixel_layout import PixelLayout
from carez_desktop.errors import UnreadableFileError

JPEG_LS, RLE = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.5"
START = 100


def streams(count: int) -> list[bytes]:
    """Frames that begin as JPEG-LS streams do, of different lengths."""
    return [b"\xff\xd8\xff\xf7" + bytes([65 + index]) * (20 + 6 * index) for index in range(count)]


def opened(
    value: bytes, uid: str = JPEG_LS, extended: bytes = b""
) -> tuple[io.BytesIO, DicomHeader]:
    content = b"h" * START + value + b"\xfe\xff\xdd\xe0\0\0\0\0"
    elements = ElementTable({EXTENDED_OFFSETS: extended} if extended else {})
    place = PixelLocation(0x7FE00010, START, None)
    header = DicomHeader(Path("the-file"), len(content), 0, uid, elements, place, len(content))
    return io.BytesIO(content), header


def frames_of(value: bytes, count: int, extended: bytes = b"") -> tuple[list[bytes], str]:
    stream, header = opened(value, extended=extended)
    table = locate_encapsulated(stream, header, count)
    found = [read_fragments(stream, frame, "the-file") for frame in table.frames]
    return [part.rstrip(b"\0") for part in found], table.note


@pytest.mark.parametrize("pieces", [1, 3])
@pytest.mark.parametrize("has_table", [True, False])
def test_frames_come_back_with_and_without_a_table(pieces: int, has_table: bool) -> None:
    value = encapsulate(streams(4), fragments_per_frame=pieces, has_bot=has_table)
    assert frames_of(value, 4) == (streams(4), "")


def test_extended_table_of_frames_in_pieces() -> None:
    value, offsets, _ = encapsulate_extended(streams(5))
    assert frames_of(value, 5, offsets) == (streams(5), "")


@pytest.mark.parametrize(
    "offsets", [(0, 9, 18, 27), (0, 0, 0, 0), (8, 40, 60, 90), (1, 2, 3, 1 << 31)]
)
def test_damaged_table_is_put_aside_and_said(offsets: tuple[int, ...]) -> None:
    good = encapsulate(streams(4), fragments_per_frame=2)
    value = good[:8] + struct.pack("<4I", *offsets) + good[24:]
    frames, note = frames_of(value, 4)
    assert frames == streams(4)
    assert "Basic Offset Table is damaged" in note


def test_damaged_extended_table_is_put_aside_and_said() -> None:
    value, _, _ = encapsulate_extended(streams(3))
    frames, note = frames_of(value, 3, struct.pack("<3Q", 0, 1 << 60, 5))
    assert frames == streams(3)
    assert "Extended Offset Table is damaged" in note


def test_one_frame_takes_all_fragments() -> None:
    value = encapsulate([b"0123456789"], fragments_per_frame=2)
    assert frames_of(value, 1)[0] == [b"0123456789"]


def test_rle_frames_in_pieces_are_told_by_their_header() -> None:
    frame = struct.pack("<16I", 1, 64, *[0] * 14) + b"abcdefgh"
    value = encapsulate([frame, frame], fragments_per_frame=3, has_bot=False)
    stream, header = opened(value, RLE)
    table = locate_encapsulated(stream, header, 2)
    assert [read_fragments(stream, part, "") for part in table.frames] == [frame, frame]


@pytest.mark.parametrize("count", [2, 7])
def test_frames_that_cannot_be_told_apart_are_an_error(count: int) -> None:
    stream, header = opened(encapsulate(streams(3), fragments_per_frame=2, has_bot=False))
    with pytest.raises(UnreadableFileError, match=f"6 fragments .* do not make {count} frames"):
        locate_encapsulated(stream, header, count)


@pytest.mark.parametrize("keep", [2, 8, 18, 30])
def test_cut_fragments_are_an_error_that_names_the_file(keep: int) -> None:
    content = b"h" * START + encapsulate([b"x" * 64])[:keep]
    _, header = opened(b"")
    header = DicomHeader(
        header.path, len(content), 0, JPEG_LS, ElementTable(), header.pixels, len(content)
    )
    with pytest.raises(UnreadableFileError) as caught:
        locate_encapsulated(io.BytesIO(content), header, 1)
    assert caught.value.subject == "the-file"


def test_native_frames_follow_bit_by_bit() -> None:
    layout = PixelLayout(3, 5, 1, 1, 0, signed=False)
    assert locate_native(layout, 1000, 0) == (1000, 0, 2)
    assert locate_native(layout, 1000, 1) == (1001, 7, 3)
    assert locate_native(layout, 1000, 8) == (1015, 0, 2)
    words = PixelLayout(3, 5, 16, 12, 11, signed=False, samples=3, photometric="RGB")
    assert locate_native(words, 10, 2) == (10 + 2 * 90, 0, 90)
    half = PixelLayout(2, 4, 8, 8, 7, signed=False, samples=3, photometric="YBR_FULL_422")
    assert locate_native(half, 0, 3) == (48, 0, 16)
