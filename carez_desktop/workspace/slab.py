"""Slabs: a plane with a thickness, and how the values through it are joined."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class SlabMode(StrEnum):
    """How the values through a slab become one."""

    MIP = "mip"
    MINIP = "minip"
    MEAN = "mean"


@dataclass(frozen=True, slots=True)
class Slab:
    """A plane of a thickness, half of it on either side.

    Attributes:
        mode: Largest, smallest or mean value along the normal.
        thickness_mm: 0 is a plane without thickness, whatever the mode.
    """

    mode: SlabMode = SlabMode.MIP
    thickness_mm: float = 0.0

    @property
    def is_thick(self) -> bool:
        """Whether values are joined at all."""
        return self.thickness_mm > 0.0

    @property
    def text(self) -> str:
        """Words for the corner of a pane; "" for a thin plane."""
        names = {SlabMode.MIP: "MIP", SlabMode.MINIP: "MinIP", SlabMode.MEAN: "mean"}
        return f"{names[self.mode]} {self.thickness_mm:g} mm" if self.is_thick else ""
