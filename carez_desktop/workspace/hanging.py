"""Hang volumes by a protocol: its layout, and in each pane what the protocol wants there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from carez_desktop.domain.hanging import Hanging, HangingPane
from carez_desktop.workspace.arrangement import Arrangement
from carez_desktop.workspace.compare_settings import CompareMode, CompareSettings
from carez_desktop.workspace.display_window import WindowPreset
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.layouts import layout_of
from carez_desktop.workspace.plane_basis import Plane
from carez_desktop.workspace.slab import Slab, SlabMode

_ACQUIRED = "acquired"


def hang(
    arrangement: Arrangement,
    hanging: Hanging,
    layers: Mapping[str, Layer],
    presets: Sequence[WindowPreset] = (),
) -> tuple[str, ...]:
    """Cut the page anew and fill the panes whose volumes are there; the others stay empty.

    Args:
        arrangement: Loses what it showed; its layers stay open.
        hanging: The protocol, and which volume plays which role.
        layers: By volume id; those still to come are hung by `hang_more`.
        presets: Among which a role's window is looked up, after those of its layer.

    Returns:
        What the protocol wanted and cannot be, in words: for instance a difference of two volumes
        that lie in different frames of reference.
    """
    arrangement.hang(layout_of(hanging.protocol.layout), ())
    return hang_more(arrangement, hanging, layers, presets)


def hang_more(
    arrangement: Arrangement,
    hanging: Hanging,
    layers: Mapping[str, Layer],
    presets: Sequence[WindowPreset] = (),
) -> tuple[str, ...]:
    """Fill the panes of a protocol that are empty and whose volumes have arrived since.

    Args:
        arrangement: Was hung by this protocol, and still has its layout.
        hanging: The protocol, and which volume plays which role.
        layers: By volume id.
        presets: Among which a role's window is looked up, after those of its layer.

    Returns:
        As `hang`.
    """
    arrived = {role: layers[name] for role, name in hanging.volume_ids.items() if name in layers}
    refusals: list[str] = []
    panes = zip(arrangement.panes, hanging.protocol.panes, strict=False)
    for index, (pane, wanted) in enumerate(panes):
        layer = arrived.get(wanted.role)
        if layer is None:
            continue
        if pane.base is None:
            _show_window(hanging, layer, presets)
            _show(arrangement, index, layer, wanted)
        if pane.base is not None and pane.base.layer is layer:
            refusals += _join_others(arrangement, index, wanted, arrived)
    return tuple(dict.fromkeys(refusals))


def _show(arrangement: Arrangement, index: int, layer: Layer, wanted: HangingPane) -> None:
    plane = None if wanted.plane == _ACQUIRED else Plane(wanted.plane)
    arrangement.show(index, layer, plane)
    viewport = arrangement.panes[index].viewport
    if viewport is not None and wanted.slab_mm > 0.0 and not layer.plane_refusal:
        viewport.set_slab(Slab(SlabMode(wanted.slab), wanted.slab_mm))


def _join_others(
    arrangement: Arrangement, index: int, wanted: HangingPane, arrived: Mapping[str, Layer]
) -> list[str]:
    """Compare a pane with its second role and lay its overlay over it, where they are there."""
    pane = arrangement.panes[index]
    refusals = []
    second = arrived.get(wanted.second)
    if second is not None and pane.second is None:
        settings = CompareSettings(CompareMode(wanted.mode))
        refusals.append(arrangement.compare(index, second, settings))
    overlay = arrived.get(wanted.overlay)
    if overlay is not None and overlay not in pane.layers:
        refusals.append(
            arrangement.lay_over(index, overlay, opacity=wanted.opacity, outlined=wanted.outlined)
        )
    return [refusal for refusal in refusals if refusal]


def _show_window(hanging: Hanging, layer: Layer, presets: Sequence[WindowPreset]) -> None:
    """Open a layer with the window that its role asks for, if there is one of that title."""
    role = hanging.role_of(layer.volume.volume_id)
    if role is None or not role.window:
        return
    for preset in (*layer.presets, *presets):
        if preset.title == role.window:
            layer.show_preset(preset)
            return
