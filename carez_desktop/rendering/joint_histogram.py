"""How the values of two volumes go together: joint histogram, mutual information, correlation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from carez_desktop.domain.patient_space import FloatArray
from carez_desktop.domain.volume import Volume
from carez_desktop.rendering.common_samples import common_samples

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class JointHistogram:
    """Counts of pairs of values, and what they tell.

    Attributes:
        counts: (bins, bins) int64; first axis the fixed volume, second the moving one.
        fixed_edges: (bins + 1,) modality values.
        moving_edges: (bins + 1,) modality values.
        mutual_information: In nats, of the binned values (Shannon; plug-in estimate).
        correlation: Pearson's, of the values themselves; NaN where one of them is constant.
        n: Pairs counted.
        overlap: Share of the visited voxels of the fixed volume that had a partner.
    """

    counts: npt.NDArray[np.int64]
    fixed_edges: Floats
    moving_edges: Floats
    mutual_information: float
    correlation: float
    n: int
    overlap: float


def joint_histogram(
    fixed: Volume, moving: Volume, matrix: FloatArray, bins: int = 64
) -> JointHistogram:
    """Count pairs of values of two volumes at the same places.

    Up to two million voxels of the fixed volume are visited; the moving one is interpolated there.

    Args:
        fixed: Whose grid is used; no colours.
        moving: No colours.
        matrix: (4, 4) LPS mm of the fixed volume to LPS mm of the moving one.
        bins: Along each axis; they span the values met.

    Raises:
        ValueError: A volume of colours, or fewer than one bin.
    """
    if fixed.is_colour or moving.is_colour or bins < 1:
        raise ValueError("a joint histogram needs modality values and at least one bin")
    pairs = common_samples(fixed, moving, matrix)
    return histogram_of(pairs.fixed, pairs.moving, bins, overlap=pairs.overlap)


def histogram_of(
    fixed: npt.NDArray[np.float32],
    moving: npt.NDArray[np.float32],
    bins: int,
    *,
    overlap: float = 1.0,
) -> JointHistogram:
    """Count pairs of finite values (n,) and (n,)."""
    fixed_edges, moving_edges = _edges(fixed, bins), _edges(moving, bins)
    places = _bin_of(fixed, fixed_edges) * bins + _bin_of(moving, moving_edges)
    counts = np.bincount(places, minlength=bins * bins).reshape(bins, bins)
    return JointHistogram(
        counts,
        fixed_edges,
        moving_edges,
        mutual_information(counts),
        _correlation(fixed, moving),
        int(fixed.size),
        overlap,
    )


def mutual_information(counts: npt.NDArray[np.int64]) -> float:
    """Return sum p log(p / (p_row p_column)) in nats (C. E. Shannon, 1948); 0 without counts."""
    total = float(counts.sum())
    if total == 0.0:
        return 0.0
    joint = counts / total
    apart = joint.sum(axis=1)[:, None] * joint.sum(axis=0)[None, :]
    met = joint > 0.0
    found = float(np.sum(joint[met] * np.log(joint[met] / apart[met])))
    return max(found, 0.0)


def _edges(values: npt.NDArray[np.float32], bins: int) -> Floats:
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
    if not high > low:
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, bins + 1)


def _bin_of(values: npt.NDArray[np.float32], edges: Floats) -> npt.NDArray[np.intp]:
    """Bin of each value; the last edge belongs to the last bin, as numpy has it."""
    bins = edges.size - 1
    places = np.searchsorted(edges, values.astype(np.float64), side="right") - 1
    return np.clip(places, 0, bins - 1)


def _correlation(fixed: npt.NDArray[np.float32], moving: npt.NDArray[np.float32]) -> float:
    if fixed.size < 2:
        return float("nan")
    first = fixed.astype(np.float64) - float(fixed.mean(dtype=np.float64))
    second = moving.astype(np.float64) - float(moving.mean(dtype=np.float64))
    size = float(np.sqrt((first @ first) * (second @ second)))
    return float(first @ second) / size if size > 0.0 else float("nan")
