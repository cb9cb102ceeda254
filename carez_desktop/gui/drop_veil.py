"""What a drop would do, told over the window while files are dragged across it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QMimeData, Qt
from PySide6.QtGui import QFont, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from carez_desktop.gui.theme import Theme

BUNDLE_SUFFIXES = (".h5", ".hdf5")
_DARKNESS = 0.85


def dropped_paths(data: QMimeData) -> tuple[Path, ...]:
    """Return the local files and folders of a drag, without those named twice."""
    found = (Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile())
    return tuple(dict.fromkeys(found))


def is_bundle(path: Path) -> bool:
    """Whether a path is named like a bundle."""
    return path.suffix.lower() in BUNDLE_SUFFIXES


def drop_text(paths: Sequence[Path]) -> str:
    """Say what dropping these would do."""
    bundles = [path for path in paths if is_bundle(path)]
    others = [path for path in paths if not is_bundle(path)]
    parts = []
    if len(others) == 1:
        parts.append(f"import {others[0].name}")
    elif others:
        parts.append(f"import {len(others)} files and folders")
    if bundles:
        parts.append(f"open the bundle {bundles[0].name}")
    text = f"Drop to {' and '.join(parts)}"
    more = len(bundles) - 1
    return f"{text}; one bundle opens at a time" if more > 0 else text


class DropVeil(QWidget):
    """Darkens the window and tells what a drop would do."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        """Start hidden."""
        super().__init__(parent)
        self._theme = theme
        self.text = ""
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()

    def tell(self, paths: Sequence[Path]) -> None:
        """Lie over the whole window."""
        parent = self.parentWidget()
        if parent is not None:
            self.setGeometry(parent.rect())
        self.text = drop_text(paths)
        self.setAccessibleName(self.text)
        self.show()
        self.raise_()
        self.update()

    def paintEvent(self, _: QPaintEvent) -> None:
        """Paint the dark, the frame and the sentence."""
        painter = QPainter(self)
        dark = self._theme.colour("canvas")
        dark.setAlphaF(_DARKNESS)
        painter.fillRect(self.rect(), dark)
        edge = self._theme.size("space_3")
        painter.setPen(QPen(self._theme.colour("accent"), 2, Qt.PenStyle.DashLine))
        painter.drawRect(self.rect().adjusted(edge, edge, -edge, -edge))
        font = QFont(self.font())
        font.setPixelSize(self._theme.size("title"))
        painter.setFont(font)
        painter.setPen(self._theme.colour("text"))
        inner = self.rect().adjusted(4 * edge, 4 * edge, -4 * edge, -4 * edge)
        flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
        painter.drawText(inner, flags, self.text)
