"""Score a segmentation as detections: which lesions were found, and what was found beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

OVERLAP = 0.1
"""Least intersection over union at which a lesion counts as found."""
SMALLEST = 3
"""Predicted components of fewer voxels are dropped."""

_NEIGHBOURS = np.ones((3, 3, 3), dtype=bool)


@dataclass(frozen=True, slots=True)
class DetectionCounts:
    """What a model found in one volume.

    Attributes:
        lesions: Connected components (26 neighbours) of the reference.
        hits: Lesions found.
        false_positives: Predicted components that belong to no found lesion.
        voxels_true / voxels_hit / voxels_predicted: Of the reference, in both, of the prediction.
    """

    lesions: int
    hits: int
    false_positives: int
    voxels_true: int
    voxels_hit: int
    voxels_predicted: int


def count_detections(
    probability: npt.NDArray[np.floating],
    mask: npt.NDArray[np.bool_],
    threshold: float,
) -> DetectionCounts:
    """Count found lesions and false positives at a threshold.

    A lesion is found where it and the predicted components that touch it have an intersection over
    union of at least 0.1: one voxel is not enough, and a prediction that covers everything finds
    nothing.

    Args:
        probability: (slice, row, column) in [0, 1].
        mask: (slice, row, column), the reference.
        threshold: A voxel is predicted at or above it.
    """
    predicted, components = ndimage.label(probability >= threshold, structure=_NEIGHBOURS)
    sizes = np.bincount(predicted.ravel(), minlength=components + 1)
    small = sizes < SMALLEST
    small[0] = False
    if small.any():
        predicted = np.where(small[predicted], 0, predicted)
    alive = np.flatnonzero(~small[1:]) + 1
    lesions, count = ndimage.label(mask, structure=_NEIGHBOURS)
    useful: set[int] = set()
    hits = 0
    for lesion in range(1, count + 1):
        inside = lesions == lesion
        touching = np.unique(predicted[inside])
        touching = touching[touching > 0]
        if not touching.size:
            continue
        both = int(np.count_nonzero(predicted[inside]))
        union = int(np.count_nonzero(inside)) + int(sizes[touching].sum()) - both
        if both / union >= OVERLAP:
            hits += 1
            useful.update(int(part) for part in touching)
    return DetectionCounts(
        lesions=int(count),
        hits=hits,
        false_positives=len([part for part in alive if int(part) not in useful]),
        voxels_true=int(np.count_nonzero(mask)),
        voxels_hit=int(np.count_nonzero((predicted > 0) & mask)),
        voxels_predicted=int(np.count_nonzero(predicted)),
    )


THRESHOLDS = (
    *(round(0.05 * step, 2) for step in range(1, 20)),
    *(0.97, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9998, 0.9999),
)
"""Evenly spaced, then closer and closer to 1, where a confident model is told apart."""


def choose_threshold(
    probabilities: Sequence[npt.NDArray[np.floating]],
    masks: Sequence[npt.NDArray[np.bool_]],
    *,
    false_positives_per_case: float,
) -> float:
    """Choose the lowest threshold with no more false positives per case than allowed.

    Args:
        probabilities: Of the validation volumes, each (slice, row, column); never of test volumes.
        masks: Their references.
        false_positives_per_case: The allowance.

    Returns:
        One of `THRESHOLDS`; the highest where none keeps to the allowance.
    """
    for threshold in THRESHOLDS:
        counts = [
            count_detections(probability, mask, threshold)
            for probability, mask in zip(probabilities, masks, strict=True)
        ]
        if np.mean([found.false_positives for found in counts]) <= false_positives_per_case:
            return threshold
    return THRESHOLDS[-1]
