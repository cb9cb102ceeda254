"""Links between viewports in LPS millimetres, never in slice numbers.

A group holds viewports of one space: one frame of reference, or volumes that a registration or an
offset given by a person brought into it (`Arrangement`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from carez_desktop.domain.patient_space import FloatArray
from carez_desktop.domain.volume import Volume
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.plane_basis import rotated_basis, rotation_about
from carez_desktop.workspace.viewport import Viewport


def refusal_to_link(first: Volume, second: Volume) -> str:
    """Say why two volumes are not in one space; "" where they are."""
    if not first.frame_of_reference_uid or not second.frame_of_reference_uid:
        return "One of them names no frame of reference, so positions cannot be compared"
    if first.frame_of_reference_uid != second.frame_of_reference_uid:
        return "They lie in different frames of reference and are not registered"
    return ""


@dataclass(frozen=True, eq=False)
class _Member:
    viewport: Viewport
    receive: Callable[[], None]


@dataclass(frozen=True, eq=False)
class _LayerMember:
    layer: Layer
    receive: Callable[[], None]


class LinkGroup:
    """Viewports that move together, and layers that share their window.

    Attributes:
        links_position: Whether the crosshair (so the slice) is shared.
        links_view: Whether viewports of the same plane share pan, zoom, flips, turns, slab and
            the turn of an oblique plane.
        links_window: Whether layers of the same units share window and inversion.
    """

    def __init__(self) -> None:
        """Start empty, with everything linked."""
        self.links_position = True
        self.links_view = True
        self.links_window = True
        self._members: list[_Member] = []
        self._layers: list[_LayerMember] = []
        self._busy = False

    @property
    def viewports(self) -> tuple[Viewport, ...]:
        """Its members."""
        return tuple(member.viewport for member in self._members)

    def add(self, viewport: Viewport) -> None:
        """Link a viewport; it joins at the position of the group, if there are members."""

        def receive() -> None:
            self._spread(viewport)

        viewport.changed.connect(receive)
        self._members.append(_Member(viewport, receive))
        if len(self._members) > 1:
            self._spread(self._members[0].viewport)

    def add_layer(self, layer: Layer) -> None:
        """Link the window of a layer."""

        def receive() -> None:
            self._spread_window(layer)

        layer.changed.connect(receive)
        self._layers.append(_LayerMember(layer, receive))

    def remove(self, viewport: Viewport) -> None:
        """Take a viewport out; one that is no member is left alone."""
        for member in tuple(self._members):
            if member.viewport is viewport:
                viewport.changed.disconnect(member.receive)
                self._members.remove(member)

    def remove_layer(self, layer: Layer) -> None:
        """Stop linking the window of a layer."""
        for held in tuple(self._layers):
            if held.layer is layer:
                layer.changed.disconnect(held.receive)
                self._layers.remove(held)

    def clear(self) -> None:
        """Take every viewport and layer out."""
        for member in self._members:
            member.viewport.changed.disconnect(member.receive)
        for held in self._layers:
            held.layer.changed.disconnect(held.receive)
        self._members.clear()
        self._layers.clear()

    @property
    def cursor_lps(self) -> FloatArray | None:
        """(3,) position of the group in LPS mm; None while it is empty."""
        if not self._members:
            return None
        return self._members[0].viewport.cursor_lps

    def move_cursor(self, point_lps: npt.ArrayLike) -> None:
        """Move every member to a position of the group."""
        if self._members:
            self._members[0].viewport.cursor_lps = np.asarray(point_lps, dtype=np.float64)

    def turn_others(self, viewport: Viewport, angle: float) -> None:
        """Turn the lines of the other planes in a viewport: those planes, about its normal.

        Args:
            viewport: A member; it stays as it is.
            angle: In radians, clockwise on its screen.
        """
        rotation = rotation_about(np.cross(viewport.right, viewport.down), angle)
        was_busy, self._busy = self._busy, True
        try:
            for member in self._members:
                if member.viewport.plane is not viewport.plane:
                    member.viewport.rotate(rotation)
        finally:
            self._busy = was_busy

    def _spread(self, source: Viewport) -> None:
        if self._busy:
            return
        self._busy = True
        try:
            origin = next(m for m in self._members if m.viewport is source)
            for member in self._members:
                if member is not origin:
                    self._follow(origin, member)
        finally:
            self._busy = False

    def _follow(self, origin: _Member, member: _Member) -> None:
        source, target = origin.viewport, member.viewport
        if self.links_position:
            target.cursor_lps = source.cursor_lps
        if not self.links_view or target.plane is not source.plane:
            return
        target.set_flips(*source.flips)
        target.set_turns(source.turns)
        target.set_slab(source.slab)
        if source.is_turned:
            target.set_basis(rotated_basis(source.basis, np.eye(3), target.geometry))
        else:
            target.reset_plane()
        if source.is_fitted and source.geometry.is_close_to(target.geometry):
            if not target.is_fitted:
                target.fit()
        else:
            target.show(source.centre_lps, source.mm_per_pixel)

    def _spread_window(self, source: Layer) -> None:
        if self._busy or not self.links_window:
            return
        self._busy = True
        try:
            for held in self._layers:
                if held.layer is not source and held.layer.volume.units == source.volume.units:
                    held.layer.window = source.window
                    held.layer.inverted = source.inverted
        finally:
            self._busy = False
