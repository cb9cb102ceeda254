"""The tree of the library: patient, study, series, with thumbnails."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from PySide6.QtCore import QModelIndex, QSize, Qt, Signal
from PySide6.QtGui import QIcon, QKeyEvent, QPainter, QPixmap, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTreeView

from carez_desktop.domain.study import AttributeValue, VolumeRecord
from carez_desktop.domain.volume import VolumeKind
from carez_desktop.gui.theme import Theme
from carez_desktop.rendering.annotations_text import size_text, spacing_text

VOLUME_ID_ROLE = int(Qt.ItemDataRole.UserRole) + 1
COLUMNS = ("Patient, study, series", "Modality", "Voxels", "Spacing, mm", "Kind", "Findings")
_THUMBNAIL = 40
_WIDTHS = (70, 124, 150, 84, 104)


class LibraryTree(QTreeView):
    """Rows of the library; a row is a door.

    Signals:
        opened(str): Enter or a double click on a volume.
        chosen(tuple): Volume ids of the selected rows.
    """

    opened = Signal(str)
    chosen = Signal(tuple)

    def __init__(self, theme: Theme) -> None:
        """Start empty."""
        super().__init__()
        self._theme = theme
        self._rows: dict[str, QStandardItem] = {}
        self._stand_in = False
        self._model = QStandardItemModel(0, len(COLUMNS), self)
        self._model.setHorizontalHeaderLabels(list(COLUMNS))
        self.setModel(self._model)
        self.setIconSize(QSize(_THUMBNAIL, _THUMBNAIL))
        self.setUniformRowHeights(False)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setAllColumnsShowFocus(True)
        header = self.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column, width in enumerate(_WIDTHS, start=1):
            header.resizeSection(column, width)
        self.doubleClicked.connect(self._open_index)
        self.selectionModel().selectionChanged.connect(self._tell_chosen)

    def show_records(self, records: Sequence[VolumeRecord], *, stand_in: bool = False) -> None:
        """Show volumes, grouped by patient and study; what was selected stays selected.

        Args:
            records: Volumes in the order of the library.
            stand_in: What counts as real here is simulated, and is called so.
        """
        self._stand_in = stand_in
        selected = set(self.selected_ids())
        self._model.removeRows(0, self._model.rowCount())
        self._rows.clear()
        patients: dict[str, QStandardItem] = {}
        studies: dict[tuple[str, str], QStandardItem] = {}
        for record in records:
            patient = patients.get(record.patient_id)
            if patient is None:
                patient = self._group(_patient_text(record))
                patients[record.patient_id] = patient
                self._model.appendRow([patient, *_blanks()])
            key = (record.patient_id, record.study_instance_uid)
            if key not in studies:
                studies[key] = self._group(_study_text(record))
                patient.appendRow([studies[key], *_blanks()])
            studies[key].appendRow(self._row(record))
        self.expandAll()
        self._select(selected)

    def set_thumbnails(self, pictures: Iterable[tuple[str, bytes]]) -> None:
        """Show thumbnails (PNG bytes) on their rows."""
        for volume_id, png in pictures:
            item = self._rows.get(volume_id)
            pixmap = QPixmap()
            if item is not None and pixmap.loadFromData(png):
                item.setIcon(self._square(pixmap))

    def selected_ids(self) -> tuple[str, ...]:
        """Volume ids of the selected rows, from top to bottom."""
        rows = self.selectionModel().selectedRows(0)
        ids = (str(index.data(VOLUME_ID_ROLE) or "") for index in rows)
        return tuple(volume_id for volume_id in ids if volume_id)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Open on Enter."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._open_index(self.currentIndex())
        else:
            super().keyPressEvent(event)

    def _open_index(self, index: QModelIndex) -> None:
        volume_id = index.siblingAtColumn(0).data(VOLUME_ID_ROLE) if index.isValid() else None
        if volume_id:
            self.opened.emit(str(volume_id))

    def _tell_chosen(self) -> None:
        self.chosen.emit(self.selected_ids())

    def _select(self, volume_ids: set[str]) -> None:
        for volume_id in volume_ids & set(self._rows):
            index = self._model.indexFromItem(self._rows[volume_id])
            mode = self.selectionModel().SelectionFlag
            self.selectionModel().select(index, mode.Select | mode.Rows)

    def _square(self, picture: QPixmap) -> QIcon:
        """Return a picture in the middle of a square, the same where the row is selected."""
        square = QPixmap(_THUMBNAIL, _THUMBNAIL)
        square.fill(self._theme.colour("canvas"))
        if not picture.isNull():
            smooth = Qt.TransformationMode.SmoothTransformation
            keep = Qt.AspectRatioMode.KeepAspectRatio
            scaled = picture.scaled(_THUMBNAIL, _THUMBNAIL, keep, smooth)
            painter = QPainter(square)
            x, y = (_THUMBNAIL - scaled.width()) // 2, (_THUMBNAIL - scaled.height()) // 2
            painter.drawPixmap(x, y, scaled)
            painter.end()
        made = QIcon(square)
        made.addPixmap(square, QIcon.Mode.Selected)
        return made

    def _group(self, text: str) -> QStandardItem:
        item = QStandardItem(text)
        item.setForeground(self._theme.colour("muted"))
        return item

    def _row(self, record: VolumeRecord) -> list[QStandardItem]:
        name = QStandardItem(record.description or f"{record.modality} series")
        name.setData(record.volume_id, VOLUME_ID_ROLE)
        name.setSizeHint(QSize(0, _THUMBNAIL + 8))
        name.setIcon(self._square(QPixmap()))
        self._rows[record.volume_id] = name
        cells = [
            name,
            QStandardItem(record.modality),
            QStandardItem(size_text(record.shape)),
            QStandardItem(spacing_text(record.spacing_mm)),
            QStandardItem(kind_text(record, stand_in=self._stand_in)),
            QStandardItem(_finding_text(record)),
        ]
        if self._stand_in or record.kind is VolumeKind.SYNTHETIC:
            cells[4].setForeground(self._theme.colour("synthetic"))
        if record.refusal:
            cells[5].setForeground(self._theme.colour("caution"))
            cells[5].setToolTip(record.refusal)
        return cells


def kind_text(record: VolumeRecord, *, stand_in: bool) -> str:
    """Name the kind; a simulated study that plays real is never called real."""
    if stand_in and record.kind is VolumeKind.REAL:
        return "simulated"
    return record.kind.value


def _blanks() -> list[QStandardItem]:
    return [QStandardItem("") for _ in COLUMNS[1:]]


def _patient_text(record: VolumeRecord) -> str:
    parts = [record.patient_id or "Patient without identifier"]
    sex = str(record.attributes.get("patient_sex") or "")
    age = _age_text(record.attributes.get("patient_age"))
    parts += [part for part in (sex, age) if part]
    return "   ".join(parts)


def _age_text(age: AttributeValue) -> str:
    if age is None or age == "":
        return ""
    return f"{age:g} years" if isinstance(age, float) else str(age)


def _study_text(record: VolumeRecord) -> str:
    date = str(record.attributes.get("study_date") or "")
    if len(date) == 8 and date.isdigit():
        date = f"{date[:4]}-{date[4:6]}-{date[6:]}"
    words = str(record.attributes.get("study_description") or "").strip()
    return "   ".join(part for part in (date, words) if part) or "Study"


def _finding_text(record: VolumeRecord) -> str:
    if record.refusal:
        return f"not a volume: {record.refusal}"
    count = len(record.findings)
    return "" if not count else f"{count} finding{'s' if count > 1 else ''}"
