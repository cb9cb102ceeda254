"""The list of all keys, laid over the window; Escape or a click closes it."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from carez_desktop.gui.page_parts import words
from carez_desktop.gui.theme import Theme
from carez_desktop.workspace.commands import COMMANDS, MOUSE, Command

_ROWS_IN_A_COLUMN = 14


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
        outer.addWidget(words("Keys and mouse", "title"))
        columns = QHBoxLayout()
        columns.setSpacing(theme.size("space_5"))
        keyed = [entry for entry in COMMANDS if entry.keys]
        for start in range(0, len(keyed), _ROWS_IN_A_COLUMN):
            rows = [_row(entry) for entry in keyed[start : start + _ROWS_IN_A_COLUMN]]
            columns.addLayout(_table(rows))
        columns.addLayout(_table(list(MOUSE)))
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


def _row(entry: Command) -> tuple[str, str]:
    return (" / ".join(entry.keys), entry.title)


def _table(rows: list[tuple[str, str]]) -> QGridLayout:
    grid = QGridLayout()
    grid.setHorizontalSpacing(16)
    grid.setVerticalSpacing(4)
    grid.setAlignment(Qt.AlignmentFlag.AlignTop)
    for number, (keys, title) in enumerate(rows):
        grid.addWidget(words(keys), number, 0)
        grid.addWidget(words(title, "label"), number, 1)
    return grid
