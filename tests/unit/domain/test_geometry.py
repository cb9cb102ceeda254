"""Geometry against hand-computed points and an independent affine built the textbook way."""

from __future__ import annotations

import numpy as np
import pytest

from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.patient_space import opposite_letters, orientation_letters


def oblique(left_handed: bool = False) -> VolumeGeometry:
    angle = np.deg2rad(20)
    column_axis = np.array([np.cos(angle), np.sin(angle), 0.0])
    row_axis = np.array([-np.sin(angle), np.cos(angle), 0.0])
    slice_axis = np.cross(column_axis, row_axis) * (-1 if left_handed else 1)
    direction = np.stack([slice_axis, row_axis, column_axis], axis=1)
    return VolumeGeometry.from_parts((5, 7, 9), (3.0, 0.7, 0.5), (-10.0, 20.0, 30.0), direction)


def test_index_to_lps_follows_the_dicom_plane_equation() -> None:
    # PS3.3 C.7.6.2.1.1, eq. C.7.6.2.1-1: P = X di i + Y dj j + S, i the column, j the row index.
    geometry = oblique()
    angle = np.deg2rad(20)
    x, y = np.array([np.cos(angle), np.sin(angle), 0]), np.array([-np.sin(angle), np.cos(angle), 0])
    expected = x * 0.5 * 4 + y * 0.7 * 6 + np.array([-10, 20, 30 + 3.0 * 2])
    np.testing.assert_allclose(geometry.index_to_lps([2, 6, 4]), expected, atol=1e-12)


@pytest.mark.parametrize("left_handed", [False, True])
def test_round_trip_and_handedness(left_handed: bool) -> None:
    geometry = oblique(left_handed)
    points = np.random.default_rng(0).normal(size=(50, 3)) * 40
    np.testing.assert_allclose(
        geometry.index_to_lps(geometry.lps_to_index(points)), points, atol=1e-9
    )
    assert geometry.is_right_handed is not left_handed
    assert geometry.spacing_mm == pytest.approx((3.0, 0.7, 0.5))
    assert geometry.voxel_volume_mm3 == pytest.approx(1.05)
    assert geometry.corners_lps.shape == (8, 3)


def test_axial_feet_first_is_spl() -> None:
    direction = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    geometry = VolumeGeometry.from_parts((2, 2, 2), (2, 1, 1), (0, 0, 0), direction)
    assert geometry.orientation == "SPL"


def test_letters_order_by_dominance() -> None:
    assert orientation_letters([0, 0, 2]) == "S"
    assert orientation_letters([-0.5, -0.8, 0.0]) == "AR"
    assert orientation_letters([-0.5, -0.8, 0.05]) == "AR"
    assert opposite_letters("AR") == "PL"
    assert orientation_letters([0, 0, 0]) == ""


def test_singular_affine_is_refused() -> None:
    with pytest.raises(ValueError, match="singular"):
        VolumeGeometry((2, 2, 2), np.diag([1.0, 0.0, 1.0, 1.0]))


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf, 1e200, -1e10])
def test_an_affine_beyond_every_patient_is_refused(wrong: float) -> None:
    affine = np.eye(4)
    affine[0, 0] = wrong
    with pytest.raises(ValueError, match="within 1e9 mm"):
        VolumeGeometry((2, 2, 2), affine)
