"""The slices of a record as they lie in files: headers read once, pixels found, nothing decoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from carez_desktop.dicom.frame_location import (
    EXTENDED_LENGTHS,
    EXTENDED_OFFSETS,
    Fragment,
    FrameTable,
    locate_encapsulated,
    locate_native,
)
from carez_desktop.dicom.frame_values import FrameTransform
from carez_desktop.dicom.header_reader import DicomHeader, open_regular, read_open_header
from carez_desktop.dicom.instance_header import (
    OWN_TAGS,
    PLACE_TAGS,
    WANTED_TAGS,
    following_slice,
    frame_headers,
)
from carez_desktop.dicom.modality_values import Rescale, read_modality_lut
from carez_desktop.dicom.overlays import OVERLAY_TAGS
from carez_desktop.dicom.palette import PALETTE_TAGS, read_palette
from carez_desktop.dicom.pixel_layout import PALETTE, layout_of
from carez_desktop.dicom.siemens_mosaic import Mosaic, read_mosaic
from carez_desktop.domain.study import InstanceHeader, VolumeRecord
from carez_desktop.domain.transfer_syntaxes import syntax_codec, syntax_name
from carez_desktop.errors import UnreadableFileError

AGAIN = "Import its folder again"
_EXPORT = "Export it again from its source"
_MODALITY_LUT, _VOI_LUT, _VOI_FUNCTION, _VOI_NAMES = 0x00283000, 0x00283010, 0x00281056, 0x00281055
_SLOPE, _INTERCEPT = 0x00281053, 0x00281052
_REAL_WORLD, _PADDING_LIMIT, _SHARED, _PER_FRAME = 0x00409096, 0x00280121, 0x52009229, 0x52009230

SLICE_TAGS = frozenset(
    (
        *PLACE_TAGS,
        *OVERLAY_TAGS,
        *PALETTE_TAGS,
        *(_MODALITY_LUT, EXTENDED_OFFSETS, EXTENDED_LENGTHS, 0x00280002, 0x00280004, 0x00280006),
    )
)
"""What each slice needs."""

REFERENCE_TAGS = frozenset(
    (
        *SLICE_TAGS,
        *WANTED_TAGS,
        *(_VOI_LUT, _VOI_FUNCTION, _VOI_NAMES, _REAL_WORLD, _PADDING_LIMIT, _SHARED, _PER_FRAME),
    )
)
"""What the slice that speaks for its volume needs."""


@dataclass(frozen=True, slots=True)
class SliceSource:
    """One slice, ready to be read.

    Attributes:
        frame: Of its file, from 0.
        native: (offset, first bit, bytes) of an uncompressed frame, in the file or, for a deflated
            one, in the inflated data set; None for a compressed frame.
        fragments: (offset, length) of what a child has to read; empty for a native frame.
        note: What was odd about where it lies.
        tile: (top, left) of the slice in a frame that is a mosaic of slices.
    """

    path: str
    frame: int
    instance: InstanceHeader
    transform: FrameTransform
    native: tuple[int, int, int] | None
    fragments: tuple[Fragment, ...] = ()
    note: str = ""
    tile: tuple[int, int] | None = None

    @property
    def needs_child(self) -> bool:
        """Whether it is compressed or deflated."""
        return bool(self.fragments)


@dataclass(slots=True)
class _OpenFile:
    """The file that is being read, and what its frames share."""

    path: str
    header: DicomHeader
    instances: tuple[InstanceHeader, ...]
    transform: FrameTransform
    frames: int
    mosaic: Mosaic | None = None
    table: FrameTable | None = None


class RecordFiles:
    """Opens the files of a record one after the other, each once while its frames follow."""

    def __init__(self, record: VolumeRecord, *, all_attributes: bool = False) -> None:
        """Open nothing yet; with `all_attributes` every slice's header has its attributes."""
        self._record = record
        self._all_attributes = all_attributes
        self._open: _OpenFile | None = None
        self._stream: tuple[str, BinaryIO] | None = None
        self._pattern: tuple[object, _OpenFile] | None = None

    @property
    def header(self) -> DicomHeader:
        """Header of the source that was asked last."""
        if self._open is None:
            raise ValueError("no file is open")
        return self._open.header

    def source(self, index: int, *, reference: bool = False) -> SliceSource:
        """Return a slice of the record; its file stays open until another is asked.

        Raises:
            UnreadableFileError: The file vanished, changed, is truncated or damaged, or is
                encoded in a way that is not read.
        """
        path, frame = self._record.frame_of(index)
        now = self._open
        if now is None or now.path != path:
            now = self._open = self._read(path, reference=reference)
        if frame >= now.frames:
            raise UnreadableFileError(
                f"The file changed since its import: it has no frame {frame + 1}",
                subject=path,
                hint=AGAIN,
            )
        instance = now.instances[frame] if len(now.instances) > 1 else now.instances[0]
        self._check_unchanged(instance)
        rescale = rescale_of(instance, now.header) if now.transform.lut is None else Rescale()
        transform = now.transform
        if rescale != transform.rescale:
            transform = replace(transform, rescale=rescale)
        source = _place(now, self._stream_at(path), frame, instance, transform)
        return replace(source, tile=now.mosaic.corner_of(frame)) if now.mosaic else source

    def stream_of(self, source: SliceSource) -> BinaryIO:
        """Return the open file of a source; opens it again where another was read since."""
        return self._stream_at(source.path)

    def close(self) -> None:
        """Close the file that is open."""
        self._open = None
        if self._stream is not None:
            self._stream[1].close()
            self._stream = None

    def _stream_at(self, path: str) -> BinaryIO:
        if self._stream is None or self._stream[0] != path:
            self.close()
            self._stream = (path, _open_file(path))
        return self._stream[1]

    def _read(self, path: str, *, reference: bool) -> _OpenFile:
        full = reference or self._all_attributes
        stream = self._stream_at(path)
        try:
            header = read_open_header(stream, Path(path), REFERENCE_TAGS if full else SLICE_TAGS)
            steady = None if full else _steady_facts(header)
            if self._pattern is not None and steady == self._pattern[0]:
                return _alike(self._pattern[1], path, header)
            instances = frame_headers(header, with_attributes=full)
            if header.pixels is None or not instances or not instances[0].has_pixels:
                raise UnreadableFileError("The file has no pixel data", subject=path, hint=AGAIN)
            layout = layout_of(header)
            transform = FrameTransform(
                layout,
                header.transfer_syntax_uid,
                lut=read_modality_lut(header.elements, path),
                palette=read_palette(header.elements, path)
                if layout.photometric == PALETTE
                else None,
            )
            frames = max(len(instances), instances[0].number_of_frames)
        except OSError as error:
            raise _unreadable(path, error) from error
        mosaic = read_mosaic(header.elements) if len(instances) > 1 else None
        opened = _OpenFile(path, header, instances, transform, frames, mosaic)
        if steady is not None and frames == len(instances) == 1:
            self._pattern = (steady, opened)
        return opened

    def _check_unchanged(self, instance: InstanceHeader) -> None:
        """Refuse a file that is not the one that was imported."""
        _, rows, columns = self._record.shape
        uid = instance.series_instance_uid
        if uid and uid != self._record.series_instance_uid:
            what = f"The file changed since its import: it now belongs to series {uid}"
        elif (instance.rows, instance.columns) != (rows, columns):
            what = (
                f"The file changed since its import: it is now {instance.rows} x"
                f" {instance.columns}, not {rows} x {columns}"
            )
        else:
            return
        raise UnreadableFileError(what, subject=instance.path, hint=AGAIN)


def _steady_facts(header: DicomHeader) -> object:
    """Return what slices of one series have in common: equal facts need be read but once."""
    elements, pixels = header.elements, header.pixels
    values = {tag: value for tag, value in elements.values.items() if tag not in OWN_TAGS}
    place = None if pixels is None else (pixels.tag, pixels.length is None, pixels.vr)
    syntax = (header.transfer_syntax_uid, elements.little_endian, header.deflated_from is None)
    return values, place, syntax, header.flags


def _alike(pattern: _OpenFile, path: str, header: DicomHeader) -> _OpenFile:
    instances = (following_slice(pattern.instances[0], header),)
    return _OpenFile(path, header, instances, pattern.transform, 1)


def _open_file(path: str) -> BinaryIO:
    try:
        return open(path, "rb", buffering=0, opener=open_regular)
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str, error: OSError) -> UnreadableFileError:
    return UnreadableFileError(
        f"The file cannot be read: {error.strerror or error}", subject=path, hint=AGAIN
    )


def _place(
    now: _OpenFile,
    stream: BinaryIO,
    frame: int,
    instance: InstanceHeader,
    transform: FrameTransform,
) -> SliceSource:
    """Find where a frame lies, and check that all of it is there."""
    header = now.header
    stored = 0 if now.mosaic else frame
    codec = syntax_codec(header.transfer_syntax_uid)
    if header.pixels is None or not codec:
        raise UnreadableFileError(
            f"The encoding is not read: {syntax_name(header.transfer_syntax_uid)}",
            subject=now.path,
            hint="Export the series uncompressed or in JPEG 2000",
        )
    if codec in ("raw", "deflated") or header.pixels.length is not None:
        native = locate_native(transform.layout, header.pixels.offset, stored)
        _check_complete(header, native)
        fragments: tuple[Fragment, ...] = ()
        if header.deflated_from is not None:
            fragments = ((header.deflated_from, header.file_size - header.deflated_from),)
        return SliceSource(now.path, frame, instance, transform, native, fragments)
    if now.table is None:
        now.table = locate_encapsulated(stream, header, 1 if now.mosaic else now.frames)
    fragments = now.table.frames[stored]
    return SliceSource(now.path, frame, instance, transform, None, fragments, now.table.note)


def _check_complete(header: DicomHeader, native: tuple[int, int, int]) -> None:
    """Refuse pixels that are fewer than the header says, before memory is taken."""
    offset, _, wanted = native
    if header.pixels is None:
        return
    end = header.data_size
    if header.pixels.length is not None:
        end = min(end, header.pixels.offset + header.pixels.length)
    there = max(end - offset, 0)
    if there < wanted:
        raise truncated(str(header.path), wanted - there, wanted)


def truncated(path: str, missing: int, wanted: int) -> UnreadableFileError:
    """Say how much of a frame is missing."""
    return UnreadableFileError(
        f"The file is truncated: {missing} of {wanted} bytes of pixel data are missing",
        subject=path,
        hint=_EXPORT,
    )


def rescale_of(instance: InstanceHeader, header: DicomHeader) -> Rescale:
    """Return the rescale of a slice or frame: its own, else that of its file.

    Raises:
        UnreadableFileError: Its slope is zero.
    """
    slope = instance.attributes.get("rescale_slope", header.elements.decimal(_SLOPE))
    intercept = instance.attributes.get("rescale_intercept", header.elements.decimal(_INTERCEPT))
    rescale = Rescale(
        float(slope) if isinstance(slope, int | float) else 1.0,
        float(intercept) if isinstance(intercept, int | float) else 0.0,
    )
    if not rescale.is_valid:
        raise UnreadableFileError("Rescale Slope is zero", subject=instance.path, hint=_EXPORT)
    return rescale


def distinct_notes(sources: Sequence[SliceSource]) -> tuple[tuple[str, str], ...]:
    """Return (file, note) once for each file whose frames were found in an odd way."""
    return tuple({source.path: source.note for source in sources if source.note}.items())
