"""The same volumes through readers that share no code with ours: the oracles of geometry.

Each returns voxels and affine as (slice, row, column) in LPS mm, so that they compare as they are.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations, product
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import numpy.typing as npt
import pydicom
import SimpleITK as sitk  # noqa: N813 - its own convention
from highdicom import Image, get_volume_from_series
from highdicom import Volume as HighdicomVolume

from carez_desktop.domain.study import VolumeRecord
from carez_desktop.domain.volume import Volume

Affine = npt.NDArray[np.float64]
_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_CORNER_MM = 1e-3


@dataclass(frozen=True)
class Reading:
    """One volume of an independent reader.

    Attributes:
        array: Any order of axes.
        affine: (4, 4) from index in that order to LPS mm.
    """

    array: npt.NDArray[Any]
    affine: Affine


@dataclass(frozen=True)
class Difference:
    """How far a reading is from ours, its voxels brought into our order by the affines.

    Attributes:
        corners_mm: Largest distance of a corner of the volume.
        voxels: Largest difference, divided by the largest magnitude of ours.
        factor: Ours divided by theirs (1 but for PET in SUV).
        shape: Theirs in our order.
        step_mm: Theirs from slice to slice.
    """

    corners_mm: float
    voxels: float
    factor: float
    shape: tuple[int, ...]
    step_mm: float = 0.0

    @property
    def agrees(self) -> bool:
        """Whether the corners agree to 1e-3 mm and the voxels to single precision."""
        return self.corners_mm <= _CORNER_MM and self.voxels <= 1e-6


def read_with_simpleitk(record: VolumeRecord) -> Reading:
    """Read the files of a record, in the order that GDCM sorts them into."""
    files = list(dict.fromkeys(record.paths))
    if len(files) == 1:
        image = sitk.ReadImage(files[0])
    else:
        reader = sitk.ImageSeriesReader()
        reader.SetFileNames(_gdcm_order(files))
        image = reader.Execute()
    affine = np.eye(4)
    direction = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    affine[:3, :3] = direction[:, ::-1]
    affine[:3, 3] = image.GetOrigin()
    return Reading(sitk.GetArrayFromImage(image), affine)


def _gdcm_order(files: Sequence[str]) -> list[str]:
    """Let GDCM sort links to the files of one volume, which lie in a folder of their own."""
    with tempfile.TemporaryDirectory() as folder:
        links = _link(files, Path(folder))
        found = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(folder)
        ordered = [links[Path(name).name] for name in found]
    return ordered if len(ordered) == len(files) else list(files)


def _link(files: Sequence[str], folder: Path) -> dict[str, str]:
    links = {}
    for number, file in enumerate(files):
        name = f"{(number * 7919) % 10007:05d}-{number:05d}.dcm"
        (folder / name).symlink_to(file)
        links[name] = file
    return links


def has_dcm2niix() -> bool:
    """Whether dcm2niix is installed."""
    return shutil.which("dcm2niix") is not None


def read_with_dcm2niix(files: Sequence[str], *, corrected: bool = False) -> list[Reading]:
    """Convert the files of a whole series; 4-D files are taken apart.

    Args:
        files: Of one series.
        corrected: Whether only its corrections (tilt, spacing) are returned, not the originals.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder, out = Path(scratch, "in"), Path(scratch, "out")
        folder.mkdir()
        out.mkdir()
        for number, file in enumerate(dict.fromkeys(files)):
            _copy_uncompressed(Path(file), folder / f"{number:05d}.dcm")
        plain = ["-z", "n", "-b", "n", "-p", "n"]  # no gzip, no JSON, the standard's rescale
        command = ["dcm2niix", *plain, "-f", "%s_%p_%e", "-o", str(out), str(folder)]
        subprocess.run(command, capture_output=True, timeout=120, check=False)
        readings = []
        for path in sorted(out.glob("*.nii")):
            if ("_Tilt" in path.name or "_Eq" in path.name) is corrected:
                readings.extend(read_with_nibabel(path))
    return readings


def _copy_uncompressed(source: Path, target: Path) -> None:
    """Copy a file; decode it with pydicom if Debian's dcm2niix cannot (JPEG-LS, JPEG 2000)."""
    data_set = pydicom.dcmread(source, stop_before_pixels=True, force=True)
    syntax = data_set.file_meta.get("TransferSyntaxUID") if "file_meta" in dir(data_set) else None
    if syntax is None or not syntax.is_compressed or syntax.is_deflated:
        shutil.copyfile(source, target)
        return
    data_set = pydicom.dcmread(source)
    data_set.decompress(generate_instance_uid=False)
    data_set.save_as(target)


def read_with_nibabel(path: Path) -> list[Reading]:
    """Read a NIfTI file; each volume of a 4-D one by itself."""
    image = nibabel.load(path)
    values = np.asanyarray(image.dataobj)
    if values.dtype.names:  # colour
        values = np.stack([values[name] for name in "RGB"], axis=-1)
        return [Reading(values, _RAS @ image.affine)]
    volumes = [values] if values.ndim == 3 else np.moveaxis(values, 3, 0)
    return [Reading(np.array(volume), _RAS @ image.affine) for volume in volumes]


def read_with_highdicom(record: VolumeRecord) -> Reading:
    """Read the files of a record as highdicom's volume."""
    files = list(dict.fromkeys(record.paths))
    data_sets = [pydicom.dcmread(file) for file in files]
    for data_set in data_sets:  # it wants a Frame of Reference, which some series lack
        data_set.setdefault("FrameOfReferenceUID", "1.2.3")
    if len(files) == 1 and len(record.paths) > 1:
        volume: HighdicomVolume = Image.from_dataset(data_sets[0]).get_volume()
    else:
        volume = get_volume_from_series(data_sets)
    return Reading(volume.array, np.asarray(volume.affine))


def compare(ours: Volume, theirs: Reading) -> Difference | None:
    """Bring their voxels into our order and compare; None where the grids are not the same."""
    between = np.linalg.inv(theirs.affine) @ ours.geometry.affine
    turned = _turned(theirs, between[:3, :3])
    if turned is None:
        return None
    array, affine = turned
    shape = ours.geometry.shape
    if array.shape[:3] != shape:
        return Difference(np.inf, np.inf, 1.0, array.shape[:3])
    ends = np.array(list(product(*[(0, extent - 1) for extent in shape])), dtype=np.float64)
    corners = ends @ affine[:3, :3].T + affine[:3, 3]
    apart = float(np.linalg.norm(corners - ours.geometry.index_to_lps(ends), axis=1).max())
    own = ours.array.astype(np.float64)
    other = array.astype(np.float64)
    place = np.unravel_index(int(np.abs(other).argmax()), other.shape)
    factor = float(own[place] / other[place]) if ours.units.startswith("SUV") else 1.0
    largest = max(float(np.abs(own).max()), 1e-9)
    voxels = float(np.abs(own - other * factor).max()) / largest
    return Difference(apart, voxels, factor, shape, float(np.linalg.norm(affine[:3, 0])))


def _turned(theirs: Reading, between: Affine) -> tuple[npt.NDArray[Any], Affine] | None:
    """Permute and flip their axes so that they run as ours do."""
    best = max(permutations(range(3)), key=lambda p: sum(abs(between[p[a], a]) for a in range(3)))
    array = np.moveaxis(theirs.array, best, (0, 1, 2))
    affine = theirs.affine.copy()
    affine[:3, :3] = theirs.affine[:3, list(best)]
    for axis in range(3):
        if between[best[axis], axis] < 0:
            array = np.flip(array, axis)
            affine[:3, 3] += affine[:3, axis] * (array.shape[axis] - 1)
            affine[:3, axis] *= -1.0
    return (array, affine) if np.isfinite(affine).all() else None


def nearest(ours: Volume, readings: Sequence[Reading]) -> Difference | None:
    """Return the best match among the volumes that a reader made of a series."""
    differences = [found for reading in readings if (found := compare(ours, reading))]
    return min(differences, key=lambda d: (d.voxels, d.corners_mm), default=None)


READERS = ("SimpleITK", "highdicom", "dcm2niix")
_STEP_ONLY_MM = 0.05


@dataclass(frozen=True)
class Comparison:
    """What one reader made of one of our volumes.

    Attributes:
        difference: None where it gave no volume.
        said: What it said instead.
        explanation: Why it differs; "" for one that agrees, or that nothing explains.
    """

    reader: str
    difference: Difference | None
    said: str = ""
    explanation: str = ""

    @property
    def is_settled(self) -> bool:
        """Whether it agrees, or differs for a reason that is known."""
        agrees = self.difference is not None and self.difference.agrees
        return agrees or bool(self.explanation)


def compare_with_all(
    record: VolumeRecord, ours: Volume, converted: Sequence[Reading]
) -> list[Comparison]:
    """Compare a volume with every reader; `converted` is what dcm2niix made of its series."""
    made = []
    for reader, read in (("SimpleITK", read_with_simpleitk), ("highdicom", read_with_highdicom)):
        try:
            made.append(_comparison(record, ours, reader, compare(ours, read(record))))
        except Exception as error:  # noqa: BLE001 - whatever a foreign reader raises is its answer
            said = (str(error).strip() or type(error).__name__).splitlines()[-1]
            made.append(Comparison(reader, None, said, _why_refused(record, said)))
    if has_dcm2niix():
        made.append(_comparison(record, ours, "dcm2niix", nearest(ours, converted)))
    return made


def _comparison(
    record: VolumeRecord, ours: Volume, reader: str, difference: Difference | None
) -> Comparison:
    if difference is None:
        return Comparison(reader, None, "no volume", _why_refused(record, "no volume"))
    if difference.agrees:
        return Comparison(reader, difference)
    return Comparison(reader, difference, "", _why_different(record, ours, reader, difference))


def _why_refused(record: VolumeRecord, said: str) -> str:
    if "Multiple frames found at one or more plane positions" in said and record.set_id:
        return "highdicom makes no volume of frames that repeat a place; here each moment is one"
    if "only valid for datasets with little endian" in said:
        return "highdicom reads no big endian files"
    if not record.orientation:
        return "the frames of this file state no place; there is no geometry to compare"
    return ""


def _why_different(record: VolumeRecord, ours: Volume, reader: str, difference: Difference) -> str:
    """Explain a difference by what can be measured of it; "" where nothing explains it."""
    slices = record.shape[0]
    own = ours.geometry.spacing_mm[0]
    drift = abs(difference.step_mm - own) * (slices - 1)
    only_step = difference.voxels <= 1e-6 and abs(drift - difference.corners_mm) < 2e-4
    if reader == "dcm2niix" and only_step and difference.corners_mm <= _STEP_ONLY_MM:
        return (
            "dcm2niix takes the slice distance from the first two slices, or from Spacing Between"
            f" Slices, in single precision: {difference.step_mm:.6f} mm against {own:.6f} mm over"
            " the whole stack"
        )
    mosaic = "MOSAIC" in str(record.attributes.get("image_type"))
    if mosaic and reader == "dcm2niix" and slices == 1:
        return (
            "dcm2niix takes this Siemens mosaic apart by guessing, since its CSA header was"
            " removed; here it stays the image that it is"
        )
    if mosaic and reader != "dcm2niix" and slices > 1:
        return (
            f"{reader} leaves a Siemens mosaic as one image of tiles; dcm2niix takes it apart too"
        )
    if record.set_id and difference.shape[0] > slices and len(set(record.paths)) == 1:
        return f"{reader} piles the moments of each place on each other; here each is a volume"
    if not record.orientation:
        return "the frames of this file state no place; there is no geometry to compare"
    return ""
