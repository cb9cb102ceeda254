"""The Settings page: keys, what is written over panes, identity, units."""

from __future__ import annotations

from functools import partial

from PySide6.QtWidgets import QCheckBox, QComboBox, QFormLayout

from carez_desktop.errors import CarezError
from carez_desktop.gui.key_table import KeyTable
from carez_desktop.gui.page_parts import Page, button, words
from carez_desktop.gui.session import Session
from carez_desktop.workspace.display_file import save_display
from carez_desktop.workspace.display_options import (
    CORNER_FIELDS,
    Corner,
    DisplayOptions,
    LengthUnit,
    PositionStyle,
)
from carez_desktop.workspace.keys_file import save_key_map

_CORNERS = {
    Corner.TOP_LEFT: "top left",
    Corner.TOP_RIGHT: "top right",
    Corner.BOTTOM_LEFT: "bottom left",
    Corner.BOTTOM_RIGHT: "bottom right",
}
_LETTERS = 9
_NOWHERE = "not shown"
_LENGTHS = {
    LengthUnit.AUTO: "mm or whole cm",
    LengthUnit.MILLIMETRES: "millimetres",
    LengthUnit.CENTIMETRES: "centimetres",
}
_POSITIONS = {
    PositionStyle.LETTERS: "letters: R 12.0",
    PositionStyle.LPS: "numbers, LPS",
    PositionStyle.RAS: "numbers, RAS",
}


class SettingsPage(Page):
    """What a person can set; every change is in force and kept at once."""

    def __init__(self, session: Session) -> None:
        """Build the page on the session's keys and display options."""
        super().__init__(session.theme, "Settings")
        self._session = session
        self._is_showing = False
        self.keys = KeyTable(session)
        self.keys.changed.connect(self._keep_keys)
        self.body.addWidget(self.keys, 1)
        self._build_identity()
        self._build_units()
        self._build_corners()
        self.use_panel()
        session.display.changed.connect(self._show_options)
        self.destroyed.connect(
            partial(session.display.changed.disconnect, self._show_options, missing_ok=True)
        )
        self._show_options()
        passed_over = (*session.key_findings, *session.display_findings)
        if passed_over:
            self.message.show_notice(". ".join(finding.text for finding in passed_over))

    # -- building ------------------------------------------------------------------------------

    def _build_identity(self) -> None:
        self.panel.addWidget(words("Over the panes", "section"))
        self.shows_corners = QCheckBox("Show texts in the corners")
        self.hides_identity = QCheckBox("Hide the patient's identity")
        self.shows_corners.toggled.connect(partial(self._change, "shows_corners"))
        self.hides_identity.toggled.connect(partial(self._change, "hides_identity"))
        self.panel.addWidget(self.shows_corners)
        self.panel.addWidget(self.hides_identity)

    def _build_units(self) -> None:
        self.panel.addWidget(words("Units", "section"))
        self.length_unit = self._choices("Ruler", _LENGTHS, "length_unit")
        self.position_style = self._choices("Positions", _POSITIONS, "position_style")

    def _choices(self, title: str, choices: dict[LengthUnit, str] | dict[PositionStyle, str],
                 name: str) -> QComboBox:  # fmt: skip
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        box = _narrow_box(title)
        for value, text in choices.items():
            box.addItem(text, value.value)
        # Qt keeps the bare text of an enumeration: the row finds the value itself.
        values = tuple(choices)
        box.activated.connect(lambda row: self._change(name, values[row]))
        form.addRow(words(title), box)
        self.panel.addLayout(form)
        return box

    def _build_corners(self) -> None:
        self.panel.addWidget(words("Texts of the corners", "section"))
        form = QFormLayout()
        form.setVerticalSpacing(self.theme.size("space_1"))
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.places: dict[str, QComboBox] = {}
        for entry in CORNER_FIELDS:
            box = _narrow_box(f"Place of {entry.title}")
            box.addItem(_NOWHERE, "")
            for corner, text in _CORNERS.items():
                box.addItem(text, corner.value)
            box.activated.connect(partial(self._place, entry.id))
            title = words(entry.title, "label", wrap=True)
            if entry.is_identity:
                title.setToolTip("Goes when the patient's identity is hidden")
            form.addRow(title, box)
            self.places[entry.id] = box
        self.panel.addLayout(form)
        self.panel.addWidget(button("As at first", self._reset_display))

    # -- changing ------------------------------------------------------------------------------

    def _change(self, name: str, value: object) -> None:
        if not self._is_showing:
            self._session.display.change(**{name: value})
            self._keep_display()

    def _place(self, name: str, row: int) -> None:
        value = self.places[name].itemData(row)
        corner = Corner(value) if value else None
        display = self._session.display
        display.options = display.options.placed(name, corner)
        self._keep_display()

    def _reset_display(self) -> None:
        self._session.display.options = DisplayOptions()
        self._keep_display()

    def _keep_display(self) -> None:
        try:
            save_display(self._session.context.home, self._session.display.options)
        except CarezError as error:
            self.message.show_error(error)

    def _keep_keys(self) -> None:
        try:
            save_key_map(self._session.context.home, self._session.key_map)
        except CarezError as error:
            self.message.show_error(error)

    def _show_options(self) -> None:
        options = self._session.display.options
        self._is_showing = True
        self.shows_corners.setChecked(options.shows_corners)
        self.hides_identity.setChecked(options.hides_identity)
        self.length_unit.setCurrentIndex(self.length_unit.findData(options.length_unit.value))
        self.position_style.setCurrentIndex(
            self.position_style.findData(options.position_style.value)
        )
        for name, box in self.places.items():
            corner = options.corner_of(name)
            box.setCurrentIndex(box.findData(corner.value if corner is not None else ""))
        self._is_showing = False


def _narrow_box(title: str) -> QComboBox:
    """Return a choice that never asks for more width than the panel has."""
    box = QComboBox()
    box.setAccessibleName(title)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(_LETTERS)
    return box
