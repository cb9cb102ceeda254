"""Compare and lay over in every pane of one volume at once, as a person means it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from carez_desktop.workspace.arrangement import Arrangement
from carez_desktop.workspace.compare_settings import CompareMode, CompareSettings
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.open_layers import same_source
from carez_desktop.workspace.pane import Pane, PlacedLayer

_STEP = 0.05
_TILE_STEP = 1.25
_SMALLEST_TILE_MM, _LARGEST_TILE_MM = 1.0, 200.0


def panes_of_base(arrangement: Arrangement, pane: Pane) -> tuple[Pane, ...]:
    """Return the panes that show the same base layer as a pane, that pane first."""
    if pane.base is None:
        return (pane,)
    same = [
        other
        for other in arrangement.panes
        if other is not pane and other.base is not None and other.base.layer is pane.base.layer
    ]
    return (pane, *same)


def compare_panes(
    arrangement: Arrangement, panes: Iterable[Pane], second: Layer | None, settings: CompareSettings
) -> str:
    """Compare several panes with a second layer; return why that is not possible, or ""."""
    places = {id(pane): index for index, pane in enumerate(arrangement.panes)}
    for pane in panes:
        refusal = arrangement.compare(places[id(pane)], second, settings)
        if refusal:
            return refusal
    return ""


def place_by_grid(arrangement: Arrangement, fixed: Layer, moving: Layer) -> bool:
    """Bring two layers of the same voxels into one space where a frame of reference is missing.

    A label map or a result in NIfTI or NRRD names no frame; that it has the grid of its image is
    how such files say where they belong. Nothing is done where both name one.

    Returns:
        Whether they were brought together now.
    """
    for layer in (fixed, moving):
        arrangement.open(layer)
    frames = {layer.volume.frame_of_reference_uid for layer in (fixed, moving)}
    if "" not in frames or not arrangement.link_refusal(fixed, moving):
        return False
    if not fixed.is_positioned or not moving.is_positioned:
        return False
    if not fixed.volume.geometry.is_close_to(moving.volume.geometry):
        return False
    arrangement.align(same_source(fixed, moving))
    return True


def set_compare_settings(panes: Iterable[Pane], settings: CompareSettings) -> None:
    """Show several panes by the same mode and numbers."""
    for pane in panes:
        pane.set_settings(settings)


def moved_on(settings: CompareSettings, steps: int) -> CompareSettings:
    """Move what the mode has to move: curtain, share of the second, tiles, limit of the scale."""
    if settings.mode is CompareMode.SWIPE:
        return replace(settings, curtain=_bounded(settings.curtain + steps * _STEP))
    if settings.mode is CompareMode.CHECKERBOARD:
        tile = settings.tile_mm * _TILE_STEP**steps
        return replace(settings, tile_mm=min(max(tile, _SMALLEST_TILE_MM), _LARGEST_TILE_MM))
    if settings.mode is CompareMode.BLEND:
        return replace(settings, opacity=_bounded(settings.opacity + steps * _STEP))
    return settings


def _bounded(share: float) -> float:
    return min(max(round(share, 6), 0.0), 1.0)


def lay_over_panes(
    arrangement: Arrangement, panes: Iterable[Pane], layer: Layer, *, opacity: float, outlined: bool
) -> str:
    """Lay a layer over several panes; return why that is not possible, or ""."""
    places = {id(pane): index for index, pane in enumerate(arrangement.panes)}
    for pane in panes:
        refusal = arrangement.lay_over(places[id(pane)], layer, opacity=opacity, outlined=outlined)
        if refusal:
            return refusal
    return ""


def change_overlay(panes: Iterable[Pane], layer: Layer, *, opacity: float, outlined: bool) -> None:
    """Change how a layer lies over several panes, in its place among the others."""
    for pane in panes:
        pane.set_overlays(
            [
                PlacedLayer(item.layer, item.to_layer, opacity, outlined)
                if item.layer is layer
                else item
                for item in pane.overlays
            ]
        )


def take_off(panes: Iterable[Pane], layer: Layer) -> None:
    """Take a layer off several panes."""
    for pane in panes:
        kept = [item for item in pane.overlays if item.layer is not layer]
        if len(kept) != len(pane.overlays):
            pane.set_overlays(kept)
