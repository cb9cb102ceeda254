"""How the stored values of one frame lie in its bytes: PS3.5 8.1 and PS3.3 C.7.6.3."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from carez_desktop.dicom.header_reader import DicomHeader
from carez_desktop.errors import UnreadableFileError

StoredArray = npt.NDArray[Any]

FLOAT_PIXELS, DOUBLE_PIXELS = 0x7FE00008, 0x7FE00009
MONOCHROME = frozenset(("MONOCHROME1", "MONOCHROME2"))
PALETTE = "PALETTE COLOR"
_SUBSAMPLED = frozenset(("YBR_FULL_422", "YBR_PARTIAL_422"))
_COLOURS = frozenset(("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_422", "YBR_ICT", "YBR_RCT"))
_INTEGER_BITS = frozenset((1, 8, 12, 16, 32))

_ROWS, _COLUMNS, _SAMPLES, _PLANAR = 0x00280010, 0x00280011, 0x00280002, 0x00280006
_ALLOCATED, _STORED, _HIGH_BIT, _SIGNED = 0x00280100, 0x00280101, 0x00280102, 0x00280103
_PHOTOMETRIC = 0x00280004


@dataclass(frozen=True, slots=True)
class PixelLayout:
    """How the stored values of one frame are laid out.

    Attributes:
        bits_allocated: 1 (packed), 8, 12 (packed, retired), 16 or 32 bits of each cell; 32 or 64
            for floating-point pixels.
        bits_stored: Bits of the cell that are the value.
        high_bit: Position of the value's most significant bit.
        signed: Whether values are two's complement.
        little_endian: Byte order of uncompressed cells.
        samples: 1, or 3 for colour that is stored as colour.
        planar: Whether uncompressed colours come plane by plane.
        photometric: Photometric Interpretation.
        floating: Whether cells are IEEE 754 numbers.
        swapped: Whether 8-bit cells lie in big-endian 16-bit words (PS3.5 A.3).
    """

    rows: int
    columns: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    little_endian: bool = True
    samples: int = 1
    planar: bool = False
    photometric: str = "MONOCHROME2"
    floating: bool = False
    swapped: bool = False

    @property
    def dtype(self) -> np.dtype[Any]:
        """Cell of an uncompressed frame; of the unpacked one where cells are no whole bytes."""
        order = "<" if self.little_endian else ">"
        kind = "f" if self.floating else "i" if self.signed else "u"
        return np.dtype(f"{order}{kind}{-(-self.cell_bits // 8)}")

    @property
    def cell_bits(self) -> int:
        """Bits of a cell once it is unpacked to whole bytes: 8, 16, 32 or 64."""
        return {1: 8, 12: 16}.get(self.bits_allocated, self.bits_allocated)

    @property
    def shape(self) -> tuple[int, ...]:
        """(rows, columns) or (rows, columns, 3)."""
        return (self.rows, self.columns) if self.samples == 1 else (self.rows, self.columns, 3)

    @property
    def bit_count(self) -> int:
        """Bits of an uncompressed frame; the next frame follows at once (PS3.5 8.1.1)."""
        cells = self.rows * self.columns * self.samples
        if self.samples == 3 and self.photometric in _SUBSAMPLED:
            cells = self.rows * self.columns * 2
        return cells * self.bits_allocated

    @property
    def byte_count(self) -> int:
        """Bytes that an uncompressed frame needs."""
        return -(-self.bit_count // 8)

    @property
    def is_plain(self) -> bool:
        """Whether uncompressed bytes are cells as they stand: grey, whole bytes, not swapped."""
        return self.samples == 1 and self.bits_allocated in (8, 16, 32, 64) and not self.swapped

    @property
    def stored_range(self) -> tuple[int, int]:
        """Smallest and largest value that the stored bits can hold."""
        if self.signed:
            return -(1 << (self.bits_stored - 1)), (1 << (self.bits_stored - 1)) - 1
        return 0, (1 << self.bits_stored) - 1

    def to_plain(self) -> dict[str, Any]:
        """Return it as plain data for a child process."""
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """Build it from `to_plain`."""
        return cls(**plain)


def layout_of(header: DicomHeader) -> PixelLayout:
    """Return the layout of the frames of a file.

    Raises:
        UnreadableFileError: Its bits, samples or colours are none that DICOM defines, or none
            that is read.
    """
    elements = header.elements
    pixels = header.pixels
    subject = str(header.path)
    samples = elements.unsigned(_SAMPLES) or 1
    photometric = elements.code(_PHOTOMETRIC) or ("MONOCHROME2" if samples == 1 else "RGB")
    floating = pixels is not None and pixels.tag in (FLOAT_PIXELS, DOUBLE_PIXELS)
    if floating and pixels is not None:
        allocated = stored = 32 if pixels.tag == FLOAT_PIXELS else 64
        high_bit: int | None = stored - 1
    else:
        allocated = elements.unsigned(_ALLOCATED) or 0
        stored = elements.unsigned(_STORED) or allocated
        high_bit = elements.unsigned(_HIGH_BIT)
        _check_colour(samples, photometric, subject)
    layout = PixelLayout(
        rows=elements.unsigned(_ROWS) or 0,
        columns=elements.unsigned(_COLUMNS) or 0,
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=stored - 1 if high_bit is None else high_bit,
        signed=not floating and elements.unsigned(_SIGNED) == 1,
        little_endian=elements.little_endian,
        samples=samples,
        planar=elements.unsigned(_PLANAR) == 1,
        photometric=photometric,
        floating=floating,
        swapped=not elements.little_endian and allocated == 8 and _vr(pixels) == "OW",
    )
    _check_bits(layout, subject)
    return layout


def _vr(pixels: object) -> str:
    vr = getattr(pixels, "vr", "")
    return vr.decode("latin-1") if isinstance(vr, bytes) else str(vr)


def _check_colour(samples: int, photometric: str, subject: str) -> None:
    if samples == 1 and (photometric in MONOCHROME or photometric == PALETTE):
        return
    if samples == 3 and photometric in _COLOURS:
        return
    if samples == 1 and photometric not in _COLOURS:
        what = f"Photometric Interpretation {photometric} is not read"
    else:
        what = f"{samples} samples per pixel with Photometric Interpretation {photometric}"
        what += " are not read"
    raise UnreadableFileError(
        what, subject=subject, hint="Export it again as MONOCHROME2, RGB or YBR_FULL"
    )


def _check_bits(layout: PixelLayout, subject: str) -> None:
    if layout.floating:
        return
    allocated, stored, high_bit = layout.bits_allocated, layout.bits_stored, layout.high_bit
    if allocated in _INTEGER_BITS and 1 <= stored <= high_bit + 1 <= allocated:
        if layout.samples == 1 or allocated in (8, 16):
            return
        what = f"Colour pixels of {allocated} bits are not read"
    elif allocated not in _INTEGER_BITS:
        what = f"Pixels of {allocated} bits are not read" if allocated else "No Bits Allocated"
    else:
        what = (
            f"Bits Allocated {allocated}, Bits Stored {stored} and High Bit {high_bit} do not fit"
            " together"
        )
    raise UnreadableFileError(what, subject=subject, hint="Export it again from its source")


def unpack_frame(data: bytes | bytearray | memoryview, layout: PixelLayout, bit: int = 0) -> Any:
    """Return the cells of an uncompressed frame that are not plain.

    Args:
        data: From the byte in which the frame begins.
        layout: Of the frame.
        bit: In which bit of the first byte it begins (1-bit and 12-bit cells only).

    Returns:
        (rows, columns) cells, or (rows, columns, 3) colours as stored, subsampled ones spread.
    """
    raw = np.frombuffer(data, dtype=np.uint8)
    count = layout.rows * layout.columns
    if layout.bits_allocated == 1:
        bits = np.unpackbits(raw, bitorder="little")[bit : bit + count]
        return bits.reshape(layout.rows, layout.columns)
    if layout.bits_allocated == 12:
        return _unpack_twelve(raw, bit, count).view(layout.dtype).reshape(layout.shape)
    if layout.swapped:
        raw = raw[: len(raw) // 2 * 2].reshape(-1, 2)[:, ::-1].reshape(-1)
    cells = raw[: len(raw) // layout.dtype.itemsize * layout.dtype.itemsize].view(layout.dtype)
    if layout.samples == 1:
        return cells[:count].reshape(layout.shape)
    if layout.photometric in _SUBSAMPLED:
        return _spread(cells[: count * 2], layout)
    if layout.planar:
        return np.moveaxis(cells[: count * 3].reshape(3, layout.rows, layout.columns), 0, -1)
    return cells[: count * 3].reshape(layout.shape)


def _unpack_twelve(raw: npt.NDArray[np.uint8], bit: int, count: int) -> npt.NDArray[np.uint16]:
    """Unpack cells of 12 bits, the first in the low bits (PS3.5 8.1.1, retired)."""
    start = bit // 4
    nibbles = np.empty(len(raw) * 2, dtype=np.uint16)
    nibbles[0::2] = raw & 15
    nibbles[1::2] = raw >> 4
    three = nibbles[start : start + 3 * count].reshape(-1, 3)
    return np.asarray(three[:, 0] | three[:, 1] << 4 | three[:, 2] << 8, dtype="<u2")


def _spread(cells: StoredArray, layout: PixelLayout) -> StoredArray:
    """Give both pixels of each pair its chrominance (PS3.3 C.7.6.3.1.2, YBR_FULL_422)."""
    pairs = cells.reshape(-1, 4)
    out = np.empty((len(pairs), 2, 3), dtype=cells.dtype)
    out[:, 0, 0], out[:, 1, 0] = pairs[:, 0], pairs[:, 1]
    out[:, :, 1], out[:, :, 2] = pairs[:, 2:3], pairs[:, 3:4]
    return out.reshape(layout.shape)


def raw_values(cells: StoredArray, layout: PixelLayout, *, shift: bool = True) -> StoredArray:
    """Return the values of cells, without what lies in the bits around them.

    Old overlays and vendor flags lie in the bits above Bits Stored; most files have none, and then
    the cells come back as they are.

    Args:
        cells: (rows, columns) of `layout.dtype`'s width and signedness.
        layout: Says which bits count.
        shift: Whether the value's lowest bit may not be bit 0 (uncompressed and RLE only).
    """
    if layout.floating or layout.bits_allocated == 1:
        return cells
    spare = layout.high_bit + 1 - layout.bits_stored
    if shift and spare > 0:
        cells = cells >> spare
    if layout.bits_stored == layout.cell_bits:
        return cells
    low, high = layout.stored_range
    # Unsigned cells cannot lie below: their minimum is not worth a pass over them.
    above = cells.size and (not layout.signed or low <= int(cells.min()))
    if above and int(cells.max()) <= high:
        return cells
    unused = layout.cell_bits - layout.bits_stored
    if layout.signed:
        return np.asarray(np.right_shift(np.left_shift(cells, unused), unused))
    return np.asarray(cells & np.array((1 << layout.bits_stored) - 1, dtype=cells.dtype))
