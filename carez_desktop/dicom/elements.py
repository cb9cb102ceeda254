"""The few elements of a DICOM header that are kept, as raw bytes with typed access.

A header has hundreds of elements and an import reads tens of thousands of headers. Values are
kept as the bytes of the file and turned into text or numbers only where somebody asks.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field

from carez_desktop.dicom.character_sets import NAME_DELIMITERS, TextDecoder
from carez_desktop.dicom.element_bytes import ElementBudget
from carez_desktop.dicom.sequence_items import parse_items

SPECIFIC_CHARACTER_SET = 0x00080005
LONGEST_TEXT = 10_240
"""Bytes of a text that are read: LT, the longest kind that is not unlimited (PS3.5 6.2)."""
_LONGEST_CODE, _LONGEST_LIST = 1024, 1 << 20
_IS_LIMIT = 2.0**31


@dataclass(slots=True)
class ElementTable:
    """Raw values of the wanted elements of one data set, or of all elements of one item.

    Attributes:
        values: Tag (group << 16 | element) -> value bytes as they lie in the file.
        little_endian: Byte order of binary values.
        explicit: Whether the elements carry their VR in the file.
        unknown: Tags that have the VR UN in the file.
    """

    values: dict[int, bytes] = field(default_factory=dict)
    little_endian: bool = True
    explicit: bool = True
    unknown: set[int] = field(default_factory=set)
    _decoder: TextDecoder | None = None

    def __contains__(self, tag: int) -> bool:
        """Whether the element is there, even if empty."""
        return tag in self.values

    def raw(self, tag: int) -> bytes:
        """Return the bytes of a value; empty where the element is absent."""
        return self.values.get(tag, b"")

    def code(self, tag: int) -> str:
        """Return a value of ASCII kind (UI, CS, DA, TM, SH of codes) without padding."""
        return self.values.get(tag, b"")[:_LONGEST_CODE].decode("latin-1").strip(" \0")

    def listing(self, tag: int) -> str:
        """Return all values of an ASCII kind as they stand, with their backslashes."""
        return self.values.get(tag, b"")[:_LONGEST_LIST].decode("latin-1").strip(" \0")

    def codes(self, tag: int) -> tuple[str, ...]:
        """Return the values of an ASCII kind that may be multiple."""
        text = self.listing(tag)
        return tuple(part.strip() for part in text.split("\\")) if text else ()

    def text(self, tag: int) -> str:
        """Return a value of text kind in its Specific Character Set (PS3.5 6.1.2)."""
        return self.decoder.decode(self.values.get(tag, b"")[:LONGEST_TEXT])

    def texts(self, tag: int) -> tuple[str, ...]:
        """Return the values of a text kind that may be multiple."""
        raw = self.raw(tag)[:LONGEST_TEXT]
        return self.decoder.values(raw) if raw else ()

    def person_name(self, tag: int) -> str:
        """Return the alphabetic component group of a person name, or the first that is there."""
        return next((group for group in self.person_name_groups(tag) if group), "")

    def person_name_groups(self, tag: int) -> tuple[str, str, str]:
        """Return the alphabetic, ideographic and phonetic group of a name (PS3.5 6.2, PN)."""
        raw = self.values.get(tag, b"")[:LONGEST_TEXT]
        if b"=" not in raw and b"\x1b" not in raw and raw.isascii():
            return raw.decode("ascii").strip(" ^\0"), "", ""
        name = self.decoder.decode(raw, NAME_DELIMITERS)
        groups = [group.strip(" ^") for group in name.split("=")]
        alphabetic, ideographic, phonetic = (*groups, "", "", "")[:3]
        return alphabetic, ideographic, phonetic

    def items(
        self, tag: int, budget: ElementBudget | None = None, most: int | None = None
    ) -> tuple[ElementTable, ...]:
        """Return the items of a sequence, `most` at the most; nested sequences stay bytes.

        An item without a Specific Character Set of its own has that of the data set around it.
        A damaged sequence gives the items before the damage.
        """
        raw = self.values.get(tag)
        if not raw:
            return ()
        explicit = self.explicit and tag not in self.unknown
        little = self.little_endian or tag in self.unknown
        tables = []
        for item in parse_items(raw, explicit, "<" if little else ">", budget, most):
            decoder = None if SPECIFIC_CHARACTER_SET in item else self.decoder
            tables.append(ElementTable(item, little, item.explicit, item.unknown, decoder))
        return tuple(tables)

    def first_item(self, tag: int) -> ElementTable:
        """Return the first item of a sequence; an empty table where there is none."""
        items = self.items(tag)
        return items[0] if items else ElementTable()

    def decimals(self, tag: int) -> tuple[float, ...]:
        """Return the values of DS or IS; empty where one is not a finite number."""
        try:
            numbers = tuple(float(part) for part in self.codes(tag))
        except ValueError:
            return ()
        return numbers if all(math.isfinite(number) for number in numbers) else ()

    def decimal(self, tag: int) -> float | None:
        """Return the first value of DS or IS; None where it is no finite number."""
        raw = self.values.get(tag, b"")
        try:
            number = float(raw[:_LONGEST_CODE])
        except ValueError:
            try:
                number = float(raw[:_LONGEST_CODE].partition(b"\\")[0].strip(b" \0"))
            except ValueError:
                return None
        return number if math.isfinite(number) else None

    def integer(self, tag: int) -> int | None:
        """Return the first value of IS; None where it is no number of 32 bits (PS3.5 6.2)."""
        number = self.decimal(tag)
        return int(number) if number is not None and abs(number) < _IS_LIMIT else None

    def binary(self, tag: int, kind: str) -> float | None:
        """Return the first value of a binary kind.

        Args:
            tag: Element.
            kind: struct letter: `H` US, `h` SS, `d` FD, `f` FL, `I` UL.
        """
        try:
            (value,) = struct.unpack_from(
                ("<" if self.little_endian else ">") + kind, self.values.get(tag, b"")
            )
        except struct.error:
            return None
        return float(value) if math.isfinite(value) else None

    def binaries(self, tag: int, kind: str) -> tuple[float, ...]:
        """Return all values of a binary kind (`binary` says which); empty if one is not finite."""
        raw = self.raw(tag)
        count = len(raw) // struct.calcsize(kind)
        order = "<" if self.little_endian else ">"
        values = struct.unpack_from(f"{order}{count}{kind}", raw)
        return tuple(map(float, values)) if all(map(math.isfinite, values)) else ()

    def tags(self, tag: int) -> tuple[int, ...]:
        """Return the values of AT."""
        halves = self.binaries(tag, "H")
        pairs = zip(halves[::2], halves[1::2], strict=False)
        return tuple(int(group) << 16 | int(element) for group, element in pairs)

    def unsigned(self, tag: int) -> int | None:
        """Return the first value of US, or None."""
        value = self.binary(tag, "H")
        return None if value is None else int(value)

    @property
    def decoder(self) -> TextDecoder:
        """What decodes the text of this data set."""
        if self._decoder is None:
            self._decoder = TextDecoder(self.codes(SPECIFIC_CHARACTER_SET))
        return self._decoder
