"""The shell: what it loads, pages, keys, what it remembers, the screenshot."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QImage
from pytestqt.qtbot import QtBot

from carez_desktop.errors import InputError, NotFoundError, StorageError
from carez_desktop.gui.application import run_workstation, wait_until_idle
from carez_desktop.gui.main_window import MainWindow
from carez_desktop.gui.theme import contrast, load_theme
from carez_desktop.workflows.context import open_context
from carez_desktop.workflows.describe_workstation import describe_workstation

PAGES = ("library", "view", "coverage", "generate", "evaluate", "bundles")
_START = """
import os, sys
os.environ["QT_QPA_PLATFORM"] = "offscreen"
from pathlib import Path
from carez_desktop.gui import application
window = application.build_window(application.open_context(Path(sys.argv[1])))
window.show()
window.show_page("library")
application.wait_until_idle(window, 20)
heavy = {"torch", "onnxruntime", "scipy", "SimpleITK", "vtkmodules", "matplotlib", "sklearn",
         "h5py", "pydicom", "monai", "faiss"}
print(sorted(heavy & set(sys.modules)))
window.close()
"""


def test_the_shell_loads_no_heavy_library(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", _START, str(tmp_path / "home")],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert ran.stdout.strip() == "[]"


def test_every_page_opens_empty_with_a_sentence(window: MainWindow) -> None:
    for name in PAGES:
        window.show_page(name)
        assert wait_until_idle(window, 20)
        assert window.current == name
        assert not window.page(name).message.isVisible(), window.page(name).message.text


def test_status_bar_tells_device_network_and_job(window: MainWindow) -> None:
    facts = window.session.facts
    assert "CPU" in facts.device
    assert facts.network.startswith("network: ")
    assert window.indicator.text == "job: none"


def test_shortcuts_change_pages_and_show_the_keys(window: MainWindow, qtbot: QtBot) -> None:
    window.show_page("library")
    window.activateWindow()
    qtbot.wait(20)
    qtbot.keyClick(window, Qt.Key.Key_2, Qt.KeyboardModifier.ControlModifier)
    assert window.current == "view"
    qtbot.keyClick(window, Qt.Key.Key_Question, Qt.KeyboardModifier.ShiftModifier)
    assert window.overlays.keys.isVisible()
    qtbot.keyClick(window.overlays.keys, Qt.Key.Key_Escape)
    assert not window.overlays.keys.isVisible()


def test_page_and_size_come_back(make_window: Callable[[Path], MainWindow], tmp_path: Path) -> None:
    first = make_window(tmp_path / "home")
    first.resize(1111, 777)
    first.show_page("coverage")
    first.close()
    second = make_window(tmp_path / "home")
    assert second.restore() == "coverage"
    # The offscreen screen is smaller than the window, so only its height comes back.
    assert second.height() == pytest.approx(777, abs=10)


def test_an_error_is_shown_with_place_and_remedy(window: MainWindow) -> None:
    window.show_page("library")
    page = window.page("library")
    page.message.show_error(InputError("No series", subject="folder", hint="Choose another"))
    assert page.message.isVisible()
    assert page.message.text == "No series (folder). Choose another"


def test_text_of_the_theme_is_legible(tmp_path: Path) -> None:
    # WCAG 2.2, 1.4.3: at least 4.5:1.
    theme = load_theme(describe_workstation(open_context(tmp_path / "home")).theme)
    for ink in ("text", "muted", "good", "caution", "bad", "accent", "synthetic", "real"):
        for ground in ("ground", "panel", "raised"):
            assert contrast(theme.colour(ink), theme.colour(ground)) >= 4.5, (ink, ground)
    assert contrast(theme.colour("synthetic_text"), theme.colour("synthetic")) >= 4.5
    assert contrast(theme.colour("accent_text"), theme.colour("accent")) >= 4.5
    assert contrast(QColor("#000000"), QColor("#ffffff")) == pytest.approx(21.0)


def test_no_colour_is_named_outside_the_theme() -> None:
    import re

    folder = Path(sys.modules["carez_desktop.gui.application"].__file__ or "").parent
    named = re.compile(r"#[0-9A-Fa-f]{6}\b|Qt\.GlobalColor")
    found = [path.name for path in folder.glob("*.py") if named.search(path.read_text())]
    assert found == []


def test_run_workstation_leaves_a_screenshot(
    qapp: object, tmp_path: Path, chest_folder: Path
) -> None:
    picture = tmp_path / "shots" / "window.png"
    assert run_workstation(tmp_path / "home", [chest_folder], screenshot=picture) == 0
    image = QImage(str(picture))
    assert (image.width(), image.height()) == (1920, 1080)


def test_a_missing_path_and_a_bad_target_are_refused_in_words(qapp: object, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no such file"):
        run_workstation(tmp_path / "home", [tmp_path / "nothing.h5"])
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(StorageError, match="screenshot"):
        run_workstation(tmp_path / "home", [], screenshot=blocked / "window.png")
