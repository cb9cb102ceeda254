"""Simulated patients: a procedural chest, plausible facts, and the noise of a stated dose.

They stand in for a site where there is none. Everything follows from (seed, index), so that
the truth can be made again; the noise is a reconstruction by the physics of `low_dose_ct`.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.volume import Volume, VolumeKind
from carez_desktop.generators.chest_anatomy import (
    ChestShape,
    Nodule,
    draw_chest,
    make_grid,
    place_nodules,
)
from carez_desktop.generators.ct_field import FieldSampler
from carez_desktop.generators.ct_filter import filter_response
from carez_desktop.generators.ct_projection import (
    Float32Array,
    LineIntegralSampler,
    back_project,
    filter_frequencies,
    parallel_geometry,
    water_attenuation_per_mm,
)
from carez_desktop.inference.noise import gaussian_noise
from carez_desktop.progress import NEVER, SILENT, CancellationToken, ProgressReporter

SIMULATOR = "chest-phantom"
SIMULATOR_VERSION = "1.0.0"
SHAPE = (40, 144, 144)
STANDARD_CTDI_MGY = (8.0, 12.0)
LOW_CTDI_MGY = (1.5, 2.0)
PHOTONS_PER_MGY = 4.0e3
"""I0 for each element and view for 1 mGy of CTDIvol at 120 kVp: gives 10 to 15 HU in the heart at a
standard dose with these voxels."""
_BATCH = 8

# Manufacturer, model, kernel and its sharpness, in-plane and slice step in mm.
_SCANNERS = (
    ("SIEMENS", "SOMATOM (simulated)", "B31f", 0.70, 2.1, 2.5),
    ("GE MEDICAL SYSTEMS", "LightSpeed (simulated)", "STANDARD", 0.72, 2.2, 2.5),
    ("Philips", "Brilliance (simulated)", "B", 0.68, 2.15, 3.0),
    ("TOSHIBA", "Aquilion (simulated)", "FC13", 0.74, 2.2, 3.0),
)
_TUBE_VOLTAGES = (100.0, 120.0, 120.0, 140.0)
_MGY_PER_MAS = 0.068


@dataclass(frozen=True, eq=False)
class PhantomPatient:
    """One simulated patient.

    Attributes:
        volume: (slice, row, column) int16 HU with noise.
        nodule: (slice, row, column) uint8, 1 in nodules.
        nodules: Their centres in LPS mm, diameters and densities.
        attributes: What DICOM would say (patient_age in years, ctdi_vol in mGy, ...).
        dose: `standard` or `low`.
    """

    patient_id: str
    volume: Volume
    nodule: npt.NDArray[np.uint8]
    nodules: tuple[Nodule, ...]
    dose: str
    attributes: Mapping[str, str | float] = field(default_factory=dict)

    @property
    def disease(self) -> str:
        """`nodule` or `none`."""
        return "nodule" if self.nodules else "none"


def make_phantom(
    seed: int,
    index: int = 0,
    *,
    dose: str = "standard",
    nodules: int = 2,
    shape: tuple[int, int, int] = SHAPE,
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
) -> PhantomPatient:
    """Make one simulated patient; the same arguments give the same voxels.

    Args:
        seed: Of the cohort.
        index: Of the patient within it.
        dose: `standard` (CTDIvol 8 to 12 mGy) or `low` (1.5 to 2 mGy).
        nodules: How many nodules of 6 to 14 mm.
        shape: (slices, rows, columns).
        progress: Told at each batch of slices.
        cancel: Asked at each batch of slices.

    Raises:
        ValueError: A dose of another name. CancelledError: The person stopped it.
    """
    if dose not in ("standard", "low"):
        raise ValueError(f"dose is standard or low, not {dose}")
    random = _random(seed, index)
    scanner = _SCANNERS[index % len(_SCANNERS)]
    attributes, body = _draw_facts(seed, index, dose, scanner, random)
    grid = make_grid(shape, (scanner[5], scanner[4], scanner[4]))
    spots = place_nodules(grid, body, nodules, random)
    clean, label = draw_chest(grid, body, spots, random)
    cancel.raise_if_cancelled()
    # A scanner's point spread: about half a pixel in the plane and in the slice.
    clean = np.asarray(ndimage.gaussian_filter(clean, (0.4, 0.5, 0.5)), dtype=np.float32)
    photons = PHOTONS_PER_MGY * float(attributes["ctdi_vol"]) * _photon_share(attributes)
    sharpness, kvp = scanner[3], float(attributes["kvp"])
    spacing = (scanner[4], scanner[4])
    noise = _quantum_noise(
        clean, spacing, kvp, photons, sharpness, (seed, f"patient-{index}"), progress, cancel
    )
    array = np.clip(np.rint(clean + noise), -1024, 3071).astype(np.int16)
    geometry = VolumeGeometry.from_parts(
        shape,
        (scanner[5], scanner[4], scanner[4]),
        (float(grid.x[0]), float(grid.y[0]), float(grid.z[0])),
        [[0, 0, 1], [0, 1, 0], [1, 0, 0]],
    )
    volume = Volume(
        str(attributes["patient_id"]),
        array,
        geometry,
        "CT",
        "HU",
        kind=VolumeKind.SYNTHETIC,
        window_center=40.0,
        window_width=400.0,
        attributes={name: str(value) for name, value in attributes.items()},
    )
    return PhantomPatient(str(attributes["patient_id"]), volume, label, spots, dose, attributes)


def _random(seed: int, index: int) -> np.random.Generator:
    key = hashlib.sha256(f"{SIMULATOR}|{SIMULATOR_VERSION}|{seed}|{index}".encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(key[:16], "little")))


def _draw_facts(
    seed: int,
    index: int,
    dose: str,
    scanner: tuple[str, str, str, float, float, float],
    random: np.random.Generator,
) -> tuple[dict[str, str | float], ChestShape]:
    female = index % 2 == 1
    age = int(random.integers(24, 86))
    low, high = LOW_CTDI_MGY if dose == "low" else STANDARD_CTDI_MGY
    ctdi = round(float(random.uniform(low, high)), 2)
    kvp = _TUBE_VOLTAGES[int(random.integers(len(_TUBE_VOLTAGES)))]
    mas = ctdi / _MGY_PER_MAS / (kvp / 120.0) ** 2.5
    size = (0.93 if female else 1.0) * float(random.uniform(0.94, 1.05))
    body = ChestShape(
        half_width=134.0 * size,
        half_depth=96.0 * size * float(random.uniform(0.95, 1.05)),
        fat=float(random.uniform(8.0, 16.0)) * (1.2 if female else 1.0),
        lung_hu=-850.0 - 0.4 * age,
    )
    patient = f"SIM-{seed}-{index + 1:03d}"
    attributes: dict[str, str | float] = {
        "patient_id": patient,
        "patient_name": f"SYNTHETIC^{patient}",
        "patient_sex": "F" if female else "M",
        "patient_age": float(age),
        "study_date": "20260105",
        "study_description": "Simulated chest CT",
        "series_description": f"SYNTHETIC chest phantom, {dose} dose",
        "manufacturer": scanner[0],
        "manufacturer_model_name": scanner[1],
        "convolution_kernel": scanner[2],
        "body_part_examined": "CHEST",
        "slice_thickness": scanner[5],
        "kvp": kvp,
        "exposure": float(round(mas)),
        "exposure_time": 500.0,
        "x_ray_tube_current": float(round(mas * 2.0)),
        "ctdi_vol": ctdi,
    }
    return attributes, body


def _photon_share(attributes: Mapping[str, str | float]) -> float:
    """Return photons for each mGy relative to 120 kVp: a harder beam gives fewer for the dose."""
    return math.sqrt(120.0 / float(attributes["kvp"]))


def _quantum_noise(
    clean: Float32Array,
    spacing: tuple[float, float],
    kvp: float,
    photons: float,
    sharpness: float,
    key: tuple[int, str],
    progress: ProgressReporter,
    cancel: CancellationToken,
) -> Float32Array:
    """Return (slice, row, column) HU noise of the reconstruction at this number of photons."""
    water = water_attenuation_per_mm(kvp)
    plane = (clean.shape[1], clean.shape[2])
    geometry = parallel_geometry(plane, spacing)
    field = FieldSampler(plane, spacing)
    sampler = LineIntegralSampler(field.projector, geometry)
    response = filter_response(sharpness, filter_frequencies(geometry), geometry.nyquist_per_mm)
    result = np.empty_like(clean)
    for start in range(0, len(clean), _BATCH):
        cancel.raise_if_cancelled()
        part = clean[start : start + _BATCH]
        coarse = field.sample(part, np.ones(part.shape, dtype=bool), water)
        sinograms = []
        for offset, integrals in enumerate(coarse.integrals):
            fine = sampler.spread(integrals)
            draw = gaussian_noise(*key, f"phantom/slice-{start + offset}", fine.shape)
            sinograms.append(draw * np.exp(fine * np.float32(0.5)) / np.float32(math.sqrt(photons)))
        noise = back_project(geometry, np.stack(sinograms), response)
        result[start : start + _BATCH] = noise * np.float32(1000.0 / water)
        progress.report(min(1.0, (start + _BATCH) / len(clean)), "Simulating noise")
    return result
