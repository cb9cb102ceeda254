"""How long work tells how far it is, and how it is asked to stop."""

from __future__ import annotations

import time
from typing import Protocol

from carez_desktop.errors import CancelledError


class ProgressReporter(Protocol):
    """Receive how far a piece of work has come."""

    def report(self, fraction: float, message: str = "") -> None:
        """Take a fraction in [0, 1] and what is being done right now."""


class CancellationToken(Protocol):
    """Ask whether the work should stop; checked at each slice, step, metric."""

    @property
    def is_cancelled(self) -> bool:
        """Whether the person asked to stop."""

    def raise_if_cancelled(self) -> None:
        """Raise `CancelledError` once the person asked to stop."""


class SilentProgress:
    """Progress that nobody watches."""

    def report(self, fraction: float, message: str = "") -> None:
        """Drop the report."""


class NeverCancelled:
    """A token that never asks to stop."""

    is_cancelled: bool = False

    def raise_if_cancelled(self) -> None:
        """Return at once."""


class CancellationFlag:
    """A token that one thread sets and another reads."""

    def __init__(self) -> None:
        """Start as not cancelled."""
        self._cancelled = False

    @property
    def is_cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._cancelled

    def cancel(self) -> None:
        """Ask the work to stop at its next check."""
        self._cancelled = True

    def raise_if_cancelled(self) -> None:
        """Raise `CancelledError` once `cancel` was called."""
        if self._cancelled:
            raise CancelledError("Cancelled", hint="Nothing half-written was left behind")


class PartProgress:
    """Map the progress of one part of a job onto a span of the whole."""

    def __init__(
        self, whole: ProgressReporter, start: float, stop: float, prefix: str = ""
    ) -> None:
        """Cover `[start, stop]` of the whole; `prefix` goes before every message."""
        self._whole = whole
        self._start = start
        self._stop = stop
        self._prefix = prefix

    def report(self, fraction: float, message: str = "") -> None:
        """Report the part's fraction as the whole's."""
        bounded = min(max(fraction, 0.0), 1.0)
        span = self._stop - self._start
        self._whole.report(self._start + span * bounded, f"{self._prefix}{message}")


class PacedProgress:
    """Pass on at most ten reports a second, each with the time that is left."""

    def __init__(self, whole: ProgressReporter, *, interval_s: float = 0.1) -> None:
        """Start the clock."""
        self._whole = whole
        self._interval_s = interval_s
        self._begun = time.monotonic()
        self._last = float("-inf")

    def report(self, fraction: float, message: str = "") -> None:
        """Report if it is time, or if the work is done."""
        now = time.monotonic()
        if fraction < 1.0 and now - self._last < self._interval_s:
            return
        self._last = now
        self._whole.report(fraction, message + self._left(fraction, now - self._begun))

    @staticmethod
    def _left(fraction: float, passed_s: float) -> str:
        """Say how long it will take; nothing before there is something to judge by."""
        if not 0.02 <= fraction < 1.0 or passed_s < 0.5:
            return ""
        return f", {max(passed_s * (1.0 - fraction) / fraction, 1.0):.0f} s left"


SILENT: ProgressReporter = SilentProgress()
NEVER: CancellationToken = NeverCancelled()


def ignore(_: object) -> None:
    """Drop a partial result."""


IGNORE = ignore
