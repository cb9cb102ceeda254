"""Radiological sides: a ball in the patient's right lies at the viewer's left, letters follow."""

from __future__ import annotations

import numpy as np
import pytest

from carez_desktop.rendering.annotations import annotate_pane
from carez_desktop.rendering.difference import modality_values
from carez_desktop.rendering.pane_picture import PaneRenderer
from carez_desktop.workspace.arrangement import Arrangement, PaneContent
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.layouts import layout_of
from carez_desktop.workspace.pane import Pane
from carez_desktop.workspace.plane_basis import Plane
from tests.builders.analytic_volumes import GEOMETRIES
from tests.builders.marked_patients import BALL, REACH_MM, ball_place, marked_volume

SIZE = (200, 170)
MIDDLE = np.array([100.0, 85.0])
WHERE: dict[Plane, dict[str, tuple[int, int]]] = {
    Plane.AXIAL: {"R": (-1, 0), "L": (1, 0), "A": (0, -1), "P": (0, 1)},
    Plane.CORONAL: {"R": (-1, 0), "L": (1, 0), "S": (0, -1), "I": (0, 1)},
    Plane.SAGITTAL: {"A": (-1, 0), "P": (1, 0), "S": (0, -1), "I": (0, 1)},
}
"""Which way from the middle of the picture (right, down) each side of the patient lies."""


def _pane(name: str, side: str, plane: Plane) -> Pane:
    layer = Layer(marked_volume(name, side))
    arrangement = Arrangement()
    arrangement.hang(layout_of("1x1"), [PaneContent(layer, plane)])
    (pane,) = arrangement.panes
    assert pane.viewport is not None
    pane.viewport.resize(*SIZE)
    pane.viewport.cursor_lps = ball_place(side)
    return pane


def _ball_on_screen(pane: Pane) -> np.ndarray:
    """(2,) pixel (right, down) of the middle of what is bright, found in the values shown."""
    values = PaneRenderer(pane).base_values(*SIZE)
    assert values is not None
    weights = np.nan_to_num(modality_values(values)) / BALL
    assert weights.sum() > 20
    rows, columns = np.indices(weights.shape) + 0.5
    return np.array([(columns * weights).sum(), (rows * weights).sum()]) / weights.sum()


def _letter_at(pane: Pane, way: np.ndarray) -> str:
    """The letters at the edge of the pane that lies that way."""
    told = annotate_pane(pane)
    assert told is not None
    assert told.letters is not None
    letters = told.letters
    if abs(way[0]) > abs(way[1]):
        return letters.right if way[0] > 0 else letters.left
    return letters.bottom if way[1] > 0 else letters.top


@pytest.mark.parametrize("plane", list(Plane))
@pytest.mark.parametrize("name", GEOMETRIES)
def test_each_side_of_the_patient_lies_where_radiologists_look_for_it(
    name: str, plane: Plane
) -> None:
    for side, expected in WHERE[plane].items():
        pane = _pane(name, side, plane)
        assert pane.viewport is not None
        seen = _ball_on_screen(pane)
        way = seen - MIDDLE
        # Turned grids show the ball off the axis, but never on the other side.
        assert float(way @ np.array(expected)) > 0.6 * REACH_MM / pane.viewport.mm_per_pixel
        assert side in _letter_at(pane, np.array(expected))
        np.testing.assert_allclose(
            seen, pane.viewport.lps_to_pixel(ball_place(side)), atol=1.0 / 0.3
        )


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@pytest.mark.parametrize("flips", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("name", ["axial", "left_handed", "oblique_left_handed"])
def test_letters_follow_flips_and_turns(name: str, flips: tuple[bool, bool], turns: int) -> None:
    for plane in Plane:
        for side in WHERE[plane]:
            pane = _pane(name, side, plane)
            assert pane.viewport is not None
            pane.viewport.set_flips(*flips)
            pane.viewport.set_turns(turns)
            assert side in _letter_at(pane, _ball_on_screen(pane) - MIDDLE)


def test_flips_mirror_and_turns_go_clockwise() -> None:
    pane = _pane("left_handed", "R", Plane.AXIAL)
    assert pane.viewport is not None
    assert _ball_on_screen(pane)[0] < MIDDLE[0] - 20
    pane.viewport.set_flips(True, False)
    assert _ball_on_screen(pane)[0] > MIDDLE[0] + 20
    pane.viewport.set_flips(False, False)
    for place in ((0, -1), (1, 0), (0, 1), (-1, 0)):
        pane.viewport.set_turns(pane.viewport.turns + 1)
        way = _ball_on_screen(pane) - MIDDLE
        assert float(way @ np.array(place)) > 20
        assert abs(float(way @ np.array(place[::-1]))) < 2
