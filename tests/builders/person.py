"""A person at the workstation: real X events through xdotool, and eyes on what is shown.

Runs in a process of its own under a virtual X server (`tests.gui.test_person_at_work` starts it);
nothing here reaches into a widget but to find where it lies on the screen and to read its words.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

from PySide6.QtCore import QPoint
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication, QPushButton, QWidget

from carez_desktop.gui.application import wait_until_idle
from carez_desktop.gui.main_window import MainWindow

PATIENCE_SECONDS = 60.0


class Person:
    """Hands and eyes."""

    def __init__(self, window: MainWindow) -> None:
        self._window = window
        self._do("windowfocus", str(int(window.winId())))

    # -- hands ---------------------------------------------------------------------------------

    def _do(self, *words: str) -> None:
        subprocess.run(["xdotool", *words], check=True, timeout=20)
        self.wait()

    def wait(self, seconds: float = 0.15) -> None:
        """Let the events arrive, jobs end and panes paint."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            QApplication.processEvents()
            time.sleep(0.005)
        assert wait_until_idle(self._window, PATIENCE_SECONDS)

    def wait_for(self, what: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until something is so."""
        end = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < end, "waited in vain"
            self.wait(0.05)

    def point(self, widget: QWidget, at: QPoint | None = None) -> None:
        """Move the mouse over a place of a widget; its middle without one."""
        place = widget.mapToGlobal(at if at is not None else widget.rect().center())
        ratio = widget.devicePixelRatioF()
        self._do("mousemove", str(round(place.x() * ratio)), str(round(place.y() * ratio)))

    def click(self, widget: QWidget, at: QPoint | None = None, *, held: str = "") -> None:
        """Click with the left button, a key held if named."""
        self.point(widget, at)
        keys = (("keydown", held), ("keyup", held)) if held else ((), ())
        self._do(*keys[0], "click", "1", *keys[1])

    def wheel(self, widget: QWidget, notches: int) -> None:
        """Turn the wheel over a widget; positive is towards the person (next slices)."""
        self.point(widget)
        self._do("click", "--repeat", str(abs(notches)), "5" if notches > 0 else "4")

    def drag(self, widget: QWidget, start: QPoint, stop: QPoint, button: int = 1) -> None:
        """Drag in a widget, in several steps as a hand does."""
        self.point(widget, start)
        self._do("mousedown", str(button))
        for step in range(1, 6):
            self.point(widget, start + (stop - start) * step / 5)
        self._do("mouseup", str(button))

    def press(self, *keys: str) -> None:
        """Press keys by their X names (`ctrl+r`, `q`)."""
        for key in keys:
            self._do("key", key)

    def write(self, field: QWidget, words: str) -> None:
        """Write into a field in place of what it says, and end with Return."""
        self.click(field)
        self._do("key", "ctrl+a")
        self._do("type", words)
        self._do("key", "Return")

    def press_button(self, words: str) -> None:
        """Click the visible button with these words; it is scrolled to as a person would."""
        found = [
            made
            for made in self._window.findChildren(QPushButton)
            if made.text() == words and made.isVisible()
        ]
        assert found, f"no button {words!r} to be seen"
        self._window.page(self._window.current).panel_area.ensureWidgetVisible(found[0])
        self.wait()
        self.click(found[0])

    # -- eyes ----------------------------------------------------------------------------------

    def look(self, widget: QWidget) -> QImage:
        """Return what the screen shows where a widget lies, without the pointer's words."""
        self.wait()
        place = widget.mapTo(self._window, QPoint(0, 0))
        shot = self._window.screen().grabWindow(
            self._window.winId(), place.x(), place.y(), widget.width(), widget.height()
        )
        return shot.toImage().convertToFormat(QImage.Format.Format_RGB32)
