"""A name for pixels that outlives their file format: how stripped marks are seen through."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt


def pixel_digest(array: npt.NDArray[Any]) -> str:
    """Return a SHA-256 (hex) that is equal for equal modality values on an equal grid.

    The data type does not matter: int16 from DICOM and float32 from NIfTI of the same whole
    numbers have one digest. Geometry is left out; the shape is in.

    Args:
        array: (slice, row, column), modality values.
    """
    digest = hashlib.sha256("x".join(str(extent) for extent in array.shape).encode())
    # The type is one decision for the whole volume; slice by slice would mix two encodings.
    kind = "<i4" if all(_is_whole(part) for part in array) else "<f4"
    digest.update(kind.encode())
    for part in array:
        digest.update(np.ascontiguousarray(part, dtype=kind).data)
    return digest.hexdigest()


def _is_whole(part: npt.NDArray[Any]) -> bool:
    if part.dtype.kind in "iub" and part.dtype.itemsize < 4:
        return True
    if part.dtype.kind == "f" and not np.all(np.isfinite(part)):
        return False
    fits = bool(np.all(np.abs(part.astype(np.float64)) < 2**31))
    return fits and (part.dtype.kind != "f" or bool(np.all(part == np.rint(part))))
