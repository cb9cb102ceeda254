"""Features of a volume: IBSI first order and co-occurrence, gradient, noise.

The names and formulas are those of the Image Biomarker Standardisation Initiative (A. Zwanenburg et
al., Radiology 295 (2020) 328); the tests hold them to the digital phantom's benchmark values.
No network weights are involved, so that anybody can compute the same distance offline.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from carez_desktop.domain.volume import Volume
from carez_desktop.evaluation.noise_texture import measure_noise

FloatArray = npt.NDArray[np.float64]

LEVELS = 32
_MOST_SLICES = 24
_AIR_HU = -900.0


def first_order_features(values: npt.ArrayLike) -> dict[str, float]:
    """Return IBSI intensity-based statistics of the voxels of a region.

    Args:
        values: (n,) intensities, n at least 1.
    """
    x = np.asarray(values, dtype=np.float64).ravel()
    p10, p25, median, p75, p90 = (
        float(np.percentile(x, share, method="linear")) for share in (10, 25, 50, 75, 90)
    )
    mean, variance = float(x.mean()), float(x.var())
    robust = x[(x >= p10) & (x <= p90)]
    spread = variance > 0.0
    return {
        "mean": mean,
        "variance": variance,
        "skewness": float(stats.skew(x)) if spread else 0.0,
        "kurtosis": float(stats.kurtosis(x)) if spread else 0.0,
        "median": median,
        "p10": p10,
        "p90": p90,
        "interquartile_range": p75 - p25,
        "mean_absolute_deviation": float(np.abs(x - mean).mean()),
        "robust_mean_absolute_deviation": float(np.abs(robust - robust.mean()).mean()),
        "median_absolute_deviation": float(np.abs(x - median).mean()),
        "energy": float(np.sum(x * x)),
        "root_mean_square": float(np.sqrt(np.mean(x * x))),
    }


def histogram_features(levels: npt.ArrayLike) -> dict[str, float]:
    """Return IBSI entropy (bits) and uniformity of discretised intensities.

    Args:
        levels: (n,) integers, n at least 1.
    """
    _, counts = np.unique(np.asarray(levels).ravel(), return_counts=True)
    share = counts / counts.sum()
    return {
        "entropy": float(-np.sum(share * np.log2(share))),
        "uniformity": float(np.sum(share * share)),
    }


_OFFSETS = tuple(offset for offset in product((0, 1), (-1, 0, 1), (-1, 0, 1)) if offset > (0, 0, 0))
"""The 13 directions of the 26-neighbourhood, (slice, row, column)."""


def _paired(size: int, step: int) -> tuple[slice, slice]:
    if step >= 0:
        return slice(0, size - step), slice(step, size)
    return slice(-step, size), slice(0, size + step)


def cooccurrence_matrices(
    levels: npt.NDArray[np.integer[Any]], mask: npt.NDArray[np.bool_], count: int
) -> npt.NDArray[np.int64]:
    """Return symmetric grey level co-occurrence matrices at distance 1 (IBSI, 3-D).

    Args:
        levels: (slice, row, column) integers 1 .. count.
        mask: (slice, row, column); pairs lie inside it at both ends.
        count: Number of grey levels.

    Returns:
        (13, count, count), one per direction of the 26-neighbourhood.
    """
    matrices = np.zeros((len(_OFFSETS), count, count), dtype=np.int64)
    shape = levels.shape
    for place, offset in enumerate(_OFFSETS):
        spans = [_paired(size, step) for size, step in zip(shape, offset, strict=True)]
        head = tuple(span[0] for span in spans)
        tail = tuple(span[1] for span in spans)
        both = mask[head] & mask[tail]
        index = (levels[head][both] - 1).astype(np.int64) * count + (levels[tail][both] - 1)
        table = np.bincount(index, minlength=count * count).reshape(count, count)
        matrices[place] = table + table.T
    return matrices


def cooccurrence_features(matrix: npt.ArrayLike) -> dict[str, float]:
    """Return IBSI features of one co-occurrence matrix (counts or probabilities)."""
    p = np.asarray(matrix, dtype=np.float64)
    p = p / p.sum()
    grey = np.arange(1, len(p) + 1, dtype=np.float64)
    step = np.abs(grey[:, None] - grey[None, :])
    marginal = p.sum(axis=1)
    mean = float(np.sum(grey * marginal))
    variance = float(np.sum((grey - mean) ** 2 * marginal))
    filled = p[p > 0.0]
    product_mean = float(np.sum(grey[:, None] * grey[None, :] * p))
    return {
        "joint_maximum": float(p.max()),
        "joint_average": mean,
        "joint_variance": variance,
        "joint_entropy": float(-np.sum(filled * np.log2(filled))),
        "angular_second_moment": float(np.sum(p * p)),
        "contrast": float(np.sum(step**2 * p)),
        "dissimilarity": float(np.sum(step * p)),
        "inverse_difference": float(np.sum(p / (1.0 + step))),
        "inverse_difference_moment": float(np.sum(p / (1.0 + step**2))),
        "correlation": (product_mean - mean**2) / variance if variance > 0.0 else 1.0,
    }


def foreground_mask(volume: Volume) -> npt.NDArray[np.bool_]:
    """Return the voxels that show the patient: (slice, row, column).

    CT: above -900 HU and not padding. Elsewhere: above a tenth of the 99th percentile.
    """
    array = volume.array
    if volume.modality == "CT":
        mask = array > _AIR_HU
    else:
        mask = array > 0.1 * float(np.percentile(array, 99))
    if volume.padding_value is not None:
        mask &= array != volume.padding_value
    return mask if mask.any() else np.ones(array.shape, dtype=bool)


def _normalised(volume: Volume, mask: npt.NDArray[np.bool_]) -> FloatArray:
    """Return HU as they are; arbitrary units divided by their 99th percentile."""
    array = volume.array.astype(np.float64)
    if volume.units == "HU":
        return array
    top = float(np.percentile(array[mask], 99))
    return array / top if top > 0.0 else array


def _some_slices(count: int) -> npt.NDArray[np.intp]:
    """Return at most 24 slice indices spread over the middle nine tenths, in blocks of three."""
    margin = count // 20
    usable = np.arange(margin, count - margin)
    if usable.size <= _MOST_SLICES:
        return usable
    blocks = _MOST_SLICES // 3
    starts = np.linspace(usable[0], usable[-1] - 2, blocks).round().astype(np.intp)
    return np.unique((starts[:, None] + np.arange(3)[None, :]).ravel())


def volume_features(volume: Volume) -> Mapping[str, float]:
    """Return the features of one volume, in a fixed order.

    First order, histogram, co-occurrence (merged over 13 directions, 32 levels between the 1st and
    99th percentile), gradient per millimetre and noise, on at most 24 slices.

    Args:
        volume: (slice, row, column); HU are taken as they are, other units are normalised.
    """
    chosen = _some_slices(volume.array.shape[0])
    mask = foreground_mask(volume)[chosen]
    array = _normalised(volume, foreground_mask(volume))[chosen]
    if not mask.any():
        mask = np.ones(array.shape, dtype=bool)
    values = array[mask]
    low, high = (float(np.percentile(values, share)) for share in (1, 99))
    width = high - low if high > low else 1.0
    levels = np.clip(np.floor((array - low) / width * LEVELS) + 1, 1, LEVELS).astype(np.int64)
    texture = cooccurrence_features(cooccurrence_matrices(levels, mask, LEVELS).sum(axis=0))
    first = first_order_features(values)
    del first["energy"]
    _, row_mm, column_mm = volume.geometry.spacing_mm
    along_row = np.gradient(array, row_mm, axis=1)
    along_column = np.gradient(array, column_mm, axis=2)
    gradient = np.hypot(along_row, along_column)[mask]
    noise = measure_noise(array, modality=volume.modality)
    return {
        **first,
        **histogram_features(levels[mask]),
        **{f"texture_{name}": value for name, value in texture.items()},
        "gradient_mean": float(gradient.mean()),
        "gradient_p90": float(np.percentile(gradient, 90)),
        "noise_sd": noise.sd if noise else 0.0,
        "noise_frequency": noise.mean_frequency if noise else 0.0,
    }


def standardise(
    real: FloatArray, synthetic: FloatArray
) -> tuple[FloatArray, FloatArray, npt.NDArray[np.bool_]]:
    """Scale both samples by the real one's mean and deviation; drop features without spread.

    Args:
        real: (n, d).
        synthetic: (m, d).

    Returns:
        Both samples with the kept features, and (d,) which were kept.
    """
    centre, spread = real.mean(axis=0), real.std(axis=0)
    keep = spread > 1e-9 * np.maximum(1.0, np.abs(centre))
    scale = spread[keep]
    return (real[:, keep] - centre[keep]) / scale, (synthetic[:, keep] - centre[keep]) / scale, keep
