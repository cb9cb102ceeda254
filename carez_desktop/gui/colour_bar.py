"""Colour maps as small pictures: strips for lists, and the bar with its values and unit."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QFont, QIcon, QImage, QPainter, QPaintEvent, QPixmap
from PySide6.QtWidgets import QSizePolicy, QWidget

from carez_desktop.gui.theme import Theme
from carez_desktop.rendering.colour_maps import COLOUR_MAPS
from carez_desktop.workspace.display_window import DisplayWindow

_STRIP_HEIGHT = 12
_UNITS = {"arbitrary": "arbitrary units", "label": "label"}


def unit_words(units: str) -> str:
    """Return the words for units behind a number."""
    return _UNITS.get(units, units)


def strip_image(colours: npt.NDArray[np.uint8]) -> QImage:
    """Return one row of pixels, a copy.

    Args:
        colours: (n, 3) uint8 red, green, blue.
    """
    row = np.ascontiguousarray(colours[None])
    return QImage(row.data, len(colours), 1, 3 * len(colours), QImage.Format.Format_RGB888).copy()


def map_icon(name: str, size: QSize) -> QIcon:
    """Return a preview strip of a colour map."""
    picture = strip_image(COLOUR_MAPS[name]).scaled(
        size,
        Qt.AspectRatioMode.IgnoreAspectRatio,
        Qt.TransformationMode.SmoothTransformation,
    )
    return QIcon(QPixmap.fromImage(picture))


def number_text(value: float, span: float) -> str:
    """Write a value with as many digits as a scale of that span needs, and a real minus."""
    if 0.0 < span < 0.01 or span >= 1e6:
        return f"{value:.3g}".replace("-", "\N{MINUS SIGN}")
    digits = 0 if span >= 20.0 else 1 if span >= 2.0 else 3
    text = f"{value:.{digits}f}"
    text = text.removeprefix("-") if float(text) == 0.0 else text
    return text.replace("-", "\N{MINUS SIGN}")


class ColourBar(QWidget):
    """A lying colour bar: colours of the values from left to right, three values and the unit."""

    def __init__(self, theme: Theme) -> None:
        """Start empty."""
        super().__init__()
        self._theme = theme
        self._strip = QImage()
        self._texts: tuple[str, ...] = ()
        self._unit = ""
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    @property
    def texts(self) -> tuple[str, ...]:
        """Values at the left end, the middle and the right end, then the unit."""
        return (*self._texts, self._unit) if self._texts else ()

    def sizeHint(self) -> QSize:
        """A strip, and one line of words."""
        return QSize(120, _STRIP_HEIGHT + self._theme.size("label") + 8)

    def minimumSizeHint(self) -> QSize:
        """The same, narrower."""
        return QSize(80, self.sizeHint().height())

    def show_window(
        self, window: DisplayWindow, units: str, colour_map: str, *, reversed_: bool
    ) -> None:
        """Show the colours from the black to the white end of a window.

        Args:
            window: In modality values.
            units: Of the volume.
            colour_map: Id of the map.
            reversed_: High values take the map's first colours.
        """
        colours = COLOUR_MAPS[colour_map]
        self._show(colours[::-1] if reversed_ else colours, window.low, window.high, units)

    def show_difference(self, colours: npt.NDArray[np.uint8], limit: float, units: str) -> None:
        """Show a signed scale from -limit to limit, zero in the middle.

        Args:
            colours: (n, 3) uint8 from the most negative to the most positive difference.
            limit: Modality values at the ends.
            units: Of the volume.
        """
        self._show(colours, -limit, limit, units)

    def _show(self, colours: npt.NDArray[np.uint8], low: float, high: float, units: str) -> None:
        self._strip = strip_image(colours)
        span = high - low
        middle = (low + high) / 2.0
        self._texts = tuple(number_text(value, span) for value in (low, middle, high))
        self._unit = unit_words(units)
        self.setAccessibleName(
            f"Colours from {self._texts[0]} to {self._texts[2]} {self._unit}".strip()
        )
        self.update()

    def paintEvent(self, _: QPaintEvent) -> None:
        """Draw the strip and the values under it."""
        if self._strip.isNull():
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(QRect(0, 0, self.width(), _STRIP_HEIGHT), self._strip)
        font = QFont(self.font())
        font.setPixelSize(self._theme.size("label"))
        painter.setFont(font)
        painter.setPen(self._theme.colour("muted"))
        room = QRect(0, _STRIP_HEIGHT + 2, self.width(), self._theme.size("label") + 6)
        texts = (self._texts[0], self._texts[1], f"{self._texts[2]} {self._unit}".strip())
        sides = (
            Qt.AlignmentFlag.AlignLeft,
            Qt.AlignmentFlag.AlignHCenter,
            Qt.AlignmentFlag.AlignRight,
        )
        for text, side in zip(texts, sides, strict=True):
            painter.drawText(room, side | Qt.AlignmentFlag.AlignTop, text)
        painter.end()
