"""The View page: the panes of one arrangement, the panel beside them, and what is open."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial

from PySide6.QtWidgets import QHBoxLayout, QPushButton, QStackedWidget

from carez_desktop.domain.volume import Volume
from carez_desktop.errors import CarezError, DeviceError
from carez_desktop.gui.hanging_edit import HangingEdit
from carez_desktop.gui.layout_menu import LayoutButton
from carez_desktop.gui.page_parts import EmptyState, Page
from carez_desktop.gui.pane_export import PaneExport
from carez_desktop.gui.plane_note import PlaneNote
from carez_desktop.gui.play_bar import PlayBar
from carez_desktop.gui.series_strip import SeriesStrip
from carez_desktop.gui.session import Session
from carez_desktop.gui.view_actions import ViewActions
from carez_desktop.gui.view_commands import register_view_commands
from carez_desktop.gui.view_hanging import known_alignments
from carez_desktop.gui.view_layout import PaneGrid
from carez_desktop.gui.view_loading import LoadedLayers, ViewRequest
from carez_desktop.gui.view_opening import ViewOpening
from carez_desktop.gui.view_panel import ViewPanel
from carez_desktop.gui.view_times import ViewTimes
from carez_desktop.gui.view_undo import ViewUndo
from carez_desktop.gui.view_window import ViewWindow
from carez_desktop.workspace.arrangement import Arrangement
from carez_desktop.workspace.first_hanging import first_hanging, real_first
from carez_desktop.workspace.hanging import hang
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.layouts import Layout, layout_of
from carez_desktop.workspace.open_layers import same_source
from carez_desktop.workspace.plane_basis import Plane
from carez_desktop.workspace.view_memory import (
    apply_remembered_preset,
    load_view_memory,
    remember,
    restore,
    save_view_memory,
)

_EMPTY_PANE = "Drop a series here"
_log = logging.getLogger(__name__)


class ViewPage(Page):
    """Show volumes.

    Attributes:
        arrangement: What is open and where; one for the life of the page.
        grid: Its panes.
        side: The panel on the right.
        opening: What is being read.
        times: Points in time of the set that is open.
        undo: Gathers what Ctrl+Z takes back in this window.
        current: The panes that keys act on: those of the page, or of the second window.
        second: The window on a second screen; None while there is none.
    """

    def __init__(self, session: Session) -> None:
        """Build the page, empty."""
        super().__init__(session.theme, "View")
        self._session = session
        kept = known_alignments(session.context)
        self.arrangement = Arrangement(alignments=kept.alignments)
        self.second: ViewWindow | None = None
        self._wants_strip = True
        self._memory, finding = load_view_memory(session.context.home)
        self._chosen_layout = ""
        restore(self.arrangement, self._memory)
        self.grid = PaneGrid(session.theme, self.arrangement)
        self.current = self.grid
        self.opening = ViewOpening(session, self.grid, self)
        self.times = ViewTimes(self.opening, self.arrangement, self)
        self.actions_of_keys = ViewActions(lambda: self.current, self)
        self.side = ViewPanel(session)
        self.panel.addWidget(self.side)
        self._stack = QStackedWidget()
        empty = EmptyState(
            session.theme, "ph.cube", "Nothing is open. Choose a series in the library to see it."
        )
        empty.add_button("Go to the library", self._to_library, primary=True)
        self.notice = PlaneNote(session.theme, action=("Go to the library", self._to_library))
        for widget in (empty, self.grid, self.notice):
            self._stack.addWidget(widget)
        self.strip = SeriesStrip(session)
        self.strip.hide()
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.strip)
        row.addWidget(self._stack, 1)
        self.body.addLayout(row, 1)
        self.play_bar = PlayBar(session.theme)
        self.play_bar.hide()
        self.body.addWidget(self.play_bar)
        self._plane_buttons = self._add_plane_buttons()
        self._layout_button = LayoutButton(session.theme)
        self.bar.addWidget(self._layout_button)
        self._connect()
        register_view_commands(self, session)
        self._restore_looks()
        self._show_options()
        self.undo = ViewUndo(session, self.grid)
        PaneExport(self, session)
        HangingEdit(self, session)
        told = [*([finding] if finding is not None else []), *kept.findings]
        if told:
            self.message.show_notice(". ".join(item.text for item in told))
        self._follow()

    def _connect(self) -> None:
        grid, opening, side = self.grid, self.opening, self.side
        grid.resample_requested.connect(self.resample)
        grid.series_dropped.connect(partial(opening.open_in_pane, grid))
        grid.tab_pressed.connect(partial(self._session.commands.run, "fold_panel"))
        opening.began.connect(self._show_reading)
        opening.first_shown.connect(self._show_first)
        opening.progressed.connect(self.notice.say)
        opening.loaded.connect(self._loaded)
        opening.failed.connect(self._failed)
        opening.pane_failed.connect(self.message.show_error)
        self.times.changed.connect(self._follow)
        self.times.failed.connect(self.message.show_error)
        side.crosshair_toggled.connect(grid.set_crosshair)
        side.overlays_toggled.connect(grid.set_overlays)
        side.show_arrangement(self.arrangement)
        side.follow(self.arrangement.active_pane)
        grid.active_changed.connect(side.follow)
        grid.region_drawn.connect(side.window_region)
        grid.line_drawn.connect(side.show_line)
        grid.focused.connect(partial(self._use, grid))
        self.strip.open_requested.connect(self._open_in_active)
        self.strip.filled.connect(self._show_strip)
        self.play_bar.play_toggled.connect(partial(self._session.commands.run, "cine"))
        self.play_bar.rate_chosen.connect(self.actions_of_keys.set_frame_rate)
        self.play_bar.time_chosen.connect(self.times.go_to)
        self.actions_of_keys.playing_changed.connect(self._show_play_bar)
        self._layout_button.chosen.connect(self.set_layout)
        self.arrangement.changed.connect(self._follow)
        self.arrangement.active_changed.connect(self._follow)
        self._session.display.changed.connect(self._show_options)

    # -- opening -------------------------------------------------------------------------------

    def open_ids(self, first: str, second: str = "") -> None:
        """Load one volume or two off the Qt thread; the first slice is shown as soon as it is read.

        A case of a bundle opens beside its source where this site has it.
        """
        self.opening.open(ViewRequest(first, second))

    def resample(self) -> None:
        """Put the slices that are open on a regular grid."""
        if self.opening.request.first:
            self.opening.open(ViewRequest(self.opening.request.first, resampled=True))

    def step_series(self, step: int) -> None:
        """Open the next series of the library's list."""
        order, current = self._session.listed, self.opening.request.first
        if current in order:
            place = order.index(current) + step
            if 0 <= place < len(order):
                self.open_ids(order[place])

    def without_series(self) -> str:
        """Say why there is no next series; "" where there is."""
        known = self.opening.request.first in self._session.listed
        return "" if known else "The library lists no other series"

    def _show_reading(self, request: ViewRequest) -> None:
        self.message.hide()
        self.actions_of_keys.stop()
        self.times.clear()
        self.title.setText("Reading…")
        self._say("Resampling…" if request.resampled else "Reading…", with_button=False)

    def _say(self, text: str, *, with_button: bool) -> None:
        self.notice.say(text)
        if self.notice.action is not None:
            self.notice.action.setVisible(with_button)
        self._stack.setCurrentWidget(self.notice)

    def _show_first(self) -> None:
        self._stack.setCurrentWidget(self.grid)
        # The panel keeps its place, so that the picture does not move when the rest is there.
        self.side.hide()
        self.use_panel()

    def _loaded(self, loaded: LoadedLayers) -> None:
        self.show_layers(loaded.left, loaded.right, same_space=loaded.same_space, found=loaded)
        self.times.take(loaded.times, loaded.left)

    def _failed(self, error: CarezError) -> None:
        self.message.show_error(error)
        request = self.opening.request
        if isinstance(error, DeviceError) and not request.second and request.every == 1:
            self._offer_parts(error, request)
        self.panel_area.hide()
        self.title.setText("View")
        self._say(str(error), with_button=True)

    def _offer_parts(self, error: CarezError, request: ViewRequest) -> None:
        """Offer a volume that does not fit into memory in part."""
        choices = [
            (f"Open every {word} slice and pixel", partial(self.opening.open, part))
            for word, part in (
                ("2nd", replace(request, every=2)),
                ("4th", replace(request, every=4)),
            )
        ]
        self.message.show_notice(str(error), choices)

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
        self,
        left: Layer,
        right: Layer | None = None,
        *,
        same_space: bool = False,
        found: LoadedLayers | None = None,
    ) -> None:
        """Show one layer in the planes that it has, or a real one beside a synthetic one.

        Args:
            left: The layer, or one of two.
            right: The other one.
            same_space: One was made from the other, so that their positions are the same.
            found: What was read, with the protocol that puts it into panes.
        """
        self.actions_of_keys.stop()
        self.arrangement.close_all()
        layers = [left] if right is None else list(real_first(left, right))
        for layer in layers:
            apply_remembered_preset(layer, self._memory)
            self.arrangement.open(layer)
        if right is not None:
            if same_space:
                self.arrangement.align(same_source(*layers))
            if layers[0].volume.units == layers[1].volume.units:
                layers[1].window, layers[1].inverted = layers[0].window, layers[0].inverted
        refusals = self._hang(layers, found)
        self.grid.say(_EMPTY_PANE)
        self.side.show()
        self._stack.setCurrentWidget(self.grid)
        self.use_panel()
        self.grid.active_widget().setFocus()
        if refusals:
            self.message.show_notice(". ".join(refusals))

    def _hang(self, layers: list[Layer], found: LoadedLayers | None) -> tuple[str, ...]:
        """Put layers into panes: as the person chose for single volumes, else by protocol."""
        chosen = self._chosen_layout if len(layers) == 1 and not layers[0].plane_refusal else ""
        if found is not None and found.hanging is not None and not chosen:
            return hang(self.arrangement, found.hanging, found.by_id)
        layout, contents = first_hanging(layers)
        self.arrangement.hang(layout_of(chosen) if chosen else layout, contents)
        self.arrangement.fill_empty()
        return ()

    def close_volumes(self) -> None:
        """Let go of everything that is open."""
        self.opening.forget()
        self.actions_of_keys.stop()
        self.times.clear()
        self.arrangement.close_all()
        if self.second is not None:
            self.second.close()
        self.strip.hide()
        self._stack.setCurrentIndex(0)
        self.panel_area.hide()
        self.title.setText("View")

    def entered(self) -> None:
        """Read again what was broken off when the person left."""
        self.opening.resume()

    def leaving(self) -> None:
        """Stop the cine and what is still being read when another page comes."""
        self.actions_of_keys.stop()
        self.opening.stop()

    def _to_library(self) -> None:
        self._session.page_requested.emit("library")

    # -- layout --------------------------------------------------------------------------------

    def set_layout(self, layout: Layout) -> None:
        """Cut the page anew; empty panes take planes that no pane shows."""
        self._chosen_layout = layout.id
        self.current.arrangement.set_layout(layout)
        self.current.arrangement.fill_empty()
        self.current.say(_EMPTY_PANE)

    def show_plane(self, plane: Plane) -> None:
        """Show a plane in the active pane, or say there why there is none."""
        arrangement = self.current.arrangement
        refusal = arrangement.show_plane(arrangement.active, plane)
        if refusal:
            self.current.active_widget().show_progress(f"No {plane.value} plane: {refusal}")

    def set_frame_rate(self, frames_per_second: float) -> None:
        """Play at a rate from now on."""
        self.actions_of_keys.set_frame_rate(min(frames_per_second, self.play_bar.rate.maximum()))

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
        self.current.active_widget().setFocus()

    def _follow(self) -> None:
        """Show what the active pane shows in the title line."""
        arrangement = self.current.arrangement
        pane = arrangement.active_pane
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
            self.title.setText(self._title())
            self.strip.ask(self.arrangement.layers[0].volume.volume_id)
        self._show_play_bar()
        self._session.commands.refresh()

    def _show_options(self) -> None:
        """Write over the panes what the settings say now; identity goes from the title too."""
        for grid in (self.grid, *([self.second.grid] if self.second is not None else [])):
            grid.set_options(self._session.display.options)
        if self.arrangement.layers:
            self.title.setText(self._title())

    def _title(self) -> str:
        """Name what is open."""
        layers = self.arrangement.layers
        names = "  |  ".join(dict.fromkeys(layer.title for layer in layers))
        hides = self._session.display.options.hides_identity
        patient = "" if hides else layers[0].volume.attributes.get("patient_name", "")
        return f"{patient} · {names}" if patient else names

    def _show_play_bar(self) -> None:
        """Show rate and time where something plays or could: frames, points in time."""
        base = self.current.arrangement.active_pane.base
        actions, points = self.actions_of_keys, self.times.points
        is_cine = base is not None and base.layer.is_cine
        self.play_bar.show_playing(actions.is_playing)
        self.play_bar.show_rate(actions.rate)
        self.play_bar.show_times([point.label for point in points], self.times.index)
        self.play_bar.setVisible(
            base is not None and (is_cine or actions.is_playing or bool(points))
        )

    # -- strip and second window ---------------------------------------------------------------

    def fold_strip(self) -> None:
        """Fold the series on the left away, or bring them back."""
        self._wants_strip = not self.strip.isVisible()
        self._show_strip(self.strip.count())

    def _show_strip(self, count: int) -> None:
        self.strip.setVisible(self._wants_strip and count > 1 and bool(self.arrangement.layers))

    def _open_in_active(self, volume_id: str) -> None:
        self.opening.open_in_pane(self.current, self.current.arrangement.active, volume_id)

    def open_second_window(self) -> None:
        """Open a window of panes for a second screen, or bring it to the front."""
        if self.second is not None:
            self.second.raise_()
            self.second.activateWindow()
            return
        second = ViewWindow(self._session, self.arrangement.open_layers)
        grid = second.grid
        grid.series_dropped.connect(partial(self.opening.open_in_pane, grid))
        grid.tab_pressed.connect(partial(self._session.commands.run, "fold_panel"))
        grid.region_drawn.connect(self.side.window_region)
        grid.line_drawn.connect(self.side.show_line)
        grid.focused.connect(partial(self._use, grid))
        grid.active_changed.connect(self.side.follow)
        second.closed.connect(self._forget_second)
        grid.set_options(self._session.display.options)
        second.arrangement.fill_empty()
        second.show_on_other_screen(self.window(), self._memory.windows.get("second", ""))
        self.second = second
        grid.active_widget().setFocus()

    def _forget_second(self) -> None:
        second, self.second = self.second, None
        if second is not None:
            self._memory = self._memory.with_window("second", second.place)
            self._use(self.grid)
            second.deleteLater()

    def _use(self, grid: PaneGrid) -> None:
        """Let keys and the panel act on the panes of a window."""
        if grid is not self.current:
            self.current = grid
            self.side.follow(grid.arrangement.active_pane)
            self._follow()

    # -- what is remembered --------------------------------------------------------------------

    def _restore_looks(self) -> None:
        memory = self._memory
        self.side.set_folded(dict(memory.folded))
        self._wants_strip = memory.switches.get("strip", True)
        if "cine_rate" in memory.numbers:
            self.actions_of_keys.set_frame_rate(memory.numbers["cine_rate"])
        self._chosen_layout = memory.texts.get("single_layout", "")

    def keep_looks(self) -> None:
        """Write layout, links, folds and rates for the next start."""
        memory = remember(self.arrangement, self._memory)
        for name, folded in self.side.folded.items():
            memory = memory.with_folded(name, folded)
        memory = memory.with_switch("strip", self._wants_strip)
        if self.second is not None:
            memory = memory.with_window("second", self.second.place)
        memory = memory.with_number("cine_rate", self.actions_of_keys.frames_per_second)
        memory = memory.with_text("single_layout", self._chosen_layout)
        try:
            save_view_memory(self._session.context.home, memory)
        except CarezError as error:
            # The window is closing: nobody could read it there any more.
            _log.warning("the view is not remembered: %s", error)
        self._memory = memory
