"""What the Library page does to the library, each as a job with its result in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from carez_desktop.domain.finding import counted
from carez_desktop.domain.study import ImportReport, UnreadableFile, VolumeRecord
from carez_desktop.gui.job_bridge import JobCall
from carez_desktop.gui.report_panel import ReportLine, import_lines, import_text, unreadable_lines
from carez_desktop.gui.session import Session
from carez_desktop.jobs.job_runner import Job, JobStatus

if TYPE_CHECKING:
    from carez_desktop.workflows.delete_studies import DeletionReport
    from carez_desktop.workflows.label_studies import LabelReport
    from carez_desktop.workflows.rescan_library import RescanReport

_BRING_BACK = "Bring it back, or import the folder where it lies now"
_SIMULATED_FOLDER = "simulated_studies"


class LibraryVerbs(QObject):
    """Import, simulate, label, tag, remove, look again.

    Signals:
        done(str, tuple): What happened in one line, and the `ReportLine`s behind it.
        removed(str, tuple): What was removed, and the `VolumeRecord`s if that can be undone.
        failed(CarezError): What did not, and the remedy.
        progress(JobStatus): Of an import.
    """

    done = Signal(str, tuple)
    removed = Signal(str, tuple)
    failed = Signal(object)
    progress = Signal(object)

    def __init__(self, session: Session, parent: QObject) -> None:
        """Work on the session's library."""
        super().__init__(parent)
        self._session = session
        self._import: Job | None = None

    def import_paths(
        self, paths: Sequence[Path], *, stand_in: bool = False, copy: bool = False
    ) -> None:
        """Import folders and files; where they lie, or as copies in the home folder."""
        context = self._session.context

        def work(call: JobCall) -> ImportReport:
            from carez_desktop.workflows.import_studies import import_studies

            return import_studies(
                context,
                paths=tuple(paths),
                copy=copy,
                stand_in=stand_in,
                progress=call.progress,
                cancel=call.cancel,
            )

        self._import = self._session.bridge.submit(
            "Import",
            work,
            on_result=self._imported,
            on_error=self.failed.emit,
            on_status=self._follow_import,
        )

    def cancel_import(self) -> None:
        """Stop the import that runs; nothing of it is kept."""
        if self._import is not None:
            self._import.cancel()

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
            on_error=self.failed.emit,
            on_status=self.progress.emit,
        )

    def label(self, table: Path) -> None:
        """Join outcomes from a CSV."""
        context = self._session.context

        def work(_: JobCall) -> Any:
            from carez_desktop.workflows.label_studies import label_studies

            return label_studies(context, table=table)

        def told(report: LabelReport) -> None:
            lines = tuple(
                ReportLine(key, f"No {report.key} of the library is like this", "Check the column")
                for key in report.unmatched
            )
            text = f"{table.name}: {counted(len(report.matched), 'key')} matched"
            text += f", {counted(report.volumes, 'volume')} labelled"
            text += f", {counted(len(lines), 'key')} unmatched" if lines else ""
            if report.has_splits:
                text += "; its splits belong to cohorts and were passed over"
            self._tell(text, lines)

        self._submit("Labels", work, told)

    def tag(
        self, volume_ids: Sequence[str], *, add: Sequence[str] = (), remove: Sequence[str] = ()
    ) -> None:
        """Put words on volumes, or take them off."""
        context, ids = self._session.context, tuple(volume_ids)

        def work(_: JobCall) -> Any:
            from carez_desktop.workflows.tag_studies import tag_studies

            return tag_studies(context, keys=ids, add=tuple(add), remove=tuple(remove))

        self._submit("Tags", work, lambda _: self._session.library_changed.emit())

    def plan_removal(
        self, records: Sequence[VolumeRecord], told: Callable[[str, bool], object]
    ) -> None:
        """Ask the library what a removal would take.

        Args:
            records: Volumes that are to go.
            told: Given what goes, in words, and whether it could be undone.
        """
        context, ids = self._session.context, tuple(record.volume_id for record in records)

        def work(_: JobCall) -> Any:
            from carez_desktop.workflows.delete_studies import delete_studies

            return delete_studies(context, keys=ids)

        def planned(report: DeletionReport) -> None:
            told(report.text(), not report.managed_files and not any(r.labels for r in records))

        self._submit("Remove", work, planned)

    def remove(self, records: Sequence[VolumeRecord], *, undoable: bool) -> None:
        """Take volumes out of the library; files that lie outside the home stay.

        Args:
            records: Volumes that go.
            undoable: Offer to read their files again.
        """
        context, ids = self._session.context, tuple(record.volume_id for record in records)

        def work(_: JobCall) -> Any:
            from carez_desktop.workflows.delete_studies import delete_studies

            return delete_studies(context, keys=ids, confirmed=True)

        def removed(report: DeletionReport) -> None:
            noun = "volume" if len(report.matched) == 1 else "volumes"
            self.removed.emit(
                f"{len(report.matched)} {noun} removed from the library",
                tuple(records) if undoable else (),
            )
            self._session.library_changed.emit()

        self._submit("Remove", work, removed)

    def undo_removal(self, records: Sequence[VolumeRecord]) -> None:
        """Read the files of removed volumes again and put their tags back."""
        paths = dict.fromkeys(path for record in records for path in record.paths)
        paths |= dict.fromkeys(item.path for record in records for item in record.objects)
        context = self._session.context

        def work(call: JobCall) -> ImportReport:
            from carez_desktop.workflows.import_studies import import_studies
            from carez_desktop.workflows.tag_studies import tag_studies

            report = import_studies(
                context,
                paths=[Path(path) for path in paths],
                stand_in=any(record.attributes.get("stand_in") for record in records),
                progress=call.progress,
                cancel=call.cancel,
            )
            for record in records:
                if record.tags:
                    tag_studies(context, keys=(record.volume_id,), add=record.tags)
            return report

        self._submit("Undo", work, self._imported)

    def rescan(self) -> None:
        """Look whether the files of the library are still where they were."""
        context = self._session.context

        def work(call: JobCall) -> Any:
            from carez_desktop.workflows.rescan_library import rescan_library

            return rescan_library(context, progress=call.progress, cancel=call.cancel)

        self._submit("Rescan", work, self._rescanned)

    def list_unreadable(self, told: Callable[[str, tuple[ReportLine, ...]], object]) -> None:
        """Tell which files imports could not read; `told` gets a title and the lines."""
        context = self._session.context

        def work(_: JobCall) -> tuple[UnreadableFile, ...]:
            from carez_desktop.workflows.list_unreadable import list_unreadable

            return list_unreadable(context)

        def listed(files: tuple[UnreadableFile, ...]) -> None:
            told(f"{counted(len(files), 'file')} could not be read", unreadable_lines(files))

        self._submit("Unreadable files", work, listed)

    def _submit(
        self, title: str, work: Callable[[JobCall], Any], told: Callable[[Any], None]
    ) -> None:
        self._session.bridge.submit(title, work, on_result=told, on_error=self.failed.emit)

    def _follow_import(self, status: JobStatus) -> None:
        if status.is_over:
            self._import = None
        self.progress.emit(status)

    def _imported(self, report: ImportReport) -> None:
        self._tell(import_text(report), import_lines(report))

    def _rescanned(self, report: RescanReport) -> None:
        gone = [ReportLine(path, "The file is gone", _BRING_BACK) for path in report.gone]
        changed = [
            ReportLine(path, "The file changed since its import", "Import its folder again")
            for path in report.changed
        ]
        parts = [f"{counted(report.found, 'file')} found", f"{len(gone)} gone"]
        parts += [f"{len(changed)} changed"] if changed else []
        parts += [f"{report.returned} came back"] if report.returned else []
        self._tell(", ".join(parts), (*gone, *changed))

    def _tell(self, text: str, lines: tuple[ReportLine, ...]) -> None:
        self.done.emit(text, lines)
        self._session.library_changed.emit()
