"""Colours as stored to red, green and blue of 8 bits: PS3.3 C.7.6.3.1.2."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from carez_desktop.dicom.pixel_layout import PixelLayout, StoredArray

_FULL = np.array(
    [
        [1.0, 1.0, 1.0],
        [0.0, -0.114 * 1.772 / 0.587, 1.772],
        [1.402, -0.299 * 1.402 / 0.587, 0.0],
    ],
    dtype=np.float32,
)
_PARTIAL = np.array([255 / 219, 255 / 224, 255 / 224], dtype=np.float32)
_IS_RGB_ONCE_DECODED = frozenset(("RGB", "YBR_ICT", "YBR_RCT"))


def to_rgb(cells: StoredArray, layout: PixelLayout, *, decoded_to: str = "") -> npt.NDArray[Any]:
    """Return colours of 8 bits for each of red, green and blue.

    Args:
        cells: (rows, columns, 3) stored values.
        layout: Says the Photometric Interpretation and the bits of a value.
        decoded_to: `RGB` where a decoder has already undone the colour transform of its stream.
            YBR_ICT and YBR_RCT are transforms of JPEG 2000 itself: its decoder undoes them.

    Returns:
        (rows, columns, 3) uint8; of longer values the eight highest bits.
    """
    bits = layout.bits_stored
    if decoded_to != "RGB" and layout.photometric not in _IS_RGB_ONCE_DECODED:
        cells = _from_ybr(cells, bits, partial=layout.photometric.startswith("YBR_PARTIAL"))
    if bits > 8:
        return np.asarray(cells >> (bits - 8), dtype=np.uint8)
    if bits < 8:
        return np.asarray(cells.astype(np.uint16) * 255 // ((1 << bits) - 1), dtype=np.uint8)
    return np.asarray(cells, dtype=np.uint8)


def _from_ybr(cells: StoredArray, bits: int, *, partial: bool) -> StoredArray:
    """Undo YBR_FULL or YBR_PARTIAL (ITU-R BT.601 luma; CCIR 601-2 range for the latter)."""
    values = cells.astype(np.float32)
    values[..., 1:] -= 1 << (bits - 1)
    if partial:
        values[..., 0] -= 16 << (bits - 8) if bits >= 8 else 0
        values *= _PARTIAL
    rgb = values @ _FULL
    rgb += 0.5
    np.clip(rgb, 0, (1 << bits) - 1, out=rgb)
    return rgb.astype(cells.dtype)


def jpeg_colours(stream: bytes, photometric: str) -> str:
    """Say in which colours a JPEG stream is stored: `RGB` or `YCBCR`.

    The stream's own word counts before that of the header: Adobe's transform flag, the JFIF
    marker, components named R, G, B (as libjpeg reads them, ITU-T T.872 6.5.3); the header where
    the stream is silent.
    """
    position = 2
    while position + 4 <= len(stream) and stream[position] == 0xFF:
        marker = stream[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        length = int.from_bytes(stream[position + 2 : position + 4], "big")
        body = stream[position + 4 : position + 2 + length]
        if marker == 0xEE and body[:5] == b"Adobe" and len(body) >= 12:
            return "YCBCR" if body[11] == 1 else "RGB"
        if marker == 0xE0 and body[:5] == b"JFIF\0":
            return "YCBCR"
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            if len(body) >= 15 and bytes((body[6], body[9], body[12])) == b"RGB":
                return "RGB"
            break
        position += 2 + length
    return "RGB" if photometric in _IS_RGB_ONCE_DECODED else "YCBCR"


def has_colour_transform(stream: bytes) -> bool:
    """Whether a JPEG 2000 stream applies a colour transform (ITU-T T.800 A.6.1, SGcod)."""
    start = stream.find(b"\xff\x52", 0, 65536)
    return start >= 0 and start + 8 < len(stream) and stream[start + 8] == 1
