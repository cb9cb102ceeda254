"""From modality values to the greys of the screen: windows, tables, inversion, padding.

PS3.3 C.11.2; nothing here changes a value that a person reads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from carez_desktop.domain.window import VoiFunction, VoiLut
from carez_desktop.rendering.slice_pipeline import INT16_OUTSIDE
from carez_desktop.workspace.display_window import DisplayWindow
from carez_desktop.workspace.layer import Layer

_LARGEST_EXPONENT = 80.0


def grey_levels(
    values: npt.NDArray[Any],
    window: DisplayWindow,
    *,
    inverted: bool = False,
    padding: float | None = None,
    lut: VoiLut | None = None,
) -> npt.NDArray[np.uint8]:
    """Turn modality values into display grey.

    What lies outside the volume and what was never imaged is black either way.

    Args:
        values: (height, width) int16 or float32 as `SliceSampler.sample` returns them.
        window: Modality values of black and white, and what lies between.
        inverted: Whether black and white are exchanged.
        padding: Modality value of pixels that were never imaged.
        lut: A table that is shown instead of the window.
    """
    if values.dtype == np.int16:
        table = int16_levels(window, inverted=inverted, lut=lut)
        table[INT16_OUTSIDE & 0xFFFF] = 0
        if padding is not None and -32768 <= padding <= 32767:
            table[int(padding) & 0xFFFF] = 0
        return np.asarray(table[values.view(np.uint16)], dtype=np.uint8)
    grey = levels_of(values, window, inverted=inverted, lut=lut)
    grey[np.isnan(values)] = 0
    if padding is not None:
        grey[values == np.float32(padding)] = 0
    return grey


def int16_levels(
    window: DisplayWindow, *, inverted: bool = False, lut: VoiLut | None = None
) -> npt.NDArray[np.uint8]:
    """(65536,) level of every int16, at the place of its bytes read as uint16."""
    stored = np.arange(65536, dtype=np.uint16).view(np.int16)
    return levels_of(stored.astype(np.float32), window, inverted=inverted, lut=lut)


def layer_levels(values: npt.NDArray[Any], layer: Layer) -> npt.NDArray[np.uint8]:
    """Turn sampled values into what a pane shows of a layer.

    Returns:
        (height, width) greys; (height, width, 3) for colours, which no window changes.
    """
    if values.ndim == 3:
        return np.asarray(255 - values if layer.inverted else values, dtype=np.uint8)
    return grey_levels(
        values,
        layer.window,
        inverted=layer.high_is_black,
        padding=layer.volume.padding_value,
        lut=layer.lut,
    )


def levels_of(
    values: npt.NDArray[Any],
    window: DisplayWindow,
    *,
    inverted: bool = False,
    lut: VoiLut | None = None,
) -> npt.NDArray[np.uint8]:
    """Return where values lie from the low end (0) to the high end (255) of what is shown.

    Args:
        values: Any shape; NaN is 0, before inversion.
        window: Ends and function.
        inverted: Whether 255 is the low end.
        lut: A table that is shown instead of the window.
    """
    given = np.asarray(values, dtype=np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        share = _table_share(given, lut) if lut is not None else _window_share(given, window)
        level = share * np.float32(255.0)
    # Rounded by cutting; of NaN and a number, fmax takes the number.
    level += np.float32(0.5)
    np.fmax(level, np.float32(0.0), out=level)
    np.minimum(level, np.float32(255.0), out=level)
    grey = level.astype(np.uint8)
    return np.asarray(255 - grey if inverted else grey, dtype=np.uint8)


def _window_share(
    values: npt.NDArray[np.float32], window: DisplayWindow
) -> npt.NDArray[np.float32]:
    """Where values lie between black (0) and white (1); beyond the ends for those outside."""
    center, width = window.center, window.width
    if window.function is VoiFunction.SIGMOID:  # PS3.3 C.11.2.1.3.1
        exponent = np.clip(
            (values - center) * (-4.0 / width), -_LARGEST_EXPONENT, _LARGEST_EXPONENT
        )
        return np.asarray(1.0 / (1.0 + np.exp(exponent)), dtype=np.float32)
    if window.function is VoiFunction.LINEAR:  # PS3.3 C.11.2.1.2.1
        if width <= 1.0:
            return np.asarray(values > center - 0.5, dtype=np.float32)
        return np.asarray((values - (center - 0.5)) * (1.0 / (width - 1.0)) + 0.5, dtype=np.float32)
    made = values - np.float32(window.low)
    made *= np.float32(1.0 / width)
    return np.asarray(made, dtype=np.float32)


def _table_share(values: npt.NDArray[np.float32], lut: VoiLut) -> npt.NDArray[np.float32]:
    """Entry of each value; the first below the table and the last above (PS3.3 C.11.2.1.1)."""
    places = np.clip(np.rint(np.nan_to_num(values)) - lut.first, 0, lut.entries.size - 1)
    entries = lut.entries.astype(np.float32) * np.float32(1.0 / ((1 << lut.bits) - 1))
    return np.asarray(entries[places.astype(np.intp)], dtype=np.float32)
