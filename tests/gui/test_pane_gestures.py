"""Touch pads: fingers go through slices, pinch at the pointer, move with Shift."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QNativeGestureEvent, QPointingDevice, QWheelEvent
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.gui.pane_gestures import PIXELS_PER_SLICE, PaneGestures
from carez_desktop.workspace.plane_basis import Plane
from carez_desktop.workspace.viewport import Viewport

NONE = Qt.KeyboardModifier.NoModifier


class _Pane(QWidget):
    """A pane that counts the wheel events that are left to it."""

    def __init__(self) -> None:
        super().__init__()
        axes = np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]], dtype=float)
        geometry = VolumeGeometry.from_parts((40, 64, 48), (3.0, 0.8, 1.1), (0, 0, 0), axes)
        self.viewport: Viewport | None = Viewport(Plane.AXIAL, geometry)
        self.viewport.resize(400, 300)
        self.left_to_it = 0
        PaneGestures(self, self)

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802 - Qt's name
        self.left_to_it += 1
        event.accept()


@pytest.fixture
def pane(qtbot: QtBot) -> _Pane:
    """A pane of 400 x 300 on a volume of 40 slices."""
    made = _Pane()
    made.resize(400, 300)
    qtbot.addWidget(made)
    return made


def _fingers(
    pane: _Pane,
    x: int,
    y: int,
    modifiers: Qt.KeyboardModifier = NONE,
    phase: Qt.ScrollPhase = Qt.ScrollPhase.ScrollUpdate,
) -> None:
    at = QPointF(100, 80)
    no_button = Qt.MouseButton.NoButton
    event = QWheelEvent(at, at, QPoint(x, y), QPoint(x, y), no_button, modifiers, phase, False)
    QApplication.sendEvent(pane, event)


def _native(pane: _Pane, kind: Qt.NativeGestureType, value: float, delta: QPointF) -> None:
    device = QPointingDevice.primaryPointingDevice()
    at = QPointF(100, 80)
    event = QNativeGestureEvent(kind, device, 2, at, at, at, value, delta)
    assert event.type() == QEvent.Type.NativeGesture
    QApplication.sendEvent(pane, event)


def test_fingers_go_one_slice_for_each_step_of_their_way(pane: _Pane) -> None:
    start = pane.viewport.slice_number
    step = int(PIXELS_PER_SLICE / 4)
    for _ in range(8):
        _fingers(pane, 0, -step)
    assert pane.viewport.slice_number == start + 2
    for _ in range(8):
        _fingers(pane, 0, step)
    assert pane.viewport.slice_number == start
    assert pane.left_to_it == 0


def test_fingers_with_shift_move_the_picture_by_their_way(pane: _Pane) -> None:
    x, y = pane.viewport.lps_to_pixel(pane.viewport.cursor_lps)
    _fingers(pane, 12, -7, Qt.KeyboardModifier.ShiftModifier)
    assert pane.viewport.lps_to_pixel(pane.viewport.cursor_lps) == pytest.approx((x + 12, y - 7))


def test_a_wheel_and_fingers_with_control_are_left_to_the_pane(pane: _Pane) -> None:
    _fingers(pane, 0, 120, phase=Qt.ScrollPhase.NoScrollPhase)
    _fingers(pane, 0, 30, Qt.KeyboardModifier.ControlModifier)
    assert pane.left_to_it == 2


def test_a_pinch_magnifies_about_the_fingers(pane: _Pane) -> None:
    scale = pane.viewport.mm_per_pixel
    under = pane.viewport.pixel_to_lps(100, 80)
    _native(pane, Qt.NativeGestureType.ZoomNativeGesture, 0.25, QPointF())
    assert pane.viewport.mm_per_pixel == pytest.approx(scale / 1.25)
    assert pane.viewport.lps_to_pixel(under) == pytest.approx((100, 80))
    _native(pane, Qt.NativeGestureType.SmartZoomNativeGesture, 1.0, QPointF())
    assert pane.viewport.is_fitted


def test_three_fingers_move_and_wild_values_stay_sane(pane: _Pane) -> None:
    x, y = pane.viewport.lps_to_pixel(pane.viewport.cursor_lps)
    _native(pane, Qt.NativeGestureType.PanNativeGesture, 0.0, QPointF(5, 9))
    assert pane.viewport.lps_to_pixel(pane.viewport.cursor_lps) == pytest.approx((x + 5, y + 9))
    scale = pane.viewport.mm_per_pixel
    _native(pane, Qt.NativeGestureType.ZoomNativeGesture, -3.0, QPointF())
    assert pane.viewport.mm_per_pixel == pytest.approx(scale * 5)


def test_an_empty_pane_takes_no_gesture(pane: _Pane) -> None:
    pane.viewport = None
    _fingers(pane, 0, -50)
    _native(pane, Qt.NativeGestureType.ZoomNativeGesture, 0.5, QPointF())
    assert pane.left_to_it == 1
