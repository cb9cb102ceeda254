"""Swipe, checkerboard, blend and flicker, pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest

from carez_desktop.rendering.compose import compose, second_squares
from carez_desktop.rendering.pixels import rgb_of_pixels
from carez_desktop.workspace.compare_settings import CompareMode, CompareSettings
from carez_desktop.workspace.plane_basis import Plane
from carez_desktop.workspace.viewport import Viewport
from tests.builders.analytic_volumes import GEOMETRIES

BASE = np.full((30, 40), 0xFF102030, np.uint32)
SECOND = np.full((30, 40), 0xFFF0C0A0, np.uint32)


@pytest.mark.parametrize("curtain", [0.0, 0.25, 0.5, 1.0])
def test_a_curtain_has_the_base_before_its_edge(curtain: float) -> None:
    across = compose(CompareSettings(CompareMode.SWIPE, curtain), BASE, SECOND, np.eye(4))
    down = compose(
        CompareSettings(CompareMode.SWIPE, curtain, is_vertical=False), BASE, SECOND, np.eye(4)
    )
    for row in range(30):
        for column in range(40):
            assert across[row, column] == (BASE if column < curtain * 40 else SECOND)[0, 0]
            assert down[row, column] == (BASE if row < round(curtain * 30) else SECOND)[0, 0]


def test_a_blend_and_a_flicker() -> None:
    blend = compose(CompareSettings(CompareMode.BLEND, opacity=0.25), BASE, SECOND, np.eye(4))
    expected = 0.75 * np.array([0x10, 0x20, 0x30]) + 0.25 * np.array([0xF0, 0xC0, 0xA0])
    assert np.abs(rgb_of_pixels(blend) - expected).max() <= 1.0
    for shows_second, expected in ((False, BASE), (True, SECOND)):
        settings = CompareSettings(CompareMode.FLICKER, shows_second=shows_second)
        np.testing.assert_array_equal(compose(settings, BASE, SECOND, np.eye(4)), expected)
    for mode in (CompareMode.NONE, CompareMode.DIFFERENCE):
        np.testing.assert_array_equal(compose(CompareSettings(mode), BASE, SECOND, np.eye(4)), BASE)


def test_a_tile_measures_its_millimetres() -> None:
    grid = np.eye(4)
    grid[:3, 0], grid[:3, 1] = (0.5, 0, 0), (0, 0, -0.25)
    grid[:3, 3] = (0.1, 3.0, -0.1)
    settings = CompareSettings(CompareMode.CHECKERBOARD, tile_mm=4.0)
    made = compose(settings, BASE, SECOND, grid)
    for row in range(30):
        for column in range(40):
            x, z = 0.1 + 0.5 * column, -0.1 - 0.25 * row
            odd = (np.floor(x / 4.0) + np.floor(z / 4.0)) % 2 == 1
            assert made[row, column] == (SECOND if odd else BASE)[0, 0], (row, column)


@pytest.mark.parametrize("name", GEOMETRIES)
@pytest.mark.parametrize("plane", list(Plane))
def test_squares_stay_with_the_patient(name: str, plane: Plane) -> None:
    viewport = Viewport(plane, GEOMETRIES[name])
    viewport.resize(64, 48)
    grid = viewport.pixel_grid()
    board = second_squares(grid, 64, 48, 3.7)
    assert 0.2 < board.mean() < 0.8
    changes = (
        lambda: viewport.set_flips(True, False),
        lambda: viewport.set_flips(True, True),
        lambda: viewport.set_turns(1),
        lambda: viewport.set_turns(2),
        lambda: viewport.pan(7.3, -4.1),
        lambda: viewport.zoom(1.9),
    )
    for change in changes:
        change()
        moved = viewport.pixel_grid()
        again = second_squares(moved, 64, 48, 3.7)
        for row, column in np.random.default_rng(2).integers(0, 48, (40, 2)):
            # The first view, put so that its first pixel shows this point of the patient.
            there = grid.copy()
            there[:3, 3] = (moved @ (column, row, 0.0, 1.0))[:3]
            assert again[row, column] == second_squares(there, 1, 1, 3.7)[0, 0]
