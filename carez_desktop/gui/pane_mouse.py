"""What the mouse does in a pane: window, pan, zoom, crosshair, lines of other planes, curtain.

With Ctrl the left button draws a region, with Alt a line; both are told, not acted on.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QObject, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QWidget

from carez_desktop.rendering.annotations import PlaneLine
from carez_desktop.workspace.compare_settings import CompareMode
from carez_desktop.workspace.pane import Pane
from carez_desktop.workspace.viewport import Viewport

Drag = Callable[[QPointF, QPointF], None]
"""Takes where the pointer was and where it is, in logical pixels of the pane."""

ZOOM_PER_PIXEL = 1.006
_REACH = 9.0
_HANDLE_SHARE = 0.36
_LEAST_DRAWN = 3
_WHEEL_NOTCH = 120
_ZOOM_PER_NOTCH = 1.15

Button, Modifier = Qt.MouseButton, Qt.KeyboardModifier

_DRAWN = {Modifier.ControlModifier: "region", Modifier.AltModifier: "line"}
_CURSORS = {
    "curtain": Qt.CursorShape.SplitHCursor,
    "turn": Qt.CursorShape.OpenHandCursor,
    "cross": Qt.CursorShape.SizeAllCursor,
}


def line_handles(viewport: Viewport, line: PlaneLine) -> tuple[QPointF, QPointF]:
    """Return where a line is taken hold of to turn its plane: on either side of the crosshair."""
    x, y = viewport.lps_to_pixel(viewport.cursor_lps)
    dx, dy = line.stop[0] - line.start[0], line.stop[1] - line.start[1]
    length = math.hypot(dx, dy) or 1.0
    away = min(viewport.size) * _HANDLE_SHARE
    step = QPointF(dx, dy) * (away / length)
    return (QPointF(x, y) - step, QPointF(x, y) + step)


def curtain_place(pane: Pane, width: int, height: int) -> float | None:
    """Return where the curtain of a swipe lies, in logical pixels across or down; None for none."""
    settings = pane.settings
    if not pane.is_comparing or settings.mode is not CompareMode.SWIPE:
        return None
    return settings.curtain * (width if settings.is_vertical else height)


def what_is_at(pane: Pane, lines: tuple[PlaneLine, ...], at: QPointF, size: tuple[int, int]) -> str:
    """Name what the pointer would take hold of: `curtain`, `turn`, `cross` or "" for the picture.

    Args:
        pane: Its state.
        lines: Of other planes as they are painted.
        at: Logical pixel of the pointer.
        size: (width, height) of the pane in logical pixels.
    """
    viewport = pane.viewport
    if viewport is None:
        return ""
    edge = curtain_place(pane, *size)
    along = at.x() if pane.settings.is_vertical else at.y()
    if edge is not None and abs(along - edge) <= _REACH:
        return "curtain"
    if not lines:
        return ""
    cursor = QPointF(*viewport.lps_to_pixel(viewport.cursor_lps))
    if _distance(at, cursor) <= _REACH:
        return "cross"
    handles = [handle for line in lines for handle in line_handles(viewport, line)]
    return "turn" if any(_distance(at, handle) <= _REACH for handle in handles) else ""


def begin_drag(
    event: QMouseEvent, pane: Pane, held: str, turn_others: Callable[[float], None]
) -> Drag | None:
    """Choose what a drag does by its button, its modifiers and what it took hold of.

    Args:
        event: The press.
        pane: State of the pane.
        held: As `what_is_at` names it.
        turn_others: Turns the planes of the lines about the crosshair, by radians.
    """
    viewport, base = pane.viewport, pane.base
    if viewport is None or base is None:
        return None
    shifted = bool(event.modifiers() & Modifier.ShiftModifier)
    if event.button() == Button.MiddleButton:
        return lambda was, now: viewport.pan(now.x() - was.x(), now.y() - was.y())
    if event.button() == Button.RightButton:
        return lambda was, now: viewport.zoom(ZOOM_PER_PIXEL ** (was.y() - now.y()))
    if event.button() != Button.LeftButton or event.modifiers() & ~Modifier.ShiftModifier:
        return None
    if shifted or held == "cross":
        return lambda _, now: move_crosshair(viewport, now)
    if held == "turn":
        return lambda was, now: turn_others(_angle(viewport, was, now))
    if held == "curtain":
        return lambda _, now: _draw_curtain(pane, viewport, now)
    return _window_drag(pane)


def move_crosshair(viewport: Viewport, at: QPointF) -> None:
    """Carry the crosshair to a logical pixel; linked panes follow."""
    viewport.cursor_lps = viewport.pixel_to_lps(at.x(), at.y())


def _window_drag(pane: Pane) -> Drag | None:
    base = pane.base
    if base is None or base.layer.volume.is_colour:
        return None
    layer = base.layer

    def drag(was: QPointF, now: QPointF) -> None:
        delta = now - was
        layer.window = layer.window.dragged(delta.x(), delta.y(), step=layer.drag_step)

    return drag


def _draw_curtain(pane: Pane, viewport: Viewport, at: QPointF) -> None:
    width, height = viewport.size
    share = at.x() / width if pane.settings.is_vertical else at.y() / height
    pane.set_settings(replace(pane.settings, curtain=min(max(share, 0.0), 1.0)))


def _angle(viewport: Viewport, was: QPointF, now: QPointF) -> float:
    """Radians, clockwise on the screen, from one place to another about the crosshair."""
    x, y = viewport.lps_to_pixel(viewport.cursor_lps)
    before = math.atan2(was.y() - y, was.x() - x)
    after = math.atan2(now.y() - y, now.x() - x)
    return math.remainder(after - before, math.tau)


def drag_title(event: QMouseEvent, held: str) -> str:
    """Name what a drag changes, for the list of what can be undone."""
    if event.button() == Button.MiddleButton:
        return "Move"
    if event.button() == Button.RightButton:
        return "Zoom"
    return {"curtain": "Curtain", "turn": "Turn the planes", "cross": "Crosshair"}.get(
        held, "Window"
    )


class PaneMouse(QObject):
    """The mouse of one pane, from press to release.

    Signals:
        region_drawn(tuple): (left, top, right, bottom) logical pixels.
        line_drawn(object, object): Ends of a line in LPS mm of the pane's space.
        drag_began(str): A drag that changes the view; its name.
        drag_ended: It is over.

    Attributes:
        pane: What it acts on; None while the widget is unbound.
        drawing: What is being drawn (`region`, `line`), from where, to where; None for nothing.
    """

    region_drawn = Signal(tuple)
    line_drawn = Signal(object, object)
    drag_began = Signal(str)
    drag_ended = Signal()

    def __init__(
        self,
        widget: QWidget,
        lines: Callable[[], tuple[PlaneLine, ...]],
        turn_others: Callable[[float], None],
    ) -> None:
        """Serve a widget.

        Args:
            widget: Its events are handed on.
            lines: Of other planes, as they are painted.
            turn_others: Turns the planes of the lines about the crosshair, by radians.
        """
        super().__init__(widget)
        self.pane: Pane | None = None
        self.drawing: tuple[str, QPointF, QPointF] | None = None
        self._widget = widget
        self._lines = lines
        self._turn_others = turn_others
        self._drag: Drag | None = None
        self._last = QPointF()
        self._wheel = 0

    def let_go(self) -> None:
        """Forget a drag: the pane shows something else now."""
        if self._drag is not None:
            self.drag_ended.emit()
        self._drag = self.drawing = None

    def press(self, event: QMouseEvent) -> None:
        """Begin a drag."""
        self._last = event.position()
        pane = self.pane
        if pane is None or pane.viewport is None:
            return
        drawn = _DRAWN.get(event.modifiers()) if event.button() == Button.LeftButton else None
        if drawn is not None:
            self.drawing = (drawn, event.position(), event.position())
            return
        held = self._under(event.position())
        self._drag = begin_drag(event, pane, held, self._turn_others)
        if self._drag is not None:
            self.drag_began.emit(drag_title(event, held))
        if event.modifiers() & Modifier.ShiftModifier:
            move_crosshair(pane.viewport, event.position())

    def move(self, event: QMouseEvent) -> None:
        """Drag, or carry the crosshair with Shift."""
        viewport = self.pane.viewport if self.pane is not None else None
        if viewport is None:
            return
        was, self._last = self._last, event.position()
        if self.drawing is not None:
            what, start, _ = self.drawing
            self.drawing = (what, start, event.position())
            self._widget.update()
        elif event.buttons() and self._drag is not None:
            self._drag(was, event.position())
        elif event.modifiers() & Modifier.ShiftModifier:
            move_crosshair(viewport, event.position())
        elif not event.buttons():
            self._show_cursor(self._under(event.position()))

    def release(self) -> None:
        """End a drag; tell of a region or a line."""
        drawing = self.drawing
        self.let_go()
        viewport = self.pane.viewport if self.pane is not None else None
        if drawing is None or viewport is None:
            return
        self._widget.update()
        what, start, stop = drawing
        if (stop - start).manhattanLength() < _LEAST_DRAWN:
            return
        if what == "region":
            box = QRectF(start, stop).normalized()
            self.region_drawn.emit((box.left(), box.top(), box.right(), box.bottom()))
        else:
            ends = [viewport.pixel_to_lps(point.x(), point.y()) for point in (start, stop)]
            self.line_drawn.emit(*ends)

    def wheel(self, event: QWheelEvent) -> None:
        """Go through the slices; with Ctrl magnify at the pointer."""
        viewport = self.pane.viewport if self.pane is not None else None
        if viewport is None:
            return
        self._wheel += event.angleDelta().y()
        notches = int(self._wheel / _WHEEL_NOTCH)
        self._wheel -= notches * _WHEEL_NOTCH
        if event.modifiers() & Modifier.ControlModifier:
            at = event.position()
            viewport.zoom(_ZOOM_PER_NOTCH**notches, (at.x(), at.y()))
        elif notches:
            viewport.scroll(-notches)
        event.accept()

    def _under(self, at: QPointF) -> str:
        if self.pane is None:
            return ""
        size = (self._widget.width(), self._widget.height())
        return what_is_at(self.pane, self._lines(), at, size)

    def _show_cursor(self, held: str) -> None:
        if held == "curtain" and self.pane is not None and not self.pane.settings.is_vertical:
            self._widget.setCursor(Qt.CursorShape.SplitVCursor)
        elif held:
            self._widget.setCursor(_CURSORS[held])
        else:
            self._widget.unsetCursor()


def _distance(one: QPointF, other: QPointF) -> float:
    return math.hypot(one.x() - other.x(), one.y() - other.y())
