"""A second window of panes for a second screen: the same layers and links, a layout of its own."""

from __future__ import annotations

import base64

from PySide6.QtCore import QByteArray, Qt, Signal
from PySide6.QtGui import QCloseEvent, QGuiApplication, QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from carez_desktop.gui.command_keys import CommandKeys
from carez_desktop.gui.layout_menu import LayoutButton
from carez_desktop.gui.page_parts import ElidedLabel
from carez_desktop.gui.session import Session
from carez_desktop.gui.view_layout import PaneGrid
from carez_desktop.workspace.arrangement import Arrangement
from carez_desktop.workspace.layouts import Layout, layout_of
from carez_desktop.workspace.open_layers import OpenLayers

_HINT = "Drop a series here"


class ViewWindow(QWidget):
    """Panes on another screen.

    Signals:
        closed: The person closed it; its panes are let go.

    Attributes:
        arrangement: Its panes; layers, spaces and links are those of the View page.
        grid: Its panes on the screen.
    """

    closed = Signal()

    def __init__(self, session: Session, shared: OpenLayers) -> None:
        """Show further panes of what is open."""
        super().__init__()
        self.setObjectName("page")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setWindowTitle("Carez Desktop - View - research use only")
        self._session = session
        self.arrangement = Arrangement(layout_of("1x1"), beside=shared)
        self.grid = PaneGrid(session.theme, self.arrangement)
        self.grid.say(_HINT)
        self._title = ElidedLabel("", "title")
        self._layouts = LayoutButton(session.theme)
        self._layouts.chosen.connect(self.set_layout)
        bar = QWidget()
        bar.setObjectName("bar")
        bar.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        bar.setFixedHeight(48)
        line = QHBoxLayout(bar)
        line.setContentsMargins(16, 8, 12, 8)
        line.addWidget(self._title, 1)
        line.addWidget(self._layouts)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(bar)
        column.addWidget(self.grid, 1)
        self._keys = CommandKeys(session, self)
        self.arrangement.changed.connect(self._follow)
        self.resize(900, 700)
        self._follow()

    def set_layout(self, layout: Layout) -> None:
        """Cut this window anew."""
        self.arrangement.set_layout(layout)
        self.arrangement.fill_empty()
        self.grid.say(_HINT)

    def show_on_other_screen(self, beside: QWidget, geometry: str) -> None:
        """Show it where it was, else filling a screen that the other window is not on.

        Args:
            beside: The main window.
            geometry: As `place` gave it; "" for the first time.
        """
        kept = QByteArray(base64.b64decode(geometry)) if geometry else QByteArray()
        if kept.isEmpty() or not self.restoreGeometry(kept):
            others = [s for s in QGuiApplication.screens() if s is not beside.screen()]
            if others:
                self.setGeometry(others[0].availableGeometry())
        self.show()

    @property
    def place(self) -> str:
        """Where the window is, for the next start."""
        return base64.b64encode(bytes(self.saveGeometry().data())).decode()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Run the command of a key."""
        if not self._keys.press(event):
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        """Let a held command go."""
        if not self._keys.release(event):
            super().keyReleaseEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Let go of the panes."""
        self.arrangement.changed.disconnect(self._follow)
        self.grid.release()
        self.arrangement.leave()
        super().closeEvent(event)
        self.closed.emit()

    def _follow(self) -> None:
        names = [layer.title for pane in self.arrangement.panes for layer in pane.layers]
        self._title.setText("  |  ".join(dict.fromkeys(names)) or "View")
        self._layouts.show_layout(self.arrangement.layout)
