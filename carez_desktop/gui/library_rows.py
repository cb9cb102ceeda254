"""Rows of the library's tree: patients, studies, series, sets, and objects that refer to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QStandardItem, QStandardItemModel

from carez_desktop.domain.finding import Severity
from carez_desktop.domain.study import ReferencedObject, VolumeRecord
from carez_desktop.domain.volume import VolumeKind
from carez_desktop.gui.record_words import (
    finding_text,
    gone_text,
    kind_text,
    object_text,
    patient_text,
    place_text,
    series_text,
    size_of,
    spacing_of,
    study_text,
)
from carez_desktop.gui.theme import Theme

VOLUME_ID_ROLE = int(Qt.ItemDataRole.UserRole) + 1
SORT_ROLE = int(Qt.ItemDataRole.UserRole) + 2
MEMBERS_ROLE = int(Qt.ItemDataRole.UserRole) + 3
COLUMNS = (
    "Patient, study, series",
    "Modality",
    "Voxels",
    "Spacing, mm",
    "Kind",
    "Findings",
    "Tags, labels",
)
THUMBNAIL = 40


class RowBuilder:
    """Fill a model with records, grouped by patient, study and set.

    Attributes:
        rows: The first cell of each volume.
    """

    def __init__(self, model: QStandardItemModel, theme: Theme) -> None:
        """Fill an empty model."""
        self._model = model
        self._theme = theme
        self.rows: dict[str, QStandardItem] = {}
        self._patients: dict[str, QStandardItem] = {}
        self._studies: dict[tuple[str, str], QStandardItem] = {}
        self._sets: dict[str, QStandardItem] = {}
        self._new_groups: list[QStandardItem] = []

    def clear(self) -> None:
        """Take every row away."""
        self._model.removeRows(0, self._model.rowCount())
        for known in (self.rows, self._patients, self._studies, self._sets):
            known.clear()
        self._new_groups.clear()

    def add(self, records: Sequence[VolumeRecord], *, stand_in: bool) -> None:
        """Add records below their patients, studies and sets.

        Args:
            records: In the order of the library.
            stand_in: What counts as real here is simulated, and is called so.
        """
        counts: dict[str, int] = {}
        for record in records:
            if record.set_id:
                counts[record.set_id] = counts.get(record.set_id, 0) + 1
        for record in records:
            if record.volume_id in self.rows:
                continue
            parent = self._study(record)
            is_grouped = counts.get(record.set_id, 0) > 1 or record.set_id in self._sets
            if record.set_id and is_grouped:
                parent = self._set(record, parent)
            cells = self._volume(record, stand_in=stand_in)
            parent.appendRow(cells)
            for item in record.objects:
                cells[0].appendRow(self._object(item))

    def take_group_items(self) -> list[QStandardItem]:
        """Return, once, the rows that have words in their first cell only."""
        taken, self._new_groups = self._new_groups, []
        return taken

    def set_items(self) -> Iterable[QStandardItem]:
        """Return the rows of 4-D sets, which start folded."""
        return self._sets.values()

    def _study(self, record: VolumeRecord) -> QStandardItem:
        patient = self._patients.get(record.patient_id)
        if patient is None:
            patient = self._group(patient_text(record))
            self._patients[record.patient_id] = patient
            self._model.appendRow(patient)
        key = (record.patient_id, record.study_instance_uid)
        if key not in self._studies:
            self._studies[key] = self._group(study_text(record))
            patient.appendRow(self._studies[key])
        return self._studies[key]

    def _set(self, record: VolumeRecord, parent: QStandardItem) -> QStandardItem:
        found = self._sets.get(record.set_id)
        if found is None:
            found = self._group(series_text(record))
            found.setData([], MEMBERS_ROLE)
            self._sets[record.set_id] = found
            parent.appendRow(found)
        members = [*found.data(MEMBERS_ROLE), record.volume_id]
        found.setData(members, MEMBERS_ROLE)
        found.setText(f"{series_text(record)}   {record.modality}, set of {len(members)} volumes")
        found.setToolTip(f"Split by {record.split_reason}" if record.split_reason else "")
        return found

    def _volume(self, record: VolumeRecord, *, stand_in: bool) -> list[QStandardItem]:
        name = QStandardItem(series_text(record))
        name.setData(record.volume_id, VOLUME_ID_ROLE)
        name.setSizeHint(QSize(0, THUMBNAIL + 8))
        self.rows[record.volume_id] = name
        labels = [f"{key} {value}" for key, value in record.labels.items()]
        findings = _cell(finding_text(record), -len(record.findings))
        cells = [
            name,
            _cell(record.modality),
            _cell(size_of(record), record.shape[0] * record.shape[1] * record.shape[2]),
            _cell(spacing_of(record), (record.spacing_mm or (0.0,))[0]),
            _cell(kind_text(record, stand_in=stand_in)),
            findings,
            _cell(", ".join([*record.tags, *labels])),
        ]
        if stand_in or record.kind is VolumeKind.SYNTHETIC:
            cells[4].setForeground(self._theme.colour("synthetic"))
        if record.refusal or any(f.severity is not Severity.INFO for f in record.findings):
            findings.setForeground(self._theme.colour("caution"))
        findings.setToolTip("\n".join(finding.text for finding in record.findings))
        if record.split_reason:
            name.setToolTip(f"Split by {record.split_reason}")
        gone = gone_text(record)
        if gone:
            for cell in cells:
                cell.setForeground(self._theme.colour("faint"))
                cell.setToolTip(gone)
        return cells

    def _object(self, item: ReferencedObject) -> QStandardItem:
        first = self._group(object_text(item))
        first.setToolTip(place_text(item))
        return first

    def _group(self, text: str) -> QStandardItem:
        item = _cell(text)
        item.setForeground(self._theme.colour("muted"))
        # Qt sorts below a row only by columns that the row has.
        item.setColumnCount(len(COLUMNS))
        self._new_groups.append(item)
        return item


def _cell(text: str, key: float | None = None) -> QStandardItem:
    item = QStandardItem(text)
    item.setData(text.lower() if key is None else float(key), SORT_ROLE)
    return item
