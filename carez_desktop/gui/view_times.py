"""Points in time of a 4-D set: the next volume is read behind, panes stay as they are."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QObject, Signal

from carez_desktop.errors import CarezError
from carez_desktop.gui.view_hanging import TimePoint
from carez_desktop.gui.view_opening import ViewOpening
from carez_desktop.workspace.arrangement import Arrangement
from carez_desktop.workspace.layer import Layer

_KEPT_BYTES = 512 << 20


class ViewTimes(QObject):
    """Show one of several volumes of a set wherever another one of it is shown.

    Signals:
        changed: Another set, or another point of it.
        failed(CarezError): A point cannot be read.

    Attributes:
        points: Of the set; () where there is none.
        index: Of the point that is shown or being read.
    """

    changed = Signal()
    failed = Signal(object)

    def __init__(self, opening: ViewOpening, arrangement: Arrangement, parent: QObject) -> None:
        """Start without a set."""
        super().__init__(parent)
        self.points: tuple[TimePoint, ...] = ()
        self.index = 0
        self._opening = opening
        self._arrangement = arrangement
        self._shown: Layer | None = None
        self._kept: dict[str, Layer] = {}

    def take(self, points: tuple[TimePoint, ...], layer: Layer) -> None:
        """Follow the set of a layer that was opened."""
        self.points, self._shown = points, layer
        self._kept = {layer.volume.volume_id: layer}
        ids = [point.volume_id for point in points]
        own = layer.volume.volume_id
        self.index = ids.index(own) if own in ids else 0
        self.changed.emit()
        self._read_ahead()

    def clear(self) -> None:
        """Let go of the set."""
        self.points, self._shown, self.index = (), None, 0
        self._kept.clear()
        self.changed.emit()

    def step(self, by: int) -> None:
        """Go on in time, from the last point to the first."""
        if self.points:
            self.go_to((self.index + by) % len(self.points))

    def go_to(self, index: int) -> None:
        """Show a point in time; place, window and links stay."""
        if not 0 <= index < len(self.points) or index == self.index:
            return
        self.index = index
        self.changed.emit()
        wanted = self.points[index].volume_id
        if wanted in self._kept:
            self._show(wanted, self._kept[wanted])
            return
        self._read(wanted, "view.time", partial(self._show, wanted), is_seen=True)

    def _read(self, volume_id: str, key: str, then: partial[None], *, is_seen: bool) -> None:
        self._opening.read(
            volume_id,
            then,
            failed=self.failed.emit if is_seen else _passed_over,
            progress=_unsaid,
            key=key,
            visible=is_seen,
        )

    def _show(self, volume_id: str, layer: Layer) -> None:
        shown = self._shown
        self._keep(volume_id, layer)
        if shown is None or shown not in self._arrangement.layers:
            self.clear()
            return
        if not self.points or volume_id != self.points[self.index].volume_id or layer is shown:
            return
        layer.window, layer.inverted = shown.window, shown.inverted
        layer.interpolated, layer.colour_map = shown.interpolated, shown.colour_map
        self._shown = layer
        self._arrangement.replace(shown, layer)
        self._read_ahead()

    def _read_ahead(self) -> None:
        """Have the next point ready, as far as the memory for that goes."""
        if len(self.points) < 2:
            return
        wanted = self.points[(self.index + 1) % len(self.points)].volume_id
        if wanted not in self._kept:
            self._read(wanted, "view.time_ahead", partial(self._keep, wanted), is_seen=False)

    def _keep(self, volume_id: str, layer: Layer) -> None:
        if not any(point.volume_id == volume_id for point in self.points):
            return
        self._kept[volume_id] = layer
        while len(self._kept) > 2 and self._bytes() > _KEPT_BYTES:
            oldest = next(key for key, held in self._kept.items() if held is not self._shown)
            del self._kept[oldest]

    def _bytes(self) -> int:
        return sum(layer.volume.array.nbytes for layer in self._kept.values())


def _unsaid(_: str) -> None:
    """The slider itself tells where it is."""


def _passed_over(_: CarezError) -> None:
    """Reading ahead failed; asked for, the same read tells why."""
