"""Registration against poses that are known, and against pairs that have none."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.volume import SliceAxis, Volume
from carez_desktop.errors import CancelledError, GeometryError
from carez_desktop.imaging.alignment_quality import (
    SampledVolume,
    agreement,
    mutual_information,
    overlap_share,
    residual_mm,
)
from carez_desktop.imaging.registration import register
from carez_desktop.imaging.volume_reduction import block_factors, reduced
from carez_desktop.progress import CancellationFlag
from tests.builders.analytic_volumes import GEOMETRIES, analytic_value, analytic_volume
from tests.builders.rigid_scenes import FIXED, misfit, rigid, scene_pair


@pytest.mark.parametrize(
    ("axis", "degrees", "shift", "frame"),
    [
        ((0.3, -1.0, 0.5), 12.0, (14.0, -9.0, 11.0), ""),
        ((1.0, 0.0, 0.0), 5.0, (6.0, 4.0, -3.0), "F"),
        ((0.3, 1.0, 0.5), -20.0, (180.0, -90.0, 310.0), ""),
    ],
)
def test_a_known_pose_is_found(axis: tuple, degrees: float, shift: tuple, frame: str) -> None:
    true = rigid(axis, degrees, shift)
    fixed, moving = scene_pair(true, frame=frame)
    told: list[float] = []

    class Ear:
        def report(self, fraction: float, message: str = "") -> None:
            told.append(fraction)

    report = register(fixed, moving, progress=Ear())
    assert report.alignment is not None, report.verdict
    distance, angle = misfit(report.alignment.matrix, true)
    assert distance < 0.5
    assert angle < 0.5
    assert (report.alignment.fixed_id, report.alignment.moving_id) == ("fixed", "moving")
    quality = report.measures
    assert quality.residual_mm < 0.5
    assert quality.mutual_information > quality.mutual_information_before + 0.5
    assert quality.rotation_degrees == pytest.approx(abs(degrees), abs=0.5)
    assert report.alignment.quality == quality.facts
    assert not report.is_doubtful
    assert "degrees" in report.verdict
    assert told[-1] == 1.0
    assert told == sorted(told)
    # The other way round is the inverse.
    np.testing.assert_allclose(
        report.alignment.inverse.matrix @ report.alignment.matrix, np.eye(4), atol=1e-9
    )


def test_nothing_is_proposed_where_the_frame_of_reference_is_right() -> None:
    fixed, moving = scene_pair(np.eye(4), frame="F")
    report = register(fixed, moving)
    assert report.measures.translation_mm < 0.3
    if report.alignment is None:
        assert "No better place" in report.verdict
    else:
        assert misfit(report.alignment.matrix, np.eye(4))[0] < 0.5


def test_nothing_is_proposed_for_noise_or_for_two_that_share_nothing() -> None:
    fixed, moving = scene_pair(np.eye(4))
    random = np.random.default_rng(3)
    noise = moving.with_array(random.normal(0.0, 50.0, moving.array.shape).astype(np.float32))
    report = register(fixed, noise)
    assert report.alignment is None
    assert report.verdict.endswith("Nothing is proposed.")
    assert report.measures.mutual_information < 0.1


def test_it_stops_within_a_second_of_being_asked() -> None:
    fixed, moving = scene_pair(rigid((0, 0, 1), 10.0, (5.0, 5.0, 5.0)))
    flag = CancellationFlag()
    asked: list[float] = []

    def ask() -> None:
        asked.append(time.monotonic())
        flag.cancel()

    timer = threading.Timer(0.25, ask)
    timer.start()
    with pytest.raises(CancelledError):
        register(fixed, moving, cancel=flag)
    timer.join()
    assert time.monotonic() - asked[0] < 1.0


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"slice_axis": SliceAxis.TIME}, "moments"),
        ({"array": np.zeros(GEOMETRIES["axial"].shape)}, "the same"),
        ({"array": np.zeros((*GEOMETRIES["axial"].shape, 3), np.uint8)}, "colour"),
    ],
)
def test_what_has_no_three_dimensions_is_refused(change: dict, word: str) -> None:
    volume = analytic_volume("axial")
    with pytest.raises(GeometryError, match=word) as caught:
        register(volume, replace(volume, **change))
    assert "manual offset" in caught.value.hint


def test_thin_and_sheared_volumes_are_refused() -> None:
    thin = VolumeGeometry((3, 20, 20), np.diag([3.0, 1.0, 1.0, 1.0]))
    sheared = GEOMETRIES["axial"].affine.copy()
    sheared[1, 0] += 2.0
    for geometry, word in (
        (thin, "fewer than 4"),
        (VolumeGeometry(GEOMETRIES["axial"].shape, sheared), "right angles"),
    ):
        array = np.arange(np.prod(geometry.shape)).reshape(geometry.shape)
        with pytest.raises(GeometryError, match=word):
            register(Volume("x", array, geometry, "CT", "HU"), analytic_volume("axial"))


@pytest.mark.parametrize("name", GEOMETRIES)
def test_block_means_lie_where_their_voxels_lay(name: str) -> None:
    # The mean of a plane over a block is its value in the middle of the block.
    volume = analytic_volume(name, dtype=np.float64)
    array, geometry = reduced(volume, (2, 3, 4))
    points = geometry.index_to_lps(np.moveaxis(np.indices(geometry.shape), 0, -1))
    inner = (slice(1, -1),) * 3
    np.testing.assert_allclose(array[inner], analytic_value(points)[inner], rtol=1e-4, atol=0.5)
    assert geometry.spacing_mm == pytest.approx(
        [step * f for step, f in zip(volume.geometry.spacing_mm, (2, 3, 4), strict=True)]
    )


def test_padding_and_what_is_not_finite_count_as_the_smallest_value() -> None:
    geometry = VolumeGeometry((8, 8, 8), np.eye(4))
    array = np.linspace(10.0, 20.0, 512).reshape(8, 8, 8)
    array[0, 0, 0], array[0, 0, 4] = np.nan, -2000.0
    values, _ = reduced(Volume("x", array, geometry, "CT", "HU", padding_value=-2000.0), (1, 1, 1))
    assert 9.9 < values.min() < 10.2
    assert np.isfinite(values).all()


def test_factors_keep_thin_axes_and_the_number_of_voxels() -> None:
    geometry = VolumeGeometry((15, 320, 300), np.diag([3.6, 0.5, 0.7, 1.0]))
    assert block_factors(geometry, 4.0, 10**7) == (1, 8, 5)
    assert block_factors(geometry, 0.1, 10**7) == (1, 1, 1)
    factors = block_factors(geometry, 0.1, 200_000)
    assert np.prod(np.array((15, 320, 300)) // factors) <= 200_000
    assert factors[0] == 1


def test_mutual_information_of_normal_values_has_a_closed_form() -> None:
    # Of two normal variables of correlation r: -log2(1 - r^2) / 2 bits (T. Cover and J. Thomas,
    # Elements of Information Theory, chapter 8). The bins lose a little of it.
    random = np.random.default_rng(5)
    for r in (0.0, 0.5, 0.9):
        first = random.normal(size=400_000)
        second = r * first + np.sqrt(1 - r * r) * random.normal(size=400_000)
        counts, _, _ = np.histogram2d(first, second, bins=64)
        expected = -np.log2(1 - r * r) / 2
        assert mutual_information(counts) == pytest.approx(expected, abs=0.02)
    # Of a one-to-one map: the entropy of the values, here of 8 equal ones.
    assert mutual_information(np.eye(8) * 10_000) == pytest.approx(3.0, abs=1e-3)


def test_overlap_and_residual_are_lengths_and_shares() -> None:
    grid = VolumeGeometry((20, 30, 40), np.diag([2.0, 1.0, 1.5, 1.0]))
    box = np.zeros(grid.shape, np.float32)
    box[5:15, 10:20, 10:30] = 100.0
    volume = SampledVolume(box, grid)
    assert overlap_share(volume, volume, np.eye(4)) == 1.0
    shift = np.eye(4)
    # Half of the box (10 slices of 2 mm from 5 on) is carried beyond the last slice.
    shift[0, 3] = 20.0
    assert overlap_share(volume, volume, shift) == pytest.approx(0.5)
    shift[0, 3] = 500.0
    assert overlap_share(volume, volume, shift) == 0.0
    assert agreement(volume, volume, shift) == (0.0, 0.0)
    back = np.eye(4)
    back[:3, 3] = (-500.0 + 3.0, 0.0, 4.0)
    assert residual_mm(volume, shift, back) == pytest.approx(5.0)


def test_the_scene_itself_is_no_symmetric_one() -> None:
    # Else a turned pose could pass for the true one.
    for axis in np.eye(3):
        fixed, moving = scene_pair(np.eye(4))
        first = SampledVolume(fixed.array.astype(np.float32), FIXED)
        second = SampledVolume(moving.array, moving.geometry)
        right = agreement(first, second, np.eye(4))[0]
        assert agreement(first, second, rigid(axis, 180.0, (0, 0, 0)))[0] < 0.85 * right
