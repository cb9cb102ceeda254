"""Standard normal noise that depends on (seed, case, purpose, voxel) and on nothing else.

The same voxel gets the same bits whatever the tile, the batch, the thread, the device, the numpy
version or the processor. Version 1 of the recipe, in full:

1. Key: the first 16 bytes of SHA-256 over the UTF-8 text `seed|case|purpose` (the seed in
   decimal), as two little-endian 64-bit words.
2. Bits: Philox4x64-10 (Salmon, Moraes, Dror, Shaw, SC11, 2011). A block of four words belongs to
   four voxels: voxel i (C-order index into the whole array) takes word i mod 4 of the block with
   counter i div 4 (upper counter words 0).
3. Uniform: k = word >> 12 (52 bits), u = (k + 1/2) / 2^52; u and 1 - u are exact, never 0 or 1.
4. Normal: Wichura's AS241 PPND16 (Applied Statistics 37 (1988) 477) in float64, written in
   additions, multiplications, divisions and square roots only, which IEEE 754 rounds the same
   everywhere; its logarithm is ours (`_minus_log`), not the C library's.
5. Rounded once to float32.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from carez_desktop.errors import UsageError

Float32Array = npt.NDArray[np.float32]
_Float64Array = npt.NDArray[np.float64]
_Word = npt.NDArray[np.uint64]

NOISE_RECIPE = "philox4x64-10/as241/1"
"""Name and version of the recipe above, for provenance."""

WORDS_PER_BLOCK = 4
_CHUNK = 1 << 15
_CENTRE = 0.425
_ROOT_HALF = 0.7071067811865476
_LN2_HIGH = 6.93147180369123816490e-01
_LN2_LOW = 1.90821492927058770002e-10
_LOG_TERMS = tuple(1.0 / (2 * term + 1) for term in range(11, -1, -1))

# Coefficients of AS241, highest power first: numerator, then denominator.
_CENTRE_RATIO = (
    (
        2509.0809287301226727,
        33430.575583588128105,
        67265.770927008700853,
        45921.953931549871457,
        13731.693765509461125,
        1971.5909503065514427,
        133.14166789178437745,
        3.387132872796366608,
    ),
    (
        5226.495278852854561,
        28729.085735721942674,
        39307.89580009271061,
        21213.794301586595867,
        5394.1960214247511077,
        687.1870074920579083,
        42.313330701600911252,
        1.0,
    ),
)
_TAIL_RATIO = (
    (
        7.7454501427834140764e-4,
        0.0227238449892691845833,
        0.24178072517745061177,
        1.27045825245236838258,
        3.64784832476320460504,
        5.7694972214606914055,
        4.6303378461565452959,
        1.42343711074968357734,
    ),
    (
        1.05075007164441684324e-9,
        5.475938084995344946e-4,
        0.0151986665636164571966,
        0.14810397642748007459,
        0.68976733498510000455,
        1.6763848301838038494,
        2.05319162663775882187,
        1.0,
    ),
)
_FAR_TAIL_RATIO = (
    (
        2.01033439929228813265e-7,
        2.71155556874348757815e-5,
        0.0012426609473880784386,
        0.026532189526576123093,
        0.29656057182850489123,
        1.7848265399172913358,
        5.4637849111641143699,
        6.6579046435011037772,
    ),
    (
        2.04426310338993978564e-15,
        1.4215117583164458887e-7,
        1.8463183175100546818e-5,
        7.868691311456132591e-4,
        0.0148753612908506148525,
        0.13692988092273580531,
        0.59983220655588793769,
        1.0,
    ),
)
_Ratio = tuple[tuple[float, ...], tuple[float, ...]]


def noise_key(seed: int, case: str, purpose: str) -> tuple[int, int]:
    """Return the two 64-bit words that key the noise of one purpose of one case.

    Raises:
        UsageError: The case or purpose contains `|`, which would make the key ambiguous.
    """
    for field, text in (("case", case), ("purpose", purpose)):
        if "|" in text:
            raise UsageError(
                f"{text} cannot key noise", subject=field, hint="Give a name without |"
            )
    digest = hashlib.sha256(f"{int(seed)}|{case}|{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:16], "little")


def philox_words(key: tuple[int, int], start: int, count: int) -> _Word:
    """Return words `start` .. `start + count - 1` of the Philox4x64-10 stream of a key.

    Args:
        key: Two 64-bit words.
        start: Index of the first word; four words share a counter.
        count: How many words.
    """
    block, skip = divmod(start, WORDS_PER_BLOCK)
    # numpy steps the counter before each block, so that it has to stand one before.
    before = (block - 1) % (1 << 256)
    generator = np.random.Philox(counter=before, key=key[0] | (key[1] << 64))
    words: _Word = generator.random_raw(skip + count)
    return words[skip:]


def gaussian_noise_range(
    seed: int, case: str, purpose: str, start: int, count: int
) -> Float32Array:
    """Return the noise of `count` voxels from C-order index `start` on.

    Returns:
        float32, shape [count], standard normal.

    Raises:
        UsageError: A negative start or count, or a name with `|`.
    """
    if start < 0 or count < 0:
        raise UsageError(
            f"Noise has no voxels {start} to {start + count}",
            subject="start" if start < 0 else "count",
            hint="Give whole numbers of at least 0",
        )
    key = noise_key(seed, case, purpose)
    out = np.empty(count, dtype=np.float32)
    for first in range(0, count, _CHUNK):
        size = min(_CHUNK, count - first)
        out[first : first + size] = normal_from_words(philox_words(key, start + first, size))
    return out


def gaussian_noise(seed: int, case: str, purpose: str, shape: Sequence[int]) -> Float32Array:
    """Return the noise of a whole array.

    Args:
        seed: Seed of the cohort.
        case: Case that it belongs to (`case-0001`).
        purpose: What it is for (`latent`, `photons`); purposes are independent of each other.
        shape: Any number of axes; the voxel index is in C order over it.

    Returns:
        float32 of that shape, standard normal.

    Raises:
        UsageError: A name with `|`.
    """
    return gaussian_noise_range(seed, case, purpose, 0, math.prod(shape)).reshape(tuple(shape))


def gaussian_noise_region(
    seed: int,
    case: str,
    purpose: str,
    shape: Sequence[int],
    offset: Sequence[int],
    extent: Sequence[int],
) -> Float32Array:
    """Return a box of `gaussian_noise(seed, case, purpose, shape)` without the rest of it.

    Args:
        seed: Seed of the cohort.
        case: Case that it belongs to.
        purpose: What it is for.
        shape: Shape of the whole array.
        offset: First index of the box along each axis.
        extent: Size of the box along each axis.

    Returns:
        float32 of shape `extent`, bit for bit the same values as in the whole array.

    Raises:
        UsageError: A box outside the array, or a name with `|`.
    """
    inside = len(shape) == len(offset) == len(extent) and all(
        first >= 0 and size >= 0 and first + size <= whole
        for whole, first, size in zip(shape, offset, extent, strict=True)
    )
    if not inside:
        raise UsageError(
            f"Noise of shape {tuple(shape)} has no box at {tuple(offset)} of {tuple(extent)}",
            subject="offset",
            hint="Keep the box inside the array",
        )
    out = np.empty(tuple(extent), dtype=np.float32)
    if out.size == 0:
        return out
    whole_from = len(shape)
    while whole_from > 0 and extent[whole_from - 1] == shape[whole_from - 1]:
        whole_from -= 1
    leading = max(whole_from - 1, 0)
    run = math.prod(extent[leading:])
    rows = out.reshape(-1, run)
    for row, index in zip(rows, np.ndindex(*extent[:leading]), strict=True):
        first = [step + at for step, at in zip(index, offset, strict=False)]
        first += offset[leading:]
        start = int(np.ravel_multi_index(first, tuple(shape)))
        row[:] = gaussian_noise_range(seed, case, purpose, start, run)
    return out


def normal_from_words(words: _Word) -> _Float64Array:
    """Turn random 64-bit words into standard normal values (steps 3 and 4 of the recipe).

    Args:
        words: uint64, shape [n].

    Returns:
        float64, shape [n].
    """
    steps = (words >> np.uint64(12)).astype(np.float64)
    centred = (steps - 2251799813685247.5) * 2.0**-52  # u - 1/2, exact
    square = 0.180625 - centred * centred
    normal = centred * _rational(square, _CENTRE_RATIO)
    (tails,) = np.nonzero(np.abs(centred) > _CENTRE)
    if tails.size:
        side = centred[tails]
        probability = 0.5 - np.abs(side)
        normal[tails] = np.copysign(_tail(probability), side)
    return normal


def _tail(probability: _Float64Array) -> _Float64Array:
    """Return |z| for a tail probability below 0.075 (AS241, second and third region)."""
    root = np.sqrt(_minus_log(probability))
    size = _rational(root - 1.6, _TAIL_RATIO)
    far = root > 5.0
    if far.any():
        size[far] = _rational(root[far] - 5.0, _FAR_TAIL_RATIO)
    return size


def _rational(x: _Float64Array, ratio: _Ratio) -> _Float64Array:
    numerator, denominator = (_polynomial(x, coefficients) for coefficients in ratio)
    numerator /= denominator
    return numerator


def _polynomial(x: _Float64Array, coefficients: Sequence[float]) -> _Float64Array:
    """Evaluate by Horner's rule, one rounding for each multiplication and addition."""
    total = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        total *= x
        total += coefficient
    return total


def _minus_log(x: _Float64Array) -> _Float64Array:
    """Return -ln(x) of positive float64 values, the same bits on every machine.

    x = m 2^e with m in [sqrt(1/2), sqrt(2)); ln m = 2 atanh((m - 1) / (m + 1)), whose series ends
    after twelve terms (the next is below 1e-18); ln 2 is split as in fdlibm's e_log.c.
    """
    mantissa, exponent = np.frexp(x)
    low = mantissa < _ROOT_HALF
    mantissa = np.where(low, mantissa * 2.0, mantissa)
    power = exponent.astype(np.float64) - low
    slope = (mantissa - 1.0) / (mantissa + 1.0)
    series = _polynomial(slope * slope, _LOG_TERMS)
    log_mantissa = 2.0 * slope * series
    result: _Float64Array = -(power * _LN2_HIGH + (power * _LN2_LOW + log_mantissa))
    return result
