"""Decode frames in a child process, into memory that the parent shares (decision record 0103)."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from carez_desktop.dicom.frame_location import read_fragments
from carez_desktop.dicom.frame_values import FrameTransform, put_native_frame, put_stream
from carez_desktop.dicom.header_reader import open_regular
from carez_desktop.dicom.modality_values import DoesNotFitError
from carez_desktop.errors import UnreadableFileError
from carez_desktop.system.shared_array import open_region

DECODE = "carez_desktop.dicom.frame_decoding:decode_frames"
"""How a pool is asked for `decode_frames`."""

_CHUNK = 1 << 20


def decode_frames(request: Mapping[str, Any]) -> list[bool]:
    """Decode frames and write their voxels.

    Args:
        request: `region`: of the volume, one index for each frame, in order; `transforms`: plain
            `FrameTransform`s; `frames`: for each its path, which transform, its fragments as
            (offset, length), for a deflated file where the frame lies in the inflated data set as
            (offset, bit, length), and for a mosaic the (top, left) of the slice in the frame.

    Returns:
        For each frame whether its values fit into the type of the volume.

    Raises:
        UnreadableFileError: A frame does not decode; it names the file.
    """
    out = open_region(request["region"])
    transforms = [FrameTransform.from_plain(plain) for plain in request["transforms"]]
    frames = request["frames"]
    needed = max((place[0] + place[2] for *_, place, _ in frames if place is not None), default=0)
    current: _File | None = None
    fits = []
    try:
        for index, (path, which, fragments, place, tile) in enumerate(frames):
            if current is None or current.path != path:
                if current is not None:
                    current.close()
                current = _File(path, needed)
            try:
                current.put(fragments, place, tile, transforms[which], out[index])
                fits.append(True)
            except DoesNotFitError:
                fits.append(False)
    finally:
        if current is not None:
            current.close()
    return fits


class _File:
    """An open file, with what several of its frames share."""

    def __init__(self, path: str, needed: int) -> None:
        """Open it; `needed` bytes of its inflated data set are wanted, if it is deflated."""
        self.path = path
        self._needed = needed
        self._inflated: bytes | None = None
        self._mosaic: npt.NDArray[Any] | None = None
        try:
            self._stream: BinaryIO = open(  # noqa: SIM115 - Path.open takes no opener
                path, "rb", buffering=0, opener=open_regular
            )
        except OSError as error:
            raise UnreadableFileError(
                f"The file cannot be read: {error.strerror or error}",
                subject=path,
                hint="Import its folder again",
            ) from error

    def close(self) -> None:
        self._stream.close()

    def put(
        self,
        fragments: Sequence[Sequence[int]],
        place: Sequence[int] | None,
        tile: Sequence[int] | None,
        transform: FrameTransform,
        out: npt.NDArray[Any],
    ) -> None:
        """Write the voxels of a frame, or of one tile of it."""
        if tile is None:
            self._put_frame(fragments, place, transform, out)
            return
        if self._mosaic is None:
            self._mosaic = np.empty(transform.layout.shape, out.dtype)
            self._put_frame(fragments, place, transform, self._mosaic)
        (top, left), (rows, columns) = tile, out.shape[:2]
        out[...] = self._mosaic[top : top + rows, left : left + columns]

    def _put_frame(
        self,
        fragments: Sequence[Sequence[int]],
        place: Sequence[int] | None,
        transform: FrameTransform,
        out: npt.NDArray[Any],
    ) -> None:
        if place is None:
            stream = read_fragments(self._stream, fragments, self.path)
            put_stream(stream, transform, out, self.path)
            return
        if self._inflated is None:
            self._inflated = _inflate(self._stream, fragments[0][0], self._needed)
        offset, bit, length = place
        data = self._inflated[offset : offset + length]
        if len(data) < length:
            raise UnreadableFileError(
                f"The file is truncated: {length - len(data)} of {length} bytes of pixel data are"
                " missing",
                subject=self.path,
                hint="Export it again from its source",
            )
        put_native_frame(data, bit, transform, out)


def _inflate(stream: BinaryIO, start: int, needed: int) -> bytes:
    """Inflate the data set of a deflated file up to a size, however much it would give."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    stream.seek(start)
    out = bytearray()
    while len(out) < needed and not inflater.eof:
        data = inflater.unconsumed_tail or stream.read(_CHUNK)
        if not data:
            break
        try:
            out += inflater.decompress(data, needed - len(out))
        except zlib.error:
            break
    return bytes(out)
