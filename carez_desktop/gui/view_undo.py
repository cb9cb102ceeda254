"""Tell the history of the view when something changes: commands, drags, panels, wheels."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer

from carez_desktop.gui.session import Session
from carez_desktop.gui.view_layout import PaneGrid
from carez_desktop.workspace.commands import command
from carez_desktop.workspace.pane import Pane
from carez_desktop.workspace.view_history import ViewHistory

_SETTLED_MILLISECONDS = 400


class ViewUndo(QObject):
    """Gather the changes of the View page for Ctrl+Z.

    Attributes:
        history: Of the page's arrangement.
    """

    def __init__(self, session: Session, grid: PaneGrid) -> None:
        """Watch the panes of a grid as long as it lives."""
        super().__init__(grid)
        self.history = ViewHistory(grid.arrangement, session.changes["view"])
        self._arrangement = grid.arrangement
        self._panes: tuple[Pane, ...] = ()
        self._settled = QTimer(self)
        self._settled.setSingleShot(True)
        self._settled.setInterval(_SETTLED_MILLISECONDS)
        self._settled.timeout.connect(self.history.settle)
        grid.drag_began.connect(self.history.begin)
        grid.drag_ended.connect(self.history.end)
        session.commands.starting.connect(self._begin)
        session.commands.done.connect(self._end)
        self._arrangement.changed.connect(self._watch)
        self._watch()

    def _begin(self, name: str) -> None:
        if command(name).undoable:
            self.history.begin(command(name).title)

    def _end(self, name: str) -> None:
        if command(name).undoable:
            self.history.end()

    def _watch(self) -> None:
        """Hear of changes in every pane that there is now."""
        panes = self._arrangement.all_panes
        if panes != self._panes:
            for pane in self._panes:
                pane.changed.disconnect(self._look_later, missing_ok=True)
            for pane in panes:
                pane.changed.connect(self._look_later)
            self._panes = panes
        self._look_later()

    def _look_later(self) -> None:
        self._settled.start()
