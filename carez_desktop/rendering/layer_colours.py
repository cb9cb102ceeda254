"""From sampled values of a layer to pixels: its window or table, then its colour map."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from carez_desktop.rendering.bands import in_bands
from carez_desktop.rendering.colour_maps import pixel_table
from carez_desktop.rendering.display_values import int16_levels, levels_of
from carez_desktop.rendering.pixels import NOTHING, Pixels, pixels_of_rgb
from carez_desktop.rendering.slice_pipeline import INT16_OUTSIDE
from carez_desktop.workspace.layer import Layer


class LayerColours:
    """Paint values of a layer; the table of 65 536 colours for int16 is kept between frames."""

    def __init__(self) -> None:
        """Start without a table."""
        self._table: Pixels | None = None
        self._key: tuple[Any, ...] = ()

    def pixels(self, values: npt.NDArray[Any], layer: Layer) -> Pixels:
        """Return what a pane shows of sampled values.

        Args:
            values: As `SliceSampler.sample` gives them.
            layer: Whose window, inversion and colour map count; colours know only inversion.

        Returns:
            (height, width); nothing outside the volume and where it was never imaged.

        Raises:
            KeyError: The layer names a colour map that there is not.
        """
        if values.ndim == 3:
            return pixels_of_rgb(255 - values if layer.inverted else values)
        if values.dtype == np.int16:
            return np.asarray(self._int16_table(layer)[values.view(np.uint16)])
        return in_bands(lambda band: _painted(band, layer), values)

    def _int16_table(self, layer: Layer) -> Pixels:
        padding = layer.volume.padding_value
        key = (layer.window, id(layer.lut), layer.high_is_black, layer.colour_map, padding)
        if self._table is None or key != self._key:
            levels = int16_levels(layer.window, inverted=layer.high_is_black, lut=layer.lut)
            table = pixel_table(layer.colour_map)[levels]
            table[INT16_OUTSIDE & 0xFFFF] = NOTHING
            if padding is not None and -32768 <= padding <= 32767:
                table[int(padding) & 0xFFFF] = NOTHING
            self._table, self._key = table, key
        return self._table


def _painted(values: npt.NDArray[Any], layer: Layer) -> Pixels:
    """Paint float32 values; the same steps as for the table of int16."""
    shown = levels_of(values, layer.window, inverted=layer.high_is_black, lut=layer.lut)
    pixels = pixel_table(layer.colour_map)[shown]
    pixels[np.isnan(values)] = NOTHING
    padding = layer.volume.padding_value
    if padding is not None:
        pixels[values == np.float32(padding)] = NOTHING
    return np.asarray(pixels, dtype=np.uint32)
