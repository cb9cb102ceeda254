"""Windows from a region: the voxels of a rectangle against numpy's slice of the array."""

from __future__ import annotations

import numpy as np

from carez_desktop.domain.volume import Volume
from carez_desktop.rendering.region_window import region_values, window_of_values
from carez_desktop.workspace.arrangement import Arrangement, PaneContent
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.layouts import layout_of
from carez_desktop.workspace.pane import Pane
from carez_desktop.workspace.plane_basis import Plane
from tests.builders.analytic_volumes import GEOMETRIES


def _pane(padding: float | None = None) -> tuple[Pane, np.ndarray]:
    geometry = GEOMETRIES["axial"]
    array = np.arange(np.prod(geometry.shape), dtype=np.int16).reshape(geometry.shape)
    volume = Volume("1", array, geometry, "CT", "HU", padding_value=padding)
    arrangement = Arrangement()
    arrangement.hang(layout_of("1x1"), [PaneContent(Layer(volume), Plane.AXIAL)])
    return arrangement.panes[0], array


def _rectangle(pane: Pane, first: tuple[int, int], last: tuple[int, int]) -> tuple[float, ...]:
    """Logical pixels of the outer edges of voxels (row, column)."""
    assert pane.viewport is not None
    index = pane.viewport.array_index
    lps = pane.viewport.geometry.index_to_lps
    start = pane.viewport.lps_to_pixel(lps((index, first[0] - 0.5, first[1] - 0.5)))
    stop = pane.viewport.lps_to_pixel(lps((index, last[0] + 0.5, last[1] + 0.5)))
    return (*start, *stop)


def test_values_are_those_of_the_voxels_in_the_rectangle() -> None:
    pane, array = _pane()
    assert pane.base is not None
    assert pane.viewport is not None
    found = region_values(pane, pane.base, _rectangle(pane, (3, 4), (8, 11)))
    block = array[pane.viewport.array_index, 3:9, 4:12]
    assert set(np.unique(found)) == set(block.reshape(-1).astype(np.float32))
    window = window_of_values(found, 0.0, 100.0)
    assert window is not None
    assert (window.low, window.high) == (block.min(), block.max())


def test_padding_and_the_outside_are_left_out() -> None:
    pane, array = _pane()
    assert pane.viewport is not None
    inside = int(array[pane.viewport.array_index, 5, 5])
    pane, _ = _pane(padding=float(inside))
    assert pane.base is not None
    assert inside not in region_values(pane, pane.base, _rectangle(pane, (4, 4), (6, 6)))
    outside = region_values(pane, pane.base, (-500.0, -500.0, -400.0, -400.0))
    assert outside.size == 0
    assert window_of_values(outside) is None


def test_a_very_large_rectangle_is_sampled_coarsely() -> None:
    pane, _ = _pane()
    assert pane.base is not None
    assert pane.viewport is not None
    pane.viewport.resize(4000, 4000)
    found = region_values(pane, pane.base, (0.0, 0.0, 4000.0, 4000.0))
    assert 0 < found.size <= 512 * 512
