"""How well two volumes agree where an alignment puts them; apart from what optimised it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.patient_space import FloatArray

_BINS = 32
_POINTS = 60_000
_OFF_MM = 12.0
_OFF_RADIANS = np.radians(10.0)


@dataclass(frozen=True, eq=False)
class SampledVolume:
    """Values of a volume on a coarse grid.

    Attributes:
        array: (slice, row, column) float32.
        geometry: Of the grid, LPS mm.
    """

    array: npt.NDArray[np.float32]
    geometry: VolumeGeometry

    @cached_property
    def content(self) -> FloatArray:
        """(n, 3) LPS mm of at most 60 000 voxels that are no background.

        Background is what lies below the threshold of N. Otsu (IEEE Trans SMC 9, 1979).
        """
        places = np.argwhere(self.array > _otsu(self.array))
        if not len(places):
            places = np.argwhere(np.ones(self.array.shape, bool))
        return self.geometry.index_to_lps(places[:: max(1, len(places) // _POINTS)])

    @cached_property
    def surroundings(self) -> npt.NDArray[np.uint8]:
        """(slice, row, column) 1 within 12 mm of what is no background: where edges are met."""
        inside = self.array > _otsu(self.array)
        for axis, step in enumerate(self.geometry.spacing_mm):
            width = 2 * round(_OFF_MM / step) + 1
            inside = ndimage.maximum_filter1d(inside, width, axis=axis)
        return np.asarray(inside, dtype=np.uint8)

    @cached_property
    def points(self) -> FloatArray:
        """(n, 3) LPS mm of at most 60 000 voxels of the surroundings, spread evenly."""
        places = np.argwhere(self.surroundings)
        return self.geometry.index_to_lps(places[:: max(1, len(places) // _POINTS)])

    def values_at(self, points_lps: FloatArray) -> npt.NDArray[np.float32]:
        """(n,) values, linear between voxels; NaN outside the centres of the outer voxels."""
        index = self.geometry.lps_to_index(points_lps).T
        values = ndimage.map_coordinates(self.array, index, order=1, mode="constant", cval=np.nan)
        return np.asarray(values, dtype=np.float32)

    def holds(self, points_lps: FloatArray) -> npt.NDArray[np.bool_]:
        """(n,) whether points lie within the grid, half a voxel beyond its outer centres."""
        index = self.geometry.lps_to_index(points_lps)
        last = np.array(self.geometry.shape) - 0.5
        return np.asarray(np.all((index >= -0.5) & (index <= last), axis=1))


def _otsu(array: npt.NDArray[np.float32]) -> float:
    counts, edges = np.histogram(array, bins=128)
    middles = (edges[:-1] + edges[1:]) / 2.0
    below = np.cumsum(counts)
    above = below[-1] - below
    sums = np.cumsum(counts * middles)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    best = int(np.nanargmax(between)) if np.isfinite(between).any() else 0
    return float(edges[best + 1])


def moved(points_lps: FloatArray, matrix: FloatArray) -> FloatArray:
    """Carry (n, 3) points by a (4, 4) matrix."""
    return np.asarray(points_lps @ matrix[:3, :3].T + matrix[:3, 3], dtype=np.float64)


def overlap_share(fixed: SampledVolume, moving: SampledVolume, matrix: FloatArray) -> float:
    """Share of the content of one volume that lies within the grid of the other; the larger one.

    Args:
        fixed: From whose LPS mm the matrix leads.
        moving: To whose LPS mm it leads.
        matrix: (4, 4) rigid.
    """
    inverse = np.asarray(np.linalg.inv(matrix), dtype=np.float64)
    there = moving.holds(moved(fixed.content, matrix)).mean()
    back = fixed.holds(moved(moving.content, inverse)).mean()
    return float(max(there, back))


def agreement(
    fixed: SampledVolume, moving: SampledVolume, matrix: FloatArray
) -> tuple[float, float]:
    """Return mutual information in bits and Pearson's correlation where the volumes overlap.

    Mutual information of the joint histogram of 32 x 32 bins, less the bias of its finite number
    of pairs (G. A. Miller, 1955), never below 0; (0, 0) where fewer than 500 pairs are left.

    Args:
        fixed: From whose LPS mm the matrix leads.
        moving: To whose LPS mm it leads.
        matrix: (4, 4) rigid.
    """
    points = fixed.points
    second = moving.values_at(moved(points, matrix))
    first = fixed.values_at(points)
    both = np.isfinite(first) & np.isfinite(second)
    if int(both.sum()) < 500:
        return 0.0, 0.0
    first, second = first[both], second[both]
    counts, _, _ = np.histogram2d(first, second, bins=_BINS)
    correlation = 0.0
    if first.std() > 0.0 and second.std() > 0.0:
        correlation = float(np.corrcoef(first, second)[0, 1])
    return mutual_information(counts), correlation


def score(fixed: SampledVolume, moving: SampledVolume, matrix: FloatArray) -> float:
    """Return by what places are compared: mutual information times the share that overlaps.

    Without the share a place with hardly any overlap, where chance alone agrees, could win.

    Args:
        fixed: From whose LPS mm the matrix leads.
        moving: To whose LPS mm it leads.
        matrix: (4, 4) rigid.
    """
    share = float(moving.holds(moved(fixed.points, matrix)).mean())
    return agreement(fixed, moving, matrix)[0] * share


def mutual_information(counts: npt.NDArray[np.float64]) -> float:
    """Return the mutual information in bits of a joint histogram, less its bias."""
    total = counts.sum()
    joint = counts / total
    rows, columns = joint.sum(axis=1), joint.sum(axis=0)
    seen = joint > 0.0
    plain = float((joint[seen] * np.log2(joint[seen] / np.outer(rows, columns)[seen])).sum())
    freedom = seen.sum() - (rows > 0.0).sum() - (columns > 0.0).sum() + 1
    return max(0.0, plain - float(freedom) / (2.0 * float(total) * float(np.log(2.0))))


def peak_share(fixed: SampledVolume, moving: SampledVolume, matrix: FloatArray) -> float:
    """By which share the mutual information falls beside the found place; negative if it rises.

    Args:
        fixed: From whose LPS mm the matrix leads.
        moving: To whose LPS mm it leads.
        matrix: (4, 4) rigid.
    """
    here, _ = agreement(fixed, moving, matrix)
    if here <= 0.0:
        return 0.0
    beside = [agreement(fixed, moving, off)[0] for off in _places_beside(fixed, matrix)]
    worst, mean = max(beside), float(np.mean(beside))
    return (here - worst) / here if worst > here else (here - mean) / here


def _places_beside(fixed: SampledVolume, matrix: FloatArray) -> Iterator[FloatArray]:
    """Yield the matrix with six shifts and six turns about the centre of the content put first."""
    centre = fixed.content.mean(axis=0)
    for axis in range(3):
        for sign in (-1.0, 1.0):
            off = np.eye(4)
            off[axis, 3] = sign * _OFF_MM
            yield matrix @ off
            turn = np.eye(4)
            first, second = (axis + 1) % 3, (axis + 2) % 3
            cosine, sine = np.cos(_OFF_RADIANS), sign * np.sin(_OFF_RADIANS)
            turn[first, first] = turn[second, second] = cosine
            turn[first, second], turn[second, first] = -sine, sine
            turn[:3, 3] = centre - turn[:3, :3] @ centre
            yield matrix @ turn


def residual_mm(fixed: SampledVolume, forth: FloatArray, back: FloatArray) -> float:
    """Mean distance in mm by which points of the content miss themselves after there and back.

    Args:
        fixed: Whose content is carried.
        forth: (4, 4) fixed to moving LPS mm.
        back: (4, 4) moving to fixed LPS mm, found for itself.
    """
    points = fixed.content
    return float(np.linalg.norm(moved(points, back @ forth) - points, axis=1).mean())
