"""Voxels that no scanner should write: the panes show what can be shown and nothing fails."""

from __future__ import annotations

import numpy as np
import pytest

from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.volume import Volume
from carez_desktop.rendering.annotations import annotate_pane
from carez_desktop.rendering.joint_histogram import joint_histogram
from carez_desktop.rendering.pane_picture import PaneRenderer
from carez_desktop.workspace.arrangement import Arrangement, PaneContent
from carez_desktop.workspace.compare_settings import CompareMode, CompareSettings
from carez_desktop.workspace.display_window import DisplayWindow
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.layouts import layout_of
from carez_desktop.workspace.pane import Pane
from carez_desktop.workspace.plane_basis import Plane, rotation_about
from carez_desktop.workspace.slab import Slab, SlabMode

SHAPE = (9, 20, 30)
AXES = np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]], dtype=float)
SIZE = (64, 48)
_RANDOM = np.random.default_rng(0)
NOISE = (_RANDOM.normal(size=SHAPE) * 100).astype(np.float32)


def _half_nan() -> np.ndarray:
    array = NOISE.copy()
    array[:, :10] = np.nan
    return array


ODD: dict[str, np.ndarray] = {
    "half NaN": _half_nan(),
    "all NaN": np.full(SHAPE, np.nan, np.float32),
    "some infinite": np.where(np.abs(NOISE) > 100, np.sign(NOISE) * np.inf, NOISE),
    "all infinite": np.full(SHAPE, np.inf, np.float32),
    "constant": np.zeros(SHAPE, np.int16),
    "constant, lowest": np.full(SHAPE, -32768, np.int16),
    "constant float": np.full(SHAPE, 3.3, np.float32),
    "one slice": NOISE[:1],
    "one row": NOISE[:, :1],
    "one voxel": NOISE[:1, :1, :1],
    "beyond float32": NOISE.astype(np.float64) * 1e300,
    "near the end of float32": (NOISE.astype(np.float64) * 1e35).astype(np.float32),
    "below float32": (NOISE.astype(np.float64) * 1e-40).astype(np.float32),
    "uint32": _RANDOM.integers(0, 2**32 - 1, SHAPE).astype(np.uint32),
    "int64": _RANDOM.integers(-(2**60), 2**60, SHAPE),
    "uint16": _RANDOM.integers(0, 65535, SHAPE).astype(np.uint16),
    "bits": NOISE > 0,
}

BLACK = ("all NaN", "constant", "constant, lowest", "one voxel")
"""What may be black in one of the windows."""


def _layer(array: np.ndarray, volume_id: str = "odd", units: str = "arbitrary") -> Layer:
    geometry = VolumeGeometry.from_parts(array.shape, (2.0, 0.7, 0.9), (0, 0, 0), AXES)
    return Layer(Volume(volume_id, array, geometry, "CT", units, frame_of_reference_uid="F"))


def _panes(layer: Layer) -> tuple[Arrangement, tuple[Pane, ...]]:
    arrangement = Arrangement()
    planes = [None] if layer.plane_refusal else list(Plane)
    arrangement.hang(layout_of("1+2"), [PaneContent(layer, plane) for plane in planes])
    panes = tuple(pane for pane in arrangement.panes if pane.viewport is not None)
    for pane in panes:
        assert pane.viewport is not None
        pane.viewport.resize(*SIZE)
    return arrangement, panes


@pytest.mark.parametrize("units", ["HU", "arbitrary"])
@pytest.mark.parametrize("name", ODD)
def test_every_view_of_odd_values_is_a_picture(name: str, units: str) -> None:
    layer, other = _layer(ODD[name], units=units), _layer(NOISE, "other", units)
    assert np.isfinite([layer.window.center, layer.window.width]).all()
    assert layer.window.width > 0
    arrangement, panes = _panes(layer)
    for pane in panes:
        renderer = PaneRenderer(pane)
        assert pane.viewport is not None
        for mode in CompareMode:
            assert arrangement.compare(pane.index, other, CompareSettings(mode)) == ""
            for slab in (Slab(SlabMode.MIP, 5.0), Slab(SlabMode.MEAN, 5.0), Slab()):
                pane.viewport.set_slab(slab)
                assert renderer.picture(*SIZE).shape == (SIZE[1], SIZE[0], 3)
            assert renderer.difference_limit > 0
        if not layer.plane_refusal:
            pane.viewport.rotate(rotation_about(np.array([1.0, 1.0, 0.0]), 0.3))
        for change in (layer.show_full_range, layer.reset, lambda: layer.apply_preset("1")):
            change()
            assert renderer.picture(*SIZE).any() or name in BLACK
        told = annotate_pane(pane)
        assert told is not None
        assert max(len(line) for line in told.bottom_left) < 90
    made = joint_histogram(layer.volume, other.volume, np.eye(4), 16)
    assert np.asarray(made.counts).sum() == made.n


def test_what_is_no_number_is_black_and_the_infinite_ends_are_black_and_white() -> None:
    array = np.zeros(SHAPE, np.float32)
    array[:, :, 10:20] = np.inf
    array[:, :, 20:] = -np.inf
    array[:, 10:] = np.nan
    layer = _layer(array)
    layer.window, layer.interpolated = DisplayWindow(0.0, 2.0), False
    _, panes = _panes(layer)
    picture = PaneRenderer(panes[0]).picture(*SIZE)
    viewport = panes[0].viewport
    assert viewport is not None

    def grey(row: int, column: int) -> int:
        x, y = viewport.lps_to_pixel(layer.volume.geometry.index_to_lps((4, row, column)))
        return int(picture[int(y), int(x), 0])

    assert (grey(5, 15), grey(5, 25), grey(15, 15), grey(15, 5)) == (255, 0, 0, 0)
    assert grey(5, 5) == pytest.approx(128, abs=1)


def test_diffusion_in_square_metres_is_no_constant() -> None:
    # ADC of tissue is 0.7e-3 to 3e-3 mm2/s: 1e-9 m2/s.
    values = np.linspace(0.7e-9, 3e-9, NOISE.size, dtype=np.float32).reshape(SHAPE)
    layer = _layer(values)
    assert layer.window.width == pytest.approx(2.3e-9, rel=0.01)
    _, panes = _panes(layer)
    assert np.ptp(PaneRenderer(panes[1]).picture(*SIZE)) == 255


def test_ten_thousand_frames_scroll_from_end_to_end() -> None:
    array = np.zeros((10_000, 8, 9), np.uint8)
    array[:, 4, 4] = np.arange(10_000) % 251
    layer = _layer(array)
    layer.interpolated = False
    layer.window = DisplayWindow(127.5, 255.0)
    _, panes = _panes(layer)
    viewport = panes[0].viewport
    assert viewport is not None
    renderer = PaneRenderer(panes[0])
    for number in (0, 1, 4_999, 9_998, 9_999, 50_000):
        viewport.go_to_slice(number)
        assert viewport.slice_count == 10_000
        assert renderer.picture(*SIZE).max() == viewport.array_index % 251
