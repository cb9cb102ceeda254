"""What a pane showed, while it is filled anew with other layers or in another space."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from carez_desktop.workspace.compare_settings import CompareSettings
from carez_desktop.workspace.pane import Pane, PlacedLayer
from carez_desktop.workspace.plane_basis import Plane, rotated_basis
from carez_desktop.workspace.viewport import Viewport


@dataclass(frozen=True, eq=False)
class KeptPane:
    """What a pane showed.

    Attributes:
        plane: None for an empty one.
        viewport: Its place and magnification, where they still mean something.
    """

    pane: Pane
    base: PlacedLayer | None
    second: PlacedLayer | None
    overlays: tuple[PlacedLayer, ...]
    settings: CompareSettings
    plane: Plane | None
    viewport: Viewport | None

    @classmethod
    def of(cls, pane: Pane) -> KeptPane:
        """Take down what a pane shows."""
        viewport = pane.viewport
        plane = viewport.plane if viewport is not None else None
        return cls(pane, pane.base, pane.second, pane.overlays, pane.settings, plane, viewport)

    @property
    def elsewhere(self) -> KeptPane:
        """The same without its place, for another plane or another space."""
        return replace(self, viewport=None)


def look_alike(viewport: Viewport, before: Viewport, *, with_place: bool) -> None:
    """Give a new viewport the sides, place and magnification of the one before."""
    viewport.resize(*before.size)
    viewport.set_flips(*before.flips)
    viewport.set_turns(before.turns)
    if not with_place or before.plane is not viewport.plane:
        return
    if before.is_turned:
        viewport.set_basis(rotated_basis(before.basis, np.eye(3), viewport.geometry))
    viewport.set_slab(before.slab)
    viewport.cursor_lps = before.cursor_lps
    if not before.is_fitted:
        viewport.show(before.centre_lps, before.mm_per_pixel)
