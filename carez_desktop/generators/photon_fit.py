"""How many photons made an image: fitted from its own noise, since DICOM does not say.

In patches of soft tissue the noise variance is measured after detrending, and set against what
the projection model predicts for one photon per element and view; each patch then gives an
estimate of 1 / I0. Texture and edges only ever add variance, so that the lowest prominent mode of
the logarithms is taken (a density with the width that noise alone would give), refined by a
trimmed mean. The uncertainty is a jackknife over slices that takes
the mode anew each time; the spread between slices is given beside it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from carez_desktop.generators.ct_field import AnyArray, BoolArray, CoarseSlices
from carez_desktop.generators.ct_filter import PatchStatistics, noise_gain
from carez_desktop.generators.ct_projection import FloatArray, ParallelGeometry

PATCH_MM = 12.0
LOWEST_HU = -15.0
HIGHEST_HU = 120.0
"""Blood, muscle and organs; fat and marrow are left out, since their texture looks like noise."""
FEWEST_REGIONS = 8
DEFAULT_PHOTONS_PER_MAS_MM2 = 60.0
"""Photons per mAs, per mm2 of detector (referred to the centre of rotation) and per view, for 1000
views: the order of magnitude of published simulations. Only used where the fit has no regions."""
DEFAULT_RELATIVE_SD = 1.0


@dataclass(frozen=True, eq=False)
class Regions:
    """Patches of soft tissue.

    Attributes:
        slice_index: (n,) which of the given slices.
        centre_mm: (n, 2) (row, column) position from the slice's centre.
        residuals: (n, side, side) HU after detrending.
        rounding_variance: Of the values, 1/12 for whole HU.
        mean_first: (n,) mean over the views of exp(p), p the line integral through the centre.
        mean_second: (n,) the same of exp(2 p).
    """

    slice_index: npt.NDArray[np.intp]
    centre_mm: FloatArray
    residuals: FloatArray
    mean_first: FloatArray
    mean_second: FloatArray
    rounding_variance: float = 0.0

    @property
    def variance(self) -> FloatArray:
        """(n,) mean square of the residuals, HU^2."""
        return np.asarray(np.mean(self.residuals**2, axis=(1, 2)), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class PhotonFit:
    """Fitted photons with their uncertainty.

    Attributes:
        photons: I0 for each detector element and view at the source's dose.
        relative_sd: Standard error of ln I0 (jackknife over slices).
        slice_spread: Robust standard deviation of ln I0 between slices: what tube current
            modulation, a bowtie filter and the estimate of truncated tissue leave unexplained.
        low / high: 95 % interval of I0.
        regions: Patches in the fit; `candidates`: patches looked at; `slices`: slices they lie in.
        noise_sd_hu: Root of the median variance of the patches in the fit, after detrending.
        sharpness: Of the filter family that the texture or the kernel gave.
        mean_frequency_per_mm: Measured in the patches, 0 where there are too few.
        method: `fitted`, or `default` where there were too few regions.
        filter_method: `measured_texture`, `limit_of_family` or `kernel_table`.
    """

    photons: float
    relative_sd: float
    slice_spread: float
    low: float
    high: float
    regions: int
    candidates: int
    slices: int
    noise_sd_hu: float
    sharpness: float
    mean_frequency_per_mm: float
    method: str
    filter_method: str


def patch_side(spacing_mm: tuple[float, float]) -> int:
    """Return the side of a patch in pixels for (row, column) spacing."""
    return int(np.clip(round(PATCH_MM / math.sqrt(spacing_mm[0] * spacing_mm[1])), 12, 16))


def find_regions(
    array: AnyArray,
    imaged: BoolArray,
    coarse: CoarseSlices,
    statistics: PatchStatistics,
    spacing_mm: tuple[float, float],
) -> Regions:
    """Cut slices into patches and keep those whose mean is that of soft tissue.

    Args:
        array: (slice, row, column) HU.
        imaged: Same shape; a patch lies wholly inside.
        coarse: Line integrals of the same slices.
        statistics: Detrends the patches.
        spacing_mm: (row, column) steps.
    """
    side = statistics.side
    slices, rows, columns = array.shape[0], array.shape[1] // side, array.shape[2] // side
    cut = np.s_[:, : rows * side, : columns * side]
    order = (0, 1, 3, 2, 4)
    tiles = (slices, rows, side, columns, side)
    hu = array[cut].astype(np.float64).reshape(tiles).transpose(order)
    inside = imaged[cut].reshape(tiles).transpose(order).all(axis=(3, 4))
    mean = hu.mean(axis=(3, 4))
    keep = inside & (mean > LOWEST_HU) & (mean < HIGHEST_HU)
    index, tile_row, tile_column = np.nonzero(keep)
    centre_mm = np.stack(
        [
            (tile_row * side + (side - 1) / 2 - (array.shape[1] - 1) / 2) * spacing_mm[0],
            (tile_column * side + (side - 1) / 2 - (array.shape[2] - 1) / 2) * spacing_mm[1],
        ],
        axis=1,
    )
    first, second = mean_transmission_terms(coarse, index, centre_mm)
    rounding = 1.0 / 12.0 if np.issubdtype(array.dtype, np.integer) else 0.0
    return Regions(index, centre_mm, statistics.detrend(hu[keep]), first, second, rounding)


def mean_transmission_terms(
    coarse: CoarseSlices, index: npt.NDArray[np.intp], centre_mm: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return (n,) means over the views of exp(p) and exp(2 p) for rays through points.

    Args:
        coarse: Line integrals.
        index: (n,) slice of each point.
        centre_mm: (n, 2) (row, column) position from the slice's centre.
    """
    rays, step = coarse.projector.ray_positions_mm, coarse.projector.step_mm
    first, second = np.zeros(len(index)), np.zeros(len(index))
    for view, angle in enumerate(coarse.projector.angles):
        at = centre_mm[:, 1] * math.cos(angle) + centre_mm[:, 0] * math.sin(angle)
        place = np.clip((at - rays[0]) / step, 0.0, len(rays) - 1.001)
        left = place.astype(np.intp)
        share = place - left
        integral = coarse.integrals[index, view, left] * (1.0 - share)
        integral = integral + coarse.integrals[index, view, left + 1] * share
        first += np.exp(integral)
        second += np.exp(2.0 * integral)
    return first / coarse.projector.views, second / coarse.projector.views


def fit_photons(
    regions: Regions,
    statistics: PatchStatistics,
    geometry: ParallelGeometry,
    *,
    water_per_mm: float,
    kernel_sharpness: float,
    default_photons: float,
    electronic_quanta: float,
    relative_current: FloatArray,
) -> PhotonFit:
    """Fit I0, and the sharpness of the filter, to the noise of the regions.

    Args:
        regions: Patches of soft tissue.
        statistics: Expected variance and spectrum of detrended patches.
        geometry: Views and elements that I0 refers to.
        water_per_mm: Turns attenuation into HU.
        kernel_sharpness: Taken where the texture cannot be measured.
        default_photons: Taken where there are fewer than `FEWEST_REGIONS` regions.
        electronic_quanta: Standard deviation of the electronic noise in quanta.
        relative_current: (slice,) tube current of each slice over the mean.
    """
    candidates = len(regions.slice_index)
    current = relative_current[regions.slice_index] if candidates else np.zeros(0)
    # The filter scales every patch alike, so that it is not needed to tell the uniform ones.
    rounding = regions.rounding_variance * statistics.rounding_share
    variance = np.maximum(regions.variance - rounding, 0.0)
    with np.errstate(divide="ignore"):
        rough = np.log(variance * current / regions.mean_first)
    rough = np.where(np.isfinite(rough), rough, np.inf)
    width = math.sqrt(2.0 / statistics.expected(kernel_sharpness).freedom)
    chosen = _lower_mode(rough, width)
    if len(chosen) < FEWEST_REGIONS:
        return _default_fit(default_photons, candidates, kernel_sharpness)
    power = statistics.power(regions.residuals)
    frequency = statistics.mean_frequency(power[chosen], regions.rounding_variance)
    sharpness, reached = statistics.match(frequency)
    expected = statistics.expected(sharpness)
    gain = math.exp(_log_gain(sharpness, statistics, geometry, water_per_mm))
    log_inverse = np.log(
        _inverse_photons(
            np.maximum(variance, 1e-12) / gain,
            regions.mean_first / current,
            regions.mean_second * (electronic_quanta / current) ** 2,
        )
    )
    half = expected.freedom / 2.0
    # The logarithm of a mean square of nu degrees of freedom is low by this much on average.
    centre = float(np.mean(log_inverse[chosen])) + math.log(half) - float(special.psi(half))
    # An error of the mean frequency moves the sharpness, hence the gain, hence the photons.
    step = 0.02
    higher, lower = (
        (
            _log_gain(near, statistics, geometry, water_per_mm),
            statistics.expected(near).mean_frequency,
        )
        for near in (sharpness + step, sharpness - step)
    )
    slope = (higher[0] - lower[0]) / max(higher[1] - lower[1], 1e-9)
    power_frequency = _FrequencyOf(statistics, power, regions.rounding_variance, slope)
    error, spread = _uncertainty(
        log_inverse, rough, regions.slice_index, chosen, width, power_frequency
    )
    slices = len(np.unique(regions.slice_index[chosen]))
    reach = float(stats.t.ppf(0.975, max(slices - 1, 2))) * error
    return PhotonFit(
        photons=math.exp(-centre),
        relative_sd=error,
        slice_spread=spread,
        low=math.exp(-centre - reach),
        high=math.exp(-centre + reach),
        regions=len(chosen),
        candidates=candidates,
        slices=slices,
        noise_sd_hu=float(np.sqrt(np.median(variance[chosen]))),
        sharpness=sharpness,
        mean_frequency_per_mm=frequency,
        method="fitted",
        filter_method="measured_texture" if reached else "limit_of_family",
    )


def _log_gain(
    sharpness: float,
    statistics: PatchStatistics,
    geometry: ParallelGeometry,
    water_per_mm: float,
) -> float:
    """Return ln of the HU^2 that one unit of line integral variance leaves in a patch."""
    gain = noise_gain(sharpness, geometry) * (1000.0 / water_per_mm) ** 2
    return math.log(gain * statistics.expected(sharpness).variance_share)


@dataclass(frozen=True, eq=False)
class _FrequencyOf:
    """Mean frequency of a choice of patches, and how the logarithm of the gain follows it."""

    statistics: PatchStatistics
    power: FloatArray
    rounding_variance: float
    slope: float

    def at(self, chosen: npt.NDArray[np.intp]) -> float:
        """Return the mean frequency in 1/mm of these patches."""
        return self.statistics.mean_frequency(self.power[chosen], self.rounding_variance)


def _default_fit(photons: float, candidates: int, sharpness: float) -> PhotonFit:
    spread = 1.96 * DEFAULT_RELATIVE_SD
    return PhotonFit(
        photons=photons,
        relative_sd=DEFAULT_RELATIVE_SD,
        slice_spread=0.0,
        low=photons * math.exp(-spread),
        high=photons * math.exp(spread),
        regions=0,
        candidates=candidates,
        slices=0,
        noise_sd_hu=0.0,
        sharpness=sharpness,
        mean_frequency_per_mm=0.0,
        method="default",
        filter_method="kernel_table",
    )


def _inverse_photons(variance: FloatArray, first: FloatArray, second: FloatArray) -> FloatArray:
    """Solve variance = u first + u^2 second for u = 1 / I0 > 0 (second holds sigma_e^2)."""
    root = np.sqrt(first**2 + 4.0 * second * variance)
    return np.asarray(2.0 * variance / (first + root), dtype=np.float64)


def _lower_mode(values: FloatArray, spread: float) -> npt.NDArray[np.intp]:
    """Return which values lie within two spreads of the lowest prominent mode, refined."""
    finite = np.isfinite(values)
    if finite.sum() < FEWEST_REGIONS:
        return np.flatnonzero(finite)
    centre = _lowest_peak(values[finite], spread)
    near = np.abs(values - centre) <= 2.0 * spread
    for _ in range(10):
        centre = float(np.mean(values[near]))
        refined = np.abs(values - centre) <= 2.0 * spread
        if not refined.any() or np.array_equal(refined, near):
            break
        near = refined
    return np.flatnonzero(near)


def _lowest_peak(values: FloatArray, spread: float) -> float:
    """Return the lowest local maximum of a kernel density that is half as high as the highest."""
    step = spread / 8.0
    low = float(values.min()) - 4.0 * spread
    count = int(np.clip((np.percentile(values, 99.0) + 4.0 * spread - low) / step, 64, 20000))
    counts, edges = np.histogram(values, bins=count, range=(low, low + count * step))
    kernel = np.exp(-0.5 * (np.arange(-32, 33) / 8.0) ** 2)
    density = np.convolve(counts, kernel, mode="same")
    inner = density[1:-1]
    peaks = (inner >= density[:-2]) & (inner > density[2:]) & (inner >= 0.5 * density.max())
    return float(edges[1 + int(np.argmax(peaks))] + 0.5 * step)


def _uncertainty(
    logs: FloatArray,
    rough: FloatArray,
    groups: npt.NDArray[np.intp],
    chosen: npt.NDArray[np.intp],
    width: float,
    texture: _FrequencyOf,
) -> tuple[float, float]:
    """Return the jackknife standard error of the mean logarithm, and the spread between slices.

    With fewer than three slices ten interleaved groups of regions stand for the slices.
    """
    if len(np.unique(groups[chosen])) < 3:
        groups = np.arange(len(logs)) % 10
    names = np.unique(groups[chosen])
    without, single = [], []
    for name in names:
        rest = np.flatnonzero(groups != name)
        kept = rest[_lower_mode(rough[rest], width)]
        without.append(float(np.mean(logs[kept])) - texture.slope * texture.at(kept))
        own = chosen[groups[chosen] == name]
        single.append(float(np.mean(logs[own])))
    count = len(names)
    error = math.sqrt((count - 1) * float(np.var(without)))
    deviation = np.abs(np.array(single) - np.median(single))
    return error, 1.4826 * float(np.median(deviation))
