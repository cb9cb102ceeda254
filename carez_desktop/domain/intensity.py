"""What values mean beyond the modality value: physical quantities and graphics laid over them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class RealWorldMap:
    """A linear Real World Value Mapping (PS3.3 C.7.6.16.2.11): value = stored x slope + intercept.

    Attributes:
        first_stored, last_stored: Stored values for which it holds, both included.
        modality_slope, modality_intercept: Stored to modality value of the same pixels, so that a
            reader who has a modality value can go back.
        unit: UCUM code (`{SUVbw}g/ml`, `mm2/s`).
        name: LUT Label or Explanation.
    """

    slope: float
    intercept: float
    first_stored: float
    last_stored: float
    unit: str
    name: str = ""
    modality_slope: float = 1.0
    modality_intercept: float = 0.0

    def of_modality_value(self, value: float) -> float | None:
        """Return the physical quantity of a modality value; None outside the mapped range."""
        stored = (value - self.modality_intercept) / self.modality_slope
        if not self.first_stored <= stored <= self.last_stored:
            return None
        return stored * self.slope + self.intercept


@dataclass(frozen=True, slots=True, eq=False)
class OverlayPlane:
    """One overlay plane (60xx,3000) of one slice (PS3.3 C.9.2).

    Attributes:
        slice_index: Which slice of the volume it lies on.
        origin: (row, column) of its first pixel in the image, from 0; may be negative.
        bits: (rows, columns), True where the graphic is drawn.
        kind: `G` graphics or `R` region of interest.
    """

    slice_index: int
    origin: tuple[int, int]
    bits: npt.NDArray[np.bool_]
    label: str = ""
    kind: str = "G"
