from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carez_desktop.domain.slice_order import (
    EXACT_MM,
    REGULAR_MM,
    fit_slices,
    in_plane_directions,
    slice_normal,
    stack_geometry,
)
from tests.builders.dicom_series import rotation

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
angles = st.floats(-180, 180)


@settings(max_examples=50, deadline=None)
@given(angles, angles, angles)
def test_normal_is_the_third_axis_of_the_turn(x: float, y: float, z: float) -> None:
    turn = rotation(x, y, z)
    normal = slice_normal((*turn[:, 0], *turn[:, 1]))
    assert np.allclose(normal, turn[:, 2], atol=1e-12)


@settings(max_examples=50, deadline=None)
@given(angles, angles, angles, st.integers(2, 40), st.floats(0.2, 12))
def test_straight_pile_fits_without_deviation(
    x: float, y: float, z: float, count: int, gap: float
) -> None:
    turn = rotation(x, y, z)
    positions = np.array([5.0, -3.0, 7.0]) + np.arange(count)[:, None] * gap * turn[:, 2]
    fit = fit_slices(positions, (*turn[:, 0], *turn[:, 1]))
    assert not fit.refusal
    assert fit.deviation_mm < 1e-9
    assert np.allclose(fit.step_lps, gap * turn[:, 2])


def test_alternating_gaps_within_tolerance_count_as_regular() -> None:
    # GE PET: 3.27 and 3.29 in turn deviate from 3.28 by 0.01 mm.
    positions = np.zeros((9, 3))
    positions[1:, 2] = np.cumsum([3.27, 3.29] * 4)
    fit = fit_slices(positions, AXIAL)
    assert not fit.refusal
    assert EXACT_MM < fit.deviation_mm <= REGULAR_MM
    assert fit.deviation_mm == pytest.approx(0.01)
    assert fit.step_lps[2] == pytest.approx(3.28)


def test_tilt_is_measured_against_the_normal() -> None:
    tilt = np.radians(18.5)
    step = 2.5 * np.array([0.0, -np.sin(tilt), np.cos(tilt)])
    fit = fit_slices(np.arange(6)[:, None] * step, AXIAL)
    assert fit.tilt_degrees == pytest.approx(18.5)
    assert "18.50 degrees" in fit.refusal
    assert "2.500 mm apart along the table" in fit.refusal
    assert f"{2.5 * np.cos(tilt):.3f} mm along their normal" in fit.refusal


def test_missing_slices_are_counted() -> None:
    positions = np.zeros((5, 3))
    positions[:, 2] = [0, 2, 4, 10, 12]
    fit = fit_slices(positions, AXIAL)
    assert "2.000 to 6.000 mm" in fit.refusal
    assert "about 2 slices are missing" in fit.refusal


def test_rounded_cosines_keep_their_true_step() -> None:
    # 0.02 degrees, as cosines of four digits give: 0.1 mm sideways over 300 mm.
    step = np.array([0.0, np.sin(np.radians(0.02)), 1.0]) * 3.0
    fit = fit_slices(np.arange(101)[:, None] * step, AXIAL)
    assert not fit.refusal
    assert np.allclose(fit.step_lps, step)


def test_slices_shifted_sideways_are_refused() -> None:
    positions = np.zeros((4, 3))
    positions[:, 2] = [0, 1, 2, 3]
    positions[2, 0] = 4.0
    assert "shifted sideways" in fit_slices(positions, AXIAL).refusal


@pytest.mark.parametrize(
    ("cosines", "text"),
    [((1, 0, 0, 0, 0, 0), "long, not 1"), ((1, 0, 0, 0.1, 0.995, 0), "degrees, not 90")],
)
def test_invalid_orientation_is_named(cosines: tuple[float, ...], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        in_plane_directions(cosines)


def test_geometry_keeps_the_order_of_pixel_spacing() -> None:
    geometry = stack_geometry((3, 4, 5), (1, 2, 3), (0, 0, 2.5), AXIAL, (0.8, 0.6))
    assert geometry.spacing_mm == pytest.approx((2.5, 0.8, 0.6))
    assert np.allclose(geometry.index_to_lps((1, 1, 0)), (1, 2.8, 5.5))
    assert np.allclose(geometry.index_to_lps((0, 0, 1)), (1.6, 2, 3))
