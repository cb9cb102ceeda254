"""Decode frames in a child process, into memory that the parent shares (decision record 0103)."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any, BinaryIO

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
            (offset, length), and, for a deflated file only, where the frame lies in the inflated
            data set as (offset, bit, length).

    Returns:
        For each frame whether its values fit into the type of the volume.

    Raises:
        UnreadableFileError: A frame does not decode; it names the file.
    """
    out = open_region(request["region"])
    transforms = [FrameTransform.from_plain(plain) for plain in request["transforms"]]
    opened: tuple[str, BinaryIO] | None = None
    inflated = b""
    fits = []
    try:
        for index, (path, which, fragments, place) in enumerate(request["frames"]):
            if opened is None or opened[0] != path:
                if opened is not None:
                    opened[1].close()
                opened, inflated = (path, _open(path)), b""
            if place is not None:
                needed = max(frame[3][0] + frame[3][2] for frame in request["frames"])
                inflated = inflated or _inflate(opened[1], fragments[0][0], needed)
            fits.append(
                _put(opened, fragments, place, inflated, transforms[which], out[index : index + 1])
            )
    finally:
        if opened is not None:
            opened[1].close()
    return fits


def _open(path: str) -> BinaryIO:
    try:
        return open(path, "rb", buffering=0, opener=open_regular)
    except OSError as error:
        raise UnreadableFileError(
            f"The file cannot be read: {error.strerror or error}",
            subject=path,
            hint="Import its folder again",
        ) from error


def _put(
    opened: tuple[str, BinaryIO],
    fragments: list[list[int]],
    place: list[int] | None,
    inflated: bytes,
    transform: FrameTransform,
    out: Any,
) -> bool:
    path, stream = opened
    try:
        if place is None:
            put_stream(read_fragments(stream, fragments, path), transform, out[0], path)
            return True
        offset, bit, length = place
        data = inflated[offset : offset + length]
        if len(data) < length:
            raise UnreadableFileError(
                f"The file is truncated: {length - len(data)} of {length} bytes of pixel data are"
                " missing",
                subject=path,
                hint="Export it again from its source",
            )
        put_native_frame(data, bit, transform, out[0])
    except DoesNotFitError:
        return False
    return True


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
