"""Features against the IBSI digital phantom's benchmark values (CC BY 4.0, theibsi/data_sets).

The numbers are those of IBSI's documentation, `docs/03_Image_features.rst`; a value agrees when it
rounds to the published one.
"""

from __future__ import annotations

import numpy as np
import pytest

from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.volume import Volume
from carez_desktop.evaluation.features import (
    cooccurrence_features,
    cooccurrence_matrices,
    first_order_features,
    histogram_features,
    standardise,
    volume_features,
)

PHANTOM = np.array(
    [
        [[1, 4, 4, 1, 1], [1, 4, 6, 1, 1], [4, 1, 6, 4, 1], [4, 4, 6, 4, 1]],
        [[1, 4, 4, 1, 1], [1, 1, 6, 1, 1], [0, 1, 3, 1, 1], [4, 4, 6, 1, 1]],
        [[1, 4, 4, 0, 0], [1, 1, 1, 1, 1], [1, 1, 0, 1, 1], [1, 1, 6, 1, 1]],
        [[1, 4, 4, 0, 0], [1, 1, 1, 1, 1], [1, 1, 1, 1, 1], [1, 1, 6, 1, 1]],
    ]
)
MASK = PHANTOM > 0

FIRST_ORDER = {
    "mean": 2.15,
    "variance": 3.05,
    "skewness": 1.08,
    "kurtosis": -0.355,
    "median": 1,
    "p10": 1,
    "p90": 4,
    "interquartile_range": 3,
    "mean_absolute_deviation": 1.55,
    "robust_mean_absolute_deviation": 1.11,
    "median_absolute_deviation": 1.15,
    "energy": 567,
    "root_mean_square": 2.77,
}
AVERAGED = {
    "joint_maximum": 0.503,
    "joint_average": 2.14,
    "joint_variance": 3.10,
    "joint_entropy": 2.40,
    "angular_second_moment": 0.303,
    "contrast": 5.32,
    "dissimilarity": 1.43,
    "inverse_difference": 0.677,
    "inverse_difference_moment": 0.618,
    "correlation": 0.157,
}
MERGED = {
    "joint_maximum": 0.509,
    "joint_average": 2.15,
    "joint_variance": 3.13,
    "joint_entropy": 2.57,
    "angular_second_moment": 0.291,
    "contrast": 5.12,
    "dissimilarity": 1.38,
    "inverse_difference": 0.688,
    "inverse_difference_moment": 0.631,
    "correlation": 0.183,
}


def _rounds_to(value: float, published: float) -> bool:
    return float(f"{value:.3g}") == pytest.approx(published, abs=1e-12)


def test_the_phantom_has_the_published_region() -> None:
    assert np.count_nonzero(MASK) == 74


@pytest.mark.parametrize(("name", "published"), FIRST_ORDER.items())
def test_first_order_agrees_with_ibsi(name: str, published: float) -> None:
    assert _rounds_to(first_order_features(PHANTOM[MASK])[name], published)


def test_histogram_agrees_with_ibsi() -> None:
    found = histogram_features(PHANTOM[MASK])
    assert found["entropy"] == pytest.approx(1.265612, abs=1e-6)
    assert found["uniformity"] == pytest.approx(0.512418, abs=1e-6)


@pytest.mark.parametrize(("name", "published"), AVERAGED.items())
def test_cooccurrence_averaged_over_directions_agrees_with_ibsi(
    name: str, published: float
) -> None:
    matrices = cooccurrence_matrices(PHANTOM, MASK, 6)
    value = np.mean([cooccurrence_features(matrix)[name] for matrix in matrices])
    assert _rounds_to(float(value), published)


@pytest.mark.parametrize(("name", "published"), MERGED.items())
def test_cooccurrence_merged_agrees_with_ibsi(name: str, published: float) -> None:
    merged = cooccurrence_matrices(PHANTOM, MASK, 6).sum(axis=0)
    assert _rounds_to(cooccurrence_features(merged)[name], published)


def test_a_gradient_is_per_millimetre_on_anisotropic_pixels() -> None:
    """A ramp of 10 HU per mm along columns of 0.5 mm has a gradient of 10 HU/mm."""
    geometry = VolumeGeometry.from_parts((4, 24, 24), (3.0, 2.0, 0.5), (0, 0, 0), np.eye(3))
    ramp = np.broadcast_to(np.arange(24) * 5.0, (4, 24, 24)).copy()
    features = volume_features(Volume("a", ramp, geometry, "CT", "HU"))
    assert features["gradient_p90"] == pytest.approx(10.0)


def test_arbitrary_units_do_not_change_the_features() -> None:
    geometry = VolumeGeometry.from_parts((6, 24, 24), (1.0, 1.5, 2.0), (0, 0, 0), np.eye(3))
    data = np.random.default_rng(1).gamma(4.0, 20.0, (6, 24, 24))
    first = volume_features(Volume("a", data, geometry, "MR", "arbitrary"))
    second = volume_features(Volume("a", data * 977.0, geometry, "MR", "arbitrary"))
    assert list(first) == list(second)
    assert np.allclose(list(first.values()), list(second.values()), rtol=1e-9, atol=1e-9)


def test_standardising_uses_the_real_sample_and_drops_what_has_no_spread() -> None:
    real = np.array([[0.0, 5.0], [2.0, 5.0]])
    synthetic = np.array([[4.0, 9.0]])
    scaled_real, scaled, keep = standardise(real, synthetic)
    assert keep.tolist() == [True, False]
    assert scaled_real.ravel().tolist() == [-1.0, 1.0]
    assert scaled.ravel().tolist() == [3.0]
