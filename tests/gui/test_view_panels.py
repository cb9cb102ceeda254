"""The panels of the View page: what they do to the panes, and what they say in numbers."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton, QApplication, QWidget
from pytestqt.qtbot import QtBot

from carez_desktop.gui.application import wait_until_idle
from carez_desktop.gui.main_window import MainWindow
from carez_desktop.gui.panel_parts import NumberField, PanelSection, number_in
from carez_desktop.gui.view_page import ViewPage
from carez_desktop.gui.view_panel import ViewPanel
from carez_desktop.workspace.compare_settings import CompareMode
from carez_desktop.workspace.display_window import DisplayWindow
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.plane_basis import Plane
from carez_desktop.workspace.slab import SlabMode
from tests.builders.analytic_volumes import analytic_value
from tests.builders.panel_volumes import PANEL_SHIFT, panel_volume


def _settle(window: MainWindow, side: ViewPanel) -> None:
    side.refresh()
    assert wait_until_idle(window, 20)
    QApplication.processEvents()


# -- window and colours ------------------------------------------------------------------------


def test_every_window_of_the_file_and_each_preset_can_be_chosen(side: ViewPanel) -> None:
    layer = side.greys.layer
    assert layer is not None
    buttons = {made.text(): made for made in side.greys.findChildren(QAbstractButton)}
    assert {"Mediastinum", "File window 2", "1  Soft tissue", "0  Full range"} <= set(buttons)
    buttons["File window 2"].click()
    assert (layer.window.center, layer.window.width) == (-500.0, 1500.0)
    assert buttons["File window 2"].isChecked()
    side.greys.next_file_window()
    assert (layer.window.center, layer.window.width) == (50.0, 350.0)
    buttons["0  Full range"].click()
    assert layer.window.low == pytest.approx(float(layer.volume.array.min()))
    assert layer.window.high == pytest.approx(float(layer.volume.array.max()))


def test_percentiles_are_those_of_numpy(side: ViewPanel) -> None:
    layer = side.greys.layer
    assert layer is not None
    side.greys.low.set_value(10.0, 1)
    side.greys.high.set_value(80.0, 1)
    side.greys.show_percentiles()
    low, high = np.percentile(layer.volume.array, (10.0, 80.0))
    assert (layer.window.low, layer.window.high) == pytest.approx((low, high))
    before = layer.window
    side.greys.low.set_value(90.0, 1)
    side.greys.show_percentiles()
    assert layer.window == before


def test_a_region_of_a_pane_gives_its_window(page: ViewPage, side: ViewPanel) -> None:
    pane = page.arrangement.active_pane
    assert pane.base is not None
    assert pane.viewport is not None
    layer, view = pane.base.layer, pane.viewport
    layer.interpolated = False
    x, y = view.lps_to_pixel(layer.volume.geometry.centre_lps)
    side.window_region(pane, (x + 30.0, y + 20.0, x - 30.0, y - 20.0))
    corners = [view.pixel_to_lps(x + dx, y + dy) for dx in (-30, 30) for dy in (-20, 20)]
    values = [float(analytic_value(corner)) for corner in corners]
    # Percentiles of the nearest voxels lie inside the corners' values, give or take a voxel.
    voxel = float(np.abs(analytic_value(np.array([1.1, 1.5, 0.0])) - 40.0)) + 6.0
    assert min(values) - voxel < layer.window.low < layer.window.center
    assert layer.window.center < layer.window.high < max(values) + voxel
    assert layer.window.width > 0.5 * (max(values) - min(values))
    before = layer.window
    side.window_region(pane, (-900.0, -900.0, -880.0, -880.0))
    assert layer.window == before
    assert "too few values" in side.note.text()


def test_colour_maps_and_the_bar_follow_the_layer(side: ViewPanel) -> None:
    layer = side.greys.layer
    assert layer is not None
    layer.window = DisplayWindow(40.0, 400.0)
    side.greys.next_colour_map()
    assert layer.colour_map == "viridis"
    side.refresh()
    assert side.greys.maps.currentData() == "viridis"
    assert side.greys.bar.texts == ("\N{MINUS SIGN}160", "40", "240", "HU")


def test_wrong_numbers_are_named_and_change_nothing(side: ViewPanel, qtbot: QtBot) -> None:
    layer = side.greys.layer
    assert layer is not None
    before = layer.window
    edit = side.greys.width_field.edit
    edit.setFocus()
    edit.selectAll()
    qtbot.keyClicks(edit, "-5")
    assert side.greys.width_field.value is None
    assert edit.property("wrong")
    qtbot.keyClick(edit, Qt.Key.Key_Return)
    assert layer.window == before
    edit.selectAll()
    qtbot.keyClicks(edit, "120,5")
    qtbot.keyClick(edit, Qt.Key.Key_Return)
    assert layer.window.width == 120.5
    assert number_in("\N{MINUS SIGN}3,5") == -3.5
    assert number_in("inf") is None


def test_a_tiny_window_is_shown_with_its_digits(side: ViewPanel) -> None:
    layer = side.greys.layer
    assert layer is not None
    layer.window = DisplayWindow(1.5e-9, 2.3e-9)
    side.refresh()
    assert side.greys.width_field.edit.text() == "2.3e-09"


# -- plane -------------------------------------------------------------------------------------


def test_slabs_planes_and_turns(page: ViewPage, side: ViewPanel) -> None:
    pane = page.arrangement.active_pane
    assert pane.viewport is not None
    side.plane.thicken_by(1)
    assert pane.viewport.slab.text == "MIP 10 mm"
    side.plane.next_slab()
    assert pane.viewport.slab.mode is SlabMode.MINIP
    side.plane.thicken_by(1)
    assert pane.viewport.slab.thickness_mm == 12.5
    side.plane.slab.button("thin").click()
    assert not pane.viewport.slab.is_thick
    side.plane.planes.button("coronal").click()
    assert pane.viewport is not None
    assert pane.viewport.plane is Plane.CORONAL


# -- comparing ---------------------------------------------------------------------------------


def test_modes_reach_every_pane_of_thepanel_volume(
    page: ViewPage, side: ViewPanel, second: Layer
) -> None:
    assert side.compare.compare_with(second) == ""
    panes = page.arrangement.panes
    assert len(panes) > 1
    assert all(pane.settings.mode is CompareMode.SWIPE for pane in panes)
    side.compare.modes.button("checkerboard").click()
    assert {pane.settings.mode for pane in panes} == {CompareMode.CHECKERBOARD}
    side.compare.everywhere.setChecked(False)
    side.compare.modes.button("blend").click()
    assert [pane.settings.mode for pane in panes].count(CompareMode.BLEND) == 1
    side.compare.move_on(-2)
    assert page.arrangement.active_pane.settings.opacity == pytest.approx(0.4)
    side.compare.compare_with(None)
    assert page.arrangement.active_pane.second is None


def test_flicker_shows_the_other_one_while_held(
    page: ViewPage, side: ViewPanel, second: Layer
) -> None:
    side.compare.compare_with(second)
    pane = page.arrangement.active_pane
    before = pane.settings
    side.compare.hold_flicker()
    side.compare.hold_flicker()
    assert pane.settings.mode is CompareMode.FLICKER
    assert pane.settings.shows_second
    side.compare.release_flicker()
    assert pane.settings == before


def test_flicker_by_itself_ends_with_the_mode(
    page: ViewPage, side: ViewPanel, second: Layer, qtbot: QtBot
) -> None:
    side.compare.compare_with(second)
    side.compare.set_mode(CompareMode.FLICKER)
    pane = page.arrangement.active_pane
    side.compare.by_itself.setChecked(True)
    qtbot.waitUntil(lambda: pane.settings.shows_second, timeout=3000)
    side.compare.compare_with(None)
    qtbot.waitUntil(lambda: not side.compare.by_itself.isChecked(), timeout=3000)


def test_numbers_of_a_difference_are_the_subtraction(
    window: MainWindow, side: ViewPanel, second: Layer
) -> None:
    side.compare.compare_with(second)
    side.compare.set_mode(CompareMode.DIFFERENCE)
    _settle(window, side)
    _settle(window, side)
    lines = [line.split("\t") for line in side.compare.numbers.as_text().splitlines()]
    table = {line[0]: line[1:] for line in lines}
    # Both volumes are the same plane of values, which interpolation keeps, 7 HU apart; only the
    # outer half voxel of the plane shown repeats the first volume's last values.
    assert [table[name][1] for name in ("Mean", "SD", "Largest |d|")] == ["7.0", "0.0", "7.0"]
    assert float(table["Mean"][0]) == pytest.approx(PANEL_SHIFT, abs=0.3)
    assert table["n"][1] == str(9 * 14 * 17).replace("2142", "2\N{NARROW NO-BREAK SPACE}142")
    assert side.compare.bar.texts == ("\N{MINUS SIGN}7.0", "0.0", "7.0", "HU")
    side.compare.limit.edit.setText("50")
    side.compare.limit.edit.setModified(True)
    side.compare.limit.edit.editingFinished.emit()
    side.refresh()
    assert side.compare.bar.texts == ("\N{MINUS SIGN}50", "0", "50", "HU")


def test_volumes_of_two_frames_are_refused_with_a_remedy(page: ViewPage, side: ViewPanel) -> None:
    apart = Layer(panel_volume("axial", "3", frame="G"))
    assert "different frames" in side.compare.compare_with(apart)
    assert "register them" in side.compare.refusal.text()
    assert page.arrangement.active_pane.second is None


# -- as a whole --------------------------------------------------------------------------------


def test_nothing_is_clipped_at_the_width_of_the_panel(
    page: ViewPage, side: ViewPanel, second: Layer
) -> None:
    side.compare.compare_with(second)
    side.overlays.lay_over(Layer(panel_volume(volume_id="7")))
    for mode in CompareMode:
        side.compare.set_mode(mode)
        QApplication.processEvents()
        room = page.panel_area.viewport().width() - 32
        wide = [
            (type(child).__name__, child.minimumSizeHint().width())
            for child in side.findChildren(QWidget)
            if child.isVisible() and child.minimumSizeHint().width() > room
        ]
        assert wide == []


def test_a_click_leaves_the_keyboard_with_the_pane_and_tab_reaches_all(side: ViewPanel) -> None:
    controls = [made for made in side.findChildren(QAbstractButton) if made.isVisible()]
    assert len(controls) > 25
    assert {made.focusPolicy() for made in controls} == {Qt.FocusPolicy.TabFocus}
    named = [made for made in controls if not made.text() and not made.toolTip()]
    assert named == []


def test_folds_are_told_and_brought_back(side: ViewPanel) -> None:
    side.set_folded({"compare": True, "unknown": True})
    assert side.folded["compare"]
    assert not side.folded["window"]
    assert all(isinstance(section, PanelSection) for section in side.sections)


def test_a_field_keeps_what_is_being_typed(
    side: ViewPanel, qtbot: QtBot, window: MainWindow
) -> None:
    window.activateWindow()
    field = side.greys.center
    assert isinstance(field, NumberField)
    field.edit.setFocus()
    field.edit.selectAll()
    qtbot.keyClicks(field.edit, "12")
    side.refresh()
    assert field.edit.text() == "12"


def test_folded_sections_let_closed_volumes_go(page: ViewPage, second: Layer) -> None:
    import gc
    import weakref

    side = page.side
    side.compare.compare_with(second)
    side.refresh()
    for section in side.sections:
        section.set_folded(True)
    gone = [weakref.ref(layer.volume) for layer in page.arrangement.layers]
    del second
    page.close_volumes()
    gc.collect()
    assert gone[0]() is None
