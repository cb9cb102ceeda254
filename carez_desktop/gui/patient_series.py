"""What could be shown beside a volume: open layers, and the patient's series in the library."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QComboBox

from carez_desktop.errors import CarezError, NotFoundError
from carez_desktop.gui.job_bridge import JobCall
from carez_desktop.gui.panel_parts import narrow_list
from carez_desktop.gui.session import Session
from carez_desktop.gui.view_loading import ViewRequest, load_layers
from carez_desktop.workflows.context import WorkflowContext
from carez_desktop.workspace.layer import Layer

_MOST = 200
_LONGEST = 40


@dataclass(frozen=True, slots=True)
class SeriesEntry:
    """A volume of the library that can be opened."""

    volume_id: str
    title: str


def series_of_patient(context: WorkflowContext, volume_id: str) -> tuple[SeriesEntry, ...]:
    """Return the other volumes of the patient that open, its own study first.

    Args:
        context: Whose library.
        volume_id: A volume; one that the library does not know has no others.

    Raises:
        StorageError: The library cannot be read.
    """
    from carez_desktop.workflows.describe_volume import describe_volume
    from carez_desktop.workflows.list_volumes import list_volumes

    try:
        own = describe_volume(context, volume_id=volume_id)
    except NotFoundError:
        # Opened from elsewhere: that it has no others here is the answer, not a failure.
        own = None
    if own is None:
        return ()
    search = own.patient_id or own.study_instance_uid
    found = [
        record
        for record in list_volumes(context, search=search, limit=_MOST)
        if record.volume_id != volume_id
        and record.patient_id == own.patient_id
        and (not record.refusal or record.slices_only)
    ]
    found.sort(key=lambda record: record.study_instance_uid != own.study_instance_uid)
    return tuple(
        SeriesEntry(
            record.volume_id,
            " ".join(
                part
                for part in (
                    record.modality,
                    record.description,
                    ""
                    if record.study_instance_uid == own.study_instance_uid
                    else f"({record.attributes.get('study_date', 'other study')})",
                )
                if part
            ),
        )
        for record in found
    )


class PatientSeries(QObject):
    """The patient's other series, asked for off the Qt thread, and a way to load one of them.

    Signals:
        changed: Other series are known now.
        busy(str): What is being loaded; "" when nothing is.
        failed(CarezError): A series could not be loaded.
    """

    changed = Signal()
    busy = Signal(str)
    failed = Signal(object)

    def __init__(self, session: Session, parent: QObject) -> None:
        """Know none."""
        super().__init__(parent)
        self._session = session
        self._asked = ""
        self.entries: tuple[SeriesEntry, ...] = ()

    def ask(self, layer: Layer | None) -> None:
        """Find the series of a layer's patient, unless that was asked last."""
        wanted = layer.volume.volume_id if layer is not None else ""
        if wanted == self._asked:
            return
        self._asked, self.entries = wanted, ()
        self.changed.emit()
        if not wanted:
            return
        context = self._session.context
        self._session.bridge.submit(
            "Find the patient's series",
            lambda _: series_of_patient(context, wanted),
            key="view.patient_series",
            visible=False,
            on_result=self._found,
            on_error=self.failed.emit,
        )

    def load(self, entry: SeriesEntry, then: Callable[[Layer], object]) -> None:
        """Load a series and hand over its layer."""
        context = self._session.context

        def work(call: JobCall) -> Layer:
            request = ViewRequest(entry.volume_id)
            return load_layers(context, request, call, with_source=False).left

        def failed(error: CarezError) -> None:
            self.busy.emit("")
            self.failed.emit(error)

        self.busy.emit(f"Reading {entry.title}…")
        self._session.bridge.submit(
            f"Load {entry.title}",
            work,
            key="view.second",
            on_result=partial(self._loaded, then),
            on_error=failed,
        )

    def _found(self, entries: tuple[SeriesEntry, ...]) -> None:
        self.entries = entries
        self.changed.emit()

    def _loaded(self, then: Callable[[Layer], object], layer: Layer) -> None:
        self.busy.emit("")
        then(layer)


class VolumeChoice(QComboBox):
    """A list of layers and series, with words for none of them at its top.

    Signals:
        picked(object): The `Layer` or `SeriesEntry` a person chose; None for the first line.
    """

    picked = Signal(object)

    def __init__(self, nothing: str, accessible: str) -> None:
        """Start with the first line only.

        Args:
            nothing: Words of the first line.
            accessible: What the list is for.
        """
        super().__init__()
        self._nothing = nothing
        self._offered: tuple[object, ...] = (None,)
        self.addItem(nothing)
        self.setAccessibleName(accessible)
        self.activated.connect(self._pick)
        narrow_list(self)

    def offer(
        self, layers: Sequence[Layer], entries: Sequence[SeriesEntry], chosen: Layer | None
    ) -> None:
        """Show what can be chosen; series that are open already are not listed twice."""
        is_open = {layer.volume.volume_id for layer in layers}
        rest = [entry for entry in entries if entry.volume_id not in is_open]
        choices: list[Layer | SeriesEntry] = [*layers, *rest]
        offered = (None, *choices)
        if offered != self._offered:
            self._offered = offered
            self.clear()
            self.addItem(self._nothing)
            for item in choices:
                self.addItem(_short(item.title))
                self.setItemData(self.count() - 1, item.title, Qt.ItemDataRole.ToolTipRole)
        place = next((n for n, item in enumerate(offered) if item is chosen), 0)
        self.setCurrentIndex(place)
        self.setEnabled(len(offered) > 1)
        self.setToolTip("" if len(offered) > 1 else "Nothing else of this patient is there")

    def _pick(self, row: int) -> None:
        if row < len(self._offered):
            self.picked.emit(self._offered[row])


def _short(title: str) -> str:
    return title if len(title) <= _LONGEST else f"{title[: _LONGEST - 1]}…"
