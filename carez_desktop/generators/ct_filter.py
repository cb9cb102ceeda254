"""The reconstruction filter as a one-parameter family, matched to the noise texture of a source.

The filter is H(f) = f A(f) up to the detector's Nyquist frequency F (f in 1/mm). Its sharpness s
runs over A = Hann window with cut-off F / 4 / (1 - s) for s in [0, 1), A = 1 (pure ramp) at 1, and
A = 1 + 8 (s - 1) (f / F)^2 for s in (1, 2], which lifts the high frequencies as edge-enhancing
kernels do.

With white noise of variance v in each of V parallel views of element d, the image noise is
isotropic with the spectrum NPS(f) = (pi / V) d v H(f)^2 / f (Kak and Slaney 1988, section 5.3;
Riederer, Pelc and Chesler, Phys Med Biol 23 (1978) 446), hence the variance
2 pi integral NPS f df, which for the pure ramp is pi^2 v / (12 V d^2).
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import special

from carez_desktop.generators.ct_projection import ParallelGeometry

FloatArray = npt.NDArray[np.float64]

SHARPEST = 2.0
_STEPS = 512

KERNEL_SHARPNESS: tuple[tuple[str, float], ...] = (
    ("lung", 1.1),
    ("bone", 1.1),
    ("edge", 1.1),
    ("detail", 0.9),
    ("fc8", 1.1),
    ("fc5", 1.1),
    ("fc3", 0.9),
    ("b7", 1.1),
    ("b6", 1.1),
    ("b5", 0.95),
    ("b4", 0.8),
    ("i7", 1.1),
    ("i5", 0.95),
    ("yc", 1.1),
    ("yd", 1.1),
    ("standard", 0.7),
    ("fc1", 0.7),
    ("b3", 0.65),
    ("soft", 0.55),
    ("b2", 0.55),
    ("b1", 0.45),
)
"""Start of a ConvolutionKernel in small letters -> sharpness, a coarse guess for where the texture
cannot be measured; GE names kernels in words, Siemens by B and I numbers, Canon by FC."""
DEFAULT_SHARPNESS = 0.7


def apodisation(sharpness: float, relative_frequency: FloatArray) -> FloatArray:
    """Return A at frequencies given as shares of the Nyquist frequency, in [0, 1]."""
    if sharpness > 1.0:
        return np.asarray(1.0 + 8.0 * (sharpness - 1.0) * relative_frequency**2, dtype=np.float64)
    if sharpness == 1.0:
        return np.ones_like(relative_frequency)
    cut_off = 0.25 / (1.0 - sharpness)
    bounded = np.minimum(relative_frequency / cut_off, 1.0)
    return np.asarray(0.5 * (1.0 + np.cos(np.pi * bounded)), dtype=np.float64)


def filter_response(sharpness: float, frequencies: FloatArray, nyquist: float) -> FloatArray:
    """Return H = f A(f) in 1/mm at frequencies in 1/mm from 0 to the Nyquist frequency."""
    return frequencies * apodisation(sharpness, frequencies / nyquist)


def noise_gain(sharpness: float, geometry: ParallelGeometry) -> float:
    """Return image variance (1/mm^2) for unit variance of the line integrals in every view.

    (pi / V)^2 times the sum over the V views of d times the integral of H^2 over both signs of f.
    """
    frequency, step = _midpoints(geometry.nyquist_per_mm)
    response = filter_response(sharpness, frequency, geometry.nyquist_per_mm)
    integral = 2.0 * float(np.sum(response**2)) * step
    return math.pi**2 / geometry.views * geometry.element_mm * integral


def kernel_sharpness(kernel: str) -> float:
    """Guess the sharpness of a named ConvolutionKernel."""
    name = kernel.strip().lower()
    for start, sharpness in KERNEL_SHARPNESS:
        if name.startswith(start):
            return sharpness
    return DEFAULT_SHARPNESS


def _midpoints(nyquist: float) -> tuple[FloatArray, float]:
    step = nyquist / _STEPS
    return (np.arange(_STEPS, dtype=np.float64) + 0.5) * step, step


class PatchStatistics:
    """What noise of a given filter looks like in a square patch after detrending.

    A patch is detrended by a least-squares polynomial surface (of degree 2 to 4:
    anatomy is smoother than noise), which takes some noise with it; the expected variance and
    spectrum of the rest follow exactly from the autocovariance
    C(r) = 2 pi integral NPS(f) J0(2 pi f r) f df, so that nothing has to be calibrated.
    """

    def __init__(self, side: int, spacing_mm: tuple[float, float], nyquist_per_mm: float) -> None:
        """Prepare for patches of side x side pixels with (row, column) spacing."""
        self.side = side
        self._nyquist = nyquist_per_mm
        row, column = np.mgrid[:side, :side].reshape(2, -1).astype(np.float64)
        r = np.hypot(
            (row[:, None] - row[None, :]) * spacing_mm[0],
            (column[:, None] - column[None, :]) * spacing_mm[1],
        )
        distances, self._inverse = np.unique(np.round(r, 9), return_inverse=True)
        self._inverse = self._inverse.reshape(r.shape)
        frequency, step = _midpoints(nyquist_per_mm)
        self._frequency = frequency
        # C(r) per unit variance for H: weights of NPS f df = H^2 df, normalised below.
        self._bessel = special.j0(2.0 * np.pi * np.outer(distances, frequency)) * step
        u, v = 2.0 * row / (side - 1) - 1.0, 2.0 * column / (side - 1) - 1.0
        # Patches of coarse pixels show too few waves of the noise for a higher degree.
        degree = 2 if min(spacing_mm) > 1.5 else min(4, side // 4)
        powers = [(i, j) for i in range(degree + 1) for j in range(degree + 1 - i)]
        surface = np.stack([u**i * v**j for i, j in powers], axis=1)
        basis, _ = np.linalg.qr(surface)
        self._basis = basis
        fy = np.fft.fftfreq(side, spacing_mm[0])[:, None]
        fx = np.fft.fftfreq(side, spacing_mm[1])[None, :]
        self._radial = np.hypot(fy, fx)

    def detrend(self, patches: FloatArray) -> FloatArray:
        """Take the polynomial surface out of (n, side, side) patches."""
        flat = patches.reshape(len(patches), self.side**2)
        rest = flat - (flat @ self._basis) @ self._basis.T
        return np.asarray(rest.reshape(patches.shape), dtype=np.float64)

    @cached_property
    def rounding_share(self) -> float:
        """Share of the variance of rounding, which is white, that detrending leaves."""
        return 1.0 - float(self._basis.shape[1]) / self.side**2

    def power(self, residuals: FloatArray) -> FloatArray:
        """Return the (n, side, side) periodograms of detrended patches."""
        return np.asarray(np.abs(np.fft.fft2(residuals)) ** 2, dtype=np.float64)

    def mean_frequency(self, power: FloatArray, rounding_variance: float = 0.0) -> float:
        """Return the power-weighted mean frequency in 1/mm.

        Args:
            power: (n, side, side) periodograms.
            rounding_variance: Of rounding to whole numbers (1/12), taken out of the power.
        """
        rest = np.maximum(power.mean(axis=0) - rounding_variance * self._white, 0.0)
        return float(np.sum(rest * self._radial) / max(float(np.sum(rest)), 1e-30))

    @cached_property
    def _white(self) -> FloatArray:
        """Expected periodogram of detrended white noise of unit variance."""
        return self._spectrum(np.eye(self.side**2) - self._basis @ self._basis.T)

    def _spectrum(self, covariance: FloatArray) -> FloatArray:
        """Return the (side, side) expected periodogram of patches of this covariance."""
        shape = (self.side, self.side)
        forward = np.fft.fft2(covariance.reshape(*shape, -1), axes=(0, 1))
        both = np.fft.ifft2(forward.reshape(-1, *shape), axes=(1, 2)).reshape(self.side**2, -1)
        power = np.real(np.diagonal(both)) * self.side**2
        return np.asarray(power.reshape(shape), dtype=np.float64)

    def expected(self, sharpness: float) -> ExpectedPatch:
        """Return what a filter of this sharpness leaves in a detrended patch."""
        response = filter_response(sharpness, self._frequency, self._nyquist) ** 2
        covariance = (self._bessel @ response / (self._bessel[0] @ response))[self._inverse]
        projected = covariance - self._basis @ (self._basis.T @ covariance)
        projected = projected - (projected @ self._basis) @ self._basis.T
        share = float(np.trace(projected)) / self.side**2
        freedom = float(np.trace(projected)) ** 2 / float(np.sum(projected**2))
        power = self._spectrum(projected)
        mean = float(np.sum(power * self._radial) / np.sum(power))
        return ExpectedPatch(share, freedom, mean)

    @cached_property
    def sharpness_table(self) -> tuple[FloatArray, FloatArray]:
        """(n,) sharpness and the (n,) mean frequency in 1/mm that it leaves in a patch."""
        sharpness = np.linspace(0.0, SHARPEST, 41)
        return sharpness, np.array([self.expected(value).mean_frequency for value in sharpness])

    def match(self, mean_frequency: float) -> tuple[float, bool]:
        """Return the sharpness with this mean frequency, and whether the family reaches it."""
        sharpness, means = self.sharpness_table
        # Of very smooth noise detrending leaves only leakage, whose frequency rises again.
        lowest = int(np.argmin(means))
        sharpness, means = sharpness[lowest:], means[lowest:]
        reached = bool(means[0] <= mean_frequency <= means[-1])
        return float(np.interp(mean_frequency, means, sharpness)), reached


class ExpectedPatch:
    """Share of the variance that detrending leaves, its degrees of freedom, its mean frequency."""

    def __init__(self, variance_share: float, freedom: float, mean_frequency: float) -> None:
        """Keep the three numbers; the frequency is in 1/mm."""
        self.variance_share = variance_share
        self.freedom = freedom
        self.mean_frequency = mean_frequency
