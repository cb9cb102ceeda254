"""The palette: type a few letters of a command, press Return."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPoint, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QLineEdit,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from carez_desktop.gui.command_keys import shown_key
from carez_desktop.gui.command_menu import where_text
from carez_desktop.gui.page_parts import words
from carez_desktop.gui.session import Session
from carez_desktop.workspace.command_search import find_commands

_WIDTH = 640
_HEIGHT = 420
_KEY_COLUMN = 130
_WHERE_COLUMN = 150
_MOST_REMEMBERED = 5
_ID_ROLE = Qt.ItemDataRole.UserRole
_MOVES = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)


class CommandPalette(QFrame):
    """Every command, found by letters; those that cannot run now say why."""

    def __init__(self, session: Session, parent: QWidget) -> None:
        """Build it hidden."""
        super().__init__(parent)
        self._session = session
        self._before: QWidget | None = None
        self._used: tuple[str, ...] = ()
        self.setObjectName("overlay")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.field = QLineEdit()
        self.field.setPlaceholderText("Find a command: a few letters of it")
        self.field.setAccessibleName("Find a command")
        self.list = QTreeWidget()
        self.list.setColumnCount(3)
        self.list.setHeaderHidden(True)
        self.list.setRootIsDecorated(False)
        self.list.setUniformRowHeights(True)
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setAccessibleName("Commands")
        header = self.list.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, header.ResizeMode.Stretch)
        header.resizeSection(1, _WHERE_COLUMN)
        header.resizeSection(2, _KEY_COLUMN)
        self.note = words("", "label", wrap=True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 12, 12, 12)
        layout.setSpacing(session.theme.size("space_2"))
        layout.addWidget(self.field)
        layout.addWidget(self.list, 1)
        layout.addWidget(self.note)
        self.field.textChanged.connect(self._list)
        self.field.installEventFilter(self)
        self.list.itemClicked.connect(self._run)
        self.list.currentItemChanged.connect(self._tell)
        self.hide()

    def toggle(self) -> None:
        """Open it over the window with the keyboard in its field, or close it."""
        if self.isVisible():
            self.close_palette()
            return
        self._before = QApplication.focusWidget()
        parent = self.parentWidget()
        if parent is not None:
            width = min(_WIDTH, parent.width() - 32)
            height = min(_HEIGHT, parent.height() - 64)
            self.resize(width, height)
            self.move(QPoint((parent.width() - width) // 2, min(64, parent.height() // 12)))
        self.field.clear()
        self._list("")
        self.show()
        self.raise_()
        self.field.setFocus()

    def close_palette(self) -> None:
        """Close it and give the keyboard back to whatever had it."""
        self.hide()
        before, self._before = self._before, None
        if before is not None and before.isVisible():
            before.setFocus()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Move in the list, run and close by the keys of the field."""
        if watched is not self.field:
            return super().eventFilter(watched, event)
        if event.type() == QEvent.Type.FocusOut and self.isVisible():
            if not self.isAncestorOf(QApplication.focusWidget() or self.field):
                self.hide()
        elif event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            return self._use_key(event)
        return super().eventFilter(watched, event)

    def _use_key(self, event: QKeyEvent) -> bool:
        key = event.key()
        if key == Qt.Key.Key_Escape:
            self.close_palette()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._run(self.list.currentItem())
        elif key in _MOVES:
            self.list.keyPressEvent(event)
        else:
            # Tab would leave the field for the page below.
            return key == Qt.Key.Key_Tab
        return True

    def _list(self, text: str) -> None:
        self.list.clear()
        found = [match.command for match in find_commands(text, self._used)]
        if not text.strip():
            found.sort(key=lambda entry: bool(self._session.commands.refusal(entry.id)))
        for entry in found:
            if entry.id == "palette":
                continue
            keys = self._session.key_map.keys_of(entry.id)
            key = "  ".join(shown_key(held) for held in keys[:2])
            item = QTreeWidgetItem([entry.title, where_text(entry), key])
            item.setData(0, _ID_ROLE, entry.id)
            item.setTextAlignment(2, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            refusal = self._session.commands.refusal(entry.id)
            theme = self._session.theme
            if refusal:
                item.setToolTip(0, refusal)
            item.setForeground(0, theme.colour("muted" if refusal else "text"))
            item.setForeground(1, theme.colour("muted"))
            item.setForeground(2, theme.colour("muted"))
            self.list.addTopLevelItem(item)
        best = self.list.topLevelItem(0)
        if best is None:
            self._tell(None)
        else:
            self.list.setCurrentItem(best)

    def _tell(self, item: QTreeWidgetItem | None) -> None:
        if item is None:
            self.note.setText("No command is called like this")
            return
        refusal = self._session.commands.refusal(item.data(0, _ID_ROLE))
        self.note.setText(f"Cannot run now. {refusal}" if refusal else "Return runs it")

    def _run(self, item: QTreeWidgetItem | None) -> None:
        """Run what is chosen; what cannot run stays on screen with its reason."""
        if item is None:
            return
        name = item.data(0, _ID_ROLE)
        if self._session.commands.refusal(name):
            self._tell(item)
            return
        others = tuple(used for used in self._used if used != name)
        self._used = (name, *others)[:_MOST_REMEMBERED]
        self.close_palette()
        self._session.commands.run(name)
