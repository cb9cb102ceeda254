"""The panes of an arrangement on the screen: as its layout says, or one of them alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QGridLayout, QWidget

from carez_desktop.gui.plane_note import PlaneNote
from carez_desktop.gui.slice_pane import SlicePane
from carez_desktop.gui.theme import Theme
from carez_desktop.workspace.arrangement import Arrangement
from carez_desktop.workspace.display_options import DisplayOptions
from carez_desktop.workspace.layouts import LARGEST_GRID, Cell
from carez_desktop.workspace.pane import Pane

_TRACKS = LARGEST_GRID + 1


class PaneGrid(QWidget):
    """The panes of an arrangement.

    Signals:
        active_changed(Pane): Keys act on another pane.
        resample_requested: The person wants irregular slices on a regular grid.
        series_dropped(int, str): A series was dropped on the pane of an index.
        region_drawn(Pane, tuple): A box was drawn with Ctrl: (left, top, right, bottom) logical
            pixels.
        line_drawn(Pane, object, object): A line was drawn with Alt: its ends in LPS mm of the
            pane's space.
        focused: A pane took the keyboard.
        tab_pressed: Tab in a pane.
        drag_began(str), drag_ended: A drag that changes the view, by its name.

    Attributes:
        note: Why an irregular stack has no other planes, with the button that resamples it.
    """

    active_changed = Signal(object)
    resample_requested = Signal()
    series_dropped = Signal(int, str)
    region_drawn = Signal(object, tuple)
    line_drawn = Signal(object, object, object)
    focused = Signal()
    tab_pressed = Signal()
    drag_began = Signal(str)
    drag_ended = Signal()

    def __init__(self, theme: Theme, arrangement: Arrangement) -> None:
        """Show an arrangement from now on."""
        super().__init__()
        self.setObjectName("canvas")
        self.arrangement = arrangement
        self._theme = theme
        self._looks: dict[str, object] = {
            "shows_crosshair": True,
            "shows_overlays": True,
            "shows_colour_bar": True,
        }
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(2)
        self._widgets: list[SlicePane] = []
        self._active: Pane | None = None
        self.note = PlaneNote(
            theme, action=("Resample to a regular grid", self.resample_requested.emit)
        )
        self.note.setParent(self)
        self.note.hide()
        arrangement.changed.connect(self.refresh)
        arrangement.active_changed.connect(self._show_active)
        self.refresh()

    # -- panes ---------------------------------------------------------------------------------

    @property
    def widgets(self) -> tuple[SlicePane, ...]:
        """The pane of each cell of the layout, in its order; hidden where one is maximised."""
        return tuple(self._widgets)

    def active_widget(self) -> SlicePane:
        """Return the pane that keys act on."""
        return self._widgets[self.arrangement.active]

    def set_crosshair(self, shown: bool) -> None:
        """Show or hide the lines of the other planes."""
        self._set_look("shows_crosshair", shown)

    def set_overlays(self, shown: bool) -> None:
        """Show or hide the graphics of the source."""
        self._set_look("shows_overlays", shown)

    def set_options(self, options: DisplayOptions) -> None:
        """Write other texts over the panes."""
        self._set_look("options", options)

    def toggle_colour_bar(self) -> None:
        """Show or hide what colours mean."""
        self._set_look("shows_colour_bar", not self._looks["shows_colour_bar"])

    def say(self, message: str) -> None:
        """Tell in every empty pane why it is empty."""
        for widget in self._widgets:
            widget.say(message)

    def toggle_maximised(self, index: int) -> None:
        """Show a pane alone, or all again."""
        whole = self.arrangement.maximised is not None or len(self._widgets) == 1
        self.arrangement.maximise(None if whole else index)

    def release(self) -> None:
        """Let go of the arrangement."""
        self.arrangement.changed.disconnect(self.refresh)
        self.arrangement.active_changed.disconnect(self._show_active)
        for widget in self._widgets:
            widget.bind(None)

    # -- following the arrangement -------------------------------------------------------------

    def refresh(self) -> None:
        """Lay the panes out as the arrangement says now."""
        panes = self.arrangement.panes
        self._bind(panes)
        layout, alone = self.arrangement.layout, self.arrangement.maximised
        note = self._note_text()
        for track in range(_TRACKS):
            self._grid.setRowStretch(track, 0)
            self._grid.setColumnStretch(track, 0)
        rows, columns = (layout.rows, layout.columns) if alone is None else (1, 1)
        for number, widget in enumerate(self._widgets):
            cell = layout.cells[number] if alone is None else Cell(0, 0)
            self._grid.removeWidget(widget)
            is_shown = alone is None or number == alone
            if is_shown:
                self._grid.addWidget(widget, cell.row, cell.column, cell.row_span, cell.column_span)
            widget.setVisible(is_shown)
        self._show_note(note, columns)
        for row in range(rows):
            self._grid.setRowStretch(row, 1)
        for column in range(columns):
            self._grid.setColumnStretch(column, 3 if note else 1)
        if note:
            self._grid.setColumnStretch(columns, 1)
        self._show_active()

    def _bind(self, panes: tuple[Pane, ...]) -> None:
        known = {id(widget.pane): widget for widget in self._widgets}
        free = [w for w in self._widgets if not any(w.pane is pane for pane in panes)]
        kept: list[SlicePane] = []
        for pane in panes:
            widget = known.get(id(pane))
            if widget is None:
                widget = free.pop(0) if free else self._new_widget()
                widget.bind(pane)
            kept.append(widget)
        for widget in free:
            widget.bind(None)
            widget.hide()
            self._grid.removeWidget(widget)
            widget.deleteLater()
        self._widgets = kept

    def _new_widget(self) -> SlicePane:
        widget = SlicePane(self._theme, self.arrangement, self)
        for name, value in self._looks.items():
            setattr(widget, name, value)
        widget.maximise_requested.connect(partial(self._with_index, widget, self.toggle_maximised))
        widget.focused.connect(partial(self._with_index, widget, self.arrangement.activate))
        widget.focused.connect(self.focused)
        widget.tab_pressed.connect(self.tab_pressed)
        widget.drag_began.connect(self.drag_began)
        widget.drag_ended.connect(self.drag_ended)
        widget.series_dropped.connect(partial(self._tell_dropped, widget))
        widget.region_drawn.connect(partial(self._tell_region, widget))
        widget.line_drawn.connect(partial(self._tell_line, widget))
        return widget

    def _with_index(self, widget: SlicePane, act: Callable[[int], object]) -> None:
        if widget in self._widgets:
            act(self._widgets.index(widget))

    def _tell_dropped(self, widget: SlicePane, volume_id: str) -> None:
        self._with_index(widget, lambda index: self.series_dropped.emit(index, volume_id))

    def _tell_region(self, widget: SlicePane, box: tuple[float, ...]) -> None:
        self.region_drawn.emit(widget.pane, box)

    def _tell_line(self, widget: SlicePane, start: object, stop: object) -> None:
        self.line_drawn.emit(widget.pane, start, stop)

    def _show_active(self) -> None:
        several = len(self._widgets) > 1
        for number, widget in enumerate(self._widgets):
            widget.set_active(several and number == self.arrangement.active)
        pane = self.arrangement.active_pane
        if pane is not self._active:
            self._active = pane
            self.active_changed.emit(pane)

    def _set_look(self, name: str, value: object) -> None:
        self._looks[name] = value
        for widget in self._widgets:
            setattr(widget, name, value)
            widget.update()

    def _note_text(self) -> str:
        """Why a stack that is shown alone has no other planes; "" where nothing is to be said."""
        panes = self.arrangement.panes
        base = panes[0].base if len(panes) == 1 else None
        if base is None or base.layer.stack is None:
            return ""
        return (
            f"No other planes: {base.layer.plane_refusal}. "
            "The slices are shown as they were acquired, at their true positions."
        )

    def _show_note(self, text: str, column: int) -> None:
        self._grid.removeWidget(self.note)
        if text:
            self.note.say(text)
            self._grid.addWidget(self.note, 0, column)
        self.note.setVisible(bool(text))
