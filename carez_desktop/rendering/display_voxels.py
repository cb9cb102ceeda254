"""The voxels of a volume in a type that planes are sampled from, one copy for all who show it."""

from __future__ import annotations

from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from carez_desktop.domain.volume import Volume

_converted: WeakKeyDictionary[Volume, npt.NDArray[Any]] = WeakKeyDictionary()
_lock = Lock()


def display_voxels(volume: Volume) -> npt.NDArray[Any]:
    """Return the voxels as int16, float32 or, for colours, uint8.

    int16, float32 and colours are the array of the volume itself. Whole numbers that fit become
    int16, all else float32; that copy is made once for a volume and goes with it, so that any
    number of panes hold it once.

    Returns:
        C order, read-only, of the shape of the volume's array.
    """
    array = volume.array
    wanted = (np.uint8,) if volume.is_colour else (np.int16, np.float32)
    if array.dtype in wanted:
        return array
    with _lock:
        found = _converted.get(volume)
        if found is None:
            found = _convert(volume)
            found.flags.writeable = False
            _converted[volume] = found
    return found


def _convert(volume: Volume) -> npt.NDArray[Any]:
    array = volume.array
    if volume.is_colour:
        return np.ascontiguousarray(array, dtype=np.uint8)
    if array.dtype.kind in "iub" and _fits_int16(array):
        # The bytes are the same where nothing reaches the sign.
        shares = array.dtype == np.uint16
        return array.view(np.int16) if shares else np.ascontiguousarray(array, dtype=np.int16)
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(array, dtype=np.float32)


def _fits_int16(array: npt.NDArray[Any]) -> bool:
    # -32768 is kept free: it marks what lies outside.
    return bool(array.max() <= 32767 and array.min() > -32768)
