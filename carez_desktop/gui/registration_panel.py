"""Register two volumes in a job: progress, cancel, what came out in words, apply and undo."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QVBoxLayout, QWidget

from carez_desktop.domain.alignment import Alignment
from carez_desktop.domain.registration import RegistrationReport
from carez_desktop.errors import CarezError
from carez_desktop.gui.job_bridge import JobCall
from carez_desktop.gui.page_parts import words
from carez_desktop.gui.panel_parts import panel_button
from carez_desktop.gui.session import Session
from carez_desktop.jobs.job_runner import Job, JobState, JobStatus, time_left_text
from carez_desktop.workspace.layer import Layer

_TICKS = 1000


class RegistrationPanel(QWidget):
    """A button that registers, and what is known of the last registration of the pair.

    Signals:
        accepted(Alignment): A person wants the alignment used.
        undone(object, object): Go back to an `Alignment` or None, of that pair of layers.
    """

    accepted = Signal(object)
    undone = Signal(object, object)

    def __init__(self, session: Session) -> None:
        """Lay out the controls."""
        super().__init__()
        self._session = session
        self._pair: tuple[Layer, Layer] | None = None
        self._job: Job | None = None
        self._report: RegistrationReport | None = None
        self._before: Alignment | None = None
        self.start = panel_button(
            "Register", self.register, "Find the rigid movement that fits best (Ctrl+R)"
        )
        self.cancel = panel_button("Cancel", self._cancel)
        self.apply = panel_button("Apply", self._apply, "Lay the other volume there, and keep it")
        self.undo = panel_button("Undo", self._undo, "As it was before")
        self.bar = QProgressBar()
        self.bar.setRange(0, _TICKS)
        self.bar.setTextVisible(False)
        self.progress = words("", "label", wrap=True)
        self.verdict = words("", wrap=True)
        self.numbers = words("", "label", wrap=True)
        row = QHBoxLayout()
        for made in (self.start, self.cancel, self.apply, self.undo):
            row.addWidget(made)
        row.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(session.theme.size("space_2"))
        layout.addLayout(row)
        for widget in (self.bar, self.progress, self.verdict, self.numbers):
            layout.addWidget(widget)
        self._settle()

    def show_pair(self, pair: tuple[Layer, Layer] | None) -> None:
        """Offer to register a pair; the report of another pair goes."""
        if pair != self._pair:
            self._cancel()
            self._pair, self._report, self._before = pair, None, None
            self.undo.hide()
            self.verdict.setText("")
            self.numbers.setText("")
        self._settle()

    def register(self) -> None:
        """Register the moving volume to the fixed one, off the Qt thread."""
        pair, context = self._pair, self._session.context
        refusal = registration_refusal(pair)
        if pair is None or refusal:
            self.verdict.setText(refusal)
            self.verdict.setVisible(bool(refusal))
            return
        fixed, moving = pair[0].volume, pair[1].volume

        def work(call: JobCall) -> RegistrationReport:
            from carez_desktop.workflows.register_volumes import register_volumes

            return register_volumes(
                context, fixed=fixed, moving=moving, progress=call.progress, cancel=call.cancel
            )

        self._report = None
        self.verdict.setText("")
        self.numbers.setText("")
        self._job = self._session.bridge.submit(
            "Register volumes",
            work,
            key="view.register",
            on_result=self._done,
            on_error=self.show_error,
            on_status=self._show_status,
        )
        self._settle()

    def show_error(self, error: CarezError) -> None:
        """Say why something failed."""
        self.verdict.setText(str(error))
        self._shade("error")
        self._settle()

    # -- what comes back -----------------------------------------------------------------------

    def _show_status(self, status: JobStatus) -> None:
        if status.is_over:
            self._job = None
            if status.state is JobState.CANCELLED:
                self.verdict.setText("Cancelled; nothing was changed.")
                self._shade("")
            self._settle()
            return
        self.bar.setValue(round(status.fraction * _TICKS))
        parts = (f"{status.fraction * 100:.0f} %", time_left_text(status.seconds_left))
        self.progress.setText(", ".join(part for part in parts if part))

    def _done(self, report: RegistrationReport) -> None:
        self._report = report
        self.verdict.setText(report.verdict)
        self._shade("caution" if report.is_doubtful or report.alignment is None else "")
        lines = [quality_line(name, value) for name, value in report.quality.items()]
        lines += [finding.text for finding in report.findings]
        self.numbers.setText("\n".join(lines))
        self._settle()

    def _shade(self, role: str) -> None:
        self.verdict.setObjectName(role)
        self.verdict.style().unpolish(self.verdict)
        self.verdict.style().polish(self.verdict)

    def _settle(self) -> None:
        """Show what can be done now."""
        runs = self._job is not None
        proposal = self._report.alignment if self._report is not None else None
        self.start.setVisible(not runs)
        self.start.setEnabled(self._pair is not None)
        self.cancel.setVisible(runs)
        self.bar.setVisible(runs)
        self.progress.setVisible(runs)
        self.apply.setVisible(not runs and proposal is not None)
        self.verdict.setVisible(bool(self.verdict.text()))
        self.numbers.setVisible(bool(self.numbers.text()))

    def _cancel(self) -> None:
        if self._job is not None:
            self._job.cancel()

    def _apply(self) -> None:
        report, self._report = self._report, None
        if report is not None and report.alignment is not None:
            self.accepted.emit(report.alignment)
            self.undo.show()
        self._settle()

    def remember(self, before: Alignment | None) -> None:
        """Keep how the pair lay before an alignment is used, for the undo."""
        self._before = before

    def _undo(self) -> None:
        self.undo.hide()
        if self._pair is not None:
            self.undone.emit(self._before, self._pair)


def registration_refusal(pair: tuple[Layer, Layer] | None) -> str:
    """Say why two layers cannot be registered; "" where they can."""
    if pair is None:
        return "Choose the volume that is to be registered"
    for layer in pair:
        if layer.volume.is_colour:
            return f"{layer.title} holds colours; registration compares grey values"
        if layer.plane_refusal:
            return f"{layer.title} is no volume: {layer.plane_refusal}"
    return ""


_NAMES = {
    "mutual_information_before": ("Mutual information before", "bits"),
    "mutual_information": ("Mutual information", "bits"),
    "correlation": ("Correlation", ""),
    "overlap_share": ("Overlap", "%"),
    "peak_share": ("Better than 12 mm or 10 degrees off, by", "%"),
    "residual_mm": ("There and back misses by", "mm"),
    "rotation_degrees": ("Rotation", "degrees"),
    "translation_mm": ("Movement", "mm"),
}


def quality_line(name: str, value: float) -> str:
    """Write a measured fact of a registration with its name and unit."""
    title, unit = _NAMES.get(name, (name.replace("_", " ").capitalize(), ""))
    if unit == "%":
        return f"{title}: {value * 100:.0f} %"
    return f"{title}: {value:.3g} {unit}".rstrip()
