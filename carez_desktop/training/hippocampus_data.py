"""The hippocampus MR volumes as training examples: reading, grouping, splitting, normalising.

The source (Medical Segmentation Decathlon, Task04) names no persons. Volumes with the numbers 2k-1
and 2k are far more alike than other neighbours (median correlation 0.62 against 0.44), so they are
taken as the two sides of one person, and they stay in one group together with every other pair
above a correlation threshold. The volumes are all of one side, or were mirrored to one side: the
column axis then is not a person's right; the files do not say.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the name everyone uses
from numpy.typing import NDArray

from carez_desktop.errors import InputError, UnreadableFileError

Scalar = TypeVar("Scalar", bound=np.generic)
BOX = (40, 48, 32)
"""Voxels (slice, row, column) of an example; every label of the source fits into it whole."""
MARGIN = 2
"""Voxels kept around the box on each side so that training can shift it."""
PERCENTILES = (0.5, 99.5)
"""Percentiles of a volume that become the values 0 and 1."""
NEAR_DUPLICATE_CORRELATION = 0.70
"""Two centred boxes above this belong to one group."""
DIRECTION_LPS = ((0.0, 0.0, -1.0), (0.0, -1.0, 0.0), (1.0, 0.0, 0.0))
"""Columns are the array axes in LPS: slice to superior, row to anterior, column to right."""


@dataclass(frozen=True)
class HippocampusVolume:
    """One volume of the source, ready for training.

    Attributes:
        name: File name without its suffix.
        image: float32 [44, 52, 36] in [0, 1]: box and margin, mirrored where the source ends.
        labels: uint8, same shape: 0 background, 1 anterior, 2 posterior.
        valid: bool, same shape: False where the source has no voxel.
        anterior_volume_mm3: Volume of label 1 in the whole source.
        posterior_volume_mm3: Volume of label 2 in the whole source.
        dtype: Type of the source's voxels.
        sha256: Of the source's voxels, little-endian C order [slice, row, column], in `dtype`.
        sha256_float32: The same after a lossless cast to float32, for readers that change the type.
    """

    name: str
    image: NDArray[np.float32]
    labels: NDArray[np.uint8]
    valid: NDArray[np.bool_]
    anterior_volume_mm3: float
    posterior_volume_mm3: float
    dtype: str
    sha256: str
    sha256_float32: str

    @property
    def number(self) -> int:
        """The number in the source's file name."""
        found = re.search(r"(\d+)$", self.name)
        return int(found.group(1)) if found else -1


def read_folder(folder: Path) -> list[HippocampusVolume]:
    """Read every volume of `folder/images` that has a label of the same name, sorted by name.

    Raises:
        InputError: There is no such folder or no usable volume in it.
        UnreadableFileError: A file cannot be decoded or is not on the expected grid.
    """
    images = sorted((folder / "images").glob("*.nii.gz"))
    pairs = [(path, folder / "labels" / path.name) for path in images]
    volumes = [read_volume(image, label) for image, label in pairs if label.is_file()]
    if not volumes:
        raise InputError(
            "No pair images/*.nii.gz and labels/*.nii.gz was found",
            subject=str(folder),
            hint="Name the folder that holds the folders images and labels",
        )
    return volumes


def read_volume(image_path: Path, label_path: Path) -> HippocampusVolume:
    """Read one volume and its label map.

    Raises:
        UnreadableFileError: It cannot be decoded, or is not 1 mm along RAS axes with its label.
    """
    try:
        image_file, label_file = sitk.ReadImage(str(image_path)), sitk.ReadImage(str(label_path))
    except RuntimeError as error:
        raise UnreadableFileError(
            "The NIfTI file cannot be decoded", subject=str(image_path), hint="Copy it again"
        ) from error
    _check_grid(image_file, label_file, image_path)
    voxels = sitk.GetArrayFromImage(image_file)
    labels = sitk.GetArrayFromImage(label_file).astype(np.uint8)
    little = voxels.astype(voxels.dtype.newbyteorder("<"))
    boxed_image, valid = crop_box(normalise(voxels), labels)
    boxed_labels, _ = crop_box(labels, labels)
    return HippocampusVolume(
        name=image_path.name.removesuffix(".nii.gz"),
        image=boxed_image.astype(np.float32),
        labels=np.where(valid, boxed_labels, 0).astype(np.uint8),
        valid=valid,
        anterior_volume_mm3=float(np.count_nonzero(labels == 1)),
        posterior_volume_mm3=float(np.count_nonzero(labels == 2)),
        dtype=str(voxels.dtype),
        sha256=hashlib.sha256(little.tobytes()).hexdigest(),
        sha256_float32=hashlib.sha256(voxels.astype("<f4").tobytes()).hexdigest(),
    )


def _check_grid(image: sitk.Image, label: sitk.Image, path: Path) -> None:
    """Raise unless both lie on one 1 mm grid along right, anterior, superior."""
    regular = np.allclose(image.GetSpacing(), 1.0, atol=1e-3)
    ras = np.allclose(
        np.reshape(image.GetDirection(), (3, 3)), np.diag([-1.0, -1.0, 1.0]), atol=1e-4
    )
    same = image.GetSize() == label.GetSize() and np.allclose(image.GetOrigin(), label.GetOrigin())
    if not (regular and ras and same):
        raise UnreadableFileError(
            "Volume and label are not on one 1 mm grid along right, anterior, superior",
            subject=str(path),
            hint="Resample both to 1 mm along RAS axes",
        )


def normalise(voxels: NDArray[np.generic]) -> NDArray[np.float32]:
    """Map the 0.5th percentile of a volume to 0 and the 99.5th to 1, and clip; any shape."""
    values = voxels.astype(np.float64)
    low, high = np.percentile(values, PERCENTILES)
    scaled = (values - low) / max(high - low, np.finfo(np.float64).tiny)
    clipped: NDArray[np.float32] = np.clip(scaled, 0.0, 1.0).astype(np.float32)
    return clipped


def crop_box(
    array: NDArray[Scalar], labels: NDArray[np.uint8]
) -> tuple[NDArray[Scalar], NDArray[np.bool_]]:
    """Cut box and margin around the centre of the labels' bounding box.

    Returns:
        The array [44, 52, 36], mirrored where the source ends, and a mask of the source's voxels.
    """
    occupied = np.argwhere(labels > 0)
    centre = (occupied.min(axis=0) + occupied.max(axis=0) + 1) // 2
    start = centre - np.asarray(BOX) // 2 - MARGIN
    stop = start + np.asarray(BOX) + 2 * MARGIN
    inside_start, inside_stop = np.maximum(start, 0), np.minimum(stop, array.shape)
    inside = tuple(slice(int(a), int(b)) for a, b in zip(inside_start, inside_stop, strict=True))
    before, after = inside_start - start, stop - inside_stop
    widths = [(int(a), int(b)) for a, b in zip(before, after, strict=True)]
    valid = np.pad(np.ones(array[inside].shape, dtype=bool), widths)
    return np.pad(array[inside], widths, mode="reflect"), valid


def centred(array: NDArray[Scalar]) -> NDArray[Scalar]:
    """Drop the margin of a boxed array."""
    return array[MARGIN:-MARGIN, MARGIN:-MARGIN, MARGIN:-MARGIN]


def correlations(volumes: list[HippocampusVolume]) -> NDArray[np.float64]:
    """Return the Pearson correlation of every two centred boxes, shape [n, n]."""
    flat = np.stack([centred(volume.image).ravel() for volume in volumes]).astype(np.float64)
    return np.asarray(np.corrcoef(flat), dtype=np.float64)


def near_duplicate_groups(
    volumes: list[HippocampusVolume], threshold: float = NEAR_DUPLICATE_CORRELATION
) -> list[int]:
    """Return each volume's group: numbers 2k-1 and 2k, and all pairs above the threshold."""
    matrix = correlations(volumes)
    parent = list(range(len(volumes)))

    def root(index: int) -> int:
        while parent[index] != index:
            index = parent[index]
        return index

    for first in range(len(volumes)):
        for second in range(first + 1, len(volumes)):
            partners = (volumes[first].number + 1) // 2 == (volumes[second].number + 1) // 2
            if partners or matrix[first, second] > threshold:
                parent[root(second)] = root(first)
    roots = [root(index) for index in range(len(volumes))]
    numbers = {value: position for position, value in enumerate(dict.fromkeys(roots))}
    return [numbers[value] for value in roots]


def split_groups(
    groups: list[int], *, seed: int, unseen: int = 44, validation: int = 16
) -> list[str]:
    """Give whole groups to `unseen`, then `validation`, then `training`.

    Args:
        groups: Group number of each volume.
        seed: Of the order in which groups are dealt.
        unseen: Least number of volumes that training never reads, not even to choose a setting.
        validation: Least number of volumes used to choose settings.

    Returns:
        The split of each volume.
    """
    sizes = np.bincount(groups)
    order = np.random.Generator(np.random.PCG64(seed)).permutation(len(sizes))
    split_of: dict[int, str] = {}
    counts = {"unseen": 0, "validation": 0}
    wanted = {"unseen": unseen, "validation": validation}
    for group in order.tolist():
        name = next((key for key in wanted if counts[key] < wanted[key]), "training")
        split_of[group] = name
        if name in counts:
            counts[name] += int(sizes[group])
    return [split_of[group] for group in groups]
