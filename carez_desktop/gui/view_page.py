"""The View page: panes of one volume or of two side by side, with every binding."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import QPushButton, QStackedWidget

from carez_desktop.domain.volume import Volume
from carez_desktop.errors import CarezError
from carez_desktop.gui.job_bridge import JobCall
from carez_desktop.gui.page_parts import EmptyState, Page
from carez_desktop.gui.plane_note import PlaneNote
from carez_desktop.gui.session import Session
from carez_desktop.gui.view_actions import ViewActions
from carez_desktop.gui.view_layout import PaneGrid
from carez_desktop.gui.view_loading import FirstSlice, LoadedLayers, ViewRequest, load_layers
from carez_desktop.gui.view_panel import ViewPanel
from carez_desktop.jobs.job_runner import Job, JobStatus, time_left_text
from carez_desktop.workspace.commands import COMMANDS
from carez_desktop.workspace.comparison import Comparison, order_for_comparison
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.plane_basis import Plane

_LAYOUT_TIP = "Layout (double click or Return on a pane)"


class ViewPage(Page):
    """Show volumes."""

    def __init__(self, session: Session) -> None:
        """Build the page, empty."""
        super().__init__(session.theme, "View")
        self._session = session
        self._request = ViewRequest("")
        self._loading: Job | None = None
        self._is_broken_off = False
        self.grid = PaneGrid(session.theme)
        self.grid.resample_requested.connect(self.resample)
        self.side = ViewPanel(session.theme)
        self.side.crosshair_toggled.connect(self.grid.set_crosshair)
        self.side.overlays_toggled.connect(self.grid.set_overlays)
        self.side.compare_ended.connect(self._end_compare)
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
        self._plane_buttons = self._add_layout_buttons()
        self.actions_of_keys = ViewActions(self.grid, self)
        for pane in self.grid.panes.values():
            pane.maximise_requested.connect(self._show_layout)
            pane.tab_pressed.connect(self.fold_panel)
        self._actions: dict[str, Callable[[], object]] = {
            **self.actions_of_keys.table(),
            "series_next": lambda: self._step_series(1),
            "series_previous": lambda: self._step_series(-1),
            "overlays": self.side.toggle_overlays,
            "fold_panel": self.fold_panel,
        }
        self._keys = {
            key: entry.id for entry in COMMANDS if entry.scope == "view" for key in entry.keys
        }

    # -- opening -------------------------------------------------------------------------------

    def open_ids(self, first: str, second: str = "") -> None:
        """Load one volume or two off the Qt thread; the first slice is shown as soon as it is read.

        A case of a bundle opens beside its source where this site has it.
        """
        self._open(ViewRequest(first, second))

    def resample(self) -> None:
        """Put the slices that are open on a regular grid."""
        if self._request.first:
            self._open(ViewRequest(self._request.first, resampled=True))

    def _open(self, request: ViewRequest) -> None:
        context = self._session.context
        self._request, self._is_broken_off = request, False
        self.message.hide()
        self.actions_of_keys.stop()
        self.side.release()
        self.grid.release()
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
        comparison = Comparison(first.layer)
        self.grid.show_comparison(comparison, is_flat=first.is_flat)
        self._stack.setCurrentWidget(self.grid)
        # The panel keeps its place, so that the picture does not move when the rest is there.
        self.side.hide()
        self.use_panel()
        self.title.setText(_title(comparison))
        self._show_layout()

    def _show_progress(self, status: JobStatus) -> None:
        if status.is_over:
            return
        parts = (f"{status.fraction * 100:.0f} %", time_left_text(status.seconds_left))
        text = ", ".join(part for part in ("Reading", *parts) if part)
        if self._stack.currentWidget() is self.notice:
            self.notice.say(text)
        elif self.grid.comparison is not None:
            slot = self.grid.comparison.slots[0]
            self.grid.panes[(slot.role, slot.viewport.plane)].show_progress(text)

    def _loaded(self, loaded: LoadedLayers) -> None:
        self._loading = None
        self.show_layers(loaded.left, loaded.right, same_space=loaded.same_space)

    def _failed(self, error: CarezError) -> None:
        self._loading = None
        self.message.show_error(error)
        self.side.release()
        self.grid.release()
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
        if right is not None:
            first, _ = order_for_comparison(left.volume, right.volume)
            left, right = (left, right) if first is left.volume else (right, left)
        comparison = Comparison(left, right, same_space=same_space)
        self.actions_of_keys.stop()
        self.grid.show_comparison(comparison)
        self.side.show_comparison(comparison)
        self.side.show()
        self._stack.setCurrentWidget(self.grid)
        self.use_panel()
        self.title.setText(_title(comparison))
        self._show_layout()
        self.grid.main_pane().setFocus()

    def close_volumes(self) -> None:
        """Let go of everything that is open."""
        self._stop_loading()
        self.actions_of_keys.stop()
        self.side.release()
        self.grid.release()
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

    def _end_compare(self) -> None:
        comparison = self.grid.comparison
        if comparison is not None:
            self._request = ViewRequest(self._request.first)
            self.show_layers(comparison.left)

    # -- layout --------------------------------------------------------------------------------

    def _add_layout_buttons(self) -> dict[Plane | None, QPushButton]:
        made: dict[Plane | None, QPushButton] = {}
        for title, plane in (
            ("All planes", None),
            ("Axial", Plane.AXIAL),
            ("Sagittal", Plane.SAGITTAL),
            ("Coronal", Plane.CORONAL),
        ):
            choice = QPushButton(title)
            choice.setCheckable(True)
            choice.setToolTip(_LAYOUT_TIP)
            choice.clicked.connect(lambda _, plane=plane: self._choose_layout(plane))
            self.bar.addWidget(choice)
            made[plane] = choice
        made[None].setChecked(True)
        return made

    def _choose_layout(self, plane: Plane | None) -> None:
        self.grid.show_only(plane)
        self._show_layout()

    def _show_layout(self) -> None:
        comparison = self.grid.comparison
        refusal = "" if comparison is None else comparison.plane_refusal
        for plane, choice in self._plane_buttons.items():
            choice.setChecked(not refusal and plane is self.grid.only)
            choice.setEnabled(not refusal)
            choice.setToolTip(f"No planes: {refusal}" if refusal else _LAYOUT_TIP)

    # -- keyboard ------------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Run the command of a key, from the one table of commands."""
        if event.text() == "?":
            event.ignore()
            return
        text = QKeySequence(event.keyCombination()).toString(
            QKeySequence.SequenceFormat.PortableText
        )
        name = self._keys.get(text, "")
        action = self._actions.get(name)
        is_stepping = name in ("series_next", "series_previous")
        if action is None or (self.grid.comparison is None and not is_stepping):
            super().keyPressEvent(event)
            return
        action()

    def _step_series(self, step: int) -> None:
        order = self._session.listed
        current = self._request.first
        if current in order:
            place = order.index(current) + step
            if 0 <= place < len(order):
                self.open_ids(order[place])


def _title(comparison: Comparison) -> str:
    """Name what is open."""
    left = comparison.left
    patient = left.volume.attributes.get("patient_name", "")
    head = f"{patient} · {left.title}" if patient else left.title
    return head if comparison.right is None else f"{head}  |  {comparison.right.title}"
