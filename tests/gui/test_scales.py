"""At 150 and 200 % of a small screen nothing of the shell is cut off, and icons stay sharp."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_SCRIPT = """
import sys
from pathlib import Path
from PySide6.QtWidgets import QApplication, QComboBox, QLabel, QPushButton, QToolButton
from carez_desktop.gui import application
window = application.build_window(application.open_context(Path(sys.argv[1])))
window.resize(1280, 800)
window.show()
app = QApplication.instance()
wrong = []

def look(where, root):
    application.wait_until_idle(window, 10)
    app.processEvents()
    for kind in (QPushButton, QToolButton, QComboBox):
        for widget in root.findChildren(kind):
            room = window.rect()
            if not widget.isVisible() or widget.visibleRegion().isEmpty():
                continue
            place = widget.mapTo(window, widget.rect().topLeft())
            if place.x() + widget.width() > room.width():
                wrong.append((where, widget.accessibleName() or widget.objectName()))

for name in ("library", "view", "settings"):
    window.show_page(name)
    look(name, window.page(name))
window.overlays.toggle_keys()
app.processEvents()
if not window.rect().contains(window.overlays.keys.geometry()):
    wrong.append("keys")
window.overlays.toggle_palette()
app.processEvents()
if not window.rect().contains(window.overlays.palette.geometry()):
    wrong.append("palette")
picture = window.grab()
print(wrong, picture.devicePixelRatio(), picture.width(), picture.height())
window.close()
"""


@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0])
def test_the_shell_fits_at_every_scale(tmp_path: Path, scale: float) -> None:
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "QT_SCALE_FACTOR": f"{scale}"}
    ran = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(tmp_path / "home")],
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
        env=environment,
    )
    assert ran.returncode == 0, ran.stderr
    width, height = round(1280 * scale), round(800 * scale)
    assert ran.stdout.strip().splitlines()[-1] == f"[] {scale} {width} {height}"
