"""The Evaluate page: what a bundle's synthetic cases are worth on six axes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QComboBox, QStackedWidget

from carez_desktop.domain.cohort import Cohort
from carez_desktop.gui.evaluation_table import EvaluationTable
from carez_desktop.gui.job_bridge import JobCall
from carez_desktop.gui.page_parts import EmptyState, Page, button, clear_layout, words
from carez_desktop.gui.session import Session

_WHOLE_LIBRARY = ""


class EvaluatePage(Page):
    """Show the evaluation of a bundle, and evaluate one."""

    def __init__(self, session: Session) -> None:
        """Build the page; bundles and cohorts are listed when it is shown."""
        super().__init__(session.theme, "Evaluate")
        self._session = session
        self._wanted: Path | None = None
        self._facts: dict[str, Any] | None = None
        self.bundle, self.cohort = QComboBox(), QComboBox()
        for title, box in (("Bundle", self.bundle), ("Against", self.cohort)):
            box.setMinimumContentsLength(20)
            box.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
            box.setAccessibleName(title)
            self.bar.addWidget(words(title, "label"))
            self.bar.addWidget(box)
        self.bundle.activated.connect(self._read)
        self.start = button("Evaluate", self.evaluate)
        self.bar.addWidget(self.start)
        self.table = EvaluationTable(session.theme)
        self.table.chosen.connect(self._show_row)
        self._stack = QStackedWidget()
        nothing = EmptyState(
            session.theme,
            "ph.chart-bar",
            "Here you see what synthetic volumes are worth. Generate some first.",
        )
        nothing.add_button(
            "Go to Generate", lambda: session.page_requested.emit("generate"), primary=True
        )
        pending = EmptyState(
            session.theme,
            "ph.chart-bar",
            "This bundle has not been evaluated. It is measured on six axes against real volumes.",
        )
        pending.add_button("Evaluate", self.evaluate, primary=True)
        for widget in (nothing, pending, self.table):
            self._stack.addWidget(widget)
        self.body.addWidget(self._stack)
        session.evaluation_requested.connect(lambda path: self.show_bundle(Path(path)))
        session.bundles_changed.connect(self._refresh_if_shown)

    def entered(self) -> None:
        """List bundles and cohorts."""
        self.refresh()

    def show_bundle(self, path: Path) -> None:
        """Show the evaluation of a bundle."""
        self._wanted = path
        self.refresh()

    def refresh(self) -> None:
        """List bundles and cohorts, then read the bundle that is chosen."""
        context = self._session.context

        def work(_: JobCall) -> tuple[list[Path], tuple[Cohort, ...]]:
            from carez_desktop.workflows.list_cohorts import list_cohorts

            return bundle_files(context.bundles_folder), list_cohorts(context)

        self._session.bridge.submit(
            "List bundles",
            work,
            key="evaluate.list",
            visible=False,
            on_result=lambda found: self._listed(*found),
            on_error=self.message.show_error,
        )

    def _refresh_if_shown(self) -> None:
        if self.isVisible():
            self.refresh()

    def _listed(self, files: list[Path], cohorts: tuple[Cohort, ...]) -> None:
        chosen = self._wanted or self.bundle.currentData()
        if isinstance(chosen, Path) and chosen not in files and chosen.exists():
            files = [chosen, *files]
        self._wanted = None
        self.bundle.clear()
        for path in files:
            self.bundle.addItem(path.name, path)
        names = [str(self.bundle.itemText(place)) for place in range(self.bundle.count())]
        if isinstance(chosen, Path) and chosen.name in names:
            self.bundle.setCurrentIndex(names.index(chosen.name))
        self._fill_cohorts(cohorts)
        self.start.setEnabled(bool(files))
        if files:
            self._read()
        else:
            self._stack.setCurrentIndex(0)
            self.panel_area.hide()

    def _fill_cohorts(self, cohorts: tuple[Cohort, ...]) -> None:
        before = self.cohort.currentData()
        self.cohort.clear()
        self.cohort.addItem("Real volumes of the library", _WHOLE_LIBRARY)
        for name in sorted({cohort.name for cohort in cohorts}):
            self.cohort.addItem(name, name)
            self.cohort.addItem(f"{name}, test split", f"{name}@test")
        self.cohort.setCurrentIndex(max(0, self.cohort.findData(before)))

    def _read(self) -> None:
        path = self.bundle.currentData()
        if not isinstance(path, Path):
            return
        context = self._session.context

        def work(_: JobCall) -> dict[str, Any]:
            from carez_desktop.workflows.inspect_bundle import inspect_bundle

            return inspect_bundle(context, bundle=path)

        self._session.bridge.submit(
            "Read the evaluation",
            work,
            key="evaluate.read",
            visible=False,
            on_result=self.show_facts,
            on_error=self.message.show_error,
        )

    def show_facts(self, facts: dict[str, Any]) -> None:
        """Show a bundle as `inspect_bundle` describes it."""
        self._facts = facts
        evaluation = facts["evaluation"]
        self._stack.setCurrentIndex(1 if evaluation is None else 2)
        self.panel_area.setVisible(evaluation is not None)
        if evaluation is not None:
            self.table.show_evaluation(evaluation)
            self._show_overview(facts)

    def _show_overview(self, facts: dict[str, Any]) -> None:
        clear_layout(self.panel)
        evaluation = facts["evaluation"]
        self.panel.addWidget(words("Outcome", "section"))
        counts: dict[str, int] = {}
        for axis in evaluation["axes"]:
            word = str(axis["verdict"]).replace("_", " ")
            counts[word] = counts.get(word, 0) + 1
        text = ", ".join(f"{count} {word}" for word, count in counts.items())
        self.panel.addWidget(words(f"Of six axes: {text}.", wrap=True))
        if facts.get("stand_in"):
            note = "Simulated studies played the part of real ones: these numbers show the method."
            self.panel.addWidget(words(note, "caution", wrap=True))
        note = "Choose a row to see how it was measured."
        self.panel.addWidget(words(note, "help", wrap=True))

    def _show_row(self, row: dict[str, Any]) -> None:
        clear_layout(self.panel)
        title = str(row.get("name") or row.get("axis") or "").replace("_", " ").capitalize()
        self.panel.addWidget(words(title, "section", wrap=True))
        rows = [
            ("Method", row.get("method")),
            ("Why", row.get("reason")),
            ("Margin", row.get("margin")),
        ]
        if row.get("interval"):
            rows.append(("Confidence", f"{float(row.get('confidence', 0.95)) * 100:.0f} %"))
        for name, value in rows:
            if value:
                self.panel.addWidget(words(name, "label"))
                self.panel.addWidget(words(str(value), wrap=True))

    def evaluate(self) -> None:
        """Evaluate the chosen bundle in the background; it becomes a new revision."""
        path = self.bundle.currentData()
        if not isinstance(path, Path):
            return
        context, cohort = self._session.context, str(self.cohort.currentData() or "")
        modality = _modality_of(self._facts)

        def work(call: JobCall) -> object:
            from carez_desktop.workflows.evaluate_cohort import evaluate_cohort
            from carez_desktop.workflows.freeze_cohort import freeze_cohort

            real = cohort
            if not real:
                where = (f"modality={modality}", "kind=real") if modality else ("kind=real",)
                name = f"library-{modality or 'all'}"
                frozen = freeze_cohort(context, name=name, where=where, cancel=call.cancel)
                real = frozen.name
            return evaluate_cohort(
                context, real=real, synthetic=path, progress=call.progress, cancel=call.cancel
            )

        self.message.hide()
        self._session.bridge.submit(
            "Evaluate",
            work,
            key="evaluate.run",
            on_result=lambda _: self._session.bundles_changed.emit(),
            on_error=self.message.show_error,
        )


def bundle_files(folder: Path) -> list[Path]:
    """Return the bundles of a folder, newest first."""
    return sorted(folder.glob("*.h5"), key=lambda path: path.stat().st_mtime_ns, reverse=True)


def _modality_of(facts: dict[str, Any] | None) -> str:
    """Return the one modality of a bundle's cases; "" for several."""
    modalities = {str(case["modality"]) for case in (facts or {}).get("cases", [])}
    return modalities.pop() if len(modalities) == 1 else ""
