"""Read a record of the library: as a volume, as slices that are no grid, or one slice of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from carez_desktop.dicom.real_world_objects import read_linked_maps
from carez_desktop.dicom.slice_reading import LoadedSlices, SlicePart, read_slice_arrays
from carez_desktop.dicom.slice_source import AGAIN
from carez_desktop.dicom.uptake import SuvReading
from carez_desktop.dicom.volume_facts import describe, describe_slices
from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.slice_order import (
    EXACT_MM,
    REGULAR_MM,
    check_corners,
    flat_geometry,
    slice_normal,
    stack_geometry,
)
from carez_desktop.domain.slice_stack import SliceStack
from carez_desktop.domain.stacking import stack_geometry_of
from carez_desktop.domain.study import InstanceHeader, VolumeRecord
from carez_desktop.domain.volume import SliceAxis, Volume
from carez_desktop.errors import GeometryError
from carez_desktop.progress import IGNORE, NEVER, SILENT, CancellationToken, ProgressReporter
from carez_desktop.system.child_process import ChildPool


def read_volume(
    record: VolumeRecord,
    *,
    children: ChildPool | None = None,
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
    partial: Callable[[SlicePart], object] = IGNORE,
) -> Volume:
    """Read the slices of a record into one array of modality values.

    The middle slice is read and given to `partial` before any other file is opened. When all are
    read the four corners of each are compared with the affine (1e-3 mm; 0.02 mm where import
    found the stack nearly regular).

    Args:
        record: From `stack_instances`; its paths are in slice order.
        children: Decode compressed and deflated pixels; None starts a pool for this call alone
            where one is needed.
        progress: Told at most ten times a second, with the time left.
        cancel: Asked at each slice.
        partial: Given (index, (rows, columns[, 3]) values), the middle slice first. A slice may
            come twice if the volume turns out to need a wider type.

    Returns:
        (slice, row, column) modality values, or (slice, row, column, 3) colours, with the affine
        in LPS mm. PET comes in SUV by body weight where that can be computed.

    Raises:
        GeometryError: The record is refused as a volume, or the files no longer lie as it says.
        UnreadableFileError: A file vanished, changed, is truncated or does not decode.
        ChildCrashError: A decoder crashed or ran over its limits.
        DeviceError: The volume does not fit into memory.
        CancelledError: Between two slices.
    """
    _refuse(record)
    if is_slide_level(record):
        from carez_desktop.dicom.slide_image import read_slide_level

        return read_slide_level(record, children=children, progress=progress, cancel=cancel)
    suv = SuvReading(record)
    loaded = _read_all(record, suv, children, progress, cancel, partial)
    geometry = _checked_geometry(record, [source.instance for source in loaded.sources])
    suv.settle(loaded)
    volume = describe(record, loaded, geometry, suv)
    reference = loaded.sources[loaded.reference]
    maps, findings = read_linked_maps(record, reference, is_suv=suv.is_suv)
    return replace(
        volume,
        real_world_maps=(*volume.real_world_maps, *maps),
        findings=(*volume.findings, *findings),
    )


def _read_all(
    record: VolumeRecord,
    suv: SuvReading,
    children: ChildPool | None,
    progress: ProgressReporter,
    cancel: CancellationToken,
    partial: Callable[[SlicePart], object],
) -> LoadedSlices:
    """Read every slice of a record, scaled to SUV as far as its first slice allows."""
    return read_slice_arrays(
        record,
        range(record.shape[0]),
        children=children,
        progress=progress,
        cancel=cancel,
        partial=partial,
        scale=suv.first_factor,
        all_attributes=suv.is_pet,
    )


def read_slices(
    record: VolumeRecord,
    *,
    children: ChildPool | None = None,
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
    partial: Callable[[SlicePart], object] = IGNORE,
) -> SliceStack:
    """Read a record that is no regular volume as slices at their true positions.

    Args and errors are those of `read_volume`.

    Returns:
        One-slice volumes in slice order, views of one array; the height of each is the slice
        thickness and for display only.

    Raises:
        GeometryError: The record cannot be shown as slices either.
    """
    if record.refusal and not record.slices_only:
        _refuse(record)
    suv = SuvReading(record)
    loaded = _read_all(record, suv, children, progress, cancel, partial)
    suv.settle(loaded)
    geometries = [_slice_geometry(record, source.instance) for source in loaded.sources]
    slices = describe_slices(record, loaded, geometries, suv)
    return SliceStack(record.volume_id, slices, record.refusal)


def read_frame(
    record: VolumeRecord,
    index: int,
    *,
    children: ChildPool | None = None,
    cancel: CancellationToken = NEVER,
) -> Volume:
    """Read one slice of a record, for a preview or a thumbnail; refused records too.

    Returns:
        (1, row, column) or (1, row, column, 3) with the slice's own place.

    Raises:
        UnreadableFileError, ChildCrashError, DeviceError, CancelledError: As `read_volume`.
    """
    if is_slide_level(record):
        from carez_desktop.dicom.slide_image import read_slide_level

        return read_slide_level(record, children=children, progress=SILENT, cancel=cancel)
    suv = SuvReading(record)
    loaded = read_slice_arrays(
        record,
        [index],
        children=children,
        progress=SILENT,
        cancel=cancel,
        partial=IGNORE,
        scale=suv.first_factor,
        all_attributes=suv.is_pet,
    )
    suv.settle(loaded)
    geometry = _slice_geometry(record, loaded.sources[0].instance)
    return describe(record, loaded, geometry, suv)


def is_slide_level(record: VolumeRecord) -> bool:
    """Whether a record is one level of a whole-slide image, whose frames are tiles."""
    return "total_pixel_matrix_columns" in record.attributes and len(record.paths) == 1


def _refuse(record: VolumeRecord) -> None:
    if record.refusal:
        hint = "Choose another series of the study"
        if record.slices_only:
            hint = "Use --resample to put its slices on a regular grid"
        raise GeometryError(
            f"This series is no volume: {record.refusal}", subject=record.volume_id, hint=hint
        )


def _slice_geometry(record: VolumeRecord, instance: InstanceHeader) -> VolumeGeometry:
    """Place one slice by its own header; its height is for display only."""
    shape = (1, instance.rows, instance.columns)
    position, cosines = instance.image_position_patient, instance.image_orientation_patient
    if position is None or cosines is None or record.slice_axis is SliceAxis.TIME:
        return flat_geometry(shape, instance.pixel_spacing)
    thickness = record.attributes.get("slice_thickness")
    height = thickness if isinstance(thickness, int | float) and thickness > 0 else 1.0
    try:
        step = [float(part) * height for part in slice_normal(cosines)]
        return stack_geometry(shape, position, step, cosines, instance.pixel_spacing or (1.0, 1.0))
    except ValueError:
        # An invalid orientation: the record says so in its refusal, the picture can be shown.
        return flat_geometry(shape, instance.pixel_spacing)


def _checked_geometry(record: VolumeRecord, headers: Sequence[InstanceHeader]) -> VolumeGeometry:
    """Return the geometry after the four-corner check.

    Raises:
        GeometryError: A corner lies elsewhere than the affine says.
    """
    first = headers[0]
    if record.slice_axis is SliceAxis.TIME:
        return flat_geometry((len(headers), first.rows, first.columns), first.pixel_spacing)
    if len(headers) == 1:
        return _slice_geometry(record, first)
    try:
        geometry, fit = stack_geometry_of(headers)
    except ValueError as error:
        raise GeometryError(
            f"Image Orientation (Patient) is invalid: {error}",
            subject=record.volume_id,
            hint=AGAIN,
        ) from error
    if fit is None and first.image_position_patient is None:
        return geometry
    nearly = any(finding.code == "nearly_regular" for finding in record.findings)
    tolerance = REGULAR_MM if nearly else EXACT_MM
    worst = check_corners(headers, geometry) if first.pixel_spacing else 0.0
    refusal = fit.refusal if fit else ""
    if refusal or worst > tolerance:
        what = refusal or f"The corners of a slice lie {worst:.4f} mm off the volume"
        raise GeometryError(
            f"The files do not lie as they did at import: {what}",
            subject=record.volume_id,
            hint=AGAIN,
        )
    return geometry
