"""Compare two volumes in a pane: which second one, by which mode, and the numbers of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QVBoxLayout, QWidget

from carez_desktop.gui.colour_bar import ColourBar, unit_words
from carez_desktop.gui.difference_numbers import DifferenceNumbers
from carez_desktop.gui.overlay_panel import SAME_GRID
from carez_desktop.gui.page_parts import words
from carez_desktop.gui.panel_parts import (
    NumberField,
    PanelSection,
    Segments,
    SliderField,
    digits_for,
    panel_button,
    panel_check,
    set_quietly,
)
from carez_desktop.gui.patient_series import PatientSeries, SeriesEntry, VolumeChoice
from carez_desktop.gui.session import Session
from carez_desktop.rendering.colour_maps import COLOUR_MAPS
from carez_desktop.rendering.difference import DIFFERENCE_MAP
from carez_desktop.rendering.pane_picture import PaneRenderer
from carez_desktop.workspace.compare_settings import CompareMode, CompareSettings
from carez_desktop.workspace.compared_panes import (
    compare_panes,
    moved_on,
    panes_of_base,
    place_by_grid,
    set_compare_settings,
)
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.pane import Pane

_MODES = (
    (CompareMode.NONE.value, "Off", "The first volume alone (Esc)"),
    (CompareMode.SWIPE.value, "Swipe", "A curtain over the second volume (Q)"),
    (CompareMode.CHECKERBOARD.value, "Tiles", "Both in a checkerboard (K)"),
    (CompareMode.BLEND.value, "Blend", "One over the other (B)"),
    (CompareMode.FLICKER.value, "Flicker", "One, then the other (hold F)"),
    (CompareMode.DIFFERENCE.value, "Difference", "First minus second, signed (D)"),
)
_FLICKER_MS = 500
_SMALLEST_TILE_MM, _LARGEST_TILE_MM = 1.0, 100.0


class ComparePanel(PanelSection):
    """The second volume of a pane, how both are shown, and what their difference amounts to."""

    def __init__(self, session: Session, series: PatientSeries) -> None:
        """Lay out the controls.

        Args:
            session: For its looks and jobs.
            series: What else of the patient could be the second volume.
        """
        super().__init__(session.theme, "compare", "Compare")
        self._series = series
        self._before_flicker: CompareSettings | None = None
        self._told = ""
        self._renderer: PaneRenderer | None = None
        self.second = VolumeChoice("Compare with…", "Second volume")
        self.second.picked.connect(self._pick)
        self.modes = Segments(session.theme, _MODES, columns=3)
        self.modes.chosen.connect(lambda name: self.set_mode(CompareMode(name)))
        self.refusal = words("", "caution", wrap=True)
        self.everywhere = panel_check("In every pane of the first volume", lambda _: self._spread())
        set_quietly(self.everywhere, True)
        self._parts: dict[CompareMode, QWidget] = {
            CompareMode.SWIPE: self._swipe_part(),
            CompareMode.CHECKERBOARD: self._tile_part(),
            CompareMode.BLEND: self._blend_part(),
            CompareMode.FLICKER: self._flicker_part(),
            CompareMode.DIFFERENCE: self._difference_part(session),
        }
        self._flicker = QTimer(self)
        self._flicker.setInterval(_FLICKER_MS)
        self._flicker.timeout.connect(self._turn_over)
        for widget in (self.second, self.refusal, self.modes, *self._parts.values()):
            self.body.addWidget(widget)
        self.body.addWidget(self.everywhere)
        series.changed.connect(self.renew)

    # -- the controls --------------------------------------------------------------------------

    def _part(self, *widgets: QWidget) -> QWidget:
        part = QWidget()
        layout = QVBoxLayout(part)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(self.theme.size("space_2"))
        for widget in widgets:
            layout.addWidget(widget)
        return part

    def _slider(
        self, label: str, high: float, text: Callable[[float], str], **changed: str
    ) -> SliderField:
        name, tip = changed["name"], "Shift+Right and Shift+Left move it"
        low = _SMALLEST_TILE_MM if name == "tile_mm" else 0.0
        made = SliderField(
            self.theme, label, low, high, text=text, tip=tip, square=name == "tile_mm"
        )
        made.moved.connect(lambda value: self._change(**{name: value}))
        return made

    def _swipe_part(self) -> QWidget:
        self.curtain = self._slider("Curtain", 1.0, _percent, name="curtain")
        self.edge = Segments(
            self.theme,
            (
                ("upright", "Left | right", "The edge stands upright"),
                ("across", "Over / under", "The edge lies across"),
            ),
        )
        self.edge.chosen.connect(lambda name: self._change(is_vertical=name == "upright"))
        return self._part(self.curtain, self.edge)

    def _tile_part(self) -> QWidget:
        self.tile = self._slider(
            "Tile", _LARGEST_TILE_MM, lambda value: f"{value:.0f} mm", name="tile_mm"
        )
        return self._part(self.tile)

    def _blend_part(self) -> QWidget:
        self.opacity = self._slider("Second volume", 1.0, _percent, name="opacity")
        return self._part(self.opacity)

    def _flicker_part(self) -> QWidget:
        self._shown = words("", "label", wrap=True)
        self.by_itself = panel_check("Change by itself, twice a second", self._set_flicker)
        return self._part(
            self._shown,
            panel_button("Show the other one (hold F)", self._turn_over),
            self.by_itself,
        )

    def _difference_part(self, session: Session) -> QWidget:
        self.limit = NumberField(
            self.theme, "Ends of the scale ±", low=0.0, tip="0 chooses by the data"
        )
        self.limit.entered.connect(lambda value: self._change(difference_limit=value))
        self.threshold = NumberField(
            self.theme, "Shown as none up to", low=0.0, tip="Smaller differences are left white"
        )
        self.threshold.entered.connect(lambda value: self._change(threshold=value))
        self._scale = words("", "label", wrap=True)
        self.bar = ColourBar(self.theme)
        self.numbers = DifferenceNumbers(session)
        return self._part(self._scale, self.bar, self.limit, self.threshold, self.numbers)

    # -- what it shows -------------------------------------------------------------------------

    def follow(self, pane: Pane | None) -> None:
        """Compare in another pane."""
        if pane is not self.pane:
            self.release_flicker()
            self._told = ""
            self._renderer = PaneRenderer(pane) if pane is not None else None
        super().follow(pane)

    def refresh(self) -> None:
        """Show the second volume, the mode and its numbers."""
        pane, arrangement = self.pane, self.arrangement
        ready = pane is not None and arrangement is not None and pane.base is not None
        self.setEnabled(ready)
        if pane is None or arrangement is None or pane.base is None or self._renderer is None:
            self._let_go()
            return
        base = pane.base.layer
        second = pane.second.layer if pane.second is not None else None
        others = [layer for layer in arrangement.layers if layer is not base]
        self.second.offer(others, self._series.entries, second)
        settings = pane.settings
        self.modes.setEnabled(second is not None)
        self.modes.set_value(settings.mode.value if second is not None else "none")
        self.everywhere.setVisible(second is not None)
        for mode, part in self._parts.items():
            part.setVisible(second is not None and mode is settings.mode)
        self._say(self._renderer.refusal or self._told)
        self._show_settings(settings)
        if second is not None and settings.mode is CompareMode.FLICKER:
            self._shown.setText(f"Shown: {(second if settings.shows_second else base).title}")
        if settings.mode is CompareMode.DIFFERENCE and second is not None:
            self._show_difference(pane, self._renderer)
        else:
            self.numbers.forget()

    def _let_go(self) -> None:
        """Keep nothing of volumes that are closed."""
        self._renderer = PaneRenderer(self.pane) if self.pane is not None else None
        self.second.offer((), (), None)
        self.numbers.forget()

    def _show_settings(self, settings: CompareSettings) -> None:
        self.curtain.set_value(settings.curtain)
        self.edge.set_value("upright" if settings.is_vertical else "across")
        self.tile.set_value(settings.tile_mm)
        self.opacity.set_value(settings.opacity)
        self.limit.set_value(settings.difference_limit, digits_for(settings.difference_limit))
        self.threshold.set_value(settings.threshold, digits_for(settings.threshold))

    def _show_difference(self, pane: Pane, renderer: PaneRenderer) -> None:
        if pane.base is None or renderer.refusal:
            self.bar.hide()
            self.numbers.hide()
            return
        units = pane.base.layer.volume.units
        limit = renderer.difference_limit
        self.bar.show_difference(COLOUR_MAPS[DIFFERENCE_MAP][1:], limit, units)
        self.bar.show()
        for field in (self.limit, self.threshold):
            field.set_unit(unit_words(units))
        chosen = "as typed" if pane.settings.difference_limit > 0.0 else "by the data"
        self._scale.setText(f"First minus second, in {unit_words(units)}; scale {chosen}.")
        self.numbers.show()
        self.numbers.show_pane(pane, renderer)

    def _say(self, refusal: str) -> None:
        self.refusal.setText(f"{refusal}." if refusal and refusal[-1] not in ".!" else refusal)
        self.refusal.setVisible(bool(refusal))

    # -- what a person does --------------------------------------------------------------------

    @property
    def panes(self) -> tuple[Pane, ...]:
        """The panes that a change reaches."""
        if self.pane is None or self.arrangement is None:
            return ()
        if not self.everywhere.isChecked():
            return (self.pane,)
        return panes_of_base(self.arrangement, self.pane)

    def set_mode(self, mode: CompareMode) -> None:
        """Show both volumes by another mode."""
        self._before_flicker = None
        self._change(mode=mode)
        if mode is not CompareMode.FLICKER:
            self.by_itself.setChecked(False)
        self.renew()

    def move_on(self, steps: int) -> None:
        """Move the curtain, the tiles or the blend."""
        if self.pane is not None:
            self._set(moved_on(self.pane.settings, steps))

    def hold_flicker(self) -> None:
        """Show the second volume while a key is held."""
        if self.pane is None or self.pane.second is None:
            return
        if self._before_flicker is None:
            self._before_flicker = self.pane.settings
        self._change(mode=CompareMode.FLICKER, shows_second=True)

    def release_flicker(self) -> None:
        """Return to what was shown before the key went down."""
        before, self._before_flicker = self._before_flicker, None
        if before is not None:
            self._set(replace(before, shows_second=False))

    def compare_with(self, second: Layer | None) -> str:
        """Take a second volume, or none; return why that is not possible, or ""."""
        pane, arrangement = self.pane, self.arrangement
        if pane is None or arrangement is None:
            return "The pane shows nothing to compare with"
        settings = pane.settings
        if second is None:
            settings = replace(settings, mode=CompareMode.NONE)
        elif settings.mode is CompareMode.NONE:
            settings = replace(settings, mode=CompareMode.SWIPE)
        if second is not None and pane.base is not None:
            placed = place_by_grid(arrangement, pane.base.layer, second)
        else:
            placed = False
        refusal = compare_panes(arrangement, self.panes, second, settings)
        self.refresh()
        self._told = SAME_GRID if placed and not refusal else ""
        if refusal:
            self._told = f"{refusal}: register them, or lay their centres together, under Links"
        self._say(self._told)
        return refusal

    def _pick(self, item: object) -> None:
        if isinstance(item, SeriesEntry):
            self._series.load(item, self.compare_with)
        else:
            self.compare_with(item if isinstance(item, Layer) else None)

    def _change(self, **changes: object) -> None:
        if self.pane is not None:
            self._set(replace(self.pane.settings, **changes))  # type: ignore[arg-type]

    def _set(self, settings: CompareSettings) -> None:
        set_compare_settings(self.panes, settings)

    def _spread(self) -> None:
        """Bring the comparison of the pane to the others of its volume."""
        pane = self.pane
        if pane is not None and pane.second is not None and self.everywhere.isChecked():
            self.compare_with(pane.second.layer)

    def _turn_over(self) -> None:
        pane = self.pane
        if pane is not None and pane.is_comparing and pane.settings.mode is CompareMode.FLICKER:
            self._change(shows_second=not pane.settings.shows_second)
        else:
            self.by_itself.setChecked(False)

    def _set_flicker(self, by_itself: bool) -> None:
        if by_itself:
            self._flicker.start()
        else:
            self._flicker.stop()


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %"
