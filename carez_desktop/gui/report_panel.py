"""What an import or another piece of housekeeping came to: file, reason, remedy; copyable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QProgressBar,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from carez_desktop.domain.finding import counted
from carez_desktop.domain.study import ImportReport, UnreadableFile
from carez_desktop.gui.page_parts import ElidedLabel, button, icon_button, words
from carez_desktop.gui.theme import Theme
from carez_desktop.jobs.job_runner import JobStatus, time_left_text

COLUMNS = ("File or series", "What", "What to do")
_STEPS = 1000
_MOST_LINES = 2000
_HEIGHT = 220
_READ_AGAIN = "Copy it again from its source, then import its folder again"


@dataclass(frozen=True, slots=True)
class ReportLine:
    """One thing that was found: where, what, and the remedy."""

    subject: str
    what: str
    remedy: str = ""


def import_lines(report: ImportReport) -> tuple[ReportLine, ...]:
    """Return what an import could not read, then what it found odd."""
    findings = [
        ReportLine(finding.subject, f"{finding.severity.value}: {finding.text}")
        for finding in report.findings
    ]
    return (*unreadable_lines(report.unreadable), *findings)


def unreadable_lines(files: Sequence[UnreadableFile]) -> tuple[ReportLine, ...]:
    """Return what could not be read, with what to do about it."""
    return tuple(ReportLine(item.path, item.reason, _READ_AGAIN) for item in files)


def import_text(report: ImportReport) -> str:
    """Say in one line what an import brought."""
    files = report.files
    parts = [
        f"{len(report.series)} series of {report.studies} studies in {report.seconds:.1f} s",
        *(
            f"{count} files {what}"
            for count, what in (
                (files.new, "new"),
                (files.changed, "changed"),
                (files.unchanged, "unchanged"),
                (files.moved, "moved"),
                (files.gone, "gone"),
            )
            if count
        ),
        f"{len(report.findings)} findings",
    ]
    if report.unreadable:
        parts.append(f"{counted(len(report.unreadable), 'file')} could not be read")
    return ", ".join(parts)


class ReportTable(QTableWidget):
    """Lines of a report; Ctrl+C copies those selected, or all."""

    def __init__(self) -> None:
        """Start empty."""
        super().__init__(0, len(COLUMNS))
        self.setHorizontalHeaderLabels(list(COLUMNS))
        self.verticalHeader().hide()
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setStretchLastSection(True)
        header.resizeSection(0, 320)
        header.resizeSection(1, 420)
        self._lines: tuple[ReportLine, ...] = ()

    def show_lines(self, lines: Sequence[ReportLine]) -> None:
        """Show lines; beyond the first thousands they are only copied."""
        self._lines = tuple(lines)
        shown = self._lines[:_MOST_LINES]
        self.setSortingEnabled(False)
        self.setRowCount(len(shown))
        for row, line in enumerate(shown):
            for column, text in enumerate((line.subject, line.what, line.remedy)):
                cell = QTableWidgetItem(text)
                cell.setToolTip(text)
                self.setItem(row, column, cell)
        self.setSortingEnabled(True)
        self.sortByColumn(-1, Qt.SortOrder.AscendingOrder)

    def sizeHint(self) -> QSize:
        """Ask for a strip at the bottom of the page."""
        return QSize(600, _HEIGHT)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Copy."""
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        else:
            super().keyPressEvent(event)

    def copy(self) -> None:
        """Copy the selected lines, or every one where none is selected."""
        rows = sorted({index.row() for index in self.selectedIndexes()})
        texts = ["\t".join(COLUMNS)]
        if rows:
            texts += ["\t".join(self._cell(row, c) for c in range(len(COLUMNS))) for row in rows]
        else:
            texts += [f"{line.subject}\t{line.what}\t{line.remedy}" for line in self._lines]
        QGuiApplication.clipboard().setText("\n".join(texts))

    def _cell(self, row: int, column: int) -> str:
        item = self.item(row, column)
        return "" if item is None else item.text()


class ReportPanel(QWidget):
    """The details of a report, below the list."""

    def __init__(self, theme: Theme) -> None:
        """Start hidden."""
        super().__init__()
        self.setObjectName("panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedHeight(_HEIGHT)
        self._title = ElidedLabel("", "section")
        self.table = ReportTable()
        head = QHBoxLayout()
        head.addWidget(self._title, 1)
        head.addWidget(button("Copy", self.table.copy, tip="Copy every line (Ctrl+C)"))
        head.addWidget(icon_button(theme, "ph.x", "Close the details", self.hide))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 8, 12, 8)
        layout.addLayout(head)
        layout.addWidget(self.table, 1)
        self.hide()

    def show_report(self, title: str, lines: Sequence[ReportLine]) -> None:
        """Show what was found."""
        self._title.setText(title)
        self.table.show_lines(lines)
        self.show()


class ProgressStrip(QWidget):
    """What is being imported, how far, how long yet, and the button that stops it."""

    def __init__(self) -> None:
        """Start hidden."""
        super().__init__()
        self.setObjectName("bar")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._title = words("")
        self._detail = ElidedLabel("", "label")
        self._left = words("", "label")
        self._bar = QProgressBar()
        self._bar.setRange(0, _STEPS)
        self._bar.setTextVisible(False)
        self._bar.setFixedWidth(220)
        self.cancel = QPushButton("Cancel")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(16, 6, 12, 6)
        layout.setSpacing(12)
        for widget, stretch in (
            (self._title, 0),
            (self._bar, 0),
            (self._left, 0),
            (self._detail, 1),
            (self.cancel, 0),
        ):
            layout.addWidget(widget, stretch)
        self.hide()

    @property
    def text(self) -> str:
        """What it says."""
        return f"{self._title.text()} {self._left.text()} {self._detail.full_text}"

    def take(self, status: JobStatus) -> None:
        """Follow a job; the strip goes when it is over."""
        self.setVisible(not status.is_over)
        self.cancel.setEnabled(not status.is_over)
        self._title.setText(status.title)
        self._bar.setValue(round(status.fraction * _STEPS))
        left = time_left_text(status.seconds_left)
        self._left.setText(", ".join(x for x in (f"{status.fraction * 100:.0f} %", left) if x))
        self._detail.setText(status.message)

    def is_stopping(self) -> None:
        """Answer at once that the work was asked to stop."""
        self.cancel.setEnabled(False)
        self._left.setText("stopping…")
