"""How a data set begins: preamble, file meta, byte order and whether elements carry a VR.

The file meta says it (PS3.10 7.1), and the first bytes of the data set are asked whether that is
true: files without meta, and with the meta of another encoding, are common in old archives.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from carez_desktop.dicom.element_bytes import (
    KNOWN_VRS,
    UNDEFINED,
    NotUnderstoodError,
    element_at,
)

IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"
DEFLATED_LITTLE = "1.2.840.10008.1.2.1.99"
DEFLATED_SYNTAXES = frozenset((DEFLATED_LITTLE, "1.2.840.10008.1.2.4.95"))
"""The second is JPIP Referenced Deflate."""

_PLAIN_SYNTAXES = frozenset((IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG))
_TRANSFER_SYNTAX = 0x00020010
_LONGEST_FIRST_VALUE = 128
_FIRST_GROUPS = (0x0002, 0x0004, 0x0008)


@dataclass(frozen=True, slots=True)
class DataSetStart:
    """Where and how the data set begins.

    Attributes:
        offset: Of its first element, or of the deflated stream.
        transfer_syntax_uid: As the meta says, corrected where an uncompressed data set is plainly
            of another one.
        flags: `no_preamble`, `no_meta`, `wrong_meta`.
    """

    offset: int
    transfer_syntax_uid: str
    explicit: bool
    little_endian: bool
    flags: tuple[str, ...]


def looks_like_dicom(start: bytes) -> bool:
    """Whether the first bytes of a file are those of a DICOM file.

    Without preamble (old files) the data set has to begin with a plausible element of group
    0002, 0004 or 0008: a low element number and either a known VR or a short implicit length.
    """
    if start[128:132] == b"DICM":
        return True
    if len(start) < 16:
        return False
    explicit = start[4:6] in KNOWN_VRS
    for order in "<>":
        group, element = struct.unpack_from(order + "HH", start)
        if group not in _FIRST_GROUPS or element > 0xFF:
            continue
        if explicit or struct.unpack_from(order + "I", start, 4)[0] <= _LONGEST_FIRST_VALUE:
            return True
    return False


def read_start(buffer: bytes) -> DataSetStart:
    """Read preamble and file meta, and judge the first element of the data set.

    Raises:
        NotUnderstoodError: The file meta is damaged.
        struct.error: The file ends inside it.
    """
    position = 132 if buffer[128:132] == b"DICM" else 0
    flags = [] if position else ["no_preamble"]
    syntax, after = _read_meta(buffer, position)
    if not syntax:
        flags.append("no_meta")
    if syntax in DEFLATED_SYNTAXES:
        return DataSetStart(after, syntax, True, True, tuple(flags))
    claimed = (syntax != IMPLICIT_LITTLE, syntax != EXPLICIT_BIG)
    explicit, little = _first_element(buffer, after) or claimed
    if syntax and (explicit, little) != claimed:
        flags.append("wrong_meta")
    if not syntax or (syntax in _PLAIN_SYNTAXES and (explicit, little) != claimed):
        syntax = _plain_syntax(explicit, little)
    return DataSetStart(after, syntax, explicit, little, tuple(flags))


def _plain_syntax(explicit: bool, little: bool) -> str:
    if not little:
        return EXPLICIT_BIG
    return EXPLICIT_LITTLE if explicit else IMPLICIT_LITTLE


def _read_meta(buffer: bytes, position: int) -> tuple[str, int]:
    """Return the Transfer Syntax UID and the offset after group 0002.

    The meta is explicit little endian; some writers leave its VRs out. Its group length is not
    believed.
    """
    syntax = ""
    while buffer[position : position + 2] == b"\x02\x00":
        explicit = buffer[position + 4 : position + 6] in KNOWN_VRS
        tag, _, length, value = element_at(buffer, position, explicit, "<")
        if length == UNDEFINED or value + length > len(buffer):
            raise NotUnderstoodError("its file meta is damaged")
        if tag == _TRANSFER_SYNTAX:
            syntax = buffer[value : value + length].decode("latin-1").strip(" \0")
        position = value + length
    return syntax, position


def _first_element(buffer: bytes, offset: int) -> tuple[bool, bool] | None:
    """Return (explicit, little endian) of the first element; None where it does not tell.

    The groups of a data set begin below 0100, so the byte that is zero tells the order. An
    implicit length whose low bytes spell a VR would pass 16 000 bytes.
    """
    head = buffer[offset : offset + 8]
    if len(head) < 8 or (head[0] == 0) == (head[1] == 0):
        return None
    return head[4:6] in KNOWN_VRS, head[1] == 0
