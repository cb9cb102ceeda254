"""What the keys of the View page do."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QObject, Qt, QTimer

from carez_desktop.gui.slice_pane import SlicePane
from carez_desktop.gui.view_layout import PaneGrid
from carez_desktop.workspace.comparison import ViewSlot
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.viewport import Viewport

_SLICE_MILLISECONDS = 66
_FASTEST_MILLISECONDS = 10


def frame_milliseconds(layer: Layer) -> int:
    """Return how long a frame of a cine lasts: what its source says, else 1/15 s."""
    times = layer.volume.frame_times_ms
    if layer.is_cine and len(times) > 1 and times[-1] > times[0]:
        lasts = (times[-1] - times[0]) / (len(times) - 1)
        return max(_FASTEST_MILLISECONDS, round(lasts))
    return _SLICE_MILLISECONDS


class ViewActions(QObject):
    """Act on the pane that has the keyboard, or on all of them.

    Attributes:
        cine: Runs while slices or frames play.
    """

    def __init__(self, grid: PaneGrid, parent: QObject) -> None:
        """Act on the panes of a grid."""
        super().__init__(parent)
        self._grid = grid
        self._focused: SlicePane | None = None
        for pane in grid.panes.values():
            pane.focused.connect(partial(self.set_focused, pane))
        self.cine = QTimer(self)
        self.cine.setTimerType(Qt.TimerType.PreciseTimer)
        self.cine.timeout.connect(self._cine_step)

    def table(self) -> dict[str, Callable[[], object]]:
        """Return what each command does; they run only while a volume is open."""
        table: dict[str, Callable[[], object]] = {
            "slice_next": lambda: self._viewport().scroll(1),
            "slice_previous": lambda: self._viewport().scroll(-1),
            "slice_first": lambda: self._viewport().go_to_slice(0),
            "slice_last": lambda: self._viewport().go_to_slice(1 << 30),
            "invert": self._invert,
            "flip_horizontal": lambda: self._flip(True, False),
            "flip_vertical": lambda: self._flip(False, True),
            "cine": self.toggle_cine,
            "reset": self.reset,
            "full_range": lambda: self._layer().show_full_range(),
            "maximise": self._maximise,
        }
        for number in "12345":
            table[f"preset_{number}"] = partial(self._apply_preset, number)
        return table

    def set_focused(self, pane: SlicePane) -> None:
        """Take the pane that has the keyboard."""
        self._focused = pane

    def stop(self) -> None:
        """Stop what plays."""
        self.cine.stop()

    def toggle_cine(self) -> None:
        """Play or stop."""
        if self.cine.isActive():
            self.cine.stop()
        elif self._viewport().slice_count > 1:
            self.cine.start(frame_milliseconds(self._layer()))

    def reset(self) -> None:
        """Return to the first window, zoom and side."""
        comparison = self._grid.comparison
        if comparison is None:
            return
        self.cine.stop()
        for slot in comparison.slots:
            slot.viewport.set_flips(False, False)
            slot.viewport.fit()
        for layer in (comparison.left, comparison.right):
            if layer is not None:
                layer.reset()

    def _pane(self) -> SlicePane:
        pane = self._focused
        if pane is None or pane.slot is None or not pane.isVisible():
            pane = self._grid.main_pane()
        return pane

    def _slot(self) -> ViewSlot:
        slot = self._pane().slot
        if slot is None:
            comparison = self._grid.comparison
            if comparison is None:
                raise LookupError("no volume is open")
            slot = comparison.slots[0]
        return slot

    def _viewport(self) -> Viewport:
        return self._slot().viewport

    def _layer(self) -> Layer:
        return self._slot().layer

    def _maximise(self) -> None:
        self._pane().maximise_requested.emit()

    def _apply_preset(self, key: str) -> None:
        self._layer().apply_preset(key)

    def _invert(self) -> None:
        layer = self._layer()
        layer.inverted = not layer.inverted

    def _flip(self, horizontal: bool, vertical: bool) -> None:
        viewport = self._viewport()
        across, down = viewport.flips
        viewport.set_flips(across ^ horizontal, down ^ vertical)

    def _cine_step(self) -> None:
        if self._grid.comparison is None:
            self.cine.stop()
            return
        viewport = self._viewport()
        if viewport.slice_number == viewport.slice_count:
            viewport.go_to_slice(0)
        else:
            viewport.scroll(1)
