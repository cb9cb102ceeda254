"""Windows that a modality is usually seen by, as data."""

from __future__ import annotations

from dataclasses import dataclass

from carez_desktop.domain.volume import Volume


@dataclass(frozen=True, slots=True)
class NamedWindow:
    """A window with a title: modality values, or percentiles of the volume.

    Attributes:
        modality: DICOM Modality that it is for.
        units: Of its values; "" for percentiles.
        body_parts: For these only; empty for all.
        center, width: Modality values, unless there are shares.
        shares: (low, high) percentiles, 0 to 100.
    """

    title: str
    modality: str
    units: str = ""
    body_parts: tuple[str, ...] = ()
    center: float = 0.0
    width: float = 1.0
    shares: tuple[float, float] | None = None

    def suits(self, volume: Volume) -> bool:
        """Whether a volume has its modality, its units and, if it says one, its body part."""
        part = volume.attributes.get("body_part_examined", "").strip().upper()
        is_there = not part or not self.body_parts or any(x in part for x in self.body_parts)
        same_units = self.shares is not None or volume.units == self.units
        return volume.modality == self.modality and same_units and is_there
