"""The View page: the panes of one arrangement, its panel, and what is read into it."""

from __future__ import annotations

from functools import partial

from PySide6.QtWidgets import QPushButton, QStackedWidget

from carez_desktop.domain.volume import Volume
from carez_desktop.errors import CarezError
from carez_desktop.gui.job_bridge import JobCall
from carez_desktop.gui.layout_menu import LayoutButton
from carez_desktop.gui.page_parts import EmptyState, Page
from carez_desktop.gui.plane_note import PlaneNote
from carez_desktop.gui.session import Session
from carez_desktop.gui.view_actions import ViewActions
from carez_desktop.gui.view_layout import PaneGrid
from carez_desktop.gui.view_loading import FirstSlice, LoadedLayers, ViewRequest, load_layers
from carez_desktop.gui.view_panel import ViewPanel
from carez_desktop.jobs.job_runner import Job, JobStatus, time_left_text
from carez_desktop.workspace.arrangement import Arrangement, PaneContent, same_source
from carez_desktop.workspace.first_hanging import first_hanging, real_first
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.layouts import LAYOUTS, Layout, layout_of
from carez_desktop.workspace.plane_basis import Plane, acquired_plane

_EMPTY_PANE = "Drop a series here"


class ViewPage(Page):
    """Show volumes.

    Attributes:
        arrangement: What is open and where; one for the life of the page.
        grid: Its panes.
        side: The panel on the right.
    """

    def __init__(self, session: Session) -> None:
        """Build the page, empty."""
        super().__init__(session.theme, "View")
        self._session = session
        self._request = ViewRequest("")
        self._loading: Job | None = None
        self._is_broken_off = False
        self.arrangement = Arrangement()
        self.grid = PaneGrid(session.theme, self.arrangement)
        self.grid.resample_requested.connect(self.resample)
        self.grid.series_dropped.connect(self.open_in_pane)
        self.grid.tab_pressed.connect(self.fold_panel)
        self.side = ViewPanel(session)
        self.side.crosshair_toggled.connect(self.grid.set_crosshair)
        self.side.overlays_toggled.connect(self.grid.set_overlays)
        self.side.show_arrangement(self.arrangement)
        self.side.follow(self.arrangement.active_pane)
        self.grid.active_changed.connect(self.side.follow)
        self.panel.addWidget(self.side)
        self._stack = QStackedWidget()
        empty = EmptyState(
            session.theme, "ph.cube", "Nothing is open. Choose a series in the library to see it."
        )
        empty.add_button("Go to the library", self._to_library, primary=True)
        self.notice = PlaneNote(session.theme, action=("Go to the library", self._to_library))
        for widget in (empty, self.grid, self.notice):
            self._stack.addWidget(widget)
        self.body.addWidget(self._stack)
        self._plane_buttons = self._add_plane_buttons()
        self._layout_button = LayoutButton(session.theme)
        self._layout_button.chosen.connect(self.set_layout)
        self.bar.addWidget(self._layout_button)
        self.actions_of_keys = ViewActions(self.grid, self)
        self._register_commands()
        self.arrangement.changed.connect(self._follow)
        self.arrangement.active_changed.connect(self._follow)
        self._follow()

    # -- opening -------------------------------------------------------------------------------

    def open_ids(self, first: str, second: str = "") -> None:
        """Load one volume or two off the Qt thread; the first slice is shown as soon as it is read.

        A case of a bundle opens beside its source where this site has it.
        """
        self._open(ViewRequest(first, second))

    def open_in_pane(self, index: int, volume_id: str) -> None:
        """Load a volume into one pane; what is open stays."""
        if not self.arrangement.layers:
            self._open(ViewRequest(volume_id))
            return
        context, request = self._session.context, ViewRequest(volume_id)
        pane = self.arrangement.panes[index]

        def shown() -> int:
            panes = self.arrangement.panes
            return panes.index(pane) if pane in panes else -1

        def tell(text: str) -> None:
            if shown() >= 0:
                self.grid.widgets[shown()].show_progress(text)
                self.grid.widgets[shown()].say(text)

        def loaded(found: LoadedLayers) -> None:
            tell("")
            if shown() >= 0:
                plane = pane.viewport.plane if pane.viewport is not None else None
                self._show_in_pane(shown(), found.left, plane)

        def failed(error: CarezError) -> None:
            tell(str(error))
            self.message.show_error(error)

        tell("Reading…")
        self._session.bridge.submit(
            "Load volume",
            lambda call: load_layers(context, request, call, with_source=False),
            key=("view.load", id(pane)),
            on_result=loaded,
            on_error=failed,
            on_status=lambda status: None if status.is_over else tell(_reading_text(status)),
        )

    def _show_in_pane(self, index: int, layer: Layer, plane: Plane | None) -> None:
        """Show a layer in a pane; one that no pane shows any longer is let go."""
        known = next(
            (
                item
                for item in self.arrangement.layers
                if item.volume.volume_id == layer.volume.volume_id and not item.is_preview
            ),
            layer,
        )
        self.arrangement.show(index, known, None if known.plane_refusal else plane)
        self.arrangement.activate(index)
        self._close_unseen()

    def _close_unseen(self) -> None:
        seen = {id(layer) for pane in self.arrangement.all_panes for layer in pane.layers}
        for layer in self.arrangement.layers:
            if id(layer) not in seen:
                self.arrangement.close(layer)

    def resample(self) -> None:
        """Put the slices that are open on a regular grid."""
        if self._request.first:
            self._open(ViewRequest(self._request.first, resampled=True))

    def _open(self, request: ViewRequest) -> None:
        context = self._session.context
        self._request, self._is_broken_off = request, False
        self.message.hide()
        self.actions_of_keys.stop()
        self.arrangement.close_all()
        self.title.setText("Reading…")
        self._say("Resampling…" if request.resampled else "Reading…", with_button=False)

        def work(call: JobCall) -> LoadedLayers:
            return load_layers(context, request, call)

        self._loading = self._session.bridge.submit(
            "Load volume",
            work,
            key="view.load",
            on_partial=self._show_first,
            on_result=self._loaded,
            on_error=self._failed,
            on_status=self._show_progress,
        )

    def _say(self, text: str, *, with_button: bool) -> None:
        self.notice.say(text)
        if self.notice.action is not None:
            self.notice.action.setVisible(with_button)
        self._stack.setCurrentWidget(self.notice)

    def _show_first(self, first: FirstSlice) -> None:
        """Show the first slice, in the pane where it will stay."""
        place = 0
        if not first.is_flat:
            place = list(Plane).index(acquired_plane(first.layer.volume.geometry))
        contents = [None] * place + [PaneContent(first.layer)]
        self.arrangement.hang(layout_of("1x1" if first.is_flat else "1+2"), contents)
        self.grid.say("Reading…")
        self._stack.setCurrentWidget(self.grid)
        # The panel keeps its place, so that the picture does not move when the rest is there.
        self.side.hide()
        self.use_panel()

    def _show_progress(self, status: JobStatus) -> None:
        if status.is_over:
            return
        text = _reading_text(status)
        if self._stack.currentWidget() is self.notice:
            self.notice.say(text)
        for widget in self.grid.widgets:
            if widget.layer is not None and widget.layer.is_preview:
                widget.show_progress(text)

    def _loaded(self, loaded: LoadedLayers) -> None:
        self._loading = None
        self.show_layers(loaded.left, loaded.right, same_space=loaded.same_space)

    def _failed(self, error: CarezError) -> None:
        self._loading = None
        self.message.show_error(error)
        self.arrangement.close_all()
        self.panel_area.hide()
        self.title.setText("View")
        self._say(str(error), with_button=True)

    def show_volumes(
        self,
        left: Volume,
        right: Volume | None = None,
        *,
        same_space: bool = False,
        stand_in: bool = False,
    ) -> None:
        """Show one volume in three planes, or a real one beside a synthetic one.

        Args:
            left: The volume, or one of two.
            right: The other one.
            same_space: One was made from the other, so that their positions are the same.
            stand_in: Volumes that count as real are simulated.
        """
        other = Layer(right, stand_in=stand_in) if right is not None else None
        self.show_layers(Layer(left, stand_in=stand_in), other, same_space=same_space)

    def show_layers(
        self, left: Layer, right: Layer | None = None, *, same_space: bool = False
    ) -> None:
        """Show one layer in the planes that it has, or a real one beside a synthetic one.

        Args:
            left: The layer, or one of two.
            right: The other one.
            same_space: One was made from the other, so that their positions are the same.
        """
        self.actions_of_keys.stop()
        self.arrangement.close_all()
        layers = [left] if right is None else list(real_first(left, right))
        for layer in layers:
            self.arrangement.open(layer)
        if right is not None:
            if same_space:
                self.arrangement.align(same_source(*layers))
            if layers[0].volume.units == layers[1].volume.units:
                layers[1].window, layers[1].inverted = layers[0].window, layers[0].inverted
        layout, contents = first_hanging(layers)
        self.arrangement.hang(layout, contents)
        self.grid.say(_EMPTY_PANE)
        self.side.show()
        self._stack.setCurrentWidget(self.grid)
        self.use_panel()
        self.grid.active_widget().setFocus()

    def close_volumes(self) -> None:
        """Let go of everything that is open."""
        self._stop_loading()
        self.actions_of_keys.stop()
        self.arrangement.close_all()
        self._stack.setCurrentIndex(0)
        self.panel_area.hide()
        self.title.setText("View")

    def entered(self) -> None:
        """Read again what was broken off when the person left."""
        if self._is_broken_off:
            self._open(self._request)

    def leaving(self) -> None:
        """Stop the cine and what is still being read when another page comes."""
        self.actions_of_keys.stop()
        self._is_broken_off = self._stop_loading()

    def _stop_loading(self) -> bool:
        job, self._loading = self._loading, None
        if job is None or job.status.is_over:
            return False
        job.cancel()
        return True

    def _to_library(self) -> None:
        self._session.page_requested.emit("library")

    # -- layout --------------------------------------------------------------------------------

    def set_layout(self, layout: Layout) -> None:
        """Cut the page anew; empty panes take planes that no pane shows."""
        self.arrangement.set_layout(layout)
        self.arrangement.fill_empty()
        self.grid.say(_EMPTY_PANE)

    def show_plane(self, plane: Plane) -> None:
        """Show a plane in the active pane, or say there why there is none."""
        refusal = self.arrangement.show_plane(self.arrangement.active, plane)
        if refusal:
            self.grid.active_widget().show_progress(f"No {plane.value} plane: {refusal}")

    def _add_plane_buttons(self) -> dict[Plane, QPushButton]:
        made: dict[Plane, QPushButton] = {}
        for plane in Plane:
            choice = QPushButton(plane.value.capitalize())
            choice.setCheckable(True)
            choice.clicked.connect(partial(self._choose_plane, plane))
            self.bar.addWidget(choice)
            made[plane] = choice
        return made

    def _choose_plane(self, plane: Plane, _: bool = False) -> None:
        self.show_plane(plane)
        self._follow()
        self.grid.active_widget().setFocus()

    def _follow(self) -> None:
        """Show what the active pane shows in the title line."""
        pane = self.arrangement.active_pane
        layer = pane.base.layer if pane.base is not None else None
        refusal = layer.plane_refusal if layer is not None else "The pane shows nothing"
        for plane, choice in self._plane_buttons.items():
            shown = pane.viewport is not None and pane.viewport.plane is plane
            choice.setChecked(shown and not refusal)
            choice.setEnabled(not refusal)
            tip = f"Show the {plane.value} plane in the active pane"
            choice.setToolTip(f"No planes: {refusal}" if refusal else tip)
        self._layout_button.show_layout(self.arrangement.layout)
        if self.arrangement.layers:
            self.title.setText(_title(self.arrangement.layers))
        self._session.commands.refresh()

    # -- commands ------------------------------------------------------------------------------

    def _register_commands(self) -> None:
        commands = self._session.commands
        commands.register_all(
            {
                **self.actions_of_keys.table(),
                "series_next": partial(self._step_series, 1),
                "series_previous": partial(self._step_series, -1),
                "overlays": self.side.toggle_overlays,
                "fold_panel": self.fold_panel,
                **{f"plane_{plane.value}": partial(self.show_plane, plane) for plane in Plane},
                **{
                    f"layout_{number}": partial(self.set_layout, layout)
                    for number, layout in enumerate(LAYOUTS, start=1)
                },
            }
        )
        commands.set_condition("volume", self._without_volume)
        commands.set_condition("planes", self._without_planes)
        commands.set_condition("frames", self._without_frames)
        commands.set_condition("panes", self._without_panes)
        commands.set_condition("series", self._without_series)

    def _without_volume(self) -> str:
        return "" if self.arrangement.layers else "Open a volume first"

    def _without_planes(self) -> str:
        base = self.arrangement.active_pane.base
        return base.layer.plane_refusal if base is not None else "The pane shows nothing"

    def _without_frames(self) -> str:
        viewport = self.arrangement.active_pane.viewport
        return "" if viewport is not None and viewport.slice_count > 1 else "There is one slice"

    def _without_panes(self) -> str:
        return "" if len(self.arrangement.panes) > 1 else "There is only one pane"

    def _without_series(self) -> str:
        return "" if self._request.first in self._session.listed else "The library lists no other"

    def _step_series(self, step: int) -> None:
        order = self._session.listed
        current = self._request.first
        if current in order:
            place = order.index(current) + step
            if 0 <= place < len(order):
                self.open_ids(order[place])


def _reading_text(status: JobStatus) -> str:
    parts = (f"{status.fraction * 100:.0f} %", time_left_text(status.seconds_left))
    return ", ".join(part for part in ("Reading", *parts) if part)


def _title(layers: tuple[Layer, ...]) -> str:
    """Name what is open."""
    patient = layers[0].volume.attributes.get("patient_name", "")
    names = "  |  ".join(dict.fromkeys(layer.title for layer in layers))
    return f"{patient} · {names}" if patient else names
