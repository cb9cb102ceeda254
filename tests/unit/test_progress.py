"""Progress of a part lands inside its span; a flag stops what asks."""

from __future__ import annotations

import pytest

from carez_desktop.errors import CancelledError
from carez_desktop.progress import CancellationFlag, PartProgress


class Recorder:
    def __init__(self) -> None:
        self.seen: list[tuple[float, str]] = []

    def report(self, fraction: float, message: str = "") -> None:
        self.seen.append((fraction, message))


def test_part_progress_maps_and_bounds() -> None:
    whole = Recorder()
    part = PartProgress(whole, 0.2, 0.6, "train: ")
    part.report(0.5, "step")
    part.report(7.0)
    assert whole.seen == [(pytest.approx(0.4), "train: step"), (pytest.approx(0.6), "train: ")]


def test_a_flag_raises_after_cancel() -> None:
    flag = CancellationFlag()
    flag.raise_if_cancelled()
    flag.cancel()
    with pytest.raises(CancelledError):
        flag.raise_if_cancelled()
