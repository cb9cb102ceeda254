"""The Library page: import, search, see what is there, open it, put it in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, QSettings, Qt, QTimer
from PySide6.QtWidgets import (
    QFileDialog,
    QInputDialog,
    QLineEdit,
    QMenu,
    QStackedWidget,
    QToolButton,
    QWidget,
)

from carez_desktop.domain.finding import counted
from carez_desktop.domain.study import VolumeRecord
from carez_desktop.gui.job_bridge import JobCall
from carez_desktop.gui.library_commands import LibraryUndo, register_library_commands
from carez_desktop.gui.library_details import LibraryDetails
from carez_desktop.gui.library_tree import LibraryTree
from carez_desktop.gui.library_verbs import LibraryVerbs
from carez_desktop.gui.page_parts import EmptyState, Page, button
from carez_desktop.gui.plane_note import PlaneNote
from carez_desktop.gui.record_words import opens
from carez_desktop.gui.report_panel import ProgressStrip, ReportLine, ReportPanel
from carez_desktop.gui.session import Session
from carez_desktop.gui.thumbnail_feed import ThumbnailFeed
from carez_desktop.jobs.job_runner import Lane

TYPING_MILLISECONDS = 80
ROWS_AT_ONCE = 150
_HEADER_KEY = "library/columns"
_COPY_KEY = "library/copy"


if TYPE_CHECKING:
    from carez_desktop.workflows.describe_library import LibraryFacts


@dataclass(frozen=True, eq=False)
class _Listing:
    records: tuple[VolumeRecord, ...]
    has_more: bool
    offset: int
    search: str
    facts: LibraryFacts


class LibraryPage(Page):
    """Everything that was imported into this home."""

    def __init__(self, session: Session) -> None:
        """Build the page; the first list is asked for when it is shown."""
        super().__init__(session.theme, "Library")
        self._session = session
        self._records: tuple[VolumeRecord, ...] = ()
        self._by_id: dict[str, VolumeRecord] = {}
        self._pictures: dict[str, bytes] = {}
        self._facts: LibraryFacts | None = None
        self._has_more = False
        self._settings: QSettings | None = None
        self.verbs = LibraryVerbs(session, self)
        self._undo = LibraryUndo(session, self.verbs)
        self.progress = ProgressStrip()
        self.report = ReportPanel(session.theme)
        self._build_bar()
        self.tree = LibraryTree(session.theme)
        self.details = LibraryDetails(session.theme)
        self.panel.addWidget(self.details)
        self._stack = QStackedWidget()
        clear = ("Clear the search", self.search.clear)
        self.nothing = PlaneNote(self.theme, action=clear, ground="page")
        for widget in (self._build_empty(), self.tree, QWidget(), self.nothing):
            self._stack.addWidget(widget)
        self._stack.setCurrentIndex(2)
        self.body.addWidget(self.progress)
        self.body.addWidget(self._stack, 1)
        self.body.addWidget(self.report)
        self.thumbnails = ThumbnailFeed(session, self.tree.visible_ids, self)
        self._connect()

    # -- building ------------------------------------------------------------------------------

    def _build_bar(self) -> None:
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search patient, series, date…")
        self.search.setToolTip(
            "Words begin words of any field; modality: kind: date: tag: label: patient: body: "
            "maker: search one field (Ctrl+F)"
        )
        self.search.setClearButtonEnabled(True)
        self.search.setFixedWidth(210)
        self.search.setAcceptDrops(False)
        self._typing = QTimer(self)
        self._typing.setSingleShot(True)
        self._typing.setInterval(TYPING_MILLISECONDS)
        self._typing.timeout.connect(self.refresh)
        self.search.textChanged.connect(self._typing.start)
        self.bar.addWidget(self.search)
        self.bar.addWidget(button("Import a folder…", self.choose_folder, tip="Ctrl+O"))
        more = QToolButton()
        more.setText("More   ")
        more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        more.setAccessibleName("More ways to import, labels, rescan")
        menu = QMenu(more)
        menu.addAction("Import files…", self.choose_files)
        self.copies = menu.addAction("Copy what is imported into the home folder")
        self.copies.setCheckable(True)
        menu.addSeparator()
        menu.addAction("Labels from a CSV…", self.choose_labels)
        menu.addAction("Look for moved and vanished files", self.verbs.rescan)
        menu.addAction("Files that could not be read…", self.show_unreadable)
        more.setMenu(menu)
        self.bar.addWidget(more)

    def _build_empty(self) -> EmptyState:
        empty = EmptyState(
            self.theme, "ph.folder-open", "No studies yet. Drop a folder here or choose one."
        )
        empty.add_button("Choose a folder…", self.choose_folder, primary=True)
        empty.add_button("Try simulated studies", self.simulate)
        return empty

    def _connect(self) -> None:
        request = self._session.volumes_requested
        self.tree.opened.connect(self._open)
        self.tree.chosen.connect(self._show_details)
        self.tree.looked.connect(self.thumbnails.look)
        self.tree.end_reached.connect(self._list_more)
        self.tree.menu_wanted.connect(self._show_menu)
        self.thumbnails.arrived.connect(self._take_pictures)
        self.thumbnails.failed.connect(self.message.show_error)
        self.details.opened.connect(request)
        self.details.generate_requested.connect(self._generate)
        self.details.tag_added.connect(self._add_tag)
        self.details.tag_removed.connect(self._remove_tag)
        self.details.remove_requested.connect(self.ask_to_remove)
        self.verbs.done.connect(self._tell)
        self.verbs.removed.connect(self._tell_removed)
        self.verbs.failed.connect(self.message.show_error)
        self.verbs.progress.connect(self.progress.take)
        self.progress.cancel.clicked.connect(self._cancel_import)
        self._session.library_changed.connect(self._library_changed)
        register_library_commands(self, self._session)

    def remember_in(self, settings: QSettings) -> None:
        """Bring back columns and the choice to copy, and keep them from now on."""
        self._settings = settings
        self.tree.restore_header(settings.value(_HEADER_KEY))
        self.copies.setChecked(str(settings.value(_COPY_KEY)) == "true")

    def keep_looks(self) -> None:
        """Write columns and the choice to copy to the settings."""
        if self._settings is not None:
            self._settings.setValue(_HEADER_KEY, self.tree.header_state())
            self._settings.setValue(_COPY_KEY, "true" if self.copies.isChecked() else "false")

    @property
    def records(self) -> tuple[VolumeRecord, ...]:
        """The volumes listed."""
        return self._records

    @property
    def _stand_in(self) -> bool:
        return self._facts is not None and self._facts.stand_in

    def entered(self) -> None:
        """Ask for the list."""
        self._facts = None
        self.refresh()

    def leaving(self) -> None:
        """Keep how the columns lie."""
        self.keep_looks()

    # -- listing -------------------------------------------------------------------------------

    def refresh(self) -> None:
        """List the library by what stands in the search field, as far as it was listed."""
        self._list(0, max(ROWS_AT_ONCE, len(self._records) if not self._typing.isActive() else 0))

    def _list_more(self) -> None:
        if self._has_more:
            self._has_more = False
            self._list(len(self._records), ROWS_AT_ONCE)

    def _list(self, offset: int, count: int) -> None:
        context, search = self._session.context, self.search.text().strip()
        known = self._facts

        def work(_: JobCall) -> _Listing:
            from carez_desktop.workflows.describe_library import describe_library
            from carez_desktop.workflows.list_volumes import list_volumes

            found = list_volumes(context, search=search, limit=count + 1, offset=offset)
            # Counting a large library takes longer than searching it: once for each change.
            facts = known or describe_library(context)
            return _Listing(found[:count], len(found) > count, offset, search, facts)

        self._session.bridge.submit(
            "List the library",
            work,
            key="library.list",
            lane=Lane.QUICK,
            visible=False,
            on_result=self._show,
            on_error=self.message.show_error,
        )

    def _show(self, listing: _Listing) -> None:
        self._facts = listing.facts
        self._has_more = listing.has_more
        if listing.offset:
            self._records = (*self._records, *listing.records)
            self.tree.add_records(listing.records, stand_in=self._stand_in)
        else:
            self._records = listing.records
            self.tree.show_records(listing.records, stand_in=self._stand_in)
            self.tree.set_thumbnails(self._pictures.items())
        self._by_id = {record.volume_id: record for record in self._records}
        self._session.listed = tuple(r.volume_id for r in self._records if opens(r))
        self._choose_view(listing)
        self.title.setText(self._title(listing))
        self._show_details(self.tree.selected_ids())

    def _choose_view(self, listing: _Listing) -> None:
        """Show the list, that nothing was found, or how to begin."""
        if self._records:
            self._stack.setCurrentWidget(self.tree)
        elif listing.search:
            self.nothing.say(f"Nothing in the library begins with “{listing.search}”.")
            self._stack.setCurrentWidget(self.nothing)
        else:
            self._stack.setCurrentIndex(0)

    def _title(self, listing: _Listing) -> str:
        patients = len({record.patient_id for record in self._records})
        noun = "simulated series" if self._stand_in else "series"
        count = f"{len(self._records)}"
        if listing.has_more:
            of = "first found" if listing.search else f"of {listing.facts.volumes}"
            return f"Library   {count} {of} {noun}"
        if listing.search:
            count = f"{count} of {listing.facts.volumes}"
        return f"Library   {count} {noun}, {counted(patients, 'patient')}"

    def _take_pictures(self, pictures: dict[str, bytes]) -> None:
        self._pictures.update(pictures)
        self.tree.set_thumbnails(pictures.items())
        chosen = self.tree.selected_ids()
        if len(chosen) == 1 and chosen[0] in pictures:
            self._show_details(chosen)

    def _library_changed(self) -> None:
        self._facts = None
        self._pictures.clear()
        self.thumbnails.forget()
        self.refresh()

    def focus_search(self) -> None:
        """Put the keyboard into the search field."""
        self.search.setFocus()
        self.search.selectAll()

    # -- importing -----------------------------------------------------------------------------

    def choose_folder(self) -> None:
        """Ask for a folder and import it."""
        folder = QFileDialog.getExistingDirectory(self, "Import a folder of studies")
        if folder:
            self.import_paths((Path(folder),))

    def choose_files(self) -> None:
        """Ask for files (DICOM, DICOMDIR, ZIP, NIfTI, NRRD) and import them."""
        names, _ = QFileDialog.getOpenFileNames(self, "Import files, a DICOMDIR or a ZIP")
        if names:
            self.import_paths(tuple(Path(name) for name in names))

    def choose_labels(self) -> None:
        """Ask for a CSV of outcomes and join it."""
        name, _ = QFileDialog.getOpenFileName(self, "Labels", "", "Tables (*.csv *.tsv *.txt)")
        if name:
            self.verbs.label(Path(name))

    def import_paths(self, paths: Sequence[Path], *, stand_in: bool = False) -> None:
        """Import folders and files in the background."""
        self.verbs.import_paths(paths, stand_in=stand_in, copy=self.copies.isChecked())

    def simulate(self) -> None:
        """Make simulated studies in this home and import them."""
        self.verbs.simulate()

    def show_unreadable(self) -> None:
        """List the files that imports could not read."""
        self.verbs.list_unreadable(self.report.show_report)

    def _cancel_import(self) -> None:
        self.progress.is_stopping()
        self.verbs.cancel_import()

    def _tell(self, text: str, lines: tuple[ReportLine, ...]) -> None:
        details = (("Details", lambda: self.report.show_report(text, lines)),) if lines else ()
        self.message.show_notice(text, details)

    # -- what is chosen ------------------------------------------------------------------------

    def _show_details(self, volume_ids: tuple[str, ...]) -> None:
        chosen = [self._by_id[volume_id] for volume_id in volume_ids if volume_id in self._by_id]
        self.panel_area.setVisible(bool(chosen))
        self.details.show_volumes(chosen, self._pictures, stand_in=self._stand_in)

    def _open(self, volume_id: str) -> None:
        self._session.volumes_requested.emit(volume_id, "")

    def compare_chosen(self) -> None:
        """Open the two chosen volumes side by side."""
        ids = self.tree.selected_ids()
        if len(ids) == 2:
            self._session.volumes_requested.emit(*ids)

    def _generate(self, volume_id: str) -> None:
        self._session.page_requested.emit("generate")
        self._session.source_requested.emit(volume_id)

    def _add_tag(self, tag: str) -> None:
        self._undo.tag(tag, self._chosen_records(), on=True)

    def _remove_tag(self, tag: str) -> None:
        self._undo.tag(tag, self._chosen_records(), on=False)

    def _chosen_records(self) -> tuple[VolumeRecord, ...]:
        ids = self.tree.selected_ids()
        return tuple(self._by_id[volume_id] for volume_id in ids if volume_id in self._by_id)

    def ask_for_tag(self) -> None:
        """Ask for a word to put on the chosen volumes."""
        tag, is_given = QInputDialog.getText(self, "Tag", "Word")
        if is_given and tag.strip():
            self._add_tag(tag.strip())

    def ask_to_remove(self) -> None:
        """Ask in the page whether the chosen volumes are to go."""
        records = self._chosen_records()
        if records:
            self.verbs.plan_removal(records, partial(self._ask_to_remove, records))

    def _ask_to_remove(self, records: tuple[VolumeRecord, ...], what: str, undoable: bool) -> None:
        self.message.ask(
            f"Remove {what}? Labels and tags go too. Files outside the home folder stay.",
            (
                ("Remove", partial(self.verbs.remove, records, undoable=undoable)),
                ("Keep", self.tree.setFocus),
            ),
        )

    def _tell_removed(self, text: str, records: tuple[VolumeRecord, ...]) -> None:
        undo = (("Undo", partial(self._session.commands.run, "undo")),) if records else ()
        self.message.show_notice(text, undo)

    def _show_menu(self, at: QPoint) -> None:
        ids = self.tree.selected_ids()
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        if len(ids) == 1:
            menu.addAction("Open in View", lambda: self._open(ids[0]))
        if len(ids) == 2:
            menu.addAction("Compare", self.compare_chosen)
        if ids:
            menu.addAction("Tag…", self.ask_for_tag)
            menu.addAction("Copy the rows", self.tree.copy_rows)
            menu.addAction("Remove from the library…", self.ask_to_remove)
        else:
            menu.addAction("Import a folder…", self.choose_folder)
        menu.popup(at)
