"""Siemens mosaics: the slices of one moment as tiles of one image, placed by the CSA header.

The CSA header ("SV10") is read as the dcm2niix and nibabel projects describe it. Without it the
side on which the next slice lies is not known, and the mosaic stays one image.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from carez_desktop.dicom.elements import ElementTable
from carez_desktop.dicom.private_elements import private_tag

_ROWS, _COLUMNS, _THICKNESS, _GAP = 0x00280010, 0x00280011, 0x00180050, 0x00180088
_IMAGE_TYPE, _POSITION, _ORIENTATION, _SPACING = 0x00080008, 0x00200032, 0x00200037, 0x00280030
_COUNT_CREATOR, _CSA_CREATOR = "SIEMENS MR HEADER", "SIEMENS CSA HEADER"
_BLOCK = 0x10
CSA_IMAGE_TAG = 0x00291010

MOSAIC_TAGS = frozenset(
    (
        *(_ROWS, _COLUMNS, _THICKNESS, _GAP, _IMAGE_TYPE, _POSITION, _ORIENTATION, _SPACING),
        *(0x00190010, 0x0019100A, 0x00290010, CSA_IMAGE_TAG),
    )
)

_MOST_TAGS, _MOST_ITEMS, _LONGEST_ITEM = 1024, 512, 1 << 16
_SMALLEST_TILE = 8
_PARALLEL = 0.999


@dataclass(frozen=True, slots=True)
class Mosaic:
    """The slices of a mosaic.

    Attributes:
        count: Of slices.
        rows, columns: Of one.
        across: Tiles in a row of the mosaic.
        first_lps: Centre of the first pixel of the first slice, mm.
        step_lps: From one slice to the next, mm.
    """

    count: int
    rows: int
    columns: int
    across: int
    first_lps: tuple[float, float, float]
    step_lps: tuple[float, float, float]

    def corner_of(self, index: int) -> tuple[int, int]:
        """Return (top, left) of a tile in the image."""
        down, along = divmod(index, self.across)
        return down * self.rows, along * self.columns

    def position_of(self, index: int) -> tuple[float, float, float]:
        """Return Image Position (Patient) of a slice, mm."""
        x, y, z = (a + index * step for a, step in zip(self.first_lps, self.step_lps, strict=True))
        return x, y, z


def read_mosaic(elements: ElementTable) -> Mosaic | None:
    """Return how a mosaic is put together; None for another image or where it is not said.

    Image Position of a mosaic is that of a slice as large as the mosaic around the first slice's
    centre: the first slice's own lies half the difference of the sizes inside.
    """
    if "MOSAIC" not in elements.codes(_IMAGE_TYPE):
        return None
    facts = csa_values(elements.raw(CSA_IMAGE_TAG), ("NumberOfImagesInMosaic", "SliceNormalVector"))
    count = _count(elements, facts)
    position, cosines = elements.decimals(_POSITION), elements.decimals(_ORIENTATION)
    spacing, normal = elements.decimals(_SPACING), facts.get("SliceNormalVector", ())
    step = elements.decimal(_GAP) or elements.decimal(_THICKNESS)
    if not count or len(position) != 3 or len(cosines) != 6 or len(spacing) != 2 or not step:
        return None
    across = math.ceil(math.sqrt(count))
    rows, columns = elements.unsigned(_ROWS) or 0, elements.unsigned(_COLUMNS) or 0
    tile = (rows // across, columns // across)
    direction = _direction(cosines, normal)
    if direction is None or min(tile) < _SMALLEST_TILE or rows % across or columns % across:
        return None
    along_columns, along_rows = np.array(cosines[:3]), np.array(cosines[3:])
    first = (
        np.array(position)
        + along_columns * spacing[1] * (columns - tile[1]) / 2
        + along_rows * spacing[0] * (rows - tile[0]) / 2
    )
    return Mosaic(count, *tile, across, _triple(first), _triple(direction * abs(step)))


def _count(elements: ElementTable, facts: dict[str, tuple[float, ...]]) -> int:
    tag = private_tag(elements, 0x0019, _COUNT_CREATOR, 0x0A)
    listed = facts.get("NumberOfImagesInMosaic", ())
    number = elements.unsigned(tag) if tag is not None else None
    return int(number or (listed[0] if listed else 0))


def _direction(
    cosines: tuple[float, ...], normal: tuple[float, ...]
) -> npt.NDArray[np.float64] | None:
    """Return the unit normal of the slices on the side where the next one lies."""
    if len(normal) != 3:
        return None
    across = np.cross(cosines[:3], cosines[3:])
    length = float(np.linalg.norm(across))
    if not length > 0:
        return None
    across = across / length
    agrees = float(across @ np.array(normal))
    return None if abs(agrees) < _PARALLEL else np.asarray(across * math.copysign(1.0, agrees))


def _triple(vector: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = (float(part) for part in vector)
    return x, y, z


def csa_values(raw: bytes, wanted: tuple[str, ...]) -> dict[str, tuple[float, ...]]:
    """Return the numbers of some elements of a CSA header of the second kind.

    A header that is cut, of the first kind or longer than it may be gives what was found so far.
    """
    found: dict[str, tuple[float, ...]] = {}
    if raw[:4] != b"SV10" or len(raw) < 16:
        return found
    (count,) = struct.unpack_from("<I", raw, 8)
    position = 16
    try:
        for _ in range(min(count, _MOST_TAGS)):
            name = raw[position : position + 64].split(b"\0")[0].decode("latin-1")
            items = struct.unpack_from("<I", raw, position + 76)[0]
            if items > _MOST_ITEMS:
                return found
            position, values = _items(raw, position + 84, items)
            if name in wanted:
                found[name] = values
    except (struct.error, ValueError):
        return found
    return found


def _items(raw: bytes, position: int, count: int) -> tuple[int, tuple[float, ...]]:
    """Return where the items of an element end, and their values."""
    values = []
    for _ in range(count):
        (length,) = struct.unpack_from("<I", raw, position + 4)
        if length > _LONGEST_ITEM:
            raise ValueError(length)
        text = raw[position + 16 : position + 16 + length].split(b"\0")[0].strip()
        position += 16 + -(-length // 4) * 4
        try:
            number = float(text) if text else math.nan
        except ValueError:
            continue
        if math.isfinite(number):
            values.append(number)
    return position, tuple(values)
