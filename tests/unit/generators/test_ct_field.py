"""Oracle: line integrals of the whole body against those of the body that the field cut."""

from __future__ import annotations

import numpy as np

from carez_desktop.generators.ct_field import FieldSampler, imaged_pixels
from tests.builders.water_ct import ellipse

MU = 0.0193
SHAPE, SPACING = (150, 150), (2.0, 2.0)


def test_values_no_scanner_measures_are_padding_even_when_unnamed():
    array = np.array([-3024, -2048, -1100, -1024, 0, 400], dtype=np.int16)
    assert imaged_pixels(array, None).tolist() == [False, False, True, True, True, True]
    assert imaged_pixels(array, -1024.0).tolist() == [False, False, True, False, True, True]


def test_a_body_inside_the_field_is_left_as_it_is():
    body = np.where(ellipse(SHAPE, SPACING, (80.0, 110.0)), 20, -1000).astype(np.int16)
    found = FieldSampler(SHAPE, SPACING).sample(body[None], np.ones((1, *SHAPE), bool), MU)
    assert not found.truncated[0]
    wide = found.integrals[0, found.projector.views // 2]  # detector along the rows
    assert abs(wide.max() - 220.0 * MU * 1.02) < 0.1


def test_tissue_cut_by_the_field_is_continued():
    shape, spacing = (180, 180), (2.0, 2.0)
    whole = np.where(ellipse(shape, spacing, (110.0, 160.0)), 20, -1000).astype(np.int16)
    field = ellipse(shape, spacing, (125.0, 125.0))
    sampler = FieldSampler(shape, spacing)
    full = sampler.sample(whole[None], np.ones((1, *shape), bool), MU).integrals[0]
    found = sampler.sample(np.where(field, whole, -2048)[None], field[None], MU)
    naive = 250.0 * MU * 1.02
    assert found.truncated[0]
    view = sampler.projector.views // 2
    assert full[view].max() > naive + 1.0
    assert abs(found.integrals[0, view].max() - full[view].max()) < 0.15 * full[view].max()
    # Where nothing is cut the integrals stay as they are.
    assert np.abs(found.integrals[0, 0] - full[0])[full.shape[1] // 2] < 0.1


def test_a_slice_that_is_all_padding_gives_air():
    empty = np.full((1, *SHAPE), -2048, dtype=np.int16)
    found = FieldSampler(SHAPE, SPACING).sample(empty, imaged_pixels(empty, None), MU)
    assert not found.truncated[0]
    assert np.abs(found.integrals).max() < 1e-6
