"""Opening and closing studies leaves nothing behind; panes of one volume share its voxels."""

from __future__ import annotations

import gc
import os
import threading
import time
import weakref
from collections import Counter

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QObject
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.volume import Volume, VolumeKind
from carez_desktop.gui.application import wait_until_idle
from carez_desktop.gui.main_window import MainWindow
from carez_desktop.gui.view_page import ViewPage
from carez_desktop.workspace.compare_settings import CompareMode, CompareSettings
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.layouts import LAYOUTS, layout_of
from carez_desktop.workspace.plane_basis import Plane
from carez_desktop.workspace.slab import Slab, SlabMode
from tests.builders.process_memory import memory_of_group

AXES = np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]], dtype=float)
GROWTH = 1.05
PICTURES_MIB = 45.0
LANES = 4
"""Threads of the job pool start when they are first needed; there are never more."""
LONGEST_S = 20.0


def _volume(number: int, shape: tuple[int, int, int], kind: VolumeKind) -> Volume:
    array = np.full(shape, number % 1000, np.int16)
    array[shape[0] // 2 :] += 100
    geometry = VolumeGeometry.from_parts(shape, (2.0, 0.7, 0.9), (0, 0, 0), AXES)
    return Volume(
        f"1.2.{number}", array, geometry, "CT", "HU", kind=kind, frame_of_reference_uid="F"
    )


def _painted(page: ViewPage) -> int:
    """Paint every pane; return how many show something."""
    QApplication.processEvents()
    return sum(widget.picture() is not None for widget in page.grid.widgets)


def _work_with_a_study(page: ViewPage, number: int) -> list[weakref.ref[Volume]]:
    """Open two volumes, use every mode and layout, close; return what must be gone."""
    real = _volume(number, (24, 96, 80), VolumeKind.REAL)
    made = _volume(number + 1, (24, 96, 80), VolumeKind.SYNTHETIC)
    page.show_volumes(made, real)
    assert _painted(page) == 6
    second = page.arrangement.layers[1]
    mode = list(CompareMode)[number % len(CompareMode)]
    assert page.arrangement.compare(0, second, CompareSettings(mode)) == ""
    page.set_layout(LAYOUTS[number % len(LAYOUTS)])
    assert page.arrangement.lay_over(0, second, opacity=0.5, outlined=False) == ""
    viewport = page.arrangement.panes[0].viewport
    assert viewport is not None
    viewport.rotate(np.array([[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]]))
    viewport.set_slab(Slab(SlabMode.MEAN, 5.0))
    assert _painted(page) >= 1
    page.arrangement.layers[0].apply_preset("2")
    page.set_layout(layout_of("2x2"))
    _painted(page)
    page.close_volumes()
    _settle()
    return [weakref.ref(real), weakref.ref(made)]


def _settle() -> None:
    """Let deleted widgets go, as the event loop of the program does and a test's does not."""
    QApplication.processEvents()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    QApplication.processEvents()


def _alive() -> Counter[str]:
    """Objects that a leak would add to: threads, widgets, Qt objects, VTK objects, our own."""
    # The panel and the history of the view (400 ms) follow what was closed a little later.
    QTest.qWait(700)
    _settle()
    gc.collect()
    found: Counter[str] = Counter(threads=threading.active_count())
    found["widgets"] = len(QApplication.allWidgets())
    for widget in QApplication.topLevelWidgets():
        found["Qt objects"] += len(widget.findChildren(QObject))
    for item in gc.get_objects():
        kind = type(item)
        module = str(kind.__module__)
        if module.startswith("vtkmodules"):
            found["VTK objects"] += 1
        elif module.startswith(("carez_desktop.workspace", "carez_desktop.rendering")):
            found[kind.__name__] += 1
    return found


def _grown(before: Counter[str]) -> dict[str, tuple[int, int]]:
    """What there is more of than before, with both counts, once every job has ended.

    On a busy machine a job about the last study (the numbers of a difference) may still hold it.
    """
    allowed = Counter(before) + Counter(threads=LANES)
    deadline = time.monotonic() + LONGEST_S
    while True:
        more = {name: (before[name], n) for name, n in _alive().items() if n > allowed[name]}
        if not more or time.monotonic() > deadline:
            return more


def _gone(ghosts: list[weakref.ref[Volume]]) -> bool:
    """Whether closed volumes are let go; a job about them may still run on a busy machine."""
    deadline = time.monotonic() + LONGEST_S
    while any(ghost() is not None for ghost in ghosts):
        if time.monotonic() > deadline:
            return False
        QTest.qWait(50)
        gc.collect()
    return True


def _cycles(page: ViewPage, count: int, warm_up: int) -> None:
    for number in range(warm_up):
        _work_with_a_study(page, number)
    before, memory = _alive(), memory_of_group(os.getpid())
    for number in range(count):
        ghosts = _work_with_a_study(page, number)
        if number % 10 == 0:
            assert _gone(ghosts)
    assert _grown(before) == {}
    assert memory_of_group(os.getpid()) <= memory * GROWTH + 2.0


@pytest.fixture
def page(window: MainWindow) -> ViewPage:
    window.show_page("view")
    view = window.page("view")
    assert isinstance(view, ViewPage)
    return view


def test_studies_opened_and_closed_leave_nothing(page: ViewPage) -> None:
    _cycles(page, count=12, warm_up=12)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_hundred_studies_opened_and_closed_leave_nothing(page: ViewPage) -> None:
    _cycles(page, count=200, warm_up=30)


def test_series_of_the_library_opened_again_and_again_leave_nothing(filled: MainWindow) -> None:
    """The whole way: the job that reads, the first slice, the volume, another series over it."""
    filled.show_page("view")
    page = filled.page("view")
    assert isinstance(page, ViewPage)
    ids = filled.session.listed

    def work() -> None:
        for volume_id in ids:
            filled.session.volumes_requested.emit(volume_id, "")
            assert wait_until_idle(filled, 30)
            assert _painted(page) >= 1
        page.close_volumes()

    for _ in range(2):
        work()
    before = _alive()
    for _ in range(3):
        work()
    assert _grown(before) == {}


@pytest.mark.parametrize(("dtype", "copies"), [(np.int16, 0), (np.uint16, 1)])
def test_four_panes_of_one_volume_hold_its_voxels_once(
    page: ViewPage, dtype: type, copies: int
) -> None:
    shape = (200, 400, 400)
    array = np.random.default_rng(1).integers(0, 30_000, shape).astype(dtype)
    if dtype is np.uint16:
        array[0, 0, 0] = 60_000
    geometry = VolumeGeometry.from_parts(shape, (2.0, 0.7, 0.9), (0, 0, 0), AXES)
    volume = Volume("1.2.7", array, geometry, "MR", "arbitrary", frame_of_reference_uid="F")
    small = _volume(3, (24, 96, 80), VolumeKind.REAL)
    page.show_volumes(small)
    page.set_layout(layout_of("2x2"))
    _painted(page)
    layer = Layer(volume)
    gc.collect()
    before = memory_of_group(os.getpid())
    for index, plane in enumerate((Plane.AXIAL, Plane.SAGITTAL, Plane.CORONAL, Plane.AXIAL)):
        page.arrangement.show(index, layer, plane)
    for widget in page.grid.widgets:
        assert widget.viewport is not None
        widget.viewport.scroll(1)
    assert _painted(page) == 4
    gc.collect()
    grown = memory_of_group(os.getpid()) - before
    # Values that int16 cannot hold are kept once more, as float32. The pictures take the rest.
    size = array.size * (2 if dtype is np.int16 else 4) / 2**20
    assert grown <= copies * size + PICTURES_MIB
    assert size > PICTURES_MIB
