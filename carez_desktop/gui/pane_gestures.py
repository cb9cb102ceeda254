"""Touch pads and touch screens: two fingers go through slices, pinching magnifies.

Two fingers with Shift move the picture. A touch pad tells its scrolling in pixels (`pixelDelta`)
and its pinch as a native gesture (macOS, Wayland, X11 with XInput 2.4); Windows turns a pinch into
a wheel with Ctrl, which a pane takes anyway. A touch screen's pinch comes as `QPinchGesture`.
"""

from __future__ import annotations

from typing import Protocol

from PySide6.QtCore import QEvent, QObject, QPointF, Qt
from PySide6.QtGui import QNativeGestureEvent, QWheelEvent
from PySide6.QtWidgets import QGestureEvent, QPinchGesture, QWidget

from carez_desktop.workspace.viewport import Viewport

PIXELS_PER_SLICE = 24.0
"""Pixels that two fingers travel for one slice."""

_LEAST_FACTOR = 0.2
_MOST_FACTOR = 5.0
_NO_PHASE = Qt.ScrollPhase.NoScrollPhase


class ViewportHolder(Protocol):
    """A pane: whatever has a viewport, or none while it is empty."""

    @property
    def viewport(self) -> Viewport | None:
        """The viewport that gestures act on."""


class PaneGestures(QObject):
    """Gestures of one pane, taken before its own mouse handling."""

    def __init__(self, widget: QWidget, pane: ViewportHolder) -> None:
        """Watch a widget as long as it lives.

        Args:
            widget: Gets the events.
            pane: Tells the viewport; usually the widget itself.
        """
        super().__init__(widget)
        self._pane = pane
        self._travelled = 0.0
        widget.grabGesture(Qt.GestureType.PinchGesture)
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take gestures; everything else goes on to the pane."""
        viewport = self._pane.viewport
        if viewport is None:
            return super().eventFilter(watched, event)
        if isinstance(event, QNativeGestureEvent):
            return self._native(event, viewport)
        if isinstance(event, QWheelEvent):
            return self._scroll(event, viewport)
        if isinstance(event, QGestureEvent):
            return self._pinch(event, viewport)
        return super().eventFilter(watched, event)

    def _native(self, event: QNativeGestureEvent, viewport: Viewport) -> bool:
        kind = event.gestureType()
        at = event.position()
        if kind == Qt.NativeGestureType.ZoomNativeGesture:
            _zoom(viewport, 1.0 + event.value(), at)
        elif kind == Qt.NativeGestureType.PanNativeGesture:
            viewport.pan(event.delta().x(), event.delta().y())
        elif kind == Qt.NativeGestureType.SmartZoomNativeGesture:
            viewport.fit()
        else:
            return False
        event.accept()
        return True

    def _scroll(self, event: QWheelEvent, viewport: Viewport) -> bool:
        """Take the two fingers of a touch pad; a wheel with notches is the pane's."""
        delta = event.pixelDelta()
        if delta.isNull() or event.phase() == _NO_PHASE:
            return False
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            return False
        if event.phase() == Qt.ScrollPhase.ScrollBegin:
            self._travelled = 0.0
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            viewport.pan(delta.x(), delta.y())
        else:
            self._travelled += delta.y()
            slices = int(self._travelled / PIXELS_PER_SLICE)
            self._travelled -= slices * PIXELS_PER_SLICE
            if slices:
                viewport.scroll(-slices)
        event.accept()
        return True

    def _pinch(self, event: QGestureEvent, viewport: Viewport) -> bool:
        gesture = event.gesture(Qt.GestureType.PinchGesture)
        if not isinstance(gesture, QPinchGesture):
            return False
        centre, last = gesture.centerPoint(), gesture.lastCenterPoint()
        moved = centre - last
        if gesture.changeFlags() & QPinchGesture.ChangeFlag.CenterPointChanged:
            viewport.pan(moved.x(), moved.y())
        if gesture.changeFlags() & QPinchGesture.ChangeFlag.ScaleFactorChanged:
            _zoom(viewport, gesture.scaleFactor(), centre)
        event.accept()
        return True


def _zoom(viewport: Viewport, factor: float, at: QPointF) -> None:
    viewport.zoom(min(max(factor, _LEAST_FACTOR), _MOST_FACTOR), (at.x(), at.y()))
