"""Keys, menus and buttons run the commands of the one table."""

from __future__ import annotations

from pathlib import Path

import PIL.Image
import pytest
from PySide6.QtCore import QEvent, QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import (
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QImage,
    QKeyEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QApplication, QMenu, QWidget
from pytestqt.qtbot import QtBot

from carez_desktop.gui.application import wait_until_idle
from carez_desktop.gui.command_keys import key_text
from carez_desktop.gui.command_menu import command_button
from carez_desktop.gui.drop_veil import drop_text
from carez_desktop.gui.main_window import MainWindow
from carez_desktop.workspace.commands import COMMANDS
from carez_desktop.workspace.display_file import load_display
from carez_desktop.workspace.display_options import Corner

NONE = Qt.KeyboardModifier.NoModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
CONTROL = Qt.KeyboardModifier.ControlModifier
KEYPAD = Qt.KeyboardModifier.KeypadModifier


def _key(
    key: Qt.Key, modifiers: Qt.KeyboardModifier = NONE, text: str = "", *, repeats: bool = False
) -> QKeyEvent:
    return QKeyEvent(QEvent.Type.KeyPress, key, modifiers, text, repeats)


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (_key(Qt.Key.Key_I, NONE, "i"), "I"),
        (_key(Qt.Key.Key_R, SHIFT, "R"), "Shift+R"),
        (_key(Qt.Key.Key_PageDown), "PgDown"),
        (_key(Qt.Key.Key_Question, SHIFT, "?"), "?"),
        (_key(Qt.Key.Key_Plus, SHIFT, "+"), "+"),
        (_key(Qt.Key.Key_Plus, KEYPAD, "+"), "+"),
        (_key(Qt.Key.Key_5, KEYPAD, "5"), "5"),
        (_key(Qt.Key.Key_Enter, KEYPAD, "\r"), "Return"),
        (_key(Qt.Key.Key_Backtab, SHIFT), "Shift+Tab"),
        (_key(Qt.Key.Key_Space, NONE, " "), "Space"),
        (_key(Qt.Key.Key_Z, CONTROL | SHIFT, "\x1a"), "Ctrl+Shift+Z"),
        (_key(Qt.Key.Key_Shift, SHIFT), ""),
    ],
)
def test_keys_are_named_as_in_the_table(event: QKeyEvent, text: str) -> None:
    assert key_text(event) == text


@pytest.fixture
def active(window: MainWindow, qtbot: QtBot) -> MainWindow:
    """The window with the keyboard, on the Coverage page."""
    window.show_page("coverage")
    window.activateWindow()
    qtbot.wait(20)
    return window


def test_every_command_of_the_window_is_there(active: MainWindow) -> None:
    missing = [
        entry.id
        for entry in COMMANDS
        if entry.scope == "window" and not active.session.commands.is_registered(entry.id)
    ]
    assert missing == []


def test_new_keys_work_at_once_and_old_ones_no_more(active: MainWindow, qtbot: QtBot) -> None:
    active.session.key_map.bind("page_1", ("F9",))
    qtbot.keyClick(active, Qt.Key.Key_1, CONTROL)
    assert active.current == "coverage"
    qtbot.keyClick(active, Qt.Key.Key_F9)
    assert active.current == "library"
    assert active._buttons["library"].toolTip() == "Library (F9)"


def test_a_key_that_cannot_do_anything_says_why(active: MainWindow, qtbot: QtBot) -> None:
    qtbot.keyClick(active, Qt.Key.Key_Z, CONTROL)
    assert active.overlays.note.isVisible()
    assert active.overlays.note.text() == "There is nothing to undo"


def test_keys_typed_into_a_field_stay_there(active: MainWindow, qtbot: QtBot) -> None:
    ran: list[str] = []
    active.session.commands.register("search", lambda: ran.append("search"))
    active.show_page("library")
    search = active.page("library").search
    search.setFocus()
    qtbot.keyClicks(search, "i?0")
    assert search.text() == "i?0"
    assert not active.overlays.keys.isVisible()


def test_a_held_key_acts_down_and_up_but_not_while_it_repeats(
    active: MainWindow, qtbot: QtBot
) -> None:
    told: list[int] = []
    commands = active.session.commands
    active.show_page("view")
    commands.set_condition("second", lambda: "")
    commands.register("flicker", lambda: told.append(1), released=lambda: told.append(0))
    active.setFocus()
    for repeats in (False, True, True):
        QApplication.sendEvent(active, _key(Qt.Key.Key_F, NONE, "f", repeats=repeats))
    assert told == [1]
    # The hand may have come down on Shift meanwhile.
    QApplication.sendEvent(active, QKeyEvent(QEvent.Type.KeyRelease, Qt.Key.Key_F, SHIFT, "F"))
    assert told == [1, 0]
    QApplication.sendEvent(active, _key(Qt.Key.Key_F, NONE, "f"))
    active._command_keys.let_go()
    assert told == [1, 0, 1, 0]


def test_buttons_follow_their_command(active: MainWindow, qtbot: QtBot) -> None:
    holder = QWidget()
    qtbot.addWidget(holder)
    session, state = active.session, {"reason": "The file holds one slice", "on": False}
    made = command_button(session, "cine", "ph.play")
    made.setParent(holder)
    assert not made.isEnabled()
    active.show_page("view")
    session.commands.register(
        "cine", lambda: state.update(on=not state["on"]), checked=lambda: bool(state["on"])
    )
    session.commands.set_condition("frames", lambda: str(state["reason"]))
    qtbot.waitUntil(lambda: "one slice" in made.toolTip())
    state["reason"] = ""
    session.commands.refresh()
    qtbot.waitUntil(made.isEnabled)
    assert made.toolTip() == "Play or stop (C)"
    made.click()
    qtbot.waitUntil(made.isChecked)
    session.key_map.bind("cine", ("F8",))
    qtbot.waitUntil(lambda: "(F8)" in made.toolTip())


def test_the_menu_shows_the_page_in_front_with_keys(active: MainWindow) -> None:
    menu = active._menu_button.menu()
    menu.aboutToShow.emit()
    menu.aboutToShow.emit()
    texts = [action.text() for action in menu.actions() if action.isVisible()]
    assert "Slices" not in texts
    assert "Undo\tCtrl+Z" in texts
    active.show_page("view")
    menu.aboutToShow.emit()
    titles = [action.text() for action in menu.actions() if action.isVisible() and action.menu()]
    assert titles[:3] == ["Slices", "Picture", "Planes"]
    slices = next(part for part in menu.findChildren(QMenu) if part.title() == "Slices")
    slices.aboutToShow.emit()
    first = slices.actions()[0]
    assert first.text() == "Next slice\tDown"
    assert not first.isEnabled()
    assert first.toolTip() == "Open a volume first"


def _data(*paths: Path) -> QMimeData:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    return data


@pytest.mark.filterwarnings("ignore:Function. 'QDragEnterEvent:DeprecationWarning")
def test_a_drag_is_told_and_a_drop_is_handed_over(active: MainWindow, tmp_path: Path) -> None:
    given: list[tuple[Path, ...]] = []
    active.session.paths_requested.disconnect()
    active.session.paths_requested.connect(given.append)
    data = _data(tmp_path / "study", tmp_path / "study", tmp_path / "demo.h5")
    where, buttons, copy = QPointF(9, 9), Qt.MouseButton.LeftButton, Qt.DropAction.CopyAction
    event = QDragEnterEvent(where.toPoint(), copy, data, buttons, NONE)
    active.dragEnterEvent(event)
    assert event.isAccepted()
    assert active.overlays.drop_text == "Drop to import study and open the bundle demo.h5"
    active.dragLeaveEvent(QDragLeaveEvent())
    assert active.overlays.drop_text == ""
    active.dragEnterEvent(QDragEnterEvent(where.toPoint(), copy, data, buttons, NONE))
    active.dropEvent(QDropEvent(where, copy, data, buttons, NONE))
    assert active.overlays.drop_text == ""
    assert given == [(tmp_path / "study", tmp_path / "demo.h5")]


@pytest.mark.filterwarnings("ignore:Function. 'QDragEnterEvent:DeprecationWarning")
def test_what_is_no_file_is_not_taken(active: MainWindow) -> None:
    data = QMimeData()
    data.setText("words")
    event = QDragEnterEvent(
        QPointF(9, 9).toPoint(), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, NONE
    )
    event.ignore()
    active.dragEnterEvent(event)
    assert not event.isAccepted()
    assert active.overlays.drop_text == ""


def test_drops_are_described_by_number() -> None:
    assert drop_text([Path("a.zip")]) == "Drop to import a.zip"
    assert drop_text([Path("a"), Path("b.dcm")]) == "Drop to import 2 files and folders"
    assert drop_text([Path("a.h5"), Path("b.HDF5")]).endswith("one bundle opens at a time")


def test_every_command_of_the_library_is_there(active: MainWindow) -> None:
    active.show_page("library")
    missing = [
        entry.id
        for entry in COMMANDS
        if entry.scope == "library" and not active.session.commands.is_registered(entry.id)
    ]
    assert missing == []


def test_tags_and_removals_of_the_library_are_taken_back(filled: MainWindow, qtbot: QtBot) -> None:
    page, changes = filled.page("library"), filled.session.changes["library"]
    filled.activateWindow()
    page.tree.setFocus()
    volume_id = page.records[0].volume_id
    page.tree.setCurrentIndex(page.tree.row_of(volume_id).index())
    assert page.tree.selected_ids() == (volume_id,)

    def tags() -> tuple[str, ...]:
        found = [record for record in page.records if record.volume_id == volume_id]
        return tuple(found[0].tags) if found else ("gone",)

    page._add_tag("check")
    qtbot.waitUntil(lambda: tags() == ("check",), timeout=5000)
    qtbot.keyClick(page.tree, Qt.Key.Key_Z, CONTROL)
    qtbot.waitUntil(lambda: tags() == (), timeout=5000)
    assert filled.overlays.note.text() == "Undone: Tag “check”"
    qtbot.keyClick(page.tree, Qt.Key.Key_Z, CONTROL | SHIFT)
    qtbot.waitUntil(lambda: tags() == ("check",), timeout=5000)
    # A word that is there already is no change.
    page._add_tag("check")
    assert changes.undo_title == "Tag “check”"
    qtbot.keyClick(page.tree, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: page.message.text.startswith("Remove"), timeout=5000)
    page.message.buttons[0].click()
    qtbot.waitUntil(lambda: tags() == ("gone",), timeout=5000)
    assert changes.undo_title == "1 volume removed"
    qtbot.waitUntil(lambda: "removed" in page.message.text, timeout=5000)
    page.message.buttons[0].click()
    qtbot.waitUntil(lambda: tags() == ("check",), timeout=5000)
    # Done again, it is still one change.
    filled.session.commands.run("redo")
    qtbot.waitUntil(lambda: tags() == ("gone",), timeout=5000)
    assert [changes.undo(), changes.undo_title] == ["1 volume removed", "Tag “check”"]
    qtbot.waitUntil(lambda: tags() == ("check",), timeout=5000)


def _open_first(window: MainWindow, qtbot: QtBot) -> None:
    """Open the first series in View, whole, with the keyboard in a pane."""
    window.session.volumes_requested.emit(window.page("library").records[0].volume_id, "")
    assert wait_until_idle(window, 30)
    window.activateWindow()
    window.page("view").grid.active_widget().setFocus()
    qtbot.wait(20)


def test_every_command_of_the_view_is_there(filled: MainWindow, qtbot: QtBot) -> None:
    _open_first(filled, qtbot)
    missing = [
        entry.id
        for entry in COMMANDS
        if entry.scope == "view" and not filled.session.commands.is_registered(entry.id)
    ]
    assert missing == []


def test_what_was_done_to_the_view_is_taken_back_by_key(filled: MainWindow, qtbot: QtBot) -> None:
    _open_first(filled, qtbot)
    page = filled.page("view")
    pane, layer = page.grid.active_widget(), page.arrangement.active_pane.base.layer
    window, scale = layer.window, pane.viewport.mm_per_pixel
    qtbot.keyClick(pane, Qt.Key.Key_I)
    assert layer.inverted
    at = QPointF(pane.rect().center())
    wheel = QWheelEvent(
        at,
        pane.mapToGlobal(at),
        QPoint(),
        QPoint(0, 240),
        Qt.MouseButton.NoButton,
        CONTROL,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(pane, wheel)
    zoomed = pane.viewport.mm_per_pixel
    assert zoomed < scale
    centre = pane.rect().center()
    qtbot.mousePress(pane, Qt.MouseButton.LeftButton, pos=centre + QPoint(40, 40))
    for step in range(5):
        qtbot.mouseMove(pane, centre + QPoint(50 + 9 * step, 40))
    qtbot.mouseRelease(pane, Qt.MouseButton.LeftButton, pos=centre + QPoint(90, 40))
    qtbot.keyClick(pane, Qt.Key.Key_Z, CONTROL)
    assert layer.window == window
    assert pane.viewport.mm_per_pixel == zoomed
    qtbot.keyClick(pane, Qt.Key.Key_Z, CONTROL)
    assert pane.viewport.mm_per_pixel == pytest.approx(scale)
    assert layer.inverted
    qtbot.keyClick(pane, Qt.Key.Key_Z, CONTROL)
    assert not layer.inverted
    assert filled.overlays.note.text() == "Undone: Invert black and white"
    qtbot.keyClick(pane, Qt.Key.Key_Z, CONTROL | SHIFT)
    assert layer.inverted


def test_one_key_hides_who_the_patient_is(filled: MainWindow, qtbot: QtBot) -> None:
    _open_first(filled, qtbot)
    page = filled.page("view")
    display = filled.session.display
    display.options = display.options.placed("patient", Corner.TOP_RIGHT)
    name = page.arrangement.layers[0].volume.attributes["patient_name"]
    pane = page.grid.active_widget()
    assert pane.annotations().top_right == (name,)
    assert name in page.title.full_text
    qtbot.keyClick(pane, Qt.Key.Key_P)
    assert pane.annotations().top_right == ()
    assert name not in page.title.full_text
    # It stays hidden at the next start.
    assert load_display(filled.session.context.home)[0].hides_identity
    qtbot.keyClick(pane, Qt.Key.Key_P)
    assert name in page.title.full_text


def test_a_pane_is_saved_without_the_patient(filled: MainWindow, qtbot: QtBot) -> None:
    _open_first(filled, qtbot)
    page, home = filled.page("view"), filled.session.context.home
    display = filled.session.display
    display.options = display.options.placed("patient", Corner.TOP_RIGHT)
    pane = page.grid.active_widget()
    with_name = pane.grab().toImage()
    qtbot.keyClick(pane, Qt.Key.Key_E, CONTROL)
    assert wait_until_idle(filled, 30)
    written = sorted((home / "pictures").glob("*.png"))
    assert len(written) == 1
    assert str(written[0]) in page.message.text
    picture = QImage(str(written[0]))
    assert (picture.width(), picture.height()) == (with_name.width(), with_name.height())
    assert picture != with_name
    # The pane itself still shows the name.
    assert pane.annotations().top_right != ()


def test_a_film_has_every_slice_and_the_pane_comes_back(filled: MainWindow, qtbot: QtBot) -> None:
    _open_first(filled, qtbot)
    page, home = filled.page("view"), filled.session.context.home
    pane = page.grid.active_widget()
    place = pane.viewport.slice_number
    filled.session.commands.run("export_cine")
    assert wait_until_idle(filled, 60)
    written = sorted((home / "pictures").glob("*.gif"))
    assert len(written) == 1, page.message.text
    with PIL.Image.open(written[0]) as film:
        assert film.n_frames == pane.viewport.slice_count
    qtbot.waitUntil(lambda: pane.viewport.slice_number == place)
