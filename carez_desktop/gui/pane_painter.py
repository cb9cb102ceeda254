"""Paint the annotations of a pane: words, letters, ruler, crosshair, badge."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen

from carez_desktop.gui.theme import Theme
from carez_desktop.rendering.annotations import SYNTHETIC_BADGE, PaneAnnotations, PlaneLine
from carez_desktop.rendering.colour_maps import COLOUR_MAPS
from carez_desktop.rendering.compare_words import ColourBar
from carez_desktop.workspace.plane_basis import Plane

_SMALL_PANE = 340
_CORNER = 16
_GAP_AT_CURSOR = 10.0
_STRAIGHT = 0.01
_HANDLE = 4.5
_EDGE_OFFSETS = ((-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (1, 1), (-1, 1), (1, -1))


class PanePainter:
    """Paint over one pane of a given size in logical pixels."""

    def __init__(self, painter: QPainter, theme: Theme, width: int, height: int) -> None:
        """Prepare fonts and margins."""
        self._painter = painter
        self._theme = theme
        self._width = width
        self._height = height
        self._margin = theme.size("space_2")
        font = QFont(painter.font())
        font.setPixelSize(theme.size("pane_text"))
        painter.setFont(font)
        self._metrics = QFontMetricsF(font)
        self._is_small = width < _SMALL_PANE or height < 240

    def paint(self, note: PaneAnnotations, *, focused: bool, crosshair: bool) -> None:
        """Paint everything, the crosshair lowest."""
        if crosshair:
            for line in note.lines:
                self._paint_line(line, note.cursor)
        self._paint_letters(note)
        self._paint_ruler(note)
        badge_width = self._paint_badge(note.badge)
        self._paint_corners(note, badge_width)
        self._paint_frame(note, focused)

    def paint_progress(self, words: str) -> None:
        """Write at the lower middle, over several lines where needed: progress, a refusal."""
        if not words:
            return
        room = QRectF(0, 0, self._width - 6.0 * self._margin, self._height / 2.0)
        flags = Qt.AlignmentFlag.AlignHCenter | Qt.TextFlag.TextWordWrap
        box = self._metrics.boundingRect(room, int(flags), words)
        below = (3 if self._is_small else 5) * self._metrics.height()
        box.moveCenter(QPointF(self._width / 2.0, 0.0))
        box.moveBottom(self._height - below)
        ground = QColor(self._theme.colours["canvas"])
        ground.setAlphaF(0.7)
        self._painter.fillRect(box.adjusted(-8, -4, 8, 4), ground)
        self._painter.setPen(self._theme.colour("overlay"))
        self._painter.drawText(box, int(flags), words)

    def paint_colour_bar(self, bar: ColourBar) -> None:
        """Draw what the colours mean, along the left edge."""
        table = COLOUR_MAPS[bar.colour_map]
        height = min(160.0, self._height * 0.3)
        if self._is_small or height < 60.0:
            return
        top = self._height / 2.0 - height - 2 * self._metrics.height()
        box = QRectF(self._margin, max(top, 5 * self._metrics.height()), 10.0, height)
        steps = int(height)
        for step in range(steps):
            red, green, blue = table[255 - round(step * 255 / max(steps - 1, 1))]
            line = QRectF(box.left(), box.top() + step, box.width(), 1.0)
            self._painter.fillRect(line, QColor(int(red), int(green), int(blue)))
        self._painter.setPen(QPen(self._theme.colour("overlay_edge"), 1.0))
        self._painter.setBrush(Qt.BrushStyle.NoBrush)
        self._painter.drawRect(box)
        x, rise = box.right() + 6.0, self._metrics.ascent()
        self._text(x, box.top() + rise, bar.high)
        self._text(x, box.bottom(), bar.low)

    def _text(self, x: float, y: float, words: str) -> None:
        """Draw one line with a dark outline, so that it stays legible on bright anatomy."""
        self._painter.setPen(self._theme.colour("overlay_edge"))
        for dx, dy in _EDGE_OFFSETS:
            self._painter.drawText(QPointF(x + dx, y + dy), words)
        self._painter.setPen(self._theme.colour("overlay"))
        self._painter.drawText(QPointF(x, y), words)

    def _paint_corners(self, note: PaneAnnotations, badge_width: float) -> None:
        line = self._metrics.height()
        room = self._width - 2 * self._margin - badge_width - self._margin
        y = self._margin + self._metrics.ascent()
        # A small pane has room for its plane only, which follows the title.
        top_left = note.top_left[1:2] if self._is_small else note.top_left
        for words in top_left:
            elided = self._metrics.elidedText(words, Qt.TextElideMode.ElideRight, room)
            self._text(self._margin, y, elided)
            y += line
        y = self._margin + self._metrics.ascent() + (line + self._margin if badge_width else 0.0)
        for words in () if self._is_small else note.top_right:
            elided = self._metrics.elidedText(words, Qt.TextElideMode.ElideRight, self._width / 2.0)
            width = self._metrics.horizontalAdvance(elided)
            self._text(self._width - self._margin - width, y, elided)
            y += line
        left = note.bottom_left[-1:] if self._is_small else note.bottom_left
        right = note.bottom_right
        if self._is_small or not self._fit_beside(left, right):
            right = right[-1:]
        base = self._height - self._margin - self._metrics.descent()
        corner = max((self._metrics.horizontalAdvance(words) for words in right), default=0.0)
        for number, words in enumerate(reversed(left)):
            room = self._width - 4 * self._margin - (corner if number < len(right) else 0.0)
            elided = self._metrics.elidedText(words, Qt.TextElideMode.ElideRight, room)
            self._text(self._margin, base - number * line, elided)
        for number, words in enumerate(reversed(right)):
            width = self._metrics.horizontalAdvance(words)
            self._text(self._width - self._margin - width, base - number * line, words)

    def _rows_to_middle(self, lines: Sequence[str]) -> int:
        """How many lines, from the edge on, reach the letter in the middle of it."""
        room = self._width / 2.0 - 3.0 * self._margin
        reach = [
            number
            for number, words in enumerate(lines, start=1)
            if self._metrics.horizontalAdvance(words) > room
        ]
        return max(reach, default=0)

    def _fit_beside(self, left: Sequence[str], right: Sequence[str]) -> bool:
        """Whether no line at the lower left would run into the one at the lower right."""
        room = self._width - 4 * self._margin
        return all(
            self._metrics.horizontalAdvance(one) + self._metrics.horizontalAdvance(other) <= room
            for one, other in zip(reversed(left), reversed(right), strict=False)
        )

    def _paint_letters(self, note: PaneAnnotations) -> None:
        middle_y = self._height / 2.0 + self._metrics.ascent() / 2.0
        letters = note.letters
        if letters is None:
            return
        self._text(self._margin, middle_y, letters.left)
        width = self._metrics.horizontalAdvance(letters.right)
        self._text(self._width - self._margin - width, middle_y, letters.right)
        high = note.top_left[:1] if self._is_small else note.top_left
        rows = self._rows_to_middle(high)
        top = self._margin + self._metrics.ascent() + rows * self._metrics.height()
        width = self._metrics.horizontalAdvance(letters.top)
        self._text((self._width - width) / 2.0, top, letters.top)
        low = note.bottom_left[-1:] if self._is_small else note.bottom_left
        bottom = self._height - self._margin - self._metrics.descent()
        bottom -= self._rows_to_middle(tuple(reversed(low))) * self._metrics.height()
        width = self._metrics.horizontalAdvance(letters.bottom)
        self._text((self._width - width) / 2.0, bottom, letters.bottom)

    def _paint_ruler(self, note: PaneAnnotations) -> None:
        if note.ruler is None:
            return
        length = note.ruler.length_pixels
        lines = 1 if self._is_small else len(note.bottom_right)
        bottom = self._height - 2 * self._margin - lines * self._metrics.height()
        x = self._width - self._margin - 2.0
        top = bottom - length
        if top < self._height / 2.0 + self._metrics.height():
            return
        for colour, width in (("overlay_edge", 3.0), ("overlay", 1.0)):
            self._painter.setPen(QPen(self._theme.colour(colour), width))
            self._painter.drawLine(QPointF(x, top), QPointF(x, bottom))
            for tick in (top, (top + bottom) / 2.0, bottom):
                reach = 4.0 if tick == (top + bottom) / 2.0 else 6.0
                self._painter.drawLine(QPointF(x - reach, tick), QPointF(x, tick))
        words = note.ruler.label
        width = self._metrics.horizontalAdvance(words)
        y = (top + bottom) / 2.0 + self._metrics.ascent() / 2.0
        self._text(x - 10.0 - width, y, words)

    def _paint_line(self, line: PlaneLine, cursor: tuple[float, float]) -> None:
        """Draw a plane's line with a gap around the crosshair, so that what it marks is seen."""
        self._painter.setPen(QPen(self._ink(line.plane), 1.0))
        start, stop = QPointF(*line.start), QPointF(*line.stop)
        middle = QPointF(*cursor)
        is_tilted = abs(start.x() - stop.x()) > _STRAIGHT and abs(start.y() - stop.y()) > _STRAIGHT
        if not is_tilted:
            # On the pixels, so that the line is sharp.
            shift = QPointF(round(middle.x()) + 0.5, round(middle.y()) + 0.5) - middle
            start, stop, middle = start + shift, stop + shift, middle + shift
        self._painter.setRenderHint(QPainter.RenderHint.Antialiasing, is_tilted)
        for end in (start, stop):
            way = end - middle
            length = math.hypot(way.x(), way.y())
            if length > _GAP_AT_CURSOR:
                self._painter.drawLine(middle + way * (_GAP_AT_CURSOR / length), end)
        self._painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    def _ink(self, plane: Plane) -> QColor:
        colour = self._theme.colour(plane.value)
        colour.setAlphaF(0.75)
        return colour

    def paint_handles(self, plane: Plane, places: Sequence[QPointF]) -> None:
        """Draw where the line of a plane is taken hold of to turn it."""
        self._painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        self._painter.setPen(QPen(self._theme.colour("overlay_edge"), 1.0))
        self._painter.setBrush(self._theme.colour(plane.value))
        for place in places:
            self._painter.drawEllipse(place, _HANDLE, _HANDLE)
        self._painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    def paint_empty(self, message: str, *, focused: bool) -> None:
        """Say why there is no picture."""
        self._painter.setPen(self._theme.colour("muted"))
        flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
        room = QRectF(16, 16, self._width - 32.0, self._height - 32.0)
        self._painter.drawText(room, flags, message)
        if focused:
            self._paint_active()

    def _paint_badge(self, words: str) -> float:
        """Draw the badge at the upper right and return the width it takes."""
        if not words:
            return 0.0
        font = QFont(self._painter.font())
        plain = QFont(font)
        font.setBold(True)
        self._painter.setFont(font)
        metrics = QFontMetricsF(font)
        width = metrics.horizontalAdvance(words) + 2 * self._margin
        height = metrics.height() + 4
        box = QRectF(self._width - self._margin - width, self._margin, width, height)
        self._painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        # Filled for a synthetic volume, outlined for a phantom that plays the part of a real one.
        is_filled = words == SYNTHETIC_BADGE
        fill, ink = ("synthetic", "synthetic_text") if is_filled else ("canvas", "synthetic")
        self._painter.setPen(QPen(self._theme.colour("synthetic"), 1.0))
        self._painter.setBrush(self._theme.colour(fill))
        radius = self._theme.size("radius")
        self._painter.drawRoundedRect(box, radius, radius)
        self._painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        self._painter.setPen(self._theme.colour(ink))
        self._painter.drawText(box, Qt.AlignmentFlag.AlignCenter, words)
        self._painter.setFont(plain)
        return width

    def _paint_frame(self, note: PaneAnnotations, focused: bool) -> None:
        if focused:
            self._paint_active()
        if note.letters is None:
            return
        self._painter.setPen(QPen(QColor(self._theme.colours[note.plane.value]), 2.0))
        self._painter.drawLine(QPointF(0, 1), QPointF(_CORNER, 1))
        self._painter.drawLine(QPointF(1, 0), QPointF(1, _CORNER))

    def _paint_active(self) -> None:
        self._painter.setBrush(Qt.BrushStyle.NoBrush)
        self._painter.setPen(QPen(self._theme.colour("accent"), 1.0))
        self._painter.drawRect(QRectF(0.5, 0.5, self._width - 1.0, self._height - 1.0))
