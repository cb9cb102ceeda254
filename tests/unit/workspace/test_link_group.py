"""Links in LPS millimetres."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from carez_desktop.domain.alignment import Alignment
from carez_desktop.domain.volume import VolumeKind
from carez_desktop.workspace.arrangement import Arrangement
from carez_desktop.workspace.display_window import DisplayWindow
from carez_desktop.workspace.first_hanging import first_hanging, real_first
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.plane_basis import Plane
from carez_desktop.workspace.viewport import Viewport
from tests.builders.analytic_volumes import analytic_volume


def _compared(right_frame: str = "1.2.3.4", units: str = "HU") -> Arrangement:
    left = analytic_volume("axial")
    right = replace(
        analytic_volume("oblique", kind=VolumeKind.SYNTHETIC),
        frame_of_reference_uid=right_frame,
        units=units,
    )
    arrangement = Arrangement()
    layout, contents = first_hanging([Layer(left), Layer(right)])
    arrangement.hang(layout, contents)
    return arrangement


def _view(arrangement: Arrangement, volume: int, plane: Plane) -> Viewport:
    viewport = arrangement.panes[3 * volume + list(Plane).index(plane)].viewport
    assert viewport is not None
    assert viewport.plane is plane
    return viewport


def test_scrolling_one_pane_moves_the_others_to_the_same_millimetre() -> None:
    arrangement = _compared()
    axial = _view(arrangement, 0, Plane.AXIAL)
    axial.scroll(2)
    for pane in arrangement.panes:
        assert pane.viewport is not None
        np.testing.assert_allclose(pane.viewport.cursor_lps, axial.cursor_lps)


def test_zoom_and_flips_reach_the_same_plane_only() -> None:
    arrangement = _compared()
    left = _view(arrangement, 0, Plane.AXIAL)
    left.zoom(2.0)
    left.set_flips(True, False)
    right, coronal = _view(arrangement, 1, Plane.AXIAL), _view(arrangement, 0, Plane.CORONAL)
    assert right.mm_per_pixel == left.mm_per_pixel
    assert right.flips == (True, False)
    assert coronal.mm_per_pixel != left.mm_per_pixel
    assert coronal.flips == (False, False)


def test_window_is_shared_between_equal_units_only() -> None:
    left, right = _compared().layers
    left.window = DisplayWindow(-600, 1500)
    assert right.window == DisplayWindow(-600, 1500)
    left, right = _compared(units="arbitrary").layers
    before = right.window
    left.window = DisplayWindow(1, 2)
    assert right.window == before


def test_different_frames_of_reference_are_linked_only_when_asked() -> None:
    arrangement = _compared(right_frame="9.9")
    first, second = arrangement.layers
    assert "different frames" in arrangement.link_refusal(first, second)
    left, right = (_view(arrangement, volume, Plane.AXIAL) for volume in (0, 1))
    before = right.cursor_lps
    left.scroll(1)
    np.testing.assert_array_equal(right.cursor_lps, before)
    centres = [layer.volume.geometry.centre_lps for layer in (first, second)]
    ids = [layer.volume.volume_id for layer in (first, second)]
    arrangement.align(Alignment.by_offset(*ids, centres[1] - centres[0]))
    assert arrangement.link_refusal(first, second) == ""
    left.cursor_lps = centres[0] + np.array([1.0, 2.0, 3.0])
    pane = arrangement.panes[3]
    assert pane.base is not None
    own = pane.base.to_layer @ np.append(_view(arrangement, 1, Plane.AXIAL).cursor_lps, 1.0)
    np.testing.assert_allclose(own[:3], centres[1] + np.array([1.0, 2.0, 3.0]))


def test_an_unlinked_aspect_stays() -> None:
    arrangement = _compared()
    arrangement.set_link("links_position", False)
    arrangement.set_link("links_window", False)
    right = _view(arrangement, 1, Plane.AXIAL)
    before = right.cursor_lps
    _view(arrangement, 0, Plane.AXIAL).scroll(1)
    arrangement.layers[0].inverted = True
    np.testing.assert_array_equal(right.cursor_lps, before)
    assert not arrangement.layers[1].inverted


def test_closing_cuts_every_link() -> None:
    arrangement = _compared()
    left, right = (_view(arrangement, volume, Plane.AXIAL) for volume in (0, 1))
    arrangement.close_all()
    before = right.cursor_lps
    left.scroll(1)
    np.testing.assert_array_equal(right.cursor_lps, before)


def test_the_real_volume_comes_first() -> None:
    real = Layer(analytic_volume("axial"))
    synthetic = Layer(analytic_volume("axial", kind=VolumeKind.SYNTHETIC))
    assert real_first(synthetic, real) == (real, synthetic)
    assert real_first(real, synthetic) == (real, synthetic)
