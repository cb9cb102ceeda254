"""Read uncompressed frames, straight into the volume where their cells are its values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from carez_desktop.dicom.frame_values import FrameTransform, put_cells, put_native_frame
from carez_desktop.dicom.modality_values import UNCHANGED
from carez_desktop.dicom.overlays import EmbeddedOverlay, plane_in_cells
from carez_desktop.dicom.pixel_layout import PixelLayout, unpack_frame
from carez_desktop.dicom.slice_source import RecordFiles, SliceSource, truncated
from carez_desktop.domain.intensity import OverlayPlane
from carez_desktop.errors import UnreadableFileError


class NativeReader:
    """Reads uncompressed slices of a record; keeps a mosaic while its tiles are cut out."""

    def __init__(self, files: RecordFiles) -> None:
        """Read from the files of a record."""
        self._files = files
        self._mosaic: tuple[str, npt.NDArray[Any]] | None = None

    def read(
        self,
        source: SliceSource,
        out: npt.NDArray[Any],
        embedded: Sequence[EmbeddedOverlay],
        place: int,
    ) -> tuple[OverlayPlane, ...]:
        """Read one slice.

        Args:
            source: Where it lies.
            out: (rows, columns) or (rows, columns, 3) of the volume.
            embedded: Overlays in unused bits of its cells.
            place: Of the slice in the volume.

        Returns:
            Those overlays, as far as something is drawn.

        Raises:
            UnreadableFileError: The file is shorter than it was, or cannot be read.
            DoesNotFitError: A value passes the range of `out`.
        """
        if source.native is None:
            raise ValueError("not a native frame")
        transform, layout = source.transform, source.transform.layout
        stream = self._files.stream_of(source)
        if source.tile is not None:
            put_cells(self._tile(stream, source, out.shape), transform, out)
            return ()
        if not layout.is_plain:
            data = bytearray(source.native[2])
            _fill(stream, source, data)
            put_native_frame(data, source.native[1], transform, out)
            return ()
        direct = not embedded and _is_direct(transform, out.dtype)
        cells = out.view(layout.dtype) if direct else np.empty(layout.shape, layout.dtype)
        _fill(stream, source, cells.reshape(-1).view(np.uint8).data)
        planes = [plane_in_cells(overlay, cells, place) for overlay in embedded]
        if not direct or _needs_work(transform):
            put_cells(cells, transform, out)
        return tuple(plane for plane in planes if plane is not None)

    def _tile(
        self, stream: BinaryIO, source: SliceSource, shape: tuple[int, ...]
    ) -> npt.NDArray[Any]:
        """Return the cells of one slice of a mosaic, which is read once for all of them."""
        layout: PixelLayout = source.transform.layout
        if self._mosaic is None or self._mosaic[0] != source.path:
            _, bit, length = source.native or (0, 0, 0)
            data = bytearray(length)
            _fill(stream, source, data)
            self._mosaic = (source.path, unpack_frame(data, layout, bit))
        top, left = source.tile or (0, 0)
        return self._mosaic[1][top : top + shape[0], left : left + shape[1]]


def _is_direct(transform: FrameTransform, dtype: np.dtype[Any]) -> bool:
    """Whether stored cells can be read into the volume itself, to be worked on there."""
    layout = transform.layout
    if transform.lut is not None or transform.palette is not None or layout.floating:
        return False
    return dtype.kind == "i" and layout.cell_bits == dtype.itemsize * 8


def _needs_work(transform: FrameTransform) -> bool:
    """Whether cells that were read into the volume are not yet its modality values."""
    layout = transform.layout
    if layout.little_endian != np.little_endian or transform.rescale != UNCHANGED:
        return True
    return not (layout.signed and layout.bits_stored == layout.cell_bits)


def _fill(stream: BinaryIO, source: SliceSource, data: Any) -> None:
    """Fill a buffer with the bytes of a native frame.

    Raises:
        UnreadableFileError: They are not there, or cannot be read.
    """
    offset, _, length = source.native or (0, 0, 0)
    try:
        stream.seek(offset)
        count = _read_into(stream.readinto, data)  # type: ignore[attr-defined]
    except OSError as error:
        raise UnreadableFileError(
            f"The file cannot be read: {error.strerror or error}",
            subject=source.path,
            hint="Import its folder again",
        ) from error
    if count < length:
        raise truncated(source.path, length - count, length)


def _read_into(read: Callable[[Any], int | None], data: Any) -> int:
    """Fill a buffer from an unbuffered stream, which may give less than it was asked."""
    view = memoryview(data)
    done = 0
    while done < len(view):
        count = read(view[done:])
        if not count:
            break
        done += count
    return done
