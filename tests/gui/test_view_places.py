"""Where series go: layouts, drops, the strip, a second window, points in time, next starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QMimeData, QPoint, QPointF, Qt
from PySide6.QtGui import QDropEvent, QMouseEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from carez_desktop.errors import DeviceError
from carez_desktop.gui.application import wait_until_idle
from carez_desktop.gui.main_window import MainWindow
from carez_desktop.gui.pane_mouse import line_handles
from carez_desktop.gui.slice_pane import SERIES_MIME, SlicePane
from carez_desktop.gui.view_hanging import TimePoint
from carez_desktop.gui.view_page import ViewPage
from carez_desktop.workspace.display_window import DisplayWindow
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.layouts import layout_of
from carez_desktop.workspace.plane_basis import Plane, rotation_about
from carez_desktop.workspace.slab import Slab, SlabMode
from tests.builders.analytic_volumes import analytic_volume

Button, Modifier = Qt.MouseButton, Qt.KeyboardModifier


def _view(window: MainWindow) -> ViewPage:
    window.show_page("view")
    page = window.page("view")
    assert isinstance(page, ViewPage)
    return page


@pytest.fixture
def page(window: MainWindow) -> ViewPage:
    view = _view(window)
    view.show_volumes(analytic_volume("oblique", dtype=np.int16))
    QApplication.processEvents()
    return view


def _mouse(kind: QEvent.Type, pane: SlicePane, at: QPointF, button: Qt.MouseButton) -> None:
    held = Button.NoButton if kind is QEvent.Type.MouseButtonRelease else Button.LeftButton
    event = QMouseEvent(kind, at, pane.mapToGlobal(at), button, held, Modifier.NoModifier)
    QApplication.sendEvent(pane, event)


def _drop(pane: SlicePane, volume_id: str) -> None:
    carried = QMimeData()
    carried.setData(SERIES_MIME, volume_id.encode())
    at = QPointF(pane.rect().center())
    action, modifier = Qt.DropAction.CopyAction, Modifier.NoModifier
    # Qt hands a drop to a widget only while its own drag lasts.
    pane.dropEvent(QDropEvent(at, action, carried, Button.LeftButton, modifier))


def test_a_new_layout_keeps_what_is_shown_and_takes_missing_planes(page: ViewPage) -> None:
    page.set_layout(layout_of("1x1"))
    assert [pane.viewport.plane for pane in page.arrangement.panes if pane.viewport] == [
        Plane.AXIAL
    ]
    page.set_layout(layout_of("2x2"))
    shown = [pane.viewport.plane for pane in page.arrangement.panes if pane.viewport]
    assert shown == list(Plane)
    assert page.grid.widgets[3].layer is None
    assert "Drop a series" in page.grid.widgets[3].message
    assert sum(widget.isVisible() for widget in page.grid.widgets) == 4


def test_a_layout_is_picked_from_the_grid_of_squares(page: ViewPage, qtbot: QtBot) -> None:
    picker = page._layout_button.picker
    picker.show()
    qtbot.mouseClick(picker, Button.LeftButton, pos=QPoint(24 * 3 - 5, 24 * 2 - 5))
    assert page.arrangement.layout.id == "2x3"
    qtbot.keyClick(picker, Qt.Key.Key_Right)
    qtbot.keyClick(picker, Qt.Key.Key_Return)
    assert page.arrangement.layout.id == "2x4"


def test_dragging_the_end_of_a_line_turns_the_other_planes_only(page: ViewPage) -> None:
    pane = page.grid.widgets[0]
    pane.grab()
    note, viewport = pane.annotations(), pane.viewport
    assert note is not None
    assert viewport is not None
    before = [widget.viewport.basis.forward for widget in page.grid.widgets if widget.viewport]
    start = line_handles(viewport, note.lines[0])[0]
    x, y = viewport.lps_to_pixel(viewport.cursor_lps)
    away = start - QPointF(x, y)
    cosine, sine = np.cos(np.radians(30.0)), np.sin(np.radians(30.0))
    turned = QPointF(away.x() * cosine - away.y() * sine, away.x() * sine + away.y() * cosine)
    _mouse(QEvent.Type.MouseButtonPress, pane, start, Button.LeftButton)
    _mouse(QEvent.Type.MouseMove, pane, QPointF(x, y) + turned, Button.NoButton)
    _mouse(QEvent.Type.MouseButtonRelease, pane, QPointF(x, y) + turned, Button.LeftButton)
    after = [widget.viewport.basis.forward for widget in page.grid.widgets if widget.viewport]
    angles = [
        np.degrees(np.arccos(np.clip(one @ other, -1.0, 1.0)))
        for one, other in zip(before, after, strict=True)
    ]
    assert angles == pytest.approx([0.0, 30.0, 30.0], abs=1e-6)
    # The line that is painted now runs through the pointer.
    line = pane.annotations().lines[0]  # type: ignore[union-attr]
    way = np.subtract(line.stop, line.start)
    across = way[0] * turned.y() - way[1] * turned.x()
    assert across / np.linalg.norm(way) == pytest.approx(0.0, abs=1e-6)


def test_ctrl_draws_a_region_and_alt_a_line(page: ViewPage) -> None:
    pane = page.grid.widgets[1]
    told: list[tuple[object, ...]] = []
    page.grid.region_drawn.connect(lambda *parts: told.append(parts))
    page.grid.line_drawn.connect(lambda *parts: told.append(parts))
    viewport = pane.viewport
    assert viewport is not None
    start, stop = QPointF(40, 70), QPointF(20, 90)
    for modifier in (Modifier.ControlModifier, Modifier.AltModifier):
        for kind, at, button, held in (
            (QEvent.Type.MouseButtonPress, start, Button.LeftButton, Button.LeftButton),
            (QEvent.Type.MouseMove, stop, Button.NoButton, Button.LeftButton),
            (QEvent.Type.MouseButtonRelease, stop, Button.LeftButton, Button.NoButton),
        ):
            event = QMouseEvent(kind, at, pane.mapToGlobal(at), button, held, modifier)
            QApplication.sendEvent(pane, event)
    assert told[0] == (pane.pane, (20.0, 70.0, 40.0, 90.0))
    assert told[1][0] is pane.pane
    np.testing.assert_allclose(told[1][1], viewport.pixel_to_lps(40, 70))  # type: ignore[call-overload]
    np.testing.assert_allclose(told[1][2], viewport.pixel_to_lps(20, 90))  # type: ignore[call-overload]


def test_a_series_is_dropped_on_a_pane_and_the_others_stay(filled: MainWindow) -> None:
    ids = filled.session.listed
    filled.session.volumes_requested.emit(ids[0], "")
    assert wait_until_idle(filled, 20)
    page = _view(filled)
    page.set_layout(layout_of("1x2"))
    _drop(page.grid.widgets[1], ids[1])
    assert wait_until_idle(filled, 20)
    shown = [pane.base.layer.volume.volume_id for pane in page.arrangement.panes if pane.base]
    assert shown == [ids[0], ids[1]]
    assert page.arrangement.active == 1
    _drop(page.grid.widgets[0], ids[2])
    assert wait_until_idle(filled, 20)
    shown = [pane.base.layer.volume.volume_id for pane in page.arrangement.panes if pane.base]
    assert shown == [ids[2], ids[1]]
    _drop(page.grid.widgets[0], "1.2.3.nowhere")
    assert wait_until_idle(filled, 20)
    assert "1.2.3.nowhere" in page.message.text
    assert all(pane.base is not None for pane in page.arrangement.panes)


def test_a_second_window_shows_the_same_layers_linked_and_lets_them_go(page: ViewPage) -> None:
    page.open_second_window()
    second = page.second
    assert second is not None
    QApplication.processEvents()
    second.arrangement.show(0, page.arrangement.layers[0], Plane.CORONAL)
    own, far = page.arrangement.panes[0].viewport, second.arrangement.panes[0].viewport
    assert own is not None
    assert far is not None
    own.cursor_lps = own.cursor_lps + np.array([1.0, 2.0, -3.0])
    np.testing.assert_allclose(far.cursor_lps, own.cursor_lps)
    second.grid.widgets[0].focused.emit()
    assert page.current is second.grid
    page._session.commands.run("plane_sagittal")
    assert second.arrangement.panes[0].viewport.plane is Plane.SAGITTAL  # type: ignore[union-attr]
    page.arrangement.close_all()
    assert second.arrangement.panes[0].base is None
    second.close()
    assert page.second is None
    assert page.current is page.grid


def test_the_next_point_in_time_keeps_place_window_and_links(page: ViewPage) -> None:
    first = analytic_volume("axial", dtype=np.int16)
    volumes = [replace(first, volume_id=f"1.2.3:{number}") for number in range(3)]
    layers = {volume.volume_id: Layer(volume) for volume in volumes}
    asked: list[str] = []

    def read(volume_id: str, then: Callable[[Layer], None], **_: object) -> None:
        asked.append(volume_id)
        then(layers[volume_id])

    page.opening.read = read  # type: ignore[method-assign, assignment]
    page.show_layers(layers["1.2.3:0"])
    points = tuple(TimePoint(volume.volume_id, f"t{n}") for n, volume in enumerate(volumes))
    page.times.take(points, layers["1.2.3:0"])
    assert page.play_bar.isVisible()
    viewport = page.arrangement.panes[0].viewport
    assert viewport is not None
    viewport.scroll(2)
    viewport.zoom(3.0)
    layers["1.2.3:0"].window = DisplayWindow(11.0, 222.0)
    cursor, scale = viewport.cursor_lps, viewport.mm_per_pixel
    page.play_bar.time.setValue(2)
    base, later = page.arrangement.panes[0].base, page.arrangement.panes[0].viewport
    assert base is not None
    assert later is not None
    assert base.layer.volume.volume_id == "1.2.3:2"
    np.testing.assert_allclose(later.cursor_lps, cursor)
    assert later.mm_per_pixel == pytest.approx(scale)
    assert base.layer.window == DisplayWindow(11.0, 222.0)
    assert [layer.volume.volume_id for layer in page.arrangement.layers] == ["1.2.3:2"]
    page.times.step(1)
    assert page.times.index == 0
    assert asked == ["1.2.3:1", "1.2.3:2"]


def test_a_pane_that_cannot_be_painted_says_why_and_recovers(
    page: ViewPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    pane = page.grid.widgets[0]
    assert pane.renderer is not None

    def fail(*_: object, **__: object) -> None:
        raise MemoryError("no room for this plane")

    with monkeypatch.context() as broken:
        broken.setattr(pane.renderer, "pixels", fail)
        pane.grab()
        assert "no room for this plane" in pane._failure
        pane.grab()
    viewport = pane.viewport
    assert viewport is not None
    viewport.scroll(1)
    pane.grab()
    assert pane._failure == ""


def test_layout_links_and_rate_come_back_at_the_next_start(
    make_window: Callable[[Path], MainWindow], tmp_path: Path
) -> None:
    first = make_window(tmp_path / "home")
    page = _view(first)
    page.show_volumes(analytic_volume("axial", dtype=np.int16))
    page.set_layout(layout_of("1x2"))
    page.arrangement.set_link("links_window", False)
    page.set_frame_rate(7.5)
    first.close()
    again = _view(make_window(tmp_path / "home"))
    again.show_volumes(analytic_volume("axial", dtype=np.int16))
    assert again.arrangement.layout.id == "1x2"
    assert not again.arrangement.is_linked("links_window")
    assert again.actions_of_keys.frames_per_second == 7.5


def test_the_strip_lists_the_series_of_the_patient(filled: MainWindow, qtbot: QtBot) -> None:
    filled.session.volumes_requested.emit(filled.session.listed[0], "")
    assert wait_until_idle(filled, 20)
    page = _view(filled)
    # One series of one patient: nothing to choose from.
    assert page.strip.count() == 1
    assert not page.strip.isVisible()
    item = page.strip.item(0)
    carried = page.strip.mimeData([item])
    assert bytes(carried.data(SERIES_MIME).data()).decode() == filled.session.listed[0]


def test_an_oblique_slab_is_coarse_while_it_moves_and_fine_once_it_rests(
    page: ViewPage, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    pane = page.grid.widgets[0]
    viewport, renderer = pane.viewport, pane.renderer
    assert viewport is not None
    assert renderer is not None
    asked: list[bool] = []
    plain = renderer.pixels

    def pixels(*sizes: float, quick: bool = False) -> object:
        asked.append(quick)
        return plain(*sizes, quick=quick)  # type: ignore[arg-type]

    monkeypatch.setattr(renderer, "pixels", pixels)
    viewport.set_slab(Slab(SlabMode.MIP, 6.0))
    viewport.rotate(rotation_about(viewport.right, 0.3))
    pane.grab()
    assert asked[-1] is True
    qtbot.waitUntil(lambda: asked[-1] is False, timeout=2000)


def test_a_volume_that_does_not_fit_is_offered_in_part(
    filled: MainWindow, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    import carez_desktop.workflows.load_volume as loading

    def refuse(*_: object, **__: object) -> None:
        raise DeviceError("The volume needs 99999 MiB of memory, 5 MiB are free", hint="Choose")

    monkeypatch.setattr(loading, "load_volume", refuse)
    filled.session.volumes_requested.emit(filled.session.listed[0], "")
    assert wait_until_idle(filled, 20)
    page = _view(filled)
    assert "99999 MiB" in page.notice.text
    assert "2nd" in page.message.buttons[0].text()
    qtbot.mouseClick(page.message.buttons[0], Button.LeftButton)
    assert wait_until_idle(filled, 20)
    (layer,) = page.arrangement.layers
    assert "1 of 2" in layer.title
    assert any(finding.code == "reduced" for finding in layer.volume.findings)
