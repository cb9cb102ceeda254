"""Simulated chests: deterministic, in range, and noisy as their dose says."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import ndimage

from carez_desktop.domain.volume import VolumeKind
from carez_desktop.generators import chest_phantom
from carez_desktop.generators.chest_phantom import make_phantom

SHAPE = (20, 112, 112)


@pytest.fixture(scope="module")
def standard():
    return make_phantom(7, 0, nodules=3, shape=SHAPE)


def test_the_same_seed_gives_the_same_patient(standard):
    again = make_phantom(7, 0, nodules=3, shape=SHAPE)
    assert np.array_equal(again.volume.array, standard.volume.array)
    assert np.array_equal(again.nodule, standard.nodule)
    assert again.attributes == standard.attributes
    assert not np.array_equal(
        make_phantom(8, 0, nodules=3, shape=SHAPE).volume.array, standard.volume.array
    )


def test_a_chest_has_air_lung_soft_tissue_and_bone(standard):
    hu = standard.volume.array
    shares = [
        np.mean((hu >= low) & (hu < high))
        for low, high in ((-1024, -930), (-930, -700), (-20, 120), (150, 3000))
    ]
    assert all(share > 0.01 for share in shares)
    assert standard.volume.kind is VolumeKind.SYNTHETIC
    assert hu.dtype == np.int16
    assert hu.min() >= -1024


def test_nodules_lie_in_the_lung_where_the_label_says(standard):
    label, count = ndimage.label(standard.nodule)
    assert count == len(standard.nodules) == 3
    centres = ndimage.center_of_mass(standard.nodule, label, range(1, count + 1))
    for nodule in standard.nodules:
        index = standard.volume.geometry.lps_to_index(nodule.centre)
        assert min(np.linalg.norm(np.array(c) - index) for c in centres) < 1.0
        assert 4.0 <= min(nodule.diameters) <= max(nodule.diameters) <= 17.0
    ring = ndimage.binary_dilation(standard.nodule, iterations=2) & ~ndimage.binary_dilation(
        standard.nodule
    )
    inside = standard.volume.array[standard.nodule == 1].mean()
    assert inside > standard.volume.array[ring].mean() + 200.0


def test_the_volume_of_a_nodule_is_that_of_its_ellipsoid(standard):
    voxel = standard.volume.geometry.voxel_volume_mm3
    truth = sum(math.pi / 6 * math.prod(n.diameters) for n in standard.nodules)
    assert standard.nodule.sum() * voxel == pytest.approx(truth, rel=0.25)


def test_low_dose_is_noisier_by_the_square_root(standard):
    low = make_phantom(7, 0, dose="low", nodules=3, shape=SHAPE)
    ratio = float(standard.attributes["ctdi_vol"]) / float(low.attributes["ctdi_vol"])
    assert 8.0 <= float(standard.attributes["ctdi_vol"]) <= 12.0
    assert 1.5 <= float(low.attributes["ctdi_vol"]) <= 2.0

    def noise(patient):
        # The heart: neighbouring slices share the anatomy, so that their difference is noise.
        geometry = patient.volume.geometry
        k, j, i = (int(x) for x in np.rint(geometry.lps_to_index((20.0, -20.0, -6.0))))
        part = patient.volume.array[k - 2 : k + 3, j - 6 : j + 7, i - 6 : i + 7].astype(float)
        return np.diff(part, axis=0).std() / math.sqrt(2.0)

    assert 6.0 < noise(standard) < 20.0
    assert noise(low) / noise(standard) == pytest.approx(math.sqrt(ratio), rel=0.15)


def test_patients_differ_in_what_coverage_counts(monkeypatch):
    monkeypatch.setattr(chest_phantom, "_quantum_noise", lambda clean, *_: np.zeros_like(clean))
    patients = [make_phantom(7, index, nodules=0, shape=(4, 32, 32)) for index in range(12)]
    for name in ("manufacturer", "patient_sex", "slice_thickness", "kvp"):
        assert len({patient.attributes[name] for patient in patients}) > 1
    ages = [float(patient.attributes["patient_age"]) for patient in patients]
    assert 24 <= min(ages) < 50 < max(ages) <= 85
    assert all(patient.disease == "none" for patient in patients)


def test_another_dose_is_refused():
    with pytest.raises(ValueError, match="standard or low"):
        make_phantom(1, dose="huge")
