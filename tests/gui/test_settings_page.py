"""Keys are bound anew by pressing them; texts over panes are put where a person wants them."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from carez_desktop.gui.main_window import MainWindow
from carez_desktop.gui.settings_page import SettingsPage
from carez_desktop.workspace.display_file import load_display
from carez_desktop.workspace.display_options import Corner, PositionStyle
from carez_desktop.workspace.keys_file import KEYS_FILE, load_key_map

CONTROL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def page(window: MainWindow, qtbot: QtBot) -> SettingsPage:
    """The Settings page, opened by its key."""
    window.show_page("library")
    window.activateWindow()
    qtbot.wait(20)
    qtbot.keyClick(window, Qt.Key.Key_Comma, CONTROL)
    assert window.current == "settings"
    return window.page("settings")


def _press(page: SettingsPage, name: str, key: Qt.Key, qtbot: QtBot) -> None:
    page.keys.choose(name)
    page.keys.change.click()
    # A shortcut of the window is taken as a key here, and does not run.
    qtbot.keyClick(page.keys.capture, key, CONTROL)


def test_a_free_key_is_bound_kept_and_works(
    page: SettingsPage, window: MainWindow, qtbot: QtBot
) -> None:
    _press(page, "page_3", Qt.Key.Key_J, qtbot)
    assert window.session.key_map.keys_of("page_3") == ("Ctrl+J",)
    assert load_key_map(window.session.context.home)[0].keys_of("page_3") == ("Ctrl+J",)
    qtbot.keyClick(window, Qt.Key.Key_J, CONTROL)
    assert window.current == "coverage"


def test_a_taken_key_is_asked_for_and_can_be_left(
    page: SettingsPage, window: MainWindow, qtbot: QtBot
) -> None:
    _press(page, "page_3", Qt.Key.Key_K, qtbot)
    assert page.keys.question.text == "Ctrl+K runs “Find a command” now."
    page.keys.question.leave.click()
    assert window.session.key_map.bound == {}
    _press(page, "page_3", Qt.Key.Key_K, qtbot)
    page.keys.question.take.click()
    keys = window.session.key_map
    assert (keys.keys_of("page_3"), keys.keys_of("palette")) == (("Ctrl+K",), ())
    page.keys.choose("palette")
    page.keys.reset.click()
    assert keys.command_of("Ctrl+K", "library") == "palette"
    page.keys.reset_all.click()
    assert load_key_map(window.session.context.home)[0].bound == {}


def test_escape_keeps_the_keys(page: SettingsPage, window: MainWindow, qtbot: QtBot) -> None:
    page.keys.choose("invert")
    page.keys.change.click()
    qtbot.keyClick(page.keys.capture, Qt.Key.Key_Escape)
    assert not page.keys.capture.isVisible()
    assert window.session.key_map.bound == {}


def test_the_field_finds_by_words_and_by_key(page: SettingsPage, qtbot: QtBot) -> None:
    page.keys.field.setText("ctrl+e")
    assert page.keys.chosen == "export_picture"
    page.keys.field.setText("flicker")
    assert page.keys.chosen == "flicker"


def test_texts_and_units_are_in_force_and_kept(
    page: SettingsPage, window: MainWindow, qtbot: QtBot
) -> None:
    box = page.places["patient"]
    box.setCurrentIndex(box.findData(Corner.TOP_RIGHT.value))
    box.activated.emit(box.currentIndex())
    page.hides_identity.click()
    style = page.position_style
    style.activated.emit(style.findData(PositionStyle.RAS.value))
    options = window.session.display.options
    assert options.corner_of("patient") is Corner.TOP_RIGHT
    assert options.hides_identity
    assert options.position_style is PositionStyle.RAS
    assert load_display(window.session.context.home)[0] == options
    assert style.currentText() == "numbers, RAS"


def test_a_folder_that_cannot_be_written_is_told(
    page: SettingsPage, window: MainWindow, qtbot: QtBot
) -> None:
    (window.session.context.home / KEYS_FILE).mkdir()
    _press(page, "page_3", Qt.Key.Key_J, qtbot)
    assert page.message.isVisible()
    assert "keys" in page.message.text
