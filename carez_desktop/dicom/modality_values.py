"""From stored values to modality values (HU, SUV, arbitrary): PS3.3 C.11.1.1."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from carez_desktop.dicom.elements import ElementTable
from carez_desktop.dicom.palette import lut_descriptor
from carez_desktop.dicom.pixel_layout import PixelLayout, StoredArray
from carez_desktop.errors import UnreadableFileError

_MODALITY_LUTS, _DESCRIPTOR, _DATA = 0x00283000, 0x00283002, 0x00283006
_SIGNED = 0x00280103


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

    @property
    def is_valid(self) -> bool:
        """Whether it can be applied: finite, slope not zero."""
        return self.slope != 0.0 and math.isfinite(self.slope) and math.isfinite(self.intercept)

    def range_of(self, low: float, high: float) -> tuple[float, float]:
        """Return the modality values of a range of stored values."""
        ends = (low * self.slope + self.intercept, high * self.slope + self.intercept)
        return min(ends), max(ends)


UNCHANGED = Rescale()


@dataclass(frozen=True, slots=True, eq=False)
class ModalityLut:
    """An item of the Modality LUT Sequence.

    Attributes:
        first: Stored value of the first entry; smaller ones take it too, larger ones the last.
        entries: (n,) int32 modality values.
    """

    first: int
    entries: npt.NDArray[np.int32]

    def apply(self, stored: StoredArray) -> npt.NDArray[np.int32]:
        """Return the modality values of stored values."""
        index = stored.astype(np.int64) - self.first
        np.clip(index, 0, len(self.entries) - 1, out=index)
        return self.entries[index]


def read_modality_lut(elements: ElementTable, subject: str) -> ModalityLut | None:
    """Read the Modality LUT of an image, or None.

    Raises:
        UnreadableFileError: It has fewer entries than it says.
    """
    items = elements.items(_MODALITY_LUTS)
    if not items:
        return None
    item = items[0]
    if _SIGNED in elements:
        item.values.setdefault(_SIGNED, elements.raw(_SIGNED))
    count, first, entries = read_lut(item, _DESCRIPTOR, _DATA)
    if not count or len(entries) < count:
        raise UnreadableFileError(
            f"Its Modality LUT has {len(entries)} of {count} entries",
            subject=subject,
            hint="Export it again from its source",
        )
    return ModalityLut(first, entries[:count].astype(np.int32))


def read_lut(
    item: ElementTable, descriptor: int, data: int
) -> tuple[int, int, npt.NDArray[np.uint16]]:
    """Return (entries said, first mapped value, entries found) of a LUT item.

    The first mapped value is signed where the item says that the pixels are. Entries of 8 bits
    lie one to a byte where the value is that short.
    """
    count, first, _ = lut_descriptor(item, descriptor)
    raw = item.raw(data)
    if count <= len(raw) < 2 * count:
        return count, first, np.frombuffer(raw, np.uint8).astype(np.uint16)
    order = "<" if item.little_endian else ">"
    words = np.frombuffer(raw[: len(raw) // 2 * 2], f"{order}u2")
    return count, first, words.astype(np.uint16)


def value_range(
    layout: PixelLayout, rescale: Rescale, lut: ModalityLut | None
) -> tuple[float, float]:
    """Return the smallest and largest modality value that a header allows."""
    if layout.floating:
        return -math.inf, math.inf
    if lut is not None:
        return float(lut.entries.min()), float(lut.entries.max())
    return rescale.range_of(*layout.stored_range)


def put_modality_values(
    stored: StoredArray, rescale: Rescale, out: npt.NDArray[Any], *, check: bool = True
) -> None:
    """Write the modality values of one slice into its place in the volume.

    Args:
        stored: (rows, columns) stored values of any type and byte order.
        rescale: Of this slice.
        out: (rows, columns) slice of the volume: int16, int32, or float32, which is computed in
            float64.
        check: Whether a value may pass the range of `out`.

    Raises:
        DoesNotFitError: A value passes the range of `out`.
    """
    if out.dtype.kind == "f":
        values = stored.astype(np.float64)
        values *= rescale.slope
        values += rescale.intercept
        with np.errstate(over="ignore"):
            out[...] = values
        return
    if check and stored.size:
        low, high = rescale.range_of(int(stored.min()), int(stored.max()))
        limits = np.iinfo(out.dtype)
        if low < limits.min or high > limits.max:
            raise DoesNotFitError
    if stored.dtype.kind in "iu" and stored.dtype.itemsize == out.dtype.itemsize:
        # Seen as the other signedness, which modular arithmetic allows, numpy need not cast.
        stored = stored.astype(stored.dtype.newbyteorder("="), copy=False).view(out.dtype)
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


def wider(dtype: np.dtype[Any]) -> np.dtype[Any] | None:
    """Return the type to try next: int16, int32, float32; None after it."""
    order: list[np.dtype[Any]] = [np.dtype(np.int16), np.dtype(np.int32), np.dtype(np.float32)]
    following = order.index(dtype) + 1
    return order[following] if following < len(order) else None
