"""Slices at their true positions: order, crosshair, picture that stays in place."""

from __future__ import annotations

import numpy as np
import pytest

from carez_desktop.workspace.arrangement import Arrangement
from carez_desktop.workspace.first_hanging import first_hanging
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.stack_viewport import StackViewport
from tests.builders.analytic_volumes import analytic_volume
from tests.builders.irregular_stacks import stack_at, tilted_stack


def test_slices_count_from_head_to_foot_whatever_their_order() -> None:
    stack = stack_at([(0, 0, 4.0), (0, 0, 0.0), (0, 0, 11.0)], "Uneven gaps")
    viewport = StackViewport(stack.geometries)
    order = []
    for number in range(viewport.slice_count):
        viewport.go_to_slice(number)
        assert viewport.slice_number == number + 1
        order.append(viewport.array_index)
    assert order == [2, 0, 1]
    viewport.scroll(5)
    assert viewport.slice_number == 3


def test_the_crosshair_lies_on_the_slice_that_is_shown() -> None:
    stack = tilted_stack()
    viewport = StackViewport(stack.geometries)
    for number in range(viewport.slice_count):
        viewport.go_to_slice(number)
        geometry = stack.geometries[viewport.array_index]
        index = geometry.lps_to_index(viewport.cursor_lps)
        assert index[0] == pytest.approx(0.0, abs=1e-9)
        # The middle voxel of the first view stays the marked one.
        assert index[1:] == pytest.approx((11, 9))


def test_a_position_from_elsewhere_finds_the_nearest_slice() -> None:
    viewport = StackViewport(tilted_stack().geometries)
    viewport.cursor_lps = (1.0, 12.0, -20.0 + 3.0 * 5 + 1.2)
    assert viewport.array_index == 5
    np.testing.assert_allclose(viewport.cursor_lps, (1.0, 12.0, -5.0))


def test_the_picture_stays_in_its_place_and_positions_follow_the_slice() -> None:
    stack = tilted_stack()
    viewport = StackViewport(stack.geometries)
    viewport.resize(200, 200)
    corners = []
    for number in range(viewport.slice_count):
        viewport.go_to_slice(number)
        geometry = stack.geometries[viewport.array_index]
        corners.append(viewport.lps_to_pixel(geometry.origin_lps))
        x, y = corners[-1]
        np.testing.assert_allclose(viewport.pixel_to_lps(x, y), geometry.origin_lps, atol=1e-9)
    assert np.ptp(np.array(corners), axis=0) == pytest.approx((0, 0), abs=1e-9)


def test_a_change_is_told_once() -> None:
    viewport = StackViewport(tilted_stack().geometries)
    told: list[int] = []
    viewport.changed.connect(lambda: told.append(1))
    viewport.scroll(1)
    assert told == [1]
    viewport.go_to_slice(viewport.slice_number - 1)
    assert told == [1]


def test_a_stack_beside_a_volume_shows_one_pane_each_linked_in_millimetres() -> None:
    stack = tilted_stack()
    left = Layer(stack.slices[3], stack=stack)
    right = Layer(analytic_volume("axial"))
    layout, contents = first_hanging([left, right])
    arrangement = Arrangement()
    arrangement.hang(layout, contents)
    assert left.plane_refusal == "Tilted by 20.1 degrees"
    assert [pane.layers for pane in arrangement.panes] == [(left,), (right,)]
    assert arrangement.link_refusal(left, right) == ""
    views = [pane.viewport for pane in arrangement.panes]
    views[0].go_to_slice(0)
    assert views[1].cursor_lps[2] == pytest.approx(views[0].cursor_lps[2])
