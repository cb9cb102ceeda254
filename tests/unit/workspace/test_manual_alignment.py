"""The shift of an alignment: what lies at a point of the fixed volume after it."""

from __future__ import annotations

import numpy as np

from carez_desktop.domain.alignment import Alignment, AlignmentMethod
from carez_desktop.domain.volume import Volume
from carez_desktop.workspace.arrangement import Arrangement
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.manual_alignment import (
    alignment_shift,
    by_centres,
    current_matrix,
    shifted_to,
)
from tests.builders.analytic_volumes import GEOMETRIES, rotation


def _layer(name: str, volume_id: str, frame: str) -> Layer:
    geometry = GEOMETRIES[name]
    array = np.zeros(geometry.shape, np.int16)
    return Layer(Volume(volume_id, array, geometry, "MR", "", frame_of_reference_uid=frame))


def test_a_shift_moves_the_picture_by_itself_whatever_the_rotation() -> None:
    matrix = np.eye(4)
    matrix[:3, :3] = rotation(np.array([1.0, -2.0, 0.7]), 31.0)
    matrix[:3, 3] = (12.0, -3.0, 44.0)
    step = np.array([5.0, -2.0, 1.5])
    wanted = alignment_shift(matrix) + step
    moved = shifted_to(matrix, wanted)
    np.testing.assert_allclose(alignment_shift(moved), wanted)
    np.testing.assert_allclose(moved[:3, :3], matrix[:3, :3])
    # What was seen at p is seen at p + (5, -2, 1.5) now.
    point = np.array([7.0, 8.0, 9.0])
    before = matrix @ [*point, 1.0]
    after = moved @ [*(point + step), 1.0]
    np.testing.assert_allclose(after, before)


def test_centres_are_laid_together_and_the_matrix_is_read_back() -> None:
    arrangement = Arrangement()
    fixed, moving = _layer("axial", "1", "F"), _layer("oblique_left_handed", "2", "G")
    arrangement.open(fixed)
    arrangement.open(moving)
    np.testing.assert_array_equal(current_matrix(arrangement, fixed, moving), np.eye(4))
    alignment = by_centres(fixed, moving)
    arrangement.align(alignment)
    matrix = current_matrix(arrangement, fixed, moving)
    np.testing.assert_allclose(matrix, alignment.matrix)
    centre = matrix @ [*fixed.volume.geometry.centre_lps, 1.0]
    np.testing.assert_allclose(centre[:3], moving.volume.geometry.centre_lps)


def test_the_matrix_between_two_is_right_in_the_space_of_a_third() -> None:
    arrangement = Arrangement()
    layers = [_layer("axial", str(place), frame) for place, frame in enumerate("FGH")]
    matrices = []
    for axis, degrees in (((0.0, 0.0, 1.0), 10.0), ((1.0, 1.0, 0.0), -25.0)):
        matrix = np.eye(4)
        matrix[:3, :3] = rotation(np.array(axis), degrees)
        matrix[:3, 3] = (3.0, degrees, -1.0)
        matrices.append(matrix)
    for layer in layers:
        arrangement.open(layer)
    for place, matrix in enumerate(matrices, start=1):
        arrangement.align(Alignment("0", str(place), matrix, AlignmentMethod.REGISTRATION))
    between = current_matrix(arrangement, layers[1], layers[2])
    np.testing.assert_allclose(between, matrices[1] @ np.linalg.inv(matrices[0]), atol=1e-12)
