"""What the View page shows: open layers, the panes of a layout, and what is linked with what.

Viewports, crosshair and links live in the space that layers share (`OpenLayers`); a layer of the
space carries a rigid matrix from there to its own millimetres, so that a registered volume needs no
special case.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
from psygnal import Signal

from carez_desktop.domain.alignment import Alignment
from carez_desktop.domain.patient_space import FloatArray
from carez_desktop.workspace.compare_settings import CompareSettings
from carez_desktop.workspace.kept_pane import KeptPane, look_alike
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.layouts import Layout, layout_of
from carez_desktop.workspace.link_group import LinkGroup
from carez_desktop.workspace.open_layers import OpenLayers, Space
from carez_desktop.workspace.pane import Pane, PlacedLayer, geometry_in_space
from carez_desktop.workspace.plane_basis import Plane, acquired_plane, plane_bases
from carez_desktop.workspace.stack_viewport import StackViewport
from carez_desktop.workspace.viewport import Viewport


@dataclass(frozen=True, eq=False)
class PaneContent:
    """What a hanging wants in one pane; a plane of None is the acquired one."""

    layer: Layer
    plane: Plane | None = None
    second: Layer | None = None
    settings: CompareSettings = field(default_factory=CompareSettings)


class Arrangement:
    """Open layers in the panes of a layout.

    Attributes:
        active: Index of the pane that keys act on.
        maximised: Index of the pane shown alone, or None.
        changed: Layers, layout or links are others now.
        active_changed: Keys act on another pane.
    """

    changed: ClassVar[Signal] = Signal()
    active_changed: ClassVar[Signal] = Signal()

    def __init__(
        self,
        layout: Layout | None = None,
        alignments: Iterable[Alignment] = (),
        *,
        beside: OpenLayers | None = None,
    ) -> None:
        """Start without layers, or with those of another window.

        Args:
            layout: Panes to begin with; one without.
            alignments: Known from earlier; used when both of their volumes are open.
            beside: Layers of another window, to be shown in further panes and linked with its own.
        """
        self.active = 0
        self.maximised: int | None = None
        self._layout = layout or layout_of("1x1")
        self._panes = [Pane(index) for index in range(len(self._layout.cells))]
        self._parked: list[Pane] = []
        self._open = beside or OpenLayers(alignments)
        self._open.sheets.append(self)

    # -- what is there -------------------------------------------------------------------------

    @property
    def layout(self) -> Layout:
        """Into which panes the page is cut."""
        return self._layout

    @property
    def open_layers(self) -> OpenLayers:
        """What is open, for a second window that shows the same layers."""
        return self._open

    @property
    def panes(self) -> tuple[Pane, ...]:
        """One for each cell of the layout, in its order."""
        return tuple(self._panes)

    @property
    def all_panes(self) -> tuple[Pane, ...]:
        """Panes of the layout, then those kept aside until a layout has room for them."""
        return (*self._panes, *self._parked)

    @property
    def active_pane(self) -> Pane:
        """The pane that keys act on."""
        return self._panes[self.active]

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Open layers in the order of opening."""
        return tuple(self._open.layers)

    def group_of(self, layer: Layer) -> LinkGroup:
        """Return the links of the space of an open layer."""
        return self._open.space_of(layer).group

    def to_layer(self, base: Layer, layer: Layer) -> FloatArray:
        """(4, 4): LPS mm of the space of `base` to LPS mm of an open layer of that space.

        Raises:
            KeyError: They lie in different spaces; `link_refusal` says why.
        """
        return self._open.space_of(base).to_layer[layer]

    def link_refusal(self, first: Layer, second: Layer) -> str:
        """Say why positions of two open layers cannot be compared; "" where they can."""
        return self._open.link_refusal(first, second)

    def alignment_between(self, first: Layer, second: Layer) -> Alignment | None:
        """Return how two open layers were brought into one space, if by more than their frame."""
        return self._open.alignment_between(first, second)

    # -- layers --------------------------------------------------------------------------------

    def open(self, layer: Layer) -> None:
        """Take a layer, in the space of an open one where their positions can be compared."""
        if layer not in self._open.layers:
            self._open.add(layer)
            self._tell()

    def close(self, layer: Layer) -> None:
        """Let a layer go, with every pane that shows it."""
        if layer not in self._open.layers:
            return
        for pane in self._every_pane():
            if pane.base is not None and pane.base.layer is layer:
                self._clear(pane)
            elif layer in pane.layers:
                self._drop_from(pane, layer)
        self._open.remove(layer)
        self._tell()

    def close_unseen(self) -> None:
        """Let go of the layers that no pane shows."""
        for layer in self.layers:
            if not any(layer in pane.layers for pane in self._every_pane()):
                self.close(layer)

    def close_all(self) -> None:
        """Let every layer go, and cut every link."""
        for layer in self.layers:
            self.close(layer)

    def align(self, alignment: Alignment) -> None:
        """Bring two open volumes into one space by an alignment; it is kept for later layers.

        The moving layer joins the space of the fixed one and its panes are shown again there.
        """
        self._open.know(alignment)
        moving = self._open.by_id(alignment.moving_id)
        fixed = self._open.by_id(alignment.fixed_id)
        if moving is None or fixed is None or moving is fixed:
            return
        with self._shown_again(moving):
            self._open.bring(moving, fixed, alignment)
        self._tell()

    def separate(self, fixed_id: str, moving_id: str) -> None:
        """Forget an alignment; the moving layer goes back to where it lies without it."""
        self._open.forget(fixed_id, moving_id)
        moving = self._open.by_id(moving_id)
        if moving is not None:
            with self._shown_again(moving):
                self._open.leave(moving)
                self._open.place(moving)
            self._tell()

    @contextmanager
    def _shown_again(self, layer: Layer) -> Iterator[None]:
        """Empty the panes of a layer while its space changes, then fill them as they were."""
        kept = [
            (KeptPane.of(pane), self._open.space_of(pane.base.layer))
            for pane in self._every_pane()
            if pane.base is not None and layer in pane.layers
        ]
        for held, _ in kept:
            self._clear(held.pane)
        yield
        for held, space in kept:
            if held.base is not None and self._open.space_of(held.base.layer) is not space:
                held = held.elsewhere
            self._fill_again(held, held.base)

    def replace(self, old: Layer, new: Layer) -> None:
        """Show another layer wherever an open one is shown, at the same planes and places.

        The next volume of a time series, or of the list; zoom and position stay where both lie in
        one space.
        """
        if new is old or old not in self._open.layers:
            return
        kept = [KeptPane.of(pane) for pane in self._every_pane() if old in pane.layers]
        self.open(new)
        for held in kept:
            self._clear(held.pane)
            self._fill_again(held, held.base, {old: new})
        self.close(old)

    def set_link(self, name: str, on: bool) -> None:
        """Switch one of `links_position`, `links_view`, `links_window` for every space."""
        self._open.set_link(name, on)

    def is_linked(self, name: str) -> bool:
        """Whether a kind of link is on."""
        return self._open.is_linked(name)

    # -- panes ---------------------------------------------------------------------------------

    def set_layout(self, layout: Layout) -> None:
        """Cut the page anew; panes keep what they show, those without a cell are kept aside."""
        wanted = len(layout.cells)
        stock = [*self._panes, *self._parked]
        while len(stock) < wanted:
            stock.append(Pane(len(stock)))
        self._panes, self._parked = stock[:wanted], stock[wanted:]
        self._layout, self.maximised = layout, None
        self.active = min(self.active, wanted - 1)
        self.changed.emit()

    def hang(self, layout: Layout, contents: Sequence[PaneContent | None]) -> None:
        """Cut the page anew and fill it; panes beyond the contents stay empty."""
        for pane in (*self._panes, *self._parked):
            self._clear(pane)
        self._parked.clear()
        self._panes = [Pane(index) for index in range(len(layout.cells))]
        self._layout, self.maximised, self.active = layout, None, 0
        for pane, content in zip(self._panes, contents, strict=False):
            if content is not None:
                self.open(content.layer)
                self._fill(pane, content)
        self.changed.emit()

    def show(self, index: int, layer: Layer, plane: Plane | None = None) -> None:
        """Show a layer in a pane (a series dropped on it); None is its acquired plane."""
        self.open(layer)
        pane = self._panes[index]
        self._clear(pane)
        self._fill(pane, PaneContent(layer, plane))
        self.changed.emit()

    def show_plane(self, index: int, plane: Plane) -> str:
        """Show another plane of a pane's layer; return why there is none, or ""."""
        pane = self._panes[index]
        if pane.base is None:
            return "The pane shows nothing"
        if pane.base.layer.plane_refusal:
            return pane.base.layer.plane_refusal
        held = KeptPane.of(pane).elsewhere
        self._clear(pane)
        self._fill_again(held, held.base, plane=plane)
        self.changed.emit()
        return ""

    def fill_empty(self) -> None:
        """Show the planes of open layers that no pane shows in the panes that show nothing."""
        wanted = [(x, plane) for x in self.layers if not x.plane_refusal for plane in Plane]
        for pane in self._panes:
            if pane.base is not None and pane.viewport is not None:
                shown = (pane.base.layer, pane.viewport.plane)
                wanted = [item for item in wanted if item != shown]
        for pane in self._panes:
            if pane.base is None and wanted:
                self._fill(pane, PaneContent(*wanted.pop(0)))
        self.changed.emit()

    def activate(self, index: int) -> None:
        """Let keys act on a pane."""
        if index != self.active and 0 <= index < len(self._panes):
            self.active = index
            self.active_changed.emit()

    def compare(self, index: int, second: Layer | None, settings: CompareSettings) -> str:
        """Compare a pane's layer with a second one; return why that is not possible, or ""."""
        pane = self._panes[index]
        if pane.base is None:
            return "The pane shows nothing to compare with"
        if second is not None:
            self.open(second)
            refusal = self.link_refusal(pane.base.layer, second)
            if refusal:
                return refusal
            placed = PlacedLayer(second, self.to_layer(pane.base.layer, second))
            pane.compare_with(placed)
        else:
            pane.compare_with(None)
        pane.set_settings(settings)
        return ""

    def lay_over(self, index: int, layer: Layer, *, opacity: float, outlined: bool) -> str:
        """Lay a label map or a second modality over a pane; return why not, or ""."""
        pane = self._panes[index]
        if pane.base is None:
            return "The pane shows nothing to lay it over"
        self.open(layer)
        refusal = self.link_refusal(pane.base.layer, layer)
        if refusal:
            return refusal
        kept = [item for item in pane.overlays if item.layer is not layer]
        matrix = self.to_layer(pane.base.layer, layer)
        pane.set_overlays([*kept, PlacedLayer(layer, matrix, opacity, outlined)])
        return ""

    def maximise(self, index: int | None) -> None:
        """Show one pane alone, or all again with None."""
        self.maximised = index
        self.changed.emit()

    # -- several windows -----------------------------------------------------------------------

    def leave(self) -> None:
        """Empty these panes for good: the window on another screen closes."""
        for pane in self.all_panes:
            self._clear(pane)
        if self in self._open.sheets:
            self._open.sheets.remove(self)
        self._tell()

    def tell(self) -> None:
        """Say that layers, layout or links are others now."""
        self.changed.emit()

    def _every_pane(self) -> tuple[Pane, ...]:
        """Panes of every window that shows these layers."""
        return tuple(pane for sheet in self._open.sheets for pane in sheet.all_panes)

    def _tell(self) -> None:
        for sheet in tuple(self._open.sheets):
            sheet.tell()

    # -- filling panes -------------------------------------------------------------------------

    def _fill(self, pane: Pane, content: PaneContent) -> None:
        layer = content.layer
        space = self._open.space_of(layer)
        viewport = self._viewport(space, layer, content.plane)
        pane.show(PlacedLayer(layer, space.to_layer[layer]), viewport)
        space.group.add(viewport)
        second = content.second
        if second is not None:
            self.open(second)
            if not self.link_refusal(layer, second):
                pane.compare_with(PlacedLayer(second, self.to_layer(layer, second)))
        pane.set_settings(content.settings)

    def _viewport(self, space: Space, layer: Layer, plane: Plane | None) -> Viewport:
        matrix = space.to_layer[layer]
        if layer.stack is not None:
            return StackViewport([geometry_in_space(g, matrix) for g in layer.stack.geometries])
        geometry = geometry_in_space(layer.volume.geometry, matrix)
        if layer.plane_refusal:
            in_order = layer.is_cine or not layer.is_positioned
            return Viewport(acquired_plane(geometry), geometry, in_array_order=in_order)
        viewport = Viewport(plane or acquired_plane(geometry), geometry)
        if not np.allclose(matrix[:3, :3], np.eye(3), rtol=0.0, atol=1e-9):
            bases = plane_bases(space.reference.volume.geometry)
            viewport.look_along(bases[viewport.plane])
        return viewport

    def _clear(self, pane: Pane) -> None:
        if pane.base is not None and pane.viewport is not None:
            self._open.space_of(pane.base.layer).group.remove(pane.viewport)
        pane.clear()

    def _drop_from(self, pane: Pane, layer: Layer) -> None:
        if pane.second is not None and pane.second.layer is layer:
            pane.compare_with(None)
        pane.set_overlays([item for item in pane.overlays if item.layer is not layer])

    def _fill_again(
        self,
        held: KeptPane,
        base: PlacedLayer | None,
        instead: Mapping[Layer, Layer] | None = None,
        plane: Plane | None = None,
    ) -> None:
        """Give a pane what it showed, some layers exchanged, at its place and magnification."""
        if base is None:
            return
        instead = instead or {}
        layer = instead.get(base.layer, base.layer)
        second = held.second.layer if held.second is not None else None
        second = instead.get(second, second) if second is not None else None
        self._fill(held.pane, PaneContent(layer, plane or held.plane, second, held.settings))
        over = [(item, instead.get(item.layer, item.layer)) for item in held.overlays]
        held.pane.set_overlays(
            [
                replace(item, layer=other, to_layer=self.to_layer(layer, other))
                for item, other in over
                if not self.link_refusal(layer, other)
            ]
        )
        was = held.viewport
        if was is not None and held.pane.viewport is not None:
            look_alike(held.pane.viewport, was, with_place=not layer.plane_refusal)
