"""Deflated data sets (PS3.5 A.5), inflated within bounds.

One byte can become a thousand: what comes out is counted while it comes, and refused beyond a
limit, whatever the file says about itself.
"""

from __future__ import annotations

import zlib
from typing import BinaryIO

from carez_desktop.dicom.element_bytes import NotUnderstoodError

MOST_INFLATED = 1 << 30
"""Bytes of an inflated data set; four times the largest enhanced series that was seen."""
_STEP = 1 << 20


def inflate(
    stream: BinaryIO, offset: int, *, keep: int = MOST_INFLATED, most: int = MOST_INFLATED
) -> tuple[bytes, int]:
    """Inflate the data set that begins at an offset of a file.

    Args:
        stream: Open file.
        offset: Of the raw deflate stream; one with a zlib head is read too.
        keep: Bytes to return at the most; the rest is only counted.
        most: Bytes to inflate at the most.

    Returns:
        The first bytes of the data set, and its whole length.

    Raises:
        NotUnderstoodError: Damaged, or larger than `most`.
    """
    stream.seek(offset)
    kept = bytearray()
    length = 0
    try:
        head = stream.read(2)
        has_head = len(head) == 2 and head[0] & 0x0F == 8 and (head[0] << 8 | head[1]) % 31 == 0
        machine = zlib.decompressobj(zlib.MAX_WBITS if has_head else -zlib.MAX_WBITS)
        waiting = head
        while not machine.eof:
            if not waiting:
                waiting = stream.read(_STEP)
            if not waiting:
                break
            piece = machine.decompress(waiting, _STEP)
            waiting = machine.unconsumed_tail
            length += len(piece)
            kept += piece[: max(0, keep - len(kept))]
            if length > most:
                raise NotUnderstoodError(f"it inflates to more than {most >> 20} MiB")
    except zlib.error as error:
        raise NotUnderstoodError(f"its deflated data set is damaged ({error})") from error
    return bytes(kept), length
