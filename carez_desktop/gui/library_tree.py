"""The tree of the library: patient, study, series, with thumbnails."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from PySide6.QtCore import QByteArray, QModelIndex, QPoint, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QGuiApplication,
    QIcon,
    QKeyEvent,
    QKeySequence,
    QPainter,
    QPixmap,
    QResizeEvent,
    QStandardItem,
    QStandardItemModel,
)
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QMenu, QTreeView

from carez_desktop.domain.study import VolumeRecord
from carez_desktop.gui.library_rows import (
    COLUMNS,
    MEMBERS_ROLE,
    SORT_ROLE,
    THUMBNAIL,
    VOLUME_ID_ROLE,
    RowBuilder,
)
from carez_desktop.gui.theme import Theme

_WIDTHS = (66, 124, 150, 88, 104, 90)
_INDENTATION = 14
_SETTLED_MILLISECONDS = 60
_BEYOND = 200
_OWN_KEYS = (
    Qt.Key.Key_Up,
    Qt.Key.Key_Down,
    Qt.Key.Key_Left,
    Qt.Key.Key_Right,
    Qt.Key.Key_Home,
    Qt.Key.Key_End,
    Qt.Key.Key_PageUp,
    Qt.Key.Key_PageDown,
    Qt.Key.Key_Space,
)


class LibraryTree(QTreeView):
    """Rows of the library; a row is a door.

    Signals:
        opened(str): A volume is to be opened.
        chosen(tuple): Volume ids of the selected rows.
        looked: Other rows came into view.
        end_reached: The last row came into view.
    """

    opened = Signal(str)
    chosen = Signal(tuple)
    looked = Signal()
    end_reached = Signal()
    menu_wanted = Signal(QPoint)

    def __init__(self, theme: Theme) -> None:
        """Start empty."""
        super().__init__()
        self._theme = theme
        self._model = QStandardItemModel(0, len(COLUMNS), self)
        self._model.setHorizontalHeaderLabels(list(COLUMNS))
        self._model.setSortRole(SORT_ROLE)
        self._builder = RowBuilder(self._model, theme)
        self._blank = self._square(QPixmap())
        self._pictured: set[str] = set()
        self.setModel(self._model)
        self.setIconSize(QSize(THUMBNAIL, THUMBNAIL))
        self.setUniformRowHeights(False)
        self.setIndentation(_INDENTATION)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setAllColumnsShowFocus(True)
        self._prepare_header()
        self.doubleClicked.connect(self._open_index)
        self.selectionModel().selectionChanged.connect(self._tell_chosen)
        self._settled = self._timer(_SETTLED_MILLISECONDS)
        self._filled = self._timer(0)
        self.verticalScrollBar().valueChanged.connect(self._settled.start)
        self.expanded.connect(self._settled.start)

    def _timer(self, milliseconds: int) -> QTimer:
        """Return a timer after which is told what is in view."""
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(milliseconds)
        timer.timeout.connect(self._tell_looked)
        return timer

    def _prepare_header(self) -> None:
        header = self.header()
        header.setStretchLastSection(False)
        header.setSectionsClickable(True)
        header.setSortIndicatorShown(True)
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        header.customContextMenuRequested.connect(self._choose_columns)
        for column, width in enumerate(_WIDTHS, start=1):
            header.resizeSection(column, width)
        header.sortIndicatorChanged.connect(self._sort)

    # -- rows ----------------------------------------------------------------------------------

    def show_records(self, records: Sequence[VolumeRecord], *, stand_in: bool = False) -> None:
        """Show volumes, grouped by patient and study; what was selected stays selected.

        Args:
            records: Volumes in the order of the library.
            stand_in: What counts as real here is simulated, and is called so.
        """
        selected, place = set(self.selected_ids()), self.verticalScrollBar().value()
        self.setUpdatesEnabled(False)
        self.selectionModel().blockSignals(True)
        self._builder.clear()
        self._pictured.clear()
        self._add(records, stand_in=stand_in)
        self.selectionModel().blockSignals(False)
        self._select(selected)
        self.verticalScrollBar().setValue(place)
        self.setUpdatesEnabled(True)
        self._filled.start()

    def add_records(self, records: Sequence[VolumeRecord], *, stand_in: bool = False) -> None:
        """Show further volumes below those shown."""
        self._add(records, stand_in=stand_in)
        self._filled.start()

    def _add(self, records: Sequence[VolumeRecord], *, stand_in: bool) -> None:
        self._builder.add(records, stand_in=stand_in)
        for record in records:
            item = self._builder.rows[record.volume_id]
            if item.icon().isNull():
                item.setIcon(self._blank)
        header = self.header()
        if header.sortIndicatorSection() >= 0:
            self._model.sort(header.sortIndicatorSection(), header.sortIndicatorOrder())
        for item in self._builder.take_group_items():
            index = item.index()
            self.setFirstColumnSpanned(index.row(), index.parent(), True)
        self.expandAll()
        for item in self._builder.set_items():
            self.collapse(self._model.indexFromItem(item))

    def set_thumbnails(self, pictures: Iterable[tuple[str, bytes]]) -> None:
        """Show thumbnails (PNG bytes) on their rows."""
        for volume_id, png in pictures:
            item = self._builder.rows.get(volume_id)
            pixmap = QPixmap()
            if item is not None and pixmap.loadFromData(png):
                item.setIcon(self._square(pixmap))
                self._pictured.add(volume_id)

    def visible_ids(self) -> tuple[str, ...]:
        """Volume ids of the rows in view that have no thumbnail yet, from top to bottom."""
        found = []
        area = self.viewport().rect()
        index = self.indexAt(QPoint(area.left() + 1, area.top() + 1))
        while index.isValid() and self.visualRect(index).top() <= area.bottom() + _BEYOND:
            volume_id = index.siblingAtColumn(0).data(VOLUME_ID_ROLE)
            if volume_id and volume_id not in self._pictured:
                found.append(str(volume_id))
            index = self.indexBelow(index)
        return tuple(found)

    def selected_ids(self) -> tuple[str, ...]:
        """Volume ids of the selected rows, from top to bottom; all of a folded set."""
        ids: list[str] = []
        for index in self.selectionModel().selectedRows(0):
            volume_id = index.data(VOLUME_ID_ROLE)
            members = index.data(MEMBERS_ROLE) or []
            ids += [str(volume_id)] if volume_id else [str(member) for member in members]
        return tuple(dict.fromkeys(ids))

    # -- columns -------------------------------------------------------------------------------

    def header_state(self) -> QByteArray:
        """Return widths, order, hidden columns and sorting."""
        return self.header().saveState()

    def restore_header(self, state: object) -> None:
        """Bring back what `header_state` gave; anything else is ignored."""
        if isinstance(state, QByteArray) and self.header().restoreState(state):
            self._sort()

    def _sort(self) -> None:
        header = self.header()
        column = header.sortIndicatorSection()
        if column >= 0:
            self._model.sort(column, header.sortIndicatorOrder())

    def _choose_columns(self, at: QPoint) -> None:
        menu = QMenu(self)
        for column, title in enumerate(COLUMNS[1:], start=1):
            choice = menu.addAction(title)
            choice.setCheckable(True)
            choice.setChecked(not self.isColumnHidden(column))
            choice.toggled.connect(
                lambda shown, column=column: self.setColumnHidden(column, not shown)
            )
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(self.header().mapToGlobal(at))

    # -- keys, menu ----------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move and choose; every other key goes on to the window, which runs its command."""
        if event.key() in _OWN_KEYS or event.matches(QKeySequence.StandardKey.SelectAll):
            super().keyPressEvent(event)
        else:
            event.ignore()

    def open_current(self) -> None:
        """Open the row that has the focus."""
        self._open_index(self.currentIndex())

    def current_id(self) -> str:
        """Return the volume id of the row that has the focus; "" for a heading or none."""
        index = self.currentIndex()
        found = index.siblingAtColumn(0).data(VOLUME_ID_ROLE) if index.isValid() else None
        return str(found or "")

    def copy_rows(self) -> None:
        """Copy the selected rows with their headings, tab-separated."""
        columns = [c for c in range(len(COLUMNS)) if not self.isColumnHidden(c)]
        lines = ["\t".join([*(COLUMNS[c] for c in columns), "Identifier"])]
        rows = sorted(
            self.selectionModel().selectedRows(0), key=lambda index: self.visualRect(index).top()
        )
        for index in rows:
            cells = [str(index.siblingAtColumn(c).data() or "") for c in columns]
            lines.append("\t".join([*cells, str(index.data(VOLUME_ID_ROLE) or "")]))
        if len(lines) > 1:
            QGuiApplication.clipboard().setText("\n".join(lines))

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Let the page say what can be done with the rows."""
        self.menu_wanted.emit(event.globalPos())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Look again what is in view."""
        super().resizeEvent(event)
        self._settled.start()

    def _open_index(self, index: QModelIndex) -> None:
        volume_id = index.siblingAtColumn(0).data(VOLUME_ID_ROLE) if index.isValid() else None
        if volume_id:
            self.opened.emit(str(volume_id))

    def _tell_chosen(self) -> None:
        self.chosen.emit(self.selected_ids())

    def _tell_looked(self) -> None:
        self.looked.emit()
        bar = self.verticalScrollBar()
        if bar.value() >= bar.maximum() - self.viewport().height():
            self.end_reached.emit()

    def _select(self, volume_ids: set[str]) -> None:
        for volume_id in volume_ids & set(self._builder.rows):
            index = self._model.indexFromItem(self._builder.rows[volume_id])
            mode = self.selectionModel().SelectionFlag
            self.selectionModel().select(index, mode.Select | mode.Rows)

    def row_of(self, volume_id: str) -> QStandardItem | None:
        """Return the first cell of a volume's row."""
        return self._builder.rows.get(volume_id)

    def _square(self, picture: QPixmap) -> QIcon:
        """Return a picture in the middle of a square, the same where the row is selected."""
        square = QPixmap(THUMBNAIL, THUMBNAIL)
        square.fill(self._theme.colour("canvas"))
        if not picture.isNull():
            smooth = Qt.TransformationMode.SmoothTransformation
            keep = Qt.AspectRatioMode.KeepAspectRatio
            scaled = picture.scaled(THUMBNAIL, THUMBNAIL, keep, smooth)
            painter = QPainter(square)
            x, y = (THUMBNAIL - scaled.width()) // 2, (THUMBNAIL - scaled.height()) // 2
            painter.drawPixmap(x, y, scaled)
            painter.end()
        made = QIcon(square)
        made.addPixmap(square, QIcon.Mode.Selected)
        return made
