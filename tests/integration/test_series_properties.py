"""Series of every shape, written as DICOM: every voxel lies at the place that its value names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from carez_desktop.dicom.scan import scan_files
from carez_desktop.dicom.volume_reader import read_slices, read_volume
from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.stacking import stack_instances
from carez_desktop.domain.study import VolumeRecord
from carez_desktop.imaging.resampling import resample_stack
from tests.builders.dicom_series import GRADIENT, SeriesPlan, build_series, rotation, stored_at
from tests.builders.enhanced_images import build_enhanced
from tests.builders.slice_stacks import inside, places

SOME = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
ROUNDING = 1.0001
angles = st.tuples(st.floats(-180, 180), st.floats(-90, 90), st.floats(-180, 180))
shapes = st.tuples(st.integers(3, 7), st.integers(2, 9), st.integers(2, 9))
spacings = st.tuples(st.floats(0.5, 6), st.floats(0.3, 2), st.floats(0.3, 2)).map(
    lambda three: tuple(round(step, 3) for step in three)
)
Triple = tuple[float, float, float]
Shape = tuple[int, int, int]


@st.composite
def plans(draw: st.DrawFn) -> SeriesPlan:
    """An oblique, anisotropic series of a few small slices."""
    return SeriesPlan(draw(shapes), draw(spacings), rotation(*draw(angles)))


def records_of(folder: Path) -> tuple[VolumeRecord, ...]:
    return stack_instances(scan_files([folder]).headers)


def assert_values_name_their_places(
    array: npt.NDArray[np.float64], geometry: VolumeGeometry, intercept: float = -1024.0
) -> None:
    expected = stored_at(places(geometry)) + intercept
    assert np.abs(array - expected).max() <= ROUNDING


@SOME
@given(plan=plans(), seed=st.integers(0, 99), descending=st.booleans(), copies=st.integers(0, 2))
def test_regular_series(
    tmp_path_factory: pytest.TempPathFactory,
    plan: SeriesPlan,
    seed: int,
    descending: bool,
    copies: int,
) -> None:
    folder = tmp_path_factory.mktemp("series")
    numbers = list(range(plan.shape[0]))
    order = numbers[::-1] if descending else numbers
    again = [order[index] for index in range(copies)]  # other instances at the same place
    build_series(folder, SeriesPlan(**{**vars(plan), "numbers": [*order, *again]}), seed=seed)
    (record,) = records_of(folder)
    assert record.shape == plan.shape
    assert bool(copies) == ("duplicate_position" in [f.code for f in record.findings])
    volume = read_volume(record)
    assert np.abs(volume.geometry.affine - plan.affine).max() < 1e-6
    assert_values_name_their_places(volume.array, volume.geometry)


@SOME
@given(plan=plans(), slant=st.floats(0.2, 1.5), lose=st.booleans())
def test_tilted_and_gapped_series(
    tmp_path_factory: pytest.TempPathFactory,
    plan: SeriesPlan,
    slant: float,
    lose: bool,
) -> None:
    folder = tmp_path_factory.mktemp("series")
    numbers = [n for n in range(plan.shape[0] + 2) if not (lose and n == 2)]
    tilted = {**vars(plan), "tilt_mm": round(slant, 3), "numbers": numbers}
    build_series(folder, SeriesPlan(**tilted))
    (record,) = records_of(folder)
    assert record.slices_only
    stack = read_slices(record)
    assert len(stack.slices) == len(numbers)
    for part in stack.slices:
        assert_values_name_their_places(part.array, part.geometry)
    volume = resample_stack(stack)
    points = places(volume.geometry)
    seen = inside(stack, points)
    away = np.abs(volume.array - (points @ GRADIENT + 600.0 - 1024.0))
    assert away[seen].max(initial=0.0) <= 1.5  # rounded when written, and once more


@SOME
@given(plan=plans(), chance=st.randoms(use_true_random=False))
def test_multi_frame_series(
    tmp_path_factory: pytest.TempPathFactory, plan: SeriesPlan, chance: object
) -> None:
    folder = tmp_path_factory.mktemp("series")
    order = list(range(plan.shape[0]))
    chance.shuffle(order)  # type: ignore[attr-defined]

    def paint(data_set: Dataset) -> None:
        cells = stored_at(plan.points()[order]).astype("<i2")
        data_set.PixelData = cells.tobytes()

    build_enhanced(folder, plan, order, change=paint)
    (record,) = records_of(folder)
    assert record.shape == plan.shape
    assert record.frame_indices == (() if not any(order) else tuple(np.argsort(order)))
    volume = read_volume(record)
    assert np.abs(volume.geometry.affine - plan.affine).max() < 1e-6
    stored = (volume.array.astype(np.float64) + 3.0) / 2.5
    assert_values_name_their_places(stored, volume.geometry, intercept=0.0)
