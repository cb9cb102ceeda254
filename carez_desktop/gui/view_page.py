"""The View page: panes of one volume or of two side by side, with every binding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import QTimer
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import QPushButton, QStackedWidget

from carez_desktop.domain.volume import Volume
from carez_desktop.errors import CarezError
from carez_desktop.gui.job_bridge import JobCall
from carez_desktop.gui.page_parts import EmptyState, Page
from carez_desktop.gui.session import Session
from carez_desktop.gui.slice_pane import SlicePane
from carez_desktop.gui.view_layout import PaneGrid
from carez_desktop.gui.view_panel import ViewPanel
from carez_desktop.progress import PartProgress
from carez_desktop.workspace.commands import COMMANDS
from carez_desktop.workspace.comparison import Comparison, ViewSlot, order_for_comparison
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.viewport import Plane, Viewport

_CINE_MILLISECONDS = 66


@dataclass(frozen=True, eq=False)
class LoadedVolumes:
    """What a load brings: one volume or two, and the order of the library for PageDown."""

    left: Volume
    right: Volume | None
    same_space: bool = False
    order: tuple[str, ...] = ()
    stand_in: bool = False


class ViewPage(Page):
    """Show volumes."""

    def __init__(self, session: Session) -> None:
        """Build the page, empty."""
        super().__init__(session.theme, "View")
        self._session = session
        self._order: tuple[str, ...] = ()
        self._shown: tuple[str, str] = ("", "")
        self.grid = PaneGrid(session.theme)
        self.side = ViewPanel(session.theme)
        self.side.crosshair_toggled.connect(self.grid.set_crosshair)
        self.side.compare_ended.connect(self._end_compare)
        self.panel.addWidget(self.side)
        self._stack = QStackedWidget()
        empty = EmptyState(
            session.theme, "ph.cube", "Nothing is open. Choose a series in the library to see it."
        )
        empty.add_button(
            "Go to the library", lambda: session.page_requested.emit("library"), primary=True
        )
        self._stack.addWidget(empty)
        self._stack.addWidget(self.grid)
        self.body.addWidget(self._stack)
        self._plane_buttons = self._add_layout_buttons()
        self._focused: SlicePane | None = None
        for pane in self.grid.panes.values():
            pane.focused.connect(lambda pane=pane: self._set_focused(pane))
            pane.maximise_requested.connect(self._show_layout)
            pane.tab_pressed.connect(self.fold_panel)
        self._cine = QTimer(self)
        self._cine.setInterval(_CINE_MILLISECONDS)
        self._cine.timeout.connect(self._cine_step)
        self._actions = self._command_table()
        self._keys = {key: entry.id for entry in COMMANDS for key in entry.keys}

    # -- opening -------------------------------------------------------------------------------

    def open_ids(self, first: str, second: str = "") -> None:
        """Load one volume or two off the Qt thread and show them.

        A case of a bundle opens beside its source where this site has it.
        """
        from carez_desktop.workflows.describe_library import describe_library
        from carez_desktop.workflows.find_case_source import find_case_source
        from carez_desktop.workflows.list_volumes import list_volumes
        from carez_desktop.workflows.load_volume import load_volume

        context = self._session.context
        self.message.hide()
        self.title.setText("Loading…")

        def work(call: JobCall) -> LoadedVolumes:
            source = find_case_source(context, volume_id=first)
            other = second or source
            share = PartProgress(call.progress, 0.0, 0.5 if other else 1.0)
            left = load_volume(context, volume_id=first, progress=share, cancel=call.cancel)
            right = None
            if other:
                rest = PartProgress(call.progress, 0.5, 1.0)
                right = load_volume(context, volume_id=other, progress=rest, cancel=call.cancel)
            order = tuple(r.volume_id for r in list_volumes(context) if not r.refusal)
            return LoadedVolumes(
                left,
                right,
                same_space=bool(source) and other == source,
                order=order,
                stand_in=describe_library(context).stand_in,
            )

        def loaded(volumes: LoadedVolumes) -> None:
            self._shown = (first, second)
            self._order = volumes.order
            self.show_volumes(
                volumes.left,
                volumes.right,
                same_space=volumes.same_space,
                stand_in=volumes.stand_in,
            )

        self._session.bridge.submit(
            "Load volume", work, key="view.load", on_result=loaded, on_error=self._failed
        )

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
        if right is not None:
            left, right = order_for_comparison(left, right)
        comparison = Comparison(
            Layer(left, stand_in=stand_in),
            Layer(right, stand_in=stand_in) if right is not None else None,
            same_space=same_space,
        )
        self._cine.stop()
        self.grid.show_comparison(comparison)
        self.side.show_comparison(comparison)
        self._stack.setCurrentWidget(self.grid)
        self.use_panel()
        self.title.setText(_title(comparison))
        self._show_layout()
        self.grid.panes[("left", self.grid.only or Plane.AXIAL)].setFocus()

    def close_volumes(self) -> None:
        """Let go of everything that is open."""
        self._cine.stop()
        self.side.release()
        self.grid.release()
        self._stack.setCurrentIndex(0)
        self.panel_area.hide()
        self.title.setText("View")

    def leaving(self) -> None:
        """Stop the cine when another page comes."""
        self._cine.stop()

    def _failed(self, error: CarezError) -> None:
        self.message.show_error(error)
        comparison = self.grid.comparison
        self.title.setText(_title(comparison) if comparison is not None else "View")

    def _end_compare(self) -> None:
        comparison = self.grid.comparison
        if comparison is not None:
            self._shown = (self._shown[0], "")
            left = comparison.left
            self.show_volumes(left.volume, stand_in=left.is_stand_in)

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
            choice.setToolTip("Layout (double click or Return on a pane)")
            choice.clicked.connect(lambda _, plane=plane: self._choose_layout(plane))
            self.bar.addWidget(choice)
            made[plane] = choice
        made[None].setChecked(True)
        return made

    def _choose_layout(self, plane: Plane | None) -> None:
        self.grid.show_only(plane)
        self._show_layout()

    def _show_layout(self) -> None:
        for plane, choice in self._plane_buttons.items():
            choice.setChecked(plane is self.grid.only)

    # -- keyboard ------------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Run the command of a key, from the one table of commands."""
        if event.text() == "?":
            event.ignore()
            return
        text = QKeySequence(event.keyCombination()).toString(
            QKeySequence.SequenceFormat.PortableText
        )
        action = self._actions.get(self._keys.get(text, ""))
        if action is None or self.grid.comparison is None:
            super().keyPressEvent(event)
            return
        action()

    def _command_table(self) -> dict[str, Callable[[], object]]:
        table: dict[str, Callable[[], object]] = {
            "slice_next": lambda: self._pane_viewport().scroll(1),
            "slice_previous": lambda: self._pane_viewport().scroll(-1),
            "slice_first": lambda: self._pane_viewport().go_to_slice(0),
            "slice_last": lambda: self._pane_viewport().go_to_slice(1 << 30),
            "series_next": lambda: self._step_series(1),
            "series_previous": lambda: self._step_series(-1),
            "invert": self._invert,
            "flip_horizontal": lambda: self._flip(True, False),
            "flip_vertical": lambda: self._flip(False, True),
            "cine": self._toggle_cine,
            "reset": self._reset,
            "full_range": lambda: self._pane_layer().show_full_range(),
            "maximise": self._maximise,
            "fold_panel": self.fold_panel,
        }
        for number in "12345":
            table[f"preset_{number}"] = partial(self._apply_preset, number)
        return table

    def _apply_preset(self, key: str) -> None:
        self._pane_layer().apply_preset(key)

    def _maximise(self) -> None:
        self._pane().maximise_requested.emit()

    def _set_focused(self, pane: SlicePane) -> None:
        self._focused = pane

    def _pane(self) -> SlicePane:
        pane = self._focused
        if pane is None or pane.slot is None or not pane.isVisible():
            pane = self.grid.panes[("left", self.grid.only or Plane.AXIAL)]
        return pane

    def _slot(self) -> ViewSlot:
        """Return what the focused pane shows; commands run only while a volume is open."""
        slot = self._pane().slot
        if slot is None:
            raise LookupError("no volume is open")
        return slot

    def _pane_viewport(self) -> Viewport:
        return self._slot().viewport

    def _pane_layer(self) -> Layer:
        return self._slot().layer

    def _invert(self) -> None:
        layer = self._pane_layer()
        layer.inverted = not layer.inverted

    def _flip(self, horizontal: bool, vertical: bool) -> None:
        viewport = self._pane_viewport()
        across, down = viewport.flips
        viewport.set_flips(across ^ horizontal, down ^ vertical)

    def _reset(self) -> None:
        comparison = self.grid.comparison
        if comparison is None:
            return
        self._cine.stop()
        for slot in comparison.slots:
            slot.viewport.set_flips(False, False)
            slot.viewport.fit()
        for layer in (comparison.left, comparison.right):
            if layer is not None:
                layer.reset()

    def _toggle_cine(self) -> None:
        if self._cine.isActive():
            self._cine.stop()
        else:
            self._cine.start()

    def _cine_step(self) -> None:
        viewport = self._pane_viewport()
        if viewport.slice_number == viewport.slice_count:
            viewport.go_to_slice(0)
        else:
            viewport.scroll(1)

    def _step_series(self, step: int) -> None:
        current = self._shown[0]
        if current in self._order:
            place = self._order.index(current) + step
            if 0 <= place < len(self._order):
                self.open_ids(self._order[place])


def _title(comparison: Comparison) -> str:
    """Name what is open."""
    left = comparison.left
    patient = left.volume.attributes.get("patient_name", "")
    head = f"{patient} · {left.title}" if patient else left.title
    return head if comparison.right is None else f"{head}  |  {comparison.right.title}"
