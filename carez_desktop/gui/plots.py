"""Plots of pyqtgraph in the program's looks; the library is imported by the first plot shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QRectF, Qt
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from carez_desktop.gui.theme import Theme
from carez_desktop.rendering.colour_maps import COLOUR_MAPS

Numbers = npt.NDArray[Any]
_HEIGHT = 190


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One line of a plot.

    Attributes:
        title: Words of the legend.
        shade: Token of its colour.
        dashed: Told from the others by more than its colour.
        values: (n,) float; NaN leaves a gap.
    """

    title: str
    shade: str
    dashed: bool
    values: Numbers


class Plot(QWidget):
    """A picture of numbers with two labelled axes; it is not zoomed by the mouse."""

    def __init__(self, theme: Theme, accessible: str) -> None:
        """Start empty and hidden.

        Args:
            theme: The looks.
            accessible: What it shows.
        """
        super().__init__()
        self._theme = theme
        self._widget: Any = None
        self.setAccessibleName(accessible)
        self.setFixedHeight(_HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self.hide()

    def show_curves(
        self, distances: Numbers, curves: Sequence[Curve], across: str, upwards: str
    ) -> None:
        """Show lines over a common axis.

        Args:
            distances: (n,) places along the axis.
            curves: With n values each.
            across: Words and unit of the axis.
            upwards: Words and unit of the values.
        """
        import pyqtgraph

        item = self._item(across, upwards)
        for curve in curves:
            style = Qt.PenStyle.DashLine if curve.dashed else Qt.PenStyle.SolidLine
            pen = pyqtgraph.mkPen(self._theme.colour(curve.shade), width=1.5, style=style)
            values = np.asarray(curve.values, dtype=np.float64)
            item.plot(np.asarray(distances, dtype=np.float64), values, pen=pen, connect="finite")
        item.autoRange(padding=0.03)
        self.show()

    def show_counts(
        self, counts: Numbers, edges: tuple[Numbers, Numbers], across: str, upwards: str
    ) -> None:
        """Show a table of counts as a picture, by their logarithm; what never met stays black.

        Args:
            counts: (n, m) along the first and the second axis.
            edges: (n + 1,) and (m + 1,) values.
            across: Words and unit of the first axis.
            upwards: Words and unit of the second axis.
        """
        import pyqtgraph

        item = self._item(across, upwards)
        size = np.log1p(np.asarray(counts, dtype=np.float64)).T
        table = np.array(COLOUR_MAPS["viridis"])
        table[0] = 0
        picture = pyqtgraph.ImageItem(size, axisOrder="row-major", lut=table)
        picture.setLevels((0.0, max(float(size.max()), 1.0)))
        left, bottom = float(edges[0][0]), float(edges[1][0])
        width, height = float(edges[0][-1]) - left, float(edges[1][-1]) - bottom
        picture.setRect(QRectF(left, bottom, width, height))
        item.addItem(picture)
        item.setRange(QRectF(left, bottom, width, height), padding=0.0)
        self.show()

    def forget(self) -> None:
        """Show nothing."""
        if self._widget is not None:
            self._widget.getPlotItem().clear()
        self.hide()

    def _item(self, across: str, upwards: str) -> Any:
        """Return the plot, emptied, with its axes named."""
        if self._widget is None:
            self._widget = self._build()
        item = self._widget.getPlotItem()
        item.clear()
        for side, text in (("bottom", across), ("left", upwards)):
            item.setLabel(side, text, color=self._theme.colours["muted"])
        return item

    def _build(self) -> Any:
        import pyqtgraph

        widget = pyqtgraph.PlotWidget(background=self._theme.colour("canvas"))
        widget.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        item = widget.getPlotItem()
        item.setMenuEnabled(False)
        item.hideButtons()
        item.setMouseEnabled(x=False, y=False)
        font = self.font()
        font.setPixelSize(self._theme.size("label"))
        for side in ("bottom", "left"):
            axis = item.getAxis(side)
            axis.enableAutoSIPrefix(False)
            axis.setPen(self._theme.colour("faint"))
            axis.setTextPen(self._theme.colour("muted"))
            axis.setStyle(tickFont=font)
        self._layout.addWidget(widget)
        return widget
