"""Codecs against exact arrays, made by imagecodecs, and by pydicom's own RLE as a second hand."""

from __future__ import annotations

import importlib.util
import struct
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from pydicom.uid import UID

from carez_desktop.dicom.decoders import decode_stream
from carez_desktop.dicom.pixel_layout import PixelLayout
from carez_desktop.errors import UnreadableFileError

RLE, JPEG_LOSSLESS = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.70"
JPEG_LS, JPEG_2000 = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90"


def pattern(dtype: str, bits: int) -> np.ndarray:
    rows, columns = np.mgrid[:24, :40]
    values = (rows * 37 + columns * 91) % (1 << bits)
    if dtype.startswith("i"):
        values = values - (1 << (bits - 1))
    return values.astype(dtype)


def layout_of(array: np.ndarray, bits: int) -> PixelLayout:
    size = array.dtype.itemsize * 8
    return PixelLayout(*array.shape, size, bits, bits - 1, array.dtype.kind == "i")


def encode(array: np.ndarray, uid: str, bits: int) -> bytes:
    unsigned = (array.astype(np.int64) & ((1 << bits) - 1)).astype(f"u{array.dtype.itemsize}")
    if uid == JPEG_LOSSLESS:
        return bytes(imagecodecs.jpeg8_encode(unsigned, lossless=True, bitspersample=bits))
    if uid == JPEG_LS:
        return bytes(imagecodecs.jpegls_encode(unsigned))
    return bytes(imagecodecs.jpeg2k_encode(array, level=0, codecformat="j2k"))


@pytest.mark.parametrize("uid", [JPEG_LOSSLESS, JPEG_LS, JPEG_2000])
@pytest.mark.parametrize(("dtype", "bits"), [("u2", 12), ("u2", 16), ("i2", 16), ("u1", 8)])
def test_lossless_codecs_give_the_array_back(uid: str, dtype: str, bits: int) -> None:
    array = pattern(dtype, bits)
    decoded = decode_stream(encode(array, uid, bits), uid, layout_of(array, bits), "f")
    assert decoded.dtype.itemsize == array.dtype.itemsize
    assert np.array_equal(decoded, array)


@pytest.mark.parametrize(("dtype", "bits"), [("u2", 12), ("i2", 16), ("u1", 8)])
def test_rle_gives_the_array_back(dtype: str, bits: int) -> None:
    from pydicom.pixels.encoders.base import get_encoder

    array = pattern(dtype, bits)
    frame = get_encoder(UID(RLE)).encode(
        array,
        rows=24,
        columns=40,
        samples_per_pixel=1,
        bits_allocated=array.dtype.itemsize * 8,
        bits_stored=bits,
        pixel_representation=int(dtype.startswith("i")),
        photometric_interpretation="MONOCHROME2",
        number_of_frames=1,
    )
    assert np.array_equal(decode_stream(frame, RLE, layout_of(array, bits), "f"), array)


@pytest.mark.parametrize("uid", [JPEG_LOSSLESS, JPEG_LS, JPEG_2000])
def test_stream_of_another_size_is_refused_before_decoding(uid: str) -> None:
    array = pattern("u2", 12)
    stream = encode(array, uid, 12)
    small = PixelLayout(2, 2, 16, 12, 11, signed=False)
    with pytest.raises(UnreadableFileError, match="24 x 40 with 1 components"):
        decode_stream(stream, uid, small, "f")


@pytest.mark.parametrize("uid", [RLE, JPEG_LOSSLESS, JPEG_LS, JPEG_2000])
def test_rubbish_is_a_clear_error(uid: str) -> None:
    with pytest.raises(UnreadableFileError, match="truncated or damaged"):
        decode_stream(b"\x00" * 50, uid, PixelLayout(8, 8, 16, 12, 11, signed=False), "f")


def test_unread_encoding_is_named() -> None:
    with pytest.raises(UnreadableFileError, match="MPEG-2 video, main level"):
        decode_stream(b"", "1.2.840.10008.1.2.4.100", PixelLayout(8, 8, 8, 8, 7, False), "f")


def test_page_of_transfer_syntaxes_is_current() -> None:
    root = Path(__file__).resolve().parents[3]
    name = root / "packaging" / "syntax_table.py"
    spec = importlib.util.spec_from_file_location("syntax_table", name)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = (root / "docs" / "reference" / "transfer-syntaxes.md").read_text(encoding="utf-8")
    assert page == module.syntax_table()


@pytest.mark.parametrize(
    ("encoding", "header"),
    [
        ({"colorspace": "RGB", "outcolorspace": "YCBCR"}, "RGB"),
        ({"colorspace": "RGB", "outcolorspace": "YCBCR"}, "YBR_FULL_422"),
        ({"colorspace": "RGB", "outcolorspace": "RGB"}, "YBR_FULL_422"),
        ({"colorspace": "RGB", "outcolorspace": "RGB"}, "RGB"),
    ],
)
def test_jpeg_says_itself_which_colours_it_holds(encoding: dict[str, str], header: str) -> None:
    colours = np.empty((16, 16, 3), np.uint8)
    colours[...] = (200, 30, 60)
    stream = bytes(imagecodecs.jpeg8_encode(colours, level=98, **encoding))
    layout = PixelLayout(16, 16, 8, 8, 7, False, samples=3, photometric=header)
    decoded = decode_stream(stream, "1.2.840.10008.1.2.4.50", layout, "f")
    assert np.abs(decoded.astype(int) - colours).max() <= 2


def without_marks(stream: bytes) -> bytes:
    """A JPEG stream without its JFIF and Adobe segments."""
    out, position = stream[:2], 2
    while stream[position + 1] != 0xDA:
        length = int.from_bytes(stream[position + 2 : position + 4], "big")
        if stream[position + 1] not in (0xE0, 0xEE):
            out += stream[position : position + 2 + length]
        position += 2 + length
    return out + stream[position:]


@pytest.mark.parametrize("header", ["RGB", "YBR_FULL_422", "YBR_FULL"])
def test_header_counts_where_the_stream_is_silent(header: str) -> None:
    colours = np.empty((16, 16, 3), np.uint8)
    colours[...] = (200, 30, 60)
    kept = "RGB" if header == "RGB" else "YCBCR"
    full = imagecodecs.jpeg8_encode(colours, level=98, colorspace="RGB", outcolorspace=kept)
    stream = without_marks(bytes(full))
    if header == "RGB":
        place = stream.index(b"\xff\xc0")
        names = bytearray(stream)
        names[place + 10], names[place + 13], names[place + 16] = 1, 2, 3
        for offset in (5, 7, 9):
            scan = stream.index(b"\xff\xda")
            names[scan + offset] = offset // 2 - 1
        stream = bytes(names)
    layout = PixelLayout(16, 16, 8, 8, 7, False, samples=3, photometric=header)
    decoded = decode_stream(stream, "1.2.840.10008.1.2.4.50", layout, "f")
    assert np.abs(decoded.astype(int) - colours).max() <= 2


def test_one_bit_rle_says_why_it_is_not_read() -> None:
    layout = PixelLayout(8, 8, 1, 1, 0, signed=False)
    with pytest.raises(UnreadableFileError, match="whole bytes only"):
        decode_stream(b"\0" * 80, RLE, layout, "f")


def test_deflated_frame_never_grows_beyond_its_size() -> None:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = deflater.compress(bytes(64 << 20)) + deflater.flush()
    layout = PixelLayout(8, 8, 16, 16, 15, signed=False)
    decoded = decode_stream(bomb, "1.2.840.10008.1.2.8.1", layout, "f")
    assert decoded.shape == (8, 8)


def test_rle_of_32_bits_comes_back() -> None:
    array = np.random.default_rng(2).integers(0, 1 << 32, (6, 8), dtype=np.uint64).astype("<u4")
    planes = array.view(np.uint8).reshape(-1, 4)[:, ::-1].T
    segments = [bytes(imagecodecs.packbits_encode(plane.tobytes())) for plane in planes]
    starts = np.cumsum([64, *[len(part) for part in segments]])[:4]
    header = struct.pack("<16I", 4, *(int(start) for start in starts), *[0] * 11)
    layout = PixelLayout(6, 8, 32, 32, 31, signed=False)
    decoded = decode_stream(header + b"".join(segments), RLE, layout, "f")
    assert np.array_equal(decoded, array)
