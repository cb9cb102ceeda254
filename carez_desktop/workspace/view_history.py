"""What the view looked like before and after each change, so that it can be taken back.

A snapshot holds how things are shown (layout, planes, sides, slabs, magnification, windows,
colours, compare modes), never where the crosshair is: going through slices is no change that anyone
takes back. Opening or closing a volume begins a new history.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from carez_desktop.domain.patient_space import FloatArray
from carez_desktop.workspace.arrangement import Arrangement
from carez_desktop.workspace.compare_settings import CompareSettings
from carez_desktop.workspace.display_window import DisplayWindow
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.layouts import Layout
from carez_desktop.workspace.pane import Pane
from carez_desktop.workspace.plane_basis import Plane, PlaneBasis
from carez_desktop.workspace.slab import Slab
from carez_desktop.workspace.undo import UndoStack
from carez_desktop.workspace.viewport import Viewport

_UNNAMED = "Change of the view"
_LINKS = ("links_position", "links_view", "links_window")


@dataclass(frozen=True, eq=False)
class LayerLooks:
    """How one layer is shown; its window is a table of the source where `lut` is one."""

    layer: Layer
    window: DisplayWindow
    lut: object
    inverted: bool
    interpolated: bool
    colour_map: str

    @classmethod
    def of(cls, layer: Layer) -> LayerLooks:
        """Take them from a layer."""
        return cls(
            layer,
            layer.window,
            layer.lut,
            layer.inverted,
            layer.interpolated,
            layer.colour_map,
        )

    def is_same(self, other: LayerLooks) -> bool:
        """Whether nothing differs that can be seen."""
        return (
            self.layer is other.layer
            and self.window == other.window
            and self.lut is other.lut
            and (self.inverted, self.interpolated, self.colour_map)
            == (other.inverted, other.interpolated, other.colour_map)
        )

    def restore(self) -> None:
        """Show the layer like this again."""
        layer = self.layer
        preset = next((x for x in layer.presets if x.lut is self.lut and self.lut), None)
        if preset is not None:
            layer.show_preset(preset)
        else:
            layer.window = self.window
        layer.inverted = self.inverted
        layer.interpolated = self.interpolated
        layer.colour_map = self.colour_map


@dataclass(frozen=True, eq=False)
class PaneLooks:
    """How one pane shows what it shows."""

    base: Layer
    plane: Plane
    basis: PlaneBasis
    flips: tuple[bool, bool]
    turns: int
    slab: Slab
    centre_lps: FloatArray
    mm_per_pixel: float
    is_fitted: bool
    settings: CompareSettings

    @classmethod
    def of(cls, pane: Pane) -> PaneLooks | None:
        """Take them from a pane; None from an empty one."""
        viewport = pane.viewport
        if pane.base is None or viewport is None:
            return None
        return cls(
            pane.base.layer,
            viewport.plane,
            viewport.basis,
            viewport.flips,
            viewport.turns,
            viewport.slab,
            viewport.centre_lps,
            viewport.mm_per_pixel,
            viewport.is_fitted,
            pane.settings,
        )

    def is_same(self, other: PaneLooks | None) -> bool:
        """Whether nothing differs that can be seen."""
        if other is None or self.base is not other.base or self.is_fitted != other.is_fitted:
            return False
        mine = (self.plane, self.flips, self.turns, self.slab, self.settings)
        theirs = (other.plane, other.flips, other.turns, other.slab, other.settings)
        moved = not self.is_fitted and not (
            np.allclose(self.centre_lps, other.centre_lps, rtol=0.0, atol=1e-9)
            and self.mm_per_pixel == other.mm_per_pixel
        )
        return mine == theirs and not moved and _is_same_basis(self.basis, other.basis)

    def restore(self, pane: Pane, viewport: Viewport) -> None:
        """Show the pane's layer like this again."""
        if not _is_same_basis(self.basis, viewport.basis):
            viewport.set_basis(self.basis)
        viewport.set_flips(*self.flips)
        viewport.set_turns(self.turns)
        viewport.set_slab(self.slab)
        if not self.is_fitted:
            viewport.show(self.centre_lps, self.mm_per_pixel)
        elif not viewport.is_fitted:
            viewport.fit()
        pane.set_settings(self.settings)


@dataclass(frozen=True, eq=False)
class ViewSnapshot:
    """How an arrangement shows its layers."""

    layout: Layout
    maximised: int | None
    panes: tuple[PaneLooks | None, ...]
    layers: tuple[LayerLooks, ...]

    @classmethod
    def of(cls, arrangement: Arrangement) -> ViewSnapshot:
        """Take it from an arrangement."""
        return cls(
            arrangement.layout,
            arrangement.maximised,
            tuple(PaneLooks.of(pane) for pane in arrangement.panes),
            tuple(LayerLooks.of(layer) for layer in arrangement.layers),
        )

    def is_same(self, other: ViewSnapshot) -> bool:
        """Whether nothing differs that can be seen."""
        return (
            (self.layout, self.maximised) == (other.layout, other.maximised)
            and len(self.layers) == len(other.layers)
            and all(a.is_same(b) for a, b in zip(self.layers, other.layers, strict=True))
            and all(
                b is None if a is None else a.is_same(b)
                for a, b in zip(self.panes, other.panes, strict=True)
            )
        )

    def restore(self, arrangement: Arrangement) -> None:
        """Show the arrangement like this again; what was opened since stays as it is."""
        links = {name: arrangement.is_linked(name) for name in _LINKS}
        for name in _LINKS:
            arrangement.set_link(name, False)
        try:
            self._restore(arrangement)
        finally:
            for name, on in links.items():
                arrangement.set_link(name, on)

    def _restore(self, arrangement: Arrangement) -> None:
        if arrangement.layout != self.layout:
            arrangement.set_layout(self.layout)
        for index, looks in enumerate(self.panes):
            pane = arrangement.panes[index]
            if looks is None or pane.base is None or pane.base.layer is not looks.base:
                continue
            if pane.viewport is not None and pane.viewport.plane is not looks.plane:
                arrangement.show_plane(index, looks.plane)
            viewport = arrangement.panes[index].viewport
            if viewport is not None:
                looks.restore(arrangement.panes[index], viewport)
        open_layers = arrangement.layers
        for held in self.layers:
            if any(held.layer is layer for layer in open_layers):
                held.restore()
        if arrangement.maximised != self.maximised:
            arrangement.maximise(self.maximised)


class ViewHistory:
    """Record what changes an arrangement, whoever changed it.

    Whoever knows a change by name tells when it begins and ends; other changes are found by looking
    again once they have come to rest (`settle`).
    """

    def __init__(self, arrangement: Arrangement, changes: UndoStack) -> None:
        """Begin with the arrangement as it is.

        Args:
            arrangement: What is looked at.
            changes: Takes what changed.
        """
        self._arrangement = arrangement
        self._changes = changes
        self._settled: ViewSnapshot | None = None
        self._title = ""
        self._layers: tuple[Layer, ...] = arrangement.layers
        arrangement.changed.connect(self._forget_closed)
        changes.asked.connect(self.settle)

    def begin(self, title: str) -> None:
        """Tell that a change begins; what goes on until its end is one change."""
        if not self._title:
            self.settle()
            self._title = title

    def end(self) -> None:
        """Tell that the change is over; nothing is kept where nothing differs."""
        title, self._title = self._title, ""
        self.settle(title)

    def settle(self, title: str = "") -> None:
        """Look again, and keep what changed since the last look."""
        if self._title:
            return
        before, now = self._settled, ViewSnapshot.of(self._arrangement)
        self._settled = now
        if before is not None and not before.is_same(now):
            self._changes.record(
                title or _UNNAMED, lambda: self._show(before), lambda: self._show(now)
            )

    def _show(self, snapshot: ViewSnapshot) -> None:
        snapshot.restore(self._arrangement)
        self._settled = ViewSnapshot.of(self._arrangement)

    def _forget_closed(self) -> None:
        """Begin anew where a volume was opened or closed."""
        layers = self._arrangement.layers
        if layers != self._layers:
            self._layers = layers
            self._settled, self._title = None, ""
            self._changes.clear()


def _is_same_basis(one: PlaneBasis, other: PlaneBasis) -> bool:
    return one is other or (
        np.array_equal(one.right, other.right)
        and np.array_equal(one.down, other.down)
        and np.array_equal(one.forward, other.forward)
    )
