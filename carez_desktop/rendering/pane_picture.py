"""Everything that one pane shows of its layers, as pixels; who paints writes only over it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from carez_desktop.domain.patient_space import FloatArray
from carez_desktop.rendering.common_samples import pair_limit
from carez_desktop.rendering.compose import compose
from carez_desktop.rendering.difference import (
    DIFFERENCE_MAP,
    Values,
    difference_picture,
    difference_refusal,
    difference_values,
)
from carez_desktop.rendering.label_overlay import label_pixels, with_labels
from carez_desktop.rendering.layer_colours import LayerColours
from carez_desktop.rendering.overlay_mask import overlay_mask
from carez_desktop.rendering.pixels import Pixels, laid_over, rgb_of_pixels
from carez_desktop.rendering.slice_pipeline import SliceSampler, StackSampler, sampler_of
from carez_desktop.workspace.compare_settings import CompareMode
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.pane import Pane, PlacedLayer
from carez_desktop.workspace.slab import Slab
from carez_desktop.workspace.viewport import Viewport

_OPAQUE = np.uint32(0xFF000000)


@dataclass(eq=False)
class _Shown:
    """A layer with its sampler and what it made last."""

    sampler: SliceSampler | StackSampler
    colours: LayerColours = field(default_factory=LayerColours)
    values: npt.NDArray[Any] | None = None
    values_key: tuple[Any, ...] = ()
    pixels: Pixels | None = None
    pixels_key: tuple[Any, ...] = ()


@dataclass(frozen=True, eq=False)
class _Plane:
    """Where the pixels of the pane lie, in its space."""

    grid: FloatArray
    width: int
    height: int
    slab: Slab
    index: int
    quick: bool


class PaneRenderer:
    """Make the picture of a pane; whatever did not change since the last one is kept.

    Voxels are shared by all renderers of a volume; a renderer adds the values and pixels of one
    plane for each layer.
    """

    def __init__(self, pane: Pane, *, difference_map: str = DIFFERENCE_MAP) -> None:
        """Read the pane when a picture is asked for.

        Args:
            pane: What is to be shown.
            difference_map: Signed colour map of difference pictures.
        """
        self._pane = pane
        self.difference_map = difference_map
        self._shown: dict[Layer, _Shown] = {}
        self._limit: tuple[tuple[Any, ...], float] = ((), 1.0)
        self._difference: tuple[tuple[Any, ...], Values | None] = ((), None)

    # -- what follows from the pane ------------------------------------------------------------

    @property
    def refusal(self) -> str:
        """Why the comparison of the pane cannot be shown; "" where it can or none is wanted."""
        pane = self._pane
        if pane.base is None or pane.second is None or not pane.is_comparing:
            return ""
        if pane.second.layer.stack is not None:
            return f"{pane.second.layer.title} is no regular grid, so no plane of it can be shown"
        if pane.settings.mode is CompareMode.DIFFERENCE:
            return difference_refusal(pane.base.layer, pane.second.layer)
        return ""

    @property
    def difference_limit(self) -> float:
        """Modality values at the ends of the signed scale, as chosen or by the data."""
        pane = self._pane
        chosen = pane.settings.difference_limit
        if chosen > 0.0 or pane.base is None or pane.second is None or self.refusal:
            return chosen or 1.0
        base, second = pane.base, pane.second
        key = (base.layer, second.layer, base.to_layer.tobytes(), second.to_layer.tobytes())
        if key != self._limit[0]:
            between = second.to_layer @ np.linalg.inv(base.to_layer)
            self._limit = (key, pair_limit(base.layer.volume, second.layer.volume, between))
        return self._limit[1]

    # -- pictures ------------------------------------------------------------------------------

    def picture(self, width: int, height: int, ratio: float = 1.0) -> npt.NDArray[np.uint8]:
        """Return (height, width, 3) red, green and blue; see `pixels`."""
        return rgb_of_pixels(self.pixels(width, height, ratio))

    def pixels(self, width: int, height: int, ratio: float = 1.0, *, quick: bool = False) -> Pixels:
        """Return the picture of the pane as opaque 0xffRRGGBB, black where nothing is.

        Where the comparison is refused (`refusal`), the base alone.

        Args:
            width: Device pixels across.
            height: Device pixels down.
            ratio: Device pixels for each logical pixel of the viewport.
            quick: Whether an oblique slab may be coarser, for as long as somebody drags it.

        Returns:
            (height, width) uint32, C order; a new array each time.
        """
        pane = self._pane
        if pane.base is None or pane.viewport is None:
            self._shown.clear()
            return np.full((height, width), _OPAQUE, np.uint32)
        self._forget_others()
        plane = _plane_of(pane.viewport, width, height, ratio, quick=quick)
        made = self._joined(plane, pane.base)
        for overlay in pane.overlays:
            made = self._with_overlay(made, plane, overlay, max(1, round(ratio)))
        return made | _OPAQUE

    def base_values(self, width: int, height: int, ratio: float = 1.0) -> npt.NDArray[Any] | None:
        """Return the sampled values of the base under the pixels of the pane; None while empty."""
        base, viewport = self._pane.base, self._pane.viewport
        if base is None or viewport is None:
            return None
        return self._values(_plane_of(viewport, width, height, ratio), base)

    def difference_values(self, width: int, height: int, ratio: float = 1.0) -> Values | None:
        """Return base minus second under the pixels; None where there is no difference to show."""
        pane = self._pane
        if pane.base is None or pane.second is None or pane.viewport is None or self.refusal:
            return None
        if difference_refusal(pane.base.layer, pane.second.layer):
            return None
        plane = _plane_of(pane.viewport, width, height, ratio)
        return self._subtracted(plane, pane.base, pane.second)

    def graphics(self, width: int, height: int, ratio: float = 1.0) -> npt.NDArray[np.bool_] | None:
        """Return which pixels lie on graphics of the source (60xx); None where there are none."""
        base, viewport = self._pane.base, self._pane.viewport
        if base is None or viewport is None or viewport.basis.grid_axis != 0:
            return None
        found = base.layer.overlays_at(viewport.array_index)
        if not found or viewport.is_oblique:
            return None
        grid = viewport.pixel_grid(ratio)
        return overlay_mask(found, viewport.geometry, grid, width, height)

    # -- parts ---------------------------------------------------------------------------------

    def _joined(self, plane: _Plane, base: PlacedLayer) -> Pixels:
        pane = self._pane
        if pane.second is None or not pane.is_comparing or self.refusal:
            return self._pixels(plane, base)
        settings, second = pane.settings, pane.second
        if settings.mode is CompareMode.DIFFERENCE:
            values = self._subtracted(plane, base, second)
            limit = self.difference_limit
            return difference_picture(values, limit, settings.threshold, self.difference_map)
        if settings.mode is CompareMode.FLICKER:
            return self._pixels(plane, second if settings.shows_second else base)
        pictures = (self._pixels(plane, base), self._pixels(plane, second))
        return compose(settings, *pictures, plane.grid)

    def _with_overlay(
        self, under: Pixels, plane: _Plane, overlay: PlacedLayer, line_pixels: int
    ) -> Pixels:
        layer = overlay.layer
        if layer.stack is not None:
            return under
        if layer.is_label_map:
            return with_labels(
                under,
                self._values(plane, overlay),
                opacity=overlay.opacity,
                outlined=overlay.outlined,
                line_pixels=line_pixels,
            )
        return laid_over(under, self._pixels(plane, overlay), overlay.opacity)

    def _subtracted(self, plane: _Plane, base: PlacedLayer, second: PlacedLayer) -> Values:
        """Return the difference, made anew when one of the two was sampled anew."""
        first, other = self._values(plane, base), self._values(plane, second)
        sources = (self._of(base.layer), self._of(second.layer))
        key = (base.layer, second.layer, *(source.values_key for source in sources))
        kept = self._difference
        if kept[1] is None or kept[0] != key:
            made = difference_values(
                first,
                other,
                base_padding=base.layer.volume.padding_value,
                second_padding=second.layer.volume.padding_value,
            )
            self._difference = (key, made)
            return made
        return kept[1]

    def _values(self, plane: _Plane, placed: PlacedLayer) -> npt.NDArray[Any]:
        shown = self._of(placed.layer)
        layer = placed.layer
        interpolated = layer.interpolated and not layer.is_label_map
        grid = placed.to_layer @ plane.grid
        place = (grid.tobytes(), plane.width, plane.height, interpolated, plane.slab, plane.quick)
        key = (*place, plane.index if layer.stack is not None else 0)
        if shown.values is None or key != shown.values_key:
            slab = Slab() if layer.is_label_map or layer.stack is not None else plane.slab
            shown.values = shown.sampler.at(plane.index).sample(
                grid, plane.width, plane.height,
                interpolated=interpolated, slab=slab, quick=plane.quick,
            )  # fmt: skip
            shown.values_key = key
        return shown.values

    def _pixels(self, plane: _Plane, placed: PlacedLayer) -> Pixels:
        values = self._values(plane, placed)
        shown, layer = self._of(placed.layer), placed.layer
        look = (layer.window, id(layer.lut), layer.high_is_black, layer.inverted, layer.colour_map)
        key = (*shown.values_key, *look)
        if shown.pixels is None or key != shown.pixels_key:
            if layer.is_label_map:
                shown.pixels = label_pixels(values, outlined=False)
            else:
                shown.pixels = shown.colours.pixels(values, layer)
            shown.pixels_key = key
        return shown.pixels

    def _of(self, layer: Layer) -> _Shown:
        found = self._shown.get(layer)
        if found is None:
            found = self._shown[layer] = _Shown(sampler_of(layer))
        return found

    def _forget_others(self) -> None:
        """Let go of layers that the pane no longer shows."""
        needed = self._pane.layers
        for layer in [held for held in self._shown if held not in needed]:
            del self._shown[layer]
        if self._pane.second is None:
            self._limit, self._difference = ((), 1.0), ((), None)


def _plane_of(
    viewport: Viewport, width: int, height: int, ratio: float, *, quick: bool = False
) -> _Plane:
    return _Plane(
        viewport.pixel_grid(ratio), width, height, viewport.slab, viewport.array_index,
        quick and viewport.slab.is_thick,
    )  # fmt: skip
