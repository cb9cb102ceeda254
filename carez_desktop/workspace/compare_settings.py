"""How a pane shows two layers at once."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class CompareMode(StrEnum):
    """What a pane does with its second layer."""

    NONE = "none"
    SWIPE = "swipe"
    CHECKERBOARD = "checkerboard"
    BLEND = "blend"
    FLICKER = "flicker"
    DIFFERENCE = "difference"


@dataclass(frozen=True, slots=True)
class CompareSettings:
    """A mode with its few numbers; each keeps its value while another mode is on.

    Attributes:
        curtain: Where the swipe's edge lies: 0 left or top to 1; the first layer is before it.
        is_vertical: Whether the edge stands upright (else it lies across).
        tile_mm: Edge of a checkerboard's squares, in mm of the patient.
        opacity: Share of the second layer in a blend, 0 to 1.
        shows_second: Whether a flicker shows the second layer now.
        difference_limit: Modality values at the ends of the signed scale; 0 chooses by the data.
        threshold: Differences up to this many modality values are shown as none.
    """

    mode: CompareMode = CompareMode.NONE
    curtain: float = 0.5
    is_vertical: bool = True
    tile_mm: float = 20.0
    opacity: float = 0.5
    shows_second: bool = False
    difference_limit: float = 0.0
    threshold: float = 0.0

    def __post_init__(self) -> None:
        """Refuse numbers that mean nothing."""
        if not 0.0 <= self.curtain <= 1.0 or not 0.0 <= self.opacity <= 1.0:
            raise ValueError("curtain and opacity lie between 0 and 1")
        if self.tile_mm <= 0.0 or self.difference_limit < 0.0 or self.threshold < 0.0:
            raise ValueError("tile, limit and threshold are not negative")
