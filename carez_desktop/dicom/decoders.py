"""Decode the compressed pixels of one frame to stored values; runs in a child process.

imagecodecs decodes first; what it cannot is given to pydicom with GDCM and pyjpegls. The streams
are written by anybody, and the decoders are large C libraries: `frame_decoding` calls this in a
child process with limits, never the process that a person works in (decision record 0103).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import Any

import imagecodecs
import numpy as np

from carez_desktop.dicom.colour import has_colour_transform, jpeg_colours, to_rgb
from carez_desktop.dicom.pixel_layout import PixelLayout, StoredArray, raw_values, unpack_frame
from carez_desktop.domain.transfer_syntaxes import syntax_codec, syntax_name
from carez_desktop.errors import UnreadableFileError

_JPEG_FRAMES = frozenset((*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), 0xF7))
_RLE_HEADER = 64
_LOSSLESS_HTJ2K = frozenset(("1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202"))
_LOSSY_HTJ2K = "1.2.840.10008.1.2.4.203"
_HINT = "Export the series uncompressed or in JPEG 2000"


def decode_stream(
    stream: bytes, transfer_syntax_uid: str, layout: PixelLayout, subject: str
) -> StoredArray:
    """Decode one compressed frame to stored values in native byte order.

    The size that the stream claims is compared with the header before anything is allocated.

    Returns:
        (rows, columns) stored values, or (rows, columns, 3) uint8 red, green and blue.

    Raises:
        UnreadableFileError: Truncated or damaged, of another size than the header says, or in an
            encoding that is not read.
    """
    codec = syntax_codec(transfer_syntax_uid)
    decode = _DECODERS.get(codec)
    if decode is None:
        what = f"The encoding is not read: {syntax_name(transfer_syntax_uid)}"
        raise UnreadableFileError(what, subject=subject, hint=_HINT)
    if codec == "rle" and layout.bits_allocated == 1:
        what = "RLE of 1-bit pixels: DICOM defines it for whole bytes only (PS3.5 Annex G)"
        raise UnreadableFileError(what, subject=subject, hint=_HINT)
    _check_claim(codec, stream, layout, subject)
    try:
        decoded = decode(stream, layout)
    except (RuntimeError, ValueError, TypeError, MemoryError, zlib.error) as first:
        decoded = _decode_again(stream, transfer_syntax_uid, layout, subject, first)
    if decoded.shape != layout.shape:
        raise _damaged(subject, f"its pixels decode to {decoded.shape}")
    cell = layout.dtype.newbyteorder("=")
    if decoded.dtype.itemsize != cell.itemsize:
        decoded = decoded.astype(cell)
    cells = raw_values(decoded.view(cell), layout, shift=codec in ("rle", "deflated_frame"))
    if layout.samples == 1:
        return cells
    return to_rgb(cells, layout, decoded_to=_decoded_to(codec, stream))


def _decoded_to(codec: str, stream: bytes) -> str:
    """Say `RGB` where the decoder undid the colour transform that the stream states."""
    if codec == "jpeg" or (codec == "jpeg_2000" and has_colour_transform(stream)):
        return "RGB"
    return ""


def _check_claim(codec: str, stream: bytes, layout: PixelLayout, subject: str) -> None:
    claimed = _claimed_size(codec, stream)
    wanted = (layout.rows, layout.columns, layout.samples)
    if claimed is not None and claimed != wanted:
        text = f"its compressed image is {claimed[0]} x {claimed[1]} with {claimed[2]} components"
        said = f"the header says {wanted[0]} x {wanted[1]} with {wanted[2]}"
        raise _damaged(subject, f"{text}, {said}")


def _damaged(subject: str, what: str) -> UnreadableFileError:
    return UnreadableFileError(
        f"The file is truncated or damaged: {what}",
        subject=subject,
        hint="Export it again from its source",
    )


def _decode_rle(stream: bytes, layout: PixelLayout) -> StoredArray:
    """Decode PackBits segments, one for each byte of a cell, highest first (PS3.5 G.2)."""
    width = layout.dtype.itemsize
    if len(stream) < _RLE_HEADER:
        raise ValueError("shorter than an RLE header")
    segments, *starts = struct.unpack_from("<16I", stream)
    if segments != width * layout.samples:
        raise ValueError(f"{segments} RLE segments for cells of {width} bytes")
    pixels = layout.rows * layout.columns
    out = np.zeros((layout.samples, pixels, width), dtype=np.uint8)
    ends = [*starts[1:segments], len(stream)]
    for index, (start, end) in enumerate(zip(starts[:segments], ends, strict=True)):
        if not _RLE_HEADER <= start <= end <= len(stream):
            raise ValueError("RLE segments lie outside their stream")
        plane = np.zeros(pixels, dtype=np.uint8)
        imagecodecs.packbits_decode(stream[start:end], out=plane.data)
        sample, byte = divmod(index, width)
        out[sample, :, width - 1 - byte] = plane
    cells = out.view(layout.dtype.newbyteorder("<")).reshape(-1, layout.rows, layout.columns)
    return cells[0] if layout.samples == 1 else np.ascontiguousarray(np.moveaxis(cells, 0, -1))


def _decode_jpeg(stream: bytes, layout: PixelLayout) -> StoredArray:
    if layout.samples == 1:
        return np.asarray(imagecodecs.jpeg_decode(stream))
    colours = jpeg_colours(stream, layout.photometric)
    return np.asarray(imagecodecs.jpeg_decode(stream, colorspace=colours, outcolorspace="RGB"))


def _decode_jpeg_lossless(stream: bytes, layout: PixelLayout) -> StoredArray:
    if layout.samples == 1:
        return np.asarray(imagecodecs.jpeg_decode(stream))
    return np.asarray(imagecodecs.jpeg_decode(stream, colorspace="RGB", outcolorspace="RGB"))


def _decode_jpeg_ls(stream: bytes, _: PixelLayout) -> StoredArray:
    return np.asarray(imagecodecs.jpegls_decode(stream))


def _decode_jpeg_2000(stream: bytes, _: PixelLayout) -> StoredArray:
    return np.asarray(imagecodecs.jpeg2k_decode(stream, numthreads=1))


def _inflate_frame(stream: bytes, layout: PixelLayout) -> StoredArray:
    """Inflate a frame of Deflated Image Frame Compression (PS3.5 A.4.12), never beyond its size."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    data = inflater.decompress(stream, layout.byte_count)
    if len(data) < layout.byte_count:
        raise ValueError(f"{len(data)} of {layout.byte_count} bytes")
    return np.asarray(unpack_frame(data, layout))


_LIBRARIES = {
    "raw": ("numpy", ""),
    "deflated": ("zlib", ""),
    "deflated_frame": ("zlib", ""),
    "rle": ("imagecodecs (PackBits)", "pydicom"),
    "jpeg": ("imagecodecs (libjpeg-turbo)", "GDCM, Pillow"),
    "jpeg_lossless": ("imagecodecs (libjpeg-turbo)", "GDCM"),
    "jpeg_ls": ("imagecodecs (CharLS)", ""),
    "jpeg_2000": ("imagecodecs (OpenJPEG)", "GDCM, Pillow"),
}


def first_decoder(uid: str) -> str:
    """Name the library that decodes a transfer syntax; "" for one that is not read."""
    return _LIBRARIES.get(syntax_codec(uid), ("", ""))[0]


def second_decoder(uid: str) -> str:
    """Name who is asked where the first gives up; "" where nobody is."""
    if uid in _LOSSLESS_HTJ2K:
        return "imagecodecs (OpenJPH)"
    if uid == _LOSSY_HTJ2K:
        return ""  # OpenJPH wraps values that a lossy stream takes past the range
    return _LIBRARIES.get(syntax_codec(uid), ("", ""))[1]


_DECODERS: dict[str, Callable[[bytes, PixelLayout], StoredArray]] = {
    "rle": _decode_rle,
    "jpeg": _decode_jpeg,
    "jpeg_lossless": _decode_jpeg_lossless,
    "jpeg_ls": _decode_jpeg_ls,
    "jpeg_2000": _decode_jpeg_2000,
    "deflated_frame": _inflate_frame,
}


def _decode_again(
    stream: bytes, uid: str, layout: PixelLayout, subject: str, first: Exception
) -> StoredArray:
    """Ask the second decoder after imagecodecs gave up.

    JPEG-LS and deflated frames have none: pydicom would ask the same library again.
    """
    if second_decoder(uid) == "":
        raise _does_not_decode(uid, subject, first) from first
    try:
        if uid in _LOSSLESS_HTJ2K:
            return np.asarray(imagecodecs.htj2k_decode(stream))
        return _decode_with_pydicom(stream, uid, layout)
    except (RuntimeError, ValueError, TypeError, NotImplementedError, MemoryError, UserWarning):
        raise _does_not_decode(uid, subject, first) from first


def _decode_with_pydicom(stream: bytes, uid: str, layout: PixelLayout) -> StoredArray:
    # Imported here: pydicom would be half of a child's start, and is hardly ever asked.
    from pydicom.encaps import encapsulate
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.uid import UID

    raw = layout.samples == 1 or syntax_codec(uid) != "jpeg"
    options = _pydicom_options(layout)
    decoded, _ = get_decoder(UID(uid)).as_array(encapsulate([stream]), raw=raw, index=0, **options)
    return np.asarray(decoded)


def _pydicom_options(layout: PixelLayout) -> dict[str, Any]:
    options: dict[str, Any] = {
        "rows": layout.rows,
        "columns": layout.columns,
        "samples_per_pixel": layout.samples,
        "photometric_interpretation": layout.photometric,
        "number_of_frames": 1,
        "bits_allocated": layout.bits_allocated,
        "bits_stored": layout.bits_stored,
        "pixel_representation": int(layout.signed),
        "pixel_keyword": "PixelData",
    }
    if layout.samples == 3:
        options["planar_configuration"] = int(layout.planar)
    return options


def _does_not_decode(uid: str, subject: str, first: Exception) -> UnreadableFileError:
    reason = str(first) or type(first).__name__
    return _damaged(subject, f"its {syntax_name(uid)} stream does not decode ({reason})")


def _claimed_size(codec: str, stream: bytes) -> tuple[int, int, int] | None:
    """Return (rows, columns, components) that a stream states of itself, or None."""
    if codec in ("rle", "deflated_frame"):
        return None
    try:
        return _size_in_jpeg_2000(stream) if codec == "jpeg_2000" else _size_in_jpeg(stream)
    except struct.error:
        return None


def _size_in_jpeg(stream: bytes) -> tuple[int, int, int] | None:
    """Read the frame header of a JPEG or JPEG-LS stream (ITU-T T.81 B.2.2, T.87 C.2.2)."""
    position = 2
    while position + 4 <= len(stream):
        if stream[position] != 0xFF:
            return None
        marker = stream[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        if marker in _JPEG_FRAMES:
            rows, columns, components = struct.unpack_from(">HHB", stream, position + 5)
            return rows, columns, components
        (length,) = struct.unpack_from(">H", stream, position + 2)
        position += 2 + length
    return None


def _size_in_jpeg_2000(stream: bytes) -> tuple[int, int, int] | None:
    """Read the SIZ marker of a JPEG 2000 codestream (ITU-T T.800 A.5.1)."""
    start = stream.find(b"\xff\x4f\xff\x51", 0, 4096)
    if start < 0:
        return None
    width, height, left, top = struct.unpack_from(">IIII", stream, start + 8)
    (components,) = struct.unpack_from(">H", stream, start + 40)
    return height - top, width - left, components
