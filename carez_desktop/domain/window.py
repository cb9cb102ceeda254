"""Values of interest: the windows and tables by which a source wants its values shown.

PS3.3 C.11.2; centres and widths are in modality values.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt


class VoiFunction(StrEnum):
    """VOI LUT Function (0028,1056): PS3.3 C.11.2.1.3."""

    LINEAR = "LINEAR"
    LINEAR_EXACT = "LINEAR_EXACT"
    SIGMOID = "SIGMOID"


@dataclass(frozen=True, slots=True)
class VoiWindow:
    """One Window Center and Width of the source, in modality values.

    Attributes:
        name: Window Center & Width Explanation; "" where there is none.
    """

    center: float
    width: float
    function: VoiFunction = VoiFunction.LINEAR
    name: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class VoiLut:
    """One item of the VOI LUT Sequence (PS3.3 C.11.2.1.1).

    Attributes:
        first: Modality value that takes the first entry; smaller values take it too.
        entries: (n,) display values from 0 to 2**bits - 1, one for each whole modality value.
        bits: Of an entry.
        name: LUT Explanation.
    """

    first: int
    entries: npt.NDArray[np.uint16]
    bits: int
    name: str = ""
