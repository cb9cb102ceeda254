"""Pixels of every kind in every transfer syntax that an encoder could be found for.

The encoders are imagecodecs (JPEG 8 and 12 bits, JPEG lossless, JPEG 2000, HTJ2K),
pyjpegls (JPEG-LS) and pydicom's own RLE. The HTJ2K encoder (OpenJPH) writes the progression
RPCL always.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import imagecodecs
import jpeg_ls
import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.pixels.encoders.base import get_encoder
from pydicom.uid import UID

Array = npt.NDArray[np.integer]

IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
BIG_ENDIAN, DEFLATED = "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"
RLE = "1.2.840.10008.1.2.5"
_JPEG = "1.2.840.10008.1.2.4."
SYNTAXES = {
    "implicit": IMPLICIT,
    "explicit": EXPLICIT,
    "big": BIG_ENDIAN,
    "deflated": DEFLATED,
    "rle": RLE,
    "jpeg8": f"{_JPEG}50",
    "jpeg12": f"{_JPEG}51",
    "lossless57": f"{_JPEG}57",
    "lossless70": f"{_JPEG}70",
    "jpegls": f"{_JPEG}80",
    "jpegls_near": f"{_JPEG}81",
    "j2k": f"{_JPEG}90",
    "j2k_lossy": f"{_JPEG}91",
    "htj2k": f"{_JPEG}201",
    "htj2k_rpcl": f"{_JPEG}202",
    "htj2k_lossy": f"{_JPEG}203",
}
NATIVE = frozenset(("implicit", "explicit", "big", "deflated"))
LOSSY = {
    "jpeg8": 0.01,
    "jpeg12": 0.01,
    "jpegls_near": 0.008,
    "j2k_lossy": 0.01,
    "htj2k_lossy": 0.01,
}
"""Largest difference of a grey value after a lossy way there and back, of the whole range."""


@dataclass(frozen=True)
class PixelKind:
    """What the cells of an image are; `tables` are those of a palette."""

    bits_allocated: int
    bits_stored: int
    signed: bool = False
    photometric: str = "MONOCHROME2"
    planar: int = 0

    @property
    def samples(self) -> int:
        return 1 if self.photometric.startswith(("MONO", "PALETTE")) else 3

    @property
    def dtype(self) -> np.dtype[np.integer]:
        return np.dtype(f"{'i' if self.signed else 'u'}{self.bits_allocated // 8}")


KINDS = {
    "grey8": PixelKind(8, 8),
    "inverted8": PixelKind(8, 8, photometric="MONOCHROME1"),
    "grey12": PixelKind(16, 12),
    "grey16": PixelKind(16, 16),
    "signed12": PixelKind(16, 12, signed=True),
    "signed16": PixelKind(16, 16, signed=True),
    "rgb": PixelKind(8, 8, photometric="RGB"),
    "rgb_planes": PixelKind(8, 8, photometric="RGB", planar=1),
    "ybr_full": PixelKind(8, 8, photometric="YBR_FULL"),
    "palette": PixelKind(8, 8, photometric="PALETTE COLOR"),
}
_GREY = ("grey8", "inverted8", "grey12", "grey16", "signed12", "signed16")
_OF_SYNTAX = {
    **dict.fromkeys(NATIVE, tuple(KINDS)),
    "rle": tuple(KINDS),
    "jpeg8": ("grey8", "inverted8", "ybr_full"),
    "jpeg12": ("grey12",),
    "lossless57": (*_GREY, "rgb", "palette"),
    "lossless70": (*_GREY, "rgb", "palette"),
    "jpegls": (*_GREY, "rgb", "palette"),
    "jpegls_near": ("grey8", "grey12", "grey16", "rgb"),
    "j2k": (*_GREY, "rgb", "palette"),
    "j2k_lossy": ("grey8", "grey12", "grey16", "signed16", "rgb"),
    "htj2k": (*_GREY, "rgb", "palette"),
    "htj2k_rpcl": ("grey12", "rgb"),
    "htj2k_lossy": ("grey8", "grey16"),
}


def pairs() -> list[tuple[str, str]]:
    """Every (syntax, kind) that goes together."""
    return [(syntax, kind) for syntax, kinds in _OF_SYNTAX.items() for kind in kinds]


def pattern(kind: PixelKind, shape: tuple[int, int] = (24, 40), seed: int = 0) -> Array:
    """Smooth stored values that use the whole range: (rows, columns[, 3]) of `kind.dtype`."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    phase = rows / shape[0] * 2.1 + columns / shape[1] * 3.3 + seed
    waves = [np.sin(phase + shift) * 0.5 + 0.5 for shift in range(kind.samples)]
    top = (1 << kind.bits_stored) - 1
    cells = np.rint(np.stack(waves, axis=-1) * top).astype(np.int64)
    if kind.signed:
        cells -= 1 << (kind.bits_stored - 1)
    return cells.astype(kind.dtype)[..., 0] if kind.samples == 1 else cells.astype(kind.dtype)


def encode_frame(cells: Array, syntax: str, kind: PixelKind) -> bytes:
    """Encode one frame; colour is given as it is stored (RGB or YBR_FULL)."""
    if syntax in NATIVE:
        stored = np.moveaxis(cells, -1, 0) if kind.samples == 3 and kind.planar else cells
        order = ">" if syntax == "big" else "<"
        return np.ascontiguousarray(stored).astype(stored.dtype.newbyteorder(order)).tobytes()
    if syntax == "rle":
        return _encode_rle(cells, kind)
    mask = (1 << kind.bits_stored) - 1
    plain = (cells.astype(np.int64) & mask).astype(f"u{kind.dtype.itemsize}")
    if syntax == "jpeg8":
        colour: dict[str, str] = {}
        if kind.samples == 3:
            colour = {"colorspace": "YCBCR", "outcolorspace": "YCBCR", "subsampling": "422"}
        return bytes(imagecodecs.jpeg8_encode(plain, level=98, **colour))
    if syntax == "jpeg12":
        return bytes(imagecodecs.jpeg8_encode(plain, level=98, bitspersample=12))
    if syntax.startswith("lossless"):
        colour = {"colorspace": "RGB", "outcolorspace": "RGB"} if kind.samples == 3 else {}
        predictor = 1 if syntax == "lossless70" else 5
        options = {"lossless": True, "bitspersample": kind.bits_stored, "predictor": predictor}
        return bytes(imagecodecs.jpeg8_encode(plain, **options, **colour))
    if syntax.startswith("jpegls"):
        return bytes(
            jpeg_ls.encode_buffer(
                plain.tobytes(),
                *cells.shape[:2],
                kind.samples,
                kind.bits_stored,
                lossy_error=2 if syntax == "jpegls_near" else 0,
                interleave_mode=2 if kind.samples == 3 else 0,
            )
        )
    if syntax.startswith("htj2k"):
        lossy = {"reversible": False, "level": 0.0005} if syntax == "htj2k_lossy" else {}
        return bytes(imagecodecs.htj2k_encode(cells, tlm=syntax == "htj2k_rpcl", **lossy))
    options = {"level": 60, "reversible": False} if syntax == "j2k_lossy" else {"level": 0}
    mct = {"mct": True} if kind.samples == 3 else {}
    bits = {} if kind.signed else {"bitspersample": kind.bits_stored}
    return bytes(imagecodecs.jpeg2k_encode(cells, codecformat="j2k", **options, **mct, **bits))


def _encode_rle(cells: Array, kind: PixelKind) -> bytes:
    return bytes(
        get_encoder(UID(RLE)).encode(
            cells,
            rows=cells.shape[0],
            columns=cells.shape[1],
            samples_per_pixel=kind.samples,
            bits_allocated=kind.bits_allocated,
            bits_stored=kind.bits_stored,
            pixel_representation=int(kind.signed),
            photometric_interpretation=kind.photometric,
            planar_configuration=kind.planar,
            number_of_frames=1,
            encoding_plugin="pydicom",  # GDCM ends the process over some of these
        )
    )


def photometric_of(syntax: str, kind: PixelKind) -> str:
    """What Photometric Interpretation has to say of an encoded image (PS3.5 8.2)."""
    if kind.samples == 1:
        return kind.photometric
    if syntax == "jpeg8":
        return "YBR_FULL_422"
    if syntax == "j2k":
        return "YBR_RCT"
    return "YBR_ICT" if syntax == "j2k_lossy" else kind.photometric


def put_pixels(
    data_set: Dataset,
    frames: Sequence[Array],
    syntax: str,
    kind: PixelKind,
    table: str = "basic",
) -> None:
    """Set every pixel element of a data set.

    Args:
        data_set: With a `file_meta`.
        frames: (rows, columns[, 3]) each.
        syntax: A name of SYNTAXES.
        kind: What the cells are.
        table: Of encapsulated frames: `basic`, `extended`, `none`, or `pieces` (several fragments
            of each frame).
    """
    data_set.file_meta.TransferSyntaxUID = SYNTAXES[syntax]
    data_set.Rows, data_set.Columns = frames[0].shape[:2]
    data_set.SamplesPerPixel = kind.samples
    data_set.PhotometricInterpretation = photometric_of(syntax, kind)
    if kind.samples == 3:
        data_set.PlanarConfiguration = kind.planar if syntax in NATIVE or syntax == "rle" else 0
    data_set.BitsAllocated, data_set.BitsStored = kind.bits_allocated, kind.bits_stored
    data_set.HighBit = kind.bits_stored - 1
    data_set.PixelRepresentation = int(kind.signed)
    if len(frames) > 1:
        data_set.NumberOfFrames = len(frames)
    if syntax in LOSSY:
        data_set.LossyImageCompression = "01"
    if kind.photometric == "PALETTE COLOR":
        put_palette(data_set)
    streams = [encode_frame(frame, syntax, kind) for frame in frames]
    if syntax in NATIVE:
        value = b"".join(streams)
        data_set.PixelData = value + b"\0" * (len(value) % 2)
        data_set["PixelData"].VR = "OW" if kind.bits_allocated > 8 or syntax == "implicit" else "OB"
        return
    if table == "extended":
        value, offsets, lengths = encapsulate_extended(streams)
        data_set.ExtendedOffsetTable, data_set.ExtendedOffsetTableLengths = offsets, lengths
        data_set.PixelData = value
    else:
        pieces = 3 if table == "pieces" else 1
        data_set.PixelData = encapsulate(
            streams, fragments_per_frame=pieces, has_bot=table == "basic"
        )
    data_set["PixelData"].VR = "OB"
    data_set["PixelData"].is_undefined_length = True


def palette() -> Array:
    """(256, 3) uint16 entries; the lower byte repeats the upper one, as writers of 8 bits do."""
    step = np.arange(256)
    colours = np.stack([step, (step * 7) % 256, 255 - step], axis=-1)
    return (colours * 257).astype(np.uint16)


def put_palette(data_set: Dataset) -> None:
    for index, name in enumerate(("Red", "Green", "Blue")):
        setattr(data_set, f"{name}PaletteColorLookupTableDescriptor", [256, 0, 16])
        order = ">" if data_set.file_meta.TransferSyntaxUID == BIG_ENDIAN else "<"
        entries = palette()[:, index].astype(f"{order}u2")
        setattr(data_set, f"{name}PaletteColorLookupTableData", entries.tobytes())


def shown(cells: Array, kind: PixelKind) -> Array:
    """What a reader has to give for stored cells: the values themselves, or RGB in uint8."""
    if kind.photometric == "PALETTE COLOR":
        return (palette()[cells] >> 8).astype(np.uint8)
    return from_ybr_full(cells) if kind.photometric == "YBR_FULL" else cells


def tolerance(syntax: str, kind: PixelKind) -> float:
    """Largest difference that a reader may have from the values before they were encoded."""
    if kind.samples == 3:
        converted = 2.0 if kind.photometric.startswith("YBR") else 0.0
        return converted + {"jpeg8": 14.0}.get(syntax, 600 * LOSSY.get(syntax, 0.0))
    return LOSSY.get(syntax, 0.0) * (1 << kind.bits_stored)


def from_ybr_full(cells: Array) -> npt.NDArray[np.uint8]:
    """RGB of YBR_FULL (PS3.3 C.7.6.3.1.2), by the inverse matrix of ITU-R BT.601."""
    y, blue, red = np.moveaxis(cells.astype(np.float64), -1, 0)
    blue, red = blue - 128, red - 128
    green = y - 0.344136286 * blue - 0.714136286 * red
    rgb = np.stack([y + 1.402 * red, green, y + 1.772 * blue], axis=-1)
    return np.clip(np.rint(rgb), 0, 255).astype(np.uint8)
