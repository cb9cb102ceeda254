"""Line profiles against the functions that fill the volumes, and against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from carez_desktop.rendering.line_profile import profile
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.pane import PlacedLayer
from tests.builders.analytic_volumes import GEOMETRIES
from tests.builders.placed_layers import layer_of, registered_pair


@pytest.mark.parametrize("name", GEOMETRIES)
def test_values_of_two_registered_volumes_along_a_line(name: str) -> None:
    pair = registered_pair(name)
    layers = [
        PlacedLayer(Layer(pair.fixed), np.eye(4)),
        PlacedLayer(Layer(pair.moving), pair.matrix),
    ]
    centre = pair.fixed.geometry.centre_lps
    for way in ((3.0, 1.5, -2.0), (4.0, 0.0, 0.0), (0.0, 0.0, 3.0)):
        start, stop = centre - way, centre + np.array(way)
        made = profile(layers, start, stop, 0.3)
        length = 2.0 * np.linalg.norm(way)
        assert made.distances_mm[0] == 0.0
        assert made.distances_mm[-1] == pytest.approx(length)
        steps = np.diff(made.distances_mm)
        assert np.all(steps <= 0.3 + 1e-9)
        np.testing.assert_allclose(steps, steps[0])
        points = start + np.outer(made.distances_mm / length, stop - start)
        np.testing.assert_allclose(made.values[0], pair.fixed_value(points), atol=2e-2)
        np.testing.assert_allclose(made.values[1], pair.moving_value(points), atol=2e-2)


def test_outside_is_nan_and_padding_is_not_a_value() -> None:
    geometry = GEOMETRIES["oblique_left_handed"]
    cells = np.random.default_rng(3).normal(0, 100, geometry.shape).astype(np.float32)
    layer = layer_of(cells, geometry)
    start, stop = geometry.index_to_lps((-4, 6, 8)), geometry.index_to_lps((12, 6, 8))
    made = profile([PlacedLayer(layer, np.eye(4))], start, stop, 0.5).values[0]
    place = np.linspace(-4, 12, made.size)
    expected = map_coordinates(cells[:, 6, 8], [place], order=1, cval=np.nan)
    inside = (place >= 0) & (place <= 9)
    np.testing.assert_allclose(made[inside], expected[inside], atol=0.1)
    assert np.all(np.isnan(made[(place < -0.51) | (place > 9.51)]))


def test_labels_are_not_interpolated_and_a_point_has_one_value() -> None:
    geometry = GEOMETRIES["axial"]
    cells = np.zeros(geometry.shape, np.uint8)
    cells[5:] = 4
    placed = PlacedLayer(layer_of(cells, geometry, units="label"), np.eye(4))
    start, stop = geometry.index_to_lps((0, 3, 3)), geometry.index_to_lps((8, 3, 3))
    assert set(profile([placed], start, stop, 0.2).values[0].tolist()) == {0.0, 4.0}
    point = profile([placed], stop, stop, 1.0)
    assert point.distances_mm.tolist() == [0.0]
    assert point.values[0].tolist() == [4.0]


def test_what_has_no_profile_is_refused() -> None:
    geometry = GEOMETRIES["axial"]
    colours = layer_of(np.zeros((*geometry.shape, 3), np.uint8), geometry, units="rgb")
    with pytest.raises(ValueError, match="no values"):
        profile([PlacedLayer(colours, np.eye(4))], np.zeros(3), np.ones(3), 1.0)
    with pytest.raises(ValueError, match="above 0 mm"):
        profile([], np.zeros(3), np.ones(3), 0.0)
    endless = profile([], np.zeros(3), np.array([1e6, 0, 0]), 0.01)
    assert endless.distances_mm.size == 20_000
