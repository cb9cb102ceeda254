"""Window centre and width: which modality values become black and white, and the presets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from carez_desktop.domain.volume import Volume

MINIMUM_WIDTH = 1e-6
_SAMPLES = 200_000


@dataclass(frozen=True, slots=True)
class DisplayWindow:
    """Modality values shown from black to white.

    Attributes:
        center: Modality value in the middle of the grey ramp.
        width: Distance in modality values from black to white; above 0.
    """

    center: float
    width: float

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
        """Build from the two ends; equal ends get a width of 1."""
        width = high - low
        return cls((low + high) / 2.0, width if width > MINIMUM_WIDTH else 1.0)

    def dragged(self, dx: float, dy: float, *, step: float) -> DisplayWindow:
        """Return the window after a drag: right widens, down brightens the centre.

        Args:
            dx: Pixels to the right.
            dy: Pixels downwards.
            step: Modality values for each pixel.
        """
        return DisplayWindow(self.center + dy * step, max(self.width + dx * step, step))


@dataclass(frozen=True, slots=True)
class WindowPreset:
    """A named window under a key."""

    key: str
    title: str
    window: DisplayWindow


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


def initial_window(volume: Volume) -> DisplayWindow:
    """Window of the source file; else soft tissue for HU; else the 0.1-99.9 percentiles."""
    center, width = volume.window_center, volume.window_width
    if center is not None and width is not None and width > MINIMUM_WIDTH:
        return DisplayWindow(float(center), float(width))
    if volume.units == "HU":
        return HU_PRESETS[0].window
    return percentile_window(volume, 0.1, 99.9)


def presets_of(volume: Volume) -> tuple[WindowPreset, ...]:
    """Presets under keys 1-5: HU windows for HU, shares of the volume's values for all else."""
    if volume.units == "HU":
        return HU_PRESETS
    return tuple(
        WindowPreset(key, title, percentile_window(volume, low, high))
        for key, title, low, high in _SHARES
    )
