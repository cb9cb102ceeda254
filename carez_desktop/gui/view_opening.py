"""What is read into the View page: whole hangings, single panes, and what is broken off."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Signal

from carez_desktop.errors import CarezError
from carez_desktop.gui.job_bridge import JobCall
from carez_desktop.gui.session import Session
from carez_desktop.gui.view_layout import PaneGrid
from carez_desktop.gui.view_loading import FirstSlice, LoadedLayers, ViewRequest, load_layers
from carez_desktop.jobs.job_runner import Job, JobStatus, time_left_text
from carez_desktop.workspace.arrangement import Arrangement, PaneContent
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.layouts import layout_of
from carez_desktop.workspace.pane import Pane
from carez_desktop.workspace.plane_basis import Plane


class ViewOpening(QObject):
    """Read volumes off the Qt thread and put them into panes.

    Signals:
        began(ViewRequest): What was open is let go; something else is being read.
        first_shown: A first slice is in the pane where it will stay.
        progressed(str): How far a whole hanging has been read.
        loaded(LoadedLayers): All of it is there.
        failed(CarezError): It cannot be opened.
        pane_failed(CarezError): A series cannot be opened in its pane; what was open stays.

    Attributes:
        request: What was asked for last.
    """

    began = Signal(object)
    first_shown = Signal()
    progressed = Signal(str)
    loaded = Signal(object)
    failed = Signal(object)
    pane_failed = Signal(object)

    def __init__(self, session: Session, grid: PaneGrid, parent: QObject) -> None:
        """Read into the panes of a grid."""
        super().__init__(parent)
        self.request = ViewRequest("")
        self._session = session
        self._grid = grid
        self._loading: Job | None = None
        self._is_broken_off = False

    @property
    def _arrangement(self) -> Arrangement:
        return self._grid.arrangement

    # -- everything anew -----------------------------------------------------------------------

    def open(self, request: ViewRequest) -> None:
        """Let go of what is open and read something else; a first slice is shown early."""
        context = self._session.context
        self.request, self._is_broken_off = request, False
        self._arrangement.close_all()
        self.began.emit(request)
        self._loading = self._session.bridge.submit(
            "Load volume",
            lambda call: load_layers(context, request, call),
            key="view.load",
            on_partial=self.show_first,
            on_result=self._have_loaded,
            on_error=self._have_failed,
            on_status=self._show_progress,
        )

    def stop(self) -> None:
        """Break off what is being read; `resume` reads it again."""
        job, self._loading = self._loading, None
        self._is_broken_off = job is not None and not job.status.is_over
        if job is not None and self._is_broken_off:
            job.cancel()

    def resume(self) -> None:
        """Read again what was broken off."""
        if self._is_broken_off:
            self.open(self.request)

    def forget(self) -> None:
        """Break off for good."""
        self.stop()
        self._is_broken_off = False

    def show_first(self, first: FirstSlice) -> None:
        """Show a first slice in the pane where it will stay."""
        contents = [None] * first.place + [PaneContent(first.layer)]
        self._arrangement.hang(layout_of(first.layout), contents)
        self._grid.say("Reading…")
        self.first_shown.emit()

    def _have_loaded(self, loaded: LoadedLayers) -> None:
        self._loading = None
        self.loaded.emit(loaded)

    def _have_failed(self, error: CarezError) -> None:
        self._loading = None
        self._arrangement.close_all()
        self.failed.emit(error)

    def _show_progress(self, status: JobStatus) -> None:
        if status.is_over:
            return
        text = reading_text(status)
        self.progressed.emit(text)
        for widget in self._grid.widgets:
            if widget.layer is not None and widget.layer.is_preview:
                widget.show_progress(text)

    # -- one pane ------------------------------------------------------------------------------

    def open_in_pane(self, grid: PaneGrid, index: int, volume_id: str) -> None:
        """Read a volume into one pane of a window; what is open stays, links too."""
        arrangement = grid.arrangement
        if not arrangement.layers:
            self.open(ViewRequest(volume_id))
            return
        pane = arrangement.panes[index]
        known = self._known(volume_id)
        if known is not None:
            self._show_in(grid, pane, known)
            return

        def failed(error: CarezError) -> None:
            self._tell(grid, pane, f"Not opened: {error}")
            self.pane_failed.emit(error)

        self._tell(grid, pane, "Reading…")
        self.read(
            volume_id,
            lambda layer: self._show_in(grid, pane, layer),
            failed=failed,
            progress=lambda text: self._tell(grid, pane, text),
            key=("view.pane", id(pane)),
        )

    def read(
        self,
        volume_id: str,
        then: Callable[[Layer], None],
        *,
        failed: Callable[[CarezError], None],
        progress: Callable[[str], None],
        key: object,
        visible: bool = True,
    ) -> Job:
        """Read one volume as a layer and hand it over on the Qt thread.

        Args:
            volume_id: What to read.
            then: Takes the layer.
            failed: Takes the error.
            progress: Takes words.
            key: A later read of the same key takes the place of this one.
            visible: Whether the status bar tells of it.
        """
        context, request = self._session.context, ViewRequest(volume_id)

        def work(call: JobCall) -> LoadedLayers:
            return load_layers(context, request, call, with_source=False)

        def tell(status: JobStatus) -> None:
            if not status.is_over:
                progress(reading_text(status))

        return self._session.bridge.submit(
            "Load volume",
            work,
            key=key,
            visible=visible,
            on_result=lambda found: then(found.left),
            on_error=failed,
            on_status=tell,
        )

    def _known(self, volume_id: str) -> Layer | None:
        for layer in self._arrangement.layers:
            if layer.volume.volume_id == volume_id and not layer.is_preview:
                return layer
        return None

    def _show_in(self, grid: PaneGrid, pane: Pane, layer: Layer) -> None:
        self._tell(grid, pane, "")
        panes = grid.arrangement.panes
        if pane not in panes:
            return
        index = panes.index(pane)
        plane = pane.viewport.plane if pane.viewport is not None else _missing(panes, layer)
        grid.arrangement.show(index, layer, plane)
        grid.arrangement.activate(index)
        grid.arrangement.close_unseen()

    def _tell(self, grid: PaneGrid, pane: Pane, text: str) -> None:
        for widget in grid.widgets:
            if widget.pane is pane:
                widget.show_progress(text if pane.base is not None else "")
                widget.say(text)


def _missing(panes: tuple[Pane, ...], layer: Layer) -> Plane | None:
    """Return the first plane of a layer that no pane shows; None for its acquired one."""
    shown = {
        pane.viewport.plane
        for pane in panes
        if pane.viewport is not None and pane.base is not None and pane.base.layer is layer
    }
    return next((plane for plane in Plane if plane not in shown), None) if shown else None


def reading_text(status: JobStatus) -> str:
    """Say how far something has been read."""
    parts = (f"{status.fraction * 100:.0f} %", time_left_text(status.seconds_left))
    return ", ".join(part for part in ("Reading", *parts) if part)
