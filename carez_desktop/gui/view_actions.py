"""What the commands of the View page do to the active pane, or to all of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from carez_desktop.gui.view_layout import PaneGrid
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.viewport import Viewport

_SLICE_MILLISECONDS = 66
_FASTEST_MILLISECONDS = 10
_SKIPPED = 10
_ZOOM = 1.25


def frame_milliseconds(layer: Layer) -> int:
    """Return how long a frame of a cine lasts: what its source says, else 1/15 s."""
    times = layer.volume.frame_times_ms
    if layer.is_cine and len(times) > 1 and times[-1] > times[0]:
        lasts = (times[-1] - times[0]) / (len(times) - 1)
        return max(_FASTEST_MILLISECONDS, round(lasts))
    return _SLICE_MILLISECONDS


class ViewActions(QObject):
    """Act on the active pane, or on all of them; nothing happens in an empty one.

    Signals:
        playing_changed: The cine began, ended, or runs at another rate.

    Attributes:
        cine: Runs while slices or frames play.
        frames_per_second: Chosen by a person; 0 takes what the source says.
    """

    playing_changed = Signal()

    def __init__(self, grid_in_use: Callable[[], PaneGrid], parent: QObject) -> None:
        """Act on the panes of whichever window is in use."""
        super().__init__(parent)
        self._grid_in_use = grid_in_use
        self.frames_per_second = 0.0
        self.cine = QTimer(self)
        self.cine.setTimerType(Qt.TimerType.PreciseTimer)
        self.cine.timeout.connect(self._cine_step)

    def table(self) -> dict[str, Callable[[], object]]:
        """Return what each command does; they run only while a volume is open."""
        on_viewport: dict[str, Callable[[Viewport], object]] = {
            "slice_next": lambda viewport: viewport.scroll(1),
            "slice_previous": lambda viewport: viewport.scroll(-1),
            "slice_skip_forward": lambda viewport: viewport.scroll(_SKIPPED),
            "slice_skip_back": lambda viewport: viewport.scroll(-_SKIPPED),
            "slice_first": lambda viewport: viewport.go_to_slice(0),
            "slice_last": lambda viewport: viewport.go_to_slice(1 << 30),
            "flip_horizontal": lambda viewport: _flip(viewport, True, False),
            "flip_vertical": lambda viewport: _flip(viewport, False, True),
            "turn_right": lambda viewport: viewport.set_turns(viewport.turns + 1),
            "turn_left": lambda viewport: viewport.set_turns(viewport.turns - 1),
            "zoom_in": lambda viewport: viewport.zoom(_ZOOM),
            "zoom_out": lambda viewport: viewport.zoom(1.0 / _ZOOM),
            "fit": lambda viewport: viewport.fit(),
            "one_to_one": self._show_one_to_one,
        }
        table: dict[str, Callable[[], object]] = {
            name: partial(self._with_viewport, act) for name, act in on_viewport.items()
        }
        table["invert"] = partial(self._with_layer, _invert)
        table["full_range"] = partial(self._with_layer, Layer.show_full_range)
        table["interpolation"] = partial(self._with_layer, _toggle_interpolated)
        table["cine"] = self.toggle_cine
        table["reset"] = self.reset
        table["maximise"] = self._maximise
        for number in "12345":
            apply = partial(_apply_preset, key=number)
            table[f"preset_{number}"] = partial(self._with_layer, apply)
        return table

    @property
    def _grid(self) -> PaneGrid:
        return self._grid_in_use()

    @property
    def rate(self) -> float:
        """Frames of a second at which the active pane plays or would play."""
        layer = self._layer()
        return 1000.0 / self._milliseconds(layer) if layer is not None else 15.0

    @property
    def is_playing(self) -> bool:
        """Whether slices or frames play."""
        return self.cine.isActive()

    def stop(self) -> None:
        """Stop what plays."""
        if self.cine.isActive():
            self.cine.stop()
            self.playing_changed.emit()

    def toggle_cine(self) -> None:
        """Play or stop."""
        viewport, layer = self._viewport(), self._layer()
        if self.cine.isActive():
            self.stop()
        elif viewport is not None and layer is not None and viewport.slice_count > 1:
            self.cine.start(self._milliseconds(layer))
            self.playing_changed.emit()

    def set_frame_rate(self, frames_per_second: float) -> None:
        """Play at a rate, also what plays now; 0 takes what the source says."""
        self.frames_per_second = max(0.0, frames_per_second)
        layer = self._layer()
        if self.cine.isActive() and layer is not None:
            self.cine.setInterval(self._milliseconds(layer))
        self.playing_changed.emit()

    def reset(self) -> None:
        """Return every pane to its first window, plane, zoom and side."""
        self.stop()
        arrangement = self._grid.arrangement
        for pane in arrangement.panes:
            viewport = pane.viewport
            if viewport is not None:
                viewport.set_flips(False, False)
                viewport.set_turns(0)
                viewport.reset_plane()
                viewport.fit()
        for layer in arrangement.layers:
            layer.reset()

    def _milliseconds(self, layer: Layer) -> int:
        if self.frames_per_second > 0.0:
            return max(_FASTEST_MILLISECONDS, round(1000.0 / self.frames_per_second))
        return frame_milliseconds(layer)

    def _viewport(self) -> Viewport | None:
        return self._grid.arrangement.active_pane.viewport

    def _layer(self) -> Layer | None:
        base = self._grid.arrangement.active_pane.base
        return base.layer if base is not None else None

    def _with_viewport(self, act: Callable[[Viewport], object]) -> None:
        viewport = self._viewport()
        if viewport is not None:
            act(viewport)

    def _with_layer(self, act: Callable[[Layer], object]) -> None:
        layer = self._layer()
        if layer is not None:
            act(layer)

    def _show_one_to_one(self, viewport: Viewport) -> None:
        viewport.show_one_to_one(self._grid.devicePixelRatioF())

    def _maximise(self) -> None:
        self._grid.toggle_maximised(self._grid.arrangement.active)

    def _cine_step(self) -> None:
        viewport = self._viewport()
        if viewport is None:
            self.stop()
        elif viewport.slice_number == viewport.slice_count:
            viewport.go_to_slice(0)
        else:
            viewport.scroll(1)


def _apply_preset(layer: Layer, key: str) -> None:
    layer.apply_preset(key)


def _invert(layer: Layer) -> None:
    layer.inverted = not layer.inverted


def _toggle_interpolated(layer: Layer) -> None:
    layer.interpolated = not layer.interpolated


def _flip(viewport: Viewport, horizontal: bool, vertical: bool) -> None:
    across, down = viewport.flips
    viewport.set_flips(across ^ horizontal, down ^ vertical)
