"""Window and colours of one layer of the active pane: fields, presets, percentiles, colour maps."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QComboBox, QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from carez_desktop.gui.colour_bar import ColourBar, map_icon
from carez_desktop.gui.page_parts import clear_layout, words
from carez_desktop.gui.panel_parts import (
    NumberField,
    PanelSection,
    digits_for,
    narrow_list,
    panel_button,
    panel_check,
    set_quietly,
)
from carez_desktop.gui.theme import Theme
from carez_desktop.rendering.colour_maps import COLOUR_MAP_TITLES, COLOUR_MAPS
from carez_desktop.workspace.display_window import (
    MINIMUM_WIDTH,
    DisplayWindow,
    WindowPreset,
    percentile_window,
)
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.pane import Pane

Presets = Callable[[Layer], tuple[WindowPreset, ...]]
"""Further windows that a site names for a layer."""

_STRIP = QSize(56, 12)
_COLOURS = "Colours are shown as they were stored."
_LABELS = "Labels have colours of their own; no window shows them."


class WindowPanel(PanelSection):
    """Which values become black and white, and in which colours."""

    def __init__(self, theme: Theme, more_presets: Presets) -> None:
        """Lay out the controls.

        Args:
            theme: The looks.
            more_presets: Windows that are offered besides those of the layer.
        """
        super().__init__(theme, "window", "Window and colours")
        self._more_presets = more_presets
        self._chosen: Layer | None = None
        self._shown: tuple[WindowPreset, ...] | None = None
        self._of = QComboBox()
        self._of.setAccessibleName("Layer whose window is set")
        self._of.activated.connect(self._choose)
        narrow_list(self._of)
        self.body.addWidget(self._of)
        self._grey = QWidget()
        self._build_grey()
        self.body.addWidget(self._grey)
        self._plain = words("", "label", wrap=True)
        self.body.addWidget(self._plain)

    # -- the controls --------------------------------------------------------------------------

    def _build_grey(self) -> None:
        theme = self.theme
        self.center = NumberField(theme, "Centre", tip="Left drag down or up in the pane")
        self.width_field = NumberField(
            theme, "Width", low=MINIMUM_WIDTH, tip="Left drag to the right or left in the pane"
        )
        self.center.entered.connect(self._typed)
        self.width_field.entered.connect(self._typed)
        row = QHBoxLayout()
        row.setSpacing(theme.size("space_2"))
        row.addWidget(self.center, 1, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self.width_field, 1, Qt.AlignmentFlag.AlignTop)
        self._presets = QGridLayout()
        self._presets.setSpacing(theme.size("space_1"))
        for half in (0, 1):
            self._presets.setColumnStretch(half, 1)
        self.low = NumberField(theme, "From", "%", low=0.0, high=100.0)
        self.high = NumberField(theme, "to", "%", low=0.0, high=100.0)
        self.low.set_value(1.0, 1)
        self.high.set_value(99.0, 1)
        share = QHBoxLayout()
        share.setSpacing(theme.size("space_2"))
        share.addWidget(self.low, 1, Qt.AlignmentFlag.AlignTop)
        share.addWidget(self.high, 1, Qt.AlignmentFlag.AlignTop)
        share.addWidget(
            panel_button("Auto", self.show_percentiles, "Window between these percentiles (A)"),
            0, Qt.AlignmentFlag.AlignTop,
        )  # fmt: skip
        self.inverted = panel_check("Invert black and white (I)", self._set_inverted)
        self.maps = QComboBox()
        self.maps.setAccessibleName("Colour map")
        self.maps.setToolTip("Colour map (M takes the next one)")
        self.maps.setIconSize(_STRIP)
        for name, title in COLOUR_MAP_TITLES.items():
            self.maps.addItem(map_icon(name, _STRIP), title, name)
        self.maps.activated.connect(self._choose_map)
        narrow_list(self.maps)
        self.bar = ColourBar(theme)
        column = QVBoxLayout(self._grey)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.size("space_2"))
        column.addLayout(row)
        column.addWidget(self.bar)
        column.addLayout(self._presets)
        column.addLayout(share)
        column.addWidget(
            words("Ctrl + left drag: window from the region drawn.", "label", wrap=True)
        )
        column.addWidget(self.maps)
        column.addWidget(self.inverted)

    # -- what it shows -------------------------------------------------------------------------

    @property
    def layer(self) -> Layer | None:
        """The layer that the controls act on."""
        layers = self.pane.layers if self.pane is not None else ()
        if self._chosen in layers:
            return self._chosen
        return layers[0] if layers else None

    def follow(self, pane: Pane | None) -> None:
        """Act on the base layer of another pane."""
        self._chosen = None
        super().follow(pane)

    def refresh(self) -> None:
        """Show the window of the layer without setting it again."""
        layer = self.layer
        self.setEnabled(layer is not None)
        if self._chosen is not layer:
            self._chosen = None
        if layer is None or self.pane is None:
            self._of.hide()
            return
        self._list_layers(self.pane.layers, layer)
        without = layer.volume.is_colour or layer.is_label_map
        self._grey.setVisible(not without)
        self._plain.setVisible(without)
        if without:
            self._plain.setText(_LABELS if layer.is_label_map else _COLOURS)
            return
        window, units = layer.window, layer.volume.units
        digits = digits_for(window.width)
        self.center.set_value(window.center, digits)
        self.width_field.set_value(window.width, digits)
        set_quietly(self.inverted, layer.inverted)
        self.maps.setCurrentIndex(max(self.maps.findData(layer.colour_map), 0))
        self.bar.show_window(window, units, layer.colour_map, reversed_=layer.high_is_black)
        presets = (*layer.presets, *self._more_presets(layer))
        if presets != self._shown:
            self._shown = presets
            self._fill_presets(presets)
        self._mark_preset(layer)

    def _list_layers(self, layers: tuple[Layer, ...], layer: Layer) -> None:
        self._of.setVisible(len(layers) > 1)
        titles = [item.title for item in layers]
        if [self._of.itemText(row) for row in range(self._of.count())] != titles:
            self._of.clear()
            self._of.addItems(titles)
        self._of.setCurrentIndex(layers.index(layer))

    def _fill_presets(self, presets: tuple[WindowPreset, ...]) -> None:
        clear_layout(self._presets)
        keyed = [preset for preset in presets if preset.key]
        for number, preset in enumerate(keyed):
            self._add_preset(f"{preset.key}  {preset.title}", preset, number)
        self._add_preset("0  Full range", None, len(keyed))
        number = 2 * ((len(keyed) + 2) // 2)
        for preset in presets:
            if not preset.key:
                self._add_preset(preset.title, preset, number)
                number += 1

    def _add_preset(self, title: str, preset: WindowPreset | None, number: int) -> None:
        made = panel_button("", partial(self._show_preset, preset), preset_tip(preset))
        room = self.theme.size("panel_width") // 2 - 40
        made.setText(made.fontMetrics().elidedText(title, Qt.TextElideMode.ElideRight, room))
        made.setCheckable(True)
        made.setMinimumWidth(60)
        made.setProperty("preset", preset)
        self._presets.addWidget(made, number // 2, number % 2)

    def _mark_preset(self, layer: Layer) -> None:
        for place in range(self._presets.count()):
            item = self._presets.itemAt(place)
            made = item.widget() if item is not None else None
            if made is not None:
                preset = made.property("preset")
                made.setChecked(  # type: ignore[attr-defined]
                    isinstance(preset, WindowPreset)
                    and (preset.window, preset.lut) == (layer.window, layer.lut)
                )

    # -- what a person does --------------------------------------------------------------------

    def show_percentiles(self) -> None:
        """Show the values between the two percentiles typed."""
        layer, low, high = self.layer, self.low.value, self.high.value
        if layer is None or low is None or high is None or low >= high:
            return
        layer.window = percentile_window(layer.volume, low, high)

    def next_file_window(self) -> None:
        """Show the next window or table of the source."""
        layer = self.layer
        found = [preset for preset in layer.presets if not preset.key] if layer else []
        if layer is None or not found:
            return
        now = (layer.window, layer.lut)
        places = [place for place, item in enumerate(found) if (item.window, item.lut) == now]
        layer.show_preset(found[(places[0] + 1) % len(found) if places else 0])

    def next_colour_map(self) -> None:
        """Show the layer in the next colour map."""
        if self.layer is not None:
            names = list(COLOUR_MAPS)
            place = names.index(self.layer.colour_map)
            self.layer.colour_map = names[(place + 1) % len(names)]

    def window_region(self, pane: Pane, rectangle: tuple[float, float, float, float]) -> str:
        """Window the layer by the values in a rectangle of a pane, in its logical pixels.

        Returns:
            Why nothing was done, or "".
        """
        from carez_desktop.rendering.region_window import region_values, window_of_values

        chosen = self._chosen if self._chosen in pane.layers else None
        placed = next(
            (
                item
                for item in (pane.base, pane.second, *pane.overlays)
                if item is not None and (chosen is None or item.layer is chosen)
            ),
            None,
        )
        if placed is None:
            return "The pane shows nothing"
        window = window_of_values(region_values(pane, placed, rectangle))
        if window is None:
            return "The region holds too few values of the volume for a window"
        placed.layer.window = window
        return ""

    def _choose(self, row: int) -> None:
        if self.pane is not None and row < len(self.pane.layers):
            self._chosen = self.pane.layers[row]
            self.refresh()

    def _choose_map(self, row: int) -> None:
        if self.layer is not None:
            self.layer.colour_map = str(self.maps.itemData(row))

    def _typed(self, _: float) -> None:
        center, width = self.center.value, self.width_field.value
        if self.layer is not None and center is not None and width is not None:
            self.layer.window = DisplayWindow(center, width)

    def _set_inverted(self, inverted: bool) -> None:
        if self.layer is not None:
            self.layer.inverted = inverted

    def _show_preset(self, preset: WindowPreset | None) -> None:
        if self.layer is None:
            return
        if preset is None:
            self.layer.show_full_range()
        else:
            self.layer.show_preset(preset)
        self.refresh()


def preset_tip(preset: WindowPreset | None) -> str:
    """Say what a preset shows, and its key."""
    if preset is None:
        return "Every value (key 0)"
    window = preset.window
    what = "table of the source" if preset.lut is not None else window.function.value.lower()
    key = f" (key {preset.key})" if preset.key else ""
    return f"{preset.title}: centre {window.center:g}, width {window.width:g}, {what}{key}"
