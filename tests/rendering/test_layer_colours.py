"""Values to pixels: the window, then the colour map; nothing where there is nothing."""

from __future__ import annotations

import numpy as np
import pytest

from carez_desktop.domain.volume import Volume
from carez_desktop.rendering.colour_maps import COLOUR_MAPS
from carez_desktop.rendering.layer_colours import LayerColours
from carez_desktop.rendering.pixels import rgb_of_pixels
from carez_desktop.rendering.slice_pipeline import INT16_OUTSIDE
from carez_desktop.workspace.display_window import DisplayWindow
from carez_desktop.workspace.layer import Layer
from tests.builders.analytic_volumes import GEOMETRIES
from tests.builders.placed_layers import layer_of

GEOMETRY = GEOMETRIES["axial"]


def ct(dtype: type = np.int16) -> Layer:
    volume = Volume(
        "1", np.zeros(GEOMETRY.shape, dtype), GEOMETRY, "CT", "HU", padding_value=-2000.0
    )
    return Layer(volume)


@pytest.mark.parametrize("name", COLOUR_MAPS)
@pytest.mark.parametrize("inverted", [False, True])
def test_int16_and_float_take_the_same_colour_of_the_map(name: str, inverted: bool) -> None:
    layer = ct()
    layer.window = DisplayWindow(100.0, 300.0)
    layer.colour_map, layer.inverted = name, inverted
    values = np.arange(-400, 500, 7, dtype=np.int16).reshape(3, -1)
    share = np.clip((values.astype(float) - 100.0) / 300.0 + 0.5, 0.0, 1.0)
    entries = np.floor(255.0 * share + 0.5 + 1e-6).astype(int)
    expected = COLOUR_MAPS[name][255 - entries if inverted else entries]
    whole = LayerColours().pixels(values, layer)
    np.testing.assert_array_equal(rgb_of_pixels(whole), expected)
    np.testing.assert_array_equal(LayerColours().pixels(values.astype(np.float32), layer), whole)


@pytest.mark.parametrize("inverted", [False, True])
def test_outside_and_padding_are_nothing_on_every_map(inverted: bool) -> None:
    layer = ct()
    layer.inverted = inverted
    for name in COLOUR_MAPS:
        layer.colour_map = name
        whole = LayerColours().pixels(np.array([[INT16_OUTSIDE, -2000, 5]], np.int16), layer)
        parts = LayerColours().pixels(np.array([[np.nan, -2000, 5]], np.float32), layer)
        for made in (whole, parts):
            assert made[0, :2].tolist() == [0, 0]
            assert made[0, 2] >> 24 == 255


def test_a_kept_table_follows_window_map_and_inversion() -> None:
    layer, colours = ct(), LayerColours()
    values = np.array([[-100, 40, 180]], np.int16)
    for change in (
        lambda: setattr(layer, "window", DisplayWindow(0.0, 50.0)),
        lambda: setattr(layer, "colour_map", "viridis"),
        lambda: setattr(layer, "inverted", True),
        layer.reset,
    ):
        change()
        expected = LayerColours().pixels(values, layer)
        np.testing.assert_array_equal(colours.pixels(values, layer), expected)
    assert layer.colour_map == "grey"


def test_colours_of_the_source_are_kept() -> None:
    layer = layer_of(np.zeros((*GEOMETRY.shape, 3), np.uint8), GEOMETRY, units="rgb")
    pixels = np.array([[[1, 2, 3], [250, 20, 7]]], np.uint8)
    layer.colour_map = "viridis"
    made = LayerColours().pixels(pixels, layer)
    np.testing.assert_array_equal(rgb_of_pixels(made), pixels)
    layer.inverted = True
    np.testing.assert_array_equal(rgb_of_pixels(LayerColours().pixels(pixels, layer)), 255 - pixels)


def test_an_unknown_map_is_told() -> None:
    layer = ct()
    layer.colour_map = "jet"
    with pytest.raises(KeyError, match="jet"):
        LayerColours().pixels(np.zeros((2, 2), np.int16), layer)


def test_a_change_of_colours_is_told_once() -> None:
    layer, told = ct(), []
    layer.changed.connect(lambda: told.append(layer.colour_map))
    layer.colour_map = "viridis"
    layer.colour_map = "viridis"
    assert told == ["viridis"]
    layer.reset()
    assert layer.colour_map == "grey"
