"""Pixels as whole numbers 0xAARRGGBB: one value for each, as screens and Qt take them.

Everything shown is opaque; 0 is a pixel where a layer has nothing (outside it, or never imaged),
which lets pictures be joined without asking again where their volumes end.
"""

from __future__ import annotations

import sys
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from carez_desktop.rendering.bands import in_bands

Pixels: TypeAlias = npt.NDArray[np.uint32]
"""(height, width) 0xAARRGGBB in the byte order of the machine."""

NOTHING = 0
_RGBA = (2, 1, 0, 3) if sys.byteorder == "little" else (1, 2, 3, 0)
_LOW = np.uint32(0x00FF00FF)
_HIGH = np.uint32(0xFF00FF00)
_OPAQUE = np.uint32(0xFF000000)


def pixels_of_rgb(rgb: npt.NDArray[np.uint8]) -> Pixels:
    """Pack (height, width, 3) colours, all of them opaque."""
    packed = np.empty((*rgb.shape[:2], 4), np.uint8)
    for channel in range(3):
        packed[..., _RGBA[channel]] = rgb[..., channel]
    packed[..., _RGBA[3]] = 255
    return packed.view(np.uint32)[..., 0]


def rgb_of_pixels(pixels: Pixels) -> npt.NDArray[np.uint8]:
    """Unpack to (height, width, 3); nothing is black."""
    channels = np.ascontiguousarray(pixels).view(np.uint8).reshape(*pixels.shape, 4)
    return np.ascontiguousarray(channels[..., list(_RGBA[:3])])


def mixed(under: Pixels, over: Pixels, share: float) -> Pixels:
    """Mix two pictures where both have something; elsewhere the one that has.

    Args:
        under: What lies below.
        over: What lies above, of the same shape.
        share: 0 to 1 of what lies above, in steps of 1/256.

    Returns:
        Of each channel (under * (1 - share) + over * share), within 1 of 255.
    """

    def join(below: Pixels, above: Pixels) -> Pixels:
        made = _weighted(below, above, share)
        np.copyto(made, below, where=above == NOTHING)
        np.copyto(made, above, where=below == NOTHING)
        return made

    return in_bands(join, under, over)


def laid_over(under: Pixels, over: Pixels, share: float) -> Pixels:
    """Mix a picture over another where it has something; black is below where nothing is."""

    def join(below: Pixels, above: Pixels) -> Pixels:
        made = _weighted(below, above, share) | _OPAQUE
        np.copyto(made, below, where=above == NOTHING)
        return made

    return in_bands(join, under, over)


def _weighted(under: Pixels, over: Pixels, share: float) -> Pixels:
    """Two channels at a time: 8 bits of value times 8 bits of weight stay within 16 bits."""
    weight = round(share * 256.0)
    if weight == 0:
        return under.copy()
    if weight == 256:
        return over.copy()
    most, part = np.uint32(256 - weight), np.uint32(weight)
    half, byte = np.uint32(0x00800080), np.uint32(8)
    low = (under & _LOW) * most
    low += (over & _LOW) * part
    low += half
    low >>= byte
    low &= _LOW
    high = ((under >> byte) & _LOW) * most
    high += ((over >> byte) & _LOW) * part
    high += half
    high &= _HIGH
    return np.asarray(low | high, dtype=np.uint32)
