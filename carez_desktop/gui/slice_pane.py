"""A pane: what one pane of the workspace shows, painted by a plain widget, with mouse bindings.

The picture is a QImage of device pixels; VTK only resamples voxels, so no window handle and no
OpenGL context is shared with Qt (decision record 0081).
"""

from __future__ import annotations

import logging
from dataclasses import replace
from traceback import format_exception

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QDragEnterEvent,
    QDropEvent,
    QEnterEvent,
    QFocusEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from carez_desktop.errors import CarezError
from carez_desktop.gui.pane_gestures import PaneGestures
from carez_desktop.gui.pane_mouse import PaneMouse, curtain_place, line_handles
from carez_desktop.gui.pane_painter import PanePainter
from carez_desktop.gui.theme import Theme
from carez_desktop.rendering.annotations import PaneAnnotations, PlaneLine, annotate_pane
from carez_desktop.rendering.compare_words import colour_bar_of, mode_text
from carez_desktop.rendering.corner_texts import window_text
from carez_desktop.rendering.pane_picture import PaneRenderer
from carez_desktop.rendering.pixels import Pixels
from carez_desktop.workspace.arrangement import Arrangement
from carez_desktop.workspace.compare_settings import CompareMode
from carez_desktop.workspace.display_options import DisplayOptions
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.pane import Pane
from carez_desktop.workspace.viewport import Viewport

SERIES_MIME = "application/x-carez-volume-id"
"""Drags of a series carry its volume id under this type."""

_SETTLE_MILLISECONDS = 150
_log = logging.getLogger(__name__)
_FAILURES = (CarezError, ArithmeticError, LookupError, MemoryError, RuntimeError, ValueError)


class SlicePane(QWidget):
    """Show one pane; left window, middle pan, right zoom, wheel slice, Shift+move crosshair.

    Signals:
        maximise_requested: A double click.
        focused: The pane took the keyboard.
        tab_pressed: Tab, which folds the panel instead of leaving the pane.
        series_dropped(str): A series was dropped on it.
        region_drawn(tuple): A box drawn with Ctrl, (left, top, right, bottom) logical pixels.
        line_drawn(object, object): A line drawn with Alt, its ends in LPS mm of the pane's space.

        drag_began(str), drag_ended: A drag that changes the view, by its name.

    Attributes:
        pane: State of the workspace that it shows; None while unbound.
        renderer: Makes its pixels; None while unbound.
        options: What is written over it.
    """

    maximise_requested = Signal()
    focused = Signal()
    tab_pressed = Signal()
    series_dropped = Signal(str)
    region_drawn = Signal(tuple)
    line_drawn = Signal(object, object)
    drag_began = Signal(str)
    drag_ended = Signal()

    def __init__(self, theme: Theme, arrangement: Arrangement, parent: QWidget | None) -> None:
        """Start black and empty."""
        super().__init__(parent)
        self.pane: Pane | None = None
        self.shows_crosshair = True
        self.shows_overlays = True
        self.shows_colour_bar = True
        self.options = DisplayOptions()
        self.progress_text = ""
        self._is_active = False
        self._pixels: Pixels = np.zeros((1, 1), np.uint32)
        self._theme = theme
        self._arrangement = arrangement
        self._viewport: Viewport | None = None
        self.renderer: PaneRenderer | None = None
        self._message = self._failure = ""
        self._lines: tuple[PlaneLine, ...] = ()
        # An oblique slab is coarse while it moves, and fine once it rests.
        self._is_moving = False
        self._settled = QTimer(self)
        self._settled.setSingleShot(True)
        self._settled.setInterval(_SETTLE_MILLISECONDS)
        self._settled.timeout.connect(self._settle)
        self.mouse = PaneMouse(self, lambda: self._lines, self._turn_others)
        self.mouse.region_drawn.connect(self.region_drawn)
        self.mouse.line_drawn.connect(self.line_drawn)
        PaneGestures(self, self)
        self.mouse.drag_began.connect(self.drag_began)
        self.mouse.drag_ended.connect(self.drag_ended)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self.setMinimumSize(80, 80)
        self.setAcceptDrops(True)

    # -- what it shows -------------------------------------------------------------------------

    @property
    def layer(self) -> Layer | None:
        """The layer whose window counts; None while empty."""
        base = self.pane.base if self.pane is not None else None
        return base.layer if base is not None else None

    @property
    def viewport(self) -> Viewport | None:
        """Plane and magnification; None while empty."""
        return self.pane.viewport if self.pane is not None else None

    @property
    def message(self) -> str:
        """What it says while it is empty."""
        return self._message

    def bind(self, pane: Pane | None) -> None:
        """Show another pane of the workspace, or none."""
        if pane is self.pane:
            return
        if self.pane is not None:
            self.pane.changed.disconnect(self._follow)
        self.pane = self.mouse.pane = pane
        self.renderer = PaneRenderer(pane) if pane is not None else None
        self._message = self.progress_text = ""
        if pane is not None:
            pane.changed.connect(self._follow)
        self._follow()

    def say(self, message: str) -> None:
        """Tell why the pane is empty."""
        if message != self._message:
            self._message = message
            self.update()

    def show_progress(self, text: str) -> None:
        """Say how far something has been read; "" when it is there."""
        if text != self.progress_text:
            self.progress_text = text
            self.update()

    def set_active(self, active: bool) -> None:
        """Frame the pane that keys act on."""
        if active != self._is_active:
            self._is_active = active
            self.update()

    def _follow(self) -> None:
        viewport, layer = self.viewport, self.layer
        self._failure = ""
        if viewport is not None and viewport.is_oblique and viewport.slab.is_thick:
            self._is_moving = True
            self._settled.start()
        if viewport is not self._viewport:
            self._viewport = viewport
            self.mouse.let_go()
            if viewport is None and self.pane is not None:
                # A new one keeps nothing of what was shown.
                self.renderer = PaneRenderer(self.pane)
            if viewport is not None and layer is not None:
                viewport.resize(self.width(), self.height())
                self.setAccessibleName(f"{viewport.plane.value} {layer.title}")
        self.update()

    def _settle(self) -> None:
        self._is_moving = False
        self.update()

    def sizeHint(self) -> QSize:
        """Ask for a square; the layout decides."""
        return QSize(400, 400)

    def focusNextPrevChild(self, _: bool) -> bool:
        """Leave Tab to the page, which folds its panel."""
        return False

    # -- painting ------------------------------------------------------------------------------

    def picture(self) -> QImage | None:
        """Return the slice as device pixels, with the source's graphics; None while empty."""
        image = self._image(quick=False)
        return image.copy() if image is not None else None

    def _image(self, *, quick: bool) -> QImage | None:
        """As `picture`, on memory that lasts until the next one; quick ones may be coarse."""
        pane, renderer = self.pane, self.renderer
        if pane is None or pane.base is None or renderer is None:
            return None
        ratio = self.devicePixelRatioF()
        width = max(1, round(self.width() * ratio))
        height = max(1, round(self.height() * ratio))
        self._pixels = renderer.pixels(width, height, ratio, quick=quick)
        if self.shows_overlays:
            mask = renderer.graphics(width, height, ratio)
            if mask is not None:
                self._pixels[mask] = self._theme.colour("overlay").rgb()
        image = QImage(self._pixels.data, width, height, 4 * width, QImage.Format.Format_RGB32)
        image.setDevicePixelRatio(ratio)
        return image

    def annotations(self) -> PaneAnnotations | None:
        """Return what is written over the picture, as plain data; None while empty."""
        if self.pane is None or self.pane.base is None:
            return None
        group = self._arrangement.group_of(self.pane.base.layer)
        note = annotate_pane(self.pane, group.viewports, self.options)
        mode = mode_text(self.pane, self._difference_limit())
        if note is None or not mode:
            return note
        told = note.bottom_left
        if self.pane.settings.mode is CompareMode.DIFFERENCE:
            # The window of the base means nothing for a difference.
            told = tuple(line for line in told if line != window_text(self.pane.base.layer))
        return replace(note, bottom_left=(*told, mode))

    def _difference_limit(self) -> float:
        """Return the ends of the scale where a difference is shown, else 0."""
        pane, renderer = self.pane, self.renderer
        if pane is None or renderer is None or not pane.is_comparing or renderer.refusal:
            return 0.0
        return renderer.difference_limit if pane.settings.mode is CompareMode.DIFFERENCE else 0.0

    def paintEvent(self, _: QPaintEvent) -> None:
        """Paint the slice, then what is written over it; where that fails, say why."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), self._theme.colour("canvas"))
        overlay = PanePainter(painter, self._theme, self.width(), self.height())
        note = None
        if not self._failure:
            try:
                note = self._paint_picture(painter)
            except _FAILURES as error:
                # As text: a kept traceback would keep the painter beyond its widget, which crashes.
                _log.error("A pane cannot be painted: %s", "".join(format_exception(error)))
                self._failure = f"This cannot be painted: {error or type(error).__name__}"
        self._lines = note.lines if note is not None and self.shows_crosshair else ()
        if note is None or self.viewport is None:
            overlay.paint_empty(self._failure or self._message, focused=self._is_active)
            return
        overlay.paint(note, focused=self._is_active, crosshair=self.shows_crosshair)
        if self.underMouse():
            for line in self._lines:
                overlay.paint_handles(line.plane, line_handles(self.viewport, line))
        bar = colour_bar_of(self.pane, self._difference_limit()) if self.pane is not None else None
        if bar is not None and self.shows_colour_bar:
            overlay.paint_colour_bar(bar)
        self._paint_curtain(painter)
        self._paint_drawing(painter)
        refusal = self.renderer.refusal if self.renderer is not None else ""
        overlay.paint_progress(self.progress_text or refusal)

    def _paint_picture(self, painter: QPainter) -> PaneAnnotations | None:
        image, note = self._image(quick=self._is_moving), self.annotations()
        if image is not None:
            painter.drawImage(0, 0, image)
        return note

    def _paint_curtain(self, painter: QPainter) -> None:
        if self.pane is None:
            return
        edge = curtain_place(self.pane, self.width(), self.height())
        if edge is None:
            return
        painter.setPen(QPen(self._theme.colour("accent"), 1.0))
        if self.pane.settings.is_vertical:
            painter.drawLine(QPointF(edge, 0), QPointF(edge, self.height()))
        else:
            painter.drawLine(QPointF(0, edge), QPointF(self.width(), edge))

    def _paint_drawing(self, painter: QPainter) -> None:
        if self.mouse.drawing is None:
            return
        what, start, stop = self.mouse.drawing
        painter.setPen(QPen(self._theme.colour("accent"), 1.0, Qt.PenStyle.DashLine))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if what == "region":
            painter.drawRect(QRectF(start, stop).normalized())
        else:
            painter.drawLine(start, stop)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Tell the viewport its new size."""
        if self.viewport is not None:
            self.viewport.resize(event.size().width(), event.size().height())

    # -- mouse ---------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin a drag."""
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        self.mouse.press(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag, or carry the crosshair with Shift."""
        self.mouse.move(event)

    def mouseReleaseEvent(self, _: QMouseEvent) -> None:
        """End a drag; tell of a region or a line."""
        self.mouse.release()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Maximise, or return from it."""
        if event.button() == Qt.MouseButton.LeftButton:
            self.maximise_requested.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Go through the slices; with Ctrl magnify at the pointer."""
        self.mouse.wheel(event)

    def enterEvent(self, event: QEnterEvent) -> None:
        """Show where the lines are taken hold of."""
        super().enterEvent(event)
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        """Hide the handles."""
        super().leaveEvent(event)
        self.update()

    def _turn_others(self, angle: float) -> None:
        if self.layer is not None and self.viewport is not None:
            self._arrangement.group_of(self.layer).turn_others(self.viewport, angle)
            self.update()

    # -- keyboard and drops --------------------------------------------------------------------

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Tell the page which pane has the keyboard."""
        super().focusInEvent(event)
        self.focused.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Keep Tab from the parents, which would move the focus; the page takes all else."""
        if event.key() == Qt.Key.Key_Tab:
            self.tab_pressed.emit()
        else:
            super().keyPressEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take a series; what else is dragged belongs to the window."""
        if event.mimeData().hasFormat(SERIES_MIME):
            event.acceptProposedAction()
        else:
            event.ignore()

    def dropEvent(self, event: QDropEvent) -> None:
        """Ask for the dropped series."""
        volume_id = bytes(event.mimeData().data(SERIES_MIME).data()).decode()
        event.acceptProposedAction()
        self.series_dropped.emit(volume_id)
