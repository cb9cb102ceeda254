"""Water phantoms with the noise of a known number of photons."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.volume import Volume
from carez_desktop.generators.ct_field import FieldSampler
from carez_desktop.generators.ct_filter import filter_response
from carez_desktop.generators.ct_projection import (
    LineIntegralSampler,
    back_project,
    filter_frequencies,
    parallel_geometry,
    water_attenuation_per_mm,
)

KVP = 120.0


def ellipse(
    shape: tuple[int, int], spacing_mm: tuple[float, float], radii_mm: tuple[float, float]
) -> npt.NDArray[np.bool_]:
    """Return the pixels of an ellipse in the middle; radii along (row, column)."""
    y = (np.arange(shape[0]) - (shape[0] - 1) / 2) * spacing_mm[0] / radii_mm[0]
    x = (np.arange(shape[1]) - (shape[1] - 1) / 2) * spacing_mm[1] / radii_mm[1]
    return np.hypot(y[:, None], x[None, :]) <= 1.0


def noisy_water(
    *,
    slices: int = 4,
    shape: tuple[int, int] = (112, 96),
    spacing_mm: tuple[float, float, float] = (3.0, 1.7, 2.1),
    radii_mm: tuple[float, float] = (70.0, 80.0),
    photons: float = 2e5,
    sharpness: float = 0.7,
    seed: int = 3,
    direction: npt.ArrayLike | None = None,
    views: int | None = None,
) -> Volume:
    """Return an int16 water ellipse in air whose noise is that of `photons` at every element."""
    inside = ellipse(shape, spacing_mm[1:], radii_mm)
    clean = np.where(inside, 0.0, -1000.0)
    array = np.repeat(clean[None], slices, axis=0)
    if photons < np.inf:
        water = water_attenuation_per_mm(KVP)
        geometry = parallel_geometry(shape, spacing_mm[1:], views=views)
        field = FieldSampler(shape, spacing_mm[1:])
        coarse = field.sample(clean[None], np.ones((1, *shape), dtype=bool), water)
        integrals = LineIntegralSampler(field.projector, geometry).spread(coarse.integrals[0])
        rng = np.random.default_rng(seed)
        draws = rng.standard_normal((slices, *integrals.shape)).astype(np.float32)
        response = filter_response(sharpness, filter_frequencies(geometry), geometry.nyquist_per_mm)
        noise = back_project(geometry, draws * np.sqrt(np.exp(integrals) / photons), response)
        array = array + noise * (1000.0 / water)
    axes = np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]]) if direction is None else direction
    return Volume(
        "1.2.840.1",
        np.rint(array).astype(np.int16),
        VolumeGeometry.from_parts(array.shape, spacing_mm, (-80.0, -90.0, 40.0), axes),
        "CT",
        "HU",
        frame_of_reference_uid="1.2.3.4",
        attributes={"kvp": "120", "exposure": "100", "patient_name": "Doe^Jane"},
    )
