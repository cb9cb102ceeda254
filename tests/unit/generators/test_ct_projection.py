"""Oracles: line integral of a disc 2 mu sqrt(R^2 - s^2); Kak and Slaney (1988) for the variance."""

from __future__ import annotations

import math

import numpy as np
import pytest

from carez_desktop.generators.ct_projection import (
    CoarseProjector,
    LineIntegralSampler,
    back_project,
    filter_frequencies,
    parallel_geometry,
    water_attenuation_per_mm,
)

MU = 0.0193


def disc_integrals(angles, positions, centre_xy, radius):
    at = centre_xy[0] * np.cos(angles) + centre_xy[1] * np.sin(angles)
    s = positions[None, :] - at[:, None]
    return 2.0 * MU * np.sqrt(np.maximum(radius**2 - s**2, 0.0))


def test_water_lies_between_the_tabulated_neighbours():
    # NISTIR 5632: 0.2059 cm2/g at 60 keV, 0.1837 cm2/g at 80 keV.
    assert 0.01837 < water_attenuation_per_mm(120.0) < 0.02059
    values = [water_attenuation_per_mm(kvp) for kvp in (70, 80, 100, 120, 140, 150)]
    assert values == sorted(values, reverse=True)


def test_line_integrals_of_an_off_centre_disc_follow_the_closed_form():
    projector = CoarseProjector(side=120, step_mm=2.0, views=60)
    y, x = np.meshgrid(projector.ray_positions_mm, projector.ray_positions_mm, indexing="ij")
    disc = MU * (np.hypot(x - 30.0, y + 22.0) <= 55.0)
    found = projector.project(np.asarray(disc[None], dtype=np.float32))[0]
    truth = disc_integrals(projector.angles, projector.ray_positions_mm, (30.0, -22.0), 55.0)
    assert np.abs(found - truth).max() < 0.3  # the rim is one pixel wide
    inner = truth > 0.6 * truth.max()
    assert np.abs(found / np.maximum(truth, 1e-9) - 1.0)[inner].mean() < 0.015


def test_spreading_keeps_the_closed_form_and_closes_the_half_turn():
    coarse = CoarseProjector(side=120, step_mm=2.0, views=60)
    geometry = parallel_geometry((90, 80), (1.7, 2.1), views=97)
    given = disc_integrals(coarse.angles, coarse.ray_positions_mm, (30.0, -22.0), 55.0)
    found = LineIntegralSampler(coarse, geometry).spread(given.astype(np.float32))
    truth = disc_integrals(geometry.angles, geometry.element_positions_mm, (30.0, -22.0), 55.0)
    assert found.shape == (97, geometry.elements)
    assert np.abs(found - truth).mean() < 0.005
    assert np.abs(found[-1] - truth[-1]).mean() < 0.01


def test_back_projection_puts_an_off_centre_disc_where_it_is_on_unequal_pixels():
    geometry = parallel_geometry((140, 100), (1.3, 2.1), views=240)
    sinogram = disc_integrals(geometry.angles, geometry.element_positions_mm, (30.0, -22.0), 40.0)
    response = filter_frequencies(geometry)
    image = back_project(geometry, sinogram[None].astype(np.float32), response)[0]
    rows, columns = geometry.axes_mm
    radius = np.hypot(columns[None, :] - 30.0, rows[:, None] + 22.0)
    # A ramp that is sampled in the Fourier domain shifts the whole image (Kak and Slaney, 3.3.3).
    outside = image[(radius > 46.0) & (radius < 60.0)].mean()
    assert image[radius < 35.0].mean() - outside == pytest.approx(MU, rel=0.01)
    assert abs(outside) < 0.03 * MU


@pytest.mark.parametrize("spacing", [(0.7, 0.7), (0.9, 0.7)])
def test_white_noise_has_the_variance_of_the_closed_form(spacing):
    geometry = parallel_geometry((160, 160), spacing, views=200)
    draws = np.random.default_rng(1).standard_normal((6, geometry.views, geometry.elements))
    image = back_project(geometry, draws.astype(np.float32), filter_frequencies(geometry))
    truth = math.pi**2 / (12.0 * geometry.views * geometry.element_mm**2)
    assert image.var() == pytest.approx(truth, rel=0.02)


def test_it_agrees_with_convolution_in_space_and_linear_interpolation():
    geometry = parallel_geometry((64, 72), (1.5, 1.5), views=120)
    rng = np.random.default_rng(2)
    sinogram = rng.standard_normal((geometry.views, geometry.elements))
    window = np.hanning(9) / np.hanning(9).sum()
    smooth = np.stack([np.convolve(view, window, mode="same") for view in sinogram])
    found = back_project(geometry, smooth[None].astype(np.float32), filter_frequencies(geometry))[0]
    # Independent: Ram-Lak kernel of Kak and Slaney eq. 3.61, applied in space.
    d, count = geometry.element_mm, geometry.elements
    n = np.arange(-count + 1, count)
    kernel = np.where(n % 2 == 0, 0.0, -1.0 / (np.pi * np.where(n == 0, 1, n) * d) ** 2)
    kernel[count - 1] = 1.0 / (4.0 * d**2)
    rows, columns = geometry.axes_mm
    truth = np.zeros((64, 72))
    for angle, view in zip(geometry.angles, smooth, strict=True):
        filtered = d * np.convolve(view, kernel)[count - 1 : 2 * count - 1]
        at = columns[None, :] * math.cos(angle) + rows[:, None] * math.sin(angle)
        truth += np.interp(at, geometry.element_positions_mm, filtered)
    truth *= np.pi / geometry.views
    assert np.corrcoef(found.ravel(), truth.ravel())[0, 1] > 0.99
    assert np.std(found - truth) < 0.1 * np.std(truth)
