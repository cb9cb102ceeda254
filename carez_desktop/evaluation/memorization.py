"""Non-memorization: is a synthetic volume a copy of one that the generator saw.

Perceptual hash first, then the nearest neighbour by correlation. The null is what *held-out real*
patients do: how near they come to the nearest volume that the generator saw. This is screening, not
a guarantee (post-hoc filters miss near-duplicates: Koeken et al., arXiv 2510.01793).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

from carez_desktop.domain.evaluation import Measurement
from carez_desktop.domain.plan import EvaluationPlan
from carez_desktop.evaluation.intervals import beta_binomial_upper_tail, clopper_pearson_interval
from carez_desktop.evaluation.scorecard import missing

SIDE = 32
_LOW = 6
HASH_BITS = _LOW**3 - 1

FLIPS = tuple(product((1, -1), repeat=3))


def thumbnail_cube(array: npt.NDArray[Any], *, side: int = SIDE) -> npt.NDArray[np.float64]:
    """Reduce a volume to side^3 by averaging, and give it mean 0 and deviation 1.

    Args:
        array: (slice, row, column), any modality values. An axis shorter than `side` is
            interpolated first.
        side: Edge of the cube.
    """
    data = np.asarray(array, dtype=np.float64)
    factors = [max(1.0, side / size) for size in data.shape]
    if max(factors) > 1.0:
        data = ndimage.zoom(data, factors, order=1, mode="nearest", grid_mode=True)
    for axis in range(3):
        size = data.shape[axis]
        edges = np.floor(np.arange(side) * size / side).astype(np.intp)
        widths = np.diff(np.append(edges, size))
        shape = [1, 1, 1]
        shape[axis] = side
        data = np.add.reduceat(data, edges, axis=axis) / widths.reshape(shape)
    deviation = float(data.std())
    centred = np.asarray(data - data.mean(), dtype=np.float64)
    return centred / deviation if deviation > 0.0 else centred


def perceptual_hash(cube: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Return 215 bits: which low DCT-II coefficients (6^3 without DC) lie above their median.

    The 3-D form of the DCT hash (C. Zauner, 2010); affine changes of intensity leave it alone.

    Args:
        cube: (side, side, side) as `thumbnail_cube` returns it.
    """
    low = np.asarray(fft.dctn(cube, type=2, norm="ortho"))[:_LOW, :_LOW, :_LOW].ravel()[1:]
    return np.asarray(low > np.median(low))


def hash_distance(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> int:
    """Return the least Hamming distance of two cubes' hashes over the 8 flips of the second."""
    reference = perceptual_hash(first)
    return min(
        int(np.count_nonzero(reference != perceptual_hash(second[::z, ::y, ::x])))
        for z, y, x in FLIPS
    )


def nearest_correlation(
    cube: npt.NDArray[np.float64], against: Sequence[npt.NDArray[np.float64]]
) -> tuple[float, int]:
    """Return the largest Pearson correlation with a set, over 8 flips, and which member has it."""
    best, place = -1.0, -1
    flips = np.stack([cube[::z, ::y, ::x].ravel() for z, y, x in FLIPS])
    for index, other in enumerate(against):
        value = float((flips @ other.ravel()).max()) / cube.size
        if value > best:
            best, place = value, index
    return best, place


@dataclass(frozen=True, slots=True)
class CopyScreen:
    """What the screening found.

    Attributes:
        synthetic: Nearest correlation of each synthetic case with what the generator saw.
        null: The same of each held-out real patient (largest over the patient's volumes).
        hashes: Least hash distance of each synthetic case.
        threshold: Correlation above which a case is an alarm; None where the null is too small.
        rank: Rank of the threshold in the null, from the most extreme.
    """

    synthetic: tuple[float, ...]
    null: tuple[float, ...]
    hashes: tuple[int, ...]
    threshold: float | None
    rank: int

    @property
    def flagged(self) -> int:
        """How many synthetic cases lie above the threshold."""
        if self.threshold is None:
            return 0
        return sum(value > self.threshold for value in self.synthetic)


def screen_for_copies(
    synthetic: Sequence[npt.NDArray[np.float64]],
    seen: Sequence[npt.NDArray[np.float64]],
    held_out: Sequence[tuple[str, npt.NDArray[np.float64]]],
    *,
    alarm_share: float,
) -> CopyScreen:
    """Compare synthetic cases, and held-out real patients, with what the generator saw.

    Args:
        synthetic: Cubes of the cases.
        seen: Cubes of the training or source volumes; not empty.
        held_out: (patient, cube) of real volumes whose patients the generator did not see.
        alarm_share: Nominal share of alarms without copying; gives the threshold's rank.
    """
    values = tuple(nearest_correlation(cube, seen)[0] for cube in synthetic)
    hashes = tuple(min(hash_distance(other, cube) for other in seen) for cube in synthetic)
    by_patient: dict[str, float] = {}
    for patient, cube in held_out:
        found = nearest_correlation(cube, seen)[0]
        by_patient[patient] = max(found, by_patient.get(patient, -1.0))
    null = tuple(sorted(by_patient.values(), reverse=True))
    rank = max(1, int(alarm_share * (len(null) + 1)))
    threshold = null[rank - 1] if len(null) >= rank and null else None
    return CopyScreen(values, null, hashes, threshold, rank)


def copy_measurements(
    screen: CopyScreen, plan: EvaluationPlan, *, independent: int
) -> tuple[Measurement, ...]:
    """Turn a screening into measurements.

    Args:
        screen: As `screen_for_copies` returns it.
        plan: Confidence.
        independent: Independent synthetic cases: distinct sources for a conditioned generator.
    """
    total = len(screen.synthetic)
    if not total:
        return (missing("copy_alarms", "No synthetic case"),)
    hashes = Measurement(
        "least_hash_distance",
        float(min(screen.hashes)),
        None,
        independent,
        unit="bits",
        method=f"Least Hamming distance over 8 flips, 3-D DCT hash of {HASH_BITS} bits",
        reference=HASH_BITS / 2.0,
    )
    nearest = Measurement(
        "nearest_correlation",
        float(np.median(screen.synthetic)),
        None,
        independent,
        method="Median over cases of the largest Pearson correlation with what was seen (32^3)",
        reference=float(np.median(screen.null)) if screen.null else None,
        reason="" if screen.null else "No held-out real patient to compare with",
    )
    if screen.threshold is None:
        return (missing("copy_alarms", "No held-out real patient gives a null"), nearest, hashes)
    share = screen.flagged / total
    tail = beta_binomial_upper_tail(screen.flagged, total, screen.rank, len(screen.null))
    expected = screen.rank / (len(screen.null) + 1)
    alarms = Measurement(
        "copy_alarms",
        share,
        clopper_pearson_interval(screen.flagged, total, plan.confidence),
        independent,
        confidence=plan.confidence,
        method=(
            f"{screen.flagged} of {total} cases nearer to a seen volume than held-out patient "
            f"number {screen.rank} of {len(screen.null)}; chance of so many without copying "
            f"(Beta-binomial) {tail:.3g}"
        ),
        reference=expected,
    )
    chance = Measurement(
        "copy_alarm_probability",
        tail,
        None,
        len(screen.null),
        method="Beta-binomial upper tail; n is the number of held-out patients",
    )
    return (alarms, chance, nearest, hashes)
