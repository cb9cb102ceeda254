"""The palette of commands and the list of keys, by real keys."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QLabel, QLineEdit
from pytestqt.qtbot import QtBot

from carez_desktop.gui.command_palette import CommandPalette
from carez_desktop.gui.main_window import MainWindow
from carez_desktop.workspace.command_search import find_commands, letters_in

CONTROL = Qt.KeyboardModifier.ControlModifier


def _titles(palette: CommandPalette) -> list[str]:
    rows = range(palette.list.topLevelItemCount())
    return [palette.list.topLevelItem(row).text(0) for row in rows]


@pytest.fixture
def palette(window: MainWindow, qtbot: QtBot) -> CommandPalette:
    """The palette, opened by its key on the Library page."""
    window.show_page("library")
    window.activateWindow()
    qtbot.wait(20)
    qtbot.keyClick(window, Qt.Key.Key_K, CONTROL)
    assert window.overlays.palette.isVisible()
    return window.overlays.palette


@pytest.mark.parametrize(
    ("text", "best"),
    [
        ("invert", "invert"),
        ("1:1", "one_to_one"),
        ("flip vert", "flip_vertical"),
        ("mip", "slab_mode"),
        ("sett", "settings"),
        ("jh", "joint_histogram"),
        ("anonym", "hide_identity"),
        ("Next SLICE", "slice_next"),
    ],
)
def test_a_few_letters_find_the_command(text: str, best: str) -> None:
    assert find_commands(text)[0].command.id == best


def test_letters_are_found_in_order_and_at_the_best_places() -> None:
    # "jh" fits "Joint histogram" at both words; "hj" does not stand in this order.
    assert letters_in("jh", "joint histogram")[1] == [0, 6]
    assert letters_in("hj", "joint histogram") is None
    # The run "and" beats the scattered a-n-d before it.
    assert letters_in("and", "a n d stand")[1] in ([0, 2, 4], [8, 9, 10])
    assert letters_in("and", "xaxnxd stand")[1] == [9, 10, 11]
    assert find_commands("zzz") == ()


def test_commands_used_last_come_first_among_equals() -> None:
    assert find_commands("", ("cine",))[0].command.id == "cine"


def test_return_runs_the_command_and_gives_the_keyboard_back(
    palette: CommandPalette, window: MainWindow, qtbot: QtBot
) -> None:
    qtbot.keyClicks(palette.field, "coverage")
    qtbot.keyClick(palette.field, Qt.Key.Key_Return)
    assert not palette.isVisible()
    assert window.current == "coverage"


def test_what_cannot_run_says_why_and_stays(
    palette: CommandPalette, window: MainWindow, qtbot: QtBot
) -> None:
    qtbot.keyClicks(palette.field, "invert bl")
    assert _titles(palette)[0] == "Invert black and white"
    assert palette.note.text() == "Cannot run now. Works on the View page"
    qtbot.keyClick(palette.field, Qt.Key.Key_Return)
    assert palette.isVisible()
    window.show_page("view")
    palette.toggle()
    palette.toggle()
    qtbot.keyClicks(palette.field, "invert bl")
    assert "Open a volume first" in palette.note.text()


def test_keys_are_shown_and_follow_new_ones(
    palette: CommandPalette, window: MainWindow, qtbot: QtBot
) -> None:
    window.session.key_map.bind("quit", ("Ctrl+Alt+Q",))
    palette.toggle()
    palette.toggle()
    qtbot.keyClicks(palette.field, "quit")
    assert palette.list.topLevelItem(0).text(2) == "Ctrl+Alt+Q"


def test_arrows_move_escape_closes_and_the_focus_returns(window: MainWindow, qtbot: QtBot) -> None:
    window.show_page("library")
    window.activateWindow()
    qtbot.wait(20)
    search = window.page("library").search
    search.setFocus()
    # A field's own Ctrl+K (delete to the end, on X11) does not stand in the way.
    qtbot.keyClick(search, Qt.Key.Key_K, CONTROL)
    palette = window.overlays.palette
    assert palette.isVisible()
    first = palette.list.currentItem().text(0)
    qtbot.keyClick(palette.field, Qt.Key.Key_Down)
    assert palette.list.currentItem().text(0) != first
    qtbot.keyClick(palette.field, Qt.Key.Key_Escape)
    assert not palette.isVisible()
    assert QApplication.focusWidget() is search
    assert isinstance(search, QLineEdit)


def test_the_list_of_keys_is_made_from_the_map(window: MainWindow, qtbot: QtBot) -> None:
    window.show_page("library")
    window.session.key_map.bind("invert", ("Ctrl+Alt+I",))
    qtbot.keyClick(window, Qt.Key.Key_F1)
    overlay = window.overlays.keys
    assert overlay.isVisible()
    texts = {label.text() for label in overlay.findChildren(QLabel)}
    assert {"Ctrl+Alt+I", "Invert black and white", "Down", "Next slice", "Pinch"} <= texts
    assert "? / F1" in texts
    qtbot.keyClick(overlay, Qt.Key.Key_Escape)
    assert not overlay.isVisible()


@pytest.mark.parametrize(("width", "height"), [(900, 600), (1280, 800), (1920, 1080)])
def test_overlays_lie_inside_the_window(
    window: MainWindow, qtbot: QtBot, width: int, height: int
) -> None:
    window.show_page("library")
    window.resize(width, height)
    window.overlays.toggle_keys()
    qtbot.wait(20)
    assert window.rect().contains(window.overlays.keys.geometry())
    area = window.overlays.keys._area
    assert area.horizontalScrollBar().maximum() == 0
    if height >= 1080:
        assert area.verticalScrollBar().maximum() == 0
    window.overlays.toggle_palette()
    assert not window.overlays.keys.isVisible()
    assert window.rect().contains(window.overlays.palette.geometry())
