"""A sitting of a person at the workstation: `python -m tests.builders.person_session A B C`.

Two scans of one patient in different frames of reference are opened, registered, swiped and
subtracted; a picture is saved. A is the home, B the studies; what was seen goes to C as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QPoint
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QLabel, QLineEdit

from carez_desktop.gui.application import build_window, open_paths, qt_application, wait_until_idle
from carez_desktop.gui.library_page import LibraryPage
from carez_desktop.gui.main_window import MainWindow
from carez_desktop.gui.slice_pane import SlicePane
from carez_desktop.gui.view_page import ViewPage
from carez_desktop.workflows.context import open_context
from carez_desktop.workspace.plane_basis import Plane
from tests.builders.person import Person

SIZE = (1600, 1000)
FIRST, SECOND = "Head scan 1", "Head scan 2"


def main(home: Path, studies: Path, out: Path) -> None:
    """Do it all and write down what was seen."""
    application = qt_application()
    window = build_window(open_context(home))
    window.move(0, 0)
    window.resize(*SIZE)
    window.show()
    window.show_page("library")
    wait_until_idle(window)
    seen: dict[str, Any] = {"platform": application.platformName()}
    person = Person(window)
    open_paths(window, [studies])
    person.wait()
    choose_both(person, window)
    page = window.page("view")
    assert isinstance(page, ViewPage)
    link(person, page, seen)
    swipe(person, page, seen)
    read_difference(person, page, seen)
    save_picture(person, window, seen, home)
    out.write_text(json.dumps(seen), encoding="utf-8")
    window.close()


def choose_both(person: Person, window: MainWindow) -> None:
    """Click both series in the list and open them beside each other."""
    library = window.page("library")
    assert isinstance(library, LibraryPage)
    tree = library.tree
    tree.expandAll()
    person.wait()
    rows = []
    for uid in ("71", "72"):
        volume_id = next(r.volume_id for r in library.records if r.volume_id.endswith(f".{uid}"))
        item = tree.row_of(volume_id)
        assert item is not None
        rows.append(tree.visualRect(item.index()).center())
    person.click(tree.viewport(), rows[0])
    person.click(tree.viewport(), rows[1], held="ctrl")
    person.press("ctrl+Return")


def pane_of(page: ViewPage, title: str, plane: Plane) -> SlicePane:
    """The pane that shows a plane of a scan."""
    for widget in page.grid.widgets:
        layer, viewport = widget.layer, widget.viewport
        if layer and viewport and title in layer.title and viewport.plane is plane:
            return widget
    raise LookupError((title, plane))


def link(person: Person, page: ViewPage, seen: dict[str, Any]) -> None:
    """Scroll apart, register, scroll together."""
    left, right = (pane_of(page, title, Plane.AXIAL) for title in (FIRST, SECOND))
    assert left.viewport is not None
    assert right.viewport is not None
    before = right.viewport.cursor_lps.copy()
    person.wheel(left, 3)
    seen["apart_moved_mm"] = float(np.abs(right.viewport.cursor_lps - before).max())
    person.click(left)
    person.press("ctrl+r")
    person.press_button("Apply")
    found = page.arrangement.alignment_between(*page.arrangement.layers[:2])
    seen["alignment"] = None if found is None else np.asarray(found.matrix).tolist()
    left, right = (pane_of(page, title, Plane.AXIAL) for title in (FIRST, SECOND))
    person.wheel(left, -2)
    assert left.viewport is not None
    assert right.viewport is not None
    seen["linked_apart_mm"] = float(
        np.abs(right.viewport.cursor_lps - left.viewport.cursor_lps).max()
    )
    seen["linked_words"] = [
        label.text() for label in page.side.links.findChildren(QLabel) if label.isVisible()
    ]


def swipe(person: Person, page: ViewPage, seen: dict[str, Any]) -> None:
    """Draw the curtain with the mouse; both sides are on the screen as they are alone."""
    left = pane_of(page, FIRST, Plane.AXIAL)
    person.click(left)
    alone = colours(person.look(left))
    choose_second(person, page)
    person.press("q")
    middle, quarter = QPoint(left.width() // 2, 200), QPoint(left.width() // 4, 200)
    person.drag(left, middle, quarter)
    assert left.pane is not None
    seen["curtain"] = left.pane.settings.curtain
    shown = colours(person.look(left))
    inner = slice(120, left.height() - 160)
    changed = np.abs(shown - alone)[inner].max(axis=2) > 6
    edge = left.pane.settings.curtain * changed.shape[1]
    before, behind = changed[:, 20 : int(edge) - 8], changed[:, int(edge) + 8 : -20]
    seen["changed_before"], seen["changed_behind"] = float(before.mean()), float(behind.mean())


def choose_second(person: Person, page: ViewPage) -> None:
    """Take the other scan from the list of the compare section, with the keyboard."""
    if page.arrangement.active_pane.second is None:
        choice = page.side.compare.second
        page.panel_area.ensureWidgetVisible(choice)
        person.click(choice)
        person.press("Down", "Return")
        person.click(page.grid.active_widget(), QPoint(30, 300))


def read_difference(person: Person, page: ViewPage, seen: dict[str, Any]) -> None:
    """Ask for the difference and read colours and numbers."""
    left = pane_of(page, FIRST, Plane.AXIAL)
    person.press("d")
    person.wait(0.3)
    field = page.side.compare.limit.findChild(QLineEdit)
    page.panel_area.ensureWidgetVisible(field)
    person.wait()
    person.write(field, "100")
    assert left.pane is not None
    seen["difference_limit"] = left.pane.settings.difference_limit
    seen["difference_numbers"] = page.side.compare.numbers.as_text()
    picture = colours(person.look(left))
    middle = picture[left.height() // 2 - 40 : left.height() // 2 - 10]
    row = middle[:, left.width() // 2 - 60 : left.width() // 2 - 10]
    seen["difference_colour"] = row.reshape(-1, 3).mean(axis=0).tolist()


def save_picture(person: Person, window: MainWindow, seen: dict[str, Any], home: Path) -> None:
    """Save what the pane shows."""
    seen["saved"] = []
    if not window.session.commands.is_registered("export_picture"):
        return
    page = window.page("view")
    assert isinstance(page, ViewPage)
    # The field that was written in last keeps Ctrl+E for itself (end of the line).
    person.click(pane_of(page, FIRST, Plane.AXIAL), QPoint(30, 300))
    person.press("ctrl+e")
    person.wait_for(lambda: list(home.rglob("*.png")), 30)
    person.wait()
    seen["saved"] = [str(path) for path in home.rglob("*.png")]


def colours(image: QImage) -> np.ndarray:
    """(rows, columns, 3) red, green and blue of what the screen showed."""
    image = image.convertToFormat(QImage.Format.Format_RGB32)
    flat = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.width(), 4)
    return flat[:, :, 2::-1].astype(float)


if __name__ == "__main__":
    main(*(Path(word) for word in sys.argv[1:4]))
