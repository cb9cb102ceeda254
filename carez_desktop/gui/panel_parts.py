"""Parts of the View page's panel: folding sections, segmented choices, sliders, typed numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QSlider,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from carez_desktop.gui.page_parts import words
from carez_desktop.gui.theme import Theme, icon
from carez_desktop.workspace.arrangement import Arrangement
from carez_desktop.workspace.pane import Pane

Choice = tuple[str, str, str]
"""Id, words and tooltip of a segment."""

_TICKS = 1000
_COARSE = 20.0
_WITHOUT_CLICK = Qt.FocusPolicy.TabFocus


def keep_keyboard(widget: QWidget) -> None:
    """Let a click on a control leave the keyboard with the pane; Tab still reaches it."""
    widget.setFocusPolicy(_WITHOUT_CLICK)


def panel_button(text: str, action: Callable[[], object], tip: str = "") -> QPushButton:
    """Return a button that leaves the keyboard with the pane."""
    made = QPushButton(text)
    made.setObjectName("preset")
    made.setToolTip(tip)
    made.clicked.connect(lambda _checked=False: action())
    keep_keyboard(made)
    return made


def panel_check(text: str, action: Callable[[bool], object], tip: str = "") -> QCheckBox:
    """Return a check box that leaves the keyboard with the pane."""
    made = QCheckBox(text)
    made.setToolTip(tip)
    made.toggled.connect(action)
    keep_keyboard(made)
    return made


def set_quietly(box: QCheckBox, checked: bool) -> None:
    """Show a state without acting on it."""
    box.blockSignals(True)
    box.setChecked(checked)
    box.blockSignals(False)


def number_in(text: str) -> float | None:
    """Read a typed number; None where it is none. A decimal comma and a real minus count."""
    try:
        value = float(text.strip().replace(",", ".").replace("\N{MINUS SIGN}", "-"))
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None


def digits_for(size: float) -> int | None:
    """Return how many digits after the point suit numbers of a size; None where none do."""
    if size and not 0.01 <= size < 1e6:
        return None
    return 0 if size == 0.0 or size >= _COARSE else 3


def narrow_list(box: QComboBox) -> None:
    """Let a list be narrower than its longest line."""
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(8)
    keep_keyboard(box)


class PanelSection(QWidget):
    """A section with a title that folds it; it shows one arrangement and its active pane.

    Subclasses fill `body` and override `refresh`, which is called while the section is open.

    Signals:
        fold_changed(str, bool): Key of the section, and whether it is folded now.
    """

    fold_changed = Signal(str, bool)

    def __init__(self, theme: Theme, key: str, title: str) -> None:
        """Lay out the title and an open, empty body."""
        super().__init__()
        self.theme = theme
        self.key = key
        self.arrangement: Arrangement | None = None
        self.pane: Pane | None = None
        self._head = QToolButton()
        self._head.setObjectName("section_head")
        self._head.setText(title)
        self._head.setCheckable(True)
        self._head.setChecked(True)
        self._head.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._head.setIconSize(QSize(12, 12))
        self._head.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._head.setToolTip("Fold or unfold")
        self._head.setAccessibleName(title)
        self._head.toggled.connect(self._toggle)
        keep_keyboard(self._head)
        self._holder = QWidget()
        self.body = QVBoxLayout(self._holder)
        self.body.setContentsMargins(0, 0, 0, theme.size("space_2"))
        self.body.setSpacing(theme.size("space_2"))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.size("space_2"))
        layout.addWidget(self._head)
        layout.addWidget(self._holder)
        self._draw_caret()

    @property
    def is_folded(self) -> bool:
        """Whether only the title is shown."""
        return not self._head.isChecked()

    def set_folded(self, folded: bool) -> None:
        """Fold or unfold the body."""
        self._head.setChecked(not folded)

    def show_arrangement(self, arrangement: Arrangement | None) -> None:
        """Act on an arrangement; None lets it go."""
        self.arrangement = arrangement
        self.pane = None

    def follow(self, pane: Pane | None) -> None:
        """Act on another pane."""
        self.pane = pane
        self.renew()

    def renew(self) -> None:
        """Read again what is shown, unless the section is folded away."""
        if not self.is_folded:
            self.refresh()

    def refresh(self) -> None:
        """Show what the pane and the arrangement say now."""

    def _toggle(self, opened: bool) -> None:
        self._holder.setVisible(opened)
        self._draw_caret()
        if opened:
            self.refresh()
        self.fold_changed.emit(self.key, not opened)

    def _draw_caret(self) -> None:
        name = "ph.caret-down" if self._head.isChecked() else "ph.caret-right"
        self._head.setIcon(icon(self.theme, name))


class Segments(QWidget):
    """One of a few choices, side by side; arrow keys move between them.

    Signals:
        chosen(str): Id of the segment a person chose.
    """

    chosen = Signal(str)

    def __init__(self, theme: Theme, choices: Sequence[Choice], *, columns: int = 0) -> None:
        """Lay the choices out in rows.

        Args:
            theme: The looks.
            choices: Id, words and tooltip of each.
            columns: So many in a row; 0 puts all of them in one.
        """
        super().__init__()
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.size("space_1"))
        self._group = QButtonGroup(self)
        self._buttons: dict[str, QPushButton] = {}
        columns = columns or len(choices)
        for place, (name, text, tip) in enumerate(choices):
            made = QPushButton(text)
            made.setObjectName("segment")
            made.setCheckable(True)
            made.setToolTip(tip)
            made.setMinimumWidth(24)
            made.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            made.clicked.connect(lambda _=False, name=name: self.chosen.emit(name))
            keep_keyboard(made)
            self._group.addButton(made)
            self._buttons[name] = made
            layout.addWidget(made, place // columns, place % columns)

    @property
    def value(self) -> str:
        """Id of the segment that is on; "" for none."""
        return next((name for name, made in self._buttons.items() if made.isChecked()), "")

    def set_value(self, name: str) -> None:
        """Show a choice without telling; an unknown one switches all of them off."""
        self._group.setExclusive(False)
        for other, made in self._buttons.items():
            made.setChecked(other == name)
        self._group.setExclusive(True)

    def button(self, name: str) -> QPushButton:
        """Return the button of a choice."""
        return self._buttons[name]


class NumberField(QWidget):
    """A typed number with its label and unit; what is wrong is said beside it as one types.

    Signals:
        entered(float): A person finished typing a number that is allowed.
    """

    entered = Signal(float)

    def __init__(
        self,
        theme: Theme,
        label: str,
        unit: str = "",
        *,
        low: float = -float("inf"),
        high: float = float("inf"),
        tip: str = "",
    ) -> None:
        """Start with an empty field.

        Args:
            theme: The looks.
            label: Words before it.
            unit: Words after it.
            low: Smallest number allowed.
            high: Largest number allowed.
            tip: What it does.
        """
        super().__init__()
        self._low, self._high = low, high
        self._shown: float | None = None
        self._digits: int | None = 0
        self.edit = QLineEdit()
        self.edit.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.edit.setAccessibleName(label)
        self.edit.setToolTip(tip)
        self.edit.setMinimumWidth(44)
        self.edit.textEdited.connect(self._check)
        self.edit.editingFinished.connect(self._finish)
        self._unit = words(unit, "label")
        self._wrong = words("", "error", wrap=True)
        self._wrong.hide()
        row = QHBoxLayout()
        row.setSpacing(theme.size("space_2"))
        row.addWidget(words(label, "label"))
        row.addWidget(self.edit, 1)
        row.addWidget(self._unit)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(row)
        layout.addWidget(self._wrong)
        # Not before it has a parent: it would be shown as a window of its own.
        self._unit.setVisible(bool(unit))

    @property
    def value(self) -> float | None:
        """What is typed now; None while it is no number that is allowed."""
        value = number_in(self.edit.text())
        return value if value is not None and self._low <= value <= self._high else None

    def set_value(self, value: float, digits: int | None = 0) -> None:
        """Show a number, unless a person is typing here.

        Args:
            value: The number.
            digits: After the point; None shows six that count, for the very small and large.
        """
        if self.edit.hasFocus() and self.edit.isModified():
            return
        self._shown, self._digits = value, digits
        self.edit.setText(f"{value:.6g}" if digits is None else f"{value:.{digits}f}")
        self._check()

    def set_unit(self, unit: str) -> None:
        """Show another unit."""
        self._unit.setText(unit)
        self._unit.setVisible(bool(unit))

    def _check(self, _: str = "") -> None:
        wrong = self._fault()
        self._wrong.setText(wrong)
        self._wrong.setVisible(bool(wrong))
        if self.edit.property("wrong") != bool(wrong):
            self.edit.setProperty("wrong", bool(wrong))
            self.edit.style().unpolish(self.edit)
            self.edit.style().polish(self.edit)

    def _fault(self) -> str:
        value = number_in(self.edit.text())
        if value is None:
            return "Type a number" if self.edit.text() else ""
        if value < self._low:
            return f"At least {self._low:g}"
        return f"At most {self._high:g}" if value > self._high else ""

    def _finish(self) -> None:
        value = self.value
        modified = self.edit.isModified()
        self.edit.setModified(False)
        if value is not None and modified:
            self.entered.emit(value)
        elif value is None and self._shown is not None:
            self.set_value(self._shown, self._digits)


class SliderField(QWidget):
    """A slider with its label and the number it stands for, with unit.

    Signals:
        moved(float): A person moved it.
    """

    moved = Signal(float)

    def __init__(
        self,
        theme: Theme,
        label: str,
        low: float,
        high: float,
        *,
        text: Callable[[float], str],
        tip: str = "",
        square: bool = False,
    ) -> None:
        """Lay out label, number and slider.

        Args:
            theme: The looks.
            label: Words above it.
            low: Number at its left end.
            high: Number at its right end.
            text: Words for a number.
            tip: What it does.
            square: Finer steps near the left end.
        """
        super().__init__()
        self._low, self._high, self._text, self._square = low, high, text, square
        self._value = low
        self._number = words(text(low), "label")
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, _TICKS)
        self.slider.setSingleStep(_TICKS // 100)
        self.slider.setPageStep(_TICKS // 10)
        self.slider.setAccessibleName(label)
        self.slider.setToolTip(tip)
        self.slider.valueChanged.connect(self._moved)
        keep_keyboard(self.slider)
        head = QHBoxLayout()
        head.addWidget(words(label, "label"), 1)
        head.addWidget(self._number)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.size("space_1"))
        layout.addLayout(head)
        layout.addWidget(self.slider)

    @property
    def value(self) -> float:
        """The number it stands for."""
        return self._value

    def set_value(self, value: float) -> None:
        """Show a number without telling."""
        self._value = value
        share = min(max((value - self._low) / (self._high - self._low), 0.0), 1.0)
        self.slider.blockSignals(True)
        self.slider.setValue(round((share**0.5 if self._square else share) * _TICKS))
        self.slider.blockSignals(False)
        self._number.setText(self._text(value))

    def _moved(self, ticks: int) -> None:
        share = ticks / _TICKS
        share = share * share if self._square else share
        self._value = self._low + share * (self._high - self._low)
        self._number.setText(self._text(self._value))
        self.moved.emit(self._value)
