"""Pictures as PNG, and the mark that synthetic ones carry in their pixels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from carez_desktop.system.file_safety import atomic_output

Pixels = npt.NDArray[np.uint8]

_GROUND = (242, 180, 65)
_INK = (35, 23, 0)
_SHARE = 0.045
_SMALLEST, _LARGEST = 9, 40


def checked(pixels: npt.NDArray[Any]) -> Pixels:
    """Return pixels as contiguous (rows, columns, 3) uint8.

    Raises:
        ValueError: They are of another shape or type.
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or not pixels.size:
        raise ValueError(
            f"a picture is (rows, columns, 3) uint8, got {pixels.shape} {pixels.dtype}"
        )
    return np.ascontiguousarray(pixels)


def burn_in(pixels: Pixels, text: str) -> Pixels:
    """Return a copy with words on a filled ground in its top middle.

    A picture too narrow for the words grows to the right and below, in black.

    Args:
        pixels: (rows, columns, 3) uint8.
        text: Words; "" burns nothing.
    """
    pixels = checked(pixels)
    if not text:
        return pixels
    rows, columns = pixels.shape[:2]
    size = int(np.clip(round(rows * _SHARE), _SMALLEST, _LARGEST))
    font, width, height = _measured(text, size)
    while width > columns and size > _SMALLEST:
        size -= 1
        font, width, height = _measured(text, size)
    shape = (max(rows, height), max(columns, width), 3)
    canvas = np.zeros(shape, np.uint8)
    canvas[:rows, :columns] = pixels
    image = Image.fromarray(canvas)
    draw = ImageDraw.Draw(image)
    left = (shape[1] - width) // 2
    draw.rectangle((left, 0, left + width - 1, height - 1), fill=_GROUND)
    draw.text((shape[1] / 2, height / 2), text, fill=_INK, font=font, anchor="mm")
    return np.asarray(image)


def _measured(text: str, size: int) -> tuple[Any, int, int]:
    """Return the font of a size, and width and height of the ground that words need."""
    font = ImageFont.load_default(size)
    left, top, right, bottom = font.getbbox(text)
    return font, int(right - left) + size, int(bottom - top) + size


def write_png(path: Path, pixels: Pixels, texts: Mapping[str, str]) -> None:
    """Write a PNG with its words as tEXt or iTXt chunks.

    Args:
        path: The file; replaced if it exists.
        pixels: (rows, columns, 3) uint8.
        texts: By keyword (1 to 79 Latin-1 characters, PNG specification 11.3.4).

    Raises:
        StorageError: The folder cannot be written.
    """
    words = PngInfo()
    for name, text in texts.items():
        words.add_text(name, text)
    with atomic_output(path, "The picture cannot be written") as part:
        Image.fromarray(checked(pixels)).save(part, format="PNG", pnginfo=words, optimize=False)
