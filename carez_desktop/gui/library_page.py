"""The Library page: import folders, search, see what is there, open it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QPixmap
from PySide6.QtWidgets import QFileDialog, QGridLayout, QLabel, QLineEdit, QStackedWidget, QWidget

from carez_desktop.domain.study import AttributeValue, ImportReport, VolumeRecord
from carez_desktop.domain.volume import VolumeKind
from carez_desktop.errors import CarezError
from carez_desktop.gui.job_bridge import JobCall
from carez_desktop.gui.library_tree import LibraryTree, kind_text
from carez_desktop.gui.page_parts import (
    ElidedLabel,
    EmptyState,
    Page,
    button,
    clear_layout,
    words,
)
from carez_desktop.gui.session import Session
from carez_desktop.rendering.annotations_text import size_text, spacing_text

_TYPING_MILLISECONDS = 150
_SIMULATED_FOLDER = "simulated_studies"


@dataclass(frozen=True, eq=False)
class _Listing:
    records: tuple[VolumeRecord, ...]
    pictures: dict[str, bytes]
    search: str
    stand_in: bool


class LibraryPage(Page):
    """Everything that was imported into this home."""

    def __init__(self, session: Session) -> None:
        """Build the page; the first list is asked for when it is shown."""
        super().__init__(session.theme, "Library")
        self._session = session
        self._records: tuple[VolumeRecord, ...] = ()
        self._by_id: dict[str, VolumeRecord] = {}
        self._pictures: dict[str, bytes] = {}
        self._stand_in = False
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search patient, series, date…")
        self.search.setClearButtonEnabled(True)
        self.search.setFixedWidth(260)
        self._typing = QTimer(self)
        self._typing.setSingleShot(True)
        self._typing.setInterval(_TYPING_MILLISECONDS)
        self._typing.timeout.connect(self.refresh)
        self.search.textChanged.connect(self._typing.start)
        self.bar.addWidget(self.search)
        self.bar.addWidget(button("Import a folder…", self.choose_folder, tip="Ctrl+O"))
        self.tree = LibraryTree(session.theme)
        self.tree.opened.connect(lambda volume_id: session.volumes_requested.emit(volume_id, ""))
        self.tree.chosen.connect(self._show_details)
        self._stack = QStackedWidget()
        self._stack.addWidget(self._build_empty())
        self._stack.addWidget(self.tree)
        self._stack.addWidget(QWidget())
        self._stack.setCurrentIndex(2)
        self.body.addWidget(self._stack)
        self.setAcceptDrops(True)
        session.library_changed.connect(self.refresh)

    def _build_empty(self) -> EmptyState:
        empty = EmptyState(
            self.theme, "ph.folder-open", "No studies yet. Drop a folder here or choose one."
        )
        empty.add_button("Choose a folder…", self.choose_folder, primary=True)
        empty.add_button("Try simulated studies", self.simulate)
        return empty

    @property
    def records(self) -> tuple[VolumeRecord, ...]:
        """The volumes listed."""
        return self._records

    def entered(self) -> None:
        """Ask for the list."""
        self.refresh()

    # -- listing -------------------------------------------------------------------------------

    def refresh(self) -> None:
        """List the library by what stands in the search field."""
        context, search = self._session.context, self.search.text().strip()

        def work(_: JobCall) -> _Listing:
            from carez_desktop.workflows.describe_library import describe_library
            from carez_desktop.workflows.list_volumes import list_volumes
            from carez_desktop.workflows.read_thumbnails import read_thumbnails

            records = list_volumes(context, search=search)
            ids = [record.volume_id for record in records]
            pictures = read_thumbnails(context, volume_ids=ids)
            return _Listing(records, pictures, search, describe_library(context).stand_in)

        self._session.bridge.submit(
            "List the library",
            work,
            key="library.list",
            visible=False,
            on_result=self._show,
            on_error=self.message.show_error,
        )

    def _show(self, listing: _Listing) -> None:
        records = listing.records
        self._stand_in = listing.stand_in
        self._records = records
        self._session.listed = tuple(r.volume_id for r in records if opens(r))
        self._by_id = {record.volume_id: record for record in records}
        self._pictures = listing.pictures
        self.tree.show_records(records, stand_in=listing.stand_in)
        self.tree.set_thumbnails(listing.pictures.items())
        self._stack.setCurrentIndex(1 if records or listing.search else 0)
        patients = len({record.patient_id for record in records})
        noun = "simulated series" if listing.stand_in else "series"
        self.title.setText(f"Library   {len(records)} {noun}, {patients} patients")
        self._show_details(self.tree.selected_ids())

    # -- importing -----------------------------------------------------------------------------

    def choose_folder(self) -> None:
        """Ask for a folder and import it."""
        folder = QFileDialog.getExistingDirectory(self, "Import a folder of studies")
        if folder:
            self.import_paths((Path(folder),))

    def import_paths(self, paths: Sequence[Path], *, stand_in: bool = False) -> None:
        """Import folders and files in the background."""
        context = self._session.context

        def work(call: JobCall) -> ImportReport:
            from carez_desktop.workflows.import_studies import import_studies

            return import_studies(
                context,
                paths=tuple(paths),
                stand_in=stand_in,
                progress=call.progress,
                cancel=call.cancel,
            )

        self._session.bridge.submit(
            "Import", work, on_result=self._imported, on_error=self.message.show_error
        )

    def simulate(self) -> None:
        """Make simulated studies in this home and import them."""
        context = self._session.context

        def work(call: JobCall) -> Path:
            from carez_desktop.workflows.simulate_studies import simulate_studies

            folder = context.home / _SIMULATED_FOLDER
            made = simulate_studies(
                context, folder=folder, progress=call.progress, cancel=call.cancel
            )
            return made.dicom_folder

        self._session.bridge.submit(
            "Simulate studies",
            work,
            key="library.simulate",
            on_result=lambda folder: self.import_paths((folder,), stand_in=True),
            on_error=self.message.show_error,
        )

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take folders and files."""
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Import what was dropped."""
        paths = tuple(Path(url.toLocalFile()) for url in event.mimeData().urls())
        if paths:
            self.import_paths(paths)

    def _imported(self, report: ImportReport) -> None:
        self.message.show_notice(import_text(report))
        self._session.library_changed.emit()
        self._make_thumbnails()

    def _make_thumbnails(self) -> None:
        context = self._session.context

        def work(call: JobCall) -> object:
            from carez_desktop.workflows.make_thumbnails import make_thumbnails

            return make_thumbnails(
                context, progress=call.progress, cancel=call.cancel, partial=call.partial
            )

        self._session.bridge.submit(
            "Thumbnails",
            work,
            key="library.thumbnails",
            on_partial=self._thumbnail_made,
            on_result=lambda _: self.refresh(),
            on_error=self._thumbnails_failed,
        )

    def _thumbnail_made(self, volume_id: str) -> None:
        from carez_desktop.workflows.read_thumbnails import read_thumbnails

        made = read_thumbnails(self._session.context, volume_ids=(volume_id,))
        self._pictures.update(made)
        self.tree.set_thumbnails(made.items())

    def _thumbnails_failed(self, error: CarezError) -> None:
        self.message.show_error(error)

    # -- details -------------------------------------------------------------------------------

    def _show_details(self, volume_ids: tuple[str, ...]) -> None:
        clear_layout(self.panel)
        chosen = [self._by_id[volume_id] for volume_id in volume_ids if volume_id in self._by_id]
        self.panel_area.setVisible(bool(chosen))
        if not chosen:
            return
        self._add_actions(chosen)
        self._add_facts(chosen[0])

    def _add_actions(self, chosen: Sequence[VolumeRecord]) -> None:
        request = self._session.volumes_requested
        first = chosen[0].volume_id
        if len(chosen) == 2:
            second = chosen[1].volume_id
            self.panel.addWidget(
                button("Compare the two", lambda: request.emit(first, second), role="primary")
            )
            return
        door = button("Open in View", lambda: request.emit(first, ""), role="primary", tip="Enter")
        door.setEnabled(opens(chosen[0]))
        self.panel.addWidget(door)
        if chosen[0].kind is VolumeKind.REAL and not chosen[0].refusal:
            self.panel.addWidget(button("Generate from it", lambda: self._generate(first)))

    def _generate(self, volume_id: str) -> None:
        self._session.page_requested.emit("generate")
        self._session.source_requested.emit(volume_id)

    def _add_facts(self, record: VolumeRecord) -> None:
        png = self._pictures.get(record.volume_id)
        pixmap = QPixmap()
        if png and pixmap.loadFromData(png):
            picture = QLabel()
            picture.setPixmap(pixmap)
            picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
            self.panel.addWidget(picture)
        self.panel.addWidget(ElidedLabel(record.description or "Series", "section"))
        table = QGridLayout()
        table.setColumnStretch(1, 1)
        for row, (title, value) in enumerate(details(record, stand_in=self._stand_in)):
            table.addWidget(words(title, "label"), row, 0)
            table.addWidget(ElidedLabel(value), row, 1)
        self.panel.addLayout(table)
        if record.refusal:
            text = f"It does not load as a volume: {record.refusal}"
            self.panel.addWidget(words(text, "caution", wrap=True))
        for finding in record.findings:
            text = f"{finding.severity.value}: {finding.text}"
            self.panel.addWidget(words(text, "caution", wrap=True))


def opens(record: VolumeRecord) -> bool:
    """Whether the View page can show it: as a volume, or slice by slice."""
    return not record.refusal or record.slices_only


def import_text(report: ImportReport) -> str:
    """Say what an import brought, and what it could not read."""
    text = (
        f"{len(report.series)} series of {report.studies} studies in {report.seconds:.1f} s"
        f", {len(report.findings)} findings"
    )
    if report.unreadable:
        first = report.unreadable[0]
        text += (
            f". {len(report.unreadable)} files could not be read, "
            f"such as {Path(first.path).name}: {first.reason}"
        )
    return text


def details(record: VolumeRecord, *, stand_in: bool) -> tuple[tuple[str, str], ...]:
    """Return what the panel says of a volume: title and value."""
    known = record.attributes
    rows = (
        ("Modality, kind", f"{record.modality}, {kind_text(record, stand_in=stand_in)}"),
        ("Voxels", size_text(record.shape)),
        ("Spacing, mm", spacing_text(record.spacing_mm)),
        ("Orientation", record.orientation),
        ("Manufacturer", str(known.get("manufacturer") or "")),
        ("Kernel", str(known.get("convolution_kernel") or "")),
        ("Peak voltage", _with_unit(known.get("kvp"), "kV")),
        ("Split", record.split_reason),
        ("Source", record.source_format),
    )
    return tuple((title, value) for title, value in rows if value)


def _with_unit(value: AttributeValue, unit: str) -> str:
    return f"{value:g} {unit}" if isinstance(value, float) else ""
