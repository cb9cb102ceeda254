"""Cines as MP4 with AV1, made from the AVIF image sequence that Pillow's libavif writes.

An AVIF sequence is an ISO base media file (ISO/IEC 14496-12) with an AV1 track of handler `pict`.
As a film it wants the handler `vide`, another brand and a duration; the coded frames stay byte for
byte. The boxes that change are written anew at the end, the old ones become `free`, so that no
offset moves. libavif and libaom are BSD-2; the wheels that encode H.264 carry x264 (GPL): decision
0125.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, features

from carez_desktop.errors import UsageError
from carez_desktop.imaging.picture_files import Pixels, checked
from carez_desktop.system.file_safety import atomic_output

_QUALITY = 92
_SPEED = 8
_BRANDS = b"iso6" + bytes(4) + b"iso6iso5isommp41mp42av01iso8"
_CONTAINERS = frozenset((b"moov", b"trak", b"mdia"))
_LARGEST_SIDE = 8192


def write_mp4(
    path: Path,
    frames: Iterable[Pixels],
    delays_ms: Sequence[float],
    texts: Mapping[str, str],
) -> None:
    """Write frames as an MP4 film; it is compressed with loss.

    An odd row or column is doubled, because colours are stored for squares of two pixels.

    Args:
        path: The file; replaced if it exists.
        frames: (rows, columns, 3) uint8 of one size; read one by one.
        delays_ms: One for each frame, whole numbers.
        texts: Written as title and comment.

    Raises:
        StorageError: The folder cannot be written. UsageError: This installation cannot encode
        AV1. ValueError: Frames of different size, or more than 8192 pixels to a side.
    """
    if not features.check("avif"):
        raise UsageError(
            "This installation cannot write MP4 films", subject=path.name, hint="Choose GIF"
        )
    source = _FrameSource(iter(frames), len(delays_ms))
    content = io.BytesIO()
    source.save(
        content,
        format="AVIF",
        save_all=True,
        duration=[max(1, round(delay)) for delay in delays_ms],
        quality=_QUALITY,
        speed=_SPEED,
        subsampling="4:2:0",
        range="limited",
    )
    film = as_film(content.getvalue(), texts)
    with atomic_output(path, "The cine cannot be written") as part:
        part.write_bytes(film)


class _FrameSource(Image.Image):
    """An image whose frames are fetched when they are sought, one after another."""

    is_animated = True

    def __init__(self, frames: Iterator[Pixels], count: int) -> None:
        super().__init__()
        self._frames = frames
        self._count = count
        self._place = 0
        first = _even(next(frames))
        self._mode = "RGB"
        self._size = (first.shape[1], first.shape[0])
        if max(self._size) > _LARGEST_SIDE:
            raise ValueError(f"a film has sides of at most {_LARGEST_SIDE} pixels")
        self._take(first)

    @property
    def n_frames(self) -> int:
        """How many frames there are."""
        return self._count

    def tell(self) -> int:
        """Return the place of the frame that is held."""
        return self._place

    def seek(self, frame: int) -> None:
        """Fetch the next frame; the encoder asks for them in order."""
        if frame >= self._count:
            raise EOFError
        if frame == self._place + 1:
            pixels = _even(next(self._frames))
            if (pixels.shape[1], pixels.shape[0]) != self._size:
                raise ValueError(f"the frames of a cine are of one size, not {pixels.shape}")
            self._take(pixels)
            self._place = frame

    def _take(self, pixels: Pixels) -> None:
        self.im = Image.fromarray(pixels).im


def _even(pixels: Pixels) -> Pixels:
    """Return pixels with an even number of rows and columns."""
    pixels = checked(pixels)
    odd = [(0, extent % 2) for extent in pixels.shape[:2]]
    return np.pad(pixels, (*odd, (0, 0)), mode="edge") if any(odd[0] + odd[1]) else pixels


def as_film(sequence: bytes, texts: Mapping[str, str]) -> bytes:
    """Turn an AVIF image sequence into a film.

    Args:
        sequence: An AVIF file with one track.
        texts: Written as title and comment.

    Raises:
        ValueError: It is no such file.
    """
    data = bytearray(sequence)
    found = {kind: (start, end) for kind, start, end in _boxes(data, 0, len(data))}
    if not {b"ftyp", b"moov", b"mdat"} <= found.keys():
        raise ValueError("not an AVIF image sequence")
    start, end = found[b"ftyp"]
    brands = _BRANDS[: end - start - 8].ljust(end - start - 8, b"\0")
    data[start + 8 : end] = brands
    start, end = found[b"moov"]
    movie = _movie(bytes(data[start:end]), texts)
    for kind in (b"meta", b"moov"):
        if kind in found:
            begin = found[kind][0]
            data[begin + 4 : begin + 8] = b"free"
    return bytes(data) + movie


def _boxes(data: bytes | bytearray, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end of each box between two places."""
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        size = size or end - start
        if size < 8 or start + size > end:
            raise ValueError(f"a box of {size} bytes at {start} cannot be")
        yield kind, start, start + size
        start += size


def _movie(box: bytes, texts: Mapping[str, str]) -> bytes:
    """Return the movie box as of a film: handler, plain duration, no endless loop, words."""
    data = bytearray(box)
    places: dict[bytes, int] = {}

    def look(start: int, end: int) -> None:
        for kind, begin, stop in _boxes(data, start, end):
            places[kind] = begin
            if kind in _CONTAINERS:
                look(begin + 8, stop)

    look(0, len(data))
    if any(data[places[kind] + 8] != 1 for kind in (b"mvhd", b"tkhd", b"mdhd")):
        raise ValueError("the headers of the sequence are not of version 1")
    # Version 1 of a header: creation, modification (8 bytes each), timescale (4), duration (8).
    lasts = bytes(data[places[b"mdhd"] + 32 : places[b"mdhd"] + 40])
    data[places[b"mvhd"] + 32 : places[b"mvhd"] + 40] = lasts
    # Of a track: creation, modification, id, reserved (4 each), duration.
    data[places[b"tkhd"] + 36 : places[b"tkhd"] + 44] = lasts
    for kind in (b"mvhd", b"tkhd", b"mdhd"):
        data[places[kind] + 12 : places[kind] + 28] = bytes(16)
    if b"edts" in places:
        data[places[b"edts"] + 4 : places[b"edts"] + 8] = b"free"
    handler = places[b"hdlr"] + 16
    if data[handler : handler + 4] != b"pict":
        raise ValueError("the track is no image sequence")
    data[handler : handler + 4] = b"vide"
    words = _box(b"udta", _words(texts))
    return _box(b"moov", bytes(data[8:]) + words)


def _words(texts: Mapping[str, str]) -> bytes:
    """Return words as QuickTime items, which players show as title and comment."""
    items = {
        b"\xa9nam": texts.get("Warning", ""),
        b"\xa9too": texts.get("Software", ""),
        b"\xa9cmt": "; ".join(f"{name}: {text}" for name, text in texts.items()),
    }
    entries = [
        _box(kind, _box(b"data", struct.pack(">II", 1, 0) + text.encode("utf-8")))
        for kind, text in items.items()
        if text
    ]
    handler = _box(b"hdlr", bytes(8) + b"mdirappl" + bytes(9))
    return _box(b"meta", bytes(4) + handler + _box(b"ilst", b"".join(entries)))


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content
