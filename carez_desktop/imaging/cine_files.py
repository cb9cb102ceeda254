"""Cines as GIF, frame after frame, so that a long one needs no more memory than a short one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO

import numpy as np
from PIL import GifImagePlugin, Image

from carez_desktop.imaging.picture_files import Pixels, checked
from carez_desktop.system.file_safety import atomic_output

SHORTEST_GIF_MS = 20.0
"""Viewers slow anything shorter down to a tenth of a second."""

_LARGEST_SIDE = 65535


def frame_delays(count: int, frame_ms: float, *, unit_ms: float) -> list[float]:
    """Return delays in whole units whose sum stays within half a unit of the true time.

    Args:
        count: Number of frames.
        frame_ms: True time of each frame.
        unit_ms: What the file can tell apart.

    Returns:
        (count) delays in ms.
    """
    ends = [round((place + 1) * frame_ms / unit_ms) for place in range(count)]
    return [(end - start) * unit_ms for start, end in zip([0, *ends], ends, strict=False)]


def write_gif(
    path: Path, frames: Iterable[Pixels], delays_ms: Iterable[float], texts: Mapping[str, str]
) -> bool:
    """Write a GIF that loops for ever, each frame with a palette of its own.

    A frame with at most 256 colours (all grey frames) keeps every value.

    Args:
        path: The file; replaced if it exists.
        frames: (rows, columns, 3) uint8 of one size; read one by one.
        delays_ms: One for each frame, multiples of 10.
        texts: Written as a comment.

    Returns:
        Whether every colour of every frame was kept.

    Raises:
        StorageError: The folder cannot be written. ValueError: Frames of different size.
    """
    is_exact = True
    size: tuple[int, int] | None = None
    with atomic_output(path, "The cine cannot be written") as part, part.open("wb") as stream:
        for pixels, delay in zip(frames, delays_ms, strict=True):
            frame = checked(pixels)
            if size is None:
                size = (frame.shape[1], frame.shape[0])
                _write_start(stream, size, texts)
            if size != (frame.shape[1], frame.shape[0]):
                raise ValueError(f"the frames of a cine are of one size: {size}, {frame.shape}")
            image, kept = indexed(frame)
            is_exact = is_exact and kept
            for block in GifImagePlugin.getdata(image, duration=delay, include_color_table=True):
                stream.write(block)
        if size is None:
            raise ValueError("a cine has at least one frame")
        stream.write(b";")
    return is_exact


def _write_start(stream: IO[bytes], size: tuple[int, int], texts: Mapping[str, str]) -> None:
    """Write the header, the loop (NETSCAPE2.0) and the comment (GIF89a, sections 17, 18, 24)."""
    if max(size) > _LARGEST_SIDE:
        raise ValueError(f"a GIF has sides of at most {_LARGEST_SIDE} pixels")
    stream.write(b"GIF89a")
    stream.write(b"".join(side.to_bytes(2, "little") for side in size))
    stream.write(b"\x70\x00\x00")
    stream.write(b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00")
    comment = "; ".join(f"{name}: {text}" for name, text in texts.items()).encode(
        "ascii", "replace"
    )
    stream.write(b"\x21\xfe")
    for start in range(0, len(comment), 255):
        part = comment[start : start + 255]
        stream.write(bytes((len(part),)) + part)
    stream.write(b"\x00")


def indexed(pixels: Pixels) -> tuple[Image.Image, bool]:
    """Return a picture of 256 colours, and whether it shows every colour of the pixels.

    Args:
        pixels: (rows, columns, 3) uint8.
    """
    packed = pixels.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    colours, places = np.unique(packed, return_inverse=True)
    if len(colours) > 256:
        image = Image.fromarray(pixels).quantize(256, dither=Image.Dither.NONE)
        return image, False
    image = Image.fromarray(places.reshape(packed.shape).astype(np.uint8), mode="P")
    table = [int(colour >> shift) & 255 for colour in colours for shift in (16, 8, 0)]
    image.putpalette(table)
    return image, True
