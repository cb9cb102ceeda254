"""A pane: what one pane of the workspace shows, painted by a plain widget, with mouse bindings.

The picture is a QImage of device pixels; VTK only resamples voxels, so no window handle and no
OpenGL context is shared with Qt (decision record 0081).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
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

from carez_desktop.domain.patient_space import FloatArray
from carez_desktop.gui.pane_mouse import (
    Drag,
    begin_drag,
    curtain_place,
    line_handles,
    move_crosshair,
    what_is_at,
)
from carez_desktop.gui.pane_painter import PanePainter
from carez_desktop.gui.theme import Theme
from carez_desktop.rendering.annotations import PaneAnnotations, annotate_pane
from carez_desktop.rendering.display_values import layer_levels
from carez_desktop.rendering.overlay_mask import overlay_mask
from carez_desktop.rendering.slice_pipeline import SliceSampler, StackSampler, sampler_of
from carez_desktop.workspace.arrangement import Arrangement
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.pane import Pane
from carez_desktop.workspace.viewport import Viewport

SERIES_MIME = "application/x-carez-volume-id"
"""Drags of a series carry its volume id under this type."""

_WHEEL_NOTCH = 120
_ZOOM_PER_NOTCH = 1.15
_CURSORS = {
    "curtain": Qt.CursorShape.SplitHCursor,
    "turn": Qt.CursorShape.OpenHandCursor,
    "cross": Qt.CursorShape.SizeAllCursor,
}


class SlicePane(QWidget):
    """Show one pane; left window, middle pan, right zoom, wheel slice, Shift+move crosshair.

    Signals:
        maximise_requested: A double click.
        focused: The pane took the keyboard.
        tab_pressed: Tab, which folds the panel instead of leaving the pane.
        series_dropped(str): A series was dropped on it.
        region_drawn(tuple): A box drawn with Ctrl, (left, top, right, bottom) logical pixels.
        line_drawn(object, object): A line drawn with Alt, its ends in LPS mm of the pane's space.

    Attributes:
        pane: State of the workspace that it shows; None while unbound.
    """

    maximise_requested = Signal()
    focused = Signal()
    tab_pressed = Signal()
    series_dropped = Signal(str)
    region_drawn = Signal(tuple)
    line_drawn = Signal(object, object)

    def __init__(self, theme: Theme, arrangement: Arrangement, parent: QWidget | None) -> None:
        """Start black and empty."""
        super().__init__(parent)
        self.pane: Pane | None = None
        self.shows_crosshair = True
        self.shows_overlays = True
        self.progress_text = ""
        self._is_active = False
        self._theme = theme
        self._arrangement = arrangement
        self._viewport: Viewport | None = None
        self._sampled: Layer | None = None
        self._sampler: SliceSampler | StackSampler | None = None
        self._values: npt.NDArray[Any] | None = None
        self._values_key: tuple[Any, ...] = ()
        self._message = ""
        self._drag: Drag | None = None
        self._drawing: tuple[str, QPointF, QPointF] | None = None
        self._held = ""
        self._last = QPointF()
        self._wheel = 0
        self._lines: PaneAnnotations | None = None
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
        self.pane = pane
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
        if layer is not self._sampled:
            self._sampled, self._sampler = layer, None
            self._values, self._values_key = None, ()
        if viewport is not self._viewport:
            self._viewport, self._drag = viewport, None
            if viewport is not None and layer is not None:
                viewport.resize(self.width(), self.height())
                self.setAccessibleName(f"{viewport.plane.value} {layer.title}")
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
        pane, viewport, layer = self.pane, self.viewport, self.layer
        if pane is None or pane.base is None or viewport is None or layer is None:
            return None
        if self._sampler is None:
            self._sampler = sampler_of(layer)
        ratio = self.devicePixelRatioF()
        width = max(1, round(self.width() * ratio))
        height = max(1, round(self.height() * ratio))
        grid = viewport.pixel_grid(ratio)
        key = (grid.tobytes(), width, height, layer.interpolated, viewport.array_index)
        if self._values is None or key != self._values_key:
            self._values = self._sampler.at(viewport.array_index).sample(
                pane.base.to_layer @ grid, width, height, interpolated=layer.interpolated
            )
            self._values_key = key
        image = _to_image(layer_levels(self._values, layer))
        self._paint_overlays(image, viewport, layer, grid)
        image.setDevicePixelRatio(ratio)
        return image

    def _paint_overlays(
        self, image: QImage, viewport: Viewport, layer: Layer, grid: FloatArray
    ) -> None:
        """Paint the source's graphics where the pane shows slices as they were acquired."""
        if not self.shows_overlays or viewport.is_oblique or viewport.basis.grid_axis != 0:
            return
        overlays = layer.overlays_at(viewport.array_index)
        if not overlays:
            return
        width, height = image.width(), image.height()
        mask = overlay_mask(overlays, viewport.geometry, grid, width, height)
        ink = self._theme.colour("overlay")
        colour = np.array([ink.blue(), ink.green(), ink.red(), 255], np.uint8)
        pixels = np.ascontiguousarray(mask[..., None] * colour)
        graphics = QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_ARGB32)
        painter = QPainter(image)
        painter.drawImage(0, 0, graphics)
        painter.end()

    def annotations(self) -> PaneAnnotations | None:
        """Return what is written over the picture, as plain data; None while empty."""
        if self.pane is None or self.pane.base is None:
            return None
        group = self._arrangement.group_of(self.pane.base.layer)
        return annotate_pane(self.pane, group.viewports)

    def paintEvent(self, _: QPaintEvent) -> None:
        """Paint the slice, then what is written over it."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), self._theme.colour("canvas"))
        overlay = PanePainter(painter, self._theme, self.width(), self.height())
        image = self.picture()
        note = self.annotations()
        self._lines = note
        if image is None or note is None or self.pane is None:
            overlay.paint_empty(self._message, focused=self._is_active)
            return
        painter.drawImage(0, 0, image)
        overlay.paint(note, focused=self._is_active, crosshair=self.shows_crosshair)
        if self.shows_crosshair and self.underMouse() and self.viewport is not None:
            for line in note.lines:
                overlay.paint_handles(line.plane, line_handles(self.viewport, line))
        self._paint_curtain(painter)
        self._paint_drawing(painter)
        overlay.paint_progress(self.progress_text)

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
        if self._drawing is None:
            return
        what, start, stop = self._drawing
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
        self._last = event.position()
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        pane, viewport = self.pane, self.viewport
        if pane is None or viewport is None:
            return
        if event.button() == Qt.MouseButton.LeftButton:
            drawn = {
                Qt.KeyboardModifier.ControlModifier: "region",
                Qt.KeyboardModifier.AltModifier: "line",
            }.get(event.modifiers())
            if drawn is not None:
                self._drawing = (drawn, event.position(), event.position())
                return
        self._held = self._under(event.position())
        self._drag = begin_drag(event, pane, self._held, self._turn_others)
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            move_crosshair(viewport, event.position())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag, or carry the crosshair with Shift."""
        viewport = self.viewport
        if viewport is None:
            return
        was, self._last = self._last, event.position()
        if self._drawing is not None:
            what, start, _ = self._drawing
            self._drawing = (what, start, event.position())
            self.update()
        elif event.buttons() and self._drag is not None:
            self._drag(was, event.position())
        elif event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            move_crosshair(viewport, event.position())
        elif not event.buttons():
            self._show_cursor(self._under(event.position()))

    def mouseReleaseEvent(self, _: QMouseEvent) -> None:
        """End a drag; tell of a region or a line."""
        self._drag = None
        drawing, self._drawing = self._drawing, None
        viewport = self.viewport
        if drawing is None or viewport is None:
            return
        self.update()
        what, start, stop = drawing
        if (stop - start).manhattanLength() < 3:
            return
        if what == "region":
            box = QRectF(start, stop).normalized()
            self.region_drawn.emit((box.left(), box.top(), box.right(), box.bottom()))
        else:
            ends = [viewport.pixel_to_lps(point.x(), point.y()) for point in (start, stop)]
            self.line_drawn.emit(*ends)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Maximise, or return from it."""
        if event.button() == Qt.MouseButton.LeftButton:
            self.maximise_requested.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Go through the slices; with Ctrl magnify at the pointer."""
        viewport = self.viewport
        if viewport is None:
            return
        self._wheel += event.angleDelta().y()
        notches = int(self._wheel / _WHEEL_NOTCH)
        self._wheel -= notches * _WHEEL_NOTCH
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            at = event.position()
            viewport.zoom(_ZOOM_PER_NOTCH**notches, (at.x(), at.y()))
        elif notches:
            viewport.scroll(-notches)
        event.accept()

    def enterEvent(self, event: QEnterEvent) -> None:
        """Show where the lines are taken hold of."""
        super().enterEvent(event)
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        """Hide the handles."""
        super().leaveEvent(event)
        self.update()

    def _under(self, at: QPointF) -> str:
        if self.pane is None or self._lines is None:
            return ""
        lines = self._lines.lines if self.shows_crosshair else ()
        return what_is_at(self.pane, lines, at, (self.width(), self.height()))

    def _show_cursor(self, held: str) -> None:
        if held == "curtain" and self.pane is not None and not self.pane.settings.is_vertical:
            self.setCursor(Qt.CursorShape.SplitVCursor)
        elif held:
            self.setCursor(_CURSORS[held])
        else:
            self.unsetCursor()

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


def _to_image(levels: npt.NDArray[np.uint8]) -> QImage:
    """Return greys (height, width) or colours (height, width, 3) as a picture of its own memory."""
    height, width = levels.shape[:2]
    if levels.ndim == 3:
        colours = np.ascontiguousarray(levels)
        picture = QImage(colours.data, width, height, 3 * width, QImage.Format.Format_RGB888)
        return picture.convertToFormat(QImage.Format.Format_RGB32)
    return QImage(levels.data, width, height, width, QImage.Format.Format_Grayscale8).copy()
