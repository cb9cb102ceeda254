from __future__ import annotations

import numpy as np
import pytest

from carez_desktop.dicom.modality_values import (
    DoesNotFitError,
    Rescale,
    ValueType,
    choose_type,
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
def test_type_follows_range(
    bits: int, signed: bool, slope: float, intercept: float, dtype: type, check: bool
) -> None:
    chosen = choose_type([layout(bits, signed=signed)], [Rescale(slope, intercept)])
    assert chosen == ValueType(np.dtype(dtype), check_each=check)


@pytest.mark.parametrize("kind", ["<u2", ">u2", "<i2", ">i2", "u1", "<u4"])
@pytest.mark.parametrize("rescale", [Rescale(), Rescale(1, -1024), Rescale(3, -7), Rescale(-1, 5)])
@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32])
def test_values_equal_exact_arithmetic(kind: str, rescale: Rescale, dtype: type) -> None:
    stored = np.array([[0, 1, 200], [7, 99, 255]]).astype(kind)
    out = np.empty((2, 3), dtype)
    put_modality_values(stored, rescale, ValueType(np.dtype(dtype), check_each=True), out)
    expected = stored.astype(object) * int(rescale.slope) + int(rescale.intercept)
    assert out.tolist() == expected.tolist()


def test_unsigned_values_beyond_int16_come_right_after_the_intercept() -> None:
    stored = np.array([[33000, 40000]], dtype="<u2")
    out = np.empty((1, 2), np.int16)
    put_modality_values(stored, Rescale(1, -32768), ValueType(out.dtype, check_each=True), out)
    assert out.tolist() == [[232, 7232]]


def test_value_that_does_not_fit_asks_for_a_wider_type() -> None:
    stored = np.array([[65535]], dtype="<u2")
    narrow = ValueType(np.dtype(np.int16), check_each=True)
    with pytest.raises(DoesNotFitError):
        put_modality_values(stored, Rescale(), narrow, np.empty((1, 1), np.int16))
    wide = wider(narrow)
    assert wide is not None
    assert wide.dtype == np.int32
    assert wider(wide) is None


def test_float_values_are_rounded_once() -> None:
    stored = np.array([[12345, 54321]], dtype="<u2")
    out = np.empty((1, 2), np.float32)
    put_modality_values(stored, Rescale(0.1, 0.3), ValueType(out.dtype, check_each=False), out)
    expected = (stored.astype(np.float64) * 0.1 + 0.3).astype(np.float32)
    assert np.array_equal(out, expected)


def test_bits_around_the_value_do_not_count() -> None:
    overlay = np.array([[0x1FFF, 0xF001]], dtype="<u2")
    assert raw_values(overlay, layout(12)).tolist() == [[0xFFF, 1]]
    signed = np.array([[0x0FFF, 0x07FF]], dtype="<i2")
    assert raw_values(signed, layout(12, signed=True)).tolist() == [[-1, 2047]]
    shifted = np.array([[0x0FF0]], dtype="<u2")
    assert raw_values(shifted, layout(12, high_bit=15)).tolist() == [[0xFF]]
