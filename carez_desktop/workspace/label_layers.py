"""Volumes whose values are structures although their files do not say so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from carez_desktop.workspace.layer import Layer

_MOST_LABELS = 255
_SAMPLES = 200_000


def could_be_labels(layer: Layer) -> bool:
    """Whether a volume holds few, whole, not negative numbers and is no label map yet.

    Judged by 200 000 voxels at a fixed stride.
    """
    volume = layer.volume
    if volume.is_colour or layer.is_label_map or layer.stack is not None:
        return False
    if volume.units not in ("arbitrary", ""):
        return False
    flat = volume.array.reshape(-1)
    values = np.unique(flat[:: max(1, flat.size // _SAMPLES)])
    if values.size > _MOST_LABELS or not np.isfinite(values).all():
        return False
    return bool(np.all(values == np.rint(values)) and values.min() >= 0)


def as_labels(layer: Layer) -> Layer:
    """Return a layer of the same voxels that are structures; where it lies stays known."""
    return Layer(
        replace(layer.volume, units="label"),
        title=layer.title,
        stand_in=layer.is_stand_in,
        positioned=layer.is_positioned,
        calibrated=layer.is_calibrated,
    )
