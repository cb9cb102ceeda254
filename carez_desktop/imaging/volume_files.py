"""NIfTI and NRRD files: describe and read them (decision record 0113).

Values come with NIfTI's slope and intercept applied, places in LPS millimetres.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from carez_desktop.domain.finding import Finding, Severity, counted
from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.slice_stack import SliceStack
from carez_desktop.domain.study import AttributeValue, VolumeRecord
from carez_desktop.domain.volume import Volume, VolumeKind
from carez_desktop.errors import GeometryError, UnreadableFileError
from carez_desktop.imaging.nifti_header import read_nifti_header
from carez_desktop.imaging.nrrd_header import read_nrrd_header
from carez_desktop.imaging.voxel_file import BLOCK, VoxelFile, check_sizes, unreadable
from carez_desktop.imaging.voxel_values import read_voxels
from carez_desktop.progress import (
    IGNORE,
    NEVER,
    SILENT,
    CancellationToken,
    PacedProgress,
    ProgressReporter,
)

READ_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".hdr")
_DETACHED_SUFFIXES = (".nhdr", ".hdr", ".nrrd")
_REMEDY = "Choose another, or convert it with the program that made it"
_REMEDY_SLICES = "Write it on a regular grid with `carez volume ID --out FILE --resample`"
_MOST_SHEAR_DEGREES = 0.05
"""As for DICOM stacks (decision record 0032): what rounding of the affine explains."""


def file_stem(path: Path) -> str:
    """Return a file's name without `.nii.gz` and the like."""
    name = path.name
    for suffix in READ_SUFFIXES:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return path.stem


def data_files_of(path: Path) -> tuple[Path, ...]:
    """Return the files beside a header that hold its voxels; none for one that holds its own."""
    if path.suffix.lower() not in _DETACHED_SUFFIXES:
        return ()
    try:
        return tuple(file for file in read_volume_header(path).data_files if file != path)
    except UnreadableFileError:
        return ()  # whoever describes the file says why


def volume_id_of_file(path: Path) -> str:
    """Return `2.25.` and the first 128 bits of the SHA-256 as an integer.

    The bytes are those of the file and, behind them, of the files beside it that hold its voxels.

    Raises:
        UnreadableFileError: A file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        for file in (path, *data_files_of(path)):
            with file.open("rb") as stream:
                while block := stream.read(BLOCK):
                    digest.update(block)
    except OSError as error:
        raise unreadable(path, error.strerror or str(error)) from error
    return f"2.25.{int.from_bytes(digest.digest()[:16], 'big')}"


def describe_volume_file(path: Path) -> tuple[VolumeRecord, ...]:
    """Describe the volumes of a NIfTI or NRRD file from its header; patient = the file's stem.

    A file of several points in time, or of a list of values, is an ordered set of volumes with the
    ids `2.25.<n>:1`, `2.25.<n>:2`, ... What is no grey or colour volume is one refused record.

    Raises:
        UnreadableFileError: It is not a volume file, its header is damaged, or voxels are missing.
    """
    header = read_volume_header(path)
    uid = volume_id_of_file(path)
    geometry = VolumeGeometry(header.shape, header.affine)
    shear = _shear(geometry)
    refusal = header.refusal or shear
    if not header.refusal:
        check_sizes(header)
    count = 1 if header.refusal else header.points
    stem = file_stem(path)
    attributes: dict[str, AttributeValue] = {
        "patient_id": stem,
        "stored_type": header.dtype.name,
    }
    base = VolumeRecord(
        volume_id=uid,
        series_instance_uid=uid,
        study_instance_uid=uid,
        patient_id=stem,
        modality=header.modality,
        description=path.name,
        shape=header.shape,
        spacing_mm=None if refusal else geometry.spacing_mm,
        orientation=geometry.orientation if header.is_placed and not refusal else "",
        kind=_kind(header),
        source_format=header.source_format,
        paths=(str(path),),
        refusal=refusal,
        attributes=attributes,
        samples=3 if header.samples > 1 else 1,
        slices_only=bool(shear) and not header.refusal and not _shear(geometry, within=True),
    )
    return tuple(_one_of(base, header, index, count) for index in range(count))


def _kind(header: VoxelFile) -> VolumeKind:
    if header.is_synthetic:
        return VolumeKind.SYNTHETIC
    return VolumeKind.DERIVED if header.is_label_map else VolumeKind.REAL


def _one_of(base: VolumeRecord, header: VoxelFile, index: int, count: int) -> VolumeRecord:
    """Return the record of one of the volumes of a file."""
    volume_id = base.volume_id if count == 1 else f"{base.volume_id}:{index + 1}"
    findings = [Finding(level, code, volume_id, text) for level, code, text in header.remarks]
    if header.is_label_map:
        text = "It says that its values are labels and is not counted as an image of a patient"
        findings.append(Finding(Severity.INFO, "label_file", volume_id, text))
    if header.samples == 4:
        text = "Its fourth colour value (opacity) is left out"
        findings.append(Finding(Severity.INFO, "opacity", volume_id, text))
    return replace(
        base,
        volume_id=volume_id,
        findings=tuple(findings),
        set_id=base.volume_id if count > 1 else "",
        set_index=index if count > 1 else 0,
        split_reason=f"Volume {index + 1} of {count} in one file" if count > 1 else "",
    )


def read_volume_file(
    record: VolumeRecord,
    *,
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
    partial: Callable[[Any], object] = IGNORE,
) -> Volume:
    """Read a volume of the NIfTI or NRRD file of a record.

    Voxels are inflated block by block into the final array; that the file is still the one that
    was imported is checked meanwhile.

    Args:
        record: From `describe_volume_file`.
        progress: Told at every block.
        cancel: Asked at every block.
        partial: Given (middle index, (rows, columns[, 3]) values) as soon as that slice is there.

    Returns:
        (slice, row, column[, 3]): whole numbers as int16 or int32, others as float32.

    Raises:
        GeometryError: It is refused as a volume. UnreadableFileError: It vanished, changed since
            its import, or is damaged. DeviceError: It does not fit into memory.
        CancelledError: Between two blocks.
    """
    path = Path(record.paths[0])
    cancel.raise_if_cancelled()
    progress.report(0.0, f"Reading {path.name}")
    if record.refusal:
        raise GeometryError(
            f"This file is no volume: {record.refusal}",
            subject=str(path),
            hint=_REMEDY_SLICES if record.slices_only else _REMEDY,
        )
    with ThreadPoolExecutor(1) as beside:  # hashing lets go of the interpreter
        identity = beside.submit(volume_id_of_file, path)
        try:
            header, array, spoilt = _read(record, PacedProgress(progress), cancel, partial)
        except UnreadableFileError:
            if identity.result() != record.series_instance_uid:
                raise _changed(path) from None
            raise
        if identity.result() != record.series_instance_uid:
            raise _changed(path)
    findings = list(record.findings)
    if spoilt:
        text = f"{counted(spoilt, 'value')} that are not finite were read as 0"
        findings.append(Finding(Severity.WARNING, "not_finite", record.volume_id, text))
    cancel.raise_if_cancelled()
    progress.report(1.0, f"Read {path.name}")
    return Volume(
        volume_id=record.volume_id,
        array=array,
        geometry=VolumeGeometry(header.shape, header.affine),
        modality=record.modality,
        units=_units(header),
        kind=record.kind,
        frame_of_reference_uid=record.frame_of_reference_uid,
        findings=tuple(findings),
        attributes={name: str(value or "") for name, value in record.attributes.items()},
    )


def _read(
    record: VolumeRecord,
    progress: ProgressReporter,
    cancel: CancellationToken,
    partial: Callable[[Any], object],
) -> tuple[VoxelFile, npt.NDArray[Any], int]:
    path = Path(record.paths[0])
    header = read_volume_header(path)
    check_sizes(header)
    if header.shape != record.shape or record.set_index >= header.points:
        raise _changed(path)
    array, spoilt = read_voxels(
        header, record.set_index, progress=progress, cancel=cancel, partial=partial
    )
    return header, array, spoilt


def read_file_slices(
    record: VolumeRecord,
    *,
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
    partial: Callable[[Any], object] = IGNORE,
) -> SliceStack:
    """Read the slices of a sheared file, each at its true position.

    Args:
        record: From `describe_volume_file`, with `slices_only`.
        progress: Told at every block.
        cancel: Asked at every block.
        partial: As for `read_volume_file`.

    Returns:
        Slices in the order of the file; their thickness is the step along their normal.

    Raises:
        As `read_volume_file`.
    """
    whole = read_volume_file(
        replace(record, refusal=""), progress=progress, cancel=cancel, partial=partial
    )
    affine = whole.geometry.affine
    normal = np.cross(affine[:3, 2], affine[:3, 1])
    normal /= np.linalg.norm(normal)
    slices = []
    for index in range(whole.geometry.shape[0]):
        place = affine.copy()
        place[:3, 0] = normal * float(normal @ affine[:3, 0])
        place[:3, 3] = whole.geometry.index_to_lps((index, 0, 0))
        geometry = VolumeGeometry((1, *whole.geometry.shape[1:]), place)
        slices.append(
            whole.with_array(whole.array[index : index + 1], geometry=geometry, findings=())
        )
    return SliceStack(record.volume_id, tuple(slices), record.refusal)


def read_volume_header(path: Path) -> VoxelFile:
    """Read the header of a volume file of any kind, by its name.

    Raises:
        UnreadableFileError: It is damaged, or of another kind.
    """
    if path.suffix.lower() in (".nrrd", ".nhdr"):
        return read_nrrd_header(path)
    return read_nifti_header(path)


def _shear(geometry: VolumeGeometry, *, within: bool = False) -> str:
    """Say by how much the axes are not perpendicular; "" within what rounding explains.

    Args:
        geometry: Of the file.
        within: Whether only rows and columns count, which slices shown one by one still need.
    """
    products = np.abs(geometry.direction_lps.T @ geometry.direction_lps)
    off = float(products[1, 2] if within else products[np.triu_indices(3, 1)].max())
    degrees = math.degrees(math.asin(min(off, 1.0)))
    if degrees <= _MOST_SHEAR_DEGREES:
        return ""
    return (
        f"Its axes are not perpendicular (off by {degrees:.2f} degrees): a sheared grid would be "
        "shown bent"
    )


def _units(header: VoxelFile) -> str:
    if header.is_label_map:
        return "label"
    return "rgb" if header.samples > 1 else "arbitrary"


def _changed(path: Path) -> UnreadableFileError:
    return UnreadableFileError(
        "The file changed since its import", subject=str(path), hint="Import it again"
    )
