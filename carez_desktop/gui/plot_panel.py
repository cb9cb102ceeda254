"""Joint histogram and line profile of a pane's volumes: as plots, as values, as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QHBoxLayout, QWidget

from carez_desktop.errors import CarezError
from carez_desktop.gui.colour_bar import unit_words
from carez_desktop.gui.page_parts import words
from carez_desktop.gui.panel_parts import PanelSection, panel_button
from carez_desktop.gui.plots import Curve, Plot
from carez_desktop.gui.session import Session
from carez_desktop.rendering.joint_histogram import JointHistogram, joint_histogram
from carez_desktop.rendering.line_profile import LineProfile, profile
from carez_desktop.workspace.arrangement import Arrangement
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.pane import Pane, PlacedLayer

_BINS = 64
_STEPS_PER_VOXEL = 2.0

Table = tuple[tuple[str, ...], npt.NDArray[np.float64]]
"""Titles of columns, and (rows, columns) numbers."""


class PlotPanel(PanelSection):
    """How the values of two volumes go together, and their values along a line."""

    def __init__(self, session: Session) -> None:
        """Lay out the controls, without plots."""
        super().__init__(session.theme, "plots", "Plots")
        self._session = session
        self._histogram: tuple[JointHistogram, tuple[Layer, Layer]] | None = None
        self._profile: tuple[LineProfile, tuple[Layer, ...]] | None = None
        self._asked: object = None
        theme = session.theme
        self.start = panel_button(
            "Joint histogram", self.ask_histogram, "Of the pane's two volumes (J)"
        )
        self.joint = Plot(theme, "Joint histogram")
        self.facts = words("", "label", wrap=True)
        self.facts.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._joint_row = self._copy_row("joint_histogram", self.histogram_table)
        self.hint = words(
            "Line profile: Alt + left drag in a pane, or G for the line across the crosshair.",
            "label",
            wrap=True,
        )
        self.line = Plot(theme, "Line profile")
        self.legend = words("", "label", wrap=True)
        self._line_row = self._copy_row("line_profile", self.profile_table)
        self.note = words("", "label", wrap=True)
        self.note.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        for widget in (
            self.start, self.joint, self.facts, self._joint_row, self.hint, self.line,
            self.legend, self._line_row, self.note,
        ):  # fmt: skip
            self.body.addWidget(widget)
        for hidden in (self.facts, self._joint_row, self.legend, self._line_row, self.note):
            hidden.hide()

    def _copy_row(self, name: str, table: object) -> QWidget:
        row = QWidget()
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(self.theme.size("space_1"))
        layout.addWidget(
            panel_button("Copy", partial(self._copy, table), "Values to the clipboard")
        )
        layout.addWidget(
            panel_button("Save CSV", partial(self._save, name, table), "Into the home folder")
        )
        layout.addStretch(1)
        return row

    # -- what it shows -------------------------------------------------------------------------

    def show_arrangement(self, arrangement: Arrangement | None) -> None:
        """Act on an arrangement; None lets its layers go."""
        super().show_arrangement(arrangement)
        if arrangement is None:
            self._forget_histogram()
            self._forget_profile()

    def refresh(self) -> None:
        """Drop plots of layers that are closed; offer what can be made."""
        pane = self.pane
        refusal = histogram_refusal(pane)
        self.start.setEnabled(not refusal)
        self.start.setToolTip(refusal or "Of the pane's two volumes (J)")
        is_open = set(self.arrangement.layers) if self.arrangement is not None else set()
        if self._histogram is not None and not set(self._histogram[1]) <= is_open:
            self._forget_histogram()
        if self._profile is not None and not set(self._profile[1]) <= is_open:
            self._forget_profile()

    # -- joint histogram -----------------------------------------------------------------------

    def ask_histogram(self) -> None:
        """Count pairs of values of the pane's two volumes, off the Qt thread."""
        pane = self.pane
        refusal = histogram_refusal(pane)
        self._say(refusal)
        if refusal or pane is None or pane.base is None or pane.second is None:
            return
        base, second = pane.base, pane.second
        between = second.to_layer @ np.linalg.inv(base.to_layer)
        pair = (base.layer, second.layer)
        self.facts.setText("Counting…")
        self.facts.show()
        self._session.bridge.submit(
            "Joint histogram",
            lambda _: joint_histogram(base.layer.volume, second.layer.volume, between, _BINS),
            key="view.histogram",
            visible=False,
            on_result=partial(self._show_histogram, pair),
            on_error=self._failed,
        )

    def _show_histogram(self, pair: tuple[Layer, Layer], found: JointHistogram) -> None:
        if self.arrangement is None or not set(pair) <= set(self.arrangement.layers):
            return
        self._histogram = (found, pair)
        across, upwards = (
            f"{which}, {unit_words(layer.volume.units)}"
            for which, layer in zip(("First", "Second"), pair, strict=True)
        )
        self.joint.show_counts(
            found.counts, (found.fixed_edges, found.moving_edges), across, upwards
        )
        self.facts.setText(histogram_words(found))
        self.facts.show()
        self._joint_row.show()

    def histogram_table(self) -> Table | None:
        """Return bins that hold anything: centres of both values, and the count."""
        if self._histogram is None:
            return None
        found, pair = self._histogram
        centres = [(edges[1:] + edges[:-1]) / 2.0 for edges in (found.fixed_edges,
                                                                found.moving_edges)]  # fmt: skip
        places = np.argwhere(found.counts > 0)
        rows = np.column_stack(
            [centres[0][places[:, 0]], centres[1][places[:, 1]],
             found.counts[places[:, 0], places[:, 1]]]
        )  # fmt: skip
        return (
            (_column("First", pair[0]), _column("Second", pair[1]), "count"),
            rows.astype(np.float64),
        )

    def _forget_histogram(self) -> None:
        self._histogram = None
        self.joint.forget()
        self.facts.hide()
        self._joint_row.hide()

    # -- line profile --------------------------------------------------------------------------

    def show_line(self, pane: Pane, start_lps: npt.ArrayLike, stop_lps: npt.ArrayLike) -> str:
        """Show the values of a pane's volumes along a line of its space; return why not, or ""."""
        placed = [item for item in (pane.base, pane.second) if item is not None]
        placed = [item for item in placed if _has_values(item.layer)]
        if not placed:
            return "The pane shows no volume with values on a regular grid"
        start = np.asarray(start_lps, dtype=np.float64)
        stop = np.asarray(stop_lps, dtype=np.float64)
        if not np.linalg.norm(stop - start) > 0.0:
            return "The line has no length"
        step = min(placed[0].layer.volume.geometry.spacing_mm) / _STEPS_PER_VOXEL
        found = profile(placed, start, stop, step)
        self._show_profile(found, placed)
        return ""

    def show_crosshair_line(self) -> None:
        """Show the values along the pane's row of pixels through the crosshair."""
        pane = self.pane
        if pane is None or pane.viewport is None:
            return
        view = pane.viewport
        _, y = view.lps_to_pixel(view.cursor_lps)
        self._say(
            self.show_line(pane, view.pixel_to_lps(0.0, y), view.pixel_to_lps(view.size[0], y))
        )

    def _show_profile(self, found: LineProfile, placed: Sequence[PlacedLayer]) -> None:
        layers = tuple(item.layer for item in placed)
        self._profile = (found, layers)
        shades = ["synthetic" if layer.is_synthetic else "real" for layer in layers]
        if len(shades) > 1 and shades[0] == shades[1]:
            shades[1] = "accent"
        curves = [
            Curve(layer.title, shade, place > 0, values)
            for place, (layer, shade, values) in enumerate(
                zip(layers, shades, found.values, strict=True)
            )
        ]
        units = dict.fromkeys(unit_words(layer.volume.units) for layer in layers)
        self.line.show_curves(found.distances_mm, curves, "mm", " | ".join(units))
        lines = ["First (line): ", "Second (dashed): "]
        self.legend.setText(
            "\n".join(
                f"{head}{_value_words(layer, values)}"
                for head, layer, values in zip(lines, layers, found.values, strict=False)
            )
        )
        self.legend.show()
        self._line_row.show()

    def profile_table(self) -> Table | None:
        """Return distances and the values of each volume; NaN where there is none."""
        if self._profile is None:
            return None
        found, layers = self._profile
        rows = np.column_stack([found.distances_mm, *found.values]).astype(np.float64)
        titles = [_column(*item) for item in zip(("First", "Second"), layers, strict=False)]
        return (("distance mm", *titles), rows)

    def _forget_profile(self) -> None:
        self._profile = None
        self.line.forget()
        self.legend.hide()
        self._line_row.hide()

    # -- values out ----------------------------------------------------------------------------

    def _copy(self, table: object) -> None:
        found = table() if callable(table) else None
        if found is not None:
            QApplication.clipboard().setText(table_text(found))
            self._say(f"{len(found[1])} rows are on the clipboard")

    def _save(self, name: str, table: object) -> None:
        found = table() if callable(table) else None
        if found is None:
            return
        context, (columns, rows) = self._session.context, found

        def work(_: object) -> Path:
            from carez_desktop.workflows.export_table import export_table

            return export_table(context, name=name, columns=columns, rows=rows.tolist())

        self._session.bridge.submit(
            "Save CSV", work, key="view.csv", visible=False,
            on_result=lambda path: self._say(f"Saved as {path}"), on_error=self._failed,
        )  # fmt: skip

    def _failed(self, error: CarezError) -> None:
        self._say(str(error))

    def _say(self, text: str) -> None:
        self.note.setText(text)
        self.note.setVisible(bool(text))


def histogram_refusal(pane: Pane | None) -> str:
    """Say why a pane has no joint histogram; "" where it has."""
    if pane is None or pane.base is None or pane.second is None:
        return "Choose a second volume under Compare first"
    for item in (pane.base, pane.second):
        if not _has_values(item.layer):
            return f"{item.layer.title} has no values on a regular grid"
    return ""


def histogram_words(found: JointHistogram) -> str:
    """Say in words what a joint histogram tells."""
    r = "none" if np.isnan(found.correlation) else f"{found.correlation:.3f}"
    return (
        f"Mutual information {found.mutual_information:.3f} nats, correlation {r}, "
        f"n {found.n}, overlap {found.overlap * 100:.0f} %. Counts by their logarithm."
    )


def table_text(table: Table) -> str:
    """Return a table with tabulators, its titles first."""
    columns, rows = table
    lines = ["\t".join(columns)]
    lines += ["\t".join(f"{value:.9g}" for value in row) for row in rows]
    return "\n".join(lines)


def _has_values(layer: Layer) -> bool:
    return not layer.volume.is_colour and layer.stack is None


def _column(which: str, layer: Layer) -> str:
    """Title of a column; of a synthetic volume it says so."""
    mark = "SYNTHETIC" if layer.is_synthetic else ""
    parts = (which, mark, layer.volume.modality, unit_words(layer.volume.units))
    return " ".join(part for part in parts if part)


def _value_words(layer: Layer, values: npt.NDArray[np.float32]) -> str:
    inside = values[np.isfinite(values)]
    if inside.size == 0:
        return f"{layer.title}, outside it"
    return (
        f"{layer.title}, {float(inside.min()):g} to {float(inside.max()):g} "
        f"{unit_words(layer.volume.units)}"
    )
