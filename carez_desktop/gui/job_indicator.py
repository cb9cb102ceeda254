"""The part of the status bar that tells what runs, how far it is, and stops it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QWidget

from carez_desktop.gui.page_parts import words
from carez_desktop.jobs.job_runner import JobStatus, time_left_text

_STEPS = 1000


class JobIndicator(QWidget):
    """Show the newest running job, and how many more there are."""

    def __init__(self, cancel: Callable[[int], object]) -> None:
        """Start with no job.

        Args:
            cancel: Called with the number of the job that is to stop.
        """
        super().__init__()
        self._cancel = cancel
        self._running: dict[int, JobStatus] = {}
        self._label = words("job: none", "label")
        self._bar = QProgressBar()
        self._bar.setRange(0, _STEPS)
        self._bar.setTextVisible(False)
        self._bar.setFixedWidth(120)
        self._button = QPushButton("Cancel")
        self._button.setObjectName("flat")
        self._button.clicked.connect(self._stop)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 8, 0)
        layout.setSpacing(8)
        layout.addWidget(self._label)
        layout.addWidget(self._bar)
        layout.addWidget(self._button)
        self._show()

    @property
    def text(self) -> str:
        """What it says."""
        return self._label.text()

    def take(self, status: JobStatus) -> None:
        """Follow a job."""
        if status.is_over:
            self._running.pop(status.number, None)
        else:
            self._running[status.number] = status
        self._show()

    def _current(self) -> JobStatus | None:
        return self._running[max(self._running)] if self._running else None

    def _show(self) -> None:
        status = self._current()
        self._bar.setVisible(status is not None)
        self._button.setVisible(status is not None)
        if status is None:
            self._label.setText("job: none")
            return
        parts = [f"job: {status.title}", f"{status.fraction * 100:.0f} %"]
        left = time_left_text(status.seconds_left)
        if left:
            parts.append(left)
        more = len(self._running) - 1
        if more:
            parts.append(f"and {more} more")
        self._label.setText(", ".join(parts))
        self._label.setToolTip(status.message)
        self._bar.setValue(round(status.fraction * _STEPS))

    def _stop(self) -> None:
        status = self._current()
        if status is not None:
            self._label.setText(f"job: {status.title}, cancelling")
            self._cancel(status.number)
