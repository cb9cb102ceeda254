"""A pane: one plane of one volume, painted by a plain widget, with the mouse bindings.

The picture is a QImage of device pixels; VTK only resamples voxels, so no window handle and no
OpenGL context is shared with Qt (decision record 0081).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QPointF, QSize, Qt, Signal
from PySide6.QtGui import (
    QFocusEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from carez_desktop.gui.pane_painter import PanePainter
from carez_desktop.gui.theme import Theme
from carez_desktop.rendering.annotations import annotate
from carez_desktop.rendering.display_values import layer_levels
from carez_desktop.rendering.overlay_mask import overlay_mask
from carez_desktop.rendering.slice_pipeline import SliceSampler, StackSampler
from carez_desktop.workspace.comparison import ViewSlot

_WHEEL_NOTCH = 120
_ZOOM_PER_PIXEL = 1.006
_ZOOM_PER_NOTCH = 1.15


class SlicePane(QWidget):
    """Show one slot; left window, middle pan, right zoom, wheel slice, Shift+move crosshair.

    Signals:
        maximise_requested: A double click.
        focused: The pane took the keyboard.
        tab_pressed: Tab, which folds the panel instead of leaving the pane.
    """

    maximise_requested = Signal()
    focused = Signal()
    tab_pressed = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        """Start black and empty."""
        super().__init__(parent)
        self.slot: ViewSlot | None = None
        self.shows_crosshair = True
        self.shows_overlays = True
        self.progress_text = ""
        self._theme = theme
        self._sampler: SliceSampler | StackSampler | None = None
        self._values: npt.NDArray[Any] | None = None
        self._values_key: tuple[Any, ...] = ()
        self._message = ""
        self._last = QPointF()
        self._wheel = 0
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self.setMinimumSize(80, 80)

    def show_slot(self, slot: ViewSlot, sampler: SliceSampler | StackSampler) -> None:
        """Show a layer through a viewport."""
        self.release()
        self.slot = slot
        self._sampler = sampler
        self._message = ""
        self.progress_text = ""
        slot.viewport.resize(self.width(), self.height())
        slot.viewport.changed.connect(self._refresh)
        slot.layer.changed.connect(self._refresh)
        self.setAccessibleName(f"{slot.viewport.plane.value} {slot.layer.title}")
        self.update()

    def show_progress(self, text: str) -> None:
        """Say how far the rest has been read; "" when it is there."""
        if text != self.progress_text:
            self.progress_text = text
            self.update()

    def release(self, message: str = "") -> None:
        """Let go of the volume; the pane says why it is empty."""
        if self.slot is not None:
            self.slot.viewport.changed.disconnect(self._refresh)
            self.slot.layer.changed.disconnect(self._refresh)
        self.slot = None
        self._sampler = None
        self._values = None
        self._values_key = ()
        self._message = message
        self.update()

    def sizeHint(self) -> QSize:
        """Ask for a square; the layout decides."""
        return QSize(400, 400)

    def focusNextPrevChild(self, _: bool) -> bool:
        """Leave Tab to the page, which folds its panel."""
        return False

    # -- painting ------------------------------------------------------------------------------

    def _refresh(self) -> None:
        self.update()

    def picture(self) -> QImage | None:
        """Return the slice as device pixels, with the source's graphics; None while empty."""
        if self.slot is None or self._sampler is None:
            return None
        ratio = self.devicePixelRatioF()
        width = max(1, round(self.width() * ratio))
        height = max(1, round(self.height() * ratio))
        viewport, layer = self.slot.viewport, self.slot.layer
        grid = viewport.pixel_grid(ratio)
        key = (grid.tobytes(), width, height, layer.interpolated, viewport.array_index)
        if self._values is None or key != self._values_key:
            self._values = self._sampler.at(viewport.array_index).sample(
                grid, width, height, interpolated=layer.interpolated
            )
            self._values_key = key
        image = _to_image(layer_levels(self._values, layer))
        self._paint_overlays(image, self.slot, grid)
        image.setDevicePixelRatio(ratio)
        return image

    def _paint_overlays(self, image: QImage, slot: ViewSlot, grid: npt.NDArray[Any]) -> None:
        """Paint the source's graphics where the pane shows slices as they were acquired."""
        viewport = slot.viewport
        if not self.shows_overlays or viewport.basis.grid_axis != 0:
            return
        overlays = slot.layer.overlays_at(viewport.array_index)
        if not overlays:
            return
        width, height = image.width(), image.height()
        mask = overlay_mask(overlays, viewport.geometry, grid, width, height)
        ink = self._theme.colour("overlay")
        colour = np.array([ink.blue(), ink.green(), ink.red(), 255], np.uint8)
        pixels = np.ascontiguousarray(mask[..., None] * colour)
        layer = QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_ARGB32)
        painter = QPainter(image)
        painter.drawImage(0, 0, layer)
        painter.end()

    def paintEvent(self, _: QPaintEvent) -> None:
        """Paint the slice, then what is written over it."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), self._theme.colour("canvas"))
        image = self.picture()
        if image is None or self.slot is None:
            painter.setPen(self._theme.colour("muted"))
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(self.rect().adjusted(16, 16, -16, -16), flags, self._message)
            return
        painter.drawImage(0, 0, image)
        note = annotate(self.slot.viewport, self.slot.layer)
        overlay = PanePainter(painter, self._theme, self.width(), self.height())
        overlay.paint(note, focused=self.hasFocus(), crosshair=self.shows_crosshair)
        overlay.paint_progress(self.progress_text)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Tell the viewport its new size."""
        if self.slot is not None:
            self.slot.viewport.resize(event.size().width(), event.size().height())

    # -- mouse ---------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin a drag."""
        self._last = event.position()
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self._move_crosshair(event.position())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag, or carry the crosshair with Shift."""
        if self.slot is None:
            return
        delta = event.position() - self._last
        self._last = event.position()
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self._move_crosshair(event.position())
        elif event.buttons() & Qt.MouseButton.LeftButton:
            layer = self.slot.layer
            if layer.volume.is_colour:
                return
            layer.window = layer.window.dragged(delta.x(), delta.y(), step=layer.drag_step)
        elif event.buttons() & Qt.MouseButton.MiddleButton:
            self.slot.viewport.pan(delta.x(), delta.y())
        elif event.buttons() & Qt.MouseButton.RightButton:
            self.slot.viewport.zoom(_ZOOM_PER_PIXEL ** -delta.y())

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Maximise, or return from it."""
        if event.button() == Qt.MouseButton.LeftButton:
            self.maximise_requested.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Go through the slices; with Ctrl magnify at the pointer."""
        if self.slot is None:
            return
        self._wheel += event.angleDelta().y()
        notches = int(self._wheel / _WHEEL_NOTCH)
        self._wheel -= notches * _WHEEL_NOTCH
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            at = event.position()
            self.slot.viewport.zoom(_ZOOM_PER_NOTCH**notches, (at.x(), at.y()))
        elif notches:
            self.slot.viewport.scroll(-notches)
        event.accept()

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Tell the page which pane has the keyboard."""
        super().focusInEvent(event)
        self.focused.emit()
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Paint without the frame."""
        super().focusOutEvent(event)
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Keep Tab from the parents, which would move the focus; the page takes all else."""
        if event.key() == Qt.Key.Key_Tab:
            self.tab_pressed.emit()
        else:
            super().keyPressEvent(event)

    def _move_crosshair(self, position: QPointF) -> None:
        if self.slot is not None:
            viewport = self.slot.viewport
            viewport.cursor_lps = viewport.pixel_to_lps(position.x(), position.y())


def _to_image(levels: npt.NDArray[np.uint8]) -> QImage:
    """Return greys (height, width) or colours (height, width, 3) as a picture of its own memory."""
    height, width = levels.shape[:2]
    if levels.ndim == 3:
        colours = np.ascontiguousarray(levels)
        picture = QImage(colours.data, width, height, 3 * width, QImage.Format.Format_RGB888)
        return picture.convertToFormat(QImage.Format.Format_RGB32)
    return QImage(levels.data, width, height, width, QImage.Format.Format_Grayscale8).copy()
