"""Slices at their true positions that are no regular grid: tilted, sheared or unevenly spaced."""

from __future__ import annotations

from dataclasses import dataclass

from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.volume import Volume


@dataclass(frozen=True, eq=False)
class SliceStack:
    """Slices that lie where their headers say, and why no affine describes them all.

    Never given to anything that expects a regular grid: each slice is a volume of one slice, and
    `imaging.resampling` puts them on a grid when a person asks for it.

    Attributes:
        slices: One-slice volumes in order along their normal, of equal rows, columns and pixel
            spacing; each with its own affine in LPS mm. They are views of one array.
        refusal: Why they are no volume, in words with numbers.
    """

    volume_id: str
    slices: tuple[Volume, ...]
    refusal: str

    @property
    def geometries(self) -> tuple[VolumeGeometry, ...]:
        """Geometry of each slice, shape (1, rows, columns)."""
        return tuple(volume.geometry for volume in self.slices)
