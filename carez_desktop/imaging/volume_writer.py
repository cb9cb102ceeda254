"""Write a volume as NIfTI or NRRD through SimpleITK, which turns LPS to RAS for NIfTI."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813 - its own convention

from carez_desktop.domain.volume import Volume, VolumeKind
from carez_desktop.errors import StorageError, UsageError
from carez_desktop.imaging.nifti_header import SYNTHETIC_MARK
from carez_desktop.imaging.sitk_bridge import to_sitk
from carez_desktop.imaging.volume_files import file_stem
from carez_desktop.system.file_safety import storage_error

WRITE_SUFFIXES = (".nii.gz", ".nii", ".nrrd")
_SYNTHETIC_KEY = "SyntheticData"
_DESCRIPTION_KEYS = ("descrip", "ITK_FileNotes")
_DESCRIPTION_LENGTH = 79


def write_volume_file(volume: Volume, path: Path) -> None:
    """Write a volume's modality values as `.nii`, `.nii.gz` or `.nrrd`, marked if synthetic.

    Written beside its place and renamed, so that a failure leaves nothing half-written.

    Raises:
        UsageError: Another extension. StorageError: The folder is full, missing or read-only.
    """
    suffix = check_target(path)
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


def check_target(path: Path) -> str:
    """Return the extension of a file to write, before the long work of reading begins.

    Raises:
        UsageError: Another extension. StorageError: Its folder is missing.
    """
    suffix = next((s for s in WRITE_SUFFIXES if path.name.lower().endswith(s)), "")
    if not suffix:
        raise UsageError(
            f"Volumes are not written as {path.suffix or 'a file without extension'}",
            subject=str(path),
            hint="Give a name that ends in .nii.gz, .nii or .nrrd",
        )
    if not path.parent.is_dir():
        raise StorageError(
            "The folder to write into is not there",
            subject=str(path.parent),
            hint="Create the folder first, or choose another one",
        )
    return suffix


def _check_written(part: Path, image: sitk.Image) -> None:
    """Read a written file back: ITK reports success for one that a full disk cut short.

    Raises:
        RuntimeError: It cannot be read, or holds other voxels.
    """
    with part.open("rb+") as stream:
        os.fsync(stream.fileno())
    written = sitk.ReadImage(str(part))  # a view does not keep its image alive
    found, expected = sitk.GetArrayViewFromImage(written), sitk.GetArrayViewFromImage(image)
    if found.size == expected.size:  # ITK reads one slice of colour back with two dimensions
        found = found.reshape(expected.shape)
    if not np.array_equal(found, expected, equal_nan=expected.dtype.kind == "f"):
        raise RuntimeError("the file is incomplete, as on a full disk")


def _first_line(error: Exception) -> str:
    """Return the last telling line of an ITK message."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
