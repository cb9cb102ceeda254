"""The few elements of a DICOM header that are kept, as raw bytes with typed access.

A header has hundreds of elements and an import reads tens of thousands of headers. Values are
kept as the bytes of the file and turned into text or numbers only where somebody asks.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from pydicom.charset import convert_encodings, decode_bytes, python_encoding

SPECIFIC_CHARACTER_SET = 0x00080005

_ESCAPE = 0x1B
_TEXT_DELIMITERS = {0x0D, 0x0A, 0x09, 0x0C}
_NAME_DELIMITERS = {0x5E, 0x3D}


@dataclass(slots=True)
class ElementTable:
    """Raw values of the wanted top-level elements of one data set.

    Attributes:
        values: Tag (group << 16 | element) -> value bytes as they lie in the file.
        little_endian: Byte order of binary values.
    """

    values: dict[int, bytes] = field(default_factory=dict)
    little_endian: bool = True
    _encodings: list[str] | None = None

    def __contains__(self, tag: int) -> bool:
        """Whether the element is there, even if empty."""
        return tag in self.values

    def raw(self, tag: int) -> bytes:
        """Return the bytes of a value; empty where the element is absent."""
        return self.values.get(tag, b"")

    def code(self, tag: int) -> str:
        """Return a value of ASCII kind (UI, CS, DA, TM, SH of codes) without padding."""
        return self.raw(tag).decode("latin-1").strip(" \0")

    def codes(self, tag: int) -> tuple[str, ...]:
        """Return the values of an ASCII kind that may be multiple."""
        text = self.code(tag)
        return tuple(part.strip() for part in text.split("\\")) if text else ()

    def text(self, tag: int) -> str:
        """Return a value of text kind in its Specific Character Set (PS3.5 6.1.2)."""
        return self._decode(self.raw(tag), _TEXT_DELIMITERS)

    def person_name(self, tag: int) -> str:
        """Return the alphabetic component group of a person name, or the first that is there."""
        groups = self._decode(self.raw(tag), _NAME_DELIMITERS).split("=")
        return next((group.strip() for group in groups if group.strip()), "")

    def decimals(self, tag: int) -> tuple[float, ...]:
        """Return the values of DS or IS; empty where one is not a finite number."""
        try:
            numbers = tuple(float(part) for part in self.codes(tag))
        except ValueError:
            return ()
        return numbers if all(math.isfinite(number) for number in numbers) else ()

    def decimal(self, tag: int) -> float | None:
        """Return the first value of DS or IS, or None."""
        numbers = self.decimals(tag)
        return numbers[0] if numbers else None

    def integer(self, tag: int) -> int | None:
        """Return the first value of IS, or None."""
        number = self.decimal(tag)
        return int(number) if number is not None else None

    def binary(self, tag: int, kind: str) -> float | None:
        """Return the first value of a binary kind.

        Args:
            tag: Element.
            kind: struct letter: `H` US, `h` SS, `d` FD, `f` FL, `I` UL.
        """
        raw = self.raw(tag)
        size = struct.calcsize(kind)
        if len(raw) < size:
            return None
        (value,) = struct.unpack_from(("<" if self.little_endian else ">") + kind, raw)
        return float(value) if math.isfinite(value) else None

    def unsigned(self, tag: int) -> int | None:
        """Return the first value of US, or None."""
        value = self.binary(tag, "H")
        return None if value is None else int(value)

    def _decode(self, raw: bytes, delimiters: set[int]) -> str:
        if raw.isascii() and _ESCAPE not in raw:
            return raw.decode("ascii").strip(" \0")
        if self._encodings is None:
            self._encodings = _python_encodings(self.codes(SPECIFIC_CHARACTER_SET))
        try:
            return decode_bytes(raw, self._encodings, delimiters).strip(" \0")
        except (LookupError, UnicodeError, UserWarning):
            return raw.decode("latin-1").strip(" \0")


def _python_encodings(terms: Sequence[str]) -> list[str]:
    """Map the terms of Specific Character Set to codecs, leaving out terms nobody defined."""
    known = [term for term in terms if term in python_encoding]
    try:
        return list(convert_encodings(known or [""]))
    except (LookupError, UserWarning):
        return ["latin_1"]
