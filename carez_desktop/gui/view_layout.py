"""How panes are arranged: three planes of a volume, two volumes side by side, or one plane."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QGridLayout, QWidget

from carez_desktop.gui.plane_note import PlaneNote
from carez_desktop.gui.slice_pane import SlicePane
from carez_desktop.gui.theme import Theme
from carez_desktop.rendering.slice_pipeline import SliceSampler, StackSampler, sampler_of
from carez_desktop.workspace.comparison import Comparison
from carez_desktop.workspace.plane_basis import Plane

Place = tuple[int, int, int, int]
_COLUMNS = 4
_ROWS = 6
_NOTE_PLACE: Place = (0, 3, _ROWS, 1)


def places(*, compared: bool, only: Plane | None) -> dict[tuple[str, Plane], Place]:
    """Return (row, column, row span, column span) of each pane shown, on a 6 x 4 grid.

    Args:
        compared: Whether a second volume is beside the first.
        only: One plane alone (of both volumes), or None for all.
    """
    if only is not None:
        if not compared:
            return {("left", only): (0, 0, _ROWS, _COLUMNS)}
        return {("left", only): (0, 0, _ROWS, 2), ("right", only): (0, 2, _ROWS, 2)}
    if not compared:
        return {
            ("left", Plane.AXIAL): (0, 0, _ROWS, 2),
            ("left", Plane.SAGITTAL): (0, 2, 3, 2),
            ("left", Plane.CORONAL): (3, 2, 3, 2),
        }
    found: dict[tuple[str, Plane], Place] = {}
    for role, column in (("left", 0), ("right", 2)):
        found[(role, Plane.AXIAL)] = (0, column, 4, 2)
        found[(role, Plane.SAGITTAL)] = (4, column, 2, 1)
        found[(role, Plane.CORONAL)] = (4, column + 1, 2, 1)
    return found


def acquired_places(comparison: Comparison, *, with_note: bool) -> dict[tuple[str, Plane], Place]:
    """Return the places of panes that show nothing but the acquired plane.

    Args:
        comparison: Has one slot for each volume.
        with_note: Leave a column for a `PlaneNote`.
    """
    slots = comparison.slots
    width = (_COLUMNS - 1 if with_note else _COLUMNS) // len(slots)
    return {
        (slot.role, slot.viewport.plane): (0, number * width, _ROWS, width)
        for number, slot in enumerate(slots)
    }


class PaneGrid(QWidget):
    """The panes of the View page.

    Signals:
        resample_requested: The person wants irregular slices on a regular grid.

    Attributes:
        panes: By role and plane; made once and shown where the layout wants them.
        only: The plane shown alone, or None.
        note: Why an irregular stack has no other planes, with the button that resamples it.
    """

    resample_requested = Signal()

    def __init__(self, theme: Theme) -> None:
        """Make the six panes, hidden."""
        super().__init__()
        self.setObjectName("canvas")
        self.only: Plane | None = None
        self._comparison: Comparison | None = None
        self._is_flat = False
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(2)
        for row in range(_ROWS):
            self._grid.setRowStretch(row, 1)
        for column in range(_COLUMNS):
            self._grid.setColumnStretch(column, 1)
        self.panes: dict[tuple[str, Plane], SlicePane] = {}
        for role in ("left", "right"):
            for plane in Plane:
                pane = SlicePane(theme, self)
                pane.hide()
                pane.maximise_requested.connect(lambda plane=plane: self.toggle_only(plane))
                self.panes[(role, plane)] = pane
        self.note = PlaneNote(
            theme, action=("Resample to a regular grid", self.resample_requested.emit)
        )
        self.note.setParent(self)
        self.note.hide()

    @property
    def comparison(self) -> Comparison | None:
        """What is shown."""
        return self._comparison

    @property
    def has_planes(self) -> bool:
        """Whether there are three planes to choose from."""
        return self._comparison is not None and not self._comparison.plane_refusal

    def show_comparison(self, comparison: Comparison, *, is_flat: bool | None = None) -> None:
        """Show one volume, or two beside each other.

        Args:
            comparison: What to show.
            is_flat: Arrange for one plane only; None where the comparison itself says so. A first
                slice is laid out as the whole will be.
        """
        self.release()
        self._comparison = comparison
        self._is_flat = bool(comparison.plane_refusal) if is_flat is None else is_flat
        samplers: dict[int, SliceSampler | StackSampler] = {}
        for slot in comparison.slots:
            if id(slot.layer) not in samplers:
                samplers[id(slot.layer)] = sampler_of(slot.layer)
            pane = self.panes[(slot.role, slot.viewport.plane)]
            pane.show_slot(slot, samplers[id(slot.layer)])
        if comparison.left.stack is not None:
            self.note.say(
                f"No other planes: {comparison.plane_refusal}. "
                "The slices are shown as they were acquired, at their true positions."
            )
        self._arrange()

    def release(self, message: str = "") -> None:
        """Let go of the volumes; the panes say why they are empty."""
        for pane in self.panes.values():
            pane.release(message)
        if self._comparison is not None:
            self._comparison.close()
        self._comparison = None

    def main_pane(self, role: str = "left") -> SlicePane:
        """Return the pane that keys act on while none has the keyboard."""
        comparison = self._comparison
        if comparison is not None and comparison.plane_refusal:
            slot = next(slot for slot in comparison.slots if slot.role == role)
            return self.panes[(role, slot.viewport.plane)]
        return self.panes[(role, self.only or Plane.AXIAL)]

    def toggle_only(self, plane: Plane) -> None:
        """Show one plane alone, or all again."""
        if self.has_planes:
            self.show_only(None if self.only is plane else plane)

    def show_only(self, plane: Plane | None) -> None:
        """Show one plane alone, or all with None."""
        self.only = plane
        self._arrange()

    def set_crosshair(self, shown: bool) -> None:
        """Show or hide the lines of the other planes."""
        self._each(lambda pane: setattr(pane, "shows_crosshair", shown))

    def set_overlays(self, shown: bool) -> None:
        """Show or hide the graphics of the source."""
        self._each(lambda pane: setattr(pane, "shows_overlays", shown))

    def _each(self, change: Callable[[SlicePane], None]) -> None:
        for pane in self.panes.values():
            change(pane)
            pane.update()

    def _arrange(self) -> None:
        if self._comparison is None:
            return
        compared = self._comparison.right is not None
        with_note = self._comparison.left.stack is not None and not compared
        if self._is_flat:
            wanted = acquired_places(self._comparison, with_note=with_note)
        else:
            wanted = places(compared=compared, only=self.only)
        for key, pane in self.panes.items():
            self._grid.removeWidget(pane)
            if key in wanted:
                self._grid.addWidget(pane, *wanted[key])
            pane.setVisible(key in wanted)
        self._grid.removeWidget(self.note)
        if with_note:
            self._grid.addWidget(self.note, *_NOTE_PLACE)
        self.note.setVisible(with_note)
