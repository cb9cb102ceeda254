"""What is no plain volume: cine, film, stacks, graphics, refusals, and the first slice early."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.intensity import OverlayPlane
from carez_desktop.domain.study import VolumeRecord
from carez_desktop.domain.volume import SliceAxis, Volume, VolumeKind
from carez_desktop.domain.window import VoiWindow
from carez_desktop.errors import GeometryError
from carez_desktop.gui.application import wait_until_idle
from carez_desktop.gui.main_window import MainWindow
from carez_desktop.gui.view_actions import frame_milliseconds
from carez_desktop.gui.view_loading import preview
from carez_desktop.gui.view_page import ViewPage
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.plane_basis import Plane
from tests.builders.analytic_volumes import analytic_volume
from tests.builders.irregular_stacks import tilted_stack

AXES = [[0, 0, 1], [0, 1, 0], [1, 0, 0]]


@pytest.fixture
def page(window: MainWindow) -> ViewPage:
    window.show_page("view")
    view = window.page("view")
    assert isinstance(view, ViewPage)
    return view


def _record(**changes: Any) -> VolumeRecord:
    plain = VolumeRecord(
        volume_id="1.2.3.4",
        series_instance_uid="1.2.3.4",
        study_instance_uid="1.2.3",
        patient_id="P",
        modality="CT",
        description="Series",
        shape=(9, 14, 17),
        spacing_mm=(4.0, 1.5, 1.1),
        orientation="SPL",
        kind=VolumeKind.REAL,
        source_format="dicom",
        paths=("a",) * 9,
    )
    return replace(plain, **changes)


def _cine() -> Layer:
    geometry = VolumeGeometry.from_parts((6, 20, 30), (1.0, 0.5, 0.5), (0, 0, 0), AXES)
    colours = np.zeros((6, 20, 30, 3), np.uint8)
    colours[:, :, :, 0] = np.arange(6)[:, None, None] * 40
    volume = Volume(
        "1", colours, geometry, "US", "rgb", slice_axis=SliceAxis.TIME,
        frame_times_ms=tuple(20.0 * k for k in range(6)),
    )  # fmt: skip
    return Layer(volume, positioned=False)


def test_a_cine_plays_its_frames_at_their_rate_and_has_one_pane(
    page: ViewPage, qtbot: QtBot
) -> None:
    layer = _cine()
    page.show_layers(layer)
    shown = [pane for pane in page.grid.widgets if pane.isVisible()]
    assert len(shown) == 1
    assert not any(choice.isEnabled() for choice in page._plane_buttons.values())
    assert all("moments" in choice.toolTip() for choice in page._plane_buttons.values())
    assert frame_milliseconds(layer) == 20
    viewport = page.arrangement.panes[0].viewport
    assert viewport is not None
    viewport.go_to_slice(0)
    for frame in range(6):
        viewport.go_to_slice(frame)
        picture = shown[0].picture()
        assert picture is not None
        middle = picture.pixelColor(picture.width() // 2, picture.height() // 2)
        assert (middle.red(), middle.green()) == (40 * frame, 0)
    qtbot.keyClick(shown[0], Qt.Key.Key_C)
    assert page.actions_of_keys.cine.interval() == 20
    qtbot.waitUntil(lambda: viewport.slice_number != 6, timeout=2000)
    page.leaving()
    assert not page.actions_of_keys.cine.isActive()


def test_keys_that_need_planes_do_nothing_in_a_cine(page: ViewPage, qtbot: QtBot) -> None:
    page.show_layers(_cine())
    pane = page.grid.active_widget()
    for key in (Qt.Key.Key_Return, Qt.Key.Key_1, Qt.Key.Key_0, Qt.Key.Key_I, Qt.Key.Key_Space):
        qtbot.keyClick(pane, key)
    assert pane.isVisible()


def test_film_is_shown_with_high_values_black(page: ViewPage) -> None:
    volume = analytic_volume("axial", dtype=np.int16)
    film = replace(
        volume,
        attributes={"photometric_interpretation": "MONOCHROME1"},
        windows=(VoiWindow(0.0, 300.0),),
    )
    pictures = []
    for shown in (film, replace(film, attributes={})):
        page.show_volumes(shown)
        image = page.grid.widgets[0].picture()
        assert image is not None
        pictures.append(image.pixelColor(image.width() // 2, image.height() // 2).red())
    assert pictures[0] == pytest.approx(255 - pictures[1], abs=1)


def test_graphics_of_the_source_are_painted_and_o_hides_them(page: ViewPage, qtbot: QtBot) -> None:
    volume = analytic_volume("axial", dtype=np.int16)
    bits = np.zeros((14, 17), np.bool_)
    bits[3, 4] = True
    overlay = OverlayPlane(4, (0, 0), bits)
    page.show_volumes(replace(volume, overlays=(overlay,), windows=(VoiWindow(-5000.0, 10.0),)))
    pane = page.grid.widgets[0]
    viewport = pane.viewport
    assert viewport is not None
    viewport.cursor_lps = volume.geometry.index_to_lps([4, 3, 4])
    x, y = viewport.lps_to_pixel(viewport.cursor_lps)

    def grey() -> tuple[int, int]:
        image = pane.picture()
        assert image is not None
        colour = image.pixelColor(int(x), int(y))
        return colour.red(), colour.blue()

    ink = page.theme.colour("overlay")
    with_graphics = grey()
    assert with_graphics[1] == pytest.approx(ink.blue(), abs=12)
    qtbot.keyClick(pane, Qt.Key.Key_O)
    assert grey() == (255, 255)
    qtbot.keyClick(pane, Qt.Key.Key_O)
    assert grey() == with_graphics
    viewport.cursor_lps = volume.geometry.index_to_lps([3, 3, 4])
    assert grey() == (255, 255)


def test_a_stack_is_shown_slice_by_slice_and_its_button_resamples(
    page: ViewPage, window: MainWindow, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    import carez_desktop.workflows.describe_volume as describing
    import carez_desktop.workflows.load_slices as slicing
    import carez_desktop.workflows.load_volume as loading

    stack, asked = tilted_stack(), []

    def load_volume(_: Any, *, resample: bool, **__: Any) -> Volume:
        asked.append(resample)
        return analytic_volume("axial", kind=VolumeKind.DERIVED)

    record = _record(slices_only=True, refusal=stack.refusal, spacing_mm=None)
    monkeypatch.setattr(describing, "describe_volume", lambda *_, **__: record)
    monkeypatch.setattr(slicing, "load_slices", lambda *_, **__: stack)
    monkeypatch.setattr(loading, "load_volume", load_volume)
    page.open_ids("1.2.3.4")
    assert wait_until_idle(window, 20)
    assert page.grid.note.isVisible()
    assert "Tilted by 20.1 degrees" in page.grid.note.text
    pane = page.grid.active_widget()
    assert pane.viewport is not None
    qtbot.keyClick(pane, Qt.Key.Key_Home)
    assert pane.viewport.array_index == len(stack.slices) - 1
    assert page.grid.note.action is not None
    qtbot.mouseClick(page.grid.note.action, Qt.MouseButton.LeftButton)
    assert wait_until_idle(window, 20)
    assert asked == [True]
    assert "resampled" in page.title.full_text
    assert not page.grid.note.isVisible()
    assert sum(pane.isVisible() for pane in page.grid.widgets) == 3


def test_a_refused_series_says_why_in_the_pane(
    page: ViewPage, window: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    import carez_desktop.workflows.describe_volume as describing
    import carez_desktop.workflows.load_volume as loading

    def refuse(*_: Any, **__: Any) -> Volume:
        raise GeometryError("This series is no volume: 3 files have no pixels", hint="Choose")

    monkeypatch.setattr(describing, "describe_volume", lambda *_, **__: _record())
    monkeypatch.setattr(loading, "load_volume", refuse)
    page.open_ids("1.2.3.4")
    assert wait_until_idle(window, 20)
    assert "3 files have no pixels" in page.notice.text
    assert page.notice.isVisible()
    assert page.title.full_text == "View"


class _SlowLoad:
    """A load that hands out its middle slice and then waits."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.cancelled = threading.Event()
        self.starts = 0

    def __call__(self, _: Any, *, progress: Any, cancel: Any, partial: Any, **__: Any) -> Volume:
        self.starts += 1
        volume = analytic_volume("axial", dtype=np.int16)
        partial((4, volume.array[4]))
        progress.report(0.4, "Slice 4 of 9")
        while not self.go_on.wait(0.01):
            if cancel.is_cancelled:
                self.cancelled.set()
                cancel.raise_if_cancelled()
        return volume


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> _SlowLoad:
    import carez_desktop.workflows.describe_volume as describing
    import carez_desktop.workflows.load_volume as loading

    load = _SlowLoad()
    monkeypatch.setattr(describing, "describe_volume", lambda *_, **__: _record())
    monkeypatch.setattr(loading, "load_volume", load)
    return load


def test_the_first_slice_is_shown_where_it_stays_while_the_rest_is_read(
    page: ViewPage, window: MainWindow, slow: _SlowLoad, qtbot: QtBot
) -> None:
    page.open_ids("1.2.3.4")

    def first_layer() -> Layer | None:
        return page.grid.widgets[0].layer

    qtbot.waitUntil(lambda: first_layer() is not None, timeout=5000)
    layer, pane = first_layer(), page.grid.widgets[0]
    assert layer is not None
    assert layer.is_preview
    early = pane.picture()
    qtbot.waitUntil(lambda: "40 %" in pane.progress_text, timeout=5000)
    QApplication.processEvents()
    slow.go_on.set()
    assert wait_until_idle(window, 20)
    layer, pane = first_layer(), page.grid.widgets[0]
    assert layer is not None
    assert not layer.is_preview
    assert pane.progress_text == ""
    late = pane.picture()
    assert early is not None
    assert late is not None
    assert (early.width(), early.height()) == (late.width(), late.height())


def test_leaving_stops_the_load_and_coming_back_reads_again(
    page: ViewPage, window: MainWindow, slow: _SlowLoad, qtbot: QtBot
) -> None:
    page.open_ids("1.2.3.4")
    qtbot.waitUntil(lambda: slow.starts == 1, timeout=5000)
    window.show_page("library")
    assert slow.cancelled.wait(1.0)
    slow.go_on.set()
    window.show_page("view")
    assert wait_until_idle(window, 20)
    assert slow.starts == 2
    assert page.arrangement.layers


@pytest.mark.parametrize(
    ("changes", "is_flat"),
    [
        ({}, False),
        ({"orientation": "", "shape": (1, 14, 17)}, True),
        ({"slice_axis": SliceAxis.TIME}, True),
        ({"slices_only": True, "refusal": "Tilted", "spacing_mm": None}, True),
    ],
)
def test_the_first_slice_is_laid_out_as_the_whole_will_be(
    changes: dict[str, Any], is_flat: bool
) -> None:
    values = analytic_volume("axial", dtype=np.int16).array[4]
    first = preview(_record(**changes), values, stand_in=False)
    assert first.is_flat is is_flat
    assert first.layer.volume.array.shape == (1, 14, 17)


@pytest.mark.parametrize(("letters", "plane"), [("SPL", Plane.AXIAL), ("LIP", Plane.SAGITTAL)])
def test_the_first_slice_goes_to_the_pane_of_its_plane(
    page: ViewPage, letters: str, plane: Plane
) -> None:
    values = analytic_volume("axial", dtype=np.int16).array[4]
    page.opening.show_first(preview(_record(orientation=letters), values, stand_in=False))
    filled = [number for number, pane in enumerate(page.grid.widgets) if pane.layer is not None]
    assert filled == [list(Plane).index(plane)]
