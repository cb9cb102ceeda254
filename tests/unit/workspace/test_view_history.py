"""Changes of the view are taken back exactly, whoever made them, and never the crosshair."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.volume import Volume
from carez_desktop.workspace.arrangement import Arrangement, PaneContent
from carez_desktop.workspace.compare_settings import CompareMode
from carez_desktop.workspace.display_window import DisplayWindow
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.layouts import layout_of
from carez_desktop.workspace.plane_basis import Plane, rotation_about
from carez_desktop.workspace.slab import Slab, SlabMode
from carez_desktop.workspace.undo import UndoStack
from carez_desktop.workspace.view_history import ViewHistory, ViewSnapshot


def _layer(name: str) -> Layer:
    axes = np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]], dtype=float)
    geometry = VolumeGeometry.from_parts((8, 12, 10), (5.0, 0.8, 1.1), (3, -20, 40), axes)
    array = np.arange(960, dtype=np.int16).reshape(8, 12, 10)
    return Layer(Volume(name, array, geometry, "CT", "HU", frame_of_reference_uid="1.2"))


@pytest.fixture
def arrangement() -> Arrangement:
    """Two linked volumes side by side."""
    made = Arrangement()
    contents = [PaneContent(_layer("one"), Plane.AXIAL), PaneContent(_layer("two"), Plane.AXIAL)]
    made.hang(layout_of("1x2"), contents)
    return made


def _turn(arrangement: Arrangement) -> None:
    viewport = arrangement.panes[0].viewport
    viewport.rotate(rotation_about(viewport.right, 0.3))


def _slab(arrangement: Arrangement) -> None:
    arrangement.panes[1].viewport.set_slab(Slab(SlabMode.MEAN, 12.0))


def _compare(arrangement: Arrangement) -> None:
    pane = arrangement.panes[0]
    pane.set_settings(replace(pane.settings, mode=CompareMode.SWIPE, curtain=0.2))


CHANGES = {
    "window": lambda a: setattr(a.layers[0], "window", DisplayWindow(10, 77)),
    "inverted": lambda a: setattr(a.layers[1], "inverted", True),
    "colours": lambda a: setattr(a.layers[1], "colour_map", "viridis"),
    "plain pixels": lambda a: setattr(a.layers[0], "interpolated", False),
    "zoom": lambda a: a.panes[0].viewport.zoom(2.5, (40.0, 10.0)),
    "pan": lambda a: a.panes[1].viewport.pan(13.0, -7.0),
    "flip": lambda a: a.panes[0].viewport.set_flips(True, False),
    "turn by quarters": lambda a: a.panes[0].viewport.set_turns(3),
    "oblique": _turn,
    "slab": _slab,
    "plane": lambda a: a.show_plane(1, Plane.CORONAL),
    "layout": lambda a: a.set_layout(layout_of("2x2")),
    "maximised": lambda a: a.maximise(1),
    "compare": _compare,
}


@pytest.mark.parametrize("name", CHANGES)
def test_each_change_goes_back_and_forth(arrangement: Arrangement, name: str) -> None:
    changes = UndoStack()
    history = ViewHistory(arrangement, changes)
    history.settle()
    arrangement.panes[0].viewport.scroll(2)
    place = arrangement.panes[0].viewport.cursor_lps.copy()
    before = ViewSnapshot.of(arrangement)
    history.begin(name)
    CHANGES[name](arrangement)
    history.end()
    after = ViewSnapshot.of(arrangement)
    assert not before.is_same(after)
    assert changes.undo() == name
    assert ViewSnapshot.of(arrangement).is_same(before)
    assert np.array_equal(arrangement.panes[0].viewport.cursor_lps, place)
    assert changes.redo() == name
    assert ViewSnapshot.of(arrangement).is_same(after)
    # The links, cut while a view is restored, are back.
    assert all(arrangement.is_linked(f"links_{kind}") for kind in ("position", "view", "window"))


def test_scrolling_is_no_change(arrangement: Arrangement) -> None:
    changes = UndoStack()
    history = ViewHistory(arrangement, changes)
    history.settle()
    arrangement.panes[0].viewport.scroll(3)
    history.settle()
    history.begin("Nothing")
    history.end()
    assert changes.undo() == ""


def test_changes_that_nobody_named_are_found_when_undo_is_asked(arrangement: Arrangement) -> None:
    changes = UndoStack()
    history = ViewHistory(arrangement, changes)
    history.settle()
    arrangement.layers[0].inverted = True
    assert changes.undo() == "Change of the view"
    assert not arrangement.layers[0].inverted
    assert changes.undo() == ""


def test_a_drag_is_one_change(arrangement: Arrangement) -> None:
    changes = UndoStack()
    history = ViewHistory(arrangement, changes)
    history.settle()
    first = arrangement.panes[0].viewport.mm_per_pixel
    history.begin("Zoom")
    for _ in range(20):
        arrangement.panes[0].viewport.zoom(1.05)
        history.settle()
    history.end()
    assert changes.undo() == "Zoom"
    assert arrangement.panes[0].viewport.mm_per_pixel == first
    assert changes.undo() == ""


def test_opening_and_closing_begin_anew_and_hold_nothing(arrangement: Arrangement) -> None:
    changes = UndoStack()
    history = ViewHistory(arrangement, changes)
    history.settle()
    arrangement.layers[0].inverted = True
    history.settle()
    assert changes.undo_title
    arrangement.close(arrangement.layers[1])
    assert changes.undo() == ""
    arrangement.close_all()
    history.settle()
    assert ViewSnapshot.of(arrangement).layers == ()
