from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from carez_desktop.dicom.scan import scan_files
from carez_desktop.dicom.volume_reader import read_volume
from carez_desktop.domain.stacking import stack_instances
from carez_desktop.domain.study import VolumeRecord
from carez_desktop.errors import CancelledError, GeometryError, UnreadableFileError
from carez_desktop.progress import CancellationFlag
from tests.builders.dicom_series import SeriesPlan, build_series, rotation, stored_at


def records_of(folder: Path) -> tuple[VolumeRecord, ...]:
    return stack_instances(scan_files([folder]).headers)


def record_of(folder: Path) -> VolumeRecord:
    (record,) = records_of(folder)
    return record


def assert_analytic(folder: Path, plan: SeriesPlan) -> None:
    """Voxels, affine and corners equal those of the plan."""
    volume = read_volume(record_of(folder))
    assert volume.array.shape == plan.shape
    assert np.abs(volume.geometry.affine - plan.affine).max() < 1e-6
    points = volume.geometry.index_to_lps(
        np.stack(np.meshgrid(*map(np.arange, plan.shape), indexing="ij"), axis=-1)
    )
    slope, intercept = float(plan.slope or 1), float(plan.intercept or 0)
    expected = stored_at(points) * slope + intercept
    # Positions pass through 16 characters of text, so a value may round the other way.
    assert np.abs(volume.array - expected).max() <= slope * 1.0001
    assert np.mean(volume.array != expected) < 0.05 or slope != round(slope)


angles = st.floats(-180, 180)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    angles,
    angles,
    angles,
    st.tuples(st.integers(2, 6), st.integers(2, 7), st.integers(2, 9)),
    st.tuples(st.floats(0.5, 6), st.floats(0.3, 2), st.floats(0.3, 2)),
    st.integers(0, 9),
)
def test_oblique_anisotropic_series_come_out_right(
    tmp_path_factory: pytest.TempPathFactory,
    x: float,
    y: float,
    z: float,
    shape: tuple[int, int, int],
    spacing: tuple[float, float, float],
    seed: int,
) -> None:
    spacing = (round(spacing[0], 3), round(spacing[1], 3), round(spacing[2], 3))
    plan = SeriesPlan(shape, spacing, rotation(x, y, z))
    folder = tmp_path_factory.mktemp("series")
    build_series(folder, plan, seed=seed)
    assert_analytic(folder, plan)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian])
@pytest.mark.parametrize(
    ("signed", "bits", "slope", "intercept"),
    [
        (True, 16, "1", "0"),
        (False, 12, "1", "-1024"),
        (False, 16, "2", "-5"),
        (True, 16, None, None),
    ],
)
def test_encodings_of_the_same_values(
    tmp_path: Path, syntax: str, signed: bool, bits: int, slope: str | None, intercept: str | None
) -> None:
    plan = SeriesPlan(
        signed=signed, bits_stored=bits, slope=slope, intercept=intercept, transfer_syntax=syntax
    )
    build_series(tmp_path, plan)
    assert read_volume(record_of(tmp_path)).array.dtype == np.int16
    assert_analytic(tmp_path, plan)


def test_fractional_slope_gives_float32_of_each_slice(tmp_path: Path) -> None:
    def change(index: int, data_set: Dataset) -> None:
        data_set.RescaleSlope = f"{0.5 + 0.25 * index}"

    plan = SeriesPlan(slope="1", intercept="0", modality="PT")
    build_series(tmp_path, plan, change)
    volume = read_volume(record_of(tmp_path))
    expected = stored_at(plan.points()) * (0.5 + 0.25 * np.arange(5))[:, None, None]
    assert volume.array.dtype == np.float32
    assert np.abs(volume.array - expected).max() <= 1.5


def test_padding_units_and_window_are_modality_values(tmp_path: Path) -> None:
    def change(_: int, data_set: Dataset) -> None:
        data_set.PixelPaddingValue = -2000
        data_set.WindowCenter, data_set.WindowWidth = "40", "400"

    build_series(tmp_path, SeriesPlan(), change)
    volume = read_volume(record_of(tmp_path))
    assert volume.padding_value == -3024.0
    assert volume.units == "HU"
    assert (volume.window_center, volume.window_width) == (40.0, 400.0)
    assert volume.frame_of_reference_uid == "1.2.3.9"
    assert volume.attributes["slice_thickness"] == "77"
    assert not volume.array.flags.writeable


def test_sixteen_bit_values_widen_only_where_they_must(tmp_path: Path) -> None:
    def change(index: int, data_set: Dataset) -> None:
        if index == 3:
            cells = np.full((6, 8), 65535, "<u2")
            data_set.PixelData = cells.tobytes()

    build_series(tmp_path, SeriesPlan(signed=False, intercept="0"), change)
    volume = read_volume(record_of(tmp_path))
    assert volume.array.dtype == np.int32
    assert volume.array[3].min() == 65535


def test_single_slice_takes_its_height_for_display(tmp_path: Path) -> None:
    build_series(tmp_path, SeriesPlan((1, 6, 8)))
    volume = read_volume(record_of(tmp_path))
    assert volume.geometry.spacing_mm == pytest.approx((77.0, 0.8, 0.6))
    assert "single_slice" in {f.code for f in volume.findings}


def test_image_without_position_lies_at_the_origin(tmp_path: Path) -> None:
    def change(_: int, data_set: Dataset) -> None:
        del data_set.ImagePositionPatient

    build_series(tmp_path, SeriesPlan((1, 6, 8)), change)
    record = record_of(tmp_path)
    volume = read_volume(record)
    assert record.orientation == ""
    assert volume.geometry.origin_lps == (0.0, 0.0, 0.0)
    assert volume.geometry.spacing_mm == pytest.approx((1.0, 0.8, 0.6))


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (SeriesPlan(tilt_mm=0.8), "Tilted by 17.74 degrees"),
        (SeriesPlan(numbers=[0, 1, 2, 5, 6]), "about 2 slices are missing"),
        (SeriesPlan(numbers=[0, 1, 2.2, 3, 4]), "Uneven gaps"),
    ],
)
def test_irregular_series_are_refused_in_words(
    tmp_path: Path, plan: SeriesPlan, words: str
) -> None:
    build_series(tmp_path, plan)
    with pytest.raises(GeometryError, match=words) as caught:
        read_volume(record_of(tmp_path))
    assert caught.value.exit_code == 3
    assert caught.value.hint


def test_nearly_regular_series_load_with_a_finding(tmp_path: Path) -> None:
    build_series(tmp_path, SeriesPlan(numbers=[0, 1.004, 2, 3.004, 4]))
    volume = read_volume(record_of(tmp_path))
    (nearly,) = [f for f in volume.findings if f.code == "nearly_regular"]
    assert "0.010 mm" in nearly.text


def test_mixed_matrix_loads_as_two_volumes(tmp_path: Path) -> None:
    build_series(tmp_path / "a", SeriesPlan())

    def other(index: int, data_set: Dataset) -> None:
        data_set.SOPInstanceUID = f"1.2.3.4.9{index}"

    build_series(tmp_path / "b", SeriesPlan((3, 4, 4)), other)
    first, second = records_of(tmp_path)
    assert read_volume(first).array.shape == (5, 6, 8)
    assert read_volume(second).array.shape == (3, 4, 4)


def test_changes_after_import_name_the_file(tmp_path: Path) -> None:
    paths = build_series(tmp_path, SeriesPlan())
    record = record_of(tmp_path)
    content = paths[2].read_bytes()
    paths[2].write_bytes(content[:-10])
    with pytest.raises(UnreadableFileError, match="10 of 96 bytes") as caught:
        read_volume(record)
    assert caught.value.subject == str(paths[2])
    paths[2].unlink()
    with pytest.raises(UnreadableFileError) as caught:
        read_volume(record)
    assert caught.value.subject == str(paths[2])
    build_series(tmp_path / "other", SeriesPlan(series_uid="9.9"))
    paths[2].write_bytes(next((tmp_path / "other").iterdir()).read_bytes())
    with pytest.raises(UnreadableFileError, match="changed since its import"):
        read_volume(record)


def test_moved_slice_fails_the_corner_check(tmp_path: Path) -> None:
    build_series(tmp_path, SeriesPlan())
    record = record_of(tmp_path)
    swapped = (record.paths[1], record.paths[0], *record.paths[2:])
    from dataclasses import replace

    with pytest.raises(GeometryError, match="do not lie as they did at import"):
        read_volume(replace(record, paths=swapped))


def test_middle_slice_comes_first_and_cancel_stops(tmp_path: Path) -> None:
    plan = SeriesPlan()
    build_series(tmp_path, plan)
    record = record_of(tmp_path)
    seen: list[int] = []
    volume = read_volume(record, partial=lambda part: seen.append(part[0]))
    assert seen == [2, 0, 1, 3, 4]
    flag = CancellationFlag()
    with pytest.raises(CancelledError):
        read_volume(record, cancel=flag, partial=lambda _: flag.cancel())
    assert volume.array.shape == plan.shape


def test_wrong_length_field_does_not_allocate(tmp_path: Path) -> None:
    def change(_: int, data_set: Dataset) -> None:
        data_set.Rows = data_set.Columns = 60000

    build_series(tmp_path, SeriesPlan((2, 6, 8)), change)
    tracemalloc.start()
    (record,) = records_of(tmp_path)
    with pytest.raises(UnreadableFileError, match="truncated"):
        read_volume(record)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100 << 20


def test_explicit_little_is_read_straight_into_the_volume(tmp_path: Path) -> None:
    plan = SeriesPlan(
        (40, 128, 128), (0.5, 0.5, 0.5), intercept="0", transfer_syntax=ExplicitVRLittleEndian
    )
    build_series(tmp_path, plan)
    record = record_of(tmp_path)
    read_volume(record)
    tracemalloc.start()
    volume = read_volume(record)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.6 * volume.array.nbytes
