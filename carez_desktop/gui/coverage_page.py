"""The Coverage page: what the library covers, what it lacks, and the way to fill a gap."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QStackedWidget,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from carez_desktop.domain.coverage import CoverageCell, CoverageGap, CoverageMatrix
from carez_desktop.gui.coverage_map import CoverageMap, cell_text
from carez_desktop.gui.job_bridge import JobCall
from carez_desktop.gui.page_parts import EmptyState, Page, button, words
from carez_desktop.gui.session import Session

_GAPS_SHOWN = 50


class CoveragePage(Page):
    """Counts by patient on two axes at a time, and the ranked gaps of all axes."""

    def __init__(self, session: Session) -> None:
        """Build the page; it measures when it is shown."""
        super().__init__(session.theme, "Coverage")
        self._session = session
        self._matrix: CoverageMatrix | None = None
        self._gaps: tuple[CoverageGap, ...] = ()
        self.rows, self.columns = QComboBox(), QComboBox()
        for title, box in (("Down", self.rows), ("Across", self.columns)):
            self.bar.addWidget(words(title, "label"))
            box.setMinimumWidth(150)
            box.setAccessibleName(f"Axis {title.lower()}")
            box.activated.connect(self._show_axes)
            self.bar.addWidget(box)
        self.bar.addWidget(button("Measure again", self.refresh))
        self.map = CoverageMap(session.theme)
        self.map.cell_chosen.connect(self._cell_chosen)
        self.table = self._build_table()
        self.summary = words("", "label", wrap=True)
        self.cell = words("", wrap=True)
        self._stack = QStackedWidget()
        empty = EmptyState(
            session.theme,
            "ph.grid-four",
            "Here you see which kinds of patients and acquisitions your studies lack. "
            "Import studies first.",
        )
        empty.add_button(
            "Go to the library", lambda: session.page_requested.emit("library"), primary=True
        )
        self._stack.addWidget(empty)
        self._stack.addWidget(self._build_body())
        self.body.addWidget(self._stack)
        self._build_panel()
        session.library_changed.connect(self._forget)

    def _build_body(self) -> QWidget:
        body = QWidget()
        layout = QVBoxLayout(body)
        layout.setContentsMargins(16, 12, 16, 12)
        layout.setSpacing(self.theme.size("space_3"))
        layout.addWidget(self.summary)
        layout.addWidget(self.map, 3)
        head = QHBoxLayout()
        head.addWidget(words("Gaps, the most telling first", "section"))
        head.addStretch(1)
        layout.addLayout(head)
        layout.addWidget(self.table, 2)
        return body

    def _build_table(self) -> QTableWidget:
        table = QTableWidget(0, 4)
        table.setHorizontalHeaderLabels(["Gap", "Real patients", "Synthetic volumes", "Score"])
        table.verticalHeader().hide()
        table.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft)
        table.setShowGrid(False)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        header = table.horizontalHeader()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column, width in ((1, 110), (2, 140), (3, 70)):
            header.resizeSection(column, width)
        table.itemSelectionChanged.connect(self._gap_chosen)
        return table

    def _build_panel(self) -> None:
        self.panel.addWidget(words("Cell", "section"))
        self.panel.addWidget(self.cell)
        self.panel.addWidget(button("Generate for this gap", self._generate, role="primary"))
        text = (
            "Counts are patients. Synthetic volumes are counted apart: they can test a protocol or "
            "train a model, and never stand for patients. A cell that reads unknown is not a gap."
        )
        self.panel.addWidget(words(text, "help", wrap=True))

    def entered(self) -> None:
        """Measure if something changed."""
        if self._matrix is None:
            self.refresh()

    def refresh(self) -> None:
        """Measure the library in the background."""
        context = self._session.context

        def work(call: JobCall) -> CoverageMatrix:
            from carez_desktop.workflows.measure_coverage import measure_coverage

            return measure_coverage(context, progress=call.progress, cancel=call.cancel)

        self._session.bridge.submit(
            "Measure coverage",
            work,
            key="coverage.measure",
            on_result=self.show_matrix,
            on_error=self.message.show_error,
        )

    def show_matrix(self, matrix: CoverageMatrix) -> None:
        """Show a measured matrix."""
        self._matrix = matrix
        has_volumes = matrix.volumes + matrix.synthetic_volumes > 0
        self._stack.setCurrentIndex(1 if has_volumes else 0)
        self.panel_area.setVisible(has_volumes)
        if not has_volumes:
            return
        self._fill_axes(matrix)
        self.summary.setText(summary_text(matrix))
        self._gaps = matrix.gaps[:_GAPS_SHOWN]
        self._fill_gaps()
        if self._gaps:
            self.table.selectRow(0)

    def _forget(self) -> None:
        self._matrix = None
        if self.isVisible():
            self.refresh()

    def _fill_axes(self, matrix: CoverageMatrix) -> None:
        chosen = (self.rows.currentData(), self.columns.currentData())
        if chosen[0] is None:
            chosen = first_pair(matrix)
        for box, name in zip((self.rows, self.columns), chosen, strict=True):
            box.clear()
            for axis in matrix.axes:
                box.addItem(axis.title, axis.name)
            box.setCurrentIndex(max(0, box.findData(name)))
        self._show_axes()

    def _show_axes(self) -> None:
        rows, columns = self.rows.currentData(), self.columns.currentData()
        if self._matrix is None or rows is None:
            return
        if rows == columns:
            other = (self.columns.currentIndex() + 1) % self.columns.count()
            self.columns.setCurrentIndex(other)
            columns = self.columns.currentData()
        self.map.show_axes(self._matrix, rows, columns)

    def _fill_gaps(self) -> None:
        self.table.setRowCount(len(self._gaps))
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        for row, gap in enumerate(self._gaps):
            self.table.setItem(row, 0, QTableWidgetItem(self._gap_text(gap)))
            numbers = (str(gap.patients), str(gap.synthetic_volumes), f"{gap.score:.2f}")
            for column, text in enumerate(numbers, start=1):
                item = QTableWidgetItem(text)
                item.setTextAlignment(right)
                if column == 2 and gap.synthetic_volumes:
                    item.setForeground(self.theme.colour("synthetic"))
                self.table.setItem(row, column, item)

    def _gap_text(self, gap: CoverageGap) -> str:
        if self._matrix is None:
            return str(gap)
        titles = {axis.name: axis.title for axis in self._matrix.axes}
        return ",  ".join(f"{titles.get(axis, axis)}: {level}" for axis, level in gap.cell.items())

    def _gap_chosen(self) -> None:
        row = self.table.currentRow()
        if self._matrix is None or not 0 <= row < len(self._gaps):
            return
        gap = self._gaps[row]
        levels = gap.cell
        names = list(levels)
        across = names[1] if len(names) > 1 else self.columns.currentData()
        if across == names[0]:
            across = self.rows.currentData()
        self.rows.setCurrentIndex(self.rows.findData(names[0]))
        self.columns.setCurrentIndex(self.columns.findData(across))
        self._show_axes()
        self.map.choose(levels)
        self.cell.setText(self._gap_text(gap))

    def _generate(self) -> None:
        self._session.page_requested.emit("generate")
        self._session.gap_requested.emit(self.cell.text())

    def _cell_chosen(self, cell: CoverageCell) -> None:
        self.cell.setText(cell_text(cell))


def first_pair(matrix: CoverageMatrix) -> tuple[str, str]:
    """Return the two axes to show first: of the first gap between two that have a choice."""
    rich = [axis.name for axis in matrix.axes if len(axis.levels) > 1]
    for gap in matrix.gaps:
        names = [name for name in gap.cell if name in rich]
        if len(names) > 1:
            return (names[0], names[1])
    names = rich if len(rich) > 1 else [axis.name for axis in matrix.axes]
    return (names[0], names[1 if len(names) > 1 else 0])


def summary_text(matrix: CoverageMatrix) -> str:
    """Say in one line what is covered."""
    text = (
        f"{matrix.patients} patients, {matrix.volumes} real and {matrix.synthetic_volumes} "
        f"synthetic volumes.  Pairs of levels covered by real patients: "
        f"{matrix.pairwise_coverage * 100:.0f} %"
    )
    if matrix.synthetic_volumes:
        text += f", with synthetic volumes {matrix.pairwise_with_synthetic * 100:.0f} %"
    if matrix.stand_in:
        text += ".  Simulated studies play the part of real ones here"
    if matrix.excluded:
        left_out = ", ".join(f"{count} {reason}" for reason, count in matrix.excluded.items())
        text += f".  Left out: {left_out}"
    return text
