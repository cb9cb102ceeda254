"""What can be taken back, and done again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from psygnal import Signal

_MOST = 100


@dataclass(frozen=True, eq=False)
class Change:
    """One thing that was done.

    Attributes:
        title: Words for what is told when it is taken back.
        undo: Takes it back.
        redo: Does it again.
    """

    title: str
    undo: Callable[[], object]
    redo: Callable[[], object]


class UndoStack:
    """Changes in the order in which they were made; the oldest of many are forgotten.

    Signals:
        changed: Something else can be undone or redone now.
        asked: Someone is about to undo or redo; whoever gathers changes records them now.
    """

    changed: ClassVar[Signal] = Signal()
    asked: ClassVar[Signal] = Signal()

    def __init__(self, most: int = _MOST) -> None:
        """Start with nothing done.

        Args:
            most: Changes that are kept.
        """
        self._most = most
        self._done: list[Change] = []
        self._undone: list[Change] = []

    @property
    def undo_title(self) -> str:
        """What `undo` would take back; "" for nothing."""
        return self._done[-1].title if self._done else ""

    @property
    def redo_title(self) -> str:
        """What `redo` would do again; "" for nothing."""
        return self._undone[-1].title if self._undone else ""

    def record(self, title: str, undo: Callable[[], object], redo: Callable[[], object]) -> None:
        """Keep a change that was just made; what had been undone can no longer be redone."""
        self._done.append(Change(title, undo, redo))
        del self._done[: -self._most]
        self._undone.clear()
        self.changed.emit()

    def undo(self) -> str:
        """Take the last change back and return its title; "" when there is none."""
        self.asked.emit()
        return self._move(self._done, self._undone, lambda change: change.undo)

    def redo(self) -> str:
        """Do the last undone change again and return its title; "" when there is none."""
        self.asked.emit()
        return self._move(self._undone, self._done, lambda change: change.redo)

    def clear(self) -> None:
        """Forget everything, as when what it was done to is gone."""
        if self._done or self._undone:
            self._done.clear()
            self._undone.clear()
            self.changed.emit()

    def _move(
        self,
        source: list[Change],
        target: list[Change],
        action: Callable[[Change], Callable[[], object]],
    ) -> str:
        if not source:
            return ""
        change = source[-1]
        # What fails stays where it was, and can be tried again.
        action(change)()
        source.pop()
        target.append(change)
        self.changed.emit()
        return change.title
