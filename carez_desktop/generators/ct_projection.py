"""Parallel-beam geometry of one axial CT slice: line integrals, and back projection of noise.

Only noise is ever reconstructed here. Its variance needs the line integrals, which are smooth, so
that these are projected on a coarse grid; the noise itself is filtered and back projected at the
full sampling of the image. Formulas: Kak and Slaney, Principles of Computerized Tomographic
Imaging (1988), chapter 3; lengths in mm, linear attenuation in 1/mm.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import fft, sparse

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]

WATER_ATTENUATION_PER_MM: Mapping[int, float] = {
    40: 0.02683,
    50: 0.02269,
    60: 0.02059,
    80: 0.01837,
    100: 0.01707,
    150: 0.01505,
}
"""Water, energy in keV -> linear attenuation in 1/mm: mu/rho of Hubbell and Seltzer, NISTIR 5632
(table 4, liquid water, 1 g/cm3)."""

EFFECTIVE_ENERGY_KEV: Mapping[int, float] = {80: 54.0, 100: 61.0, 120: 68.0, 135: 73.0, 140: 74.5}
"""Tube voltage in kV -> effective energy behind CT filtration and some tissue: rounded from the
usual range of published values; the fit of the photon number absorbs what is left of the error."""

DEFAULT_KVP = 120.0
OVERSAMPLING = 4
_MARGIN_ELEMENTS = 16


def water_attenuation_per_mm(kvp: float) -> float:
    """Return the linear attenuation of water in 1/mm at the effective energy of a tube voltage.

    Args:
        kvp: Peak tube voltage in kV; interpolated, and held constant outside 80 to 140 kV.
    """
    energy = float(np.interp(kvp, list(EFFECTIVE_ENERGY_KEV), list(EFFECTIVE_ENERGY_KEV.values())))
    logs = np.interp(
        math.log(energy),
        np.log(list(WATER_ATTENUATION_PER_MM)),
        np.log(list(WATER_ATTENUATION_PER_MM.values())),
    )
    return float(np.exp(logs))


@dataclass(frozen=True)
class ParallelGeometry:
    """Views and detector elements that sample one slice.

    Attributes:
        shape: (rows, columns) of the slice.
        spacing_mm: (row, column) steps; need not be equal.
        views: Number of view angles, even over 180 degrees.
        element_mm: Width of a detector element.
        elements: Number of detector elements; covers the slice's diagonal.
    """

    shape: tuple[int, int]
    spacing_mm: tuple[float, float]
    views: int
    element_mm: float
    elements: int

    @cached_property
    def angles(self) -> FloatArray:
        """View angles in radians, from 0 to below pi; at 0 the detector lies along the columns."""
        return np.arange(self.views, dtype=np.float64) * (np.pi / self.views)

    @cached_property
    def element_positions_mm(self) -> FloatArray:
        """Signed distances of the elements from the centre of rotation."""
        return (np.arange(self.elements, dtype=np.float64) - self.elements // 2) * self.element_mm

    @property
    def nyquist_per_mm(self) -> float:
        """Highest frequency that the detector samples."""
        return 0.5 / self.element_mm

    @cached_property
    def axes_mm(self) -> tuple[FloatArray, FloatArray]:
        """(rows,) and (columns,) positions in mm from the slice's centre."""
        return (
            (np.arange(self.shape[0], dtype=np.float64) - (self.shape[0] - 1) / 2)
            * self.spacing_mm[0],
            (np.arange(self.shape[1], dtype=np.float64) - (self.shape[1] - 1) / 2)
            * self.spacing_mm[1],
        )


def parallel_geometry(
    shape: tuple[int, int], spacing_mm: tuple[float, float], *, views: int | None = None
) -> ParallelGeometry:
    """Choose views and elements for a slice.

    The element is as wide as the finer pixel step, so that the noise holds every frequency that
    the image can. The views are about as many as the longer side has pixels (180 to 512).

    Args:
        shape: (rows, columns).
        spacing_mm: (row, column) steps.
        views: Fixes the number of views.
    """
    element_mm = min(spacing_mm)
    diagonal_mm = math.hypot(shape[0] * spacing_mm[0], shape[1] * spacing_mm[1])
    wanted = math.ceil(diagonal_mm / element_mm) + 2 * _MARGIN_ELEMENTS
    elements = int(fft.next_fast_len(wanted + wanted % 2, real=True))
    chosen = views or int(np.clip(max(shape), 180, 512))
    return ParallelGeometry(shape, spacing_mm, chosen, element_mm, elements)


@dataclass(frozen=True)
class CoarseProjector:
    """Line integrals of many slices at once, on a square coarse grid.

    Attributes:
        side: Pixels along each side of the square grid, centred on the slice.
        step_mm: Its pixel step, and the step between rays.
        views: View angles over 180 degrees.
    """

    side: int
    step_mm: float
    views: int

    @cached_property
    def angles(self) -> FloatArray:
        """View angles in radians."""
        return np.arange(self.views, dtype=np.float64) * (np.pi / self.views)

    @cached_property
    def ray_positions_mm(self) -> FloatArray:
        """(side,) signed distances of the rays from the centre."""
        return (np.arange(self.side, dtype=np.float64) - (self.side - 1) / 2) * self.step_mm

    @cached_property
    def _sample_index(self) -> tuple[npt.NDArray[np.intp], ...]:
        """For each view the pixel under each (step along the ray, ray), flat."""
        along = across = np.arange(self.side, dtype=np.float64) - (self.side - 1) / 2
        centre, last = (self.side - 1) / 2, self.side - 1
        views = []
        for angle in self.angles:
            cosine, sine = math.cos(angle), math.sin(angle)
            column = np.rint(across[None, :] * cosine - along[:, None] * sine + centre)
            row = np.rint(across[None, :] * sine + along[:, None] * cosine + centre)
            index = np.clip(row, 0, last) * self.side + np.clip(column, 0, last)
            views.append(index.astype(np.intp).ravel())
        return tuple(views)

    def project(self, attenuation: Float32Array) -> Float32Array:
        """Integrate along parallel rays, sampling the nearest pixel at steps of one pixel.

        Args:
            attenuation: (slice, side, side) linear attenuation in 1/mm, zero at its border.

        Returns:
            (slice, view, ray) line integrals without unit. The ray at angle a and distance s is
            x cos a + y sin a = s, with x along columns and y along rows.
        """
        slices = attenuation.shape[0]
        flat = np.ascontiguousarray(attenuation.reshape(slices, -1))
        samples = np.empty(self.side**2, dtype=np.float32)
        result = np.empty((slices, self.views, self.side), dtype=np.float32)
        for view, index in enumerate(self._sample_index):
            for number in range(slices):
                np.take(flat[number], index, out=samples, mode="clip")
                result[number, view] = samples.reshape(self.side, self.side).sum(axis=0)
        result *= np.float32(self.step_mm)
        return result


class LineIntegralSampler:
    """Spread coarse line integrals to every view and element of a geometry."""

    def __init__(self, coarse: CoarseProjector, geometry: ParallelGeometry) -> None:
        """Prepare linear weights along the detector and along the angle."""
        # Sparse, so that the order of summation does not depend on the threads of a BLAS.
        self._along_detector = sparse.csr_array(
            _linear_weights(geometry.element_positions_mm, coarse.ray_positions_mm)
        )
        angles = np.append(coarse.angles, np.pi)
        self._along_angle = sparse.csr_array(_linear_weights(geometry.angles, angles))

    def spread(self, integrals: Float32Array) -> Float32Array:
        """Return (view, element) line integrals from (view, ray) coarse ones of one slice.

        A ray at angle pi is the ray at angle 0 seen from the other side.
        """
        closed = np.concatenate([integrals, integrals[:1, ::-1]], axis=0)
        fine = (self._along_detector @ np.ascontiguousarray(closed.T)).T
        return np.asarray(self._along_angle @ np.ascontiguousarray(fine), dtype=np.float32)


def _linear_weights(at: FloatArray, nodes: FloatArray) -> Float32Array:
    """Return (len(at), len(nodes)) weights of linear interpolation; 0 outside the nodes."""
    step = nodes[1] - nodes[0]
    distance = np.abs(at[:, None] - nodes[None, :]) / step
    return np.asarray(np.maximum(0.0, 1.0 - distance), dtype=np.float32)


def back_project(
    geometry: ParallelGeometry, noise: Float32Array, response: FloatArray
) -> Float32Array:
    """Filter and back project sinograms.

    Filtering happens in the Fourier domain; the filtered views are interpolated band-limited to a
    quarter of an element there too, so that the nearest sample stands for each pixel and no
    variance is lost to interpolation.

    Args:
        geometry: Views and elements.
        noise: (slice, view, element) line integrals.
        response: (elements // 2 + 1,) filter |f| A(f) in 1/mm at `filter_frequencies`.

    Returns:
        (slice, row, column) linear attenuation in 1/mm.
    """
    rows, columns = geometry.axes_mm
    scale = 1.0 / (geometry.element_mm / OVERSAMPLING)
    slices = noise.shape[0]
    image = np.zeros((slices, geometry.shape[0] * geometry.shape[1]), dtype=np.float32)
    buffer = np.empty(image.shape[1], dtype=np.float32)
    filtered = _filtered_views(geometry, noise, response)
    last = filtered.shape[2] - 1
    centre = (geometry.elements // 2) * OVERSAMPLING
    for view, angle in enumerate(geometry.angles):
        # Half a sample is added so that truncation rounds to the nearest sample.
        x = (columns * (math.cos(angle) * scale) + (centre + 0.5)).astype(np.float32)
        y = (rows * (math.sin(angle) * scale)).astype(np.float32)
        index = np.add.outer(y, x).astype(np.intp).ravel()
        np.clip(index, 0, last, out=index)
        for number in range(slices):
            np.take(filtered[number, view], index, out=buffer, mode="clip")
            image[number] += buffer
    image *= np.float32(np.pi / geometry.views)
    return image.reshape(slices, *geometry.shape)


def _filtered_views(
    geometry: ParallelGeometry, noise: Float32Array, response: FloatArray
) -> Float32Array:
    """Return (slice, view, OVERSAMPLING * element) views after the filter."""
    spectrum = fft.rfft(noise, axis=2)
    spectrum *= (response * OVERSAMPLING).astype(np.float32)
    # The Nyquist bin of the coarse sampling stands for both signs; the fine one splits it.
    spectrum[..., -1] *= 0.5
    return np.asarray(
        fft.irfft(spectrum, n=geometry.elements * OVERSAMPLING, axis=2), dtype=np.float32
    )


def filter_frequencies(geometry: ParallelGeometry) -> FloatArray:
    """Return the (elements // 2 + 1,) frequencies in 1/mm at which a filter is given."""
    return np.asarray(fft.rfftfreq(geometry.elements, geometry.element_mm), dtype=np.float64)
