"""A workstation on a fresh home, offscreen, that leaves no thread and no window behind."""

from __future__ import annotations

import faulthandler
import os

os.environ["QT_QPA_PLATFORM"] = "offscreen"

import gc
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QApplication

from carez_desktop.gui.application import build_window, qt_application, wait_until_idle
from carez_desktop.gui.main_window import MainWindow
from carez_desktop.gui.view_page import ViewPage
from carez_desktop.gui.view_panel import ViewPanel
from carez_desktop.workflows.context import open_context
from carez_desktop.workspace.layer import Layer
from tests.builders.chest_series import chest_cohort, write_chest
from tests.builders.panel_volumes import PANEL_SHIFT, panel_volume

faulthandler.enable()


@pytest.fixture(scope="session")
def qapp() -> QApplication:
    """The one application of the process, as the workstation makes it."""
    return qt_application()


@pytest.fixture
def make_window(qapp: QApplication) -> Iterator[Callable[[Path], MainWindow]]:
    """Build windows on a home folder; closed afterwards, with their threads gone."""
    made: list[MainWindow] = []

    def make(home: Path) -> MainWindow:
        window = build_window(open_context(home))
        window.resize(1280, 800)
        window.show()
        made.append(window)
        return window

    before = {thread.name for thread in threading.enumerate()}
    yield make
    for window in made:
        window.close()
        window.deleteLater()
    made.clear()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    qapp.processEvents()
    gc.collect()
    end = time.monotonic() + 5
    while _ours(before) and time.monotonic() < end:
        time.sleep(0.01)
    assert _ours(before) == set()


def _ours(before: set[str]) -> set[str]:
    names = {thread.name for thread in threading.enumerate()} - before
    return {name for name in names if name.startswith("carez-")}


@pytest.fixture
def window(make_window: Callable[[Path], MainWindow], tmp_path: Path) -> MainWindow:
    """A window on an empty home."""
    return make_window(tmp_path / "home")


@pytest.fixture(scope="session")
def chest_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three small simulated chest CT series."""
    folder = tmp_path_factory.mktemp("chest")
    for patient, _ in chest_cohort()[:3]:
        write_chest(folder, patient)
    return folder


@pytest.fixture
def filled(window: MainWindow, chest_folder: Path) -> MainWindow:
    """A window whose library holds the three series."""
    window.show_page("library")
    window.page("library").import_paths((chest_folder,), stand_in=True)
    assert wait_until_idle(window, 30)
    return window


@pytest.fixture
def page(window: MainWindow) -> ViewPage:
    window.show_page("view")
    view = window.page("view")
    assert isinstance(view, ViewPage)
    view.show_volumes(panel_volume())
    QApplication.processEvents()
    return view


@pytest.fixture
def side(page: ViewPage) -> ViewPanel:
    for section in page.side.sections:
        section.set_folded(False)
    return page.side


@pytest.fixture
def second(page: ViewPage) -> Layer:
    """A second volume of the same frame, 7 HU below the first, on another grid."""
    made = panel_volume("turned", "2")
    layer = Layer(made.with_array(made.array - np.float32(PANEL_SHIFT)))
    page.arrangement.open(layer)
    return layer
