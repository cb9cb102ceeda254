"""Rows of the library's tree: patients, studies, series, sets, and objects that refer to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import PurePath

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QStandardItem, QStandardItemModel

from carez_desktop.domain.finding import Severity
from carez_desktop.domain.study import AttributeValue, ReferencedObject, VolumeRecord
from carez_desktop.domain.volume import SliceAxis, VolumeKind
from carez_desktop.gui.theme import Theme
from carez_desktop.rendering.annotations_text import size_text, spacing_text

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
    "Tags",
    "Labels",
)
THUMBNAIL = 40
GONE_CODES = frozenset({"files_gone"})
_OBJECT_NAMES = {
    "1.2.840.10008.5.1.4.1.1.66.4": "Segmentation (SEG)",
    "1.2.840.10008.5.1.4.1.1.66.7": "Label map (SEG)",
    "1.2.840.10008.5.1.4.1.1.481.3": "Structures (RTSTRUCT)",
    "1.2.840.10008.5.1.4.1.1.481.5": "Plan (RTPLAN)",
    "1.2.840.10008.5.1.4.1.1.481.2": "Dose (RTDOSE)",
    "1.2.840.10008.5.1.4.1.1.88.59": "Key objects (KO)",
    "1.2.840.10008.5.1.4.1.1.67": "Real-world value map",
    "1.2.840.10008.5.1.4.1.1.66.1": "Registration (REG)",
}
_OBJECT_FAMILIES = (
    ("1.2.840.10008.5.1.4.1.1.88.", "Report (SR)"),
    ("1.2.840.10008.5.1.4.1.1.11.", "Presentation state (PR)"),
)


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

    def clear(self) -> None:
        """Take every row away."""
        self._model.removeRows(0, self._model.rowCount())
        for known in (self.rows, self._patients, self._studies, self._sets):
            known.clear()

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

    def set_items(self) -> Iterable[QStandardItem]:
        """Return the rows of 4-D sets, which start folded."""
        return self._sets.values()

    def _study(self, record: VolumeRecord) -> QStandardItem:
        patient = self._patients.get(record.patient_id)
        if patient is None:
            patient = self._group(patient_text(record))
            self._patients[record.patient_id] = patient
            self._model.appendRow([patient, *_blanks()])
        key = (record.patient_id, record.study_instance_uid)
        if key not in self._studies:
            self._studies[key] = self._group(study_text(record))
            patient.appendRow([self._studies[key], *_blanks()])
        return self._studies[key]

    def _set(self, record: VolumeRecord, parent: QStandardItem) -> QStandardItem:
        found = self._sets.get(record.set_id)
        if found is None:
            found = self._group(series_text(record))
            found.setData([], MEMBERS_ROLE)
            self._sets[record.set_id] = found
            cells = [found, _cell(record.modality), *_blanks()[1:]]
            parent.appendRow(cells)
        members = [*found.data(MEMBERS_ROLE), record.volume_id]
        found.setData(members, MEMBERS_ROLE)
        found.setText(f"{series_text(record)}   set of {len(members)} volumes")
        found.setToolTip(f"Split by {record.split_reason}" if record.split_reason else "")
        return found

    def _volume(self, record: VolumeRecord, *, stand_in: bool) -> list[QStandardItem]:
        name = QStandardItem(series_text(record))
        name.setData(record.volume_id, VOLUME_ID_ROLE)
        name.setSizeHint(QSize(0, THUMBNAIL + 8))
        self.rows[record.volume_id] = name
        labels = ", ".join(f"{key} {value}" for key, value in record.labels.items())
        findings = _cell(finding_text(record), -len(record.findings))
        cells = [
            name,
            _cell(record.modality),
            _cell(size_of(record), record.shape[0] * record.shape[1] * record.shape[2]),
            _cell(spacing_text(record.spacing_mm), (record.spacing_mm or (0.0,))[0]),
            _cell(kind_text(record, stand_in=stand_in)),
            findings,
            _cell(", ".join(record.tags)),
            _cell(labels),
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

    def _object(self, item: ReferencedObject) -> list[QStandardItem]:
        first = self._group(object_text(item))
        first.setToolTip(item.path)
        return [first, *_blanks()]

    def _group(self, text: str) -> QStandardItem:
        item = _cell(text)
        item.setForeground(self._theme.colour("muted"))
        return item


def _cell(text: str, key: float | None = None) -> QStandardItem:
    item = QStandardItem(text)
    item.setData(text.lower() if key is None else float(key), SORT_ROLE)
    return item


def _blanks() -> list[QStandardItem]:
    return [QStandardItem("") for _ in COLUMNS[1:]]


def kind_text(record: VolumeRecord, *, stand_in: bool) -> str:
    """Name the kind; a simulated study that plays real is never called real."""
    if stand_in and record.kind is VolumeKind.REAL:
        return "simulated"
    return record.kind.value


def opens(record: VolumeRecord) -> bool:
    """Whether the View page can show it: as a volume, or slice by slice."""
    return not record.refusal or record.slices_only


def gone_text(record: VolumeRecord) -> str:
    """Say that its files are gone; "" while they are there."""
    return next((f.text for f in record.findings if f.code in GONE_CODES), "")


def size_of(record: VolumeRecord) -> str:
    """Write the size; frames of a cine by their name."""
    slices, rows, columns = record.shape
    if record.slice_axis is SliceAxis.TIME:
        return f"{columns} \N{MULTIPLICATION SIGN} {rows}, {slices} frames"
    return size_text(record.shape)


def object_name(item: ReferencedObject) -> str:
    """Name what an object is, from its SOP Class UID."""
    known = _OBJECT_NAMES.get(item.sop_class)
    if known:
        return known
    families = (name for start, name in _OBJECT_FAMILIES if item.sop_class.startswith(start))
    return next(families, item.sop_class or "Object")


def object_text(item: ReferencedObject) -> str:
    """Name an object and its file."""
    words = getattr(item, "description", "") or PurePath(item.path).name
    return f"{object_name(item)}   {words}"


def series_text(record: VolumeRecord) -> str:
    """Name a series."""
    return record.description or f"{record.modality} series"


def patient_text(record: VolumeRecord) -> str:
    """Name a patient: identifier, name, sex, age."""
    parts = [record.patient_id or "Patient without identifier"]
    name = str(record.attributes.get("patient_name") or "").replace("^", " ").strip()
    sex = str(record.attributes.get("patient_sex") or "")
    age = _age_text(record.attributes.get("patient_age"))
    parts += [part for part in (name if name != record.patient_id else "", sex, age) if part]
    return "   ".join(parts)


def _age_text(age: AttributeValue) -> str:
    if age is None or age == "":
        return ""
    return f"{age:g} years" if isinstance(age, float) else str(age)


def study_text(record: VolumeRecord) -> str:
    """Name a study: date and description."""
    date = str(record.attributes.get("study_date") or "")
    if len(date) == 8 and date.isdigit():
        date = f"{date[:4]}-{date[4:6]}-{date[6:]}"
    words = str(record.attributes.get("study_description") or "").strip()
    return "   ".join(part for part in (date, words) if part) or "Study"


def finding_text(record: VolumeRecord) -> str:
    """Say what is odd, the reason why it does not open first."""
    gone = gone_text(record)
    if gone:
        return gone
    if record.refusal:
        what = "slices only" if record.slices_only else "not a volume"
        return f"{what}: {record.refusal}"
    count = sum(finding.severity is not Severity.INFO for finding in record.findings)
    notes = len(record.findings) - count
    parts = [f"{count} finding{'s' if count > 1 else ''}"] if count else []
    parts += [f"{notes} note{'s' if notes > 1 else ''}"] if notes else []
    return ", ".join(parts)
