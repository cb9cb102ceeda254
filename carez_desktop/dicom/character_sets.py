"""Text in the character sets of DICOM (PS3.5 6.1, PS3.3 C.12.1.1.2), also where they are wrong.

Half of the world's files name no character set, or one that does not fit. Text is then read in
the likeliest one, and whoever asked is told that it was a guess.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

TEXT_DELIMITERS = frozenset((0x0D, 0x0A, 0x09, 0x0C))
NAME_DELIMITERS = frozenset((0x5E, 0x3D))

_ESCAPE = b"\x1b"
_ISO_NUMBER = re.compile(r"^ISO[ _-]*(2022)?[ _-]*IR[ _-]*(\d+)$")
_OTHER_NAMES = {
    "UTF-8": "ISO_IR 192",
    "UTF8": "ISO_IR 192",
    "ISO 10646": "ISO_IR 192",
    "UNICODE": "ISO_IR 192",
    "GB2312": "GBK",
    "ISO 2022 GB18030": "GB18030",
    "LATIN1": "ISO_IR 100",
    "LATIN-1": "ISO_IR 100",
    "ISO-8859-1": "ISO_IR 100",
    "ISO8859-1": "ISO_IR 100",
    "ISO_IR": "",
    "ISO 2022": "",
}
_SINGLE_BYTE = {
    "100": "latin_1",
    "101": "iso8859_2",
    "109": "iso8859_3",
    "110": "iso8859_4",
    "126": "iso8859_7",
    "127": "iso8859_6",
    "138": "iso8859_8",
    "144": "iso8859_5",
    "148": "iso8859_9",
    "166": "tis_620",
    "203": "iso8859_15",
    "13": "shift_jis",
    "6": "latin_1",
}
CODECS = {
    "": "latin_1",
    **{f"ISO_IR {number}": codec for number, codec in _SINGLE_BYTE.items()},
    **{f"ISO 2022 IR {number}": codec for number, codec in _SINGLE_BYTE.items()},
    "ISO 2022 IR 87": "iso2022_jp",
    "ISO 2022 IR 159": "iso2022_jp_2",
    "ISO 2022 IR 149": "euc_kr",
    "ISO 2022 IR 58": "gb2312",
    "ISO 2022 58": "gb2312",
    "ISO 2022 GBK": "gbk",
    "ISO_IR 192": "utf-8",
    "GB18030": "gb18030",
    "GBK": "gbk",
}
"""Defined term of Specific Character Set -> codec: PS3.3 tables C.12-2 to C.12-5."""
_DOUBLE_BYTE = frozenset(("gb18030", "gbk"))
_BY_ESCAPE = {
    b"$B": ("ISO 2022 IR 87", "iso2022_jp"),
    b"$@": ("ISO 2022 IR 87", "iso2022_jp"),
    b"$(D": ("ISO 2022 IR 159", "iso2022_jp_2"),
    b"$)C": ("ISO 2022 IR 149", "euc_kr"),
    b"$)A": ("ISO 2022 IR 58", "gb2312"),
    b"(J": ("ISO 2022 IR 13", "shift_jis"),
    b")I": ("ISO 2022 IR 13", "shift_jis"),
    b"-A": ("ISO 2022 IR 100", "latin_1"),
    b"-B": ("ISO 2022 IR 101", "iso8859_2"),
    b"-C": ("ISO 2022 IR 109", "iso8859_3"),
    b"-D": ("ISO 2022 IR 110", "iso8859_4"),
    b"-F": ("ISO 2022 IR 126", "iso8859_7"),
    b"-G": ("ISO 2022 IR 127", "iso8859_6"),
    b"-H": ("ISO 2022 IR 138", "iso8859_8"),
    b"-L": ("ISO 2022 IR 144", "iso8859_5"),
    b"-M": ("ISO 2022 IR 148", "iso8859_9"),
    b"-T": ("ISO 2022 IR 166", "tis_620"),
}
"""Escape sequence -> (term, codec): PS3.3 tables C.12-3 and C.12-4."""
_PIECES = re.compile(rb"(?=\x1b)")
_HEAD = re.compile(rb"\x1b(\$\(D|\$\)[AC]|\$[B@]|\([BJ]|\)I|-[ABCDFGHLMT])")
_TWO_BYTES_IN_G0 = frozenset(("iso2022_jp", "iso2022_jp_2"))
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")


class TextDecoder:
    """Decodes the text of one data set or item.

    Attributes:
        terms: Specific Character Set, spelt as the standard does.
        was_guessed: Whether a text so far did not fit the named character set.
        unknown_terms: Terms that nobody defined.
    """

    __slots__ = ("_codec", "terms", "unknown_terms", "was_guessed")

    def __init__(self, terms: Sequence[str]) -> None:
        spelt = [_spelt(term) for term in terms]
        self.unknown_terms = tuple(
            term for term, name in zip(terms, spelt, strict=True) if name is None
        )
        self.terms = tuple(name for name in spelt if name is not None) or ("",)
        self.was_guessed = False
        self._codec = CODECS[self.terms[0]]

    def decode(self, raw: bytes, delimiters: frozenset[int] = TEXT_DELIMITERS) -> str:
        """Return text without its padding; a code extension is reset at each delimiter."""
        if raw.isascii() and _ESCAPE not in raw:
            return raw.decode("ascii").strip(" \0")
        try:
            text = self._strict(raw, delimiters)
        except UnicodeError:
            self.was_guessed = True
            text = _best_guess(raw)
        return text.strip(" \0")

    def values(self, raw: bytes, delimiters: frozenset[int] = TEXT_DELIMITERS) -> tuple[str, ...]:
        r"""Return the values of a multiple text; the backslash resets code extensions too.

        In GBK and GB18030 the byte 5C may be the second half of a character: PS3.5 6.1.2.5.4.
        """
        if self._codec in _DOUBLE_BYTE:
            return tuple(part.strip() for part in self.decode(raw, delimiters).split("\\"))
        return tuple(self.decode(part, delimiters) for part in raw.split(b"\\"))

    def _strict(self, raw: bytes, delimiters: frozenset[int]) -> str:
        """Decode as the data set says.

        Raises:
            UnicodeError: The bytes do not fit.
        """
        if _ESCAPE not in raw:
            return raw.decode(self._first_codec())
        text, used = _decode_extended(raw, self._first_codec(), delimiters)
        if not used <= set(self.terms):
            self.was_guessed = True
        return text

    def _first_codec(self) -> str:
        """Return the codec of text before any escape; the default repertoire is ASCII alone."""
        plain = self.terms[0] in ("", "ISO_IR 6", "ISO 2022 IR 6")
        return "ascii" if plain else self._codec


def _spelt(term: str) -> str | None:
    """Return a term as the standard spells it; None for one that nobody defined."""
    if term in CODECS:
        return term
    upper = " ".join(term.upper().split())
    if upper in _OTHER_NAMES:
        return _OTHER_NAMES[upper]
    match = _ISO_NUMBER.match(upper)
    if match:
        name = f"ISO 2022 IR {match[2]}" if match[1] else f"ISO_IR {match[2]}"
        return name if name in CODECS else None
    return upper if upper in CODECS else None


def _decode_extended(raw: bytes, first: str, delimiters: frozenset[int]) -> tuple[str, set[str]]:
    """Decode text with code extensions; return it and the terms that its escapes stand for.

    Two bytes in G0 (Japanese) run until they are escaped back, since a delimiter's byte may be
    half a character; sets in G1 end at a delimiter (PS3.5 6.1.2.5.3).

    Raises:
        UnicodeError: The bytes do not fit, or nobody defined the escape sequence.
    """
    parts: list[str] = []
    used: set[str] = set()
    for piece in filter(None, _PIECES.split(raw)):
        head = _HEAD.match(piece)
        if head is None and piece[:1] == _ESCAPE:
            raise UnicodeError("unknown escape sequence")
        if head is None or head[1] == b"(B":
            parts.append(piece[head.end() if head else 0 :].decode(first))
            continue
        term, codec = _BY_ESCAPE[head[1]]
        used.add(term)
        rest = piece[head.end() :]
        if codec in _TWO_BYTES_IN_G0:
            escape = b"\x1b$(D" if codec == "iso2022_jp_2" else b"\x1b$B"
            parts.append((escape + rest).decode(codec))
            continue
        stop = next((place for place, byte in enumerate(rest) if byte in delimiters), len(rest))
        parts.append(rest[:stop].decode(codec) + rest[stop:].decode(first))
    return "".join(parts), used


def _best_guess(raw: bytes) -> str:
    """Read text whose character set is wrong or missing: UTF-8 if it is, else Latin 1.

    UTF-8 is recognised safely: text of another set is hardly ever valid UTF-8 by chance. Escapes
    are followed without a reset at delimiters, as writers who forget them mean it.
    """
    try:
        if _ESCAPE in raw:
            return _decode_extended(raw, "latin_1", frozenset())[0]
        return raw.decode("utf-8")
    except UnicodeError:
        return _CONTROL.sub("", raw.decode("latin-1"))
