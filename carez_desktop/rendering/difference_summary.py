"""What a difference amounts to: mean, spread, largest size, and how many values it is of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from carez_desktop.rendering.common_samples import common_samples
from carez_desktop.workspace.pane import PlacedLayer

_MOST = 4_000_000


@dataclass(frozen=True, slots=True)
class DifferenceSummary:
    """Differences where both volumes have a value, in modality values.

    Attributes:
        n: Values that went in.
        asked: Places that were visited, also those where only one volume has a value.
        mean: First minus second.
        sd: Standard deviation with n in the denominator.
        largest: Largest size of a difference.
        above: Share of the n whose size is above the threshold.
    """

    n: int
    asked: int
    mean: float
    sd: float
    largest: float
    above: float


def summary_of(
    differences: npt.NDArray[Any], *, threshold: float = 0.0, asked: int = 0
) -> DifferenceSummary | None:
    """Sum differences up; None where there is none.

    Args:
        differences: Any shape; what is not finite is left out.
        threshold: Modality values.
        asked: Places visited; 0 takes the number of elements.
    """
    values = differences[np.isfinite(differences)].astype(np.float64)
    if values.size == 0:
        return None
    size = np.abs(values)
    return DifferenceSummary(
        int(values.size),
        asked or int(differences.size),
        float(values.mean()),
        float(values.std()),
        float(size.max()),
        float(np.count_nonzero(size > threshold)) / values.size,
    )


def volume_summary(
    base: PlacedLayer, second: PlacedLayer, *, threshold: float = 0.0
) -> DifferenceSummary | None:
    """Sum up base minus second at voxels of the base, four million of them at most.

    Args:
        base: On a regular grid, no colours.
        second: Of the same units; interpolated (trilinear) at the base's voxel centres.
        threshold: Modality values.
    """
    between = second.to_layer @ np.linalg.inv(base.to_layer)
    pairs = common_samples(base.layer.volume, second.layer.volume, between, _MOST)
    differences = pairs.fixed.astype(np.float64) - pairs.moving
    return summary_of(differences, threshold=threshold, asked=pairs.asked)
