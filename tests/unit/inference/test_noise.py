"""Oracles: Random123 known-answer vectors, CPython AS241, scipy ndtri, closed-form moments."""

from __future__ import annotations

import hashlib
import math
from statistics import NormalDist

import numpy as np
import pytest
from scipy import special, stats

from carez_desktop.errors import UsageError
from carez_desktop.inference.noise import (
    _minus_log,
    gaussian_noise,
    gaussian_noise_range,
    gaussian_noise_region,
    noise_key,
    normal_from_words,
    philox_words,
)

MASK = (1 << 64) - 1
GOLDEN = [
    "-0x1.d212fc0000000p-3",
    "0x1.2860ca0000000p-1",
    "-0x1.b6915a0000000p-2",
    "0x1.6f3e160000000p-3",
    "0x1.7215300000000p-3",
    "0x1.3af4500000000p+0",
]
GOLDEN_SHA256 = "75351d6f5ce59ebdc8be546e92f5a0d52a65c17f271f95c168f8e07154995a2a"


def philox_block(counter: list[int], key: list[int]) -> list[int]:
    """Philox4x64-10 in plain integers, after Salmon et al. 2011, figure 3."""
    for round_number in range(10):
        if round_number:
            key = [(key[0] + 0x9E3779B97F4A7C15) & MASK, (key[1] + 0xBB67AE8584CAA73B) & MASK]
        first = 0xD2E7470EE14C6C93 * counter[0]
        second = 0xCA5A826395121157 * counter[2]
        counter = [
            (second >> 64) ^ counter[1] ^ key[0],
            second & MASK,
            (first >> 64) ^ counter[3] ^ key[1],
            first & MASK,
        ]
    return counter


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [  # Random123 1.14, tests/kat_vectors, philox4x64 10
        (
            [0, 0, 0, 0],
            [0, 0],
            [0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B],
        ),
        (
            [MASK] * 4,
            [MASK] * 2,
            [0x87B092C3013FE90B, 0x438C3C67BE8D0224, 0x9CC7D7C69CD777B6, 0xA09CAEBF594F0BA0],
        ),
        (
            [0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0, 0x082EFA98EC4E6C89],
            [0x452821E638D01377, 0xBE5466CF34E90C6C],
            [0xA528F45403E61D95, 0x38C72DBD566E9788, 0xA5A1610E72FD18B5, 0x57BD43B5E52B7FE6],
        ),
    ],
)
def test_philox_gives_the_published_known_answers(
    counter: list[int], key: list[int], expected: list[int]
) -> None:
    assert philox_block(list(counter), list(key)) == expected
    block = sum(word << (64 * place) for place, word in enumerate(counter))
    words = philox_words((key[0], key[1]), block * 4, 4)
    assert [int(word) for word in words] == expected


def test_a_voxel_takes_the_word_that_the_recipe_names() -> None:
    key = noise_key(7, "case-0001", "latent")
    digest = hashlib.sha256(b"7|case-0001|latent").digest()
    assert key == (
        int.from_bytes(digest[:8], "little"),
        int.from_bytes(digest[8:16], "little"),
    )
    for voxel in (0, 1, 3, 4, 4095, 40_001):
        block = philox_block([voxel // 4, 0, 0, 0], list(key))
        steps = block[voxel % 4] >> 12
        expected = NormalDist().inv_cdf((steps + 0.5) / 2**52)
        value = gaussian_noise_range(7, "case-0001", "latent", voxel, 1)[0]
        assert value == pytest.approx(expected, rel=1e-6)


def test_the_values_never_change() -> None:
    """Golden vector: whoever changes it breaks every bundle that was made before."""
    values = gaussian_noise(42, "case-0001", "latent", (2, 3))
    assert values.dtype == np.float32
    assert [value.hex() for value in values.ravel().astype(float).tolist()] == GOLDEN
    large = gaussian_noise(42, "case-0001", "latent", (24, 12, 16, 12))
    assert hashlib.sha256(large.astype("<f4").tobytes()).hexdigest() == GOLDEN_SHA256


def test_the_transform_agrees_with_cpython_and_scipy() -> None:
    generator = np.random.default_rng(0)
    words = generator.integers(0, 1 << 64, size=20_000, dtype=np.uint64)
    small = np.array([0, 1, 4096, 1 << 20, 1 << 30, 1 << 40, MASK, MASK - 4096], dtype=np.uint64)
    words = np.concatenate([words, small, words[:500] >> np.uint64(20)])
    values = normal_from_words(words)
    probabilities = [((int(word) >> 12) + 0.5) / 2**52 for word in words]
    lower = np.array([min(p, 1.0 - p) for p in probabilities])
    np.testing.assert_allclose(-np.abs(values), special.ndtri(lower), rtol=2e-14, atol=2e-15)
    python = [NormalDist().inv_cdf(p) for p in probabilities]
    np.testing.assert_allclose(values, python, rtol=5e-15, atol=1e-16)
    assert np.abs(values).max() < 8.3


def test_opposite_words_give_opposite_values() -> None:
    words = np.array([5 << 12, 123456789 << 20, 1 << 62, 3], dtype=np.uint64)
    mirrored = words ^ np.uint64(MASK)
    assert np.array_equal(normal_from_words(words), -normal_from_words(mirrored))


def test_the_logarithm_is_that_of_the_c_library() -> None:
    x = np.concatenate([np.geomspace(2.0**-53, 0.5, 5000), [0.5, 2.0**-0.5, 0.075, 0.25]])
    expected = np.array([-math.log(value) for value in x])
    np.testing.assert_array_max_ulp(_minus_log(x), expected, maxulp=2)


def test_the_noise_is_standard_normal_and_white() -> None:
    noise = gaussian_noise(3, "case-0002", "latent", (40, 50, 100)).astype(np.float64)
    count = noise.size
    assert abs(noise.mean()) < 4 / math.sqrt(count)
    assert abs(noise.var() - 1) < 4 * math.sqrt(2 / count)
    assert abs((noise**3).mean()) < 4 * math.sqrt(15 / count)
    assert abs((noise**4).mean() - 3) < 4 * math.sqrt(96 / count)
    assert stats.kstest(noise.ravel(), "norm").pvalue > 1e-3
    for axis in range(3):
        lagged = (noise * np.roll(noise, 1, axis=axis)).mean()
        assert abs(lagged) < 4 / math.sqrt(count)


def test_seed_case_and_purpose_each_give_independent_noise() -> None:
    keys = [(1, "a", "x"), (2, "a", "x"), (1, "b", "x"), (1, "a", "y")]
    fields = np.array([gaussian_noise(*key, (20_000,)) for key in keys])
    correlations = np.corrcoef(fields)[np.triu_indices(len(keys), 1)]
    assert np.abs(correlations).max() < 4 / math.sqrt(20_000)


@pytest.mark.parametrize("tile", [(1, 1, 1, 1), (2, 5, 7, 3), (2, 5, 7, 11), (1, 5, 7, 11)])
def test_tiles_have_the_values_of_the_whole(tile: tuple[int, ...]) -> None:
    shape = (2, 5, 7, 11)
    whole = gaussian_noise(9, "case-0003", "latent", shape)
    if tile == (1, 1, 1, 1):
        offsets = [(1, 4, 6, 10), (0, 0, 0, 0), (1, 2, 3, 5)]
    else:
        steps = [range(0, size - part + 1, part) for size, part in zip(shape, tile, strict=True)]
        offsets = [
            (a, b, c, d) for a in steps[0] for b in steps[1] for c in steps[2] for d in steps[3]
        ]
    for offset in offsets:
        box = tuple(slice(at, at + size) for at, size in zip(offset, tile, strict=True))
        part = gaussian_noise_region(9, "case-0003", "latent", shape, offset, tile)
        assert np.array_equal(part, whole[box])


def test_long_runs_do_not_depend_on_how_they_are_cut() -> None:
    whole = gaussian_noise_range(5, "c", "p", 0, 100_003)
    cut = np.concatenate(
        [
            gaussian_noise_range(5, "c", "p", 0, 33_001),
            gaussian_noise_range(5, "c", "p", 33_001, 67_002),
        ]
    )
    assert np.array_equal(whole, cut)


def test_bad_requests_are_refused_with_the_field() -> None:
    with pytest.raises(UsageError, match="without"):
        gaussian_noise(1, "a|b", "latent", (2,))
    with pytest.raises(UsageError, match="inside the array"):
        gaussian_noise_region(1, "a", "latent", (4, 4), (2, 2), (3, 1))
    with pytest.raises(UsageError, match="at least 0"):
        gaussian_noise_range(1, "a", "latent", -1, 4)
    assert gaussian_noise(1, "a", "latent", (0, 3)).shape == (0, 3)
    assert gaussian_noise_region(1, "a", "latent", (4, 4), (2, 2), (0, 1)).shape == (0, 1)
