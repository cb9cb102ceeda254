"""Colours, irregular stacks and graphics under the pixels of a pane."""

from __future__ import annotations

import numpy as np
import pytest

from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.intensity import OverlayPlane, RealWorldMap
from carez_desktop.domain.volume import SliceAxis, Volume
from carez_desktop.rendering.annotations import annotate
from carez_desktop.rendering.corner_texts import value_text
from carez_desktop.rendering.overlay_mask import overlay_mask
from carez_desktop.rendering.slice_pipeline import SliceSampler, StackSampler
from carez_desktop.workspace.arrangement import Arrangement
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.plane_basis import Plane
from carez_desktop.workspace.viewport import Viewport
from tests.builders.analytic_volumes import GEOMETRIES, analytic_value
from tests.builders.irregular_stacks import tilted_stack

IMAGE = VolumeGeometry.from_parts(
    (1, 30, 40), (1.0, 0.8, 0.4), (0, 0, 0), [[0, 0, 1], [0, 1, 0], [1, 0, 0]]
)


def _pane(geometry: VolumeGeometry, size: tuple[int, int]) -> Viewport:
    viewport = Viewport(Plane.AXIAL, geometry)
    viewport.resize(*size)
    return viewport


@pytest.mark.parametrize("name", GEOMETRIES)
@pytest.mark.parametrize("plane", list(Plane))
def test_colours_under_a_pixel_are_those_of_the_voxel(name: str, plane: Plane) -> None:
    geometry = GEOMETRIES[name]
    random = np.random.default_rng(3)
    array = random.integers(0, 256, (*geometry.shape, 3)).astype(np.uint8)
    volume = Volume("1", array, geometry, "US", "rgb")
    viewport = Viewport(plane, geometry)
    viewport.resize(41, 37)
    shown = SliceSampler(volume).sample(viewport.pixel_grid(), 41, 37, interpolated=False)
    assert shown.shape == (37, 41, 3)
    checked = 0
    for x in range(0, 41, 3):
        for y in range(0, 37, 3):
            index = geometry.lps_to_index(viewport.pixel_to_lps(x + 0.5, y + 0.5))
            nearest = np.rint(index).astype(int)
            if np.abs(index - np.floor(index) - 0.5).min() < 0.02:
                continue
            if np.all(nearest >= 0) and np.all(nearest < geometry.shape):
                assert shown[y, x].tolist() == array[tuple(nearest)].tolist()
                checked += 1
    assert checked > 20


def _viewport_of(layer: Layer) -> Viewport:
    arrangement = Arrangement()
    arrangement.show(0, layer)
    viewport = arrangement.panes[0].viewport
    assert viewport is not None
    return viewport


def test_non_square_pixels_keep_their_shape() -> None:
    viewport = _pane(IMAGE, (160, 240))
    left, top = viewport.lps_to_pixel(IMAGE.index_to_lps([0, -0.5, -0.5]))
    right, bottom = viewport.lps_to_pixel(IMAGE.index_to_lps([0, 29.5, 39.5]))
    # 40 columns of 0.4 mm are 16 mm, 30 rows of 0.8 mm are 24 mm.
    assert (bottom - top) / (right - left) == pytest.approx(24 / 16)


def test_a_slice_of_a_tilted_stack_shows_the_values_at_its_own_place() -> None:
    stack = tilted_stack()
    viewport = _viewport_of(Layer(stack.slices[0], stack=stack))
    viewport.resize(60, 50)
    sampler = StackSampler(stack.slices)
    for number in range(viewport.slice_count):
        viewport.go_to_slice(number)
        values = sampler.at(viewport.array_index).sample(viewport.pixel_grid(), 60, 50)
        for x, y in ((20, 20), (35, 30), (30, 18)):
            point = viewport.pixel_to_lps(x + 0.5, y + 0.5)
            assert values[y, x] == pytest.approx(float(analytic_value(point)), abs=2e-2)


@pytest.mark.parametrize("flips", [(False, False), (True, False), (False, True)])
def test_graphics_lie_on_their_pixels(flips: tuple[bool, bool]) -> None:
    bits = np.zeros((10, 12), np.bool_)
    bits[2, 3] = bits[7, 9] = True
    overlay = OverlayPlane(0, (5, -2), bits)
    viewport = _pane(IMAGE, (320, 480))
    viewport.set_flips(*flips)
    mask = overlay_mask([overlay], IMAGE, viewport.pixel_grid(), 320, 480)
    for row, column in ((7, 1), (12, 7)):
        x, y = viewport.lps_to_pixel(IMAGE.index_to_lps([0, row, column]))
        assert mask[int(y), int(x)]
    # Each of the two image pixels is 7.8 x 15.7 pixels of the pane.
    assert mask.sum() == pytest.approx(2 * (320 / 1.02 / 40) * (480 / 1.02 / 30), rel=0.1)


def test_a_thin_line_stays_whole_when_the_picture_is_small() -> None:
    bits = np.zeros((30, 40), np.bool_)
    bits[:, 17] = True
    viewport = _pane(IMAGE, (9, 13))
    mask = overlay_mask([OverlayPlane(0, (0, 0), bits)], IMAGE, viewport.pixel_grid(), 9, 13)
    assert mask.any(axis=1).sum() >= 12


def test_the_probe_says_colours_mapped_quantities_and_what_was_not_imaged() -> None:
    centre = IMAGE.centre_lps
    colour = np.zeros((1, 30, 40, 3), np.uint8) + np.array([1, 2, 3], np.uint8)
    assert value_text(Volume("1", colour, IMAGE, "US", "rgb"), centre) == "R 1  G 2  B 3"
    array = np.full((1, 30, 40), 100, np.int16)
    adc = RealWorldMap(1e-6, 0.0, 0, 4095, "mm2/s", "ADC")
    volume = Volume("1", array, IMAGE, "MR", "arbitrary", real_world_maps=(adc,))
    assert value_text(volume, centre) == "100 = 0.0001 mm2/s ADC"
    narrow = RealWorldMap(2.0, 0.0, 0, 50, "mm2/s")
    outside = Volume("1", array, IMAGE, "MR", "arbitrary", real_world_maps=(narrow,))
    assert value_text(outside, centre) == "100"
    padded = Volume("1", array, IMAGE, "CT", "HU", padding_value=100.0)
    assert value_text(padded, centre) == "not imaged"


def test_an_image_without_place_and_scale_claims_neither() -> None:
    array = np.zeros((1, 30, 40), np.int16)
    layer = Layer(Volume("1", array, IMAGE, "US", "arbitrary"), positioned=False, calibrated=False)
    note = annotate(_viewport_of(layer), layer)
    assert (note.letters, note.ruler, note.lines) == (None, None, ())
    assert "no scale" in note.bottom_right
    assert any("column" in line for line in note.bottom_left)


def test_a_cine_counts_frames_in_their_order_and_tells_the_time() -> None:
    geometry = VolumeGeometry((5, 30, 40), np.array(IMAGE.affine) @ np.diag([1.0, 1.0, 1.0, 1.0]))
    volume = Volume(
        "1",
        np.zeros((5, 30, 40), np.int16),
        geometry,
        "US",
        "arbitrary",
        slice_axis=SliceAxis.TIME,
        frame_times_ms=(0.0, 40.0, 80.0, 120.0, 160.0),
    )
    layer = Layer(volume, positioned=False)
    viewport = _viewport_of(layer)
    viewport.go_to_slice(0)
    assert viewport.array_index == 0
    viewport.scroll(3)
    assert viewport.array_index == 3
    assert annotate(viewport, layer).bottom_right[-1] == "0.12 s   frame 4 / 5"
