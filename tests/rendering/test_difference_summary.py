"""Sums of differences against numpy on a common grid."""

from __future__ import annotations

import numpy as np
import pytest

from carez_desktop.domain.volume import Volume
from carez_desktop.rendering.difference_summary import summary_of, volume_summary
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.pane import PlacedLayer
from tests.builders.analytic_volumes import GEOMETRIES, rotation


def test_sums_leave_out_what_is_not_finite() -> None:
    values = np.array([[1.0, -5.0, np.nan], [2.0, np.inf, 0.0]], np.float32)
    found = summary_of(values, threshold=1.0)
    kept = np.array([1.0, -5.0, 2.0, 0.0])
    assert found is not None
    assert (found.n, found.asked) == (4, 6)
    assert found.mean == pytest.approx(kept.mean())
    assert found.sd == pytest.approx(kept.std())
    assert found.largest == 5.0
    assert found.above == 0.5
    assert summary_of(np.full((2, 2), np.nan)) is None


@pytest.mark.parametrize("name", ["axial", "oblique", "left_handed"])
def test_both_volumes_are_subtracted_on_the_common_grid(name: str) -> None:
    """The second one has the same grid under a rigid movement, so numpy subtracts the arrays."""
    rng = np.random.default_rng(5)
    geometry = GEOMETRIES[name]
    first, second = (rng.normal(0.0, 50.0, geometry.shape).astype(np.float32) for _ in range(2))
    to_second = np.eye(4)
    to_second[:3, :3] = rotation(np.array([0.2, 1.0, -0.5]), 40.0)
    to_second[:3, 3] = (9.0, -4.0, 2.0)
    moved = type(geometry)(geometry.shape, to_second @ geometry.affine)
    base = PlacedLayer(Layer(Volume("1", first, geometry, "MR", "arbitrary")), np.eye(4))
    other = PlacedLayer(Layer(Volume("2", second, moved, "MR", "arbitrary")), to_second)
    found = volume_summary(base, other, threshold=30.0)
    wanted = first.astype(np.float64) - second
    assert found is not None
    assert found.n == found.asked == wanted.size
    assert found.mean == pytest.approx(wanted.mean(), abs=1e-3)
    assert found.sd == pytest.approx(wanted.std(), rel=1e-3)
    assert found.largest == pytest.approx(np.abs(wanted).max(), rel=1e-3)
    assert found.above == pytest.approx((np.abs(wanted) > 30.0).mean(), abs=2e-3)
