"""Window centre and width: which modality values become black and white, and the presets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from carez_desktop.domain.volume import Volume
from carez_desktop.domain.window import VoiFunction, VoiLut

MINIMUM_WIDTH = 1e-12
"""Narrow enough for diffusion in m2/s (1e-9), far from what float32 cannot tell from 0."""

_RESOLVED = 1e-7
_SAMPLES = 200_000


@dataclass(frozen=True, slots=True)
class DisplayWindow:
    """Modality values shown from black to white.

    Attributes:
        center: Modality value in the middle of the grey ramp.
        width: Distance in modality values from black to white; above 0.
        function: How greys lie between: a ramp, DICOM's own ramp (half a value narrower on each
            side), or a sigmoid (PS3.3 C.11.2.1.2 and C.11.2.1.3).
    """

    center: float
    width: float
    function: VoiFunction = VoiFunction.LINEAR_EXACT

    @property
    def low(self) -> float:
        """Modality value that turns black."""
        return self.center - self.width / 2.0

    @property
    def high(self) -> float:
        """Modality value that turns white."""
        return self.center + self.width / 2.0

    @classmethod
    def from_range(cls, low: float, high: float) -> DisplayWindow:
        """Build from the two ends; ends that float32 cannot tell apart get a width of 1."""
        width = high - low
        least = max(MINIMUM_WIDTH, _RESOLVED * max(abs(low), abs(high)))
        return cls((low + high) / 2.0, width if width > least else 1.0)

    def dragged(self, dx: float, dy: float, *, step: float) -> DisplayWindow:
        """Return the window after a drag: right widens, down brightens the centre.

        Args:
            dx: Pixels to the right.
            dy: Pixels downwards.
            step: Modality values for each pixel.
        """
        width = max(self.width + dx * step, step)
        return DisplayWindow(self.center + dy * step, width, self.function)


@dataclass(frozen=True, slots=True)
class WindowPreset:
    """A named window, under a key or (of the source file, with key "") without one.

    Attributes:
        lut: A table of the source that is shown instead of the window.
    """

    key: str
    title: str
    window: DisplayWindow
    lut: VoiLut | None = None


HU_PRESETS: tuple[WindowPreset, ...] = (
    WindowPreset("1", "Soft tissue", DisplayWindow(40.0, 400.0)),
    WindowPreset("2", "Lung", DisplayWindow(-600.0, 1500.0)),
    WindowPreset("3", "Liver", DisplayWindow(90.0, 150.0)),
    WindowPreset("4", "Bone", DisplayWindow(480.0, 2500.0)),
    WindowPreset("5", "Brain", DisplayWindow(40.0, 80.0)),
)
"""OHIF's five, in HU."""

_SHARES = (
    ("1", "Automatic", 0.1, 99.9),
    ("2", "Narrow", 2.0, 98.0),
    ("3", "Bright tissue", 40.0, 99.9),
    ("4", "Dark tissue", 0.1, 80.0),
)


def _sampled(volume: Volume) -> npt.NDArray[np.float32]:
    """Return up to 200 000 finite voxels at a fixed stride, so that percentiles are cheap."""
    flat = volume.array.reshape(-1)
    with np.errstate(over="ignore"):
        # What float32 cannot hold is shown as infinite, and counts as little.
        values = flat[:: max(1, flat.size // _SAMPLES)].astype(np.float32)
    values = values[np.isfinite(values)]
    if volume.padding_value is not None:
        imaged = values[values != volume.padding_value]
        values = imaged if imaged.size else values
    return values if values.size else np.zeros(1, np.float32)


def percentile_window(volume: Volume, low: float, high: float) -> DisplayWindow:
    """Window between two percentiles (0-100) of the volume's values."""
    bottom, top = np.percentile(_sampled(volume), (low, high))
    return DisplayWindow.from_range(float(bottom), float(top))


def full_range(volume: Volume) -> DisplayWindow:
    """Window over every finite value of the volume."""
    values = volume.array
    if values.dtype.kind == "f":
        values = values[np.isfinite(values)]
    if values.size == 0:
        return DisplayWindow(0.0, 1.0)
    return DisplayWindow.from_range(float(values.min()), float(values.max()))


def source_presets(volume: Volume) -> tuple[WindowPreset, ...]:
    """Every window, then every table, by which the source wants its values shown."""
    windows = [
        WindowPreset(
            "",
            voi.name or ("File window" if place == 0 else f"File window {place + 1}"),
            DisplayWindow(voi.center, voi.width, _function_for(volume, voi.function)),
        )
        for place, voi in enumerate(volume.windows)
        if voi.width > MINIMUM_WIDTH
    ]
    center, width = volume.window_center, volume.window_width
    if not windows and center is not None and width is not None and width > MINIMUM_WIDTH:
        windows.append(WindowPreset("", "File window", DisplayWindow(float(center), float(width))))
    tables = [
        WindowPreset("", lut.name or f"File table {place + 1}", lut_window(lut), lut)
        for place, lut in enumerate(volume.voi_luts)
        if lut.entries.size
    ]
    return (*windows, *tables)


def _function_for(volume: Volume, function: VoiFunction) -> VoiFunction:
    """Return the function of a window; the half values of LINEAR presume whole numbers.

    A float map of 0 to 1 with the window 0.5/1 would turn black and white by PS3.3 C.11.2.1.2.1.
    """
    is_whole = volume.array.dtype.kind in "iu"
    return function if is_whole or function is not VoiFunction.LINEAR else VoiFunction.LINEAR_EXACT


def lut_window(lut: VoiLut) -> DisplayWindow:
    """The range of modality values that a table tells apart, as a window."""
    return DisplayWindow.from_range(lut.first, lut.first + lut.entries.size - 1)


def initial_preset(volume: Volume) -> WindowPreset:
    """The source's first window or table; else soft tissue for HU; else percentiles."""
    found = source_presets(volume)
    if found:
        return found[0]
    if volume.is_colour:
        return WindowPreset("", "Colours", DisplayWindow(127.5, 255.0))
    if volume.units == "HU":
        return HU_PRESETS[0]
    return WindowPreset("", "Automatic", percentile_window(volume, 0.1, 99.9))


def initial_window(volume: Volume) -> DisplayWindow:
    """Window of the source file; else soft tissue for HU; else the 0.1-99.9 percentiles."""
    return initial_preset(volume).window


def presets_of(volume: Volume) -> tuple[WindowPreset, ...]:
    """Presets under keys 1-5, then those of the source.

    HU windows for HU, shares of the volume's values for all else, none for colours.
    """
    if volume.is_colour:
        return ()
    keyed = HU_PRESETS
    if volume.units != "HU":
        keyed = tuple(
            WindowPreset(key, title, percentile_window(volume, low, high))
            for key, title, low, high in _SHARES
        )
    return (*keyed, *source_presets(volume))
