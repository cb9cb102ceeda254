"""How volumes are hung where no protocol says more."""

from __future__ import annotations

from collections.abc import Sequence

from carez_desktop.workspace.arrangement import PaneContent
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.layouts import Layout, layout_of
from carez_desktop.workspace.plane_basis import Plane


def real_first(first: Layer, second: Layer) -> tuple[Layer, Layer]:
    """Put the real volume left and the synthetic one right."""
    if first.is_synthetic and not second.is_synthetic:
        return (second, first)
    return (first, second)


def first_hanging(layers: Sequence[Layer]) -> tuple[Layout, list[PaneContent | None]]:
    """Return how one layer, or two beside each other, are shown where no protocol says more.

    Three planes of each; the acquired plane of each where one of them has no others.
    """
    if any(layer.plane_refusal for layer in layers):
        return (layout_of(f"1x{len(layers)}"), [PaneContent(layer) for layer in layers])
    layout = layout_of("1+2" if len(layers) == 1 else "3|3")
    return (layout, [PaneContent(layer, plane) for layer in layers for plane in Plane])
