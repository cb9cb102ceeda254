"""Oracles: noise adds in quadrature; the variance law of the dose; the source's own noise."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from carez_desktop.domain.codec import canonical_json
from carez_desktop.domain.generation import GenerationRequest, PrivacyClass
from carez_desktop.domain.volume import VolumeKind
from carez_desktop.errors import CancelledError, InputError, UsageError
from carez_desktop.generators import low_dose_ct
from carez_desktop.inference.package_store import load_package
from carez_desktop.progress import NEVER, SILENT, CancellationFlag
from carez_desktop.system.paths import models_root
from tests.builders.water_ct import ellipse, noisy_water

INNER = (40.0, 45.0)


@pytest.fixture(scope="module")
def package():
    return load_package(models_root() / "low-dose-ct" / "1.0.0")


@pytest.fixture(scope="module")
def source():
    return noisy_water(slices=6, photons=1e5)


def make(package, source, *, cancel=NEVER, seed=11, progress=SILENT, **conditions):
    given = {"electronic_noise": 0.0, **conditions}
    request = GenerationRequest("low-dose-ct", "1.0.0", "case-0001", seed, given, "1.2.840.1")
    return low_dose_ct.generate_case(
        package, request, source=source, device="cpu", progress=progress, cancel=cancel
    )


def inner_of(volume):
    mask = ellipse(volume.geometry.shape[1:], volume.geometry.spacing_mm[1:], INNER)
    return np.broadcast_to(mask, volume.geometry.shape)


def test_total_noise_is_that_of_the_lower_dose(package, source):
    case = make(package, source, dose_fraction=0.25)
    inner = inner_of(source)
    before, after = source.array[inner].std(), case.volume.array[inner].std()
    assert after / before == pytest.approx(2.0, rel=0.06)
    added = (case.volume.array.astype(float) - source.array)[inner]
    assert math.hypot(before, added.std()) == pytest.approx(after, rel=0.02)
    assert abs(added.mean()) < 0.5


def test_two_doses_differ_as_the_law_says(package, source):
    # (1/f - 1): 3 at a quarter, 1 at a half.
    inner = inner_of(source)
    sd = [
        (make(package, source, dose_fraction=f, seed=s).volume.array - source.array)[inner].std()
        for f, s in ((0.25, 1), (0.5, 2))
    ]
    assert sd[0] / sd[1] == pytest.approx(math.sqrt(3.0), rel=0.03)


def test_the_texture_of_the_added_noise_is_that_of_the_source(package, source):
    case = make(package, source, dose_fraction=0.25)
    fit = case.details["photon_fit"]
    assert fit["method"] == "fitted"
    assert fit["sharpness"] == pytest.approx(0.7, abs=0.05)
    assert fit["photons"] == pytest.approx(1e5, rel=0.12)


def test_the_same_request_gives_the_same_bits_whatever_the_threads(package, source, monkeypatch):
    first = make(package, source, dose_fraction=0.3)
    monkeypatch.setattr(low_dose_ct, "_threads", lambda: 1)
    again = make(package, source, dose_fraction=0.3)
    assert np.array_equal(first.volume.array, again.volume.array)
    assert first.details["noise"] == again.details["noise"]


def test_seeds_are_independent(package, source):
    noise = [
        (make(package, source, dose_fraction=0.3, seed=s).volume.array - source.array)[
            inner_of(source)
        ].astype(float)
        for s in (1, 2)
    ]
    assert abs(np.corrcoef(noise[0], noise[1])[0, 1]) < 0.03


@pytest.mark.parametrize("handed", [1.0, -1.0])
def test_grid_type_and_space_of_the_source_are_kept(package, handed):
    angle = math.radians(20.0)
    # Oblique in plane, slices downwards; left-handed where the row axis is mirrored.
    direction = np.array(
        [
            [0.0, -handed * math.sin(angle), math.cos(angle)],
            [0.0, handed * math.cos(angle), math.sin(angle)],
            [-1.0, 0.0, 0.0],
        ]
    )
    source = noisy_water(slices=2, direction=direction)
    case = make(package, source, dose_fraction=0.5)
    result = case.volume
    assert result.geometry.is_close_to(source.geometry)
    assert result.array.dtype == np.int16
    assert result.frame_of_reference_uid == source.frame_of_reference_uid
    assert result.kind is VolumeKind.SYNTHETIC
    assert case.privacy_class is PrivacyClass.IMAGE_CONDITIONED
    assert result.volume_id == "case-0001"


def test_identity_does_not_pass_and_dose_facts_follow(package, source):
    attributes = make(package, source, dose_fraction=0.2).volume.attributes
    assert "patient_name" not in attributes
    assert attributes["exposure"] == "20"
    assert attributes["series_description"].startswith("SYNTHETIC")


def test_details_are_plain_data(package, source):
    case = make(package, source, dose_fraction=0.5, bowtie=True, electronic_noise=8.0)
    assert canonical_json(case.details)
    assert case.details["conditions"] == {
        "dose_fraction": 0.5,
        "electronic_noise": 8.0,
        "bowtie": True,
    }


def test_padding_is_not_touched_and_floors_hold(package, source):
    array = source.array.copy()
    array[:, :6, :6] = -2048
    case = make(package, source.with_array(array, padding_value=-2048.0), dose_fraction=0.1)
    assert np.all(case.volume.array[:, :6, :6] == -2048)
    imaged = case.volume.array[array != -2048]
    assert imaged.min() >= min(-1024, int(array[array != -2048].min()))


def test_floating_point_volumes_are_not_rounded(package, source):
    case = make(package, source.with_array(source.array.astype(np.float32)), dose_fraction=0.5)
    assert case.volume.array.dtype == np.float32
    assert np.any(case.volume.array % 1.0 != 0.0)


@pytest.mark.parametrize("fraction", [0.0, 2.0, 1.0, -0.5, "much"])
def test_a_dose_fraction_outside_its_range_is_refused_by_name(package, source, fraction):
    with pytest.raises(UsageError) as caught:
        make(package, source, dose_fraction=fraction)
    assert caught.value.subject == "dose_fraction"
    assert "0.05" in caught.value.hint


def test_sources_that_do_not_fit_are_refused(package, source):
    coronal = np.array([[0, 0, 1], [1, 0, 0], [0, -1, 0]])
    for unfit in (
        None,
        source.with_array(source.array, modality="MR", units="arbitrary"),
        noisy_water(slices=2, direction=coronal),
    ):
        with pytest.raises(InputError) as caught:
            make(package, unfit, dose_fraction=0.5)
        assert caught.value.hint


def test_a_single_thick_slice_works_with_default_photons(package):
    tiny = noisy_water(slices=1, shape=(48, 40), radii_mm=(14.0, 14.0))
    case = make(package, tiny, dose_fraction=0.5)
    assert {finding.code for finding in case.findings} >= {
        "photon_fit_default",
        "filter_from_kernel",
    }
    assert case.details["photon_fit"]["method"] == "default"


def test_cancelling_stops_within_a_batch(package):
    source = noisy_water(slices=24, shape=(64, 64), radii_mm=(45.0, 50.0))
    flag = CancellationFlag()

    class CancelAtFirstSlice:
        def report(self, fraction: float, message: str = "") -> None:
            if message.startswith("Slice"):
                reports.append(fraction)
                flag.cancel()

    reports: list[float] = []
    with pytest.raises(CancelledError):
        make(package, source, dose_fraction=0.5, cancel=flag, progress=CancelAtFirstSlice())
    assert len(reports) == 1


def test_added_sigma_follows_the_formula_and_holds_starved_rays():
    integrals = np.array([0.0, 3.0, 20.0], dtype=np.float32)
    sigma, starved = low_dose_ct.added_sigma(integrals, 0.25, 1e4, 6.0)
    quantum = 3.0 * math.exp(3.0) / 1e4
    electronic = 36.0 * 15.0 * math.exp(6.0) / 1e8
    assert sigma[1] == pytest.approx(math.sqrt(quantum + electronic), rel=1e-5)
    assert starved == pytest.approx(1.0 / 3.0)
    assert np.isfinite(sigma[2])


def test_noise_of_a_real_chest_ct_doubles_where_it_is_uniform(
    package, studies: Path, record_property
):
    from tests.builders.real_ct import load_slices

    volume = load_slices(studies / "ct_chest_nlst", every=12)
    case = make(package, volume, dose_fraction=0.25)
    assert "truncated_field_of_view" in {finding.code for finding in case.findings}
    assert case.details["photon_fit"]["relative_sd"] < 0.15
    # Heart and great vessels: the most uniform tenth of blocks that the fit did not pick by hand.
    added = case.volume.array.astype(np.float64) - volume.array
    ratios = []
    for index in range(volume.array.shape[0]):
        for row in range(128, 384, 16):
            for column in range(128, 384, 16):
                block = np.s_[index, row : row + 16, column : column + 16]
                hu = volume.array[block].astype(np.float64)
                if 20.0 < hu.mean() < 80.0:
                    # Differences of neighbours leave noise and take anatomy out.
                    own = np.diff(hu, axis=1).std()
                    ratios.append(np.diff(added[block], axis=1).std() / own / math.sqrt(3.0))
    typical = float(np.median(ratios))
    print(f"added SD over predicted, median of {len(ratios)} blocks: {typical:.3f}")
    record_property("added_sd_over_predicted", round(typical, 3))
    assert len(ratios) > 100
    assert 0.8 < typical < 1.2
    assert np.all(case.volume.array[volume.array == -2048] == -2048)
