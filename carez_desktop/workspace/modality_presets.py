"""The window presets that suit a volume, beside those under the keys and those of its source."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from weakref import WeakKeyDictionary

from carez_desktop.domain.named_window import NamedWindow
from carez_desktop.domain.volume import Volume
from carez_desktop.workspace.display_window import DisplayWindow, WindowPreset, percentile_window
from carez_desktop.workspace.layer import Layer


def presets_of_layers(
    windows: Callable[[], Iterable[NamedWindow]],
) -> Callable[[Layer], tuple[WindowPreset, ...]]:
    """Return what gives the presets of a layer; percentiles are taken once for each layer.

    Args:
        windows: To choose from; asked when the first layer comes.
    """
    known: WeakKeyDictionary[Layer, tuple[WindowPreset, ...]] = WeakKeyDictionary()
    named: list[NamedWindow] = []

    def of(layer: Layer) -> tuple[WindowPreset, ...]:
        if layer not in known:
            if not named:
                named.extend(windows())
            known[layer] = presets_for(layer.volume, named)
        return known[layer]

    return of


def presets_for(volume: Volume, windows: Iterable[NamedWindow]) -> tuple[WindowPreset, ...]:
    """Return the presets that suit a volume's modality, units and body part; none for colours.

    Args:
        volume: Gives the percentiles where a preset is made of them.
        windows: To choose from.
    """
    if volume.is_colour:
        return ()
    return tuple(
        WindowPreset("", item.title, _window(volume, item))
        for item in windows
        if item.suits(volume)
    )


def _window(volume: Volume, item: NamedWindow) -> DisplayWindow:
    if item.shares is not None:
        return percentile_window(volume, *item.shares)
    return DisplayWindow(item.center, item.width)
