"""Pictures of synthetic cases as they come: the middle slice, the badge, the case."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QIcon, QImage, QPainter, QPixmap
from PySide6.QtWidgets import QAbstractItemView, QListWidget, QListWidgetItem

from carez_desktop.domain.volume import Volume
from carez_desktop.gui.theme import Theme
from carez_desktop.workspace.display_window import initial_window

_EDGE = 128
_ID_ROLE = int(Qt.ItemDataRole.UserRole) + 1


class CaseStrip(QListWidget):
    """Cases as pictures; a picture is a door.

    Signals:
        opened(str): Enter or a double click on a case.
    """

    opened = Signal(str)

    def __init__(self, theme: Theme) -> None:
        """Start empty."""
        super().__init__()
        self._theme = theme
        self.setViewMode(QListWidget.ViewMode.IconMode)
        self.setResizeMode(QListWidget.ResizeMode.Adjust)
        self.setMovement(QListWidget.Movement.Static)
        self.setIconSize(QSize(_EDGE, _EDGE))
        self.setGridSize(QSize(_EDGE + 24, _EDGE + 44))
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.itemActivated.connect(lambda item: self.opened.emit(str(item.data(_ID_ROLE))))

    def add_case(self, case_id: str, volume: Volume) -> None:
        """Add the picture of a case."""
        item = QListWidgetItem(QIcon(self._picture(volume)), case_id)
        item.setData(_ID_ROLE, case_id)
        item.setToolTip("Open beside its source (Enter)")
        self.addItem(item)

    def _picture(self, volume: Volume) -> QPixmap:
        """Draw the middle slice with square millimetres and the badge."""
        # The renderer is imported with the first picture, not with the page.
        from carez_desktop.rendering.display_values import grey_levels
        from carez_desktop.rendering.slice_pipeline import SliceSampler
        from carez_desktop.workspace.plane_basis import Plane
        from carez_desktop.workspace.viewport import Viewport

        viewport = Viewport(Plane.AXIAL, volume.geometry)
        viewport.resize(_EDGE, _EDGE)
        values = SliceSampler(volume).sample(viewport.pixel_grid(), _EDGE, _EDGE)
        grey = grey_levels(values, initial_window(volume))
        image = QImage(grey.data, _EDGE, _EDGE, _EDGE, QImage.Format.Format_Grayscale8).copy()
        pixmap = QPixmap.fromImage(image)
        painter = QPainter(pixmap)
        font = painter.font()
        font.setPixelSize(10)
        font.setBold(True)
        painter.setFont(font)
        box = QRect(QPoint(_EDGE - 74, 2), QSize(72, 14))
        painter.fillRect(box, self._theme.colour("synthetic"))
        painter.setPen(self._theme.colour("synthetic_text"))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, "SYNTHETIC")
        painter.end()
        return pixmap
