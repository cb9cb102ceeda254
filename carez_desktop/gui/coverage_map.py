"""The heat map of two axes: counts in cells, empty cells hatched, impossible ones blank."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QBrush, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from carez_desktop.domain.coverage import CoverageAxis, CoverageCell, CoverageMatrix
from carez_desktop.gui.theme import Theme

_HEAD_WIDTH = 132
_HEAD_HEIGHT = 44
_LARGEST_CELL = QSize(150, 64)
_LEGEND = 40
_GAP = 2


class CoverageMap(QWidget):
    """Levels of one axis down, of another across.

    Signals:
        cell_chosen(object): The `CoverageCell` that was clicked.
    """

    cell_chosen = Signal(object)

    def __init__(self, theme: Theme) -> None:
        """Start empty."""
        super().__init__()
        self._theme = theme
        self._rows: CoverageAxis | None = None
        self._columns: CoverageAxis | None = None
        self._cells: dict[tuple[str, str], CoverageCell] = {}
        self._chosen: tuple[str, str] | None = None
        self._chosen_row = ""
        self._most = 1
        self.setMinimumSize(420, 240)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)

    def show_axes(self, matrix: CoverageMatrix, rows: str, columns: str) -> None:
        """Show a pair of axes by name."""
        self._rows, self._columns = matrix.axis(rows), matrix.axis(columns)
        self._cells = {}
        for down in self._rows.levels:
            for across in self._columns.levels:
                cell = _cell_of(matrix, {rows: down, columns: across})
                if cell is not None:
                    self._cells[(down, across)] = cell
        self._most = max((cell.patients for cell in self._cells.values()), default=1) or 1
        self._chosen = None
        self.update()

    def choose(self, levels: Mapping[str, str]) -> None:
        """Mark the cell of two levels by axis name, if it is on this map."""
        if self._rows is None or self._columns is None:
            return
        row = levels.get(self._rows.name, "")
        key = (row, levels.get(self._columns.name, ""))
        self._chosen = key if key in self._cells else None
        self._chosen_row = row if len(levels) == 1 and row in self._rows.levels else ""
        self.update()

    @property
    def cell_count(self) -> int:
        """How many possible cells are shown."""
        return len(self._cells)

    # -- painting ------------------------------------------------------------------------------

    def _cell_size(self) -> tuple[float, float]:
        if self._rows is None or self._columns is None:
            return (0.0, 0.0)
        across = (self.width() - _HEAD_WIDTH - 16) / max(1, len(self._columns.levels))
        down = (self.height() - _HEAD_HEIGHT - _LEGEND - 8) / max(1, len(self._rows.levels))
        return (min(across, _LARGEST_CELL.width()), min(down, _LARGEST_CELL.height()))

    def _box(self, row: int, column: int) -> QRectF:
        width, height = self._cell_size()
        return QRectF(
            _HEAD_WIDTH + column * width,
            _HEAD_HEIGHT + row * height,
            width - _GAP,
            height - _GAP,
        )

    def paintEvent(self, _: QPaintEvent) -> None:
        """Paint heads, cells and legend."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), self._theme.colour("ground"))
        if self._rows is None or self._columns is None:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        self._paint_heads(painter, self._rows, self._columns)
        for row, down in enumerate(self._rows.levels):
            for column, across in enumerate(self._columns.levels):
                cell = self._cells.get((down, across))
                if cell is not None:
                    chosen = self._chosen == (down, across)
                    self._paint_cell(painter, self._box(row, column), cell, chosen=chosen)
        if self._chosen_row:
            row = self._rows.levels.index(self._chosen_row)
            whole = self._box(row, 0).united(self._box(row, len(self._columns.levels) - 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(self._theme.colour("accent"), 2.0))
            painter.drawRect(whole.adjusted(1, 1, -1, -1))
        self._paint_legend(painter)

    def _paint_heads(self, painter: QPainter, rows: CoverageAxis, columns: CoverageAxis) -> None:
        metrics = painter.fontMetrics()
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        middle = Qt.AlignmentFlag.AlignCenter
        painter.setPen(self._theme.colour("muted"))
        painter.drawText(QRectF(0, 0, _HEAD_WIDTH - 8, _HEAD_HEIGHT - 6), right, rows.title)
        for row, level in enumerate(rows.levels):
            box = self._box(row, 0)
            head = QRectF(0, box.top(), _HEAD_WIDTH - 8, box.height())
            text = metrics.elidedText(level, Qt.TextElideMode.ElideRight, int(head.width()))
            painter.setPen(self._theme.colour("text"))
            painter.drawText(head, right, text)
        for column, level in enumerate(columns.levels):
            box = self._box(0, column)
            head = QRectF(box.left(), 18, box.width(), _HEAD_HEIGHT - 20)
            text = metrics.elidedText(level, Qt.TextElideMode.ElideRight, int(head.width()))
            painter.drawText(head, middle, text)
        span = QRectF(_HEAD_WIDTH, 0, self._box(0, len(columns.levels)).left() - _HEAD_WIDTH, 18)
        painter.setPen(self._theme.colour("muted"))
        painter.drawText(span, middle, columns.title)

    def _paint_cell(
        self, painter: QPainter, box: QRectF, cell: CoverageCell, *, chosen: bool
    ) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        if cell.patients:
            # The lowest tenth of the scale is too dark to tell from the ground.
            fill = self._theme.magnitude(0.12 + 0.73 * cell.patients / self._most)
            painter.setBrush(fill)
            painter.drawRect(box)
            ink = self._theme.readable_on(fill)
        else:
            painter.setBrush(self._theme.colour("panel"))
            painter.drawRect(box)
            painter.setBrush(QBrush(self._theme.colour("faint"), Qt.BrushStyle.BDiagPattern))
            painter.drawRect(box)
            ink = self._theme.colour("muted")
        if cell.synthetic_volumes:
            self._paint_synthetic(painter, box)
        painter.setPen(ink)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, str(cell.patients))
        if cell.synthetic_volumes:
            painter.setPen(self._theme.colour("synthetic_text"))
            corner = box.adjusted(0, 0, -4, -1)
            flags = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignBottom
            painter.drawText(corner, flags, f"+{cell.synthetic_volumes}")
        if chosen:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(self._theme.colour("accent"), 2.0))
            painter.drawRect(box.adjusted(1, 1, -1, -1))

    def _paint_synthetic(self, painter: QPainter, box: QRectF) -> None:
        """Fill the lower right corner: synthetic volumes are there, and never add to the count."""
        reach = min(box.width(), box.height()) * 0.85
        corner = box.bottomRight()
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._theme.colour("synthetic"))
        painter.drawPolygon(
            QPolygonF([corner, corner - QPointF(reach, 0), corner - QPointF(0, reach)])
        )

    def _paint_legend(self, painter: QPainter) -> None:
        y = self._box(len(self._rows.levels) if self._rows else 0, 0).top() + 12
        x = float(_HEAD_WIDTH)
        metrics = painter.fontMetrics()
        for kind, text in (
            ("full", "real patients"),
            ("empty", "none: a gap"),
            ("synthetic", "synthetic volumes, counted apart"),
            ("blank", "blank: cannot occur"),
        ):
            box = QRectF(x, y, 18, 14)
            self._paint_key(painter, box, kind)
            painter.setPen(self._theme.colour("muted"))
            painter.drawText(QPointF(x + 24, y + 12), text)
            x += 24 + metrics.horizontalAdvance(text) + 20

    def _paint_key(self, painter: QPainter, box: QRectF, kind: str) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        if kind == "full":
            painter.setBrush(self._theme.magnitude(0.6))
            painter.drawRect(box)
        elif kind == "empty":
            painter.setBrush(self._theme.colour("panel"))
            painter.drawRect(box)
            painter.setBrush(QBrush(self._theme.colour("faint"), Qt.BrushStyle.BDiagPattern))
            painter.drawRect(box)
        elif kind == "synthetic":
            self._paint_synthetic(painter, box)
        else:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(self._theme.colour("line"), 1.0, Qt.PenStyle.DotLine))
            painter.drawRect(box)

    # -- mouse and keys ------------------------------------------------------------------------

    def _at(self, position: QPointF) -> CoverageCell | None:
        if self._rows is None or self._columns is None:
            return None
        for row, down in enumerate(self._rows.levels):
            for column, across in enumerate(self._columns.levels):
                if self._box(row, column).contains(position):
                    return self._cells.get((down, across))
        return None

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose a cell."""
        cell = self._at(event.position())
        if cell is not None:
            self.choose(dict(zip(cell.axes, cell.strata, strict=True)))
            self.cell_chosen.emit(cell)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Say what is in the cell under the pointer."""
        cell = self._at(event.position())
        if cell is None:
            QToolTip.hideText()
        else:
            QToolTip.showText(event.globalPosition().toPoint(), cell_text(cell), self)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Walk through the cells with the arrow keys."""
        step = {
            Qt.Key.Key_Left: (0, -1),
            Qt.Key.Key_Right: (0, 1),
            Qt.Key.Key_Up: (-1, 0),
            Qt.Key.Key_Down: (1, 0),
        }.get(Qt.Key(event.key()))
        if step is None or self._rows is None or self._columns is None:
            super().keyPressEvent(event)
            return
        down, across = self._chosen or (self._rows.levels[0], self._columns.levels[0])
        row = self._rows.levels.index(down) + step[0]
        column = self._columns.levels.index(across) + step[1]
        if 0 <= row < len(self._rows.levels) and 0 <= column < len(self._columns.levels):
            key = (self._rows.levels[row], self._columns.levels[column])
            if key in self._cells:
                self._chosen = key
                self.cell_chosen.emit(self._cells[key])
                self.update()


def cell_text(cell: CoverageCell) -> str:
    """Say what a cell counts."""
    levels = ", ".join(cell.strata)
    return (
        f"{levels}: {cell.patients} patients, {cell.volumes} real volumes, "
        f"{cell.synthetic_volumes} synthetic volumes"
    )


def _cell_of(matrix: CoverageMatrix, levels: dict[str, str]) -> CoverageCell | None:
    """Return the cell of two levels, whichever axis the matrix names first."""
    names = [axis.name for axis in matrix.axes if axis.name in levels]
    return matrix.cell({name: levels[name] for name in names})
