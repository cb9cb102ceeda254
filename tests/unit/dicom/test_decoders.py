"""Codecs against exact arrays, made by imagecodecs, and by pydicom's own RLE as a second hand."""

from __future__ import annotations

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
