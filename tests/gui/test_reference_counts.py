"""None, True and False keep their reference counts while the workstation paints and signals.

PySide6 6.12.0 returns them uncounted on Python 3.11 (decision record 0127): a few hundred repaints
end the process with `none_dealloc`. From Python 3.12 on they are immortal.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable

import numpy as np
import pytest
from PySide6.QtCore import QObject, Signal

from carez_desktop.gui.main_window import MainWindow
from carez_desktop.gui.view_page import ViewPage
from tests.builders.analytic_volumes import analytic_volume

CALLS = 100
TAKEN_PER_CALL = 0.5

pytestmark = pytest.mark.skipif(
    sys.version_info >= (3, 12), reason="None, True and False are immortal from Python 3.12 on"
)


class _Emitter(QObject):
    told = Signal(object)


def _taken(act: Callable[[], object]) -> float:
    """How many references of None, True and False each call takes away for good.

    The least of three turns: garbage of other tests that goes meanwhile takes some along once.
    """
    gc.collect()
    for _ in range(5):
        act()
    return min(_taken_in_a_turn(act) for _ in range(3))


def _taken_in_a_turn(act: Callable[[], object]) -> float:
    before = [sys.getrefcount(item) for item in (None, True, False)]
    for _ in range(CALLS):
        act()
    after = [sys.getrefcount(item) for item in (None, True, False)]
    return max(old - new for old, new in zip(before, after, strict=True)) / CALLS


def test_a_painted_pane_takes_no_reference_away(window: MainWindow) -> None:
    window.show_page("view")
    page = window.page("view")
    assert isinstance(page, ViewPage)
    page.show_volumes(analytic_volume("oblique", dtype=np.int16))
    pane = page.grid.widgets[0]
    viewport = pane.viewport
    assert viewport is not None

    def work() -> None:
        viewport.scroll(1)
        pane.repaint()
        viewport.scroll(-1)
        pane.repaint()

    assert _taken(work) < TAKEN_PER_CALL


def test_signals_and_properties_take_no_reference_away(window: MainWindow) -> None:
    emitter = _Emitter()
    assert _taken(lambda: emitter.told.emit(1)) < TAKEN_PER_CALL
    assert _taken(lambda: emitter.setObjectName("name")) < TAKEN_PER_CALL
    assert _taken(window.update) < TAKEN_PER_CALL
