"""Distances between two samples of feature vectors, and how many different cases a sample holds."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


def _symmetric_root(matrix: FloatArray) -> FloatArray:
    """Return the square root of a symmetric positive semi-definite matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.sqrt(np.clip(values, 0.0, None))) @ vectors.T)


def frechet_distance_of_moments(
    mean_a: FloatArray, covariance_a: FloatArray, mean_b: FloatArray, covariance_b: FloatArray
) -> float:
    """Return the squared Frechet distance of two Gaussians.

    |mu_a - mu_b|^2 + tr(A + B - 2 (A^1/2 B A^1/2)^1/2): D. C. Dowson, B. V. Landau, J. Multivar.
    Anal. 12 (1982) 450. The symmetric form keeps the trace real where A or B is singular.

    Args:
        mean_a: (d,).
        covariance_a: (d, d), symmetric.
        mean_b: (d,).
        covariance_b: (d, d), symmetric.
    """
    root = _symmetric_root(np.asarray(covariance_a, dtype=np.float64))
    middle = np.linalg.eigvalsh(root @ np.asarray(covariance_b, dtype=np.float64) @ root)
    cross = float(np.sqrt(np.clip(middle, 0.0, None)).sum())
    shift = float(np.sum((np.asarray(mean_a) - np.asarray(mean_b)) ** 2))
    return shift + float(np.trace(covariance_a) + np.trace(covariance_b)) - 2.0 * cross


def frechet_distance(first: FloatArray, second: FloatArray) -> float:
    """Return the squared Frechet distance of two samples (n, d), (m, d), covariances with n - 1."""
    return frechet_distance_of_moments(
        first.mean(axis=0),
        np.atleast_2d(np.cov(first, rowvar=False)),
        second.mean(axis=0),
        np.atleast_2d(np.cov(second, rowvar=False)),
    )


def kernel_distance(first: FloatArray, second: FloatArray) -> float:
    """Return the kernel distance of two samples: the unbiased squared MMD, kernel (x.y / d + 1)^3.

    It may be negative. Source: M. Binkowski et al., Demystifying MMD GANs, ICLR 2018, eq. 4.

    Args:
        first: (n, d), n at least 2.
        second: (m, d), m at least 2.
    """
    size = first.shape[1]
    n, m = len(first), len(second)

    def kernel(left: FloatArray, right: FloatArray) -> FloatArray:
        return np.asarray((left @ right.T / size + 1.0) ** 3)

    within_first, within_second = kernel(first, first), kernel(second, second)
    first_term = (within_first.sum() - np.trace(within_first)) / (n * (n - 1))
    second_term = (within_second.sum() - np.trace(within_second)) / (m * (m - 1))
    return float(first_term + second_term - 2.0 * kernel(first, second).mean())


def vendi_of_kernel(kernel: FloatArray) -> float:
    """Return the Vendi score: the exponential of the Shannon entropy of K / n's eigenvalues.

    The effective number of different cases: 1 for copies of one, n for n with nothing in common.
    Source: D. Friedman, A. B. Dieng, The Vendi Score, TMLR 2023, eq. 2.

    Args:
        kernel: (n, n) similarities, symmetric, ones on the diagonal.
    """
    values = np.linalg.eigvalsh(np.asarray(kernel, dtype=np.float64) / len(kernel))
    values = values[values > 1e-15]
    return float(np.exp(-np.sum(values * np.log(values))))


def vendi_score(sample: FloatArray, scale: float) -> float:
    """Return the Vendi score of a sample under a Gaussian kernel.

    Args:
        sample: (n, d).
        scale: Distance at which the similarity is exp(-1/2); above 0.
    """
    square = np.sum((sample[:, None, :] - sample[None, :, :]) ** 2, axis=-1)
    return vendi_of_kernel(np.exp(-square / (2.0 * scale * scale)))


def median_distance(sample: FloatArray) -> float:
    """Return the median distance between two different rows of (n, d); 1 where it is 0."""
    square = np.sum((sample[:, None, :] - sample[None, :, :]) ** 2, axis=-1)
    pairs = np.sqrt(square[np.triu_indices(len(sample), k=1)])
    middle = float(np.median(pairs)) if pairs.size else 0.0
    return middle if middle > 0.0 else 1.0
