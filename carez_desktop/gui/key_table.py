"""The table of commands with their keys, in which a person binds others."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from carez_desktop.gui.command_keys import key_text, shown_key
from carez_desktop.gui.command_menu import where_text
from carez_desktop.gui.page_parts import button, words
from carez_desktop.gui.session import Session
from carez_desktop.workspace.command_search import find_commands
from carez_desktop.workspace.commands import COMMANDS, command

_ID_ROLE = Qt.ItemDataRole.UserRole
_WHERE_WIDTH = 190
_KEYS_WIDTH = 200


class KeyCapture(QFrame):
    """Waits for a key and hands it over.

    Signals:
        pressed(str): The key in portable text.
        ended: Escape was pressed, or the keyboard went elsewhere.
    """

    pressed = Signal(str)
    ended = Signal()

    def __init__(self) -> None:
        """Take the focus when it is shown."""
        super().__init__()
        self.setObjectName("capture")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._words = words("", "section")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 8, 12, 8)
        layout.addWidget(self._words)

    def ask(self, title: str) -> None:
        """Ask for the keys of a command."""
        self._words.setText(f"Press the keys for “{title}”. Escape keeps those it has.")
        self.setAccessibleName(self._words.text())
        self.show()
        self.setFocus()

    def event(self, event: QEvent) -> bool:
        """Keep keys that are shortcuts elsewhere."""
        if event.type() == QEvent.Type.ShortcutOverride:
            event.accept()
            return True
        return super().event(event)

    def focusNextPrevChild(self, _: bool) -> bool:
        """Take Tab as a key like any other."""
        return False

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Hand over what was pressed; a modifier alone is not yet a key."""
        key = key_text(event)
        if event.key() == Qt.Key.Key_Escape:
            self.ended.emit()
        elif key:
            self.pressed.emit(key)


class KeyTable(QWidget):
    """Every command, its keys, and the ways to change them.

    Signals:
        changed: Keys were bound anew and are to be kept.
    """

    changed = Signal()

    def __init__(self, session: Session) -> None:
        """List the commands by their keys of now."""
        super().__init__()
        self._session = session
        self._adds = False
        self.field = QLineEdit()
        self.field.setPlaceholderText("Find a command, or write a key such as Ctrl+E")
        self.field.setAccessibleName("Find a command")
        self.field.setClearButtonEnabled(True)
        self.field.textChanged.connect(self.show_commands)
        self.tree = QTreeWidget()
        self.tree.setHeaderLabels(["Command", "Where", "Keys"])
        self.tree.setRootIsDecorated(False)
        self.tree.setUniformRowHeights(True)
        self.tree.setAllColumnsShowFocus(True)
        self.tree.setAccessibleName("Commands and their keys")
        header = self.tree.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, header.ResizeMode.Stretch)
        header.resizeSection(1, _WHERE_WIDTH)
        header.resizeSection(2, _KEYS_WIDTH)
        self.tree.itemActivated.connect(self.ask_for_key)
        self.tree.currentItemChanged.connect(self._tell_choice)
        self.capture = KeyCapture()
        self.capture.pressed.connect(self._take)
        self.capture.ended.connect(self.end_capture)
        self.question = _Question()
        self._lay_out()
        session.key_map.changed.connect(self.show_commands)
        self.destroyed.connect(
            partial(session.key_map.changed.disconnect, self.show_commands, missing_ok=True)
        )
        self.end_capture()
        self.show_commands()

    def _lay_out(self) -> None:
        self.change = button("Change keys…", self.ask_for_key, tip="Return")
        self.add = button("Add keys…", partial(self.ask_for_key, adds=True))
        self.remove = button("Remove keys", self._remove)
        self.reset = button("Reset", self._reset)
        self.reset_all = button("Reset all keys", self._reset_all)
        buttons = QHBoxLayout()
        buttons.setSpacing(self._session.theme.size("space_2"))
        for made in (self.change, self.add, self.remove, self.reset):
            buttons.addWidget(made)
        buttons.addStretch(1)
        buttons.addWidget(self.reset_all)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 12, 16, 12)
        layout.setSpacing(self._session.theme.size("space_2"))
        for widget in (self.field, self.tree, self.capture, self.question):
            layout.addWidget(widget)
        layout.setStretchFactor(self.tree, 1)
        layout.addLayout(buttons)

    # -- the list ------------------------------------------------------------------------------

    def show_commands(self) -> None:
        """List the commands that the field asks for."""
        chosen = self.chosen
        self.tree.clear()
        for name in self._wanted(self.field.text().strip()):
            entry = command(name)
            keys = "   ".join(shown_key(key) for key in self._session.key_map.keys_of(name))
            item = QTreeWidgetItem([entry.title, where_text(entry), keys or "none"])
            item.setData(0, _ID_ROLE, name)
            if not keys:
                item.setForeground(2, self._session.theme.colour("muted"))
            if self._session.key_map.is_changed(name):
                item.setForeground(2, self._session.theme.colour("accent"))
                usual = ", ".join(shown_key(key) for key in entry.keys) or "none"
                item.setToolTip(2, f"Changed; the program's own: {usual}")
            self.tree.addTopLevelItem(item)
        self.choose(chosen)

    def _wanted(self, text: str) -> list[str]:
        if not text:
            return [entry.id for entry in COMMANDS]
        keys = self._session.key_map
        by_key = [
            entry.id
            for entry in COMMANDS
            if any(text.casefold() == key.casefold() for key in keys.keys_of(entry.id))
        ]
        return by_key or [match.command.id for match in find_commands(text)]

    @property
    def chosen(self) -> str:
        """The id of the chosen command; "" for none."""
        item = self.tree.currentItem()
        return str(item.data(0, _ID_ROLE)) if item is not None else ""

    def choose(self, name: str) -> None:
        """Choose a command, or the first where it is not listed."""
        items = (self.tree.topLevelItem(row) for row in range(self.tree.topLevelItemCount()))
        listed = [item for item in items if item is not None]
        wanted = [item for item in listed if item.data(0, _ID_ROLE) == name] or listed
        if wanted:
            self.tree.setCurrentItem(wanted[0])
        self._tell_choice()

    def _tell_choice(self) -> None:
        name, keys = self.chosen, self._session.key_map
        self.change.setEnabled(bool(name))
        self.add.setEnabled(bool(name))
        self.remove.setEnabled(bool(name) and bool(keys.keys_of(name)))
        self.reset.setEnabled(bool(name) and keys.is_changed(name))
        self.reset_all.setEnabled(bool(keys.bound))

    # -- binding -------------------------------------------------------------------------------

    def ask_for_key(self, *_: object, adds: bool = False) -> None:
        """Wait for the new keys of the chosen command."""
        if self.chosen:
            self._adds = adds
            self.question.hide()
            self.capture.ask(command(self.chosen).title)

    def end_capture(self) -> None:
        """Wait no longer."""
        had_keyboard = self.capture.hasFocus()
        self.capture.hide()
        self.question.hide()
        if had_keyboard:
            self.tree.setFocus()

    def _take(self, key: str) -> None:
        name = self.chosen
        self.end_capture()
        self.tree.setFocus()
        users = self._session.key_map.users_of(key, name)
        if not users:
            self._bind(name, key)
            return
        titles = " and ".join(f"“{entry.title}”" for entry in users)
        text = f"{shown_key(key)} runs {titles} now."
        self.question.ask(text, lambda: self._bind(name, key), self.tree.setFocus)

    def _bind(self, name: str, key: str) -> None:
        held = self._session.key_map.keys_of(name)
        keys = (*held, key) if self._adds else (key, *held[1:])
        self._session.key_map.bind(name, keys)
        self.changed.emit()

    def _remove(self) -> None:
        self._session.key_map.bind(self.chosen, ())
        self.changed.emit()

    def _reset(self) -> None:
        self._session.key_map.reset(self.chosen)
        self.changed.emit()

    def _reset_all(self) -> None:
        self._session.key_map.reset_all()
        self.changed.emit()


class _Question(QFrame):
    """A key that is taken: take it from there, or leave it."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("capture")
        self._text = words("", wrap=True)
        self.take = QPushButton("Take the key")
        self.leave = QPushButton("Leave it")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 8, 12, 8)
        layout.addWidget(self._text, 1)
        layout.addWidget(self.take)
        layout.addWidget(self.leave)
        self._on_take: Callable[[], object] = bool
        self._on_leave: Callable[[], object] = bool
        self.take.clicked.connect(lambda: self._end(self._on_take))
        self.leave.clicked.connect(lambda: self._end(self._on_leave))
        self.hide()

    @property
    def text(self) -> str:
        """What it says."""
        return self._text.text()

    def ask(self, text: str, on_take: Callable[[], object], on_leave: Callable[[], object]) -> None:
        """Ask; the harmless button has the keyboard."""
        self._text.setText(text)
        self._on_take, self._on_leave = on_take, on_leave
        self.show()
        self.leave.setFocus()

    def _end(self, action: Callable[[], object]) -> None:
        self.hide()
        action()
