"""Icons of the Phosphor family, drawn as glyphs of the font that qtawesome brings.

qtawesome itself is not imported: with its own Qt shim it would add a quarter to the start of the
window (decision record 0083).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontDatabase,
    QIcon,
    QIconEngine,
    QPainter,
    QPixmap,
)

from carez_desktop.errors import StorageError

_PREFIX = "ph."
_SHARE = 0.92


@dataclass(frozen=True, eq=False)
class _IconFont:
    family: str
    glyphs: dict[str, str]


@lru_cache(maxsize=1)
def _icon_font() -> _IconFont:
    """Load the font once.

    Raises:
        StorageError: The installation lacks it.
    """
    spec = find_spec("qtawesome")
    folder = Path(spec.origin).parent / "fonts" if spec is not None and spec.origin else Path()
    font = next(iter(sorted(folder.glob("phosphor-[0-9]*.ttf"))), None)
    table = next(iter(sorted(folder.glob("phosphor-charmap-*.json"))), None)
    if font is None or table is None:
        raise StorageError(
            "The installation lacks the icon font",
            subject="qtawesome",
            hint="Install Carez Desktop again",
        )
    number = QFontDatabase.addApplicationFont(str(font))
    glyphs = json.loads(table.read_text(encoding="utf-8"))
    return _IconFont(QFontDatabase.applicationFontFamilies(number)[0], glyphs)


class _GlyphEngine(QIconEngine):
    """Draw one glyph in one colour at any size."""

    def __init__(self, glyph: str, colour: QColor) -> None:
        super().__init__()
        self._glyph = glyph
        self._colour = colour

    def paint(
        self,
        painter: QPainter,
        rect: QRect,
        mode: QIcon.Mode,  # noqa: ARG002 - Qt's signature
        state: QIcon.State,  # noqa: ARG002 - Qt's signature
    ) -> None:
        """Draw the glyph in the middle of the rectangle."""
        painter.save()
        font = QFont(_icon_font().family)
        font.setPixelSize(max(1, round(rect.height() * _SHARE)))
        painter.setFont(font)
        painter.setPen(self._colour)
        painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, self._glyph)
        painter.restore()

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        """Draw the glyph on a transparent pixmap."""
        made = QPixmap(size)
        made.fill(QColor(0, 0, 0, 0))
        painter = QPainter(made)
        self.paint(painter, QRect(QPoint(0, 0), size), mode, state)
        painter.end()
        return made

    def clone(self) -> QIconEngine:
        """Return the same glyph again."""
        return _GlyphEngine(self._glyph, self._colour)


def glyph_icon(name: str, colour: QColor) -> QIcon:
    """Return an icon by its Phosphor name (`ph.folder-open`).

    Raises:
        KeyError: There is no such icon.
    """
    code = _icon_font().glyphs[name.removeprefix(_PREFIX)]
    return QIcon(_GlyphEngine(chr(int(code.removeprefix("0x"), 16)), colour))
