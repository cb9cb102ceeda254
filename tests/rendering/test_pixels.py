"""Packed pixels: mixing against the arithmetic of each channel."""

from __future__ import annotations

import numpy as np
import pytest

from carez_desktop.rendering.pixels import laid_over, mixed, pixels_of_rgb, rgb_of_pixels


@pytest.fixture
def colours() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    return tuple(random.integers(0, 256, (40, 30, 3)).astype(np.uint8) for _ in range(2))


def test_colours_come_back_and_are_what_qt_reads(colours) -> None:
    pixels = pixels_of_rgb(colours[0])
    np.testing.assert_array_equal(rgb_of_pixels(pixels), colours[0])
    red, green, blue = (int(part) for part in colours[0][7, 8])
    assert pixels[7, 8] == 0xFF000000 | red << 16 | green << 8 | blue


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.83, 1.0])
def test_a_mixture_is_the_weighted_mean_of_each_channel(colours, share: float) -> None:
    under, over = (pixels_of_rgb(part) for part in colours)
    expected = colours[0] * (1 - share) + colours[1] * share
    for join in (mixed, laid_over):
        made = join(under, over, share)
        assert np.all(made >> 24 == 255)
        assert np.abs(rgb_of_pixels(made) - expected).max() <= 1.0
    under[:9], over[5:20] = 0, 0
    made = mixed(under, over, share)
    np.testing.assert_array_equal(made[:5], over[:5])
    np.testing.assert_array_equal(made[9:20], under[9:20])
    assert np.all(made[5:9] == 0)
    on_black = laid_over(under, over, share)
    dim = rgb_of_pixels(on_black[:5])
    assert np.abs(dim - colours[1][:5] * share).max() <= 1.0
    np.testing.assert_array_equal(on_black[9:20], under[9:20])


def test_two_full_whites_stay_white() -> None:
    white = np.full((2, 2), 0xFFFFFFFF, np.uint32)
    for share in np.linspace(0, 1, 33):
        assert np.all(mixed(white, white, float(share)) == 0xFFFFFFFF)
