"""What lies over the layer of a pane: label maps and a second modality, with their opacity."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QSize
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QVBoxLayout, QWidget

from carez_desktop.gui.colour_bar import map_icon
from carez_desktop.gui.page_parts import ElidedLabel, clear_layout, icon_button, words
from carez_desktop.gui.panel_parts import (
    PanelSection,
    SliderField,
    keep_keyboard,
    narrow_list,
    panel_button,
    panel_check,
    set_quietly,
)
from carez_desktop.gui.patient_series import PatientSeries, SeriesEntry, VolumeChoice
from carez_desktop.gui.theme import Theme
from carez_desktop.rendering.colour_maps import COLOUR_MAP_TITLES
from carez_desktop.workspace.arrangement import Arrangement
from carez_desktop.workspace.compared_panes import (
    change_overlay,
    lay_over_panes,
    panes_of_base,
    place_by_grid,
    take_off,
)
from carez_desktop.workspace.label_layers import as_labels, could_be_labels
from carez_desktop.workspace.layer import GREY, Layer
from carez_desktop.workspace.pane import Pane, PlacedLayer

SAME_GRID = "No frame of reference is named; they lie together because their grids are the same"
_OPACITY = 0.5
_FUSION_MAP = "hot_iron"
_STRIP = QSize(40, 12)


class OverlayRow(QWidget):
    """One overlay: its title, how much of it is seen, its edges or its colours."""

    def __init__(self, theme: Theme, panel: OverlayPanel, placed: PlacedLayer) -> None:
        """Lay out the controls of a layer."""
        super().__init__()
        self.layer = placed.layer
        self._panel = panel
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.size("space_1"))
        head = QHBoxLayout()
        head.addWidget(ElidedLabel(placed.layer.title), 1)
        remove = icon_button(theme, "ph.x", "Take it off", partial(panel.remove, self.layer))
        keep_keyboard(remove)
        head.addWidget(remove)
        layout.addLayout(head)
        self.opacity = SliderField(
            theme, "Opacity", 0.0, 1.0, text=lambda share: f"{share * 100:.0f} %"
        )
        self.opacity.moved.connect(lambda _: self._change())
        layout.addWidget(self.opacity)
        self.outlined = panel_check("Edges only", lambda _: self._change())
        layout.addWidget(self.outlined)
        self.maps = QComboBox()
        self.maps.setAccessibleName(f"Colour map of {placed.layer.title}")
        self.maps.setIconSize(_STRIP)
        for name, title in COLOUR_MAP_TITLES.items():
            self.maps.addItem(map_icon(name, _STRIP), title, name)
        self.maps.activated.connect(self._choose_map)
        narrow_list(self.maps)
        layout.addWidget(self.maps)
        self.as_labels = panel_button(
            "Show as labels", partial(panel.turn_to_labels, self.layer),
            "Its whole numbers become structures, each in a colour of its own",
        )  # fmt: skip
        layout.addWidget(self.as_labels)
        self.outlined.setVisible(self.layer.is_label_map)
        self.maps.setVisible(not self.layer.is_label_map and not self.layer.volume.is_colour)
        self.as_labels.setVisible(could_be_labels(self.layer))
        self.show_state(placed)

    def show_state(self, placed: PlacedLayer) -> None:
        """Show how the layer lies over the pane now."""
        self.opacity.set_value(placed.opacity)
        set_quietly(self.outlined, placed.outlined)
        self.maps.setCurrentIndex(max(self.maps.findData(self.layer.colour_map), 0))

    def _change(self) -> None:
        self._panel.change(self.layer, self.opacity.value, self.outlined.isChecked())

    def _choose_map(self, row: int) -> None:
        self.layer.colour_map = str(self.maps.itemData(row))


class OverlayPanel(PanelSection):
    """Lay open layers and series of the patient over the volume of the pane."""

    def __init__(self, theme: Theme, series: PatientSeries) -> None:
        """Lay out the controls.

        Args:
            theme: The looks.
            series: What else of the patient could be laid over.
        """
        super().__init__(theme, "overlays", "Overlays")
        self._series = series
        self._shown: tuple[Layer, ...] = ()
        self.add = VolumeChoice("Lay something over…", "Label map or second modality to lay over")
        self.add.picked.connect(self._pick)
        self.refusal = words("", "caution", wrap=True)
        self.everywhere = panel_check("In every pane of the first volume", lambda _: None)
        set_quietly(self.everywhere, True)
        self._rows = QVBoxLayout()
        self._rows.setSpacing(theme.size("space_3"))
        self.body.addWidget(self.add)
        self.body.addWidget(self.refusal)
        self.body.addLayout(self._rows)
        self.body.addWidget(self.everywhere)
        self.refusal.hide()
        series.changed.connect(self.renew)

    @property
    def rows(self) -> tuple[OverlayRow, ...]:
        """The rows shown, lowest overlay first."""
        items = [self._rows.itemAt(place) for place in range(self._rows.count())]
        widgets = [item.widget() for item in items if item is not None]
        return tuple(widget for widget in widgets if isinstance(widget, OverlayRow))

    @property
    def panes(self) -> tuple[Pane, ...]:
        """The panes that a change reaches."""
        if self.pane is None or self.arrangement is None:
            return ()
        if not self.everywhere.isChecked():
            return (self.pane,)
        return panes_of_base(self.arrangement, self.pane)

    def show_arrangement(self, arrangement: Arrangement | None) -> None:
        """Act on an arrangement; None lets its layers go."""
        super().show_arrangement(arrangement)
        if arrangement is None:
            self._shown = ()
            clear_layout(self._rows)

    def follow(self, pane: Pane | None) -> None:
        """Act on another pane."""
        self._say("")
        super().follow(pane)

    def refresh(self) -> None:
        """Show what lies over the pane."""
        pane, arrangement = self.pane, self.arrangement
        ready = pane is not None and pane.base is not None and arrangement is not None
        self.setEnabled(ready)
        if pane is None or arrangement is None or pane.base is None:
            self._shown = ()
            self.add.offer((), (), None)
            clear_layout(self._rows)
            return
        over = tuple(item.layer for item in pane.overlays)
        others = [
            layer
            for layer in arrangement.layers
            if layer is not pane.base.layer and layer not in over
        ]
        self.add.offer(others, self._series.entries, None)
        self.everywhere.setVisible(bool(over))
        if over != self._shown:
            self._shown = over
            clear_layout(self._rows)
            for item in pane.overlays:
                self._rows.addWidget(OverlayRow(self.theme, self, item))
            return
        for row, item in zip(self.rows, pane.overlays, strict=True):
            row.show_state(item)

    # -- what a person does --------------------------------------------------------------------

    def lay_over(self, layer: Layer) -> str:
        """Lay a layer over the panes; return why that is not possible, or ""."""
        if self.arrangement is None:
            return "The pane shows nothing to lay it over"
        base = self.pane.base if self.pane is not None else None
        placed = base is not None and place_by_grid(self.arrangement, base.layer, layer)
        if not layer.is_label_map and layer.colour_map == GREY and not layer.volume.is_colour:
            layer.colour_map = _FUSION_MAP
        refusal = lay_over_panes(
            self.arrangement, self.panes, layer, opacity=_OPACITY, outlined=False
        )
        self.refresh()
        if refusal:
            self._say(f"{refusal}: register them first, under Links")
        else:
            self._say(SAME_GRID if placed else "")
        return refusal

    def change(self, layer: Layer, opacity: float, outlined: bool) -> None:
        """Change how a layer lies over the panes."""
        change_overlay(self.panes, layer, opacity=opacity, outlined=outlined)

    def remove(self, layer: Layer) -> None:
        """Take a layer off the panes."""
        take_off(self.panes, layer)
        self.refresh()

    def turn_to_labels(self, layer: Layer) -> None:
        """Show the whole numbers of a layer as structures."""
        if self.arrangement is None or self.pane is None:
            return
        placed = next((item for item in self.pane.overlays if item.layer is layer), None)
        panes = self.panes
        take_off(panes, layer)
        self.arrangement.close(layer)
        labels = as_labels(layer)
        refusal = lay_over_panes(
            self.arrangement, panes, labels,
            opacity=placed.opacity if placed else _OPACITY, outlined=False,
        )  # fmt: skip
        self._say(refusal)
        self.refresh()

    def _pick(self, item: object) -> None:
        if isinstance(item, SeriesEntry):
            self._series.load(item, self.lay_over)
        elif isinstance(item, Layer):
            self.lay_over(item)

    def _say(self, refusal: str) -> None:
        self.refusal.setText(f"{refusal}." if refusal else "")
        self.refusal.setVisible(bool(refusal))
