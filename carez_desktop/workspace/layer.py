"""A layer: a volume and how it is shown."""

from __future__ import annotations

from typing import ClassVar

from psygnal import Signal

from carez_desktop.domain.volume import Volume, VolumeKind
from carez_desktop.workspace.display_window import (
    DisplayWindow,
    WindowPreset,
    full_range,
    initial_window,
    presets_of,
)


class Layer:
    """A volume with its display window; tells when the way it is shown changes.

    Attributes:
        volume: The voxels; never changed here.
        title: Words for lists and panes.
        is_stand_in: Simulated, and never to be taken for a patient.
    """

    changed: ClassVar[Signal] = Signal()

    def __init__(self, volume: Volume, *, title: str = "", stand_in: bool = False) -> None:
        """Show the volume with its own window.

        Args:
            volume: What to show.
            title: Words for lists and panes; "" takes the volume's own description.
            stand_in: It is simulated and plays the part of a real volume here.
        """
        self.volume = volume
        self.is_stand_in = stand_in and volume.kind is VolumeKind.REAL
        self.title = title or describe(volume)
        self._initial = initial_window(volume)
        self._window = self._initial
        self._inverted = False
        self._interpolated = True
        self._presets: tuple[WindowPreset, ...] | None = None

    @property
    def is_synthetic(self) -> bool:
        """Whether the pane must carry the SYNTHETIC badge."""
        return self.volume.kind is VolumeKind.SYNTHETIC

    @property
    def kind_text(self) -> str:
        """What the volume is, in one word; a stand-in is never called real."""
        return "simulated" if self.is_stand_in else self.volume.kind.value

    @property
    def window(self) -> DisplayWindow:
        """Window in modality values."""
        return self._window

    @window.setter
    def window(self, window: DisplayWindow) -> None:
        if window != self._window:
            self._window = window
            self.changed.emit()

    @property
    def inverted(self) -> bool:
        """Whether black and white are exchanged."""
        return self._inverted

    @inverted.setter
    def inverted(self, inverted: bool) -> None:
        if inverted != self._inverted:
            self._inverted = inverted
            self.changed.emit()

    @property
    def interpolated(self) -> bool:
        """Whether values between voxels are interpolated for display."""
        return self._interpolated

    @interpolated.setter
    def interpolated(self, interpolated: bool) -> None:
        if interpolated != self._interpolated:
            self._interpolated = interpolated
            self.changed.emit()

    @property
    def presets(self) -> tuple[WindowPreset, ...]:
        """Presets under the keys 1-5."""
        if self._presets is None:
            self._presets = presets_of(self.volume)
        return self._presets

    def apply_preset(self, key: str) -> bool:
        """Apply the preset under a key; tell whether there is one."""
        for preset in self.presets:
            if preset.key == key:
                self.window = preset.window
                return True
        return False

    def show_full_range(self) -> None:
        """Show every value of the volume."""
        self.window = full_range(self.volume)

    def reset(self) -> None:
        """Return to the first window, not inverted."""
        self.window = self._initial
        self.inverted = False

    @property
    def drag_step(self) -> float:
        """Modality values for a drag of one pixel: 1 HU, else 1/400 of the first width."""
        return 1.0 if self.volume.units == "HU" else self._initial.width / 400.0


def describe(volume: Volume) -> str:
    """Name a volume in few words: its series description, else its modality."""
    words = volume.attributes.get("series_description", "").strip()
    return words or f"{volume.modality} volume"
