"""What the mouse does in a pane: window, pan, zoom, crosshair, lines of other planes, curtain."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QMouseEvent

from carez_desktop.rendering.annotations import PlaneLine
from carez_desktop.workspace.compare_settings import CompareMode
from carez_desktop.workspace.pane import Pane
from carez_desktop.workspace.viewport import Viewport

Drag = Callable[[QPointF, QPointF], None]
"""Takes where the pointer was and where it is, in logical pixels of the pane."""

ZOOM_PER_PIXEL = 1.006
_REACH = 9.0
_HANDLE_SHARE = 0.36

Button, Modifier = Qt.MouseButton, Qt.KeyboardModifier


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


def _distance(one: QPointF, other: QPointF) -> float:
    return math.hypot(one.x() - other.x(), one.y() - other.y())
