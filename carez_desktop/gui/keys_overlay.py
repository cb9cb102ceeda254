"""The list of all keys, laid over the window; Escape or a click closes it."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from carez_desktop.gui.page_parts import words
from carez_desktop.gui.theme import Theme
from carez_desktop.workspace.commands import COMMANDS, MOUSE

_KEYS_WIDTH = 96
_TITLES = {
    "view": "In View",
    "library": "In the library",
    "window": "Everywhere",
    "mouse": "Mouse, in View",
}


class KeysOverlay(QFrame):
    """Every command with its keys, from the one table."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        """Build it hidden."""
        super().__init__(parent)
        self.setObjectName("overlay")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(24, 16, 24, 16)
        outer.setSpacing(theme.size("space_3"))
        columns = QHBoxLayout()
        columns.setSpacing(theme.size("space_5"))
        for groups in (("view",), ("library", "window", "mouse")):
            column = QVBoxLayout()
            column.setSpacing(theme.size("space_1"))
            for group in groups:
                column.addWidget(words(_TITLES[group], "section"))
                column.addLayout(_table(_rows(group)))
            column.addStretch(1)
            columns.addLayout(column)
        outer.addLayout(columns)
        self.hide()

    def toggle(self) -> None:
        """Show it in the middle of the window, or hide it."""
        if self.isVisible():
            self.hide()
            return
        self.ensurePolished()
        self.resize(self.sizeHint())
        parent = self.parentWidget()
        if parent is not None:
            self.move((parent.width() - self.width()) // 2, (parent.height() - self.height()) // 2)
        self.show()
        self.raise_()
        self.setFocus()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Close on Escape."""
        if event.key() == Qt.Key.Key_Escape:
            self.hide()
        else:
            super().keyPressEvent(event)

    def mousePressEvent(self, _: QMouseEvent) -> None:
        """Close on a click."""
        self.hide()


def _rows(group: str) -> list[tuple[str, str]]:
    """Return keys and titles of a scope, or of the mouse."""
    if group == "mouse":
        return list(MOUSE)
    found = (entry for entry in COMMANDS if entry.keys and entry.scope == group)
    return [(" / ".join(entry.keys), entry.title) for entry in found]


def _table(rows: list[tuple[str, str]]) -> QGridLayout:
    grid = QGridLayout()
    grid.setHorizontalSpacing(16)
    grid.setVerticalSpacing(2)
    grid.setColumnMinimumWidth(0, _KEYS_WIDTH)
    grid.setColumnStretch(1, 1)
    grid.setAlignment(Qt.AlignmentFlag.AlignTop)
    for number, (keys, title) in enumerate(rows):
        grid.addWidget(words(keys), number, 0)
        grid.addWidget(words(title, "label"), number, 1)
    return grid
