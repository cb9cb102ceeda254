from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
import SimpleITK as sitk  # noqa: N813 - its own convention
from hypothesis import given, settings
from hypothesis import strategies as st

from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.volume import VolumeKind
from carez_desktop.errors import CancelledError, GeometryError
from carez_desktop.imaging.resampling import resample_stack
from tests.builders.dicom_series import rotation
from tests.builders.slice_stacks import inside, places, stack_of

Array = npt.NDArray[np.float64]
OBLIQUE = rotation(20, -30, 50)
GRADIENT = np.array([0.3, 0.7, 1.1])


def linear(points: Array) -> Array:
    return np.asarray(points @ GRADIENT + 600.0)


def tilted(count: int, gap: float, slant: tuple[float, float], turn: Array) -> list[Array]:
    """Origins whose step leaves the normal by (down, across) mm."""
    step = turn[:, 2] * gap + turn[:, 1] * slant[0] + turn[:, 0] * slant[1]
    return [np.array([-20.0, 7.0, 33.0]) + number * step for number in range(count)]


@settings(max_examples=25, deadline=None)
@given(
    angles=st.tuples(st.floats(-180, 180), st.floats(-90, 90), st.floats(-180, 180)),
    slant=st.tuples(st.floats(-1.2, 1.2), st.floats(-1.2, 1.2)),
    gap=st.floats(0.7, 6.0),
)
def test_a_linear_field_comes_back_from_tilted_slices(
    angles: tuple[float, float, float], slant: tuple[float, float], gap: float
) -> None:
    turn = rotation(*angles)
    stack = stack_of(linear, tilted(7, gap, slant, turn), turn, dtype="float64")
    volume = resample_stack(stack)
    assert volume.geometry.shape[0] == 7
    assert volume.geometry.spacing_mm == pytest.approx((gap, 0.8, 0.6))
    points = places(volume.geometry)
    seen = inside(stack, points)
    assert seen.any()
    assert np.abs(volume.array - linear(points))[seen].max() < 1e-3


def test_the_grid_reaches_the_corners_of_every_slice() -> None:
    stack = stack_of(linear, tilted(9, 2.4, (0.83, -0.31), OBLIQUE), OBLIQUE)
    volume = resample_stack(stack)
    last = np.array(volume.geometry.shape) - 1
    for geometry in stack.geometries:
        index = volume.geometry.lps_to_index(geometry.corners_lps)
        assert (index > -1e-6).all()
        assert (index < last + 1e-6).all()
        assert np.abs(index[:, 0] - np.rint(index[:, 0])).max() < 1e-9
    tight = volume.geometry.shape[1:]
    assert tight == (40 + int(np.ceil(8 * 0.83 / 0.8)), 48 + int(np.ceil(8 * 0.31 / 0.6)))


def test_every_slice_keeps_its_own_values_when_gaps_are_even() -> None:
    # Values that no neighbour shares: a mixed one would be seen at once.
    origins = tilted(6, 3.0, (0.5, 0.0), np.eye(3))
    stack = stack_of(linear, origins, np.eye(3))
    slices = [
        volume.with_array(np.full_like(volume.array, 1000.0 * (number + 1)))
        for number, volume in enumerate(stack.slices)
    ]
    volume = resample_stack(replace(stack, slices=tuple(slices)))
    for number in range(6):
        assert set(np.unique(volume.array[number])) <= {1000.0, 1000.0 * (number + 1)}
        assert (volume.array[number] == 1000.0 * (number + 1)).sum() >= 39 * 48


def test_a_sphere_keeps_its_centre_and_its_diameter() -> None:
    centre, radius = np.array([-6.0, 24.0, 45.0]), 9.0

    def sphere(points: Array) -> Array:
        depth = radius - np.linalg.norm(points - centre, axis=-1)
        return np.clip(depth / 0.8 + 0.5, 0.0, 1.0) * 1000.0  # a soft edge of one pixel

    stack = stack_of(sphere, tilted(25, 1.0, (0.35, 0.0), np.eye(3)), np.eye(3), matrix=(60, 60))
    volume = resample_stack(stack)
    weights = volume.array.astype(np.float64)
    points = places(volume.geometry)
    found = (points * weights[..., None]).sum(axis=(0, 1, 2)) / weights.sum()
    assert np.abs(found - centre).max() < 0.05
    measured = weights.sum() / 1000.0 * volume.geometry.voxel_volume_mm3
    diameter = 2.0 * (measured * 3.0 / (4.0 * np.pi)) ** (1.0 / 3.0)
    assert diameter == pytest.approx(2 * radius, abs=0.1)


def test_uneven_gaps_take_the_usual_gap_and_say_what_was_interpolated() -> None:
    heights = [0.0, 2.0, 4.0, 10.0, 12.0, 14.0]
    origins = [np.array([1.0, 2.0, 3.0]) + OBLIQUE[:, 2] * height for height in heights]
    stack = stack_of(linear, origins, OBLIQUE, dtype="float64")
    volume = resample_stack(stack)
    assert volume.geometry.shape == (8, 40, 48)
    assert volume.geometry.spacing_mm[0] == pytest.approx(2.0)
    assert np.abs(volume.array - linear(places(volume.geometry))).max() < 1e-9
    texts = " ".join(finding.text for finding in volume.findings)
    assert "2 slices of 8 were interpolated between neighbours up to 6.000 mm apart" in texts
    assert np.array_equal(volume.array[5], stack.slices[3].array[0])


def test_uneven_and_tilted_at_once() -> None:
    heights = [0.0, 1.5, 3.0, 6.0, 7.5]
    step = OBLIQUE[:, 2] + OBLIQUE[:, 1] * 0.31
    stack = stack_of(linear, [step * height for height in heights], OBLIQUE, dtype="float64")
    volume = resample_stack(stack)
    points = places(volume.geometry)
    seen = inside(stack, points)
    assert np.abs(volume.array - linear(points))[seen].max() < 1e-9


def test_agrees_with_simpleitk_on_the_sheared_grid() -> None:
    rng = np.random.default_rng(5)
    turn, slant, gap = rotation(10, 5, -20), (0.43, 0.29), 2.5
    stack = stack_of(linear, tilted(6, gap, slant, turn), turn)
    noise = rng.normal(size=(6, 40, 48)).astype(np.float32) * 100 + 50
    slices = tuple(v.with_array(noise[n : n + 1]) for n, v in enumerate(stack.slices))
    volume = resample_stack(replace(stack, slices=slices))
    sheared = np.eye(4)
    sheared[:3, 0] = turn[:, 2] * gap + turn[:, 1] * slant[0] + turn[:, 0] * slant[1]
    sheared[:3, 1], sheared[:3, 2] = turn[:, 1] * 0.8, turn[:, 0] * 0.6
    sheared[:3, 3] = stack.geometries[0].origin_lps
    source = sitk.GetImageFromArray(noise)  # index space; the shear is put into the transform
    linear_part = np.linalg.inv(sheared) @ volume.geometry.affine
    flip = np.eye(4)[[2, 1, 0, 3]]
    between = flip @ linear_part @ flip
    transform = sitk.AffineTransform(between[:3, :3].ravel().tolist(), between[:3, 3].tolist())
    target = sitk.Image([int(e) for e in volume.geometry.shape[::-1]], sitk.sitkFloat32)
    theirs = sitk.GetArrayFromImage(
        sitk.Resample(source, target, transform, sitk.sitkLinear, 1e9, sitk.sitkFloat32)
    )
    both = (theirs < 1e8) & (volume.array != volume.padding_value)
    assert both.sum() > 0.9 * noise.size
    assert np.abs(volume.array - theirs)[both].max() < 2e-2


def test_padding_is_not_mixed_with_tissue() -> None:
    def half(points: Array) -> Array:
        return np.where(points[..., 0] < -8.0, -2000.0, 100.0)

    origins = tilted(4, 2.0, (0.0, 0.27), np.eye(3))
    stack = stack_of(half, origins, np.eye(3), dtype="int16", padding=-2000.0)
    volume = resample_stack(stack)
    assert set(np.unique(volume.array)) == {-2000, 100}
    assert volume.padding_value == -2000.0
    assert volume.array.dtype == np.int16


def test_whole_values_are_rounded_not_cut() -> None:
    stack = stack_of(lambda p: 10.0 * p[..., 1], tilted(3, 2.0, (0.4, 0.0), np.eye(3)), np.eye(3))
    whole = tuple(v.with_array(np.rint(v.array).astype(np.int16)) for v in stack.slices)
    volume = resample_stack(replace(stack, slices=whole))
    points = places(volume.geometry)
    seen = inside(stack, points)
    assert np.abs(volume.array - 10.0 * points[..., 1])[seen].max() <= 1.0
    assert abs((volume.array - 10.0 * points[..., 1])[seen].mean()) < 0.1


def test_kind_and_facts_of_what_comes_out() -> None:
    stack = stack_of(linear, tilted(3, 2.0, (0.4, 0.0), np.eye(3)), np.eye(3))
    volume = resample_stack(stack)
    assert volume.kind is VolumeKind.DERIVED
    assert volume.attributes == {"a": "b", "resampled": "YES"}
    assert "because: Tilted on purpose" in volume.findings[0].text
    made = tuple(replace(v, kind=VolumeKind.SYNTHETIC) for v in stack.slices)
    assert resample_stack(replace(stack, slices=made)).kind is VolumeKind.SYNTHETIC


def test_colour_is_resampled_too() -> None:
    stack = stack_of(linear, tilted(3, 2.0, (0.4, 0.0), np.eye(3)), np.eye(3))
    colour = np.broadcast_to(np.array([10, 200, 30], np.uint8), (1, 40, 48, 3))
    painted = tuple(v.with_array(colour, units="rgb") for v in stack.slices)
    volume = resample_stack(replace(stack, slices=painted))
    assert volume.array.shape == (3, 41, 48, 3)
    assert volume.array[1, 20, 20].tolist() == [10, 200, 30]
    assert volume.array[2, 0, 0].tolist() == [0, 0, 0]


def test_what_cannot_be_a_grid_is_refused_in_words() -> None:
    stack = stack_of(linear, [np.zeros(3), np.array([0, 0, 1e-5])], np.eye(3))
    with pytest.raises(GeometryError, match="same place"):
        resample_stack(stack)
    heights = [0.0, 0.1, 0.2, 0.3, 900.0]
    far = stack_of(linear, [np.array([0.0, 0.0, height]) for height in heights], np.eye(3))
    with pytest.raises(GeometryError, match="9001 slices for 5"):
        resample_stack(far)
    turned = list(stack_of(linear, tilted(3, 2.0, (0.4, 0.0), np.eye(3)), np.eye(3)).slices)
    affine = turned[1].geometry.affine.copy()
    affine[:3, :3] = rotation(0, 0, 3) @ affine[:3, :3]
    turned[1] = replace(turned[1], geometry=VolumeGeometry((1, 40, 48), affine))
    with pytest.raises(GeometryError, match="turned against each other"):
        resample_stack(replace(stack, slices=tuple(turned)))


def test_it_stops_when_asked() -> None:
    class Stop:
        is_cancelled = True

        def raise_if_cancelled(self) -> None:
            raise CancelledError("stopped")

    stack = stack_of(linear, tilted(3, 2.0, (0.4, 0.0), np.eye(3)), np.eye(3))
    with pytest.raises(CancelledError):
        resample_stack(stack, cancel=Stop())
