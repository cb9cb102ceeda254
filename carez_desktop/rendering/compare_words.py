"""How two layers are shown together, and what the colours of a pane mean, in words and numbers."""

from __future__ import annotations

from dataclasses import dataclass

from carez_desktop.domain.volume import Volume
from carez_desktop.rendering.difference import DIFFERENCE_MAP
from carez_desktop.workspace.compare_settings import CompareMode, CompareSettings
from carez_desktop.workspace.layer import GREY, Layer
from carez_desktop.workspace.pane import Pane

_UNNAMED = ("arbitrary", "label", "rgb", "")


@dataclass(frozen=True, slots=True)
class ColourBar:
    """What the colours of a pane mean.

    Attributes:
        colour_map: Id of the map.
        low: Modality value of its first colour, in words.
        high: Of its last one, with the unit.
    """

    colour_map: str
    low: str
    high: str


def mode_text(pane: Pane, difference_limit: float = 0.0) -> str:
    """Say how a pane shows its two layers together; "" where it shows one.

    Args:
        pane: What it shows.
        difference_limit: Modality values at the ends of the scale of a difference.
    """
    if pane.base is None or pane.second is None or not pane.is_comparing:
        return ""
    settings, base, second = pane.settings, pane.base.layer, pane.second.layer
    texts = {
        CompareMode.SWIPE: f"Swipe, {base.kind_text} before the edge",
        CompareMode.CHECKERBOARD: f"Checkerboard, {settings.tile_mm:g} mm",
        CompareMode.BLEND: f"Blend, {settings.opacity * 100:.0f} % {second.kind_text}",
        CompareMode.FLICKER: f"Flicker, {(second if settings.shows_second else base).kind_text}",
    }
    return texts.get(settings.mode) or _difference_text(settings, base, second, difference_limit)


def _difference_text(
    settings: CompareSettings, base: Layer, second: Layer, difference_limit: float
) -> str:
    unit = unit_text(base.volume)
    words = f"Difference, {base.kind_text} - {second.kind_text}"
    if difference_limit > 0.0:
        words += f", \N{PLUS-MINUS SIGN}{difference_limit:.4g} {unit}".rstrip()
    if settings.threshold > 0.0:
        words += f", beyond {settings.threshold:.4g} {unit}".rstrip()
    return words


def colour_bar_of(pane: Pane, difference_limit: float = 0.0) -> ColourBar | None:
    """Return what the colours of a pane mean; None for greys, which the window tells.

    Args:
        pane: What it shows.
        difference_limit: Modality values at the ends of the scale of a difference.
    """
    if pane.base is None or pane.base.layer.is_preview:
        return None
    base = pane.base.layer
    if pane.is_comparing and pane.settings.mode is CompareMode.DIFFERENCE:
        if difference_limit <= 0.0:
            return None
        ends = (f"-{difference_limit:.4g}", f"+{difference_limit:.4g}")
        return ColourBar(DIFFERENCE_MAP, ends[0], _with_unit(ends[1], base.volume))
    fused = [item.layer for item in pane.overlays if not item.layer.is_label_map]
    for layer in (*reversed(fused), base):
        if layer.colour_map != GREY and not layer.volume.is_colour:
            low, high = f"{layer.window.low:.4g}", f"{layer.window.high:.4g}"
            if layer.high_is_black:
                low, high = high, low
            return ColourBar(layer.colour_map, low, _with_unit(high, layer.volume))
    return None


def unit_text(volume: Volume) -> str:
    """Name the unit of modality values; "" where there is none to name."""
    return "" if volume.units in _UNNAMED else volume.units


def _with_unit(number: str, volume: Volume) -> str:
    return f"{number} {unit_text(volume)}".rstrip()
