"""From the bytes of one frame to its voxels: decode, then modality values or colours.

A `FrameTransform` says how, in a form that can be sent to a child process.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from carez_desktop.dicom.modality_values import (
    UNCHANGED,
    ModalityLut,
    Rescale,
    put_modality_values,
    value_range,
)
from carez_desktop.dicom.palette import Palette
from carez_desktop.dicom.pixel_layout import PixelLayout, StoredArray, raw_values, unpack_frame


@dataclass(frozen=True, slots=True)
class FrameTransform:
    """How the bytes of a frame become voxels.

    Attributes:
        transfer_syntax_uid: Of the file.
        lut: Modality LUT, which then stands in the place of the rescale.
        palette: Of a PALETTE COLOR frame.
    """

    layout: PixelLayout
    transfer_syntax_uid: str
    rescale: Rescale = UNCHANGED
    lut: ModalityLut | None = None
    palette: Palette | None = None

    @property
    def is_colour(self) -> bool:
        """Whether voxels are red, green and blue of 8 bits."""
        return self.layout.samples == 3 or self.palette is not None

    @property
    def is_whole(self) -> bool:
        """Whether voxels are whole numbers."""
        return not self.layout.floating and (self.lut is not None or self.rescale.is_whole)

    def fits(self, dtype: np.dtype[Any]) -> bool:
        """Whether a type holds every value that the header allows."""
        if dtype.kind == "f" or self.is_colour:
            return True
        low, high = value_range(self.layout, self.rescale, self.lut)
        limits = np.iinfo(dtype)
        return bool(limits.min <= low and high <= limits.max)

    def to_plain(self) -> dict[str, Any]:
        """Return it as plain data for a child process."""
        plain: dict[str, Any] = {
            "layout": self.layout.to_plain(),
            "syntax": self.transfer_syntax_uid,
            "rescale": [self.rescale.slope, self.rescale.intercept],
        }
        if self.lut is not None:
            plain["lut"] = [self.lut.first, _text(self.lut.entries)]
        if self.palette is not None:
            plain["palette"] = [self.palette.first, _text(self.palette.colours)]
        return plain

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """Build it from `to_plain`."""
        lut, palette = plain.get("lut"), plain.get("palette")
        return cls(
            layout=PixelLayout.from_plain(plain["layout"]),
            transfer_syntax_uid=plain["syntax"],
            rescale=Rescale(*plain["rescale"]),
            lut=ModalityLut(lut[0], _array(lut[1], "<i4")) if lut else None,
            palette=Palette(palette[0], _array(palette[1], "u1").reshape(-1, 3))
            if palette
            else None,
        )


def _text(array: npt.NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")


def _array(text: str, dtype: str) -> npt.NDArray[Any]:
    return np.frombuffer(base64.b64decode(text), dtype=dtype)


def put_native_frame(
    data: bytes | bytearray | memoryview, bit: int, transform: FrameTransform, out: StoredArray
) -> None:
    """Write the voxels of an uncompressed frame.

    Args:
        data: From the byte in which the frame begins.
        bit: In which bit of that byte.
        transform: Of the frame.
        out: (rows, columns) or (rows, columns, 3) of the volume.

    Raises:
        DoesNotFitError: A value passes the range of `out`.
    """
    put_cells(unpack_frame(data, transform.layout, bit), transform, out)


def put_cells(cells: StoredArray, transform: FrameTransform, out: StoredArray) -> None:
    """Write the voxels of uncompressed cells.

    Raises:
        DoesNotFitError: A value passes the range of `out`.
    """
    from carez_desktop.dicom.colour import to_rgb

    layout = transform.layout
    stored = raw_values(cells, layout)
    if layout.samples == 3:
        out[...] = to_rgb(stored, layout)
        return
    put_stored_values(stored, transform, out)


def put_stream(stream: bytes, transform: FrameTransform, out: StoredArray, subject: str) -> None:
    """Decode a compressed frame and write its voxels; only in a child process.

    Raises:
        UnreadableFileError: It does not decode. DoesNotFitError: It passes the range of `out`.
    """
    from carez_desktop.dicom.decoders import decode_stream

    decoded = decode_stream(stream, transform.transfer_syntax_uid, transform.layout, subject)
    if transform.layout.samples == 3:
        out[...] = decoded
        return
    put_stored_values(decoded, transform, out)


def put_stored_values(stored: StoredArray, transform: FrameTransform, out: StoredArray) -> None:
    """Write the voxels of stored values: colours of a palette, or modality values.

    Raises:
        DoesNotFitError: A value passes the range of `out`.
    """
    if transform.palette is not None:
        out[...] = transform.palette.apply(stored)
        return
    check = not transform.fits(out.dtype)
    if transform.lut is not None:
        put_modality_values(transform.lut.apply(stored), UNCHANGED, out, check=check)
        return
    put_modality_values(stored, transform.rescale, out, check=check)
