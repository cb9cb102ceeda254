"""Transfer syntaxes: what they are called, and which of them are read (PS3.5 chapter 10)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TransferSyntax:
    """One encoding of DICOM pixels.

    Attributes:
        name: Words for a person.
        codec: `raw`, `deflated`, `deflated_frame`, `rle`, `jpeg`, `jpeg_lossless`, `jpeg_ls`,
            `jpeg_2000`, or "" if not read.
    """

    name: str
    codec: str


TRANSFER_SYNTAXES = {
    "1.2.840.10008.1.2": TransferSyntax("implicit little endian", "raw"),
    "1.2.840.10008.1.2.1": TransferSyntax("explicit little endian", "raw"),
    "1.2.840.10008.1.2.2": TransferSyntax("explicit big endian", "raw"),
    "1.2.840.10008.1.2.1.99": TransferSyntax("deflated explicit little endian", "deflated"),
    "1.2.840.10008.1.2.8.1": TransferSyntax("deflated image frames", "deflated_frame"),
    "1.2.840.10008.1.2.5": TransferSyntax("RLE lossless", "rle"),
    "1.2.840.10008.1.2.4.50": TransferSyntax("JPEG baseline, lossy 8 bit", "jpeg"),
    "1.2.840.10008.1.2.4.51": TransferSyntax("JPEG extended, lossy 12 bit", "jpeg"),
    "1.2.840.10008.1.2.4.57": TransferSyntax("JPEG lossless, process 14", "jpeg_lossless"),
    "1.2.840.10008.1.2.4.70": TransferSyntax(
        "JPEG lossless, process 14, first-order prediction", "jpeg_lossless"
    ),
    "1.2.840.10008.1.2.4.80": TransferSyntax("JPEG-LS lossless", "jpeg_ls"),
    "1.2.840.10008.1.2.4.81": TransferSyntax("JPEG-LS near-lossless", "jpeg_ls"),
    "1.2.840.10008.1.2.4.90": TransferSyntax("JPEG 2000 lossless", "jpeg_2000"),
    "1.2.840.10008.1.2.4.91": TransferSyntax("JPEG 2000", "jpeg_2000"),
    "1.2.840.10008.1.2.4.201": TransferSyntax("High-Throughput JPEG 2000 lossless", "jpeg_2000"),
    "1.2.840.10008.1.2.4.202": TransferSyntax(
        "High-Throughput JPEG 2000 lossless with RPCL", "jpeg_2000"
    ),
    "1.2.840.10008.1.2.4.203": TransferSyntax("High-Throughput JPEG 2000", "jpeg_2000"),
    "1.2.840.10008.1.2.4.92": TransferSyntax("JPEG 2000 multi-component lossless", ""),
    "1.2.840.10008.1.2.4.93": TransferSyntax("JPEG 2000 multi-component", ""),
    "1.2.840.10008.1.2.4.100": TransferSyntax("MPEG-2 video, main level", ""),
    "1.2.840.10008.1.2.4.101": TransferSyntax("MPEG-2 video, high level", ""),
    "1.2.840.10008.1.2.4.102": TransferSyntax("MPEG-4 AVC video", ""),
    "1.2.840.10008.1.2.4.103": TransferSyntax("MPEG-4 AVC video, BD compatible", ""),
    "1.2.840.10008.1.2.4.104": TransferSyntax("MPEG-4 AVC video, level 4.2, 2-D", ""),
    "1.2.840.10008.1.2.4.105": TransferSyntax("MPEG-4 AVC video, level 4.2, 3-D", ""),
    "1.2.840.10008.1.2.4.106": TransferSyntax("MPEG-4 AVC video, stereo", ""),
    "1.2.840.10008.1.2.4.107": TransferSyntax("HEVC video, main profile", ""),
    "1.2.840.10008.1.2.4.108": TransferSyntax("HEVC video, main 10 profile", ""),
    "1.2.840.10008.1.2.4.110": TransferSyntax("JPEG XL lossless", ""),
    "1.2.840.10008.1.2.4.111": TransferSyntax("JPEG XL of JPEG", ""),
    "1.2.840.10008.1.2.4.112": TransferSyntax("JPEG XL", ""),
}


def syntax_name(uid: str) -> str:
    """Return the name of a transfer syntax, or its UID where it has none here."""
    known = TRANSFER_SYNTAXES.get(uid)
    return known.name if known else (uid or "not stated")


def syntax_codec(uid: str) -> str:
    """Return the codec that reads it; "" where this product does not."""
    known = TRANSFER_SYNTAXES.get(uid)
    return known.codec if known else ""
