"""Keys run commands: what a focused widget does not use itself arrives at the window.

Keys of one page are run from the key events that bubble up, so that a field, a list or a slider
keeps the keys that it needs while it has the focus. Keys that work everywhere are Qt's shortcuts,
which go before lists that would take any letter as a search.
"""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QKeyCombination, QObject, Qt
from PySide6.QtGui import QKeyEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QWidget

from carez_desktop.gui.session import Session
from carez_desktop.workspace.commands import COMMANDS

_PORTABLE = QKeySequence.SequenceFormat.PortableText
_MODIFIER_KEYS = (
    Qt.Key.Key_Shift,
    Qt.Key.Key_Control,
    Qt.Key.Key_Alt,
    Qt.Key.Key_AltGr,
    Qt.Key.Key_Meta,
    Qt.Key.Key_unknown,
)


def key_text(event: QKeyEvent) -> str:
    """Return the key of an event in portable text; "" for a modifier alone.

    A symbol is named by itself, whatever modifiers a keyboard needs for it, and the keys of the
    number block are those of the others.
    """
    key = Qt.Key(event.key())
    if key in _MODIFIER_KEYS:
        return ""
    modifiers = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
    symbol = event.text()
    is_symbol = len(symbol) == 1 and symbol.isprintable() and not symbol.isalnum()
    if is_symbol and not symbol.isspace():
        modifiers &= ~(Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.GroupSwitchModifier)
    if key == Qt.Key.Key_Enter:
        key = Qt.Key.Key_Return
    elif key == Qt.Key.Key_Backtab:
        key = Qt.Key.Key_Tab
    return QKeySequence(QKeyCombination(modifiers, key)).toString(_PORTABLE)


def shown_key(key: str) -> str:
    """Return a key of the table as this platform writes it."""
    return QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText)


class CommandKeys(QObject):
    """The keys of one window."""

    def __init__(self, session: Session, window: QWidget) -> None:
        """Add the keys that work everywhere; the window hands over the others.

        Args:
            session: With its commands and the keys that they have now.
            window: A top-level widget; its `keyPressEvent` and `keyReleaseEvent` call `press` and
                `release`, and losing the keyboard calls `let_go`.
        """
        super().__init__(window)
        self._session = session
        self._window = window
        self._shortcuts: list[QShortcut] = []
        session.key_map.changed.connect(self._add_shortcuts)
        window.destroyed.connect(self._forget)
        self._add_shortcuts()

    def press(self, event: QKeyEvent) -> bool:
        """Run the command of a key that no widget used; return whether there was one."""
        commands = self._session.commands
        name = self._session.key_map.command_of(key_text(event), commands.scope)
        if not name or not commands.is_registered(name):
            return False
        held = next(entry.is_held for entry in COMMANDS if entry.id == name)
        if not (held and event.isAutoRepeat()):
            self._tell(commands.run(name))
        return True

    def release(self, event: QKeyEvent) -> bool:
        """Let a held command go when its key comes up, whatever modifiers are left."""
        if event.isAutoRepeat():
            return False
        plain = QKeySequence(event.key()).toString(_PORTABLE)
        for entry in COMMANDS:
            if entry.is_held:
                ends = {key.rpartition("+")[2] for key in self._session.key_map.keys_of(entry.id)}
                if plain in ends:
                    self._session.commands.release(entry.id)
        return False

    def let_go(self) -> None:
        """Let every held command go: the key comes up where this window does not see it."""
        self._session.commands.release_all()

    def _tell(self, refusal: str) -> None:
        if refusal:
            self._session.command_refused.emit(refusal)

    def _run(self, name: str) -> None:
        self._tell(self._session.commands.run(name))

    def _add_shortcuts(self) -> None:
        for shortcut in self._shortcuts:
            shortcut.setEnabled(False)
            shortcut.deleteLater()
        self._shortcuts = []
        for entry in COMMANDS:
            if entry.scope != "window":
                continue
            for key in self._session.key_map.keys_of(entry.id):
                # Whether a symbol comes with Shift depends on keyboard and platform.
                is_symbol = len(key) == 1 and not key.isalnum()
                for keys in (key, f"Shift+{key}") if is_symbol else (key,):
                    shortcut = QShortcut(QKeySequence(keys), self._window)
                    shortcut.activated.connect(partial(self._run, entry.id))
                    shortcut.activatedAmbiguously.connect(partial(self._run, entry.id))
                    self._shortcuts.append(shortcut)

    def _forget(self) -> None:
        self._session.key_map.changed.disconnect(self._add_shortcuts, missing_ok=True)
