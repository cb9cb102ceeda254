"""From stored values to modality values (HU, SUV, arbitrary): PS3.3 C.11.1.1.2."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from carez_desktop.dicom.pixel_layout import PixelLayout, StoredArray

_INT16 = np.iinfo(np.int16)
_INT32 = np.iinfo(np.int32)


class DoesNotFitError(Exception):
    """Values of a slice that the chosen type cannot hold."""


@dataclass(frozen=True, slots=True)
class Rescale:
    """Modality value = stored value x slope + intercept, for one slice."""

    slope: float = 1.0
    intercept: float = 0.0

    @property
    def is_whole(self) -> bool:
        """Whether whole stored values give whole modality values."""
        return self.slope.is_integer() and self.intercept.is_integer()

    def range_of(self, low: float, high: float) -> tuple[float, float]:
        """Return the modality values of a range of stored values."""
        ends = (low * self.slope + self.intercept, high * self.slope + self.intercept)
        return min(ends), max(ends)


@dataclass(frozen=True, slots=True)
class ValueType:
    """The type of a volume's voxels.

    Attributes:
        dtype: int16, int32 or float32.
        check_each: Whether a slice may turn out not to fit (its header allows more than it has).
    """

    dtype: np.dtype[Any]
    check_each: bool


def choose_type(layouts: Sequence[PixelLayout], rescales: Sequence[Rescale]) -> ValueType:
    """Choose the type of a volume before its pixels are read.

    Whole slopes and intercepts give int16 wherever that can hold the values, else int32; others
    give float32. 16-bit cells whose theoretical range passes int16 (CT with 16 bits stored and an
    intercept of -1024) start as int16 and are checked slice by slice.
    """
    if not all(rescale.is_whole for rescale in rescales):
        return ValueType(np.dtype(np.float32), check_each=False)
    ranges = [
        rescale.range_of(*layout.stored_range)
        for layout, rescale in set(zip(layouts, rescales, strict=True))
    ]
    low, high = min(ends[0] for ends in ranges), max(ends[1] for ends in ranges)
    return ValueType(np.dtype(np.int16), check_each=not (_INT16.min <= low and high <= _INT16.max))


def put_modality_values(
    stored: StoredArray, rescale: Rescale, value_type: ValueType, out: npt.NDArray[Any]
) -> None:
    """Write the modality values of one slice into its place in the volume.

    Args:
        stored: (rows, columns) stored values of any integer type and byte order.
        rescale: Of this slice.
        value_type: Of the volume; `out.dtype` is its dtype.
        out: (rows, columns) slice of the volume.

    Raises:
        DoesNotFitError: A value passes the range of `out`.
    """
    if value_type.dtype.kind == "f":
        values = stored.astype(np.float64)
        values *= rescale.slope
        values += rescale.intercept
        out[...] = values
        return
    if value_type.check_each:
        low, high = rescale.range_of(int(stored.min()), int(stored.max()))
        limits = np.iinfo(value_type.dtype)
        if low < limits.min or high > limits.max:
            raise DoesNotFitError
    # Modular arithmetic: intermediate wrap-around cancels where the final value fits.
    slope, intercept = (_wrapped(part, out.dtype) for part in (rescale.slope, rescale.intercept))
    if slope == 1 and intercept == 0:
        np.copyto(out, stored, casting="unsafe")
    elif slope == 1:
        np.add(stored, intercept, out=out, dtype=out.dtype, casting="unsafe")
    else:
        np.multiply(stored, slope, out=out, dtype=out.dtype, casting="unsafe")
        np.add(out, intercept, out=out)


def _wrapped(number: float, dtype: np.dtype[Any]) -> Any:
    bits = dtype.itemsize * 8
    wrapped = int(number) % (1 << bits)
    return dtype.type(wrapped - (1 << bits) if wrapped >> (bits - 1) else wrapped)


def is_valid(rescale: Rescale) -> bool:
    """Whether a rescale can be applied: finite, slope not zero."""
    return (
        rescale.slope != 0.0 and math.isfinite(rescale.slope) and math.isfinite(rescale.intercept)
    )


def wider(value_type: ValueType) -> ValueType | None:
    """Return the next wider type, or None after int32."""
    if value_type.dtype == np.int16:
        return ValueType(np.dtype(np.int32), check_each=True)
    return None
