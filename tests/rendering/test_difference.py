"""The difference: the subtraction of two volumes on the pixels of one plane, and its scale."""

from __future__ import annotations

import numpy as np
import pytest

from carez_desktop.domain.alignment import Alignment, AlignmentMethod
from carez_desktop.rendering.colour_maps import COLOUR_MAPS, SIGNED_MIDDLE
from carez_desktop.rendering.common_samples import pair_limit
from carez_desktop.rendering.difference import (
    automatic_limit,
    difference_picture,
    difference_refusal,
    difference_values,
)
from carez_desktop.rendering.pane_picture import PaneRenderer
from carez_desktop.rendering.pixels import rgb_of_pixels
from carez_desktop.rendering.slice_pipeline import INT16_OUTSIDE
from carez_desktop.workspace.arrangement import Arrangement
from carez_desktop.workspace.compare_settings import CompareMode, CompareSettings
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.plane_basis import Plane, rotation_about
from tests.builders.analytic_volumes import GEOMETRIES
from tests.builders.placed_layers import layer_of, registered_pair


@pytest.mark.parametrize("name", GEOMETRIES)
@pytest.mark.parametrize("plane", list(Plane))
@pytest.mark.parametrize("turn", [0.0, 0.35])
def test_a_registered_difference_is_the_subtraction_at_each_point(name, plane, turn) -> None:
    pair = registered_pair(name)
    arrangement = Arrangement()
    fixed, moving = Layer(pair.fixed), Layer(pair.moving)
    arrangement.show(0, fixed, plane)
    arrangement.open(moving)
    arrangement.align(Alignment("fixed", "moving", pair.matrix, AlignmentMethod.REGISTRATION))
    assert arrangement.compare(0, moving, CompareSettings(CompareMode.DIFFERENCE)) == ""
    pane = arrangement.panes[0]
    pane.viewport.resize(48, 40)
    pane.viewport.rotate(rotation_about(np.array([0.4, 1.0, -0.3]), turn))
    pane.viewport.show(pair.fixed.geometry.centre_lps, 0.35)
    values = PaneRenderer(pane).difference_values(96, 80, 2.0)
    x, y = np.meshgrid((np.arange(96) + 0.5) / 2.0, (np.arange(80) + 0.5) / 2.0)
    points = np.array(
        [pane.viewport.pixel_to_lps(a, b) for a, b in zip(x.ravel(), y.ravel(), strict=True)]
    )
    expected = (pair.fixed_value(points) - pair.moving_value(points)).reshape(80, 96)
    index = pair.fixed.geometry.lps_to_index(points)
    own = points @ pair.matrix[:3, :3].T + pair.matrix[:3, 3]
    other = pair.moving.geometry.lps_to_index(own)
    well_inside = np.ones(80 * 96, bool)
    outside = np.zeros(80 * 96, bool)
    for place, volume in ((index, pair.fixed), (other, pair.moving)):
        last = np.array(volume.geometry.shape) - 1
        well_inside &= np.all((place >= 0) & (place <= last), axis=1)
        outside |= np.any((place < -0.51) | (place > last + 0.51), axis=1)
    well_inside, outside = well_inside.reshape(80, 96), outside.reshape(80, 96)
    assert well_inside.sum() > 800
    np.testing.assert_allclose(values[well_inside], expected[well_inside], atol=2e-2)
    assert np.all(np.isnan(values[outside]))


def test_difference_of_int16_and_float_keeps_no_outside_and_no_padding() -> None:
    base = np.array([[100, INT16_OUTSIDE, -2000, 5]], np.int16)
    second = np.array([[30.5, 1.0, 1.0, np.nan]], np.float32)
    values = difference_values(base, second, base_padding=-2000.0)
    np.testing.assert_array_equal(values, [[69.5, np.nan, np.nan, np.nan]])
    back = difference_values(second, base, second_padding=-2000.0)
    np.testing.assert_array_equal(back, -values)
    # 32767 - -32767 does not fit int16.
    wide = difference_values(np.array([[32767]], np.int16), np.array([[-32767]], np.int16))
    assert wide[0, 0] == 65534.0


@pytest.mark.parametrize("limit", [10.0, 250.0, 0.02])
def test_a_signed_picture_takes_its_colours_from_the_scale(limit: float) -> None:
    values = np.linspace(-1.5 * limit, 1.5 * limit, 400, dtype=np.float32).reshape(20, 20)
    values[3, 3] = np.nan
    threshold = 0.2 * limit
    made = difference_picture(values, limit, threshold)
    table = COLOUR_MAPS["blue_white_red"]
    for value, pixel in zip(values.ravel(), rgb_of_pixels(made).reshape(-1, 3), strict=True):
        if np.isnan(value):
            assert pixel.tolist() == [0, 0, 0]
            continue
        share = 0.0 if abs(value) <= np.float32(threshold) else float(value) / limit
        entry = SIGNED_MIDDLE + 127.0 * np.clip(share, -1.0, 1.0)
        near = {int(np.floor(entry + 0.499)), int(np.floor(entry + 0.501))}
        assert pixel.tolist() in [table[place].tolist() for place in near], value
    assert made[3, 3] == 0
    red, blue = rgb_of_pixels(made)[-1, -1].astype(int), rgb_of_pixels(made)[0, 0].astype(int)
    assert red[0] > red[2] + 50  # more in the base: red
    assert blue[2] > blue[0] + 50


def test_endless_and_equal_values_have_a_picture() -> None:
    strange = np.array([[np.inf, -np.inf, np.nan, 3e38, -3e38, 0.0]], np.float32)
    made = difference_picture(strange, 1e-30)
    assert made[0, 2] == 0
    assert rgb_of_pixels(made)[0, 0].tolist() == COLOUR_MAPS["blue_white_red"][255].tolist()
    assert automatic_limit(strange * np.nan) == 1.0
    assert automatic_limit(np.zeros((5, 5), np.float32)) == 1.0
    same = np.full((1, 2), np.inf, np.float32)
    assert np.all(np.isnan(difference_values(same, same)))


def test_the_automatic_limit_is_the_percentile_of_numpy() -> None:
    values = np.random.default_rng(1).normal(0.0, 40.0, (300, 200)).astype(np.float32)
    values[:50] = np.nan
    expected = np.nanpercentile(np.abs(values), 99.5)
    assert automatic_limit(values) == pytest.approx(expected, rel=1e-6)


def test_the_limit_of_a_pair_stays_while_slices_change() -> None:
    geometry = GEOMETRIES["axial"]
    cells = np.zeros(geometry.shape, np.int16)
    shifted = cells.copy()
    shifted[7:] = 60
    first, second = layer_of(cells, geometry), layer_of(shifted, geometry)
    assert pair_limit(first.volume, second.volume, np.eye(4)) == 60.0
    arrangement = Arrangement()
    arrangement.show(0, first, Plane.AXIAL)
    arrangement.compare(0, second, CompareSettings(CompareMode.DIFFERENCE))
    pane = arrangement.panes[0]
    renderer = PaneRenderer(pane)
    for number in range(9):
        pane.viewport.go_to_slice(number)
        assert renderer.difference_limit == 60.0
    pane.set_settings(CompareSettings(CompareMode.DIFFERENCE, difference_limit=12.0))
    assert renderer.difference_limit == 12.0


def test_what_cannot_be_subtracted_is_said_in_words() -> None:
    geometry = GEOMETRIES["axial"]
    cells = np.zeros(geometry.shape, np.float32)
    hounsfield, uptake = layer_of(cells, geometry), layer_of(cells, geometry, units="SUVbw")
    labels = layer_of(cells, geometry, units="label")
    colours = layer_of(np.zeros((*geometry.shape, 3), np.uint8), geometry, units="rgb")
    assert difference_refusal(hounsfield, hounsfield) == ""
    assert "HU" in difference_refusal(hounsfield, uptake)
    assert "names of structures" in difference_refusal(labels, labels)
    assert "colours" in difference_refusal(hounsfield, colours)
    arrangement = Arrangement()
    arrangement.show(0, hounsfield, Plane.AXIAL)
    arrangement.compare(0, uptake, CompareSettings(CompareMode.DIFFERENCE))
    renderer = PaneRenderer(arrangement.panes[0])
    assert "SUVbw" in renderer.refusal
    assert renderer.difference_values(20, 20) is None
    # The base alone stays on screen.
    assert renderer.picture(20, 20).shape == (20, 20, 3)
    arrangement.panes[0].set_settings(CompareSettings(CompareMode.SWIPE))
    assert renderer.refusal == ""
