"""What the View page shows: one volume in three planes, or two volumes beside each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from carez_desktop.domain.volume import Volume, VolumeKind
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.link_group import LinkGroup, refusal_to_link
from carez_desktop.workspace.plane_basis import Plane, acquired_plane
from carez_desktop.workspace.stack_viewport import StackViewport
from carez_desktop.workspace.viewport import Viewport

ROLES = ("left", "right")


@dataclass(frozen=True, eq=False)
class ViewSlot:
    """One pane's worth: a layer through a viewport."""

    role: str
    layer: Layer
    viewport: Viewport


class Comparison:
    """One or two layers in three planes each, linked where they lie in one space.

    Attributes:
        slots: Panes in the order left axial, sagittal, coronal, then right ones; where one of the
            two has only its acquired plane, one for each.
        group: Links of the viewports and windows; the right volume is outside it while
            `link_refusal` is not empty.
        plane_refusal: Why there is one pane for each volume, its acquired plane; "" for three.
        link_refusal: Why the two are not linked in position; "" where they are.
    """

    def __init__(
        self, left: Layer, right: Layer | None = None, *, same_space: bool = False
    ) -> None:
        """Build viewports and links.

        Args:
            left: Always there; the real volume of a pair.
            right: Shown beside it.
            same_space: The right volume was made from the left one, on its space, although its
                frame of reference is a mapped one.
        """
        self.left = left
        self.right = right
        self.group = LinkGroup()
        self.right_group = self.group
        self.link_refusal = ""
        layers = [layer for layer in (left, right) if layer is not None]
        self.plane_refusal = next((x.plane_refusal for x in layers if x.plane_refusal), "")
        self._slots: list[ViewSlot] = []
        for viewport in self._viewports(left):
            self._slots.append(ViewSlot("left", left, viewport))
            self.group.add(viewport)
        self.group.add_layer(left)
        if right is not None:
            self._add_right(right, same_space=same_space)

    def _viewports(self, layer: Layer) -> list[Viewport]:
        """Return the three planes of a layer, or its acquired one where one has no others."""
        geometry = layer.volume.geometry
        if not self.plane_refusal:
            return [Viewport(plane, geometry) for plane in Plane]
        if layer.stack is not None:
            return [StackViewport(layer.stack.geometries)]
        in_array_order = layer.is_cine or not layer.is_positioned
        return [Viewport(acquired_plane(geometry), geometry, in_array_order=in_array_order)]

    def _add_right(self, right: Layer, *, same_space: bool) -> None:
        if not same_space:
            self.link_refusal = _refusal_to_link(self.left, right)
        if self.link_refusal:
            self.right_group = LinkGroup()
        for viewport in self._viewports(right):
            self._slots.append(ViewSlot("right", right, viewport))
            self.right_group.add(viewport)
        self.group.add_layer(right)
        if right.volume.units == self.left.volume.units:
            right.window = self.left.window
            right.inverted = self.left.inverted

    @property
    def slots(self) -> tuple[ViewSlot, ...]:
        """Every pane's layer and viewport."""
        return tuple(self._slots)

    @property
    def groups(self) -> tuple[LinkGroup, ...]:
        """The link group of the left volume, and that of the right one where it is apart."""
        return (self.group,) if self.right_group is self.group else (self.group, self.right_group)

    def slot(self, role: str, plane: Plane) -> ViewSlot:
        """Return the pane of a role and a plane.

        Raises:
            KeyError: There is no right volume.
        """
        for slot in self._slots:
            if slot.role == role and slot.viewport.plane is plane:
                return slot
        raise KeyError(f"{role} {plane}")

    def link_by_centres(self) -> None:
        """Link the right volume by an offset that lays both centres onto each other.

        For volumes in different frames of reference; the person asked for it expressly.
        """
        if not self.link_refusal or self.right is None:
            return
        offset = self.right.volume.geometry.centre_lps - self.left.volume.geometry.centre_lps
        self.right_group.clear()
        self.right_group = self.group
        for slot in self._slots:
            if slot.role == "right":
                self.group.add(slot.viewport, np.asarray(offset))
        self.link_refusal = ""

    def close(self) -> None:
        """Cut every link, so that nothing keeps the volumes alive."""
        for group in self.groups:
            group.clear()


def _refusal_to_link(left: Layer, right: Layer) -> str:
    """Say why positions of two layers are not comparable; "" where they are."""
    for layer in (left, right):
        if layer.is_cine or not layer.is_positioned:
            return f"{layer.title} has no position in the patient"
    return refusal_to_link(left.volume, right.volume)


def order_for_comparison(first: Volume, second: Volume) -> tuple[Volume, Volume]:
    """Put the real volume left and the synthetic one right."""
    if first.kind is VolumeKind.SYNTHETIC and second.kind is not VolumeKind.SYNTHETIC:
        return (second, first)
    return (first, second)
