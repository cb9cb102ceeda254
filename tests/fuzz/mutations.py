"""Ways to spoil a file. Every one is a function of the content and of a seeded dice."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

from tests.fuzz.dicom_places import LONG_VRS, Place, Places, places_of

Mutation = Callable[[bytes, random.Random], bytes]

_LENGTHS = (0, 1, 3, 0x7F, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF)
_SHORTS = (0, 1, 2, 3, 7, 8, 12, 15, 16, 17, 31, 32, 33, 64, 255, 4096, 32767, 32768, 65535)
_TEXTS = (
    *(b"nan", b"inf", b"-inf", b"1e400", b"-1", b"0", b"1e-320", b"99999999999999999999"),
    *(b"\\\\\\\\", b"\x00\x00", b"\xff\xfe", b"\x1b$B\x1b(J\x1b$)C", b"%s%n{0}", b"../../etc"),
    *(b"0\\0\\0\\0\\0\\0", b"1\\nan\\3", b"YBR_FULL_422", b"PALETTE COLOR", b"ISO 2022 IR 87"),
)
_SPECIAL_VRS = (
    b"SQ",
    b"UN",
    b"OB",
    b"OW",
    b"UT",
    b"FD",
    b"US",
    b"AT",
    b"PN",
    b"??",
    b"\0\0",
    b"ZZ",
)
_WELL_KNOWN = (
    *(0x00020010, 0x00020000, 0x00080005, 0x00080016, 0x00080018, 0x0020000E, 0x00200032),
    *(0x00200037, 0x00280002, 0x00280004, 0x00280006, 0x00280008, 0x00280010, 0x00280011),
    *(0x00280030, 0x00280100, 0x00280101, 0x00280102, 0x00280103, 0x00281052, 0x00281053),
    *(0x00281101, 0x00281201, 0x00283000, 0x00283010, 0x52009229, 0x52009230, 0x60000010),
    *(0x60003000, 0x7FE00001, 0x7FE00008, 0x7FE00010, 0x00480006, 0x00540080, 0x00540081),
    *(0x00540022, 0x00181063, 0x00181065, 0x00191010, 0x00291010, 0x0019100A, 0xFFFEE000),
)
_SYNTAX_ENDS = (
    *("", ".1", ".2", ".1.99", ".5", ".4.50", ".4.51", ".4.57", ".4.70", ".4.80", ".4.81"),
    *(".4.90", ".4.91", ".4.201", ".4.203", ".4.100", ".9.9.9"),
)
_SYNTAXES = tuple(f"1.2.840.10008.1.2{end}".encode() for end in _SYNTAX_ENDS)


def flip_bits(content: bytes, dice: random.Random) -> bytes:
    """Flip up to ten bits anywhere."""
    spoiled = bytearray(content)
    for _ in range(dice.randint(1, 10)):
        spoiled[dice.randrange(len(spoiled))] ^= 1 << dice.randrange(8)
    return bytes(spoiled)


def flip_near_start(content: bytes, dice: random.Random) -> bytes:
    """Flip bits in the first kilobyte, where every format keeps what it believes."""
    spoiled = bytearray(content)
    for _ in range(dice.randint(1, 4)):
        spoiled[dice.randrange(min(1024, len(spoiled)))] ^= 1 << dice.randrange(8)
    return bytes(spoiled)


def truncate(content: bytes, dice: random.Random) -> bytes:
    """Cut the end off, at any byte or where an element begins."""
    places = places_of(content).elements
    if places and dice.random() < 0.5:
        place = dice.choice(places)
        return content[: dice.choice((place.start, place.length_at, place.value_at)) + 1]
    return content[: dice.randrange(len(content))]


def overwrite_block(content: bytes, dice: random.Random) -> bytes:
    """Fill a stretch with zeros, ones or noise."""
    start = dice.randrange(len(content))
    size = min(dice.choice((1, 4, 16, 128, 1024)), len(content) - start)
    fill = dice.choice((b"\0" * size, b"\xff" * size, dice.randbytes(size)))
    return content[:start] + fill + content[start + size :]


def cut_or_repeat_block(content: bytes, dice: random.Random) -> bytes:
    """Take a stretch out, or put it in twice."""
    start = dice.randrange(len(content))
    block = content[start : start + dice.choice((1, 2, 8, 64, 512))]
    return content[:start] + block * dice.choice((0, 2, 3)) + content[start + len(block) :]


def spoil_number(content: bytes, dice: random.Random) -> bytes:
    """Overwrite two, four or eight bytes with a number that is an edge of its range."""
    width, code = dice.choice(((2, "H"), (4, "I"), (8, "Q")))
    limit = 1 << (8 * width)
    number = dice.choice((0, 1, limit - 1, limit // 2, limit // 2 - 1, limit - 2, 1000, 65536))
    start = dice.randrange(max(1, len(content) - width))
    packed = struct.pack(dice.choice("<>") + code, number % limit)
    return content[:start] + packed + content[start + width :]


def spoil_text(content: bytes, dice: random.Random) -> bytes:
    """Overwrite bytes with a text that parsers stumble over."""
    text = dice.choice(_TEXTS)
    start = dice.randrange(min(len(content), 4096))
    return content[:start] + text + content[start + len(text) :]


def _element(content: bytes, dice: random.Random) -> tuple[Places, Place | None]:
    places = places_of(content)
    return places, dice.choice(places.elements) if places.elements else None


def _order(places: Places, place: Place) -> str:
    return "<" if places.little or place.tag >> 16 == 2 else ">"


def lie_about_length(content: bytes, dice: random.Random) -> bytes:
    """Give an element a length of nothing, an odd one, a huge one, an undefined one."""
    places, place = _element(content, dice)
    if place is None:
        return spoil_number(content, dice)
    near = max(0, place.length) + dice.choice((-2, -1, 1, 2, 8))
    length = dice.choice((*_LENGTHS, near, len(content)))
    limit = 0xFFFF if place.length_size == 2 else 0xFFFFFFFF
    code = "H" if place.length_size == 2 else "I"
    packed = struct.pack(_order(places, place) + code, min(max(0, length), limit))
    return content[: place.length_at] + packed + content[place.value_at :]


def swap_vr(content: bytes, dice: random.Random) -> bytes:
    """Give an element another VR."""
    _, place = _element(content, dice)
    if place is None or place.vr_at < 0:
        return flip_near_start(content, dice)
    known = [vr.encode() for vr in LONG_VRS]
    vr = dice.choice((*_SPECIAL_VRS, *known))
    return content[: place.vr_at] + vr + content[place.vr_at + 2 :]


def swap_tag(content: bytes, dice: random.Random) -> bytes:
    """Make an element one that readers look for."""
    places, place = _element(content, dice)
    if place is None:
        return flip_bits(content, dice)
    tag = dice.choice(_WELL_KNOWN)
    packed = struct.pack(_order(places, place) + "HH", tag >> 16, tag & 0xFFFF)
    return content[: place.start] + packed + content[place.start + 4 :]


def spoil_value(content: bytes, dice: random.Random) -> bytes:
    """Overwrite the value of an element, its length as before."""
    places, place = _element(content, dice)
    if place is None or place.length < 1:
        return spoil_text(content, dice)
    if place.length in (2, 4) and dice.random() < 0.8:
        number = dice.choice(_SHORTS)
        value = struct.pack(_order(places, place) + "H", number) * (place.length // 2)
    elif place.length == 8 and dice.random() < 0.5:
        special = dice.choice((float("nan"), float("inf"), -1.0, 0.0, 1e308, 5e-324))
        value = struct.pack(_order(places, place) + "d", special)
    else:
        value = (dice.choice(_TEXTS) * place.length)[: place.length]
    return content[: place.value_at] + value + content[place.end :]


def claim_sizes(content: bytes, dice: random.Random) -> bytes:
    """Change Rows, Columns, Frames, bits or samples of an image."""
    places = places_of(content)
    wanted = [p for p in places.elements if p.tag >> 16 == 0x0028 and 0 < p.length <= 16]
    if not wanted:
        return spoil_number(content, dice)
    for place in dice.sample(wanted, min(len(wanted), dice.randint(1, 3))):
        if place.length == 2:
            value = struct.pack(_order(places, place) + "H", dice.choice(_SHORTS))
        else:
            digits = dice.choice((b"0", b"-1", b"2147483647", b"999999999999", b"7", b"3.5"))
            value = digits[: place.length].ljust(place.length)
        content = content[: place.value_at] + value + content[place.end :]
    return content


def move_elements(content: bytes, dice: random.Random) -> bytes:
    """Drop an element, repeat it, or put it in front of another."""
    places = [p for p in places_of(content).elements if p.length >= 0]
    if len(places) < 2:
        return cut_or_repeat_block(content, dice)
    one, other = dice.sample(places, 2)
    piece = content[one.start : one.end]
    way = dice.randrange(3)
    if way == 0:
        return content[: one.start] + content[one.end :]
    at = one.start if way == 1 else other.start
    return content[:at] + piece + content[at:]


def swap_syntax(content: bytes, dice: random.Random) -> bytes:
    """Say another transfer syntax than the pixels are in."""
    places = [p for p in places_of(content).elements if p.tag == 0x00020010]
    if not places:
        return flip_near_start(content, dice)
    place, syntax = places[0], dice.choice(_SYNTAXES)
    syntax += b"\0" * (len(syntax) % 2)
    length = struct.pack("<H", len(syntax))
    return content[: place.length_at] + length + syntax + content[place.end :]


def nest(content: bytes, dice: random.Random) -> bytes:
    """Put thousands of nested or empty items where an element begins."""
    places, place = _element(content, dice)
    at = place.start if place else min(len(content), 132)
    order = _order(places, place) if place else "<"
    item = struct.pack(order + "HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    end_item = struct.pack(order + "HHI", 0xFFFE, 0xE00D, 0)
    end = struct.pack(order + "HHI", 0xFFFE, 0xE0DD, 0)
    tag = struct.pack(order + "HH", *dice.choice(((0x0008, 0x1140), (0x5200, 0x9229), (9, 0x1001))))
    if places.explicit:
        start = tag + b"SQ\0\0" + b"\xff\xff\xff\xff"
    else:
        start = tag + b"\xff\xff\xff\xff"
    count = dice.choice((1, 33, 1000, 10_000))
    if dice.random() < 0.7:
        closed = (end_item + end) * count if dice.random() < 0.5 else b""
        return content[:at] + (start + item) * count + closed + content[at:]
    return content[:at] + start + (item + end_item) * count + end + content[at:]


def _fragments(content: bytes) -> list[tuple[int, int]]:
    """(offset of the item, length) of each fragment of encapsulated pixels; the table first."""
    places = [p for p in places_of(content).elements if p.tag == 0x7FE00010 and p.length < 0]
    found = []
    position = places[0].value_at if places else len(content)
    while content[position : position + 4] == b"\xfe\xff\x00\xe0" and position + 8 <= len(content):
        (length,) = struct.unpack_from("<I", content, position + 4)
        found.append((position, length))
        position += 8 + length
    return found


def spoil_fragments(content: bytes, dice: random.Random) -> bytes:
    """Change lengths, tags and number of the fragments, and their table of offsets."""
    fragments = _fragments(content)
    if not fragments:
        return lie_about_length(content, dice)
    at, length = dice.choice(fragments)
    way = dice.randrange(5)
    if way == 0:
        lied = dice.choice((*_LENGTHS, max(0, length - 1), length + 1, length + 100))
        return content[: at + 4] + struct.pack("<I", lied) + content[at + 8 :]
    if way == 1 and fragments[0][1]:
        table = fragments[0][0] + 8 + 4 * dice.randrange(fragments[0][1] // 4)
        return content[:table] + struct.pack("<I", dice.choice(_LENGTHS)) + content[table + 4 :]
    if way == 2:
        return content[:at] + content[at + 8 + length :]
    piece = content[at : at + 8 + length] if way == 3 else b"\xfe\xff\x00\xe0\0\0\0\0"
    return content[:at] + piece * dice.choice((1, 2, 500)) + content[at:]


def spoil_payload(content: bytes, dice: random.Random) -> bytes:
    """Change the compressed bytes behind the markers of a stream, or the sizes in them."""
    fragments = [piece for piece in _fragments(content)[1:] if piece[1] > 8]
    if not fragments:
        return flip_bits(content, dice)
    at, length = dice.choice(fragments)
    spoiled = bytearray(content)
    first = 0 if dice.random() < 0.4 else min(length - 1, 90)
    for _ in range(dice.choice((1, 1, 3, 30))):
        where = at + 8 + dice.randrange(first, length)
        spoiled[where] = dice.choice((0, 0xFF, 0x7F, dice.randrange(256)))
    return bytes(spoiled)


BLIND: tuple[Mutation, ...] = (
    flip_bits,
    flip_near_start,
    overwrite_block,
    cut_or_repeat_block,
    spoil_number,
    spoil_text,
)
"""Those that need not know where the elements of a file lie."""
GENERIC: tuple[Mutation, ...] = (*BLIND, truncate)
DICOM: tuple[Mutation, ...] = (
    *GENERIC,
    lie_about_length,
    swap_vr,
    swap_tag,
    spoil_value,
    claim_sizes,
    claim_sizes,
    move_elements,
    swap_syntax,
    nest,
    spoil_fragments,
    spoil_payload,
    spoil_payload,
)
