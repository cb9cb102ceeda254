"""Links in LPS millimetres."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from carez_desktop.domain.volume import VolumeKind
from carez_desktop.workspace.comparison import Comparison, order_for_comparison
from carez_desktop.workspace.display_window import DisplayWindow
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.plane_basis import Plane
from tests.builders.analytic_volumes import analytic_volume


def _comparison(right_frame: str = "1.2.3.4") -> Comparison:
    left = analytic_volume("axial")
    right = replace(
        analytic_volume("oblique", kind=VolumeKind.SYNTHETIC), frame_of_reference_uid=right_frame
    )
    return Comparison(Layer(left), Layer(right))


def test_scrolling_one_pane_moves_the_others_to_the_same_millimetre() -> None:
    comparison = _comparison()
    axial = comparison.slot("left", Plane.AXIAL).viewport
    axial.scroll(2)
    for slot in comparison.slots:
        np.testing.assert_allclose(slot.viewport.cursor_lps, axial.cursor_lps)


def test_zoom_and_flips_reach_the_same_plane_only() -> None:
    comparison = _comparison()
    left = comparison.slot("left", Plane.AXIAL).viewport
    left.zoom(2.0)
    left.set_flips(True, False)
    right = comparison.slot("right", Plane.AXIAL).viewport
    coronal = comparison.slot("left", Plane.CORONAL).viewport
    assert right.mm_per_pixel == left.mm_per_pixel
    assert right.flips == (True, False)
    assert coronal.mm_per_pixel != left.mm_per_pixel
    assert coronal.flips == (False, False)


def test_window_is_shared_between_equal_units_only() -> None:
    comparison = _comparison()
    comparison.left.window = DisplayWindow(-600, 1500)
    assert comparison.right is not None
    assert comparison.right.window == DisplayWindow(-600, 1500)
    other = Comparison(
        Layer(analytic_volume("axial")), Layer(replace(analytic_volume("axial"), units="arbitrary"))
    )
    assert other.right is not None
    before = other.right.window
    other.left.window = DisplayWindow(1, 2)
    assert other.right.window == before


def test_different_frames_of_reference_are_linked_only_when_asked() -> None:
    comparison = _comparison(right_frame="9.9")
    assert "different frames" in comparison.link_refusal
    left = comparison.slot("left", Plane.AXIAL).viewport
    right = comparison.slot("right", Plane.AXIAL).viewport
    before = right.cursor_lps
    left.scroll(1)
    np.testing.assert_array_equal(right.cursor_lps, before)
    comparison.link_by_centres()
    assert comparison.link_refusal == ""
    left.cursor_lps = left.geometry.centre_lps + np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(
        right.cursor_lps, right.geometry.centre_lps + np.array([1.0, 2.0, 3.0])
    )


def test_an_unlinked_aspect_stays() -> None:
    comparison = _comparison()
    comparison.group.links_position = False
    comparison.group.links_window = False
    right = comparison.slot("right", Plane.AXIAL).viewport
    before = right.cursor_lps
    comparison.slot("left", Plane.AXIAL).viewport.scroll(1)
    comparison.left.inverted = True
    np.testing.assert_array_equal(right.cursor_lps, before)
    assert comparison.right is not None
    assert not comparison.right.inverted


def test_close_cuts_every_link() -> None:
    comparison = _comparison()
    left, right = (comparison.slot(role, Plane.AXIAL).viewport for role in ("left", "right"))
    comparison.close()
    before = right.cursor_lps
    left.scroll(1)
    np.testing.assert_array_equal(right.cursor_lps, before)


def test_the_real_volume_comes_first() -> None:
    real = analytic_volume("axial")
    synthetic = analytic_volume("axial", kind=VolumeKind.SYNTHETIC)
    assert order_for_comparison(synthetic, real) == (real, synthetic)
    assert order_for_comparison(real, synthetic) == (real, synthetic)
