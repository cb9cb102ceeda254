"""Oracle: noise drawn with a known number of photons and a known filter."""

from __future__ import annotations

import math

import numpy as np
import pytest

from carez_desktop.generators.ct_field import FieldSampler, imaged_pixels
from carez_desktop.generators.ct_filter import PatchStatistics
from carez_desktop.generators.ct_projection import parallel_geometry, water_attenuation_per_mm
from carez_desktop.generators.photon_fit import find_regions, fit_photons, patch_side
from tests.builders.water_ct import KVP, noisy_water


def fit(volume, *, electronic=0.0):
    shape, spacing = volume.geometry.shape[1:], volume.geometry.spacing_mm[1:]
    geometry = parallel_geometry(shape, spacing)
    water = water_attenuation_per_mm(KVP)
    imaged = imaged_pixels(volume.array, volume.padding_value)
    coarse = FieldSampler(shape, spacing).sample(volume.array, imaged, water)
    statistics = PatchStatistics(patch_side(spacing), spacing, geometry.nyquist_per_mm)
    regions = find_regions(volume.array, imaged, coarse, statistics, spacing)
    return fit_photons(
        regions,
        statistics,
        geometry,
        water_per_mm=water,
        kernel_sharpness=0.5,
        default_photons=1e5,
        electronic_quanta=electronic,
        relative_current=np.ones(volume.geometry.shape[0]),
    )


@pytest.mark.parametrize(("photons", "sharpness"), [(5e4, 0.9), (2e5, 0.6), (1e6, 1.2)])
def test_the_photons_come_back(photons, sharpness):
    found = fit(noisy_water(slices=8, photons=photons, sharpness=sharpness))
    assert found.method == "fitted"
    assert found.sharpness == pytest.approx(sharpness, abs=0.1)
    assert abs(math.log(found.photons / photons)) < max(0.1, 4.0 * found.relative_sd)
    assert math.sqrt(photons / found.photons) == pytest.approx(1.0, abs=0.1)  # the noise's SD
    assert 0.0 < found.relative_sd < 0.1
    assert found.slices == 8


def test_texture_in_half_of_the_regions_does_not_move_it():
    volume = noisy_water(slices=8, photons=2e5)
    array = volume.array.copy()
    rng = np.random.default_rng(0)
    half = array.shape[1] // 2
    texture = rng.normal(0.0, 30.0, array[:, half:].shape)
    array[:, half:] = np.where(array[:, half:] > -500, array[:, half:] + texture, array[:, half:])
    found = fit(volume.with_array(array))
    assert found.photons == pytest.approx(2e5, rel=0.15)


def test_assumed_electronic_noise_takes_its_part_of_the_variance():
    volume = noisy_water(slices=4, photons=3e3)
    assert fit(volume, electronic=20.0).photons > fit(volume).photons


def test_too_few_regions_give_the_default_with_a_wide_interval():
    volume = noisy_water(slices=1, shape=(40, 40), radii_mm=(12.0, 12.0))
    found = fit(volume)
    assert found.method == "default"
    assert found.filter_method == "kernel_table"
    assert found.photons == 1e5
    assert found.high / found.low > 10.0


def test_noiseless_water_is_no_reason_to_fail():
    assert fit(noisy_water(photons=np.inf)).photons > 0.0
