"""Plane of the active pane: orientation, slab, interpolation, mirror, turns, lines and graphics."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout

from carez_desktop.gui.page_parts import icon_button, words
from carez_desktop.gui.panel_parts import (
    PanelSection,
    Segments,
    SliderField,
    keep_keyboard,
    panel_check,
    set_quietly,
)
from carez_desktop.gui.theme import Theme
from carez_desktop.workspace.plane_basis import Plane
from carez_desktop.workspace.slab import Slab, SlabMode
from carez_desktop.workspace.viewport import Viewport

_THIN = "thin"
_FIRST_MM = 10.0
_THINNEST_MM, _THICKEST_MM = 1.0, 100.0
_STEP = 1.25
_ORDER = (_THIN, SlabMode.MIP.value, SlabMode.MINIP.value, SlabMode.MEAN.value)


class PlanePanel(PanelSection):
    """Which plane of the patient the pane shows, how thick, and which way round.

    Signals:
        crosshair_toggled(bool): Show the lines of the other planes.
        overlays_toggled(bool): Show the graphics of the source.
    """

    crosshair_toggled = Signal(bool)
    overlays_toggled = Signal(bool)

    def __init__(self, theme: Theme) -> None:
        """Lay out the controls."""
        super().__init__(theme, "plane", "Plane")
        self.planes = Segments(
            theme,
            (
                (Plane.AXIAL.value, "Axial", "Axial plane (Shift+A)"),
                (Plane.SAGITTAL.value, "Sagittal", "Sagittal plane (Shift+S)"),
                (Plane.CORONAL.value, "Coronal", "Coronal plane (Shift+C)"),
            ),
        )
        self.planes.chosen.connect(self._choose_plane)
        self._refusal = words("", "label", wrap=True)
        self.slab = Segments(
            theme,
            (
                (_THIN, "Thin", "A plane without thickness (S takes the next way)"),
                ("mip", "MIP", "Largest value through the slab"),
                ("minip", "MinIP", "Smallest value through the slab"),
                ("mean", "Mean", "Mean value through the slab"),
            ),
        )
        self.slab.chosen.connect(self._choose_slab)
        self.thickness = SliderField(
            theme, "Thickness", _THINNEST_MM, _THICKEST_MM, square=True,
            text=lambda value: f"{value:.1f} mm", tip="Full stop thicker, comma thinner",
        )  # fmt: skip
        self.thickness.moved.connect(self._thicken)
        self.smooth = panel_check("Smooth between voxels (N)", self._set_interpolated)
        self.crosshair = panel_check(
            "Crosshair of the other planes (X)", self.crosshair_toggled.emit
        )
        set_quietly(self.crosshair, True)
        self.graphics = panel_check("Graphics of the source (O)", self.overlays_toggled.emit)
        set_quietly(self.graphics, True)
        self.body.addWidget(self.planes)
        self.body.addWidget(self._refusal)
        self.body.addLayout(self._buttons())
        self.body.addWidget(self.slab)
        self.body.addWidget(self.thickness)
        for box in (self.smooth, self.crosshair, self.graphics):
            self.body.addWidget(box)

    def _buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(self.theme.size("space_1"))
        for name, tip, change in (
            ("ph.arrows-out", "Fit the picture into the pane (=)", Viewport.fit),
            ("ph.frame-corners", "One voxel on one pixel (Z)", self._one_to_one),
            ("ph.arrows-left-right", "Mirror left and right (H)", _flip_across),
            ("ph.arrows-down-up", "Mirror up and down (V)", _flip_down),
            ("ph.arrow-counter-clockwise", "Turn to the left (Shift+R)", _turn(-1)),
            ("ph.arrow-clockwise", "Turn to the right (R)", _turn(1)),
            ("ph.arrow-u-up-left", "Straighten an oblique plane (Alt+Home)", Viewport.reset_plane),
        ):
            made = icon_button(self.theme, name, tip, partial(self._change, change))
            keep_keyboard(made)
            row.addWidget(made)
        row.addStretch(1)
        return row

    # -- what it shows -------------------------------------------------------------------------

    def refresh(self) -> None:
        """Show the plane, slab and interpolation of the pane."""
        pane = self.pane
        viewport = pane.viewport if pane is not None else None
        self.setEnabled(viewport is not None)
        if pane is None or pane.base is None or viewport is None:
            return
        layer = pane.base.layer
        refusal = layer.plane_refusal
        self._refusal.setText(f"No other planes: {refusal}." if refusal else "")
        self._refusal.setVisible(bool(refusal))
        self.planes.setEnabled(not refusal)
        self.planes.set_value("" if refusal else viewport.plane.value)
        self.slab.setEnabled(not refusal and not layer.volume.is_colour)
        slab = viewport.slab
        self.slab.set_value(slab.mode.value if slab.is_thick else _THIN)
        self.thickness.setVisible(slab.is_thick)
        if slab.is_thick:
            self.thickness.set_value(slab.thickness_mm)
        set_quietly(self.smooth, layer.interpolated)
        self.graphics.setVisible(layer.has_overlays)

    # -- what a person does --------------------------------------------------------------------

    def next_slab(self) -> None:
        """Take the next way of joining values through a slab."""
        viewport = self._viewport()
        if viewport is not None and self.slab.isEnabled():
            now = viewport.slab.mode.value if viewport.slab.is_thick else _THIN
            self._choose_slab(_ORDER[(_ORDER.index(now) + 1) % len(_ORDER)])

    def thicken_by(self, steps: int) -> None:
        """Make the slab thicker or thinner; a thin plane becomes a MIP."""
        viewport = self._viewport()
        if viewport is None or not self.slab.isEnabled():
            return
        now = viewport.slab
        if not now.is_thick:
            if steps > 0:
                self._choose_slab(now.mode.value)
            return
        wanted = now.thickness_mm * _STEP**steps
        self._thicken(min(max(wanted, _THINNEST_MM), _THICKEST_MM))

    def _viewport(self) -> Viewport | None:
        return self.pane.viewport if self.pane is not None else None

    def _change(self, change: Callable[[Viewport], object]) -> None:
        viewport = self._viewport()
        if viewport is not None:
            change(viewport)

    def _one_to_one(self, viewport: Viewport) -> None:
        viewport.show_one_to_one(self.devicePixelRatioF())

    def _choose_plane(self, name: str) -> None:
        if self.arrangement is None or self.pane is None:
            return
        panes = self.arrangement.panes
        index = next((n for n, pane in enumerate(panes) if pane is self.pane), None)
        if index is not None:
            self.arrangement.show_plane(index, Plane(name))
        self.refresh()

    def _choose_slab(self, name: str) -> None:
        viewport = self._viewport()
        if viewport is None:
            return
        before = viewport.slab
        if name == _THIN:
            viewport.set_slab(Slab(before.mode, 0.0))
        else:
            viewport.set_slab(Slab(SlabMode(name), before.thickness_mm or _FIRST_MM))
        self.refresh()

    def _thicken(self, thickness_mm: float) -> None:
        viewport = self._viewport()
        if viewport is not None:
            viewport.set_slab(Slab(viewport.slab.mode, round(thickness_mm, 1)))

    def _set_interpolated(self, interpolated: bool) -> None:
        for layer in self.pane.layers if self.pane is not None else ():
            layer.interpolated = interpolated


def _flip_across(viewport: Viewport) -> None:
    across, down = viewport.flips
    viewport.set_flips(not across, down)


def _flip_down(viewport: Viewport) -> None:
    across, down = viewport.flips
    viewport.set_flips(across, not down)


def _turn(quarters: int) -> Callable[[Viewport], None]:
    def turn(viewport: Viewport) -> None:
        viewport.set_turns(viewport.turns + quarters)

    return turn
