"""The picture of a whole pane: values under pixels, comparing, overlays, and what is kept."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest

from carez_desktop.domain.alignment import Alignment, AlignmentMethod
from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.intensity import OverlayPlane
from carez_desktop.domain.volume import Volume
from carez_desktop.rendering.display_values import grey_levels
from carez_desktop.rendering.label_overlay import label_colour
from carez_desktop.rendering.pane_picture import PaneRenderer
from carez_desktop.rendering.pixels import rgb_of_pixels
from carez_desktop.rendering.slice_pipeline import SliceSampler
from carez_desktop.workspace.arrangement import Arrangement
from carez_desktop.workspace.compare_settings import CompareMode, CompareSettings
from carez_desktop.workspace.display_window import DisplayWindow
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.pane import Pane
from carez_desktop.workspace.plane_basis import Plane
from carez_desktop.workspace.slab import Slab, SlabMode
from tests.builders.analytic_volumes import GEOMETRIES, analytic_volume
from tests.builders.placed_layers import layer_of, registered_pair


def pane_of(layer: Layer, plane: Plane | None = Plane.AXIAL) -> tuple[Arrangement, Pane]:
    arrangement = Arrangement()
    arrangement.show(0, layer, plane)
    pane = arrangement.panes[0]
    pane.viewport.resize(40, 30)
    return arrangement, pane


def flat_layers(*levels: int, frame: str = "1.2") -> list[Layer]:
    geometry = GEOMETRIES["axial"]
    made = []
    for place, level in enumerate(levels):
        volume = Volume(
            str(place), np.full(geometry.shape, level, np.int16), geometry, "CT", "HU",
            frame_of_reference_uid=frame,
        )  # fmt: skip
        made.append(Layer(volume))
        made[-1].window = DisplayWindow(127.5, 255.0)
    return made


def test_an_empty_pane_is_black() -> None:
    renderer = PaneRenderer(Pane(0))
    picture = renderer.picture(6, 4)
    assert picture.shape == (4, 6, 3)
    assert not picture.any()
    assert renderer.refusal == ""
    assert renderer.base_values(6, 4) is None
    assert renderer.difference_values(6, 4) is None
    assert renderer.graphics(6, 4) is None


@pytest.mark.parametrize("name", GEOMETRIES)
@pytest.mark.parametrize("ratio", [1.0, 1.5, 2.0])
@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_a_plain_pane_is_the_windowed_plane(name: str, ratio: float, dtype: type) -> None:
    layer = Layer(analytic_volume(name, dtype=dtype))
    _, pane = pane_of(layer, Plane.SAGITTAL)
    width, height = round(40 * ratio), round(30 * ratio)
    renderer = PaneRenderer(pane)
    values = SliceSampler(layer.volume).sample(pane.viewport.pixel_grid(ratio), width, height)
    grey = grey_levels(values, layer.window)
    picture = renderer.picture(width, height, ratio)
    np.testing.assert_array_equal(picture, np.repeat(grey[..., None], 3, axis=2))
    np.testing.assert_array_equal(renderer.base_values(width, height, ratio), values)
    assert np.all(renderer.pixels(width, height, ratio) >> 24 == 255)


def test_every_mode_shows_what_its_settings_say() -> None:
    first, second = flat_layers(50, 200)
    arrangement, pane = pane_of(first)
    arrangement.set_link("links_window", False)
    pane.viewport.show(first.volume.geometry.centre_lps, 0.3)
    renderer = PaneRenderer(pane)

    def shown(**settings) -> np.ndarray:
        assert arrangement.compare(0, second, CompareSettings(**settings)) == ""
        return renderer.picture(40, 30)[..., 0]

    assert np.all(shown(mode=CompareMode.NONE) == 50)
    swipe = shown(mode=CompareMode.SWIPE, curtain=0.3)
    assert np.all(swipe[:, :12] == 50)
    assert np.all(swipe[:, 12:] == 200)
    assert np.all(shown(mode=CompareMode.FLICKER) == 50)
    assert np.all(shown(mode=CompareMode.FLICKER, shows_second=True) == 200)
    assert np.all(np.abs(shown(mode=CompareMode.BLEND, opacity=0.4) - 110.0) <= 1.0)
    board = shown(mode=CompareMode.CHECKERBOARD, tile_mm=2.0)
    assert set(np.unique(board)) == {50, 200}
    assert 0.3 < (board == 200).mean() < 0.7
    difference = shown(mode=CompareMode.DIFFERENCE, difference_limit=150.0)
    assert np.all(difference == 5)  # -150 of 150: the blue end (5, 48, 97)
    assert np.all(renderer.difference_values(40, 30) == -150.0)
    hidden = shown(mode=CompareMode.DIFFERENCE, difference_limit=150.0, threshold=150.0)
    assert np.all(hidden == 247)


@pytest.mark.parametrize("name", GEOMETRIES)
def test_a_registered_second_layer_lies_at_its_place(name: str) -> None:
    pair = registered_pair(name)
    fixed, moving = Layer(pair.fixed), Layer(pair.moving)
    arrangement, pane = pane_of(fixed, Plane.CORONAL)
    arrangement.open(moving)
    arrangement.align(Alignment("fixed", "moving", pair.matrix, AlignmentMethod.REGISTRATION))
    settings = CompareSettings(CompareMode.FLICKER, shows_second=True)
    assert arrangement.compare(0, moving, settings) == ""
    moving.window = DisplayWindow(0.0, 400.0)
    pane.viewport.show(pair.fixed.geometry.centre_lps, 0.1)
    picture = PaneRenderer(pane).picture(40, 30)[..., 0].astype(float)
    for row, column in ((0, 0), (29, 39), (11, 7), (20, 33)):
        point = pane.viewport.pixel_to_lps(column + 0.5, row + 0.5)
        value = float(pair.moving_value(point))
        level = np.clip((value / 400.0 + 0.5) * 255.0, 0.0, 255.0)
        assert picture[row, column] == pytest.approx(level, abs=0.6)


def test_labels_and_fusion_lie_over_the_base() -> None:
    (base,) = flat_layers(100)
    geometry = base.volume.geometry
    cells = np.zeros(geometry.shape, np.uint8)
    cells[:, :, 9:] = 3
    labels = layer_of(cells, geometry, units="label")
    uptake = layer_of(np.full(geometry.shape, 4.0, np.float32), geometry, units="SUVbw")
    uptake.window, uptake.colour_map = DisplayWindow(2.5, 5.0), "hot_iron"
    arrangement, pane = pane_of(base)
    pane.viewport.show(geometry.centre_lps, 0.3)
    renderer = PaneRenderer(pane)
    assert arrangement.lay_over(0, labels, opacity=0.5, outlined=False) == ""
    picture = renderer.picture(40, 30).astype(float)
    expected = 50.0 + 0.5 * np.array(label_colour(3))
    assert np.abs(picture[15, 39] - expected).max() <= 1.0
    assert picture[15, 0].tolist() == [100, 100, 100]
    assert set(map(tuple, picture.reshape(-1, 3).tolist())) == {
        tuple(picture[15, 0]), tuple(picture[15, 39]),
    }  # fmt: skip
    arrangement.lay_over(0, labels, opacity=1.0, outlined=True)
    for ratio, wide in ((1.0, 2), (2.0, 4)):
        outline = renderer.picture(round(40 * ratio), round(30 * ratio), ratio)
        line = np.all(outline == label_colour(3), axis=2).sum(axis=1)
        assert np.all(line == wide // 2)
    pane.set_overlays([])
    arrangement.lay_over(0, uptake, opacity=0.25, outlined=False)
    fused = renderer.picture(40, 30)[15, 20].astype(float)
    entry = np.array([255.0, 2 * (204 - 128), 4 * (204 - 191)])
    assert np.abs(fused - (75.0 + 0.25 * entry)).max() <= 1.0


def test_a_label_map_alone_has_its_colours() -> None:
    geometry = GEOMETRIES["axial"]
    labels = layer_of(np.full(geometry.shape, 2, np.uint8), geometry, units="label")
    _, pane = pane_of(labels)
    assert tuple(PaneRenderer(pane).picture(40, 30)[15, 20]) == label_colour(2)


def test_a_slab_of_the_viewport_is_shown() -> None:
    geometry = GEOMETRIES["axial"]
    cells = np.zeros(geometry.shape, np.int16)
    cells[6] = 200
    layer = layer_of(cells, geometry)
    layer.window = DisplayWindow(127.5, 255.0)
    _, pane = pane_of(layer)
    renderer = PaneRenderer(pane)
    pane.viewport.cursor_lps = geometry.index_to_lps((4, 7, 8))
    assert renderer.picture(40, 30)[15, 20, 0] == 0
    pane.viewport.set_slab(Slab(SlabMode.MIP, 4.0 * geometry.spacing_mm[0]))
    assert renderer.picture(40, 30)[15, 20, 0] == 200


def test_nothing_is_sampled_or_painted_twice(monkeypatch) -> None:
    first, second = flat_layers(50, 200)
    arrangement, pane = pane_of(first)
    arrangement.set_link("links_window", False)
    arrangement.compare(0, second, CompareSettings(CompareMode.SWIPE))
    renderer = PaneRenderer(pane)
    calls = []
    plain = SliceSampler.sample

    def counted(self, *args, **options):
        calls.append(self)
        return plain(self, *args, **options)

    monkeypatch.setattr(SliceSampler, "sample", counted)
    renderer.pixels(40, 30)
    assert len(calls) == 2
    pane.set_settings(CompareSettings(CompareMode.SWIPE, curtain=0.1))
    first.window = DisplayWindow(10.0, 20.0)
    pane.set_settings(CompareSettings(CompareMode.DIFFERENCE, difference_limit=9.0))
    renderer.pixels(40, 30)
    assert len(calls) == 2
    pane.viewport.scroll(1)
    renderer.pixels(40, 30)
    assert len(calls) == 4
    made = renderer.pixels(40, 30)
    made[:] = 0  # Who paints may write into what it got.
    assert renderer.pixels(40, 30).any()


def test_difference_follows_slices_and_layers() -> None:
    geometry = GEOMETRIES["axial"]
    rising = np.arange(9, dtype=np.int16)[:, None, None] * np.ones((1, 14, 17), np.int16)
    zero = layer_of(np.zeros(geometry.shape, np.int16), geometry)
    arrangement, pane = pane_of(layer_of(rising, geometry))
    arrangement.compare(0, zero, CompareSettings(CompareMode.DIFFERENCE))
    renderer = PaneRenderer(pane)
    for number in (0, 3, 7):
        pane.viewport.cursor_lps = geometry.index_to_lps((number, 7, 8))
        assert renderer.difference_values(40, 30)[15, 20] == number
    (other,) = flat_layers(5)
    arrangement.compare(0, other, replace(pane.settings))
    assert renderer.difference_values(40, 30)[15, 20] == 2.0


def test_layers_are_let_go_when_the_pane_shows_others() -> None:
    arrangement, pane = pane_of(Layer(analytic_volume("axial", dtype=np.float64)))
    renderer = PaneRenderer(pane)
    renderer.pixels(40, 30)
    ghost = weakref.ref(pane.base.layer.volume)
    arrangement.close_all()
    renderer.pixels(40, 30)
    gc.collect()
    assert ghost() is None


def test_graphics_of_the_source_are_given_on_acquired_slices_only() -> None:
    geometry = GEOMETRIES["axial"]
    bits = np.zeros(geometry.shape[1:], bool)
    bits[4, 5] = True
    volume = Volume(
        "1", np.zeros(geometry.shape, np.int16), geometry, "CT", "HU",
        overlays=(OverlayPlane(3, (0, 0), bits),),
    )  # fmt: skip
    _, pane = pane_of(Layer(volume))
    renderer = PaneRenderer(pane)
    assert renderer.graphics(40, 30) is None
    pane.viewport.cursor_lps = geometry.index_to_lps((3, 0, 0))
    mask = renderer.graphics(40, 30)
    x, y = pane.viewport.lps_to_pixel(geometry.index_to_lps((3, 4, 5)))
    assert mask[int(y), int(x)]
    assert mask.sum() < 20


def test_strange_volumes_have_a_picture() -> None:
    geometry = VolumeGeometry.from_parts((1, 5, 6), (1, 1, 1), (0, 0, 0), np.eye(3)[[2, 1, 0]].T)
    cells = np.zeros(geometry.shape, np.float32)
    cells[0, 1], cells[0, 2], cells[0, 3] = np.nan, np.inf, -np.inf
    for array in (cells, cells * np.nan, np.full(geometry.shape, 7, np.uint16)):
        with np.errstate(invalid="ignore"):
            layers = [layer_of(array.copy(), geometry), layer_of(array.copy(), geometry)]
        arrangement, pane = pane_of(layers[0], None)
        renderer = PaneRenderer(pane)
        for mode in CompareMode:
            arrangement.compare(0, layers[1], CompareSettings(mode))
            for size in ((40, 30), (3, 2), (1, 1)):
                pane.viewport.resize(*size)
                assert rgb_of_pixels(renderer.pixels(*size)).shape == (size[1], size[0], 3)
            assert renderer.difference_limit > 0.0
