"""Frames of enhanced multi-frame objects: shared and per-frame functional groups.

PS3.3 C.7.6.16. Each macro is parsed once for all frames that have the same bytes in it; the facts
of a frame are those of its macros over those that all frames share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from carez_desktop.dicom.element_bytes import ElementBudget
from carez_desktop.dicom.elements import ElementTable
from carez_desktop.dicom.header_attributes import image_components, table_facts
from carez_desktop.dicom.pixel_spacings import pair
from carez_desktop.dicom.private_elements import diffusion_facts
from carez_desktop.domain.study import AttributeValue

SHARED_GROUPS, FRAME_GROUPS = 0x52009229, 0x52009230
MOST_FRAMES = 65_536
"""Frames of one object; the largest enhanced series that was seen has 20 000."""
GROUP_TAGS = frozenset((SHARED_GROUPS, FRAME_GROUPS))

_POSITION, _ORIENTATION, _SPACING = 0x00200032, 0x00200037, 0x00280030
_VOLUME_POSITION, _VOLUME_ORIENTATION = 0x00209301, 0x00209302
_FRAME_TYPE, _DIFFUSION, _TEMPORAL_POSITION = 0x00089007, 0x00189117, 0x00209310
_PLACE_MACROS = frozenset(
    (
        0x00209113,  # Plane Position
        0x00209116,  # Plane Orientation
        0x00289110,  # Pixel Measures
        0x00289145,  # Pixel Value Transformation
        0x0020930E,  # Plane Position (Volume)
        0x0020930F,  # Plane Orientation (Volume)
    )
)
_LEFT_OUT = frozenset(
    (
        0x00081140,  # Referenced Image
        0x00089124,  # Derivation Image
        0x00082112,  # Source Image
        0x00409096,  # Real World Value Mapping
        0x00289422,  # Pixel Intensity Relationship LUT
        0x0008114A,  # Referenced Instance
        0x0062000A,  # Segment Identification
    )
)
"""Macros that tell nothing to split or place a frame by; read where they are needed."""


@dataclass(slots=True)
class FrameFacts:
    """What the functional groups say of one frame.

    Attributes:
        position: Centre of the first pixel, LPS mm (of a volume's own space for ultrasound).
        orientation: Row and column cosines.
        spacing: (between rows, between columns) in mm.
        frame_type: Values of Frame Type.
        attributes: Other facts, by keyword in snake_case.
    """

    position: tuple[float, ...] | None = None
    orientation: tuple[float, ...] | None = None
    spacing: tuple[float, float] | None = None
    frame_type: tuple[str, ...] = ()
    attributes: dict[str, AttributeValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FunctionalGroups:
    """The functional groups of one object.

    Attributes:
        frames: Of each frame; empty where no frame has a place (angiography).
        shared: Facts of all frames.
        described: How many frames have an item of their own.
    """

    frames: tuple[FrameFacts, ...]
    shared: FrameFacts
    described: int


def read_groups(
    elements: ElementTable, number_of_frames: int, *, with_attributes: bool
) -> FunctionalGroups:
    """Read the functional groups of each frame.

    Never more frames than there are items: the number of frames in the header is not believed.

    Args:
        elements: With shared and per-frame functional groups.
        number_of_frames: What the header claims.
        with_attributes: False: only place, and the rescale of each frame.
    """
    budget = ElementBudget()
    frames_to_read = min(max(1, number_of_frames), MOST_FRAMES)
    items = elements.items(FRAME_GROUPS, budget, frames_to_read + 1)
    frames = items[:frames_to_read]
    shared = elements.first_item(SHARED_GROUPS)
    if not frames and number_of_frames == 1 and shared.values:
        frames = (ElementTable(),)
    reader = _MacroReader(budget, with_attributes)
    common = reader.of_item(shared)
    facts = tuple(_merged(common, reader.of_item(frame)) for frame in frames)
    placed = any(frame.position is not None for frame in facts)
    whole = _merged({}, dict(common))
    return FunctionalGroups(facts if placed else (), whole, len(items))


def _merged(common: Mapping[str, Any], own: dict[str, Any]) -> FrameFacts:
    """Lay the places of a frame over the shared ones; other facts stay apart."""

    def place(name: str) -> Any:
        return own.pop(name, None) or common.get(name)

    facts = FrameFacts(place("*position"), place("*orientation"), place("*spacing"))
    facts.frame_type = place("*frame_type") or ()
    facts.attributes = own
    return facts


class _MacroReader:
    """Reads the macros of items, each distinct one once."""

    def __init__(self, budget: ElementBudget, with_attributes: bool) -> None:
        self._budget = budget
        self._with_attributes = with_attributes
        self._seen: dict[tuple[int, bytes], dict[str, Any]] = {}

    def of_item(self, item: ElementTable) -> dict[str, Any]:
        """Return the facts of all macros in an item; places have names that begin with `*`."""
        found: dict[str, Any] = {}
        for tag, raw in item.values.items():
            private = bool(tag >> 16 & 1)  # Philips keeps a position of its own in (2005,140F)
            if private or tag in _LEFT_OUT:
                continue
            if not (self._with_attributes or tag in _PLACE_MACROS):
                continue
            facts = self._seen.get((tag, raw))
            if facts is None:
                facts = self._read(item, tag)
                self._seen[(tag, raw)] = facts
            found.update(facts)
        return found

    def _read(self, item: ElementTable, tag: int) -> dict[str, Any]:
        macro = next(iter(item.items(tag, self._budget)), None)
        if macro is None:
            return {}
        found: dict[str, Any] = _place(macro)
        frame_type = macro.codes(_FRAME_TYPE)
        if frame_type:
            found["*frame_type"] = frame_type
        if self._with_attributes:
            found.update(table_facts(macro))
            found.update(table_facts(macro.first_item(_TEMPORAL_POSITION)))
            if frame_type:
                found.update(image_components(frame_type, found))
            if tag == _DIFFUSION:
                found.update(diffusion_facts(macro))
        else:
            found.update(_rescale(macro))
        return found


def _place(macro: ElementTable) -> dict[str, Any]:
    """Return position, orientation and spacing of a macro under names that begin with `*`."""
    found: dict[str, Any] = {}
    position = macro.decimals(_POSITION) or macro.binaries(_VOLUME_POSITION, "d")
    if len(position) == 3:
        found["*position"] = position
    orientation = macro.decimals(_ORIENTATION) or macro.binaries(_VOLUME_ORIENTATION, "d")
    if len(orientation) == 6:
        found["*orientation"] = orientation
    spacing = pair(macro, _SPACING)
    if spacing is not None:
        found["*spacing"] = spacing
    return found


def _rescale(macro: ElementTable) -> dict[str, AttributeValue]:
    found: dict[str, AttributeValue] = {}
    for name, tag in (("rescale_slope", 0x00281053), ("rescale_intercept", 0x00281052)):
        value = macro.decimal(tag)
        if value is not None:
            found[name] = value
    return found
