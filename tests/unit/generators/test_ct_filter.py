"""Oracles: the closed form of the ramp, and drawn noise for the expectations."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from carez_desktop.generators.ct_filter import (
    PatchStatistics,
    apodisation,
    filter_response,
    kernel_sharpness,
    noise_gain,
)
from carez_desktop.generators.ct_projection import (
    back_project,
    filter_frequencies,
    parallel_geometry,
)


def test_the_ramp_has_the_gain_of_the_closed_form():
    geometry = parallel_geometry((64, 64), (0.8, 0.8), views=90)
    truth = math.pi**2 / (12.0 * 90 * 0.8**2)
    assert noise_gain(1.0, geometry) == pytest.approx(truth, rel=1e-5)


def test_sharpness_runs_from_smooth_to_lifted_without_a_jump():
    f = np.linspace(0.0, 1.0, 50)
    values = [apodisation(s, f) for s in (0.0, 0.5, 0.9, 0.999, 1.0, 1.001, 1.5, 2.0)]
    for smoother, sharper in itertools.pairwise(values):
        assert np.all(sharper >= smoother - 1e-12)
    assert np.abs(values[3] - values[4]).max() < 1e-4
    assert np.all(np.array([v[0] for v in values]) == 1.0)


@pytest.mark.parametrize("sharpness", [0.5, 0.7, 1.3])
def test_expected_patches_match_drawn_noise_on_unequal_pixels(sharpness):
    geometry = parallel_geometry((192, 192), (0.9, 0.7))
    draws = np.random.default_rng(5).standard_normal((8, geometry.views, geometry.elements))
    response = filter_response(sharpness, filter_frequencies(geometry), geometry.nyquist_per_mm)
    image = back_project(geometry, draws.astype(np.float32), response).astype(np.float64)
    statistics = PatchStatistics(12, geometry.spacing_mm, geometry.nyquist_per_mm)
    patches = image.reshape(8, 16, 12, 16, 12).transpose(0, 1, 3, 2, 4).reshape(-1, 12, 12)
    residuals = statistics.detrend(patches)
    expected = statistics.expected(sharpness)
    gain = noise_gain(sharpness, geometry)
    assert image.var() == pytest.approx(gain, rel=0.04)
    assert np.mean(residuals**2) == pytest.approx(gain * expected.variance_share, rel=0.04)
    assert statistics.mean_frequency(statistics.power(residuals)) == pytest.approx(
        expected.mean_frequency, rel=0.02
    )
    spread = np.var(np.mean(residuals**2, axis=(1, 2))) / np.mean(residuals**2) ** 2
    assert 2.0 / spread == pytest.approx(expected.freedom, rel=0.2)
    found, reached = statistics.match(statistics.mean_frequency(statistics.power(residuals)))
    assert reached
    assert found == pytest.approx(sharpness, abs=0.08)


def test_kernels_by_name():
    assert kernel_sharpness("LUNG") > kernel_sharpness("STANDARD") > kernel_sharpness("SOFT")
    assert kernel_sharpness("B70f") > kernel_sharpness("B30f") > kernel_sharpness("B10f")
    assert kernel_sharpness("FC51") > kernel_sharpness("FC10")
    assert 0.0 < kernel_sharpness("never heard of") < 1.0
