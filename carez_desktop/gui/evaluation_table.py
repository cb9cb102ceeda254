"""The six axes as a table: measurements with interval and n under each axis and its verdict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHeaderView, QTreeWidget, QTreeWidgetItem

from carez_desktop.gui.theme import Theme
from carez_desktop.gui.verdict_looks import looks_of, verdict_icon

COLUMNS = ("Axis, measurement", "Value", "Interval", "n", "Compared with", "Verdict, margin")
_FACTS_ROLE = int(Qt.ItemDataRole.UserRole) + 1


class EvaluationTable(QTreeWidget):
    """Axes with their measurements.

    Signals:
        chosen(dict): Plain data of the row chosen: an axis or a measurement.
    """

    chosen = Signal(dict)

    def __init__(self, theme: Theme) -> None:
        """Start empty."""
        super().__init__()
        self._theme = theme
        self.setColumnCount(len(COLUMNS))
        self.setHeaderLabels(list(COLUMNS))
        self.setRootIsDecorated(False)
        self.setIndentation(16)
        header = self.header()
        header.setStretchLastSection(False)
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        for column in (1, 2, 3, 4):
            self.headerItem().setTextAlignment(column, right)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column, width in ((1, 104), (2, 146), (3, 64), (4, 110), (5, 170)):
            header.resizeSection(column, width)
        self.itemSelectionChanged.connect(self._tell)

    def show_evaluation(self, evaluation: Mapping[str, Any]) -> None:
        """Show an evaluation as plain data (`read_evaluation` of a bundle)."""
        self.clear()
        for axis in evaluation["axes"]:
            self._add_axis(axis)
        self.expandAll()

    def _add_axis(self, axis: Mapping[str, Any]) -> None:
        looks = looks_of(str(axis["verdict"]))
        title = str(axis["axis"]).replace("_", "-").capitalize()
        item = QTreeWidgetItem([title, "", "", "", "", looks.word])
        item.setIcon(5, verdict_icon(self._theme, str(axis["verdict"])))
        item.setForeground(5, self._theme.colour(looks.shade))
        font = item.font(0)
        font.setBold(True)
        item.setFont(0, font)
        item.setFont(5, font)
        item.setData(0, _FACTS_ROLE, dict(axis))
        self.addTopLevelItem(item)
        if axis.get("reason"):
            reason = QTreeWidgetItem([str(axis["reason"])])
            reason.setForeground(0, self._theme.colour("muted"))
            reason.setToolTip(0, str(axis["reason"]))
            reason.setData(0, _FACTS_ROLE, dict(axis))
            item.addChild(reason)
            reason.setFirstColumnSpanned(True)
        for measurement in axis["measurements"]:
            item.addChild(self._row(measurement))

    def _row(self, measurement: Mapping[str, Any]) -> QTreeWidgetItem:
        unit = str(measurement.get("unit") or "")
        value = measurement["value"]
        name = str(measurement["name"]).replace("_", " ")
        row = QTreeWidgetItem(
            [
                f"{name}, {unit}" if unit else name,
                "not evaluable" if value is None else number_text(value),
                interval_text(measurement),
                str(measurement["n"]),
                number_text(measurement.get("reference")),
                str(measurement.get("margin") or ""),
            ]
        )
        for column in (1, 2, 3, 4):
            row.setTextAlignment(
                column, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            )
        if value is None:
            row.setForeground(1, self._theme.colour("muted"))
            row.setToolTip(1, str(measurement.get("reason") or ""))
        row.setData(0, _FACTS_ROLE, dict(measurement))
        return row

    def _tell(self) -> None:
        items = self.selectedItems()
        facts = items[0].data(0, _FACTS_ROLE) if items else None
        if isinstance(facts, dict):
            self.chosen.emit(facts)


def number_text(value: Any) -> str:
    """Write a number with four significant digits; "" for none."""
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def interval_text(measurement: Mapping[str, Any]) -> str:
    """Write the interval of a measurement (`0.81 to 0.93`); "" for none."""
    interval = measurement.get("interval")
    if not interval:
        return ""
    return f"{number_text(float(interval[0]))} to {number_text(float(interval[1]))}"
