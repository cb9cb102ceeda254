"""What one pane shows: a layer through a viewport, a second layer to compare, layers laid over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from psygnal import Signal

from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.patient_space import FloatArray
from carez_desktop.workspace.compare_settings import CompareMode, CompareSettings
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.viewport import Viewport


@dataclass(frozen=True, eq=False)
class PlacedLayer:
    """A layer in the space of a pane.

    Attributes:
        to_layer: (4, 4) LPS mm of the pane's space to LPS mm of the layer's own.
        opacity: 0 to 1, where it lies over another layer.
        outlined: Whether a label map is drawn by its edges only.
    """

    layer: Layer
    to_layer: FloatArray
    opacity: float = 1.0
    outlined: bool = False


def geometry_in_space(geometry: VolumeGeometry, to_layer: FloatArray) -> VolumeGeometry:
    """Return a layer's grid in the space of a pane.

    Args:
        geometry: In the layer's own LPS mm.
        to_layer: (4, 4) pane space to layer, rigid.
    """
    if np.array_equal(to_layer, np.eye(4)):
        return geometry
    return VolumeGeometry(geometry.shape, np.linalg.inv(to_layer) @ geometry.affine)


class Pane:
    """The state of one pane; every position is in the space of its link group.

    Attributes:
        index: Its place in the layout.
    """

    changed: ClassVar[Signal] = Signal()

    def __init__(self, index: int) -> None:
        """Start empty."""
        self.index = index
        self._base: PlacedLayer | None = None
        self._second: PlacedLayer | None = None
        self._overlays: tuple[PlacedLayer, ...] = ()
        self._viewport: Viewport | None = None
        self._settings = CompareSettings()

    @property
    def base(self) -> PlacedLayer | None:
        """The layer whose values and window count; None while the pane is empty."""
        return self._base

    @property
    def second(self) -> PlacedLayer | None:
        """The layer that is compared with the base."""
        return self._second

    @property
    def overlays(self) -> tuple[PlacedLayer, ...]:
        """Label maps and fused layers over the base, lowest first."""
        return self._overlays

    @property
    def viewport(self) -> Viewport | None:
        """Plane and magnification; None while the pane is empty."""
        return self._viewport

    @property
    def settings(self) -> CompareSettings:
        """How base and second layer are shown together."""
        return self._settings

    @property
    def is_comparing(self) -> bool:
        """Whether the second layer is to be seen at all."""
        return self._second is not None and self._settings.mode is not CompareMode.NONE

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Every layer that the pane needs, base first."""
        placed = (self._base, self._second, *self._overlays)
        return tuple(item.layer for item in placed if item is not None)

    def show(self, base: PlacedLayer, viewport: Viewport) -> None:
        """Show a layer; what was compared or laid over it goes."""
        self._release()
        self._base, self._viewport = base, viewport
        viewport.changed.connect(self._tell)
        base.layer.changed.connect(self._tell)
        self.changed.emit()

    def compare_with(self, second: PlacedLayer | None) -> None:
        """Take a second layer, or none."""
        if self._second is not None:
            self._second.layer.changed.disconnect(self._tell)
        self._second = second
        if second is not None:
            second.layer.changed.connect(self._tell)
        self.changed.emit()

    def set_settings(self, settings: CompareSettings) -> None:
        """Change how two layers are shown."""
        if settings != self._settings:
            self._settings = settings
            self.changed.emit()

    def set_overlays(self, overlays: Sequence[PlacedLayer]) -> None:
        """Lay label maps or fused layers over the base, lowest first."""
        for item in self._overlays:
            item.layer.changed.disconnect(self._tell)
        self._overlays = tuple(overlays)
        for item in self._overlays:
            item.layer.changed.connect(self._tell)
        self.changed.emit()

    def clear(self) -> None:
        """Let go of every layer."""
        self._release()
        self.changed.emit()

    def _release(self) -> None:
        if self._viewport is not None:
            self._viewport.changed.disconnect(self._tell)
        for layer in self.layers:
            layer.changed.disconnect(self._tell)
        self._base = self._second = self._viewport = None
        self._overlays = ()

    def _tell(self) -> None:
        self.changed.emit()
