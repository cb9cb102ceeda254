"""The Generate page: choose a generator and a source, set conditions, run it in the background."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QSettings
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QProgressBar,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from carez_desktop.domain.generation import GeneratorManifest, PrivacyClass, SyntheticCase
from carez_desktop.domain.study import VolumeRecord
from carez_desktop.domain.volume import VolumeKind
from carez_desktop.errors import CarezError
from carez_desktop.gui.case_strip import CaseStrip
from carez_desktop.gui.condition_form import COUNT, SEED, ConditionForm
from carez_desktop.gui.job_bridge import JobCall
from carez_desktop.gui.page_parts import (
    EmptyState,
    Page,
    button,
    clear_layout,
    separator,
    words,
)
from carez_desktop.gui.session import Session
from carez_desktop.jobs.job_runner import Job, JobState, JobStatus, Lane, time_left_text

if TYPE_CHECKING:
    from carez_desktop.workflows.generate_cohort import GeneratedCohort

_FORM_WIDTH = 440
_STEPS = 1000
_PRIVACY_WORDS = {
    PrivacyClass.UNCONDITIONAL: "Shows no patient's anatomy.",
    PrivacyClass.SIMULATED_LABEL: "Shows simulated anatomy.",
    PrivacyClass.REAL_LABEL: "Shows the anatomy of a patient: keeps the source's protection.",
    PrivacyClass.IMAGE_CONDITIONED: "Shows the anatomy of its source: keeps its protection.",
}


class GeneratePage(Page):
    """Make synthetic volumes."""

    def __init__(self, session: Session) -> None:
        """Build the page; generators and sources are listed when it is shown."""
        super().__init__(session.theme, "Generate")
        self._session = session
        self._manifests: dict[str, GeneratorManifest] = {}
        self._records: tuple[VolumeRecord, ...] = ()
        self._wanted_source = ""
        self._job: Job | None = None
        self._bundle: Path | None = None
        self._seconds = QSettings(
            str(session.context.home / "workstation.ini"), QSettings.Format.IniFormat
        )
        self.generator, self.source = QComboBox(), QComboBox()
        self.generator.setAccessibleName("Generator")
        self.source.setAccessibleName("Source")
        self.source.setMinimumContentsLength(20)
        self.source.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.generator.currentIndexChanged.connect(self._show_generator)
        self.source.currentIndexChanged.connect(self._follow)
        self.form = ConditionForm(session.theme)
        self.form.changed.connect(self._follow)
        self.start = button("Generate", self.run, role="primary")
        self.strip = CaseStrip(session.theme)
        self.strip.opened.connect(self._open_case)
        self._stack = QStackedWidget()
        empty = EmptyState(
            session.theme,
            "ph.magic-wand",
            "Here you fill gaps with synthetic volumes. No generator package is installed.",
        )
        self._stack.addWidget(empty)
        self._stack.addWidget(self._build_body())
        self._stack.setCurrentIndex(1)
        self.body.addWidget(self._stack)
        session.gap_requested.connect(self.take_gap)
        session.source_requested.connect(self.take_source)
        session.library_changed.connect(self._list)

    def _build_body(self) -> QWidget:
        body = QWidget()
        row = QHBoxLayout(body)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFixedWidth(_FORM_WIDTH)
        area.setWidget(self._build_form())
        row.addWidget(area)
        row.addWidget(self._build_results(), 1)
        return body

    def _build_form(self) -> QWidget:
        holder = QWidget()
        column = QVBoxLayout(holder)
        column.setContentsMargins(16, 12, 16, 16)
        column.setSpacing(self.theme.size("space_3"))
        self.gap = words("", "label", wrap=True)
        self.gap.hide()
        column.addWidget(self.gap)
        column.addWidget(words("Generator", "section"))
        column.addWidget(self.generator)
        self._source_title = words("Source", "section")
        self._source_help = words("", "help", wrap=True)
        column.addWidget(self._source_title)
        column.addWidget(self.source)
        column.addWidget(self._source_help)
        column.addWidget(words("Conditions", "section"))
        column.addWidget(self.form)
        column.addWidget(separator())
        column.addWidget(self.start)
        self._target = words("", "help", wrap=True)
        column.addWidget(self._target)
        column.addStretch(1)
        return holder

    def _build_results(self) -> QWidget:
        holder = QWidget()
        column = QVBoxLayout(holder)
        column.setContentsMargins(16, 12, 16, 12)
        column.setSpacing(self.theme.size("space_2"))
        self._state = words("Cases appear here as they are made.", "section", wrap=True)
        self._progress = QProgressBar()
        self._progress.setRange(0, _STEPS)
        self._progress.setTextVisible(False)
        self._cancel = button("Cancel", self.cancel)
        line = QHBoxLayout()
        line.addWidget(self._progress, 1)
        line.addWidget(self._cancel)
        self._detail = words("", "label", wrap=True)
        self._open = button("Open beside its source", self._open_first)
        self._to_bundle = button("Seal and verify it", self._show_bundle)
        actions = QHBoxLayout()
        actions.addWidget(self._open)
        actions.addWidget(self._to_bundle)
        actions.addStretch(1)
        column.addWidget(self._state)
        column.addLayout(line)
        column.addWidget(self._detail)
        column.addWidget(self.strip, 1)
        column.addLayout(actions)
        for widget in (self._progress, self._cancel, self._open, self._to_bundle):
            widget.hide()
        return holder

    # -- what can be chosen --------------------------------------------------------------------

    def entered(self) -> None:
        """List generators and sources."""
        self._list()

    def take_source(self, volume_id: str) -> None:
        """Choose a volume as the source."""
        self._wanted_source = volume_id
        self._list()

    def take_gap(self, text: str) -> None:
        """Keep in sight which gap of the coverage is to be filled."""
        self.gap.setText(f"Gap to fill: {text}")
        self.gap.setVisible(bool(text))

    def _list(self) -> None:
        context = self._session.context

        def work(_: JobCall) -> tuple[tuple[GeneratorManifest, ...], tuple[VolumeRecord, ...]]:
            from carez_desktop.workflows.list_generators import list_generators
            from carez_desktop.workflows.list_volumes import list_volumes

            return list_generators(context), list_volumes(context)

        self._session.bridge.submit(
            "List generators",
            work,
            key="generate.list",
            visible=False,
            on_result=lambda found: self._listed(*found),
            on_error=self.message.show_error,
        )

    def _listed(
        self, manifests: tuple[GeneratorManifest, ...], records: tuple[VolumeRecord, ...]
    ) -> None:
        self._records = records
        self._stack.setCurrentIndex(1 if manifests else 0)
        known = {f"{manifest.id}@{manifest.version}": manifest for manifest in manifests}
        if known.keys() != self._manifests.keys():
            self._manifests = known
            self.generator.blockSignals(True)
            self.generator.clear()
            for key, manifest in known.items():
                self.generator.addItem(f"{manifest.title}  {manifest.version}", key)
            self.generator.blockSignals(False)
        self._prefer_generator_for_source()
        self._show_generator()

    def _prefer_generator_for_source(self) -> None:
        """Choose the first generator that takes the modality of the volume that was asked for."""
        wanted = next((r for r in self._records if r.volume_id == self._wanted_source), None)
        if wanted is None:
            return
        for key, manifest in self._manifests.items():
            if manifest.source_modality == wanted.modality:
                self.generator.setCurrentIndex(self.generator.findData(key))
                return

    @property
    def manifest(self) -> GeneratorManifest | None:
        """The generator that is chosen."""
        return self._manifests.get(str(self.generator.currentData()))

    def _show_generator(self) -> None:
        manifest = self.manifest
        if manifest is None:
            return
        self.form.show_specs((*manifest.conditions, COUNT, SEED))
        self._fill_sources(manifest)
        self._fill_card(manifest)
        self.use_panel()
        self._follow()

    def _fill_sources(self, manifest: GeneratorManifest) -> None:
        needs = bool(manifest.source_modality)
        for widget in (self._source_title, self.source, self._source_help):
            widget.setVisible(needs)
        chosen = self._wanted_source or str(self.source.currentData() or "")
        fitting = [
            record
            for record in self._records
            if record.modality == manifest.source_modality
            and record.kind is not VolumeKind.DERIVED
            and not record.refusal
        ]
        self.source.blockSignals(True)
        self.source.clear()
        for record in fitting:
            title = record.description or "series"
            mark = "  (synthetic)" if record.kind is VolumeKind.SYNTHETIC else ""
            self.source.addItem(f"{record.patient_id}  {title}{mark}", record.volume_id)
        if len(fitting) > 1:
            self.source.addItem(f"Each of the {len(fitting)} in turn", "*")
        self.source.setCurrentIndex(max(0, self.source.findData(chosen)))
        self.source.blockSignals(False)
        if needs and not fitting:
            text = f"It needs a {manifest.source_modality} series: import one in the library."
        else:
            text = f"A {manifest.source_modality} series of the library."
        self._source_help.setText(text)

    def _fill_card(self, manifest: GeneratorManifest) -> None:
        clear_layout(self.panel)
        self.panel.addWidget(words(manifest.title, "section", wrap=True))
        self.panel.addWidget(words(manifest.summary, wrap=True))
        for title, text in (
            ("Makes", f"{manifest.modality}, values in {manifest.units}"),
            ("Privacy", _PRIVACY_WORDS[manifest.privacy_class]),
            ("Intended use", manifest.intended_use),
            ("Package", f"{manifest.id} {manifest.version}, {manifest.license}"),
            ("Memory", f"at least {manifest.minimum_memory_mib} MiB"),
        ):
            self.panel.addWidget(words(title, "label"))
            self.panel.addWidget(words(text, wrap=True))

    # -- starting ------------------------------------------------------------------------------

    def sources(self) -> tuple[str, ...]:
        """Return the volume ids that take turns."""
        manifest = self.manifest
        if manifest is None or not manifest.source_modality:
            return ()
        chosen = str(self.source.currentData() or "")
        if chosen != "*":
            return (chosen,) if chosen else ()
        ids = (self.source.itemData(place) for place in range(self.source.count()))
        return tuple(str(volume_id) for volume_id in ids if volume_id != "*")

    def _follow(self) -> None:
        """Say on the button what will happen, and allow it only when it can."""
        manifest = self.manifest
        if manifest is None:
            return
        has_source = not manifest.source_modality or bool(self.sources())
        ready = has_source and self.form.is_valid and self._job is None
        self.start.setEnabled(ready)
        if not self.form.is_valid:
            self.start.setText("Generate")
            return
        values = self.form.values()
        self.start.setText(self._start_text(manifest, int(values["count"])))
        name = bundle_name(manifest.id, int(values["seed"]), self._session.context.clock())
        self._target.setText(f"Into bundles/{name}, as a draft to be evaluated and sealed.")

    def _start_text(self, manifest: GeneratorManifest, count: int) -> str:
        noun = "volume" if count == 1 else "volumes"
        text = f"Generate {count} {noun}"
        known = self._seconds.value(f"seconds/{manifest.id}")
        if known is None:
            return text
        return f"{text}, about {duration_text(float(str(known)) * count)}"

    def run(self) -> None:
        """Start the generation in the background."""
        manifest = self.manifest
        if manifest is None or self._job is not None:
            return
        values = self.form.values()
        count, seed = int(values.pop("count")), int(values.pop("seed"))
        context, sources = self._session.context, self.sources()
        out = free_path(context.bundles_folder / bundle_name(manifest.id, seed, context.clock()))
        self.message.hide()
        self.strip.clear()
        self._bundle = None

        def work(call: JobCall) -> Any:
            from carez_desktop.workflows.generate_cohort import generate_cohort

            return generate_cohort(
                context,
                generator_id=f"{manifest.id}@{manifest.version}",
                count=count,
                seed=seed,
                sources=sources,
                conditions=values,
                out=out,
                progress=call.progress,
                cancel=call.cancel,
                partial=call.partial,
            )

        self._job = self._session.bridge.submit(
            f"Generate {manifest.id}",
            work,
            lane=Lane.GPU,
            on_result=lambda made: self._made(manifest, made),
            on_error=self._failed,
            on_partial=self._case_made,
            on_status=self._told,
        )
        self._show_running(running=True)

    def cancel(self) -> None:
        """Stop the generation; nothing half-written stays."""
        if self._job is not None:
            self._state.setText("Cancelling…")
            self._cancel.setEnabled(False)
            self._job.cancel()

    def _show_running(self, *, running: bool) -> None:
        self._progress.setVisible(running)
        self._cancel.setVisible(running)
        self._cancel.setEnabled(running)
        self._open.setVisible(not running and self._bundle is not None)
        self._to_bundle.setVisible(not running and self._bundle is not None)
        if running:
            self._state.setText("Generating…")
            self._progress.setValue(0)
        self._follow()

    def _told(self, status: JobStatus) -> None:
        self._progress.setValue(round(status.fraction * _STEPS))
        parts = [status.message, time_left_text(status.seconds_left)]
        if not status.is_over:
            self._detail.setText(",  ".join(part for part in parts if part))
            return
        self._job = None
        if status.state is JobState.CANCELLED:
            self._state.setText("Cancelled. Nothing was written.")
            self._detail.setText("")
            self.strip.clear()
        self._show_running(running=False)

    def _case_made(self, case: SyntheticCase) -> None:
        self.strip.add_case(case.request.case_id, case.volume)

    def _made(self, manifest: GeneratorManifest, made: GeneratedCohort) -> None:
        self._bundle = made.bundle
        self._seconds.setValue(f"seconds/{manifest.id}", made.seconds_per_case)
        number = len(made.cases)
        self._state.setText(f"{number} case{'s' if number > 1 else ''} in {made.bundle.name}")
        self._detail.setText(f"{made.device}, {made.seconds_per_case:.1f} s for each case")
        if made.findings:
            texts = "  ".join(f"{finding.text}." for finding in made.findings)
            self.message.show_notice(texts)
        self._session.bundles_changed.emit()
        if self.isVisible():
            self._open_first()

    def _failed(self, error: CarezError) -> None:
        self._state.setText("Nothing was generated.")
        self._detail.setText("")
        self.message.show_error(error)

    # -- the result ----------------------------------------------------------------------------

    def _open_first(self) -> None:
        if self.strip.count():
            self.strip.itemActivated.emit(self.strip.item(0))

    def _open_case(self, case_id: str) -> None:
        if self._bundle is not None:
            self._session.volumes_requested.emit(f"{self._bundle}#{case_id}", "")

    def _show_bundle(self) -> None:
        if self._bundle is not None:
            self._session.page_requested.emit("bundles")
            self._session.bundle_requested.emit(str(self._bundle))


def bundle_name(generator_id: str, seed: int, now: datetime) -> str:
    """Return the file name of a new bundle."""
    return f"{generator_id}-{now:%Y%m%d-%H%M%S}-seed{seed}.h5"


def free_path(path: Path) -> Path:
    """Return the path, with a number where a file of that name is there."""
    number, found = 2, path
    while found.exists():
        found = path.with_stem(f"{path.stem}-{number}")
        number += 1
    return found


def duration_text(seconds: float) -> str:
    """Write a duration roughly: `20 s`, `3 min`, `1.5 h`."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"
