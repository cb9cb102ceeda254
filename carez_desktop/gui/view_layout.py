"""How panes are arranged: three planes of a volume, two volumes side by side, or one plane."""

from __future__ import annotations

from PySide6.QtWidgets import QGridLayout, QWidget

from carez_desktop.gui.slice_pane import SlicePane
from carez_desktop.gui.theme import Theme
from carez_desktop.rendering.slice_pipeline import SliceSampler
from carez_desktop.workspace.comparison import Comparison
from carez_desktop.workspace.viewport import Plane

Place = tuple[int, int, int, int]
_COLUMNS = 4
_ROWS = 6


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


class PaneGrid(QWidget):
    """The panes of the View page.

    Attributes:
        panes: By role and plane; made once and shown where the layout wants them.
        only: The plane shown alone, or None.
    """

    def __init__(self, theme: Theme) -> None:
        """Make the six panes, hidden."""
        super().__init__()
        self.setObjectName("canvas")
        self.only: Plane | None = None
        self._comparison: Comparison | None = None
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

    @property
    def comparison(self) -> Comparison | None:
        """What is shown."""
        return self._comparison

    def show_comparison(self, comparison: Comparison) -> None:
        """Show one volume, or two beside each other."""
        self.release()
        self._comparison = comparison
        samplers: dict[int, SliceSampler] = {}
        for slot in comparison.slots:
            volume = slot.layer.volume
            if id(volume) not in samplers:
                samplers[id(volume)] = SliceSampler(volume)
            sampler = samplers[id(volume)]
            self.panes[(slot.role, slot.viewport.plane)].show_slot(slot, sampler)
        self._arrange()

    def release(self) -> None:
        """Let go of the volumes."""
        for pane in self.panes.values():
            pane.release()
        if self._comparison is not None:
            self._comparison.close()
        self._comparison = None

    def toggle_only(self, plane: Plane) -> None:
        """Show one plane alone, or all again."""
        self.show_only(None if self.only is plane else plane)

    def show_only(self, plane: Plane | None) -> None:
        """Show one plane alone, or all with None."""
        self.only = plane
        self._arrange()

    def set_crosshair(self, shown: bool) -> None:
        """Show or hide the lines of the other planes."""
        for pane in self.panes.values():
            pane.shows_crosshair = shown
            pane.update()

    def _arrange(self) -> None:
        if self._comparison is None:
            return
        wanted = places(compared=self._comparison.right is not None, only=self.only)
        for key, pane in self.panes.items():
            self._grid.removeWidget(pane)
            if key in wanted:
                self._grid.addWidget(pane, *wanted[key])
            pane.setVisible(key in wanted)
