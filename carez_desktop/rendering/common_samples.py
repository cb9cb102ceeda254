"""Values of two volumes at the same places: on the grid of the first, or some voxels of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from carez_desktop.domain.patient_space import FloatArray
from carez_desktop.domain.volume import Volume
from carez_desktop.rendering.difference import automatic_limit, modality_values
from carez_desktop.rendering.display_voxels import display_voxels
from carez_desktop.rendering.slice_pipeline import SliceSampler

_FOR_LIMIT = 200_000


@dataclass(frozen=True, slots=True, eq=False)
class CommonSamples:
    """Pairs of modality values where both volumes have one.

    Attributes:
        fixed: (n,) float32, at voxel centres of the fixed volume.
        moving: (n,) float32, interpolated at the same places of the patient.
        asked: How many voxels of the fixed volume were visited.
    """

    fixed: npt.NDArray[np.float32]
    moving: npt.NDArray[np.float32]
    asked: int

    @property
    def overlap(self) -> float:
        """Share of the visited voxels where both have a value."""
        return self.fixed.size / self.asked


def common_samples(
    fixed: Volume, moving: Volume, matrix: FloatArray, most: int = 2_000_000
) -> CommonSamples:
    """Take values of both volumes at voxels of the fixed one.

    Args:
        fixed: Whose voxel centres are visited, every n-th along each axis.
        moving: Interpolated there (trilinear).
        matrix: (4, 4) LPS mm of the fixed volume to LPS mm of the moving one.
        most: Voxels to visit; a stride is chosen that keeps below.
    """
    shape = fixed.geometry.shape
    strides = strides_for(shape, most)
    down, across = strides[1], strides[2]
    sampler, voxels = SliceSampler(moving), display_voxels(fixed)
    rows, columns = (-(-shape[axis] // strides[axis]) for axis in (1, 2))
    affine = fixed.geometry.affine
    grid = np.eye(4)
    grid[:3, 0] = affine[:3, 2] * across
    grid[:3, 1] = affine[:3, 1] * down
    grid[:3, 2] = np.cross(grid[:3, 0], grid[:3, 1])
    grid[:3, 2] /= np.linalg.norm(grid[:3, 2])
    kept: list[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]] = []
    asked = 0
    for index in range(0, shape[0], strides[0]):
        grid[:3, 3] = fixed.geometry.index_to_lps((index, 0, 0))
        sampled = sampler.sample(matrix @ grid, columns, rows, smoothed=False)
        there = modality_values(sampled, moving.padding_value)
        here = modality_values(voxels[index, ::down, ::across], fixed.padding_value)
        both = np.isfinite(here) & np.isfinite(there)
        asked += both.size
        kept.append((here[both], there[both]))
    return CommonSamples(
        np.concatenate([pair[0] for pair in kept]),
        np.concatenate([pair[1] for pair in kept]),
        asked,
    )


def strides_for(shape: tuple[int, int, int], most: int) -> tuple[int, int, int]:
    """Return steps along each axis that visit at most that many voxels, coarsest where longest."""
    strides = [1, 1, 1]
    lengths = list(shape)
    while lengths[0] * lengths[1] * lengths[2] > most:
        axis = int(np.argmax(lengths))
        strides[axis] += 1
        lengths[axis] = -(-shape[axis] // strides[axis])
    return (strides[0], strides[1], strides[2])


def pair_limit(fixed: Volume, moving: Volume, matrix: FloatArray) -> float:
    """Return a limit for differences of two volumes that stays while slices change.

    The 99.5 percentile of their size over the volume that both share; see `automatic_limit`.

    Args:
        fixed: The base.
        moving: What is subtracted.
        matrix: (4, 4) LPS mm of the fixed volume to LPS mm of the moving one.
    """
    pairs = common_samples(fixed, moving, matrix, _FOR_LIMIT)
    return automatic_limit(pairs.fixed - pairs.moving)
