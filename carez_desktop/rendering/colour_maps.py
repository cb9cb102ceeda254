"""Colour maps: 256 colours from the low end of a window to the high end, by id.

Those offered for reading order themselves by lightness (viridis, cividis, grey) or are the palettes
that DICOM names (PS3.6 annex B); the signed ones grow in contrast from their middle, which is entry
128, so that the sign is told by blue against red and the size by lightness.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from carez_desktop.rendering.colour_tables import CIVIDIS, PET, VIRIDIS

SIGNED_MIDDLE = 128
"""Entry of a signed map that stands for no difference; 1 and 255 are its ends."""

Table = npt.NDArray[np.uint8]

# ColorBrewer's RdBu (C. Brewer, 2003), by every second colour, from the middle outwards.
_BLUES = ((247, 247, 247), (146, 197, 222), (67, 147, 195), (5, 48, 97))
_REDS = ((247, 247, 247), (244, 165, 130), (214, 96, 77), (103, 0, 31))
# The same on a dark ground: blue and orange of Okabe and Ito (2008), growing brighter.
_DARK_BLUES = ((0, 0, 0), (0, 75, 120), (30, 130, 195), (140, 210, 255))
_DARK_ORANGES = ((0, 0, 0), (110, 50, 0), (213, 94, 0), (255, 200, 110))


def _grey() -> Table:
    return np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)


def _hot_iron() -> Table:
    """PS3.6 B.1.1: red rises first, then green, then blue twice as fast."""
    level = np.arange(256)
    channels = (2 * level, 2 * (level - 128), 4 * (level - 191))
    table = np.stack([np.clip(channel, 0, 255) for channel in channels], axis=1)
    table[255] = 255
    return table.astype(np.uint8)


def _packed(text: str) -> Table:
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(256, 3).copy()


def _signed(low: tuple[tuple[int, ...], ...], high: tuple[tuple[int, ...], ...]) -> Table:
    """Entry 0 equals 1, so that both sides of the middle have 127 steps."""
    away = np.linspace(0.0, 1.0, len(low))
    size = np.abs(np.clip(np.arange(256), 1, 255) - SIGNED_MIDDLE) / 127.0
    sides = [
        np.stack([np.interp(size, away, channel) for channel in zip(*ends, strict=True)], axis=1)
        for ends in (low, high)
    ]
    below = (np.arange(256) < SIGNED_MIDDLE)[:, None]
    return np.rint(np.where(below, sides[0], sides[1])).astype(np.uint8)


def _frozen(table: Table) -> Table:
    table.flags.writeable = False
    return table


COLOUR_MAPS: Mapping[str, Table] = MappingProxyType(
    {
        name: _frozen(table)
        for name, table in (
            ("grey", _grey()),
            ("viridis", _packed(VIRIDIS)),
            ("cividis", _packed(CIVIDIS)),
            ("hot_iron", _hot_iron()),
            ("pet", _packed(PET)),
            ("blue_white_red", _signed(_BLUES, _REDS)),
            ("blue_black_orange", _signed(_DARK_BLUES, _DARK_ORANGES)),
        )
    }
)
"""(256, 3) uint8 red, green, blue of each map, read-only."""

COLOUR_MAP_TITLES: Mapping[str, str] = MappingProxyType(
    {
        "grey": "Grey",
        "viridis": "Viridis",
        "cividis": "Cividis",
        "hot_iron": "Hot iron",
        "pet": "PET",
        "blue_white_red": "Blue, white, red (signed)",
        "blue_black_orange": "Blue, black, orange (signed)",
    }
)
"""What people read."""


@cache
def pixel_table(name: str) -> npt.NDArray[np.uint32]:
    """(256,) opaque pixels 0xffRRGGBB of a map.

    Raises:
        KeyError: There is no such map.
    """
    red, green, blue = COLOUR_MAPS[name].astype(np.uint32).T
    table = np.uint32(0xFF000000) | (red << 16) | (green << 8) | blue
    table.flags.writeable = False
    return np.asarray(table, dtype=np.uint32)
