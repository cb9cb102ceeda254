"""What is open, as cards: kind, units, grid, spacing, and every finding."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from carez_desktop.gui.page_parts import ElidedLabel, clear_layout, words
from carez_desktop.gui.panel_parts import PanelSection
from carez_desktop.gui.theme import Theme
from carez_desktop.rendering.annotations import badge_of
from carez_desktop.rendering.annotations_text import (
    plane_size_text,
    plane_spacing_text,
    size_text,
    spacing_text,
)
from carez_desktop.workspace.layer import Layer


class VolumeCards(PanelSection):
    """A card for each open layer."""

    def __init__(self, theme: Theme) -> None:
        """Start without cards."""
        super().__init__(theme, "volumes", "Volumes")
        self._shown: tuple[Layer, ...] = ()
        self._cards = QVBoxLayout()
        self._cards.setSpacing(theme.size("space_2"))
        self.body.addLayout(self._cards)

    def refresh(self) -> None:
        """Show the layers that are open."""
        layers = self.arrangement.layers if self.arrangement is not None else ()
        if layers == self._shown:
            return
        self._shown = layers
        clear_layout(self._cards)
        for layer in layers:
            self._cards.addWidget(_card(self.theme, layer))


def _card(theme: Theme, layer: Layer) -> QWidget:
    card = QWidget()
    column = QVBoxLayout(card)
    column.setContentsMargins(0, 0, 0, 4)
    column.setSpacing(theme.size("space_1"))
    head = QHBoxLayout()
    head.addWidget(ElidedLabel(layer.title), 1)
    if badge_of(layer):
        badge = QLabel(badge_of(layer))
        badge.setObjectName("badge" if layer.is_synthetic else "stand_in_badge")
        head.addWidget(badge, 0, Qt.AlignmentFlag.AlignTop)
    column.addLayout(head)
    for line in facts(layer):
        column.addWidget(words(line, "label", wrap=True))
    for finding in layer.volume.findings:
        role = "label" if finding.severity == "info" else "caution"
        column.addWidget(words(f"{finding.severity.value}: {finding.text}", role, wrap=True))
    return card


def facts(layer: Layer) -> tuple[str, ...]:
    """Describe a volume in lines: kind and units, grid, spacing."""
    volume = layer.volume
    slices, rows, columns = volume.geometry.shape
    units = {"rgb": "colours", "arbitrary": "values in arbitrary units", "label": "labels"}
    parts = (volume.modality, layer.kind_text, units.get(volume.units, f"values in {volume.units}"))
    lines = [", ".join(part for part in parts if part)]
    if layer.stack is not None:
        lines.append(f"{len(layer.stack.slices)} slices of {plane_size_text((1, rows, columns))}")
    elif layer.is_cine:
        lines.append(f"{slices} frames of {plane_size_text((1, rows, columns))}")
    elif layer.plane_refusal:
        lines.append(f"{plane_size_text((1, rows, columns))} pixels")
    else:
        lines.append(f"{size_text(volume.geometry.shape)} voxels")
    has_step = not layer.plane_refusal
    spacing = (spacing_text if has_step else plane_spacing_text)(volume.geometry.spacing_mm)
    lines.append(f"{spacing} mm" if layer.is_calibrated else "The source gives no scale")
    if layer.plane_refusal and layer.stack is None:
        lines.append(f"One plane: {layer.plane_refusal}")
    return tuple(lines)
