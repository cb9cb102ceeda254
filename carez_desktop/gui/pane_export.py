"""Save the active pane as a picture, or its slices or frames as a film.

Pixels are those on the screen, painted once more without the patient's identity; marks of synthetic
volumes are burnt in by the workflow.
"""

from __future__ import annotations

import queue
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QObject, QTimer
from PySide6.QtGui import QImage

from carez_desktop.errors import NotFoundError
from carez_desktop.gui.job_bridge import JobCall
from carez_desktop.gui.session import Session
from carez_desktop.gui.slice_pane import SlicePane
from carez_desktop.workspace.picture_facts import picture_facts

if TYPE_CHECKING:
    from carez_desktop.gui.view_page import ViewPage

_AHEAD = 8
_WAIT_SECONDS = 0.2


def pane_pixels(pane: SlicePane) -> npt.NDArray[np.uint8]:
    """Paint a pane without identity; (rows, columns, 3) uint8 of its device pixels."""
    kept = pane.options
    pane.options = replace(kept, hides_identity=True)
    try:
        ratio = pane.devicePixelRatioF()
        size = pane.size() * ratio
        image = QImage(size, QImage.Format.Format_RGB888)
        image.setDevicePixelRatio(ratio)
        pane.render(image)
    finally:
        pane.options = kept
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), -1)
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()


class PaneExport(QObject):
    """Save what the active pane of the View page shows, in the home's folder of pictures."""

    def __init__(self, page: ViewPage, session: Session) -> None:
        """Register both commands."""
        super().__init__(page)
        self._page = page
        self._session = session
        session.commands.register("export_picture", self.save_picture)
        session.commands.register("export_cine", self.save_film)

    def save_picture(self) -> None:
        """Write a PNG."""
        widget = self._page.current.active_widget()
        if widget.pane is None or widget.pane.base is None:
            return
        context, pixels = self._session.context, pane_pixels(widget)
        facts = picture_facts(widget.pane)

        def work(_: JobCall) -> Any:
            from carez_desktop.workflows.export_picture import export_picture

            return export_picture(context, pixels=pixels, facts=facts)

        self._submit("Save a picture", work)

    def save_film(self) -> None:
        """Write a GIF of every slice or frame, while the pane goes through them."""
        widget = self._page.current.active_widget()
        viewport = widget.viewport
        if widget.pane is None or viewport is None:
            return
        film = _Film(widget, self)
        context, facts = self._session.context, picture_facts(widget.pane)
        milliseconds = 1000.0 / max(self._page.actions_of_keys.rate, 0.1)
        self._page.actions_of_keys.stop()

        def work(call: JobCall) -> Any:
            from carez_desktop.workflows.export_cine import export_cine

            try:
                return export_cine(
                    context,
                    frames=film.frames(call),
                    count=film.count,
                    frame_ms=milliseconds,
                    facts=facts,
                    progress=call.progress,
                    cancel=call.cancel,
                )
            finally:
                film.is_over = True

        film.start()
        self._submit("Save a film", work)

    def _submit(self, title: str, work: Any) -> None:
        message = self._page.message
        self._session.bridge.submit(title, work, on_result=self._tell, on_error=message.show_error)

    def _tell(self, exported: Any) -> None:
        findings = "".join(f". {finding.text}" for finding in exported.findings)
        self._page.message.show_notice(f"Saved as {exported.path}{findings}")


class _Film(QObject):
    """Paint frames in the Qt thread, no faster than another thread writes them.

    Attributes:
        count: How many there are.
        is_over: Nobody wants further frames.
    """

    def __init__(self, widget: SlicePane, parent: QObject) -> None:
        super().__init__(parent)
        self._widget = widget
        self._viewport = widget.viewport
        self._place = self._viewport.cursor_lps.copy() if self._viewport is not None else None
        self._number = 0
        self._painted: queue.Queue[npt.NDArray[np.uint8]] = queue.Queue()
        self.count = self._viewport.slice_count if self._viewport is not None else 0
        self.is_over = False
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._paint)

    def start(self) -> None:
        """Begin with the first slice."""
        self._timer.start(1)

    def frames(self, call: JobCall) -> Iterator[npt.NDArray[np.uint8]]:
        """Yield the frames in their order; called in another thread."""
        for _ in range(self.count):
            while True:
                call.cancel.raise_if_cancelled()
                if self.is_over:
                    raise NotFoundError(
                        "The pane shows something else now",
                        subject="film",
                        hint="Save the film again and leave the pane as it is",
                    )
                try:
                    frame = self._painted.get(timeout=_WAIT_SECONDS)
                except queue.Empty:
                    continue
                break
            yield frame

    def _paint(self) -> None:
        viewport = self._viewport
        is_shown = viewport is not None and self._widget.viewport is viewport
        if viewport is None or self.is_over or not is_shown:
            self.is_over = True
            self._end()
        elif self._number < self.count and self._painted.qsize() < _AHEAD:
            viewport.go_to_slice(self._number)
            self._painted.put(pane_pixels(self._widget))
            self._number += 1

    def _end(self) -> None:
        self._timer.stop()
        if self._viewport is not None and self._place is not None:
            self._viewport.cursor_lps = self._place
        self.deleteLater()
