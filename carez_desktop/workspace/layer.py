"""A layer: a volume, a cine or a stack of slices, and how it is shown."""

from __future__ import annotations

from typing import ClassVar

from psygnal import Signal

from carez_desktop.domain.intensity import OverlayPlane
from carez_desktop.domain.slice_stack import SliceStack
from carez_desktop.domain.volume import SliceAxis, Volume, VolumeKind
from carez_desktop.domain.window import VoiLut
from carez_desktop.workspace.display_window import (
    DisplayWindow,
    WindowPreset,
    full_range,
    initial_preset,
    presets_of,
)

GREY = "grey"
"""The colour map that every layer begins with."""

_FILM = "MONOCHROME1"


class Layer:
    """A volume with its display window; tells when the way it is shown changes.

    Attributes:
        volume: The voxels; never changed here. Of a stack of slices: the middle one.
        stack: Slices at true positions that are no regular grid; None for a volume.
        title: Words for lists and panes.
        is_stand_in: Simulated, and never to be taken for a patient.
        is_positioned: Whether the source says where it lies in the patient.
        is_calibrated: Whether its pixels have a size in millimetres.
        is_preview: A first slice that stands in while the rest is read.
    """

    changed: ClassVar[Signal] = Signal()

    def __init__(
        self,
        volume: Volume,
        *,
        title: str = "",
        stand_in: bool = False,
        stack: SliceStack | None = None,
        positioned: bool = True,
        calibrated: bool = True,
        preview: bool = False,
    ) -> None:
        """Show the volume with its own window.

        Args:
            volume: What to show.
            title: Words for lists and panes; "" takes the volume's own description.
            stand_in: It is simulated and plays the part of a real volume here.
            stack: The slices, where they are no regular volume.
            positioned: The source says where it lies in the patient.
            calibrated: The source says how large its pixels are.
            preview: It is the first slice of something that is still being read.
        """
        self.volume = volume
        self.stack = stack
        self.is_stand_in = stand_in and volume.kind is VolumeKind.REAL
        self.is_positioned = positioned
        self.is_calibrated = calibrated
        self.is_preview = preview
        self.title = title or describe(volume)
        self._initial = initial_preset(volume)
        self._window = self._initial.window
        self._lut = self._initial.lut
        self._inverted = False
        self._interpolated = True
        self._colour_map = GREY
        self._presets: tuple[WindowPreset, ...] | None = None

    # -- what it is ----------------------------------------------------------------------------

    @property
    def is_synthetic(self) -> bool:
        """Whether the pane must carry the SYNTHETIC badge."""
        return self.volume.kind is VolumeKind.SYNTHETIC

    @property
    def is_cine(self) -> bool:
        """Whether its slices are moments."""
        return self.volume.slice_axis is SliceAxis.TIME

    @property
    def is_film(self) -> bool:
        """Whether high values mean black (MONOCHROME1, PS3.3 C.7.6.3.1.2)."""
        return self.volume.attributes.get("photometric_interpretation") == _FILM

    @property
    def kind_text(self) -> str:
        """What the volume is, in one word; a stand-in is never called real."""
        return "simulated" if self.is_stand_in else self.volume.kind.value

    @property
    def volumes(self) -> tuple[Volume, ...]:
        """The volume, or each slice of a stack."""
        return self.stack.slices if self.stack is not None else (self.volume,)

    def volume_at(self, index: int) -> Volume:
        """Return what holds the voxels of a slice: the volume, or that slice of a stack."""
        return self.volume if self.stack is None else self.stack.slices[index]

    def overlays_at(self, index: int) -> tuple[OverlayPlane, ...]:
        """Return the graphics of the source on a slice, counted from 0 along the array."""
        if self.stack is not None:
            return self.stack.slices[index].overlays
        return tuple(plane for plane in self.volume.overlays if plane.slice_index == index)

    @property
    def has_overlays(self) -> bool:
        """Whether the source brings graphics."""
        return any(volume.overlays for volume in self.volumes)

    @property
    def plane_refusal(self) -> str:
        """Why there are no planes but the acquired one; "" where there are."""
        if self.stack is not None:
            return self.stack.refusal
        if self.is_cine:
            return "Its frames are moments, not places: nothing lies across them"
        if not self.is_positioned:
            return "The source says no position in the patient"
        if self.volume.geometry.shape[0] == 1:
            return "It is a single slice"
        return ""

    # -- how it is shown -----------------------------------------------------------------------

    @property
    def window(self) -> DisplayWindow:
        """Window in modality values."""
        return self._window

    @window.setter
    def window(self, window: DisplayWindow) -> None:
        if window != self._window or self._lut is not None:
            self._window, self._lut = window, None
            self.changed.emit()

    @property
    def lut(self) -> VoiLut | None:
        """The source's table that is shown instead of the window, if any."""
        return self._lut

    @property
    def inverted(self) -> bool:
        """Whether black and white are exchanged against what the source wants."""
        return self._inverted

    @inverted.setter
    def inverted(self, inverted: bool) -> None:
        if inverted != self._inverted:
            self._inverted = inverted
            self.changed.emit()

    @property
    def high_is_black(self) -> bool:
        """Whether high values are painted black: film, or inverted, but not both."""
        return self._inverted != self.is_film

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
    def colour_map(self) -> str:
        """Id of the colours from the low end of the window to the high end."""
        return self._colour_map

    @colour_map.setter
    def colour_map(self, name: str) -> None:
        if name != self._colour_map:
            self._colour_map = name
            self.changed.emit()

    @property
    def is_label_map(self) -> bool:
        """Whether its values are names of structures, which no window shows."""
        return self.volume.units == "label"

    @property
    def presets(self) -> tuple[WindowPreset, ...]:
        """Presets under the keys 1-5, then those of the source."""
        if self._presets is None:
            self._presets = presets_of(self.volume)
        return self._presets

    def apply_preset(self, key: str) -> bool:
        """Apply the preset under a key; tell whether there is one."""
        for preset in self.presets:
            if key and preset.key == key:
                self.show_preset(preset)
                return True
        return False

    def show_preset(self, preset: WindowPreset) -> None:
        """Show a window or a table of the source."""
        if (preset.window, preset.lut) != (self._window, self._lut):
            self._window, self._lut = preset.window, preset.lut
            self.changed.emit()

    def show_full_range(self) -> None:
        """Show every value."""
        windows = [full_range(volume) for volume in self.volumes]
        self.window = DisplayWindow.from_range(
            min(window.low for window in windows), max(window.high for window in windows)
        )

    def reset(self) -> None:
        """Return to the first window, not inverted, in grey."""
        self.show_preset(self._initial)
        self.inverted = False
        self.colour_map = GREY

    @property
    def drag_step(self) -> float:
        """Modality values for a drag of one pixel: 1 HU, else 1/400 of the first width."""
        return 1.0 if self.volume.units == "HU" else self._initial.window.width / 400.0


def describe(volume: Volume) -> str:
    """Name a volume in few words: its series description, else its modality."""
    words = volume.attributes.get("series_description", "").strip()
    kind = "image" if volume.is_colour else "volume"
    return words or (f"{volume.modality} {kind}" if volume.modality else kind.capitalize())
