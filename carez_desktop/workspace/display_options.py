"""What a person wants written over panes: texts of the corners, identity, units."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, ClassVar

from psygnal import Signal


class Corner(StrEnum):
    """A corner of a pane."""

    TOP_LEFT = "top_left"
    TOP_RIGHT = "top_right"
    BOTTOM_LEFT = "bottom_left"
    BOTTOM_RIGHT = "bottom_right"


class LengthUnit(StrEnum):
    """In which unit the ruler is written; `auto` takes whole centimetres where there are any."""

    AUTO = "auto"
    MILLIMETRES = "mm"
    CENTIMETRES = "cm"


class PositionStyle(StrEnum):
    """How a position in the patient is written."""

    LETTERS = "letters"
    LPS = "lps"
    RAS = "ras"


@dataclass(frozen=True, slots=True)
class CornerField:
    """Something that can stand in a corner.

    Attributes:
        id: Stable name.
        title: Words for the settings page.
        is_identity: It tells who the patient is, and goes when identity is hidden.
    """

    id: str
    title: str
    is_identity: bool = False


CORNER_FIELDS: tuple[CornerField, ...] = (
    CornerField("patient", "Patient's name", is_identity=True),
    CornerField("patient_id", "Patient's identifier", is_identity=True),
    CornerField("birth_date", "Date of birth", is_identity=True),
    CornerField("study_date", "Date of the study", is_identity=True),
    CornerField("institution", "Institution", is_identity=True),
    CornerField("title", "Series"),
    CornerField("plane", "Plane and kind"),
    CornerField("size", "Size in voxels"),
    CornerField("spacing", "Size of a voxel"),
    CornerField("count", "Number of the slice or frame"),
    CornerField("value", "Value and position under the crosshair"),
    CornerField("window", "Window"),
    CornerField("slab", "Slab"),
    CornerField("zoom", "Magnification"),
    CornerField("findings", "Findings and lossy compression"),
)

_DEFAULT_CORNERS: dict[Corner, tuple[str, ...]] = {
    Corner.TOP_LEFT: ("title", "plane", "findings"),
    Corner.TOP_RIGHT: (),
    Corner.BOTTOM_LEFT: ("value", "window"),
    Corner.BOTTOM_RIGHT: ("size", "spacing", "count"),
}


@dataclass(frozen=True, slots=True)
class DisplayOptions:
    """What is written over panes.

    Attributes:
        corners: Fields of each corner, from top to bottom.
        shows_corners: Whether corner texts are shown at all; the badge of synthetic volumes and
            the letters of the sides are no corner texts and always are.
        hides_identity: Whether whatever tells who the patient is stays away.
    """

    corners: dict[Corner, tuple[str, ...]] = field(default_factory=lambda: dict(_DEFAULT_CORNERS))
    shows_corners: bool = True
    hides_identity: bool = False
    length_unit: LengthUnit = LengthUnit.AUTO
    position_style: PositionStyle = PositionStyle.LETTERS

    def shown_in(self, corner: Corner) -> tuple[str, ...]:
        """Return the fields that a corner shows now."""
        if not self.shows_corners:
            return ()
        hidden = {entry.id for entry in CORNER_FIELDS if entry.is_identity}
        wanted = self.corners.get(corner, ())
        return tuple(name for name in wanted if not (self.hides_identity and name in hidden))

    def corner_of(self, name: str) -> Corner | None:
        """Return where a field stands; None for nowhere."""
        return next((corner for corner, names in self.corners.items() if name in names), None)

    def placed(self, name: str, corner: Corner | None) -> DisplayOptions:
        """Return these options with a field in another corner, last there, or in none.

        Raises:
            KeyError: There is no such field.
        """
        if name not in {entry.id for entry in CORNER_FIELDS}:
            raise KeyError(name)
        corners = {
            place: tuple(held for held in self.corners.get(place, ()) if held != name)
            for place in Corner
        }
        if corner is not None:
            corners[corner] = (*corners[corner], name)
        return replace(self, corners=corners)


class DisplayState:
    """The options in force.

    Signals:
        changed: They are others now.
    """

    changed: ClassVar[Signal] = Signal()

    def __init__(self, options: DisplayOptions | None = None) -> None:
        """Begin with kept options, or the usual ones."""
        self._options = options or DisplayOptions()

    @property
    def options(self) -> DisplayOptions:
        """The options in force."""
        return self._options

    @options.setter
    def options(self, options: DisplayOptions) -> None:
        if options != self._options:
            self._options = options
            self.changed.emit()

    def change(self, **parts: Any) -> None:
        """Change some of the options by name."""
        self.options = replace(self._options, **parts)
