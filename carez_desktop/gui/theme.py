"""The looks: tokens from `resources/theme.toml`, and the style sheet made from them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from string import Template

from PySide6.QtGui import QColor, QFont, QIcon
from PySide6.QtWidgets import QApplication

from carez_desktop.gui.icons import glyph_icon

_STYLE = """
* { color: $text; font-size: ${body}px; }
QWidget#window, QWidget#page, QStackedWidget, QMainWindow { background: $ground; }
QWidget#rail { background: $panel; border-right: 1px solid $line; }
QWidget#panel { background: $panel; border-left: 1px solid $line; }
QWidget#card { background: $panel; border-radius: ${radius}px; }
QFrame#overlay { background: $panel; border: 1px solid $line; border-radius: ${radius}px; }
QLabel#window_note { background: $raised; border: 1px solid $line; border-radius: ${radius}px;
  padding: ${space_2}px ${space_3}px; }
QFrame#capture { background: $raised; border-left: 3px solid $accent; }
QMenu { background: $raised; border: 1px solid $line; padding: ${space_1}px 0; }
QMenu::item { padding: ${space_1}px ${space_5}px ${space_1}px ${space_4}px; }
QMenu::item:selected { background: $line; }
QMenu::item:disabled { color: $faint; }
QMenu::separator { height: 1px; background: $line; margin: ${space_1}px ${space_2}px; }
QMenu::indicator { width: 12px; height: 12px; left: 3px; }
QMenu::indicator:checked { image: url("$icons/check_light.png"); }
QToolButton#section_head { border: none; background: transparent; color: $text; padding: 2px 0;
  font-size: ${section}px; font-weight: 600; text-align: left; }
QToolButton#section_head:hover { color: $accent; }
QToolButton#section_head:focus { color: $accent; }
QPushButton#segment, QPushButton#preset { padding: ${space_1}px 6px; }
QFrame#nudge_pad { border: 1px dashed $line; border-radius: ${radius}px; }
QFrame#nudge_pad:focus { border-color: $accent; }
QFrame#separator { background: $line; border: none; }
QWidget#bar { background: $ground; border-bottom: 1px solid $line; }
QWidget#canvas { background: $canvas; }
QLabel { background: transparent; }
QLabel#title { font-size: ${title}px; font-weight: 600; }
QLabel#section { font-size: ${section}px; font-weight: 600; }
QLabel#label, QLabel#help { font-size: ${label}px; color: $muted; }
QLabel#error { font-size: ${label}px; color: $bad; }
QLabel#caution { font-size: ${label}px; color: $caution; }
QLabel#good { color: $good; font-weight: 600; }
QLabel#bad { color: $bad; font-weight: 600; }
QLabel#badge { background: $synthetic; color: $synthetic_text; font-size: ${label}px;
  font-weight: 700; border-radius: ${radius}px; padding: 1px ${space_2}px; }
QLabel#stand_in_badge { background: $canvas; color: $synthetic; font-size: ${label}px;
  font-weight: 700; border: 1px solid $synthetic; border-radius: ${radius}px;
  padding: 1px ${space_2}px; }
QFrame#error_bar { background: $raised; border-left: 3px solid $bad; }
QFrame#notice_bar { background: $raised; border-left: 3px solid $accent; }
QToolButton#rail_button { border: none; border-left: 3px solid transparent; color: $muted;
  padding: ${space_2}px 0; font-size: ${label}px; background: transparent; }
QToolButton#rail_button::menu-indicator { image: none; }
QToolButton#rail_button:hover { background: $raised; color: $text; }
QToolButton#rail_button:checked { color: $text; border-left: 3px solid $accent;
  background: $raised; }
QToolButton#rail_button:focus { color: $accent; }
QPushButton, QToolButton { background: $raised; border: 1px solid $line;
  border-radius: ${radius}px; padding: ${space_1}px ${space_3}px; min-height: 20px; }
QToolButton { padding: ${space_1}px; }
QPushButton:hover, QToolButton:hover { border-color: $muted; }
QPushButton:focus, QToolButton:focus { border-color: $accent; }
QPushButton:checked, QToolButton:checked { border-color: $accent; color: $accent; }
QPushButton:disabled, QToolButton:disabled { color: $faint; }
QPushButton#primary { background: $accent; color: $accent_text; border-color: $accent;
  font-weight: 600; padding: ${space_2}px ${space_4}px; }
QPushButton#primary:hover { border-color: $text; }
QPushButton#primary:disabled { background: $raised; color: $faint; border-color: $line; }
QPushButton#flat { background: transparent; border: none; color: $accent; padding: 2px;
  min-height: 0; }
QLineEdit, QComboBox { background: $ground; border: 1px solid $line;
  border-radius: ${radius}px; padding: ${space_1}px ${space_2}px; min-height: 20px;
  selection-background-color: $accent; selection-color: $accent_text; }
QLineEdit:focus, QComboBox:focus { border-color: $accent; }
QLineEdit[wrong="true"] { border-color: $bad; }
QComboBox::drop-down { border: none; width: ${space_5}px; }
QComboBox::down-arrow { image: url("$icons/caret.png"); width: 12px; height: 12px; }
QComboBox QAbstractItemView { background: $raised; border: 1px solid $line;
  selection-background-color: $line; selection-color: $text; outline: none; }
QCheckBox { spacing: ${space_2}px; background: transparent; }
QCheckBox::indicator { width: 14px; height: 14px; border: 1px solid $muted; border-radius: 3px;
  background: $ground; }
QCheckBox::indicator:checked { background: $accent; border-color: $accent;
  image: url("$icons/check.png"); }
QCheckBox:focus { color: $accent; }
QTreeView, QTableView, QListView, QPlainTextEdit, QTextBrowser { background: $ground;
  border: none; alternate-background-color: $panel; outline: none;
  selection-background-color: $raised; selection-color: $text; }
QTreeView::branch { background: transparent; }
QTreeView::item, QTableView::item { padding: ${space_1}px; border: none; }
QTreeView::item:hover, QTableView::item:hover { background: $panel; }
QTreeView::item:selected, QTableView::item:selected { background: $raised; color: $text; }
QTreeView:focus, QTableView:focus { border: none; }
QHeaderView { background: $ground; }
QHeaderView::section { background: $ground; color: $muted; font-size: ${label}px; border: none;
  border-bottom: 1px solid $line; padding: ${space_1}px ${space_2}px; }
QTableCornerButton::section { background: $ground; border: none; }
QProgressBar { background: $raised; border: none; border-radius: 2px; max-height: 4px;
  min-height: 4px; }
QProgressBar::chunk { background: $accent; border-radius: 2px; }
QStatusBar { background: $panel; border-top: 1px solid $line; }
QStatusBar QLabel { color: $muted; font-size: ${label}px; padding: 0 ${space_2}px; }
QStatusBar::item { border: none; }
QScrollArea, QScrollArea > QWidget > QWidget { background: transparent; border: none; }
QScrollBar { background: transparent; border: none; margin: 0; }
QScrollBar:vertical { width: 10px; }
QScrollBar:horizontal { height: 10px; }
QScrollBar::handle { background: $line; border-radius: 4px; margin: 1px; min-height: 24px;
  min-width: 24px; }
QScrollBar::handle:hover { background: $faint; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QSplitter::handle { background: $line; }
QSplitter::handle:horizontal { width: 1px; }
QSplitter::handle:vertical { height: 1px; }
QToolTip { background: $raised; color: $text; border: 1px solid $line; padding: ${space_1}px; }
QSlider::groove:horizontal { background: $line; height: 2px; }
QSlider::handle:horizontal { background: $muted; width: 12px; margin: -5px 0; border-radius: 6px; }
QSlider::handle:horizontal:hover { background: $accent; }
"""


@dataclass(frozen=True, eq=False)
class Theme:
    """The tokens of `theme.toml`.

    Attributes:
        colours: Token -> `#RRGGBB`.
        scales: Name -> colours at equal steps.
        sizes: Token -> logical pixels.
        icons: Folder with the pictures that a style sheet needs as files.
    """

    colours: Mapping[str, str]
    scales: Mapping[str, tuple[str, ...]]
    sizes: Mapping[str, int]
    icons: Path

    def colour(self, token: str) -> QColor:
        """Return a token's colour."""
        return QColor(self.colours[token])

    def size(self, token: str) -> int:
        """Return a token's logical pixels."""
        return self.sizes[token]

    def magnitude(self, share: float) -> QColor:
        """Return the colour of a share in [0, 1] on the magnitude scale."""
        steps = self.scales["magnitude"]
        place = min(max(share, 0.0), 1.0) * (len(steps) - 1)
        low = min(int(place), len(steps) - 2)
        first, second = QColor(steps[low]), QColor(steps[low + 1])
        rest = place - low

        def mix(low_value: float, high_value: float) -> float:
            return low_value + (high_value - low_value) * rest

        return QColor.fromRgbF(
            mix(first.redF(), second.redF()),
            mix(first.greenF(), second.greenF()),
            mix(first.blueF(), second.blueF()),
        )

    def readable_on(self, background: QColor) -> QColor:
        """Return the text colour with more contrast on a background (WCAG 2 luminance)."""
        choices = (self.colour("text"), self.colour("ground"))
        return max(choices, key=lambda colour: contrast(colour, background))

    def style_sheet(self) -> str:
        """Return the style sheet of the whole program."""
        return Template(_STYLE).substitute(
            {**self.colours, **self.sizes, "icons": self.icons.as_posix()}
        )


def contrast(first: QColor, second: QColor) -> float:
    """Contrast ratio of two colours, 1 to 21 (WCAG 2.2, relative luminance)."""

    def luminance(colour: QColor) -> float:
        parts = [
            value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
            for value in (colour.redF(), colour.greenF(), colour.blueF())
        ]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    high, low = sorted((luminance(first), luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@lru_cache(maxsize=4)
def load_theme(path: Path) -> Theme:
    """Read the tokens.

    Args:
        path: `theme.toml`.
    """
    with path.open("rb") as stream:
        raw = tomllib.load(stream)
    scales = {name: tuple(steps) for name, steps in raw["scales"].items()}
    return Theme(raw["colours"], scales, raw["sizes"], path.parent / "icons")


def apply_theme(application: QApplication, theme: Theme) -> None:
    """Give the whole program its font and style sheet; once is enough."""
    sheet = theme.style_sheet()
    if application.styleSheet() == sheet:
        return
    application.setStyle("Fusion")
    font = QFont(application.font())
    font.setPixelSize(theme.size("body"))
    application.setFont(font)
    application.setStyleSheet(sheet)


def icon(theme: Theme, name: str, shade: str = "muted") -> QIcon:
    """Return an icon of the Phosphor family in a colour of the theme (`ph.folder-open`)."""
    return glyph_icon(name, theme.colour(shade))
