"""Undo and redo of a window: each page takes back its own changes."""

from __future__ import annotations

from PySide6.QtCore import QObject

from carez_desktop.gui.session import Session
from carez_desktop.gui.window_note import WindowNote
from carez_desktop.workspace.undo import UndoStack


class WindowHistory(QObject):
    """Run undo and redo on the changes of the page in front."""

    def __init__(self, session: Session, note: WindowNote, parent: QObject) -> None:
        """Register both commands.

        Args:
            session: With a stack of changes for each page that has one.
            note: Says what was taken back.
            parent: The window.
        """
        super().__init__(parent)
        self._session = session
        self._note = note
        commands = session.commands
        commands.register("undo", self._undo)
        commands.register("redo", self._redo)
        commands.set_condition("undo", self._nothing_to_undo)
        commands.set_condition("redo", self._nothing_to_redo)
        for stack in session.changes.values():
            stack.changed.connect(commands.refresh)

    def _stack(self) -> UndoStack | None:
        return self._session.changes.get(self._session.commands.scope)

    def _nothing_to_undo(self) -> str:
        stack = self._stack()
        if stack is not None:
            stack.asked.emit()
        return "" if stack is not None and stack.undo_title else "There is nothing to undo"

    def _nothing_to_redo(self) -> str:
        stack = self._stack()
        if stack is not None:
            stack.asked.emit()
        return "" if stack is not None and stack.redo_title else "There is nothing to redo"

    def _undo(self) -> None:
        stack = self._stack()
        title = stack.undo() if stack is not None else ""
        if title:
            self._note.say(f"Undone: {title}")

    def _redo(self) -> None:
        stack = self._stack()
        title = stack.redo() if stack is not None else ""
        if title:
            self._note.say(f"Done again: {title}")
