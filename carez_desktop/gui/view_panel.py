"""The panel of the View page: sections that act on the arrangement and its active pane."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy.typing as npt
from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from carez_desktop.domain.named_window import NamedWindow
from carez_desktop.errors import CarezError
from carez_desktop.gui.command_menu import command_button
from carez_desktop.gui.compare_panel import ComparePanel
from carez_desktop.gui.link_panel import LinkPanel
from carez_desktop.gui.overlay_panel import OverlayPanel
from carez_desktop.gui.page_parts import separator, words
from carez_desktop.gui.panel_parts import PanelSection, keep_keyboard
from carez_desktop.gui.patient_series import PatientSeries
from carez_desktop.gui.plane_panel import PlanePanel
from carez_desktop.gui.plot_panel import PlotPanel
from carez_desktop.gui.session import Session
from carez_desktop.gui.volume_cards import VolumeCards
from carez_desktop.gui.window_panel import WindowPanel
from carez_desktop.workspace.arrangement import Arrangement
from carez_desktop.workspace.compare_settings import CompareMode
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.modality_presets import presets_of_layers
from carez_desktop.workspace.pane import Pane

_REFRESH_MS = 60
_FOLDED = ("overlays", "plots")


class ViewPanel(QWidget):
    """Sections for window, plane, comparing, links, overlays, plots and the open volumes.

    Signals:
        crosshair_toggled(bool): Show the lines of the other planes.
        overlays_toggled(bool): Show the graphics of the source.
        fold_changed: A section was folded or unfolded.
    """

    crosshair_toggled = Signal(bool)
    overlays_toggled = Signal(bool)
    fold_changed = Signal()

    def __init__(self, session: Session) -> None:
        """Lay out the sections."""
        super().__init__()
        self._session = session
        self._arrangement: Arrangement | None = None
        self._pane: Pane | None = None
        self._known: tuple[Layer, ...] = ()
        self._series = PatientSeries(session, self)
        self._series.busy.connect(self._say)
        self._series.failed.connect(self._say_error)
        theme = session.theme
        self.greys = WindowPanel(theme, presets_of_layers(partial(_named_windows, session)))
        self.plane = PlanePanel(theme)
        self.compare = ComparePanel(session, self._series)
        self.links = LinkPanel(session)
        self.overlays = OverlayPanel(theme, self._series)
        self.plots = PlotPanel(session)
        self.volumes = VolumeCards(theme)
        self.sections: tuple[PanelSection, ...] = (
            self.greys, self.compare, self.plane, self.links, self.overlays, self.plots,
            self.volumes,
        )  # fmt: skip
        self.note = words("", "caution", wrap=True)
        self.note.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.size("space_2"))
        layout.addLayout(self._save_buttons())
        layout.addWidget(self.note)
        for section in self.sections:
            section.set_folded(section.key in _FOLDED)
            section.fold_changed.connect(lambda *_: self.fold_changed.emit())
            layout.addWidget(section)
            if section is not self.volumes:
                layout.addWidget(separator())
        self.plane.crosshair_toggled.connect(self.crosshair_toggled)
        self.plane.overlays_toggled.connect(self.overlays_toggled)
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(_REFRESH_MS)
        self._later.timeout.connect(self.refresh)
        self._register_commands()

    def _save_buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(self._session.theme.size("space_1"))
        for name, icon_name in (("export_picture", "ph.image"), ("export_cine", "ph.film-strip")):
            made = command_button(self._session, name, icon_name)
            keep_keyboard(made)
            row.addWidget(made)
        row.addStretch(1)
        return row

    # -- what it follows -----------------------------------------------------------------------

    def show_arrangement(self, arrangement: Arrangement) -> None:
        """Act on an arrangement from now on."""
        self.release()
        self._arrangement = arrangement
        arrangement.changed.connect(self._layers_changed)
        self._known = arrangement.layers
        for section in self.sections:
            section.show_arrangement(arrangement)
        self.follow(arrangement.active_pane)

    def follow(self, pane: Pane) -> None:
        """Act on a pane from now on."""
        self._leave_pane()
        self._pane = pane
        pane.changed.connect(self._refresh_later)
        self._series.ask(pane.base.layer if pane.base is not None else None)
        for section in self.sections:
            section.follow(pane)

    def release(self) -> None:
        """Let go of the arrangement, its panes and layers."""
        self.links.keep_now()
        self._later.stop()
        self._leave_pane()
        if self._arrangement is not None:
            self._arrangement.changed.disconnect(self._layers_changed)
        self._arrangement, self._known = None, ()
        self._series.ask(None)
        for section in self.sections:
            section.follow(None)
            section.show_arrangement(None)

    def refresh(self) -> None:
        """Show what pane and arrangement say now."""
        base = self._pane.base if self._pane is not None else None
        self._series.ask(base.layer if base is not None else None)
        for section in self.sections:
            section.renew()
        self._session.commands.refresh()

    def _leave_pane(self) -> None:
        if self._pane is not None:
            self._pane.changed.disconnect(self._refresh_later)
        self._pane = None

    def _layers_changed(self) -> None:
        """Let go of layers that were closed at once, in folded sections too."""
        layers = self._arrangement.layers if self._arrangement is not None else ()
        is_closed = not set(self._known) <= set(layers)
        self._known = layers
        if is_closed:
            for section in self.sections:
                section.refresh()
        self._refresh_later()

    def _refresh_later(self) -> None:
        if not self._later.isActive():
            self._later.start()

    # -- folding -------------------------------------------------------------------------------

    @property
    def folded(self) -> dict[str, bool]:
        """Which sections are folded, by their keys."""
        return {section.key: section.is_folded for section in self.sections}

    def set_folded(self, folded: dict[str, bool]) -> None:
        """Fold sections by their keys; unknown keys are left alone."""
        for section in self.sections:
            section.set_folded(folded.get(section.key, section.is_folded))

    # -- what panes send -----------------------------------------------------------------------

    def window_region(self, pane: Pane, rectangle: tuple[float, float, float, float]) -> None:
        """Window a layer by the values of a region that was drawn in a pane."""
        self._say(self.greys.window_region(pane, rectangle))

    def show_line(self, pane: Pane, start_lps: npt.ArrayLike, stop_lps: npt.ArrayLike) -> None:
        """Show the values along a line that was drawn in a pane, in the pane's space."""
        self.plots.set_folded(False)
        self._say(self.plots.show_line(pane, start_lps, stop_lps))

    def _say(self, text: str) -> None:
        self.note.setText(text)
        self.note.setVisible(bool(text))

    def _say_error(self, error: CarezError) -> None:
        self._say(str(error))

    # -- commands ------------------------------------------------------------------------------

    def _register_commands(self) -> None:
        commands = self._session.commands
        greys, compare, plane, links = self.greys, self.compare, self.plane, self.links
        commands.register_all(
            {
                "file_window": greys.next_file_window,
                "auto_window": greys.show_percentiles,
                "colour_map_next": greys.next_colour_map,
                "slab_mode": plane.next_slab,
                "slab_thicker": partial(plane.thicken_by, 1),
                "slab_thinner": partial(plane.thicken_by, -1),
                "compare_more": partial(compare.move_on, 1),
                "compare_less": partial(compare.move_on, -1),
                "register": self._unfolding(links, links.registration.register),
                "joint_histogram": self._unfolding(self.plots, self.plots.ask_histogram),
                "line_profile": self._unfolding(self.plots, self.plots.show_crosshair_line),
            }
        )
        for name, mode in (
            ("compare_off", CompareMode.NONE),
            ("compare_swipe", CompareMode.SWIPE),
            ("compare_checkerboard", CompareMode.CHECKERBOARD),
            ("compare_blend", CompareMode.BLEND),
            ("compare_difference", CompareMode.DIFFERENCE),
        ):
            commands.register(
                name, partial(compare.set_mode, mode), checked=partial(self._has_mode, mode)
            )
        commands.register("flicker", compare.hold_flicker, released=compare.release_flicker)
        for name in ("position", "view", "window"):
            link = f"links_{name}"
            commands.register(
                f"link_{name}", partial(links.toggle_link, link),
                checked=partial(self._is_linked, link),
            )  # fmt: skip
        commands.register("crosshair", plane.crosshair.toggle, checked=plane.crosshair.isChecked)
        commands.register("overlays", plane.graphics.toggle, checked=plane.graphics.isChecked)
        commands.set_condition("second", self._without_second)

    def _unfolding(
        self, section: PanelSection, action: Callable[[], object]
    ) -> Callable[[], object]:
        def act() -> None:
            section.set_folded(False)
            self.refresh()
            action()

        return act

    def _has_mode(self, mode: CompareMode) -> bool:
        pane = self._pane
        return pane is not None and pane.second is not None and pane.settings.mode is mode

    def _is_linked(self, name: str) -> bool:
        return self._arrangement is not None and self._arrangement.is_linked(name)

    def _without_second(self) -> str:
        if self._pane is None or self._pane.second is None:
            return "The pane compares nothing: choose a second volume"
        return ""


def _named_windows(session: Session) -> tuple[NamedWindow, ...]:
    from carez_desktop.workflows.list_window_presets import list_window_presets

    return list_window_presets(session.context).windows
