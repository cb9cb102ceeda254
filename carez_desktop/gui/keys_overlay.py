"""The list of all keys, laid over the window; Escape or a click closes it."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from carez_desktop.gui.command_keys import shown_key
from carez_desktop.gui.command_menu import where_text
from carez_desktop.gui.page_parts import clear_layout, words
from carez_desktop.gui.session import Session
from carez_desktop.workspace.commands import MOUSE, groups

_KEYS_WIDTH = 96
_COLUMN_WIDTH = 300
_MOST_COLUMNS = 4
_MARGIN = 32
_LONGEST_LINE = 27

Block = tuple[str, list[tuple[str, str]]]
"""A heading with its rows of keys and words."""


class KeysOverlay(QFrame):
    """Every command that has keys with those that it has now, from the one table."""

    def __init__(self, session: Session, parent: QWidget) -> None:
        """Build it hidden; the list is made each time it opens."""
        super().__init__(parent)
        self._session = session
        self.setObjectName("overlay")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._content = QWidget()
        self._columns = QHBoxLayout(self._content)
        self._columns.setContentsMargins(0, 0, 0, 0)
        self._columns.setSpacing(session.theme.size("space_4"))
        self._area = QScrollArea()
        self._area.setWidget(self._content)
        self._area.setWidgetResizable(True)
        self._area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(24, 16, 12, 16)
        outer.addWidget(self._area)
        self.hide()

    def toggle(self) -> None:
        """Show it in the middle of the window, or hide it."""
        if self.isVisible():
            self.hide()
            return
        parent = self.parentWidget()
        if parent is None:
            return
        room = parent.width() - _MARGIN
        count = min(max((room - 36) // _COLUMN_WIDTH, 1), _MOST_COLUMNS)
        self._fill(count)
        self.ensurePolished()
        wanted = self._content.sizeHint()
        width = min(max(wanted.width() + 52, count * (_COLUMN_WIDTH + 20)), room)
        # Wrapped words need more lines the narrower their column is.
        needed = self._columns.totalHeightForWidth(width - 52)
        inner = needed if needed > 0 else wanted.height()
        height = min(inner + 36, parent.height() - _MARGIN)
        self.resize(width, height)
        self.move((parent.width() - width) // 2, (parent.height() - height) // 2)
        self.show()
        self.raise_()
        self.setFocus()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Close on Escape; the arrow and page keys move a list longer than the window."""
        bar = self._area.verticalScrollBar()
        steps = {
            Qt.Key.Key_Down: bar.singleStep(),
            Qt.Key.Key_Up: -bar.singleStep(),
            Qt.Key.Key_PageDown: bar.pageStep(),
            Qt.Key.Key_PageUp: -bar.pageStep(),
        }
        step = steps.get(Qt.Key(event.key()))
        if event.key() == Qt.Key.Key_Escape:
            self.hide()
        elif step is not None:
            bar.setValue(bar.value() + step)
        # No other key reaches the page below.

    def mousePressEvent(self, _: QMouseEvent) -> None:
        """Close on a click."""
        self.hide()

    def _fill(self, count: int) -> None:
        clear_layout(self._columns)
        for blocks in _in_columns(self._blocks(), count):
            column = QVBoxLayout()
            column.setSpacing(self._session.theme.size("space_1"))
            for heading, rows in blocks:
                column.addWidget(words(heading, "section"))
                column.addLayout(_table(rows))
                column.addSpacing(self._session.theme.size("space_2"))
            column.addStretch(1)
            self._columns.addLayout(column, 1)

    def _blocks(self) -> list[Block]:
        found: list[Block] = []
        for entries in groups().values():
            rows = [
                (" / ".join(shown_key(key) for key in keys), entry.title)
                for entry in entries
                if (keys := self._session.key_map.keys_of(entry.id))
            ]
            if rows:
                found.append((where_text(entries[0]), rows))
        return [*found, ("View, mouse and touch pad", list(MOUSE))]


def _in_columns(blocks: list[Block], count: int) -> list[list[Block]]:
    """Cut the blocks into columns of about the same length, in their order."""
    most = max(_length(block) for block in blocks)
    while len(columns := _cut(blocks, most)) > count:
        most += 1
    return columns


def _cut(blocks: list[Block], most: int) -> list[list[Block]]:
    """Cut the blocks into columns of at most so many lines, each filled before the next."""
    columns: list[list[Block]] = [[]]
    lines = 0
    for block in blocks:
        if columns[-1] and lines + _length(block) > most:
            columns.append([])
            lines = 0
        columns[-1].append(block)
        lines += _length(block)
    return columns


def _length(block: Block) -> int:
    """Return how many lines a block takes, its heading as two."""
    return 2 + sum(1 + (len(title) > _LONGEST_LINE) for _, title in block[1])


def _table(rows: list[tuple[str, str]]) -> QGridLayout:
    grid = QGridLayout()
    grid.setHorizontalSpacing(16)
    grid.setVerticalSpacing(2)
    grid.setColumnMinimumWidth(0, _KEYS_WIDTH)
    grid.setColumnStretch(1, 1)
    grid.setAlignment(Qt.AlignmentFlag.AlignTop)
    for number, (keys, title) in enumerate(rows):
        grid.addWidget(words(keys), number, 0, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(words(title, "label", wrap=True), number, 1)
    return grid
