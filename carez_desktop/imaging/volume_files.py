"""NIfTI and NRRD files: describe, read and write.

NIfTI stores RAS; SimpleITK turns it to LPS on reading and back on writing, so that RAS is seen
nowhere in this product. Values come with NIfTI's slope and intercept applied.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk  # noqa: N813 - its own convention

from carez_desktop.domain.finding import Finding, Severity
from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.study import AttributeValue, VolumeRecord
from carez_desktop.domain.volume import Volume, VolumeKind
from carez_desktop.errors import DeviceError, StorageError, UnreadableFileError, UsageError
from carez_desktop.imaging.sitk_bridge import array_of, geometry_of, to_sitk
from carez_desktop.progress import (
    IGNORE,
    NEVER,
    SILENT,
    CancellationToken,
    ProgressReporter,
)
from carez_desktop.system.file_safety import storage_error
from carez_desktop.system.memory import available_memory_mib

READ_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".nhdr")
WRITE_SUFFIXES = (".nii.gz", ".nii", ".nrrd")
SYNTHETIC_MARK = "SYNTHETIC"
_SYNTHETIC_KEY = "SyntheticData"
_DESCRIPTION_KEYS = ("descrip", "ITK_FileNotes")
_DESCRIPTION_LENGTH = 79
_AGAIN = "Import it again, or export it again from its source"


def file_stem(path: Path) -> str:
    """Return a file's name without `.nii.gz` and the like."""
    name = path.name
    for suffix in READ_SUFFIXES:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return path.stem


def data_files_of(path: Path) -> tuple[Path, ...]:
    """Return the files beside a header that hold its voxels; none for one that holds its own."""
    if path.suffix.lower() == ".hdr":
        pair = path.with_suffix(".IMG" if path.suffix.isupper() else ".img")
        return (pair,) if pair.is_file() else ()
    return ()


def volume_id_of_file(path: Path) -> str:
    """Return `2.25.` and the first 128 bits of the file's SHA-256 as an integer.

    Raises:
        UnreadableFileError: The file cannot be read.
    """
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").digest()
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def describe_volume_file(path: Path) -> VolumeRecord:
    """Describe a NIfTI or NRRD file from its header; patient = the file's stem.

    A file of other than three dimensions, or of several components, is a record with a refusal.

    Raises:
        UnreadableFileError: It is not a volume file, or its header is damaged.
    """
    volume_id = volume_id_of_file(path)
    reader = _open(path)
    extents = reader.GetSize()
    refusal = _refusal(reader)
    shape: tuple[int, int, int] = (1, 1, 1)
    spacing: tuple[float, float, float] | None = None
    orientation = ""
    if len(extents) >= 3:
        shape = (int(extents[2]), int(extents[1]), int(extents[0]))
    if not refusal:
        geometry = _geometry(path, reader)
        spacing, orientation = geometry.spacing_mm, geometry.orientation
    synthetic = _is_marked(reader)
    stem = file_stem(path)
    attributes: dict[str, AttributeValue] = {
        "patient_id": stem,
        "stored_type": sitk.GetPixelIDValueAsString(reader.GetPixelID()),
    }
    return VolumeRecord(
        volume_id=volume_id,
        series_instance_uid=volume_id,
        study_instance_uid=volume_id,
        patient_id=stem,
        modality=_modality(reader),
        description=path.name,
        shape=shape,
        spacing_mm=spacing,
        orientation=orientation,
        kind=VolumeKind.SYNTHETIC if synthetic else VolumeKind.REAL,
        source_format="nrrd" if path.suffix.lower() in (".nrrd", ".nhdr") else "nifti",
        paths=(str(path),),
        refusal=refusal,
        attributes=attributes,
    )


def read_volume_file(
    record: VolumeRecord,
    *,
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
    partial: Callable[[Any], object] = IGNORE,
) -> Volume:
    """Read the NIfTI or NRRD file of a record.

    Args:
        record: From `describe_volume_file`.
        progress: Told before and after.
        cancel: Asked before and after; SimpleITK itself cannot be stopped.
        partial: Given (middle index, (rows, columns) values) when the file is read.

    Raises:
        UnreadableFileError: It vanished, changed since its import, or is damaged.
        DeviceError: It does not fit into memory.
        CancelledError: Before or after reading.
    """
    path = Path(record.paths[0])
    cancel.raise_if_cancelled()
    progress.report(0.0, f"Reading {path.name}")
    if record.refusal:
        raise UnreadableFileError(
            f"This file is no volume: {record.refusal}", subject=str(path), hint="Choose another"
        )
    if volume_id_of_file(path) != record.volume_id:
        raise UnreadableFileError(
            "The file changed since its import", subject=str(path), hint="Import it again"
        )
    reader = _open(path)
    _check_memory(path, reader.GetSize())
    try:
        image = reader.Execute()
        geometry = geometry_of(image)
    except (RuntimeError, ValueError) as error:
        raise _unreadable(path, _first_line(error)) from error
    array = _narrowed(array_of(image))
    findings = list(record.findings)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        array = np.nan_to_num(array, nan=0.0, posinf=0.0, neginf=0.0)
        text = "Values that are not finite were read as 0"
        findings.append(Finding(Severity.WARNING, "not_finite", record.volume_id, text))
    cancel.raise_if_cancelled()
    middle = array.shape[0] // 2
    partial((middle, array[middle]))
    progress.report(1.0, f"Read {path.name}")
    return Volume(
        volume_id=record.volume_id,
        array=array,
        geometry=geometry,
        modality=record.modality,
        units="arbitrary",
        kind=record.kind,
        frame_of_reference_uid=record.frame_of_reference_uid,
        findings=tuple(findings),
        attributes={name: str(value or "") for name, value in record.attributes.items()},
    )


def write_volume_file(volume: Volume, path: Path) -> None:
    """Write a volume's modality values as `.nii`, `.nii.gz` or `.nrrd`, marked if synthetic.

    Written beside its place and renamed, so that a failure leaves nothing half-written.

    Raises:
        UsageError: Another extension. StorageError: The folder is full, missing or read-only.
    """
    suffix = next((s for s in WRITE_SUFFIXES if path.name.lower().endswith(s)), "")
    if not suffix:
        raise UsageError(
            f"Volumes are not written as {path.suffix or 'a file without extension'}",
            subject=str(path),
            hint="Give a name that ends in .nii.gz, .nii or .nrrd",
        )
    image = to_sitk(volume)
    description = f"{volume.modality} {volume.units}"
    if volume.kind is VolumeKind.SYNTHETIC:
        description = f"{SYNTHETIC_MARK} {description}"
        image.SetMetaData(_SYNTHETIC_KEY, "YES")
    for key in _DESCRIPTION_KEYS:
        image.SetMetaData(key, description[:_DESCRIPTION_LENGTH])
    image.SetMetaData("Modality", volume.modality)
    part = path.with_name(f".{os.getpid()}.part-{file_stem(path)}{suffix}")
    try:
        part.touch()  # ITK does not say why a file cannot be made; the system does
        sitk.WriteImage(image, str(part), useCompression=suffix != ".nii")
        _check_written(part, image)
        part.replace(path)
    except OSError as error:
        raise storage_error(error, path, "The volume cannot be written") from error
    except RuntimeError as error:
        raise StorageError(
            f"The volume cannot be written: {_first_line(error)}",
            subject=str(path.parent),
            hint="Free space on its disk, or choose another folder",
        ) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _check_written(part: Path, image: sitk.Image) -> None:
    """Read a written file back: ITK reports success for one that a full disk cut short.

    Raises:
        RuntimeError: It cannot be read, or holds other voxels.
    """
    with part.open("rb+") as stream:
        os.fsync(stream.fileno())
    written = sitk.ReadImage(str(part))  # a view does not keep its image alive
    found, expected = sitk.GetArrayViewFromImage(written), sitk.GetArrayViewFromImage(image)
    if not np.array_equal(found, expected, equal_nan=expected.dtype.kind == "f"):
        raise RuntimeError("the file is incomplete, as on a full disk")


def _open(path: Path) -> sitk.ImageFileReader:
    """Read the header of a file through SimpleITK."""
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.SetImageIO(
        "NrrdImageIO" if path.suffix.lower() in (".nrrd", ".nhdr") else "NiftiImageIO"
    )
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise _unreadable(path, _first_line(error)) from error
    return reader


def _refusal(reader: sitk.ImageFileReader) -> str:
    """Say why a file is no grey-value volume; "" for one."""
    extents = reader.GetSize()
    beyond = extents[3:]
    if len(extents) < 3:
        return f"It has {len(extents)} dimensions, not 3"
    if any(extent > 1 for extent in beyond):
        return f"It has {len(extents)} dimensions ({extents[3]} points in time); not read yet"
    if reader.GetNumberOfComponents() != 1:
        return f"It has {reader.GetNumberOfComponents()} values in each voxel; not read yet"
    if len(extents) > 3:
        return f"It has {len(extents)} dimensions; not read yet"
    return ""


def _geometry(path: Path, reader: sitk.ImageFileReader) -> VolumeGeometry:
    columns, rows, slices = reader.GetSize()
    across, down, along = reader.GetSpacing()
    numbers = (*reader.GetSpacing(), *reader.GetOrigin(), *reader.GetDirection())
    direction = np.array(reader.GetDirection(), dtype=np.float64).reshape(3, 3)[:, ::-1]
    if not all(math.isfinite(number) for number in numbers):
        raise _unreadable(path, "its place is not a finite number")
    try:
        return VolumeGeometry.from_parts(
            (slices, rows, columns), (along, down, across), reader.GetOrigin(), direction
        )
    except ValueError as error:
        raise _unreadable(path, str(error)) from error


def _modality(reader: sitk.ImageFileReader) -> str:
    return str(reader.GetMetaData("Modality")) if reader.HasMetaDataKey("Modality") else ""


def _is_marked(reader: sitk.ImageFileReader) -> bool:
    """Whether a file carries one of our marks of a synthetic volume."""
    if reader.HasMetaDataKey(_SYNTHETIC_KEY) and reader.GetMetaData(_SYNTHETIC_KEY) == "YES":
        return True
    return any(
        reader.GetMetaData(key).startswith(SYNTHETIC_MARK)
        for key in _DESCRIPTION_KEYS
        if reader.HasMetaDataKey(key)
    )


def _check_memory(path: Path, extents: tuple[int, ...]) -> None:
    needed = math.prod(extents) * 8 >> 20
    available = available_memory_mib()
    if available is not None and needed > available:
        raise DeviceError(
            f"The file may need {needed} MiB of memory, {available} MiB are free",
            subject=str(path),
            hint="Close other programs or choose a smaller file",
        )


def _narrowed(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Bring voxels to int16 or int32 if they are whole, else to float32 (DESIGN section 4)."""
    if array.dtype.kind == "f":
        return array.astype(np.float32, copy=False)
    low, high = (int(array.min()), int(array.max())) if array.size else (0, 0)
    for kind in (np.int16, np.int32):
        limits = np.iinfo(kind)
        if limits.min <= low and high <= limits.max:
            return array.astype(kind, copy=False)
    return array.astype(np.float32)


def _first_line(error: Exception) -> str:
    """Return the last telling line of an ITK message."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def _unreadable(path: Path, reason: str) -> UnreadableFileError:
    return UnreadableFileError(f"The file cannot be read: {reason}", subject=str(path), hint=_AGAIN)
