"""The difference of two layers on one plane, in modality values, and its signed picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from carez_desktop.rendering.bands import in_bands
from carez_desktop.rendering.colour_maps import SIGNED_MIDDLE, pixel_table
from carez_desktop.rendering.pixels import NOTHING, Pixels
from carez_desktop.rendering.slice_pipeline import INT16_OUTSIDE
from carez_desktop.workspace.layer import Layer

DIFFERENCE_MAP = "blue_white_red"
_PERCENTILE = 99.5
_SAMPLES = 200_000
_STEPS = 127

Values = npt.NDArray[np.float32]


def modality_values(values: npt.NDArray[Any], padding: float | None = None) -> Values:
    """Return sampled values as float32, NaN outside the volume and where nothing was imaged.

    Args:
        values: (height, width) as `SliceSampler.sample` gives them.
        padding: Modality value of pixels that were never imaged.
    """
    made = values.astype(np.float32)
    if values.dtype == np.int16:
        made[values == INT16_OUTSIDE] = np.nan
    if padding is not None:
        made[made == np.float32(padding)] = np.nan
    return np.asarray(made, dtype=np.float32)


def difference_values(
    base_values: npt.NDArray[Any],
    second_values: npt.NDArray[Any],
    *,
    base_padding: float | None = None,
    second_padding: float | None = None,
) -> Values:
    """Subtract the second layer from the base, both sampled under the same pixels.

    Args:
        base_values: (height, width) int16 or float32 as `SliceSampler.sample` gives them.
        second_values: Of the same shape.
        base_padding: Modality value of the base's pixels that were never imaged.
        second_padding: The same of the second layer.

    Returns:
        (height, width) float32, base minus second; NaN where one of them has no value.
    """

    def subtract(base: npt.NDArray[Any], second: npt.NDArray[Any]) -> Values:
        made = modality_values(base, base_padding)
        made -= modality_values(second, second_padding)
        return made

    with np.errstate(over="ignore", invalid="ignore"):
        return in_bands(subtract, base_values, second_values)


def automatic_limit(values: npt.NDArray[Any]) -> float:
    """Return the 99.5 percentile of the size of differences, from up to 200 000 of them.

    1 where there is none or all are 0: a scale needs a length.
    """
    flat = values.reshape(-1)
    taken = np.abs(flat[:: max(1, flat.size // _SAMPLES)])
    taken = taken[np.isfinite(taken)]
    found = float(np.percentile(taken, _PERCENTILE)) if taken.size else 0.0
    return found if found > 0.0 else 1.0


def difference_picture(
    values: Values, limit: float, threshold: float = 0.0, colour_map: str = DIFFERENCE_MAP
) -> Pixels:
    """Paint differences on a signed scale.

    Args:
        values: (height, width) modality values; NaN is nothing.
        limit: Size of a difference at the ends of the scale; above 0.
        threshold: Differences of at most this size get the colour of none.
        colour_map: A signed map.

    Returns:
        (height, width) pixels: entry 128 + 127 d / limit of the map, rounded and clamped.
    """
    table = pixel_table(colour_map)

    def paint(band: Values) -> Pixels:
        level = band * np.float32(_STEPS / limit)
        missing = np.isnan(level)
        level += np.float32(SIGNED_MIDDLE + 0.5)
        np.fmax(level, np.float32(SIGNED_MIDDLE - _STEPS), out=level)
        np.minimum(level, np.float32(SIGNED_MIDDLE + _STEPS), out=level)
        entries = level.astype(np.uint8)
        if threshold > 0.0:
            entries[np.abs(band) <= np.float32(threshold)] = SIGNED_MIDDLE
        pixels = table[entries]
        pixels[missing] = NOTHING
        return np.asarray(pixels, dtype=np.uint32)

    with np.errstate(over="ignore", invalid="ignore"):
        return in_bands(paint, values)


def difference_refusal(base: Layer, second: Layer) -> str:
    """Say why one layer cannot be subtracted from another; "" where it can."""
    for layer in (base, second):
        if layer.volume.is_colour:
            return f"{layer.title} holds colours, which have no difference in modality values"
        if layer.is_label_map:
            return f"{layer.title} holds names of structures, which have no difference"
    if base.volume.units != second.volume.units:
        return (
            f"{base.title} is in {base.volume.units} and {second.title} in "
            f"{second.volume.units}: their difference means nothing"
        )
    return ""
