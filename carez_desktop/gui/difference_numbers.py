"""The numbers of a difference: at the crosshair, in the plane shown, and in both volumes."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QGridLayout, QLabel, QVBoxLayout, QWidget

from carez_desktop.gui.colour_bar import number_text, unit_words
from carez_desktop.gui.page_parts import words
from carez_desktop.gui.panel_parts import panel_button
from carez_desktop.gui.session import Session
from carez_desktop.rendering.difference_summary import (
    DifferenceSummary,
    summary_of,
    volume_summary,
)
from carez_desktop.rendering.pane_picture import PaneRenderer
from carez_desktop.rendering.slice_pipeline import value_at
from carez_desktop.workspace.pane import Pane, PlacedLayer

_LARGEST_SIDE = 384
_ROWS = ("Mean", "SD", "Largest |d|", "Above threshold", "n")


class DifferenceNumbers(QWidget):
    """A small table that follows the pane; it can be copied."""

    def __init__(self, session: Session) -> None:
        """Lay out an empty table."""
        super().__init__()
        self._bridge = session.bridge
        self._key: tuple[Any, ...] = ()
        self._whole: DifferenceSummary | None = None
        self._plane: DifferenceSummary | None = None
        self._units = ""
        self._probe = words("", "label", wrap=True)
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(session.theme.size("space_1"))
        grid.setVerticalSpacing(2)
        self._cells: dict[tuple[int, int], QLabel] = {}
        for row, text in enumerate(("", *_ROWS)):
            grid.addWidget(words(text, "label"), row, 0)
            for column in (1, 2):
                cell = words("", "label")
                cell.setAlignment(Qt.AlignmentFlag.AlignRight)
                cell.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
                grid.addWidget(cell, row, column)
                self._cells[row, column] = cell
        self._cells[0, 1].setText("Plane")
        self._cells[0, 2].setText("Volumes")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(session.theme.size("space_2"))
        layout.addWidget(self._probe)
        layout.addLayout(grid)
        layout.addWidget(panel_button("Copy the numbers", self.copy))

    def show_pane(self, pane: Pane, renderer: PaneRenderer) -> None:
        """Show the difference of a pane's two layers.

        Args:
            pane: With a second layer of the same units.
            renderer: Of that pane, for its plane.
        """
        if pane.base is None or pane.second is None or pane.viewport is None:
            return
        self._units = unit_words(pane.base.layer.volume.units)
        self._probe.setText(_probe_text(pane.base, pane.second, pane, self._units))
        width, height = pane.viewport.size
        ratio = min(1.0, _LARGEST_SIDE / max(width, height))
        values = renderer.difference_values(
            max(1, int(width * ratio)), max(1, int(height * ratio)), ratio
        )
        threshold = pane.settings.threshold
        self._plane = None if values is None else summary_of(values, threshold=threshold)
        self._fill(1, self._plane)
        self._ask_for_both(pane.base, pane.second, threshold)

    def as_text(self) -> str:
        """Return the table with tabulators, units in its first line."""
        lines = [f"First minus second ({self._units})\tPlane\tVolumes"]
        columns = [_texts(item) for item in (self._plane, self._whole)]
        for row, name in enumerate(_ROWS):
            lines.append("\t".join((name, *(texts[row] for texts in columns))))
        return "\n".join(lines)

    def copy(self) -> None:
        """Put the table on the clipboard."""
        QApplication.clipboard().setText(self.as_text())

    def _ask_for_both(self, base: PlacedLayer, second: PlacedLayer, threshold: float) -> None:
        between = second.to_layer @ np.linalg.inv(base.to_layer)
        key = (base.layer, second.layer, between.round(9).tobytes(), threshold)
        if key == self._key:
            return
        self._key, self._whole = key, None
        self._fill(2, None, "…")

        def show(found: DifferenceSummary | None) -> None:
            if self._key == key:
                self._whole = found
                self._fill(2, found)

        self._bridge.submit(
            "Sum up the difference",
            lambda _: volume_summary(base, second, threshold=threshold),
            key="view.difference",
            visible=False,
            on_result=show,
        )

    def forget(self) -> None:
        """Let go of the volumes."""
        self._key, self._whole, self._plane = (), None, None

    def _fill(self, column: int, found: DifferenceSummary | None, without: str = "-") -> None:
        for row, text in enumerate(_texts(found, without)):
            self._cells[row + 1, column].setText(text)


def _texts(found: DifferenceSummary | None, without: str = "-") -> tuple[str, ...]:
    if found is None:
        return (without,) * len(_ROWS)
    span = max(found.largest, abs(found.mean), found.sd)
    return (
        number_text(found.mean, min(span, 19.0)),
        number_text(found.sd, min(span, 19.0)),
        number_text(found.largest, span),
        f"{found.above * 100:.1f} %",
        f"{found.n:,}".replace(",", "\N{NARROW NO-BREAK SPACE}"),
    )


def _probe_text(base: PlacedLayer, second: PlacedLayer, pane: Pane, units: str) -> str:
    """Say both values and their difference at the crosshair."""
    if pane.viewport is None:
        return ""
    point = np.append(pane.viewport.cursor_lps, 1.0)
    values = [value_at(item.layer.volume, (item.to_layer @ point)[:3]) for item in (base, second)]
    if values[0] is None or values[1] is None:
        return "The crosshair lies outside one of the two."
    texts = [
        number_text(value, max(abs(values[0]), abs(values[1])))
        for value in (values[0], values[1], values[0] - values[1])
    ]
    return f"At the crosshair {texts[0]} and {texts[1]}: difference {texts[2]} {units}".strip()
