from __future__ import annotations

import numpy as np
import pytest

from carez_desktop.dicom.frame_values import FrameTransform
from carez_desktop.dicom.modality_values import (
    DoesNotFitError,
    ModalityLut,
    Rescale,
    put_modality_values,
    wider,
)
from carez_desktop.dicom.pixel_layout import PixelLayout, raw_values


def layout(bits: int = 16, *, signed: bool = False, high_bit: int | None = None) -> PixelLayout:
    return PixelLayout(2, 3, 16, bits, bits - 1 if high_bit is None else high_bit, signed)


@pytest.mark.parametrize(
    ("bits", "signed", "slope", "intercept", "dtype", "check"),
    [
        (12, False, 1.0, -1024.0, np.int16, False),
        (16, True, 1.0, 0.0, np.int16, False),
        (16, True, 1.0, -1024.0, np.int16, True),
        (16, False, 1.0, 0.0, np.int16, True),
        (12, False, 16.0, 0.0, np.int16, True),
        (12, False, 0.5, 0.0, np.float32, False),
        (12, False, 1.0, 0.5, np.float32, False),
    ],
)
def test_header_says_what_a_type_holds(
    bits: int, signed: bool, slope: float, intercept: float, dtype: type, check: bool
) -> None:
    transform = FrameTransform(layout(bits, signed=signed), "", Rescale(slope, intercept))
    assert transform.is_whole is (dtype is np.int16)
    assert transform.fits(np.dtype(dtype)) is not check


def test_table_takes_its_ends_outside_and_its_own_range() -> None:
    lut = ModalityLut(-2, np.array([5, 40000, 7], np.int32))
    assert lut.apply(np.array([[-9, -2, -1, 0, 300]])).tolist() == [[5, 5, 40000, 7, 7]]
    transform = FrameTransform(layout(16, signed=True), "", lut=lut)
    assert not transform.fits(np.dtype(np.int16))
    assert transform.fits(np.dtype(np.int32))


@pytest.mark.parametrize("kind", ["<u2", ">u2", "<i2", ">i2", "u1", "<u4"])
@pytest.mark.parametrize("rescale", [Rescale(), Rescale(1, -1024), Rescale(3, -7), Rescale(-1, 5)])
@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32])
def test_values_equal_exact_arithmetic(kind: str, rescale: Rescale, dtype: type) -> None:
    stored = np.array([[0, 1, 200], [7, 99, 255]]).astype(kind)
    out = np.empty((2, 3), dtype)
    put_modality_values(stored, rescale, out)
    expected = stored.astype(object) * int(rescale.slope) + int(rescale.intercept)
    assert out.tolist() == expected.tolist()


def test_unsigned_values_beyond_int16_come_right_after_the_intercept() -> None:
    stored = np.array([[33000, 40000]], dtype="<u2")
    out = np.empty((1, 2), np.int16)
    put_modality_values(stored, Rescale(1, -32768), out)
    assert out.tolist() == [[232, 7232]]


def test_value_that_does_not_fit_asks_for_a_wider_type() -> None:
    stored = np.array([[65535]], dtype="<u2")
    with pytest.raises(DoesNotFitError):
        put_modality_values(stored, Rescale(), np.empty((1, 1), np.int16))
    assert wider(np.dtype(np.int16)) == np.int32
    assert wider(np.dtype(np.int32)) == np.float32
    assert wider(np.dtype(np.float32)) is None


def test_float_values_are_rounded_once() -> None:
    stored = np.array([[12345, 54321]], dtype="<u2")
    out = np.empty((1, 2), np.float32)
    put_modality_values(stored, Rescale(0.1, 0.3), out)
    expected = (stored.astype(np.float64) * 0.1 + 0.3).astype(np.float32)
    assert np.array_equal(out, expected)


def test_bits_around_the_value_do_not_count() -> None:
    overlay = np.array([[0x1FFF, 0xF001]], dtype="<u2")
    assert raw_values(overlay, layout(12)).tolist() == [[0xFFF, 1]]
    signed = np.array([[0x0FFF, 0x07FF]], dtype="<i2")
    assert raw_values(signed, layout(12, signed=True)).tolist() == [[-1, 2047]]
    shifted = np.array([[0x0FF0]], dtype="<u2")
    assert raw_values(shifted, layout(12, high_bit=15)).tolist() == [[0xFF]]
