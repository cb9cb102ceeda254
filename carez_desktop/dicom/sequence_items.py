"""The items of a sequence, from its raw bytes: bounded, lazy, without pydicom.

Only one level is parsed at a time; a nested sequence stays bytes until somebody asks for it.
"""

from __future__ import annotations

import struct

from carez_desktop.dicom.element_bytes import (
    ITEM,
    ITEM_END,
    KNOWN_VRS,
    SEQUENCE_END,
    UNDEFINED,
    BufferEndError,
    ElementBudget,
    NotUnderstoodError,
    element_at,
    skip_sequence,
)


class ItemValues(dict[int, bytes]):
    """Tag -> value bytes of one item.

    Attributes:
        explicit: Whether the item's elements carry their VR.
        unknown: Tags whose VR is UN: a sequence among them is implicit inside (PS3.5 6.2.2).
    """

    __slots__ = ("explicit", "unknown")

    def __init__(self, explicit: bool) -> None:
        super().__init__()
        self.explicit = explicit
        self.unknown: set[int] = set()


def parse_items(
    value: bytes,
    explicit: bool,
    order: str,
    budget: ElementBudget | None = None,
    most: int | None = None,
) -> list[ItemValues]:
    """Parse the value of a sequence into its items.

    A damaged sequence gives the items before the damage: lengths that pass the end are cut there.

    Args:
        value: Of the sequence, from its first item on.
        explicit: Whether the elements in it carry their VR; each item is looked at again, since
            writers mix them.
        order: `<` or `>`.
        budget: Bounds the work; a new one if None.
        most: How many items are wanted at the most.
    """
    budget = budget or ElementBudget()
    items: list[ItemValues] = []
    offset, end = 0, len(value)
    while offset + 8 <= end and (most is None or len(items) < most):
        tag, _, length, offset = element_at(value, offset, False, order)
        if tag == SEQUENCE_END:
            break
        if tag == ITEM_END:
            continue
        if tag != ITEM:
            break
        stop = end if length == UNDEFINED else min(end, offset + length)
        item = ItemValues(explicit and _has_vr(value, offset))
        items.append(item)
        try:
            offset = _fill(item, value, offset, stop, order, budget)
        except (NotUnderstoodError, BufferEndError, struct.error):
            if length == UNDEFINED or budget.left < 0:
                break
            offset = stop
        if length != UNDEFINED:
            offset = stop
    return items


def _has_vr(value: bytes, offset: int) -> bool:
    """Whether the first element of an item has a VR; an empty item does not matter."""
    return value[offset + 4 : offset + 6] in KNOWN_VRS or value[offset : offset + 2] in (
        b"\xfe\xff",
        b"\xff\xfe",
    )


def _fill(
    item: ItemValues, value: bytes, offset: int, stop: int, order: str, budget: ElementBudget
) -> int:
    """Collect the elements of an item; return the offset after it."""
    explicit = item.explicit
    while offset + 8 <= stop:
        budget.spend()
        tag, vr, length, start = element_at(value, offset, explicit, order)
        if tag == ITEM_END:
            return start
        if tag in (ITEM, SEQUENCE_END):
            return offset
        if vr == b"UN":
            item.unknown.add(tag)
        if length == UNDEFINED:
            offset = skip_sequence(value, start, explicit and vr != b"UN", order, budget, 1)
        else:
            offset = start + length
        item[tag] = value[start : min(offset, stop)]
    return offset
