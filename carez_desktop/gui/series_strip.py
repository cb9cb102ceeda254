"""The patient's series beside the panes, to be dragged onto one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QByteArray, QMimeData, QSize, Qt, Signal
from PySide6.QtGui import QIcon, QPixmap
from PySide6.QtWidgets import QAbstractItemView, QListWidget, QListWidgetItem

from carez_desktop.domain.volume import VolumeKind
from carez_desktop.gui.job_bridge import JobCall
from carez_desktop.gui.record_words import opens, size_of
from carez_desktop.gui.session import Session
from carez_desktop.gui.slice_pane import SERIES_MIME
from carez_desktop.gui.theme import icon
from carez_desktop.workflows.context import WorkflowContext

WIDTH = 112
_PICTURE = 72
_MOST = 200
_ID = Qt.ItemDataRole.UserRole


@dataclass(frozen=True, eq=False)
class StripEntry:
    """One series of the strip.

    Attributes:
        title: Short words under its picture.
        tip: All that is worth knowing.
        picture: PNG bytes; b"" while there is none.
    """

    volume_id: str
    title: str
    tip: str
    is_synthetic: bool
    picture: bytes


def strip_entries(context: WorkflowContext, volume_id: str) -> tuple[StripEntry, ...]:
    """Return the volumes of a volume's patient that can be shown, its own study first.

    Raises:
        StorageError: The library cannot be read.
    """
    from carez_desktop.workflows.describe_volume import describe_volume
    from carez_desktop.workflows.list_volumes import list_volumes
    from carez_desktop.workflows.read_thumbnails import read_thumbnails

    own = describe_volume(context, volume_id=volume_id)
    if own is None:
        return ()
    search = own.patient_id or own.study_instance_uid
    found = [
        record
        for record in list_volumes(context, search=search, limit=_MOST)
        if record.patient_id == own.patient_id and opens(record)
    ]
    found.sort(key=lambda record: record.study_instance_uid != own.study_instance_uid)
    ids = [record.volume_id for record in found]
    pictures = read_thumbnails(context, volume_ids=ids)
    entries = []
    for record in found:
        date = str(record.attributes.get("study_date") or "")
        words = (record.description, record.modality, size_of(record), record.split_reason, date)
        entries.append(
            StripEntry(
                record.volume_id,
                " ".join(p for p in (record.split_reason, record.description) if p)
                or record.modality,
                "\n".join(word for word in words if word),
                record.kind is VolumeKind.SYNTHETIC,
                pictures.get(record.volume_id, b""),
            )
        )
    return tuple(entries)


class SeriesStrip(QListWidget):
    """Series with their pictures; drag one onto a pane, or open it in the active one.

    Signals:
        open_requested(str): A double click or Return: show it in the active pane.
        filled(int): How many series there are now.
    """

    open_requested = Signal(str)
    filled = Signal(int)

    def __init__(self, session: Session) -> None:
        """Start empty."""
        super().__init__()
        self._session = session
        self._asked = ""
        self._listed: frozenset[str] = frozenset()
        self.setViewMode(QListWidget.ViewMode.IconMode)
        self.setFlow(QListWidget.Flow.TopToBottom)
        self.setWrapping(False)
        self.setMovement(QListWidget.Movement.Static)
        self.setDragEnabled(True)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
        self.setIconSize(QSize(_PICTURE, _PICTURE))
        self.setGridSize(QSize(WIDTH - 14, _PICTURE + 32))
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.setFixedWidth(WIDTH)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Series of the patient")
        self.itemActivated.connect(self._open)
        session.library_changed.connect(self.ask_again)

    def ask(self, volume_id: str) -> None:
        """List the series of a volume's patient, off the Qt thread."""
        if volume_id == self._asked or volume_id in self._listed:
            return
        self._asked = volume_id
        context = self._session.context

        def work(_: JobCall) -> tuple[StripEntry, ...]:
            return strip_entries(context, volume_id) if volume_id else ()

        self._session.bridge.submit(
            "List the patient's series",
            work,
            key="view.strip",
            visible=False,
            on_result=self.fill,
        )

    def ask_again(self) -> None:
        """List anew: the library changed."""
        asked, self._asked, self._listed = self._asked, "", frozenset()
        if asked:
            self.ask(asked)

    def fill(self, entries: Sequence[StripEntry]) -> None:
        """Show series."""
        self.clear()
        self._listed = frozenset(entry.volume_id for entry in entries)
        for entry in entries:
            item = QListWidgetItem(self._icon(entry), entry.title)
            item.setData(_ID, entry.volume_id)
            item.setToolTip(f"{entry.tip}\nDrag it onto a pane, or press Return")
            item.setTextAlignment(Qt.AlignmentFlag.AlignHCenter)
            if entry.is_synthetic:
                item.setForeground(self._session.theme.colour("synthetic"))
            self.addItem(item)
        self.filled.emit(len(entries))

    def mimeData(self, items: Sequence[QListWidgetItem]) -> QMimeData:
        """Carry the volume id of the dragged series."""
        carried = QMimeData()
        for item in items[:1]:
            carried.setData(SERIES_MIME, QByteArray(str(item.data(_ID)).encode()))
        return carried

    def _icon(self, entry: StripEntry) -> QIcon:
        picture = QPixmap()
        if entry.picture and picture.loadFromData(entry.picture):
            size = QSize(_PICTURE, _PICTURE)
            kept = Qt.AspectRatioMode.KeepAspectRatio
            return QIcon(picture.scaled(size, kept, Qt.TransformationMode.SmoothTransformation))
        return icon(self._session.theme, "ph.cube", "faint")

    def _open(self, item: QListWidgetItem) -> None:
        self.open_requested.emit(str(item.data(_ID)))
