"""Open layers, the spaces in which they lie, and what is linked with what.

Layers whose positions can be compared share a space, in the LPS millimetres of the layer that
opened it; every other layer of it carries a rigid matrix from there to its own millimetres. Windows
that show the same layers on several screens share all of this.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from carez_desktop.domain.alignment import Alignment, AlignmentMethod
from carez_desktop.domain.patient_space import FloatArray
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.link_group import LinkGroup, refusal_to_link
from carez_desktop.workspace.pane import Pane


@dataclass(eq=False)
class Space:
    """Layers in one space, and the links of the viewports in it."""

    reference: Layer
    group: LinkGroup
    to_layer: dict[Layer, FloatArray]


class Sheet(Protocol):
    """The panes of one window."""

    @property
    def all_panes(self) -> tuple[Pane, ...]:
        """Every pane that may show a layer."""

    def tell(self) -> None:
        """Say that layers or links are others now."""


class OpenLayers:
    """Layers, spaces and links; whoever changes them tells every sheet.

    Attributes:
        layers: In the order of opening.
        sheets: Windows that show them.
    """

    def __init__(self, alignments: Iterable[Alignment] = ()) -> None:
        """Start without layers.

        Args:
            alignments: Known from earlier; used when both of their volumes are open.
        """
        self.layers: list[Layer] = []
        self.sheets: list[Sheet] = []
        self._spaces: list[Space] = []
        # Windows are shared whether or not positions can be compared.
        self._windows = LinkGroup()
        self._known = {(item.fixed_id, item.moving_id): item for item in alignments}
        self._links = {"links_position": True, "links_view": True, "links_window": True}

    # -- where layers lie ----------------------------------------------------------------------

    def space_of(self, layer: Layer) -> Space:
        """Return the space of an open layer.

        Raises:
            KeyError: It is not open.
        """
        for space in self._spaces:
            if layer in space.to_layer:
                return space
        raise KeyError(layer.title)

    def link_refusal(self, first: Layer, second: Layer) -> str:
        """Say why positions of two open layers cannot be compared; "" where they can."""
        if second in self.space_of(first).to_layer:
            return ""
        return _refusal(first, second)

    def alignment_between(self, first: Layer, second: Layer) -> Alignment | None:
        """Return how two layers are brought into one space, if by more than their frame."""
        ids = (first.volume.volume_id, second.volume.volume_id)
        if ids in self._known:
            return self._known[ids]
        other = self._known.get((ids[1], ids[0]))
        return other.inverse if other is not None else None

    def by_id(self, volume_id: str) -> Layer | None:
        """Return the open layer of a volume."""
        return next((x for x in self.layers if x.volume.volume_id == volume_id), None)

    # -- opening and closing -------------------------------------------------------------------

    def add(self, layer: Layer) -> None:
        """Take a layer, in the space of an open one where their positions can be compared."""
        self.layers.append(layer)
        self.place(layer)
        self._windows.add_layer(layer)

    def remove(self, layer: Layer) -> None:
        """Let a layer go; no pane shows it any longer."""
        self.layers.remove(layer)
        self._windows.remove_layer(layer)
        self.leave(layer)

    def place(self, layer: Layer) -> None:
        """Put a layer that is in no space into that of an open one, else into a new one."""
        for space in self._spaces:
            for other, matrix in tuple(space.to_layer.items()):
                known = self.alignment_between(other, layer)
                if known is not None:
                    space.to_layer[layer] = known.matrix @ matrix
                    return
                if not _refusal(other, layer):
                    space.to_layer[layer] = matrix
                    return
        space = Space(layer, LinkGroup(), {layer: np.eye(4)})
        for name, on in self._links.items():
            setattr(space.group, name, on)
        self._spaces.append(space)

    def leave(self, layer: Layer) -> None:
        """Take a layer out of its space."""
        space = self.space_of(layer)
        del space.to_layer[layer]
        if not space.to_layer:
            space.group.clear()
            self._spaces.remove(space)

    # -- aligning and linking ------------------------------------------------------------------

    def know(self, alignment: Alignment) -> None:
        """Keep an alignment for layers of these volumes."""
        self._known[alignment.fixed_id, alignment.moving_id] = alignment

    def forget(self, fixed_id: str, moving_id: str) -> None:
        """Forget how two volumes were aligned."""
        self._known.pop((fixed_id, moving_id), None)
        self._known.pop((moving_id, fixed_id), None)

    def bring(self, moving: Layer, fixed: Layer, alignment: Alignment) -> None:
        """Bring a layer into the space of another one."""
        self.leave(moving)
        space = self.space_of(fixed)
        space.to_layer[moving] = alignment.matrix @ space.to_layer[fixed]

    def set_link(self, name: str, on: bool) -> None:
        """Switch a kind of link for every space.

        Raises:
            KeyError: There is none of that name.
        """
        if name not in self._links:
            raise KeyError(name)
        self._links[name] = on
        for space in self._spaces:
            setattr(space.group, name, on)
        setattr(self._windows, name, on)

    def is_linked(self, name: str) -> bool:
        """Whether a kind of link is on."""
        return self._links[name]


def same_source(fixed: Layer, moving: Layer) -> Alignment:
    """Return that a layer was made from the other, on its space, under a mapped frame."""
    ids = (fixed.volume.volume_id, moving.volume.volume_id)
    return Alignment(*ids, np.eye(4), AlignmentMethod.SAME_SOURCE)


def _refusal(first: Layer, second: Layer) -> str:
    for layer in (first, second):
        if layer.is_cine or not layer.is_positioned:
            return f"{layer.title} has no position in the patient"
    return refusal_to_link(first.volume, second.volume)
