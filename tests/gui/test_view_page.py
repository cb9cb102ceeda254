"""The View page: bindings, layouts, links, badge; the pixels of a pane are the volume's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from carez_desktop.domain.volume import VolumeKind
from carez_desktop.gui.main_window import MainWindow
from carez_desktop.gui.slice_pane import SlicePane
from carez_desktop.gui.view_page import ViewPage
from carez_desktop.rendering.slice_pipeline import value_at
from carez_desktop.workspace.display_window import DisplayWindow
from carez_desktop.workspace.plane_basis import Plane
from tests.builders.analytic_volumes import analytic_volume

Button, Modifier = Qt.MouseButton, Qt.KeyboardModifier


def _pane(page: ViewPage, plane: Plane, volume: int = 0) -> SlicePane:
    """The pane of a plane of the first or second volume, as they are hung first."""
    return page.grid.widgets[3 * volume + list(Plane).index(plane)]


@pytest.fixture
def page(window: MainWindow) -> ViewPage:
    window.show_page("view")
    view = window.page("view")
    assert isinstance(view, ViewPage)
    view.show_volumes(analytic_volume("oblique", dtype=np.int16))
    QApplication.processEvents()
    return view


@pytest.fixture
def compared(page: ViewPage) -> ViewPage:
    left = analytic_volume("axial", dtype=np.int16)
    right = replace(left, kind=VolumeKind.SYNTHETIC, frame_of_reference_uid="mapped", volume_id="9")
    page.show_volumes(right, left, same_space=True)
    QApplication.processEvents()
    return page


def _mouse(kind, widget, at, button, held, modifiers=Modifier.NoModifier) -> None:  # type: ignore[no-untyped-def]
    event = QMouseEvent(kind, QPointF(at), widget.mapToGlobal(QPointF(at)), button, held, modifiers)
    QApplication.sendEvent(widget, event)


def _drag(widget, button, start, stop) -> None:  # type: ignore[no-untyped-def]
    _mouse(QEvent.Type.MouseButtonPress, widget, start, button, button)
    _mouse(QEvent.Type.MouseMove, widget, stop, Button.NoButton, button)
    _mouse(QEvent.Type.MouseButtonRelease, widget, stop, button, Button.NoButton)


def _wheel(widget, notches, modifiers=Modifier.NoModifier) -> None:  # type: ignore[no-untyped-def]
    at = QPointF(widget.rect().center())
    event = QWheelEvent(
        at, widget.mapToGlobal(at), QPoint(), QPoint(0, 120 * notches), Button.NoButton,
        modifiers, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(widget, event)


@pytest.mark.parametrize("plane", list(Plane))
def test_grey_under_a_pixel_is_the_windowed_value_of_the_patient_there(
    page: ViewPage, plane: Plane
) -> None:
    pane = _pane(page, plane)
    layer, viewport = pane.layer, pane.viewport
    assert layer is not None
    assert viewport is not None
    layer.interpolated = False
    layer.window = DisplayWindow(0.0, 600.0)
    image = pane.picture()
    assert image is not None
    checked = 0
    for x in range(5, pane.width(), 37):
        for y in range(5, pane.height(), 29):
            point = viewport.pixel_to_lps(x + 0.5, y + 0.5)
            value = value_at(layer.volume, point)
            index = layer.volume.geometry.lps_to_index(point)
            if value is None or np.abs(index - np.floor(index) - 0.5).min() < 0.02:
                continue
            expected = np.clip((value - layer.window.low) / layer.window.width * 255.0, 0, 255)
            assert abs(image.pixelColor(x, y).red() - expected) <= 1.0
            checked += 1
    assert checked > 20


def test_left_drag_windows_middle_pans_right_zooms(page: ViewPage) -> None:
    pane = _pane(page, Plane.AXIAL)
    layer, viewport = pane.layer, pane.viewport
    assert layer is not None
    assert viewport is not None
    before = layer.window
    _drag(pane, Button.LeftButton, QPoint(50, 50), QPoint(80, 40))
    assert (layer.window.width, layer.window.center) == (before.width + 30, before.center - 10)
    centre = viewport.centre_lps
    point = viewport.pixel_to_lps(60.0, 60.0)
    _drag(pane, Button.MiddleButton, QPoint(60, 60), QPoint(75, 52))
    assert viewport.lps_to_pixel(point) == pytest.approx((75.0, 52.0))
    assert not np.allclose(viewport.centre_lps, centre)
    scale = viewport.mm_per_pixel
    _drag(pane, Button.RightButton, QPoint(60, 60), QPoint(60, 20))
    assert viewport.mm_per_pixel < scale


def test_wheel_scrolls_ctrl_wheel_zooms_double_click_maximises(
    page: ViewPage, qtbot: QtBot
) -> None:
    pane = _pane(page, Plane.CORONAL)
    viewport = pane.viewport
    assert viewport is not None
    number, scale = viewport.slice_number, viewport.mm_per_pixel
    _wheel(pane, -1)
    assert viewport.slice_number == number + 1
    _wheel(pane, 1, Modifier.ControlModifier)
    assert viewport.mm_per_pixel < scale
    qtbot.mouseDClick(pane, Button.LeftButton)
    assert [shown for shown in page.grid.widgets if shown.isVisible()] == [pane]
    qtbot.mouseDClick(pane, Button.LeftButton)
    assert sum(shown.isVisible() for shown in page.grid.widgets) == 3


def test_shift_move_carries_the_crosshair_into_every_pane(compared: ViewPage) -> None:
    pane = _pane(compared, Plane.AXIAL)
    assert pane.viewport is not None
    at = QPoint(pane.width() // 3, pane.height() // 3)
    wanted = pane.viewport.pixel_to_lps(at.x(), at.y())
    _mouse(QEvent.Type.MouseMove, pane, at, Button.NoButton, Button.NoButton,
           Modifier.ShiftModifier)  # fmt: skip
    assert len(compared.grid.widgets) == 6
    for shown in compared.grid.widgets:
        assert shown.viewport is not None
        np.testing.assert_allclose(shown.viewport.cursor_lps, wanted)


def test_keys_of_the_command_table(page: ViewPage, qtbot: QtBot) -> None:
    pane = _pane(page, Plane.SAGITTAL)
    layer, viewport = pane.layer, pane.viewport
    assert layer is not None
    assert viewport is not None
    pane.setFocus()
    qtbot.keyClick(pane, Qt.Key.Key_Home)
    assert viewport.slice_number == 1
    qtbot.keyClick(pane, Qt.Key.Key_Down)
    assert viewport.slice_number == 2
    qtbot.keyClick(pane, Qt.Key.Key_Up)
    qtbot.keyClick(pane, Qt.Key.Key_End)
    assert viewport.slice_number == viewport.slice_count
    qtbot.keyClick(pane, Qt.Key.Key_I)
    qtbot.keyClick(pane, Qt.Key.Key_H)
    qtbot.keyClick(pane, Qt.Key.Key_V)
    assert (layer.inverted, viewport.flips) == (True, (True, True))
    qtbot.keyClick(pane, Qt.Key.Key_2)
    assert layer.window == DisplayWindow(-600.0, 1500.0)
    qtbot.keyClick(pane, Qt.Key.Key_0)
    assert layer.window.width > 100
    qtbot.keyClick(pane, Qt.Key.Key_Space)
    assert (layer.inverted, viewport.flips, viewport.is_fitted) == (False, (False, False), True)
    qtbot.keyClick(pane, Qt.Key.Key_Tab)
    assert not page.panel_area.isVisible()


def test_cine_runs_and_stops(page: ViewPage, qtbot: QtBot) -> None:
    pane = _pane(page, Plane.AXIAL)
    viewport = pane.viewport
    assert viewport is not None
    start = viewport.slice_number
    qtbot.keyClick(pane, Qt.Key.Key_C)
    qtbot.waitUntil(lambda: viewport.slice_number != start, timeout=2000)
    qtbot.keyClick(pane, Qt.Key.Key_C)
    assert not page.actions_of_keys.cine.isActive()


def test_real_is_left_synthetic_right_linked_with_badge(compared: ViewPage) -> None:
    left, right = compared.arrangement.layers
    assert (left.is_synthetic, right.is_synthetic) == (False, True)
    assert compared.arrangement.link_refusal(left, right) == ""
    amber = compared.theme.colour("synthetic")
    for number, pane in enumerate(compared.grid.widgets):
        image = pane.grab().toImage()
        strip = [image.pixelColor(x, 14) for x in range(image.width() - 90, image.width())]
        assert any(colour == amber for colour in strip) is (number >= 3)


def test_closing_lets_the_volume_go(page: ViewPage) -> None:
    import gc
    import weakref

    gone = weakref.ref(page.arrangement.layers[0].volume)
    page.close_volumes()
    gc.collect()
    assert gone() is None
