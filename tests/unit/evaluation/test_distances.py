"""Distances against closed forms, scikit-learn and the published Vendi examples."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.metrics.pairwise import polynomial_kernel

from carez_desktop.evaluation.distances import (
    frechet_distance,
    frechet_distance_of_moments,
    kernel_distance,
    median_distance,
    vendi_of_kernel,
    vendi_score,
)


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    data = load_digits()
    return data.data / 16.0, data.target


def test_frechet_of_diagonal_gaussians_is_33() -> None:
    """(3, 4) apart: 25; variances 1/9 and 4/16: (3 - 1)^2 + (4 - 2)^2 = 8."""
    distance = frechet_distance_of_moments(
        np.zeros(2), np.diag([1.0, 4.0]), np.array([3.0, 4.0]), np.diag([9.0, 16.0])
    )
    assert distance == pytest.approx(33.0, abs=1e-12)


def test_frechet_of_gaussians_that_do_not_commute() -> None:
    """Closed form of 2 x 2: tr sqrt(AB) = sqrt(tr(AB) + 2 sqrt(det AB))."""
    a, b = np.array([[2.0, 0.5], [0.5, 1.0]]), np.array([[1.0, -0.3], [-0.3, 3.0]])
    distance = frechet_distance_of_moments(np.array([1.0, 0.0]), a, np.zeros(2), b)
    assert distance == pytest.approx(1.9293118549677741, abs=1e-12)
    root = np.sqrt(np.trace(a @ b) + 2 * np.sqrt(np.linalg.det(a @ b)))
    assert distance == pytest.approx(1.0 + np.trace(a + b) - 2 * root, abs=1e-12)


def test_frechet_of_gaussians_that_commute() -> None:
    a, b = np.array([[2.0, 1.0], [1.0, 2.0]]), np.array([[2.0, -1.0], [-1.0, 2.0]])
    assert frechet_distance_of_moments(np.zeros(2), a, np.zeros(2), b) == pytest.approx(
        8.0 - 4.0 * np.sqrt(3.0), abs=1e-12
    )


def test_frechet_survives_singular_covariances(digits: tuple[np.ndarray, np.ndarray]) -> None:
    """Values of the digits computed with scipy's matrix square root."""
    x, y = digits
    assert frechet_distance(x[::2], x[1::2]) == pytest.approx(0.07052481833787402, abs=1e-6)
    assert frechet_distance(x[y < 5], x[y >= 5]) == pytest.approx(2.088147719670425, abs=1e-6)


def test_kernel_distance_agrees_with_scikit_learn(digits: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = digits
    low, high = x[y < 5], x[y >= 5]
    found = kernel_distance(low, high)
    assert found == pytest.approx(0.031240354041703444, abs=1e-12)
    kernels = [polynomial_kernel(a, b, degree=3, coef0=1) for a, b in ((low, low), (high, high))]
    within = [(k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in kernels]
    assert found == pytest.approx(
        sum(within) - 2 * polynomial_kernel(low, high, degree=3, coef0=1).mean(), abs=1e-12
    )
    assert kernel_distance(x[::2], x[1::2]) == pytest.approx(-0.00033703845, abs=1e-10)


def test_vendi_of_the_published_examples(digits: tuple[np.ndarray, np.ndarray]) -> None:
    points = np.array([0.0, 0.0, 10.0, 10.0, 20.0, 20.0])
    kernel = np.exp(-np.abs(points[:, None] - points[None, :]))
    assert vendi_of_kernel(kernel) == pytest.approx(2.9999999959, abs=1e-9)
    near = np.array([[1.0, 0.9, 0.0], [0.9, 1.0, 0.0], [0.0, 0.0, 1.0]])
    assert vendi_of_kernel(near) == pytest.approx(2.1573004834, abs=1e-9)
    assert vendi_of_kernel(np.ones((5, 5))) == pytest.approx(1.0)
    assert vendi_of_kernel(np.eye(7)) == pytest.approx(7.0)
    unit = digits[0] / np.linalg.norm(digits[0], axis=1, keepdims=True)
    dual = unit.T @ unit * (unit.shape[1] / unit.shape[0])  # same eigenvalues, 64 x 64
    assert vendi_of_kernel(dual) == pytest.approx(4.67761260519, abs=1e-8)


def test_vendi_counts_what_differs_at_the_scale() -> None:
    sample = np.array([[0.0, 0.0], [100.0, 0.0], [0.0, 100.0]])
    assert vendi_score(sample, 1.0) == pytest.approx(3.0)
    assert vendi_score(np.repeat(sample[:1], 4, axis=0), 1.0) == pytest.approx(1.0)
    assert median_distance(sample) == pytest.approx(100.0)
    assert median_distance(np.zeros((3, 2))) == 1.0
