"""What the View page offers: a part of what is too large, a hanging protocol to edit."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtWidgets import QAbstractButton

from carez_desktop.dicom import slice_reading
from carez_desktop.gui.application import wait_until_idle
from carez_desktop.gui.main_window import MainWindow
from carez_desktop.gui.view_page import ViewPage
from carez_desktop.workflows.list_volumes import list_volumes


def _open_first(window: MainWindow) -> ViewPage:
    page = window.page("view")
    assert isinstance(page, ViewPage)
    window.show_page("view")
    page.open_ids(list_volumes(window.session.context)[0].volume_id)
    assert wait_until_idle(window, 30)
    return page


def _button(page: ViewPage, text: str) -> QAbstractButton:
    return next(b for b in page.message.buttons if text in b.text())


def test_a_volume_larger_than_memory_is_refused_and_a_part_is_offered(
    filled: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slice_reading, "available_memory_mib", lambda: 0)
    page = _open_first(filled)
    assert page.arrangement.layers == ()
    assert "0 MiB are free" in page.message.text
    monkeypatch.setattr(slice_reading, "available_memory_mib", lambda: 1 << 10)
    _button(page, "every 2nd").click()
    assert wait_until_idle(filled, 30)
    (layer,) = page.arrangement.layers
    assert layer.title.endswith("(1 of 2 slices and pixels)")
    assert page.grid.widgets[0].picture() is not None


def test_the_protocol_that_hung_a_volume_can_be_edited(filled: MainWindow) -> None:
    page = _open_first(filled)
    commands = filled.session.commands
    commands.run("edit_hanging")
    assert wait_until_idle(filled, 10)
    folder = Path(filled.session.context.home) / "hanging"
    names = sorted(path.name for path in folder.iterdir())
    assert "_fields.toml" in names
    copy = next(folder / name for name in names if not name.startswith("_"))
    assert str(copy) in page.message.text
    text = copy.read_text(encoding="utf-8")
    copy.write_text(text.replace('layout = "2x2"', 'layout = "1x4"'), encoding="utf-8")
    assert copy.read_text(encoding="utf-8") != text
    page.close_volumes()
    page = _open_first(filled)
    assert page.arrangement.layout.id == "1x4"
