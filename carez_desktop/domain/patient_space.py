"""Patient space: LPS millimetres (x to the patient's Left, y to Posterior, z to Superior).

Arrays are indexed (slice, row, column). An affine maps an array index to LPS millimetres,
so its first three columns are the steps along slice, row and column, in that order.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

_LETTERS = (("L", "R"), ("P", "A"), ("S", "I"))


def orientation_letters(direction_lps: npt.ArrayLike, *, threshold: float = 0.2) -> str:
    """Name a direction by up to three letters of R/L, A/P, I/S in order of dominance.

    Args:
        direction_lps: (3,) vector in LPS; need not be of unit length.
        threshold: Components below this share of the vector's length get no letter
            (about 12 degrees); DICOM PS3.3 C.7.6.1.1.1 names the letters.

    Returns:
        Letters such as `L`, `AL` or `PSR`; an empty string for a null vector.
    """
    vector = np.asarray(direction_lps, dtype=np.float64)
    length = float(np.linalg.norm(vector))
    if length == 0.0:
        return ""
    unit = vector / length
    order = np.argsort(-np.abs(unit), kind="stable")
    return "".join(
        _LETTERS[axis][0 if unit[axis] > 0 else 1] for axis in order if abs(unit[axis]) >= threshold
    )


def opposite_letters(letters: str) -> str:
    """Return the letters of the opposite direction (`AL` -> `PR`)."""
    swap = str.maketrans("LRPASI", "RLAPIS")
    return letters.translate(swap)


def unit_vector(vector: npt.ArrayLike) -> FloatArray:
    """Return the vector at unit length; a null vector raises ValueError."""
    array = np.asarray(vector, dtype=np.float64)
    length = float(np.linalg.norm(array))
    if length == 0.0:
        raise ValueError("a null vector has no direction")
    return array / length
