"""A pane that cannot be painted says so in words, and the application lives on."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtWidgets import QApplication

from carez_desktop.gui.main_window import MainWindow
from carez_desktop.gui.view_page import ViewPage
from carez_desktop.rendering.pane_picture import PaneRenderer
from tests.builders.analytic_volumes import analytic_volume


@pytest.fixture
def page(window: MainWindow) -> ViewPage:
    window.show_page("view")
    view = window.page("view")
    assert isinstance(view, ViewPage)
    view.show_volumes(analytic_volume("oblique", dtype=np.int16))
    QApplication.processEvents()
    return view


@pytest.mark.parametrize(
    "error", [MemoryError("2 GiB are missing"), RuntimeError("lost"), ValueError("odd")]
)
def test_a_failing_renderer_is_told_in_its_pane(
    page: ViewPage, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    pane, other = page.grid.widgets[:2]
    renderer = pane.renderer
    assert renderer is not None
    whole = PaneRenderer.pixels

    def fail(self: PaneRenderer, *sizes: object, **options: object) -> object:
        if self is renderer:
            raise error
        return whole(self, *sizes, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(PaneRenderer, "pixels", fail)
    pane.repaint()
    shown = pane.grab().toImage()
    inked = sum(
        shown.pixelColor(x, y).lightness() > 90
        for x in range(0, shown.width(), 2)
        for y in range(shown.height() // 3, 2 * shown.height() // 3, 2)
    )
    assert inked > 20
    assert str(error) in pane._failure
    assert other.picture() is not None
    # Once the cause is gone, the next change paints again.
    monkeypatch.setattr(PaneRenderer, "pixels", whole)
    assert pane.viewport is not None
    pane.viewport.scroll(1)
    pane.repaint()
    assert pane._failure == ""
