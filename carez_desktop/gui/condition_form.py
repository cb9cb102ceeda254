"""A form made from a generator's conditions: label, control, unit, range, and what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from carez_desktop.domain.generation import ConditionSpec
from carez_desktop.errors import UsageError
from carez_desktop.gui.page_parts import clear_layout, words
from carez_desktop.gui.theme import Theme

_CONTROL_WIDTH = 140

COUNT = ConditionSpec("count", "How many volumes", "integer", minimum=1, maximum=1000, default=1)
SEED = ConditionSpec(
    "seed",
    "Seed",
    "integer",
    minimum=0,
    maximum=2**53,
    default=1,
    description="The same seed makes the same volumes again.",
)


@dataclass(frozen=True, eq=False)
class _Row:
    spec: ConditionSpec
    read: Callable[[], Any]
    error: Any
    control: QWidget


class ConditionForm(QWidget):
    """Rows of conditions; a wrong value is named beside its field, as it is typed.

    Signals:
        changed: Any value changed.
    """

    changed = Signal()

    def __init__(self, theme: Theme) -> None:
        """Start without rows."""
        super().__init__()
        self._theme = theme
        self._rows: dict[str, _Row] = {}
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(theme.size("space_3"))

    def show_specs(self, specs: tuple[ConditionSpec, ...]) -> None:
        """Make the rows anew; values that a row of the same name held are kept where they fit."""
        before = {name: row.read() for name, row in self._rows.items()}
        clear_layout(self._layout)
        self._rows.clear()
        for spec in specs:
            self._add_row(spec, before.get(spec.name))
        self._check()

    def control(self, name: str) -> QWidget:
        """Return the control of a condition."""
        return self._rows[name].control

    def error_text(self, name: str) -> str:
        """Return what is wrong with a condition; "" for nothing."""
        return str(self._rows[name].error.text())

    @property
    def is_valid(self) -> bool:
        """Whether every value is inside its range."""
        return all(not row.error.text() for row in self._rows.values())

    def values(self) -> dict[str, Any]:
        """Return the values by name, as their kinds.

        Raises:
            UsageError: The first that is wrong.
        """
        return {name: row.spec.check(row.read()) for name, row in self._rows.items()}

    def set_values(self, values: Mapping[str, Any]) -> None:
        """Fill in values by name."""
        for name, value in values.items():
            control = self._rows[name].control
            if isinstance(control, QCheckBox):
                control.setChecked(bool(value))
            elif isinstance(control, QComboBox):
                control.setCurrentText(str(value))
            elif isinstance(control, QLineEdit):
                control.setText(_shown(value))

    def _add_row(self, spec: ConditionSpec, before: Any) -> None:
        value = spec.default if before is None else before
        control, read = self._make_control(spec, value)
        control.setAccessibleName(spec.title)
        error = words("", "error", wrap=True)
        column = QVBoxLayout()
        column.setSpacing(2)
        line = QHBoxLayout()
        line.setSpacing(self._theme.size("space_2"))
        if not isinstance(control, QCheckBox):
            line.addWidget(words(spec.title), 1)
        line.addWidget(control)
        unit = words("" if spec.unit == "1" else spec.unit.strip("{}"), "label")
        unit.setFixedWidth(72)
        line.addWidget(unit)
        if isinstance(control, QCheckBox):
            line.insertStretch(1, 1)
        column.addLayout(line)
        if help_text(spec):
            column.addWidget(words(help_text(spec), "help", wrap=True))
        column.addWidget(error)
        self._layout.addLayout(column)
        self._rows[spec.name] = _Row(spec, read, error, control)

    def _make_control(self, spec: ConditionSpec, value: Any) -> tuple[QWidget, Callable[[], Any]]:
        if spec.kind == "boolean":
            box = QCheckBox(spec.title)
            box.setChecked(str(value).lower() == "true")
            box.toggled.connect(self._check)
            return box, box.isChecked
        if spec.choices:
            choice = QComboBox()
            choice.addItems(list(spec.choices))
            choice.setCurrentText(str(value))
            choice.setFixedWidth(_CONTROL_WIDTH)
            choice.currentTextChanged.connect(self._check)
            return choice, choice.currentText
        field = QLineEdit(_shown(value))
        field.setFixedWidth(_CONTROL_WIDTH)
        field.textChanged.connect(self._check)
        return field, lambda: field.text().strip().replace(",", ".")

    def _check(self) -> None:
        for row in self._rows.values():
            text = ""
            try:
                row.spec.check(row.read())
            except UsageError as error:
                text = error.hint.removesuffix(" (1)")
            row.error.setText(text)
            row.error.setVisible(bool(text))
            row.control.setProperty("wrong", "true" if text else "false")
            row.control.style().unpolish(row.control)
            row.control.style().polish(row.control)
        self.changed.emit()


def help_text(spec: ConditionSpec) -> str:
    """Return the line of help: description and range."""
    parts = [spec.description.rstrip(".")] if spec.description else []
    bounds = (spec.minimum, spec.maximum)
    if spec.kind in ("number", "integer") and bounds != (None, None) and spec.name != SEED.name:
        low = "" if spec.minimum is None else f"{spec.minimum:.16g}"
        high = "" if spec.maximum is None else f"{spec.maximum:.16g}"
        parts.append(f"Range {low} to {high}")
    return ". ".join(parts) + ("." if parts else "")


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.16g}" if isinstance(value, float) else str(value)
