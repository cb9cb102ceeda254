"""Read the files of one volume record to a `Volume`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from carez_desktop.dicom.decoders import decode_stream
from carez_desktop.dicom.frame_location import locate_encapsulated, read_fragments
from carez_desktop.dicom.header_reader import DicomHeader, read_header
from carez_desktop.dicom.instance_header import PLACE_TAGS, WANTED_TAGS, to_instance_header
from carez_desktop.dicom.modality_values import (
    DoesNotFitError,
    Rescale,
    ValueType,
    choose_type,
    is_valid,
    put_modality_values,
    wider,
)
from carez_desktop.dicom.pixel_layout import PixelLayout, raw_values
from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.slice_order import EXACT_MM, REGULAR_MM, check_corners
from carez_desktop.domain.stacking import stack_geometry_of
from carez_desktop.domain.study import AttributeValue, InstanceHeader, VolumeRecord
from carez_desktop.domain.transfer_syntaxes import syntax_codec, syntax_name
from carez_desktop.domain.volume import Volume
from carez_desktop.errors import CarezError, DeviceError, GeometryError, UnreadableFileError
from carez_desktop.progress import (
    IGNORE,
    NEVER,
    SILENT,
    CancellationToken,
    PartProgress,
    ProgressReporter,
)
from carez_desktop.system.memory import available_memory_mib

SlicePart = tuple[int, npt.NDArray[Any]]

_AGAIN = "Import its folder again"
_LARGEST_THREADS = 8
_HEADER_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class _Slice:
    """One file of the volume, ready to be read."""

    header: DicomHeader
    layout: PixelLayout
    rescale: Rescale


def read_volume(
    record: VolumeRecord,
    *,
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
    partial: Callable[[SlicePart], object] = IGNORE,
) -> Volume:
    """Read the slices of a record into one array of modality values.

    All headers are read first: they give geometry, type and memory, and the four corners of each
    slice are compared with the affine (1e-3 mm; 0.02 mm where import found it nearly regular).

    Args:
        record: From `stack_instances`; its paths are in slice order.
        progress: Told at each slice.
        cancel: Asked at each slice.
        partial: Given (index, (rows, columns) modality values), the middle slice first. A slice
            may come twice if the volume turns out to need a wider type.

    Returns:
        (slice, row, column) with the affine in LPS mm.

    Raises:
        GeometryError: The record is refused as a volume, or the files no longer lie as it says.
        UnreadableFileError: A file vanished, changed, is truncated or does not decode.
        DeviceError: The volume does not fit into memory.
        CancelledError: Between two slices.
    """
    if record.refusal:
        raise GeometryError(
            f"This series is no volume: {record.refusal}",
            subject=record.volume_id,
            hint="Choose another series of the study",
        )
    slices, headers = _read_headers(record, PartProgress(progress, 0.0, _HEADER_SHARE), cancel)
    geometry = _checked_geometry(record, headers)
    value_type: ValueType | None = choose_type(
        [item.layout for item in slices], [item.rescale for item in slices]
    )
    whole = PartProgress(progress, _HEADER_SHARE, 1.0)
    while value_type is not None:
        array = _allocate(geometry, value_type, record.volume_id)
        try:
            _fill(array, slices, value_type, whole, cancel, partial)
        except DoesNotFitError:
            value_type = wider(value_type)
            continue
        return _volume(record, headers[0], slices[0].rescale, geometry, array)
    raise UnreadableFileError(
        "Its values pass 32 bits", subject=record.volume_id, hint="Check Rescale Slope"
    )


def _read_headers(
    record: VolumeRecord, progress: ProgressReporter, cancel: CancellationToken
) -> tuple[list[_Slice], list[InstanceHeader]]:
    """Read the header of each file; the first with all attributes, the others with their place."""
    slices: list[_Slice] = []
    headers: list[InstanceHeader] = []
    for index, name in enumerate(record.paths):
        cancel.raise_if_cancelled()
        header = read_header(Path(name), PLACE_TAGS if index else WANTED_TAGS)
        instance = to_instance_header(header, with_attributes=index == 0)
        _check_unchanged(record, instance)
        item = _Slice(header, _layout(header, instance), _rescale(header))
        _check_complete(item)
        slices.append(item)
        headers.append(instance)
        progress.report((index + 1) / len(record.paths), "Reading headers")
    return slices, headers


def _check_unchanged(record: VolumeRecord, instance: InstanceHeader) -> None:
    """Refuse a file that is not the one that was imported."""
    _, rows, columns = record.shape
    uid = instance.series_instance_uid
    if uid and uid != record.series_instance_uid:
        what = f"The file changed since its import: it now belongs to series {uid}"
    elif (instance.rows, instance.columns) != (rows, columns):
        what = (
            f"The file changed since its import: it is now {instance.rows} x {instance.columns},"
            f" not {rows} x {columns}"
        )
    elif not instance.has_pixels:
        what = "The file has no pixel data"
    else:
        return
    raise UnreadableFileError(what, subject=instance.path, hint=_AGAIN)


def _check_complete(item: _Slice) -> None:
    """Refuse uncompressed pixels that are fewer than the header says, before memory is taken."""
    header, wanted = item.header, item.layout.byte_count
    if header.pixels is None or syntax_codec(header.transfer_syntax_uid) != "raw":
        return
    there = header.file_size - header.pixels.offset
    if header.pixels.length is not None:
        there = min(there, header.pixels.length)
    if there < wanted:
        raise _truncated(item, wanted - there, wanted)


def _layout(header: DicomHeader, instance: InstanceHeader) -> PixelLayout:
    elements = header.elements
    allocated = elements.unsigned(0x00280100) or 0
    stored = elements.unsigned(0x00280101) or allocated
    high_bit = elements.unsigned(0x00280102)
    high_bit = stored - 1 if high_bit is None else high_bit
    layout = PixelLayout(
        rows=instance.rows,
        columns=instance.columns,
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=high_bit,
        signed=elements.unsigned(0x00280103) == 1,
        little_endian=elements.little_endian,
    )
    if allocated not in (8, 16, 32) or not stored - 1 <= high_bit < allocated:
        raise UnreadableFileError(
            f"Bits Allocated {allocated}, Bits Stored {stored} and High Bit {high_bit} do not fit"
            " together",
            subject=str(header.path),
            hint="Export it again from its source",
        )
    return layout


def _rescale(header: DicomHeader) -> Rescale:
    slope = header.elements.decimal(0x00281053)
    intercept = header.elements.decimal(0x00281052)
    rescale = Rescale(1.0 if slope is None else slope, 0.0 if intercept is None else intercept)
    if not is_valid(rescale):
        raise UnreadableFileError(
            "Rescale Slope is zero", subject=str(header.path), hint="Export it again"
        )
    return rescale


def _checked_geometry(record: VolumeRecord, headers: Sequence[InstanceHeader]) -> VolumeGeometry:
    """Return the geometry after the four-corner check.

    Raises:
        GeometryError: A corner lies elsewhere than the affine says.
    """
    try:
        geometry, fit = stack_geometry_of(headers)
    except ValueError as error:
        raise GeometryError(
            f"Image Orientation (Patient) is invalid: {error}",
            subject=record.volume_id,
            hint=_AGAIN,
        ) from error
    if fit is None and headers[0].image_position_patient is None:
        return geometry
    nearly = any(finding.code == "nearly_regular" for finding in record.findings)
    tolerance = REGULAR_MM if nearly else EXACT_MM
    worst = check_corners(headers, geometry) if headers[0].pixel_spacing else 0.0
    refusal = fit.refusal if fit else ""
    if refusal or worst > tolerance:
        what = refusal or f"The corners of a slice lie {worst:.4f} mm off the volume"
        raise GeometryError(
            f"The files do not lie as they did at import: {what}",
            subject=record.volume_id,
            hint=_AGAIN,
        )
    return geometry


def _allocate(geometry: VolumeGeometry, value_type: ValueType, volume_id: str) -> npt.NDArray[Any]:
    """Allocate the volume once, after looking whether it fits."""
    slices, rows, columns = geometry.shape
    needed = slices * rows * columns * value_type.dtype.itemsize
    available = available_memory_mib()
    if available is not None and needed > available << 20:
        raise DeviceError(
            f"The volume needs {needed >> 20} MiB of memory, {available} MiB are free",
            subject=volume_id,
            hint="Close other programs or choose a smaller series",
        )
    return np.empty(geometry.shape, dtype=value_type.dtype)


def _fill(
    array: npt.NDArray[Any],
    slices: Sequence[_Slice],
    value_type: ValueType,
    progress: ProgressReporter,
    cancel: CancellationToken,
    partial: Callable[[SlicePart], object],
) -> None:
    """Read every slice into the array: uncompressed in this thread, compressed in several."""
    order = _middle_first(len(slices))
    compressed = any(syntax_codec(s.header.transfer_syntax_uid) != "raw" for s in slices)
    threads = min(_LARGEST_THREADS, os.cpu_count() or 1, len(slices)) if compressed else 1

    def read(index: int) -> int:
        cancel.raise_if_cancelled()
        _read_slice(slices[index], value_type, array[index])
        return index

    finished = map(read, order) if threads < 2 else _in_threads(read, order, threads)
    for done, index in enumerate(finished):
        view = array[index].view()
        view.flags.writeable = False
        partial((index, view))
        progress.report((done + 1) / len(slices), f"Slice {done + 1} of {len(slices)}")


def _middle_first(count: int) -> list[int]:
    """Order of reading: the middle slice, which a viewer shows first, then all others."""
    middle = count // 2
    return [middle, *(index for index in range(count) if index != middle)]


def _in_threads(read: Callable[[int], int], order: Sequence[int], threads: int) -> Iterator[int]:
    """Yield indices as their slices are ready; the first error ends it and drops what waits."""
    pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
    try:
        waiting: set[Future[int]] = {pool.submit(read, index) for index in order[:1]}
        waiting |= {pool.submit(read, index) for index in order[1:]}
        while waiting:
            ready, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in ready:
                yield future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _read_slice(item: _Slice, value_type: ValueType, out: npt.NDArray[Any]) -> None:
    """Read one file's pixels into its slice of the volume."""
    codec = syntax_codec(item.header.transfer_syntax_uid)
    path, pixels, layout = item.header.path, item.header.pixels, item.layout
    if pixels is None or not codec:
        raise UnreadableFileError(
            f"The encoding is not read: {syntax_name(item.header.transfer_syntax_uid)}",
            subject=str(path),
            hint="Export the series uncompressed or in JPEG 2000",
        )
    try:
        with path.open("rb", buffering=0) as stream:
            stream.seek(pixels.offset)
            if codec == "raw":
                _read_raw(stream.readinto, item, value_type, out)
                return
            (fragments,) = locate_encapsulated(stream, item.header, 1).frames
            value = read_fragments(stream, fragments, str(path))
    except OSError as error:
        raise UnreadableFileError(
            f"The file cannot be read: {error.strerror or error}", subject=str(path), hint=_AGAIN
        ) from error
    uid = item.header.transfer_syntax_uid
    stored = decode_stream(value, uid, layout, str(path))
    put_modality_values(stored, item.rescale, value_type, out)


def _read_raw(
    read_into: Callable[[Any], int | None],
    item: _Slice,
    value_type: ValueType,
    out: npt.NDArray[Any],
) -> None:
    """Read uncompressed cells, straight into the volume where they are its values already."""
    layout = item.layout
    wanted = layout.byte_count
    same_width = layout.bits_allocated == value_type.dtype.itemsize * 8
    direct = same_width and value_type.dtype.kind == "i"
    buffer = out.view(layout.dtype) if direct else np.empty(out.shape, layout.dtype)
    count = read_into(buffer.reshape(-1).view(np.uint8).data) or 0
    if count < wanted:
        raise _truncated(item, wanted - count, wanted)
    stored = raw_values(buffer, layout)
    if direct and stored is buffer and _is_ready(item, value_type):
        return
    put_modality_values(stored, item.rescale, value_type, out)


def _is_ready(item: _Slice, value_type: ValueType) -> bool:
    """Whether cells read into the volume are modality values without further work."""
    layout, rescale = item.layout, item.rescale
    native = layout.little_endian == np.little_endian
    return native and rescale == Rescale() and (layout.signed or not value_type.check_each)


def _truncated(item: _Slice, missing: int, wanted: int) -> CarezError:
    return UnreadableFileError(
        f"The file is truncated: {missing} of {wanted} bytes of pixel data are missing",
        subject=str(item.header.path),
        hint="Export it again from its source",
    )


def _volume(
    record: VolumeRecord,
    first: InstanceHeader,
    rescale: Rescale,
    geometry: VolumeGeometry,
    array: npt.NDArray[Any],
) -> Volume:
    """Put the pieces together; display facts come from the first slice."""
    facts = first.attributes
    padding = _number(facts.get("pixel_padding_value"))
    if padding is not None:
        padding = padding * rescale.slope + rescale.intercept
    volume = Volume(
        volume_id=record.volume_id,
        array=array,
        geometry=geometry,
        modality=record.modality,
        units=_units(first),
        kind=record.kind,
        frame_of_reference_uid=record.frame_of_reference_uid,
        padding_value=padding,
        window_center=_number(facts.get("window_center")),
        window_width=_number(facts.get("window_width")),
        findings=record.findings,
        attributes={name: _text(value) for name, value in record.attributes.items()},
    )
    return replace(volume, attributes={**volume.attributes, "description": record.description})


def _number(value: AttributeValue) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _text(value: AttributeValue) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value or "")


def _units(first: InstanceHeader) -> str:
    """Units of the modality values: HU for CT that is rescaled to them, SUV or Bq/ml for PET."""
    facts = first.attributes
    rescale_type = str(facts.get("rescale_type", "")).upper()
    if first.modality == "CT":
        is_hounsfield = rescale_type in ("", "HU") and "rescale_intercept" in facts
        return "HU" if is_hounsfield and "LOCALIZER" not in first.image_type else "arbitrary"
    if first.modality == "PT":
        return {"BQML": "Bq/ml", "GML": "SUVbw"}.get(str(facts.get("units", "")), "arbitrary")
    return "arbitrary"
