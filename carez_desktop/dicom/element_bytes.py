"""Where elements begin and end in the bytes of a DICOM data set (PS3.5 chapter 7).

Nothing is believed: a length may lie, a delimiter may be missing, a VR may be one that nobody
defined. Depth and the number of elements are bounded, so that no file can hold up an import.
"""

from __future__ import annotations

import struct

PIXEL_DATA = 0x7FE00010
PIXEL_TAGS = frozenset((0x7FE00008, 0x7FE00009, PIXEL_DATA))
UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
LONG_VRS = frozenset(
    (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
)
SHORT_VRS = frozenset(
    (
        *(b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT"),
        *(b"PN", b"SH", b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US"),
    )
)
KNOWN_VRS = LONG_VRS | SHORT_VRS
MOST_ELEMENTS = 3_000_000
"""Elements of one file, nested ones too: 20 000 enhanced frames have two million."""
_DEEPEST = 32


class NotUnderstoodError(Exception):
    """Bytes that are no DICOM elements; `args[0]` says so in words."""


class BufferEndError(Exception):
    """The walk needs bytes beyond the buffer; `args[0]` is the position to go on from."""


class ElementBudget:
    """How many more elements may be looked at."""

    __slots__ = ("left",)

    def __init__(self, left: int = MOST_ELEMENTS) -> None:
        self.left = left

    def spend(self, count: int = 1) -> None:
        """Count elements.

        Raises:
            NotUnderstoodError: There are more than any real file has.
        """
        self.left -= count
        if self.left < 0:
            raise NotUnderstoodError(f"it has more than {MOST_ELEMENTS} elements")


def element_at(
    buffer: bytes, offset: int, explicit: bool, order: str
) -> tuple[int, bytes, int, int]:
    """Return (tag, VR, length, offset of the value) of the element at an offset.

    Args:
        buffer: Part of a data set.
        offset: Of the element's first byte.
        explicit: Whether elements carry their VR.
        order: `<` or `>`: byte order of tags and lengths.

    Raises:
        struct.error: The buffer ends inside the element's head.
        NotUnderstoodError: No reading of an odd VR fits what follows.
    """
    group, element = struct.unpack_from(order + "HH", buffer, offset)
    tag = group << 16 | element
    if not explicit or group == 0xFFFE:
        (length,) = struct.unpack_from(order + "I", buffer, offset + 4)
        return tag, b"", length, offset + 8
    vr = buffer[offset + 4 : offset + 6]
    if vr in SHORT_VRS:
        (length,) = struct.unpack_from(order + "H", buffer, offset + 6)
        return tag, vr, length, offset + 8
    if vr in LONG_VRS:
        (length,) = struct.unpack_from(order + "I", buffer, offset + 8)
        return tag, vr, length, offset + 12
    return _odd_element(buffer, offset, tag, vr, order)


def _odd_element(
    buffer: bytes, offset: int, tag: int, vr: bytes, order: str
) -> tuple[int, bytes, int, int]:
    """Read an element whose VR nobody defined in the way that makes sense of what follows.

    New VRs have a 32-bit length after two zero bytes (PS3.5 7.1.2). Some writers put two blanks
    or zeros for a VR that they do not know, some leave the VR out.
    """
    if len(buffer) < offset + 12:
        raise struct.error("buffer ends inside an element")
    (short,) = struct.unpack_from(order + "H", buffer, offset + 6)
    (implicit,) = struct.unpack_from(order + "I", buffer, offset + 4)
    (long,) = struct.unpack_from(order + "I", buffer, offset + 8)
    is_word = vr.isalpha() and vr.isupper()
    candidates = [(short, offset + 8), (implicit, offset + 8)]
    candidates.insert(0 if short == 0 else 1, (long, offset + 12))
    for length, value in candidates:
        if _element_follows(buffer, value + length, tag, order):
            return tag, vr, length, value
    if is_word and short == 0:
        return tag, vr, long, offset + 12
    raise NotUnderstoodError(f"the VR of element {tag_text(tag)} is {vr!r}")


def _element_follows(buffer: bytes, offset: int, tag: int, order: str) -> bool:
    """Whether an element with a higher tag, or a delimiter, begins at an offset."""
    if offset + 8 > len(buffer):
        return False
    group, element = struct.unpack_from(order + "HH", buffer, offset)
    following = group << 16 | element
    if following in (ITEM, ITEM_END, SEQUENCE_END):
        return True
    known = buffer[offset + 4 : offset + 6] in KNOWN_VRS
    return known and tag < following and group <= 0x7FE0


def tag_text(tag: int) -> str:
    """Return `(gggg,eeee)`."""
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def skip_sequence(
    buffer: bytes, offset: int, explicit: bool, order: str, budget: ElementBudget, depth: int = 0
) -> int:
    """Return the offset after a sequence of undefined length that starts at `offset`.

    A sequence without its delimiter ends at the first element that is no item.

    Raises:
        BufferEndError: The buffer ends first; its argument is where.
        NotUnderstoodError: Too deep, too many elements, or not elements at all.
    """
    if depth > _DEEPEST:
        raise NotUnderstoodError(f"its sequences are nested deeper than {_DEEPEST}")
    while True:
        if offset + 8 > len(buffer):
            raise BufferEndError(offset)
        budget.spend()
        tag, _, length, value = element_at(buffer, offset, False, order)
        if tag == SEQUENCE_END:
            return value
        if tag == ITEM_END and depth:
            return offset
        if tag == ITEM_END:
            offset = value
        elif tag != ITEM:
            return offset
        elif length != UNDEFINED:
            offset = value + length
        else:
            offset = _skip_either_item(buffer, value, explicit, order, budget, depth)


def _skip_either_item(
    buffer: bytes, offset: int, explicit: bool, order: str, budget: ElementBudget, depth: int
) -> int:
    """Skip an item, trying it without VRs where it makes no sense with them."""
    try:
        return skip_item(buffer, offset, explicit, order, budget, depth)
    except NotUnderstoodError:
        if not explicit or budget.left < 0:
            raise
    return skip_item(buffer, offset, False, order, budget, depth)


def skip_item(
    buffer: bytes, offset: int, explicit: bool, order: str, budget: ElementBudget, depth: int
) -> int:
    """Return the offset after an item of undefined length.

    An item without its delimiter ends where the next item or the end of the sequence is.
    """
    end = len(buffer)
    while True:
        if offset + 8 > end:
            raise BufferEndError(offset)
        budget.spend()
        tag, vr, length, value = element_at(buffer, offset, explicit, order)
        if tag == ITEM_END:
            return value
        if tag in (ITEM, SEQUENCE_END):
            return offset
        if length == UNDEFINED:
            inner = explicit and vr != b"UN"
            offset = skip_sequence(buffer, value, inner, order, budget, depth + 1)
        else:
            offset = value + length
