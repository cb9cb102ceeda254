"""Numbers before pictures: what the panes of a page show at known places of known patients.

The oracle is the closed form of the phantom, or numpy on its voxels; never another pane.
"""

from __future__ import annotations

import numpy as np
import pytest

from carez_desktop.domain.alignment import Alignment, AlignmentMethod
from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.volume import Volume
from carez_desktop.rendering.annotations import annotate_pane
from carez_desktop.rendering.difference import modality_values
from carez_desktop.rendering.pane_picture import PaneRenderer
from carez_desktop.workspace.arrangement import Arrangement, PaneContent
from carez_desktop.workspace.compare_settings import CompareMode, CompareSettings
from carez_desktop.workspace.display_window import DisplayWindow
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.layouts import layout_of
from carez_desktop.workspace.pane import Pane
from carez_desktop.workspace.plane_basis import Plane, rotation_about
from carez_desktop.workspace.slab import Slab, SlabMode
from carez_desktop.workspace.viewport import Viewport
from tests.builders.analytic_volumes import (
    GEOMETRIES,
    GRADIENT,
    OFFSET,
    analytic_value,
    analytic_volume,
)
from tests.builders.irregular_stacks import tilted_stack
from tests.builders.marked_patients import grid_like

SIZE = (61, 47)
RATIO = 1.5
DEVICE = (round(61 * RATIO), round(47 * RATIO))
PLACE = (3.3, 5.6, 4.7)


def _three_planes(layer: Layer) -> Arrangement:
    arrangement = Arrangement()
    arrangement.hang(layout_of("1+2"), [PaneContent(layer, plane) for plane in Plane])
    for pane in arrangement.panes:
        _viewport(pane).resize(*SIZE)
    return arrangement


def _viewport(pane: Pane) -> Viewport:
    assert pane.viewport is not None
    return pane.viewport


def _points(viewport: Viewport) -> np.ndarray:
    """(rows, columns, 3) LPS mm that the pane names for its device pixels."""
    columns, rows = DEVICE
    return np.array(
        [
            [viewport.pixel_to_lps((x + 0.5) / RATIO, (y + 0.5) / RATIO) for x in range(columns)]
            for y in range(rows)
        ]
    )


def _well_inside(geometry: VolumeGeometry, points: np.ndarray, margin: float = 0.0) -> np.ndarray:
    index = geometry.lps_to_index(points)
    last = np.array(geometry.shape) - 1
    return np.all((index >= margin) & (index <= last - margin), axis=-1)


def _values(pane: Pane) -> np.ndarray:
    values = PaneRenderer(pane).base_values(*DEVICE, RATIO)
    assert values is not None
    return modality_values(values)


@pytest.mark.parametrize("name", GEOMETRIES)
def test_each_pixel_of_each_pane_shows_the_value_of_the_place_it_names(name: str) -> None:
    volume = analytic_volume(name)
    layer = Layer(volume)
    layer.window = DisplayWindow(30.0, 500.0)
    arrangement = _three_planes(layer)
    _viewport(arrangement.panes[0]).cursor_lps = volume.geometry.index_to_lps(PLACE)
    for pane in arrangement.panes:
        points = _points(_viewport(pane))
        inside = _well_inside(volume.geometry, points)
        assert inside.sum() > 300
        expected = analytic_value(points)[inside]
        np.testing.assert_allclose(_values(pane)[inside], expected, atol=2e-3)
        picture = PaneRenderer(pane).picture(*DEVICE, RATIO)
        greys = np.clip((expected + 220.0) / 500.0 * 255.0, 0.0, 255.0)
        for channel in range(3):
            assert np.abs(picture[inside][:, channel] - greys).max() <= 1.0


@pytest.mark.parametrize("name", GEOMETRIES)
def test_the_crosshair_of_every_pane_lies_on_its_place_and_tells_its_value(name: str) -> None:
    volume = analytic_volume(name)
    arrangement = _three_planes(Layer(volume))
    place = volume.geometry.index_to_lps((4.0, 6.0, 5.0))
    _viewport(arrangement.panes[1]).cursor_lps = place
    letters = [("L" if place[0] >= 0 else "R"), ("P" if place[1] >= 0 else "A")]
    letters.append("S" if place[2] >= 0 else "I")
    words = "  ".join(f"{x} {abs(y):.1f}" for x, y in zip(letters, place, strict=True))
    for pane in arrangement.panes:
        viewport = _viewport(pane)
        told = annotate_pane(pane, [_viewport(other) for other in arrangement.panes])
        assert told is not None
        np.testing.assert_allclose(viewport.pixel_to_lps(*told.cursor), place, atol=1e-9)
        assert words in told.bottom_left[0]
        value = float(told.bottom_left[0].split()[0])
        assert value == pytest.approx(float(analytic_value(place)), rel=1e-3)
        # The pixel under the crosshair shows that value, to within half a pixel of slope.
        x, y = (int(part * RATIO) for part in told.cursor)
        slope = np.abs([GRADIENT @ viewport.right, GRADIENT @ viewport.down]).sum()
        reach = slope * viewport.mm_per_pixel / RATIO / 2.0 + 1e-2
        assert _values(pane)[y, x] == pytest.approx(float(analytic_value(place)), abs=reach)


@pytest.mark.parametrize("name", GEOMETRIES)
def test_turned_planes_show_their_own_places_and_their_lines_lie_in_both(name: str) -> None:
    volume = analytic_volume(name)
    layer = Layer(volume)
    arrangement = _three_planes(layer)
    views = [_viewport(pane) for pane in arrangement.panes]
    views[0].cursor_lps = volume.geometry.index_to_lps(PLACE)
    arrangement.group_of(layer).turn_others(views[0], np.radians(28.0))
    arrangement.group_of(layer).turn_others(views[2], np.radians(-17.0))
    by_plane = {view.plane: view for view in views}
    for pane in arrangement.panes:
        viewport = _viewport(pane)
        points = _points(viewport)
        inside = _well_inside(volume.geometry, points)
        assert inside.sum() > 200
        np.testing.assert_allclose(_values(pane)[inside], analytic_value(points)[inside], atol=2e-3)
        told = annotate_pane(pane, views)
        assert told is not None
        assert len(told.lines) == 2
        for line in told.lines:
            normal = by_plane[line.plane].basis.forward
            for end in (line.start, line.stop):
                off = (viewport.pixel_to_lps(*end) - viewport.cursor_lps) @ normal
                assert off == pytest.approx(0.0, abs=1e-6)


def test_tilted_slices_show_the_values_of_their_own_places() -> None:
    stack = tilted_stack()
    layer = Layer(stack.slices[len(stack.slices) // 2], stack=stack)
    arrangement = Arrangement()
    arrangement.hang(layout_of("1x1"), [PaneContent(layer)])
    pane = arrangement.panes[0]
    viewport = _viewport(pane)
    viewport.resize(*SIZE)
    heights = []
    for number in range(len(stack.slices)):
        viewport.go_to_slice(number)
        points = _points(viewport)
        geometry = stack.geometries[viewport.array_index]
        inside = _well_inside(geometry, points)
        assert inside.sum() > 300
        np.testing.assert_allclose(_values(pane)[inside], analytic_value(points)[inside], atol=2e-3)
        heights.append(float(points[0, 0, 2]))
    assert heights == sorted((-20.0 + 3.0 * k for k in range(7)), reverse=True)
    assert "Tilted by 20.1 degrees" in arrangement.show_plane(0, Plane.CORONAL)


# -- two volumes ------------------------------------------------------------------------------

MOVE = np.eye(4)
MOVE[:3, :3] = rotation_about(np.array([0.2, -0.4, 1.0]), np.radians(21.0))
MOVE[:3, 3] = (31.0, -12.5, 8.0)
OTHER_GRADIENT = np.array([-1.0, 2.5, 0.75])


def _linear(geometry: VolumeGeometry, volume_id: str, frame: str, own: np.ndarray) -> Volume:
    """Values of the patient by a (4,) row of slopes and an offset at own LPS mm."""
    points = geometry.index_to_lps(np.moveaxis(np.indices(geometry.shape), 0, -1))
    values = (points @ own[:3] + own[3]).astype(np.float32)
    return Volume(volume_id, values, geometry, "CT", "HU", frame_of_reference_uid=frame)


def _registered_pair(fixed_name: str, moving_name: str) -> tuple[Volume, Volume, Alignment]:
    """The same patient twice; the second lies elsewhere and holds other values, also linear."""
    fixed = _linear(grid_like(fixed_name), "fixed", "F", np.append(GRADIENT, OFFSET))
    grid = grid_like(moving_name)
    there = VolumeGeometry(grid.shape, MOVE @ grid.affine)
    # Slopes in its own mm: the row times the way back to the place in the patient.
    moving = _linear(there, "moving", "G", np.append(OTHER_GRADIENT, 7.0) @ np.linalg.inv(MOVE))
    return fixed, moving, Alignment("fixed", "moving", MOVE, AlignmentMethod.REGISTRATION)


@pytest.mark.parametrize(
    ("fixed_name", "moving_name"),
    [("axial", "axial"), ("axial", "oblique"), ("left_handed", "sagittal")],
)
def test_a_registered_pair_is_compared_at_the_places_of_the_patient(
    fixed_name: str, moving_name: str
) -> None:
    fixed, moving, alignment = _registered_pair(fixed_name, moving_name)
    first, second = Layer(fixed), Layer(moving)
    arrangement = Arrangement(alignments=[alignment])
    contents = [PaneContent(layer, plane) for layer in (first, second) for plane in Plane]
    arrangement.hang(layout_of("3|3"), contents)
    settings = CompareSettings(CompareMode.DIFFERENCE, difference_limit=300.0)
    for index in range(3):
        assert arrangement.compare(index, second, settings) == ""
    for pane in arrangement.panes:
        _viewport(pane).resize(*SIZE)
    place = fixed.geometry.index_to_lps(PLACE)
    _viewport(arrangement.panes[0]).cursor_lps = place
    for pane in arrangement.panes[3:]:
        # What the moving volume shows is the patient at the same place of the fixed space.
        np.testing.assert_allclose(_viewport(pane).cursor_lps, place)
        points = _points(_viewport(pane))
        own = points @ MOVE[:3, :3].T + MOVE[:3, 3]
        inside = _well_inside(moving.geometry, own)
        assert inside.sum() > 200
        expected = points[inside] @ OTHER_GRADIENT + 7.0
        np.testing.assert_allclose(_values(pane)[inside], expected, atol=2e-3)
    compared = 0
    for pane in arrangement.panes[:3]:
        points = _points(_viewport(pane))
        own = points @ MOVE[:3, :3].T + MOVE[:3, 3]
        inside = _well_inside(fixed.geometry, points) & _well_inside(moving.geometry, own)
        found = PaneRenderer(pane).difference_values(*DEVICE, RATIO)
        assert found is not None
        expected = analytic_value(points) - (points @ OTHER_GRADIENT + 7.0)
        np.testing.assert_allclose(found[inside], expected[inside], atol=3e-3)
        outside = ~_well_inside(fixed.geometry, points, -0.51)
        outside |= ~_well_inside(moving.geometry, own, -0.51)
        assert np.isnan(found[outside]).all()
        compared += int(inside.sum())
    assert compared > 300


@pytest.mark.parametrize("plane", list(Plane))
@pytest.mark.parametrize("name", GEOMETRIES)
def test_the_difference_is_the_subtraction_on_the_common_grid(name: str, plane: Plane) -> None:
    random = np.random.default_rng(11)
    volumes = []
    for number in range(2):
        geometry = GEOMETRIES[name]
        array = random.integers(-1000, 2000, geometry.shape).astype(np.int16)
        volumes.append(Volume(str(number), array, geometry, "CT", "HU", frame_of_reference_uid="F"))
    layers = [Layer(volume) for volume in volumes]
    for layer in layers:
        layer.interpolated = False
    arrangement = Arrangement()
    arrangement.hang(layout_of("1x1"), [PaneContent(layers[0], plane)])
    settings = CompareSettings(CompareMode.DIFFERENCE, difference_limit=1000.0, threshold=200.0)
    assert arrangement.compare(0, layers[1], settings) == ""
    viewport = _viewport(arrangement.panes[0])
    viewport.resize(*SIZE)
    renderer = PaneRenderer(arrangement.panes[0])
    found = renderer.difference_values(*DEVICE, RATIO)
    picture = renderer.picture(*DEVICE, RATIO).astype(int)
    assert found is not None
    index = volumes[0].geometry.lps_to_index(_points(viewport))
    clear = np.abs(index - np.floor(index) - 0.5).min(axis=-1) > 0.02
    clear &= _well_inside(volumes[0].geometry, _points(viewport))
    voxel = tuple(np.moveaxis(np.rint(index[clear]).astype(int), -1, 0))
    subtracted = volumes[0].array.astype(np.float64) - volumes[1].array
    expected = subtracted[voxel]
    assert clear.sum() > 300
    np.testing.assert_array_equal(found[clear], expected)
    # More than base is not there (blue), more is (red), within the threshold is neither.
    red, blue = picture[clear][:, 0], picture[clear][:, 2]
    assert (red > blue)[expected > 400].all()
    assert (blue > red)[expected < -400].all()
    assert np.ptp(picture[clear][np.abs(expected) <= 200], axis=0).max() == 0


# -- slabs ------------------------------------------------------------------------------------


@pytest.mark.parametrize("plane", list(Plane))
@pytest.mark.parametrize("name", GEOMETRIES)
def test_a_slab_is_numpy_along_the_axis_of_the_plane(name: str, plane: Plane) -> None:
    random = np.random.default_rng(5)
    geometry = GEOMETRIES[name]
    array = random.integers(-1000, 2000, geometry.shape).astype(np.int16)
    layer = Layer(Volume("1", array, geometry, "CT", "HU"))
    layer.interpolated = False
    arrangement = Arrangement()
    arrangement.hang(layout_of("1x1"), [PaneContent(layer, plane)])
    viewport = _viewport(arrangement.panes[0])
    viewport.resize(*SIZE)
    axis, middle = viewport.basis.grid_axis, viewport.array_index
    points = _points(viewport)
    index = geometry.lps_to_index(points)
    across = np.delete(np.arange(3), axis)
    clear = np.abs(index - np.floor(index) - 0.5)[..., across].min(axis=-1) > 0.02
    clear &= _well_inside(geometry, points)
    voxel = np.rint(index[clear]).astype(int)
    for mode, join in ((SlabMode.MIP, "max"), (SlabMode.MINIP, "min"), (SlabMode.MEAN, "mean")):
        viewport.set_slab(Slab(mode, 4.2 * geometry.spacing_mm[axis]))
        slices = array.take(range(middle - 2, middle + 3), axis=axis).astype(np.float64)
        flat = getattr(slices, join)(axis=axis)
        expected = flat[voxel[:, across[0]], voxel[:, across[1]]]
        found = _values(arrangement.panes[0])[clear]
        assert clear.sum() > 300
        # int16 volumes keep whole values.
        np.testing.assert_allclose(found, expected, atol=0.5 if mode is SlabMode.MEAN else 0.0)


@pytest.mark.parametrize("name", GEOMETRIES)
def test_an_oblique_slab_of_a_slope_is_its_closed_form(name: str) -> None:
    geometry = grid_like(name)
    values = analytic_value(geometry.index_to_lps(np.moveaxis(np.indices(geometry.shape), 0, -1)))
    volume = Volume("1", values.astype(np.float32), geometry, "CT", "HU")
    arrangement = _three_planes(Layer(volume))
    pane = arrangement.panes[0]
    viewport = _viewport(pane)
    viewport.cursor_lps = geometry.centre_lps
    viewport.rotate(rotation_about(np.array([0.3, 1.0, -0.2]), np.radians(19.0)))
    points = _points(viewport)
    thickness = 9.0
    normal = viewport.basis.forward
    # Farther in by what a pixel of the joined planes can reach across.
    inside = np.all(
        [
            _well_inside(geometry, points + normal * side * thickness / 2.0, 3.0)
            for side in (-1.0, 0.0, 1.0)
        ],
        axis=0,
    )
    assert inside.sum() > 300
    slope = abs(float(GRADIENT @ normal))
    plain = analytic_value(points)[inside]
    for mode, sign in ((SlabMode.MIP, 1.0), (SlabMode.MINIP, -1.0), (SlabMode.MEAN, 0.0)):
        viewport.set_slab(Slab(mode, thickness))
        added = (_values(pane)[inside] - plain) * (sign or 1.0)
        # Planes lie a voxel apart: the outermost is less than one short of the surface.
        shortest = slope * (thickness / 2.0 - max(geometry.spacing_mm))
        assert added.max() <= (slope * thickness / 2.0 if sign else 0.0) + 5e-3
        assert added.min() >= (shortest if sign else 0.0) - 5e-3
