"""The menu of layouts: those of the table, and a free grid that is picked by pointing."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QMenu, QToolButton, QVBoxLayout, QWidget, QWidgetAction

from carez_desktop.gui.page_parts import words
from carez_desktop.gui.theme import Theme
from carez_desktop.workspace.layouts import LARGEST_GRID, LAYOUTS, Layout, grid_layout

_CELL = 24


class GridPicker(QWidget):
    """Squares that are pointed at to choose rows and columns; arrow keys and Return work too.

    Signals:
        picked(Layout): A grid was chosen.
        pointed(str): Words for the grid under the pointer.
    """

    picked = Signal(object)
    pointed = Signal(str)

    def __init__(self, theme: Theme) -> None:
        """Draw the squares."""
        super().__init__()
        self._theme = theme
        self.rows, self.columns = 2, 2
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setFixedSize(QSize(LARGEST_GRID * _CELL + 1, LARGEST_GRID * _CELL + 1))
        self.setAccessibleName("Free grid of panes")

    def point(self, rows: int, columns: int) -> None:
        """Show a grid before it is chosen."""
        self.rows = min(max(rows, 1), LARGEST_GRID)
        self.columns = min(max(columns, 1), LARGEST_GRID)
        self.pointed.emit(grid_layout(self.rows, self.columns).title)
        self.update()

    def paintEvent(self, _: QPaintEvent) -> None:
        """Fill what is pointed at."""
        painter = QPainter(self)
        painter.setPen(QPen(self._theme.colour("muted"), 1.0))
        for row in range(LARGEST_GRID):
            for column in range(LARGEST_GRID):
                is_in = row < self.rows and column < self.columns
                painter.setBrush(self._theme.colour("accent" if is_in else "ground"))
                box = QRectF(column * _CELL + 2.5, row * _CELL + 2.5, _CELL - 4, _CELL - 4)
                painter.drawRect(box)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Point."""
        self._point_at(event.position())

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose."""
        self._point_at(event.position())
        self.picked.emit(grid_layout(self.rows, self.columns))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Point by arrows, choose by Return."""
        steps = {
            Qt.Key.Key_Down: (1, 0),
            Qt.Key.Key_Up: (-1, 0),
            Qt.Key.Key_Right: (0, 1),
            Qt.Key.Key_Left: (0, -1),
        }
        step = steps.get(Qt.Key(event.key()))
        if step is not None:
            self.point(self.rows + step[0], self.columns + step[1])
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.picked.emit(grid_layout(self.rows, self.columns))
        else:
            super().keyPressEvent(event)

    def _point_at(self, at: QPointF) -> None:
        self.point(1 + int(at.y() // _CELL), 1 + int(at.x() // _CELL))


class LayoutButton(QToolButton):
    """A button with the menu of layouts; it names the one in force.

    Signals:
        chosen(Layout): A layout was picked.
    """

    chosen = Signal(object)

    def __init__(self, theme: Theme) -> None:
        """Build the menu."""
        super().__init__()
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setToolTip("Layout of the panes (Alt+1 to Alt+6)")
        self.setMinimumWidth(64)
        menu = QMenu(self)
        for layout in LAYOUTS:
            menu.addAction(layout.title, partial(self._choose, layout))
        menu.addSeparator()
        self.picker = GridPicker(theme)
        box = QWidget()
        column = QVBoxLayout(box)
        column.setContentsMargins(12, 4, 12, 8)
        column.setSpacing(theme.size("space_1"))
        title = words("Free grid", "label")
        column.addWidget(title)
        column.addWidget(self.picker)
        self.picker.pointed.connect(lambda text: title.setText(f"Free grid  {text}"))
        self.picker.picked.connect(self._choose)
        action = QWidgetAction(menu)
        action.setDefaultWidget(box)
        menu.addAction(action)
        self.setMenu(menu)

    def show_layout(self, layout: Layout) -> None:
        """Name the layout in force."""
        self.setText(layout.id)
        self.setToolTip(f"Layout: {layout.title} (Alt+1 to Alt+6)")

    def _choose(self, layout: Layout) -> None:
        menu = self.menu()
        if menu is not None:
            menu.close()
        self.chosen.emit(layout)
