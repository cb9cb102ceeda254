"""Label maps over a picture: their colours, their opacity, their edges."""

from __future__ import annotations

import numpy as np
import pytest

from carez_desktop.rendering.label_overlay import (
    LABEL_COLOURS,
    edges_of,
    label_colour,
    label_pixels,
    with_labels,
)
from carez_desktop.rendering.pixels import rgb_of_pixels
from carez_desktop.rendering.slice_pipeline import INT16_OUTSIDE


def test_labels_have_colours_of_okabe_and_ito_and_zero_has_none() -> None:
    labels = np.array([[0, 1, 2, 3, 4, 5, 6, 7, 8, 300]], np.int16)
    pixels = label_pixels(labels, outlined=False)
    assert pixels[0, 0] == 0
    shown = rgb_of_pixels(pixels)[0].tolist()
    assert [tuple(part) for part in shown[1:8]] == list(LABEL_COLOURS)
    assert shown[8] == shown[1]
    for value, colour in zip(labels[0, 1:], shown[1:], strict=True):
        assert tuple(colour) == label_colour(int(value))


@pytest.mark.parametrize("line", [1, 2, 3])
def test_edges_are_pixels_near_another_label(line: int) -> None:
    labels = np.random.default_rng(4).integers(0, 3, (9, 11)).repeat(5, 0).repeat(4, 1)
    made = edges_of(labels.astype(np.int32), line)
    for row in range(labels.shape[0]):
        for column in range(labels.shape[1]):
            own = labels[row, column]
            near = [
                labels[r, c]
                for step in range(1, line + 1)
                for r, c in (
                    (row - step, column), (row + step, column),
                    (row, column - step), (row, column + step),
                )
                if 0 <= r < labels.shape[0] and 0 <= c < labels.shape[1]
            ]  # fmt: skip
            assert made[row, column] == any(other != own for other in near)


def test_labels_lie_over_a_picture_with_their_opacity() -> None:
    picture = np.full((6, 6), 0xFF808080, np.uint32)
    values = np.zeros((6, 6), np.int16)
    values[1:5, 1:5], values[0, 0] = 2, INT16_OUTSIDE
    filled = with_labels(picture, values, opacity=0.4, outlined=False)
    expected = 0.6 * 128 + 0.4 * np.array(label_colour(2))
    assert np.abs(rgb_of_pixels(filled)[1:5, 1:5] - expected).max() <= 1.0
    np.testing.assert_array_equal(filled[0], picture[0])
    outlined = with_labels(picture, values, opacity=1.0, outlined=True)
    np.testing.assert_array_equal(outlined[2:4, 2:4], picture[2:4, 2:4])
    assert tuple(rgb_of_pixels(outlined)[1, 1]) == label_colour(2)


def test_what_is_no_number_is_no_label_and_types_agree() -> None:
    values = np.array([[np.nan, np.inf, 2.0, 0.0]], np.float32)
    assert [part != 0 for part in label_pixels(values, outlined=False)[0]] == [
        False, False, True, False,
    ]  # fmt: skip
    whole = np.array([[0, 1, 7, 8, 32767, -3]], np.int16)
    np.testing.assert_array_equal(
        label_pixels(whole, outlined=False), label_pixels(whole.astype(np.float32), outlined=False)
    )
