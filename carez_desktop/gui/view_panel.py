"""The panel of the View page: window and presets, display, links, facts and findings."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from carez_desktop.domain.alignment import Alignment
from carez_desktop.gui.page_parts import ElidedLabel, button, clear_layout, separator, words
from carez_desktop.gui.session import Session
from carez_desktop.rendering.annotations import badge_of
from carez_desktop.rendering.annotations_text import (
    plane_size_text,
    plane_spacing_text,
    size_text,
    spacing_text,
)
from carez_desktop.workspace.arrangement import Arrangement
from carez_desktop.workspace.display_window import DisplayWindow, WindowPreset
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.pane import Pane


class ViewPanel(QWidget):
    """Controls of what the panes show; window and display act on the layer of the active pane.

    Signals:
        crosshair_toggled(bool): Show the lines of the other planes.
        overlays_toggled(bool): Show the graphics of the source.
    """

    crosshair_toggled = Signal(bool)
    overlays_toggled = Signal(bool)

    def __init__(self, session: Session) -> None:
        """Lay out the controls."""
        super().__init__()
        theme = session.theme
        self._theme = theme
        self._arrangement: Arrangement | None = None
        self._pane: Pane | None = None
        self._layer: Layer | None = None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.size("space_2"))
        self._build_window(layout)
        layout.addWidget(separator())
        self._build_display(layout)
        layout.addWidget(separator())
        self._links = QWidget()
        self._build_links(QVBoxLayout(self._links))
        layout.addWidget(self._links)
        layout.addWidget(words("Volumes", "section"))
        self._facts = QVBoxLayout()
        self._facts.setSpacing(theme.size("space_2"))
        layout.addLayout(self._facts)

    def _build_window(self, layout: QVBoxLayout) -> None:
        layout.addWidget(words("Window", "section"))
        row = QHBoxLayout()
        row.setSpacing(self._theme.size("space_2"))
        self._center, self._width = QLineEdit(), QLineEdit()
        for title, box in (("Centre", self._center), ("Width", self._width)):
            box.setAlignment(Qt.AlignmentFlag.AlignRight)
            box.setAccessibleName(f"Window {title.lower()}")
            box.editingFinished.connect(self._typed_window)
            row.addWidget(words(title, "label"))
            row.addWidget(box, 1)
        layout.addLayout(row)
        self._presets = QGridLayout()
        self._presets.setSpacing(self._theme.size("space_1"))
        layout.addLayout(self._presets)

    def _build_display(self, layout: QVBoxLayout) -> None:
        self._inverted = QCheckBox("Invert black and white (I)")
        self._inverted.toggled.connect(self._set_inverted)
        self._interpolated = QCheckBox("Smooth between voxels")
        self._interpolated.setChecked(True)
        self._interpolated.toggled.connect(self._set_interpolated)
        crosshair = QCheckBox("Crosshair of the other planes")
        crosshair.setChecked(True)
        crosshair.toggled.connect(self.crosshair_toggled)
        self._overlays = QCheckBox("Graphics of the source (O)")
        self._overlays.setChecked(True)
        self._overlays.toggled.connect(self.overlays_toggled)
        layout.addWidget(words("Display", "section"))
        for box in (self._inverted, self._interpolated, crosshair, self._overlays):
            layout.addWidget(box)

    def _build_links(self, layout: QVBoxLayout) -> None:
        layout.setContentsMargins(0, 0, 0, 8)
        layout.setSpacing(self._theme.size("space_2"))
        layout.addWidget(words("Links", "section"))
        self._link_boxes: dict[str, QCheckBox] = {}
        for name, title in (
            ("links_position", "Position, in millimetres"),
            ("links_view", "Zoom, pan and mirror"),
            ("links_window", "Window"),
        ):
            box = QCheckBox(title)
            box.setChecked(True)
            box.toggled.connect(partial(self._set_link, name))
            self._link_boxes[name] = box
            layout.addWidget(box)
        self._refusal = words("", "caution", wrap=True)
        self._by_centres = button(
            "Link by laying the centres together",
            self._link_by_centres,
            tip="An offset for looking only; it is not a registration",
        )
        layout.addWidget(self._refusal)
        layout.addWidget(self._by_centres)
        layout.addWidget(separator())

    def show_arrangement(self, arrangement: Arrangement) -> None:
        """Follow the layers of an arrangement; called once."""
        self._arrangement = arrangement
        arrangement.changed.connect(self._show_layers)
        self._show_layers()

    def follow(self, pane: Pane) -> None:
        """Act on the layer of a pane from now on."""
        self._pane = pane
        self._show_layers()

    def _show_layers(self) -> None:
        """Show what is open, and the layer of the active pane."""
        arrangement = self._arrangement
        if arrangement is None:
            return
        base = self._pane.base if self._pane is not None else None
        self._take_layer(base.layer if base is not None else None)
        layers = self._layers()
        for name, box in self._link_boxes.items():
            box.blockSignals(True)
            box.setChecked(arrangement.is_linked(name))
            box.blockSignals(False)
        self._links.setVisible(len(layers) > 1)
        self._show_refusal()
        clear_layout(self._facts)
        for layer in layers:
            self._facts.addWidget(self._card(layer))
        self._overlays.setVisible(any(layer.has_overlays for layer in layers))
        self._follow()

    def _take_layer(self, layer: Layer | None) -> None:
        if layer is self._layer:
            return
        if self._layer is not None:
            self._layer.changed.disconnect(self._follow)
        self._layer = layer
        clear_layout(self._presets)
        if layer is not None:
            layer.changed.connect(self._follow)
            self._fill_presets(layer)
        is_grey = layer is not None and not layer.volume.is_colour
        self._center.setEnabled(is_grey)
        self._width.setEnabled(is_grey)

    def toggle_overlays(self) -> None:
        """Show or hide the graphics of the source."""
        self._overlays.toggle()

    def release(self) -> None:
        """Let go of the arrangement."""
        self._take_layer(None)
        if self._arrangement is not None:
            self._arrangement.changed.disconnect(self._show_layers)
        self._arrangement = self._pane = None

    def _layers(self) -> tuple[Layer, ...]:
        return self._arrangement.layers if self._arrangement is not None else ()

    def _follow(self) -> None:
        """Show the window of the active layer without setting it again."""
        if self._layer is None:
            return
        window = self._layer.window
        digits = 0 if window.width >= 20 else 3
        for box, value in ((self._center, window.center), (self._width, window.width)):
            box.setText(f"{value:.{digits}f}")
        self._inverted.blockSignals(True)
        self._inverted.setChecked(self._layer.inverted)
        self._inverted.blockSignals(False)

    def _typed_window(self) -> None:
        if self._layer is None:
            return
        center, width = _number(self._center.text()), _number(self._width.text())
        if center is None or width is None or width <= 0.0:
            self._follow()
        else:
            self._layer.window = DisplayWindow(center, width)

    def _set_inverted(self, inverted: bool) -> None:
        if self._layer is not None:
            self._layer.inverted = inverted

    def _set_interpolated(self, interpolated: bool) -> None:
        for layer in self._layers():
            layer.interpolated = interpolated

    def _set_link(self, name: str, linked: bool) -> None:
        if self._arrangement is not None:
            self._arrangement.set_link(name, linked)

    def _apart(self) -> tuple[Layer, Layer] | None:
        """The first two open layers that lie in different spaces."""
        layers, arrangement = self._layers(), self._arrangement
        for other in layers[1:]:
            if arrangement is not None and arrangement.link_refusal(layers[0], other):
                return (layers[0], other)
        return None

    def _link_by_centres(self) -> None:
        apart = self._apart()
        if apart is None or self._arrangement is None:
            return
        first, other = (layer.volume for layer in apart)
        offset = other.geometry.centre_lps - first.geometry.centre_lps
        self._arrangement.align(Alignment.by_offset(first.volume_id, other.volume_id, offset))

    def _show_refusal(self) -> None:
        apart, arrangement = self._apart(), self._arrangement
        refusal = ""
        if apart is not None and arrangement is not None:
            refusal = arrangement.link_refusal(*apart)
        self._refusal.setText(f"Positions are not linked. {refusal}." if refusal else "")
        self._refusal.setVisible(bool(refusal))
        self._by_centres.setVisible(bool(refusal))

    def _fill_presets(self, layer: Layer) -> None:
        clear_layout(self._presets)
        if layer.volume.is_colour:
            text = "Colours are shown as they were stored."
            self._presets.addWidget(words(text, "label", wrap=True), 0, 0, 1, 2)
            return
        keyed = [preset for preset in layer.presets if preset.key]
        for number, preset in enumerate(keyed):
            self._add_preset(f"{preset.key}  {preset.title}", preset, number)
        self._add_preset("0  Full range", None, len(keyed))
        number = 2 * ((len(keyed) + 2) // 2)
        for preset in layer.presets:
            if not preset.key:
                self._add_preset(preset.title, preset, number)
                number += 1

    def _add_preset(self, title: str, preset: WindowPreset | None, number: int) -> None:
        room = self._theme.size("panel_width") // 2 - 40
        made = QPushButton()
        made.setText(made.fontMetrics().elidedText(title, Qt.TextElideMode.ElideRight, room))
        made.setObjectName("preset")
        made.setToolTip(preset_tip(preset))
        made.setMinimumWidth(60)
        made.clicked.connect(partial(self._show_preset, preset))
        self._presets.addWidget(made, number // 2, number % 2)

    def _show_preset(self, preset: WindowPreset | None, _: bool = False) -> None:
        if self._layer is None:
            return
        if preset is None:
            self._layer.show_full_range()
        else:
            self._layer.show_preset(preset)

    def _card(self, layer: Layer) -> QWidget:
        card = QWidget()
        column = QVBoxLayout(card)
        column.setContentsMargins(0, 4, 0, 4)
        column.setSpacing(self._theme.size("space_1"))
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


def preset_tip(preset: WindowPreset | None) -> str:
    """Say what a preset shows, and its key."""
    if preset is None:
        return "Every value (key 0)"
    window = preset.window
    what = "table of the source" if preset.lut is not None else window.function.value.lower()
    key = f"key {preset.key}" if preset.key else "from the file"
    return f"{preset.title}: centre {window.center:g}, width {window.width:g}, {what} ({key})"


def _number(text: str) -> float | None:
    """Read a typed number; None where it is none. A decimal comma is understood."""
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None


def facts(layer: Layer) -> tuple[str, ...]:
    """Describe a volume in lines: kind and units, grid, spacing."""
    volume = layer.volume
    slices, rows, columns = volume.geometry.shape
    units = {"rgb": "colours", "arbitrary": "values in arbitrary units"}
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
