"""The Bundles page: what goes out. List, inspect, seal, verify, make again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QFileDialog,
    QHeaderView,
    QSplitter,
    QStackedWidget,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from carez_desktop.domain.bundle import BundleSummary, BundleVerdict, RegeneratedCase
from carez_desktop.domain.finding import Finding, counted
from carez_desktop.domain.generation import SHOWS_ANATOMY
from carez_desktop.gui.evaluate_page import bundle_files
from carez_desktop.gui.job_bridge import JobCall
from carez_desktop.gui.page_parts import (
    ElidedLabel,
    EmptyState,
    Page,
    button,
    clear_layout,
    words,
)
from carez_desktop.gui.session import Session
from carez_desktop.gui.verdict_looks import looks_of, verdict_icon
from carez_desktop.jobs.job_runner import Lane
from carez_desktop.rendering.annotations_text import size_text, spacing_text

if TYPE_CHECKING:
    from carez_desktop.workflows.context import WorkflowContext

_PATH_ROLE = int(Qt.ItemDataRole.UserRole) + 1
_MEBIBYTE = 2**20


class BundlesPage(Page):
    """The bundles of this home, and others that were opened."""

    def __init__(self, session: Session) -> None:
        """Build the page; bundles are listed when it is shown."""
        super().__init__(session.theme, "Bundles")
        self._session = session
        self._others: list[Path] = []
        self._wanted: Path | None = None
        self._view_first_case = False
        self._facts: dict[str, Any] = {}
        self._release = QCheckBox()
        self._verdicts: dict[Path, BundleVerdict] = {}
        self.bar.addWidget(button("Open a bundle…", self._choose_file))
        self.files = _table(("Bundle", "State", "Size, MiB"), (100, 90))
        self.files.itemSelectionChanged.connect(self._chosen)
        self.cases = _table(("Case", "Generator", "Voxels", "Spacing, mm", "Labels"), (150,) * 4)
        self.cases.itemActivated.connect(lambda item: self._view_case(item.text(0)))
        self.findings = _table(("Finding", "Where", "Severity"), (180, 110))
        self._stack = QStackedWidget()
        empty = EmptyState(
            session.theme,
            "ph.package",
            "A bundle carries synthetic volumes with their proof of origin. Generate one first.",
        )
        empty.add_button(
            "Go to Generate", lambda: session.page_requested.emit("generate"), primary=True
        )
        self._stack.addWidget(empty)
        self._stack.addWidget(self._build_body())
        self.body.addWidget(self._stack)
        session.bundles_changed.connect(self.refresh)
        session.bundle_requested.connect(lambda path: self.open_bundle(Path(path)))

    def _build_body(self) -> QWidget:
        split = QSplitter(Qt.Orientation.Vertical)
        split.addWidget(self.files)
        for title, table in (
            ("Cases (Enter opens one beside its source)", self.cases),
            ("Findings", self.findings),
        ):
            holder = QWidget()
            column = QVBoxLayout(holder)
            column.setContentsMargins(8, 8, 0, 0)
            column.setSpacing(self.theme.size("space_1"))
            column.addWidget(words(title, "section"))
            column.addWidget(table)
            split.addWidget(holder)
        split.setSizes([220, 260, 220])
        split.setChildrenCollapsible(False)
        return split

    # -- listing -------------------------------------------------------------------------------

    def entered(self) -> None:
        """List the bundles."""
        self.refresh()

    def open_bundle(self, path: Path, *, view_first_case: bool = False) -> None:
        """List a bundle wherever it lies and choose it; open its first case if asked."""
        if path.parent != self._session.context.bundles_folder and path not in self._others:
            self._others.append(path)
        self._wanted = path
        self._view_first_case = view_first_case
        self.refresh()

    def refresh(self) -> None:
        """List the bundles of the home folder and those opened from elsewhere."""
        chosen = self._wanted or self.chosen_path
        self._wanted = None
        paths = bundle_files(self._session.context.bundles_folder)
        paths = [path for path in self._others if path not in paths] + paths
        self._stack.setCurrentIndex(1 if paths else 0)
        self.panel_area.setVisible(bool(paths))
        self.files.clear()
        for path in paths:
            if not path.exists():
                continue
            size = f"{path.stat().st_size / _MEBIBYTE:.1f}"
            item = QTreeWidgetItem([path.name, "", size])
            item.setTextAlignment(2, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            item.setToolTip(0, str(path))
            item.setData(0, _PATH_ROLE, path)
            self._mark(item, path)
            self.files.addTopLevelItem(item)
            if path == chosen:
                self.files.setCurrentItem(item)
        first = self.files.topLevelItem(0)
        if self.chosen_path is None and first is not None:
            self.files.setCurrentItem(first)

    @property
    def chosen_path(self) -> Path | None:
        """The bundle chosen, or None."""
        item = self.files.currentItem()
        path = item.data(0, _PATH_ROLE) if item is not None else None
        return path if isinstance(path, Path) else None

    def _mark(self, item: QTreeWidgetItem, path: Path) -> None:
        """Show the verdict of a bundle that was verified in this sitting."""
        verdict = self._verdicts.get(path)
        if verdict is not None:
            looks = looks_of(verdict.verdict.value)
            item.setText(1, looks.word)
            item.setIcon(1, verdict_icon(self.theme, verdict.verdict.value))
            item.setForeground(1, self.theme.colour(looks.shade))

    def _choose_file(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Open a bundle", "", "Bundles (*.h5 *.hdf5)")
        if name:
            self.open_bundle(Path(name))

    def _chosen(self) -> None:
        path = self.chosen_path
        if path is None:
            return

        def work(context: WorkflowContext, _: JobCall) -> dict[str, Any]:
            from carez_desktop.workflows.inspect_bundle import inspect_bundle

            return inspect_bundle(context, bundle=path)

        self._run("Inspect", work, self._show_facts, key="bundles.inspect", visible=False)

    # -- one bundle ----------------------------------------------------------------------------

    def _show_facts(self, facts: dict[str, Any]) -> None:
        self._facts = facts
        item = self.files.currentItem()
        path = self.chosen_path
        if item is not None and path is not None and path not in self._verdicts:
            item.setText(1, str(facts["state"]))
        self.cases.clear()
        for case in facts["cases"]:
            self.cases.addTopLevelItem(
                QTreeWidgetItem(
                    [
                        str(case["case_id"]),
                        f"{case['generator_id']} {case['generator_version']}",
                        size_text(case["shape"]),
                        spacing_text(case["spacing_mm"]),
                        ", ".join(case["labels"]),
                    ]
                )
            )
        verdict = self._verdicts.get(path) if path is not None else None
        more = verdict.findings if verdict is not None else ()
        self._show_findings((*more, *facts["findings"]))
        self._fill_panel(facts, verdict)
        if self._view_first_case and facts["cases"]:
            self._view_first_case = False
            self._view_case(str(facts["cases"][0]["case_id"]))

    def _show_findings(self, findings: Sequence[Finding]) -> None:
        self.findings.clear()
        for finding in findings:
            looks = looks_of(finding.severity.value)
            item = QTreeWidgetItem([finding.text, finding.subject, looks.word])
            item.setIcon(2, verdict_icon(self.theme, finding.severity.value))
            item.setForeground(2, self.theme.colour(looks.shade))
            item.setToolTip(0, finding.text)
            self.findings.addTopLevelItem(item)

    def _fill_panel(self, facts: dict[str, Any], verdict: BundleVerdict | None) -> None:
        clear_layout(self.panel)
        self.panel.addWidget(words("Bundle", "section"))
        if verdict is not None:
            looks = looks_of(verdict.verdict.value)
            role = looks.shade if looks.shade in ("good", "bad", "caution") else ""
            self.panel.addWidget(words(f"Verified: {looks.word}", role, wrap=True))
        self.panel.addWidget(button("Verify", self.verify, role="primary"))
        self.panel.addWidget(button("Seal with this site's key", self.seal))
        self.panel.addWidget(button("Export a copy…", self._choose_export))
        self._add_release(facts)
        self.panel.addWidget(button("Make every case again", self.regenerate))
        self.panel.addWidget(button("Show its evaluation", self._show_evaluation))
        for title, value in (
            ("State, revision", f"{facts['state']}, {facts['revision']}"),
            ("Cases", str(facts["case_count"])),
            ("Root of the manifest", str(facts["root"])),
            ("Identifier", str(facts["bundle_uuid"])),
            ("Made by", str(facts["producer"])),
            ("Licence", str(facts["license"])),
            ("Signed by key", verdict.keyid if verdict is not None else ""),
        ):
            if value:
                self.panel.addWidget(words(title, "label"))
                self.panel.addWidget(ElidedLabel(value))
        self.panel.addWidget(words(str(facts["intended_use"]), "help", wrap=True))

    def _add_release(self, facts: dict[str, Any]) -> None:
        """Ask expressly before cases that show a patient's anatomy leave."""
        shown = sum(case["privacy_class"] in SHOWS_ANATOMY for case in facts["cases"])
        self._release = QCheckBox("Release this anatomy")
        self._release.setVisible(False)
        self.panel.addWidget(self._release)
        if shown:
            text = f"{counted(shown, 'case')} with a patient's anatomy: its protection goes along."
            self.panel.addWidget(words(text, "help", wrap=True))
            self._release.setVisible(True)

    def _view_case(self, case_id: str) -> None:
        path = self.chosen_path
        if path is not None:
            self._session.volumes_requested.emit(f"{path}#{case_id}", "")

    def _show_evaluation(self) -> None:
        path = self.chosen_path
        if path is not None:
            self._session.page_requested.emit("evaluate")
            self._session.evaluation_requested.emit(str(path))

    # -- work ----------------------------------------------------------------------------------

    def verify(self) -> None:
        """Check every object of the bundle in the background."""
        path = self.chosen_path
        if path is None:
            return

        def work(context: WorkflowContext, call: JobCall) -> BundleVerdict:
            from carez_desktop.workflows.verify_bundle import verify_bundle

            return verify_bundle(context, bundle=path, progress=call.progress, cancel=call.cancel)

        self._run("Verify", work, lambda verdict: self._verified(path, verdict))

    def _verified(self, path: Path, verdict: BundleVerdict) -> None:
        self._verdicts[path] = verdict
        self.message.show_notice(f"{path.name}: {looks_of(verdict.verdict.value).word}")
        self.refresh()

    def seal(self) -> None:
        """Sign the bundle in the background; it becomes a new revision."""
        path = self.chosen_path
        if path is None:
            return

        def work(context: WorkflowContext, call: JobCall) -> BundleSummary:
            from carez_desktop.workflows.seal_bundle import seal_bundle

            return seal_bundle(context, bundle=path, progress=call.progress, cancel=call.cancel)

        def sealed(summary: BundleSummary) -> None:
            self._verdicts.pop(path, None)
            self.message.show_notice(f"{path.name} is sealed as revision {summary.revision}")
            self._session.bundles_changed.emit()

        self._run("Seal", work, sealed)

    def _choose_export(self) -> None:
        path = self.chosen_path
        if path is None:
            return
        name, _ = QFileDialog.getSaveFileName(
            self, "Export a copy", path.name, "Bundles (*.h5)"
        )  # asks by itself before it names an existing file
        if name:
            self.export(Path(name))

    def export(self, out: Path) -> None:
        """Write a verified copy of the sealed bundle in the background."""
        path = self.chosen_path
        if path is None:
            return
        release = self._release.isChecked()

        def work(context: WorkflowContext, call: JobCall) -> BundleVerdict:
            from carez_desktop.workflows.export_bundle import export_bundle

            return export_bundle(
                context,
                bundle=path,
                out=out,
                release_anatomy=release,
                overwrite=True,
                progress=call.progress,
                cancel=call.cancel,
            )

        def exported(verdict: BundleVerdict) -> None:
            word = looks_of(verdict.verdict.value).word
            self.message.show_notice(f"Exported to {out}: {word}")

        self._run("Export", work, exported)

    def regenerate(self) -> None:
        """Make every case again in the background and compare."""
        path = self.chosen_path
        if path is None:
            return

        def work(context: WorkflowContext, call: JobCall) -> tuple[RegeneratedCase, ...]:
            from carez_desktop.workflows.regenerate_cases import regenerate_cases

            return regenerate_cases(
                context, bundle=path, progress=call.progress, cancel=call.cancel
            )

        self._run("Make again", work, self._regenerated, lane=Lane.GPU)

    def _regenerated(self, cases: tuple[RegeneratedCase, ...]) -> None:
        counts: dict[str, int] = {}
        for case in cases:
            word = looks_of(case.outcome.value).word
            counts[word] = counts.get(word, 0) + 1
        text = ", ".join(f"{count} {word}" for word, count in counts.items())
        self.message.show_notice(f"Made again: {text}")

    def _run(
        self,
        title: str,
        work: Callable[[WorkflowContext, JobCall], Any],
        on_result: Callable[[Any], None],
        *,
        key: str | None = None,
        visible: bool = True,
        lane: Lane = Lane.IO,
    ) -> None:
        context = self._session.context
        self._session.bridge.submit(
            title,
            lambda call: work(context, call),
            key=key,
            lane=lane,
            visible=visible,
            on_result=on_result,
            on_error=self.message.show_error,
        )


def _table(titles: tuple[str, ...], widths: tuple[int, ...]) -> QTreeWidget:
    """Return a flat table whose first column takes the room that is left."""
    table = QTreeWidget()
    table.setColumnCount(len(titles))
    table.setHeaderLabels(list(titles))
    table.setRootIsDecorated(False)
    table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    header = table.header()
    header.setStretchLastSection(False)
    header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    for column, width in enumerate(widths, start=1):
        header.resizeSection(column, width)
    return table
