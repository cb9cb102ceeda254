"""Low-dose CT: the noise that fewer photons would have made, added to a real CT series.

For each slice: HU to attenuation of water at the effective energy; line integrals p; the variance
that a dose fraction f adds to them,

    (1/f - 1) exp(p) / I0 + sigma_e^2 (1/f^2 - 1) exp(2 p) / I0^2,

Gaussian noise of that variance in every view and element; filtered back projection of this noise
only, with a filter matched to the source's own texture; and the sum. The image keeps the vendor's
reconstruction, since only noise is reconstructed. I0 and the filter are fitted (photon_fit).

Sources: Massoumzadeh, Don, Hildebolt, Bae and Whiting, Phys Med Biol 54 (2009) 1881; Yu, Shiung,
Jondal and McCollough, J Comput Assist Tomogr 36 (2012) 477 (quantum and electronic terms).
"""

from __future__ import annotations

import hashlib
import os
import platform
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy

from carez_desktop.domain.codec import array_digest
from carez_desktop.domain.finding import Finding
from carez_desktop.domain.generation import (
    ConditionValue,
    GenerationRequest,
    GeneratorPackage,
    PrivacyClass,
    SyntheticCase,
)
from carez_desktop.domain.volume import Volume, VolumeKind
from carez_desktop.errors import InputError
from carez_desktop.generators.ct_field import CoarseSlices, FieldSampler, imaged_pixels
from carez_desktop.generators.ct_filter import PatchStatistics, filter_response, kernel_sharpness
from carez_desktop.generators.ct_projection import (
    DEFAULT_KVP,
    Float32Array,
    FloatArray,
    LineIntegralSampler,
    ParallelGeometry,
    back_project,
    filter_frequencies,
    parallel_geometry,
    water_attenuation_per_mm,
)
from carez_desktop.generators.low_dose_record import (
    REFERENCES,
    finding_about,
    fit_findings,
    low_dose_attributes,
    positive_number,
    slice_findings,
)
from carez_desktop.generators.photon_fit import (
    DEFAULT_PHOTONS_PER_MAS_MM2,
    PhotonFit,
    find_regions,
    fit_photons,
    patch_side,
)
from carez_desktop.inference.noise import NOISE_RECIPE, gaussian_noise
from carez_desktop.progress import CancellationToken, PartProgress, ProgressReporter

NOISE_PURPOSE = "photons"
_BATCH = 4
_FIT_SLICES = 24
_FEWEST_COUNTS = 4.0
_LOWEST_HU = -1024.0
_DEFAULT_MAS = 150.0
_BOWTIE_RADIUS_MM = 160.0


@dataclass(frozen=True)
class _Scene:
    """What every slice of one case needs; shared by the threads, changed by none."""

    request: GenerationRequest
    source: Volume
    geometry: ParallelGeometry
    field: FieldSampler
    sampler: LineIntegralSampler
    response: FloatArray
    water_per_mm: float
    fraction: float
    photons: FloatArray
    electronic_quanta: float
    bowtie: Float32Array
    floor: float


@dataclass(frozen=True)
class _Batch:
    """Finished slices of one batch."""

    start: int
    array: npt.NDArray[Any]
    noise_digest: str
    truncated: int
    starved: float


def generate_case(
    package: GeneratorPackage,
    request: GenerationRequest,
    *,
    source: Volume | None,
    device: str,
    progress: ProgressReporter,
    cancel: CancellationToken,
) -> SyntheticCase:
    """Return the source as it would look at a fraction of its dose.

    The grid, frame of reference, padding and value type of the source are kept; slices may have
    unequal row and column spacing.

    Args:
        package: The `low-dose-ct` package.
        request: Conditions `dose_fraction`, `electronic_noise` (quanta), `bowtie`.
        source: A CT volume in HU whose slices are about axial.
        device: Ignored but recorded: the method runs on the CPU.
        progress: Told after each batch of slices.
        cancel: Asked before each slice.

    Raises:
        UsageError: A condition outside its range, naming it.
        InputError: No source, not CT, or slices that are not axial.
        CancelledError: The person stopped it.
    """
    started = time.perf_counter()
    conditions = package.manifest.resolve_conditions(request.conditions)
    volume = _check_source(source, request)
    findings: list[Finding] = []
    scene, fit = _prepare(request, volume, conditions, findings, cancel)
    progress.report(0.1, "Fitted the photons of the source")
    batches = _run(scene, PartProgress(progress, 0.1, 1.0), cancel)
    array = np.concatenate([batch.array for batch in batches])
    truncated = sum(batch.truncated for batch in batches)
    findings += slice_findings(volume, truncated, max(batch.starved for batch in batches))
    digest = hashlib.sha256("".join(batch.noise_digest for batch in batches).encode()).hexdigest()
    result = volume.with_array(
        array,
        volume_id=request.case_id,
        kind=VolumeKind.SYNTHETIC,
        findings=(),
        attributes=low_dose_attributes(volume, scene.fraction),
    )
    return SyntheticCase(
        request=request,
        package=package,
        volume=result,
        labels=(),
        privacy_class=PrivacyClass.IMAGE_CONDITIONED,
        details=_details(scene, fit, conditions, digest, device),
        findings=tuple(findings),
        seconds=time.perf_counter() - started,
    )


def _check_source(source: Volume | None, request: GenerationRequest) -> Volume:
    subject = request.source_volume_id or request.case_id
    if source is None:
        raise InputError(
            "low-dose-ct needs a source volume", subject=subject, hint="Give a CT with --source"
        )
    if source.modality != "CT" or source.units != "HU" or source.array.ndim != 3:
        raise InputError(
            f"low-dose-ct needs a CT in HU, this is {source.modality} in {source.units}",
            subject=subject,
            hint="Choose a CT series as source",
        )
    if abs(float(source.geometry.direction_lps[2, 0])) < 0.8:
        raise InputError(
            "low-dose-ct needs axial slices, since it projects in the plane of the slice",
            subject=subject,
            hint="Choose the axial series rather than a coronal or sagittal reformat",
        )
    return source


def _prepare(
    request: GenerationRequest,
    volume: Volume,
    conditions: Mapping[str, ConditionValue],
    findings: list[Finding],
    cancel: CancellationToken,
) -> tuple[_Scene, PhotonFit]:
    spacing = volume.geometry.spacing_mm[1:]
    shape = volume.geometry.shape[1:]
    geometry = parallel_geometry(shape, spacing)
    field = FieldSampler(shape, spacing)
    kvp = positive_number(volume, "kvp")
    if kvp is None:
        findings.append(finding_about("tube_voltage_unknown", volume, "No KVP: 120 kV assumed"))
    water = water_attenuation_per_mm(kvp or DEFAULT_KVP)
    electronic = float(conditions.get("electronic_noise", 0.0))
    current = _relative_current(volume)
    cancel.raise_if_cancelled()
    fit = _fit(volume, geometry, field, water, electronic, current)
    findings += fit_findings(fit, volume)
    frequencies = filter_frequencies(geometry)
    scene = _Scene(
        request=request,
        source=volume,
        geometry=geometry,
        field=field,
        sampler=LineIntegralSampler(field.projector, geometry),
        response=filter_response(fit.sharpness, frequencies, geometry.nyquist_per_mm),
        water_per_mm=water,
        fraction=float(conditions["dose_fraction"]),
        photons=fit.photons * current,
        electronic_quanta=electronic,
        bowtie=_bowtie(geometry, water, bool(conditions.get("bowtie", False))),
        floor=_floor(volume),
    )
    return scene, fit


def _fit(
    volume: Volume,
    geometry: ParallelGeometry,
    field: FieldSampler,
    water: float,
    electronic: float,
    current: FloatArray,
) -> PhotonFit:
    """Fit the photons on up to 24 slices spread over the volume."""
    count = volume.geometry.shape[0]
    picked = np.unique(np.linspace(0, count - 1, min(count, _FIT_SLICES)).round().astype(int))
    array = volume.array[picked]
    imaged = imaged_pixels(array, volume.padding_value)
    coarse = field.sample(array, imaged, water)
    statistics = PatchStatistics(
        patch_side(geometry.spacing_mm), geometry.spacing_mm, geometry.nyquist_per_mm
    )
    regions = find_regions(array, imaged, coarse, statistics, geometry.spacing_mm)
    area = geometry.element_mm * volume.geometry.spacing_mm[0]
    mas = positive_number(volume, "exposure") or _DEFAULT_MAS
    return fit_photons(
        regions,
        statistics,
        geometry,
        water_per_mm=water,
        kernel_sharpness=kernel_sharpness(volume.attributes.get("convolution_kernel", "")),
        default_photons=DEFAULT_PHOTONS_PER_MAS_MM2 * mas * area * 1000.0 / geometry.views,
        electronic_quanta=electronic,
        relative_current=current[picked],
    )


def _run(scene: _Scene, progress: ProgressReporter, cancel: CancellationToken) -> list[_Batch]:
    """Make all slices; each depends on its own index only, so that threads do not matter."""
    count = scene.source.geometry.shape[0]
    starts = range(0, count, _BATCH)
    finished: list[_Batch] = []
    with ThreadPoolExecutor(max_workers=_threads()) as pool:
        try:
            for batch in pool.map(lambda start: _make_batch(scene, start, cancel), starts):
                finished.append(batch)
                done = min(batch.start + _BATCH, count)
                progress.report(done / count, f"Slice {done} of {count}")
                cancel.raise_if_cancelled()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return finished


def _threads() -> int:
    return max(1, min(8, os.cpu_count() or 1))


def _make_batch(scene: _Scene, start: int, cancel: CancellationToken) -> _Batch:
    source = scene.source
    array = source.array[start : start + _BATCH]
    imaged = imaged_pixels(array, source.padding_value)
    cancel.raise_if_cancelled()
    coarse = scene.field.sample(array, imaged, scene.water_per_mm)
    sinograms, digests, starved = [], [], 0.0
    for offset in range(len(array)):
        cancel.raise_if_cancelled()
        noise, digest, share = _slice_noise(scene, coarse, start, offset)
        sinograms.append(noise)
        digests.append(digest)
        starved = max(starved, share)
    added = back_project(scene.geometry, np.stack(sinograms), scene.response)
    added *= np.float32(1000.0 / scene.water_per_mm)
    result = np.where(imaged, _add(array, added, scene.floor), array)
    return _Batch(start, result, "".join(digests), int(coarse.truncated.sum()), starved)


def _slice_noise(
    scene: _Scene, coarse: CoarseSlices, start: int, offset: int
) -> tuple[Float32Array, str, float]:
    """Return (view, element) noise of one slice, its digest, and the share of starved rays."""
    integrals = scene.sampler.spread(coarse.integrals[offset])
    sigma, starved = added_sigma(
        integrals + scene.bowtie,
        scene.fraction,
        float(scene.photons[start + offset]),
        scene.electronic_quanta,
    )
    noise = gaussian_noise(
        scene.request.seed,
        scene.request.case_id,
        f"{NOISE_PURPOSE}/slice-{start + offset}",
        (scene.geometry.views, scene.geometry.elements),
    )
    digest = array_digest(noise)
    return noise * sigma, digest, starved


def added_sigma(
    integrals: Float32Array, fraction: float, photons: float, electronic_quanta: float
) -> tuple[Float32Array, float]:
    """Return the standard deviation to add to line integrals, and the share of starved rays.

    Rays that fewer than four photons would pass at the lower dose are held at four: there the
    logarithm of a count is no longer normal, and scanners filter such rays.

    Args:
        integrals: Line integrals p, any shape.
        fraction: Dose fraction f in (0, 1).
        photons: I0 at full dose.
        electronic_quanta: sigma_e in quanta.
    """
    highest = float(np.log(max(photons * fraction / _FEWEST_COUNTS, 1.0)))
    starved = float(np.mean(integrals > highest))
    growth = np.exp(np.minimum(integrals, np.float32(highest)), dtype=np.float32)
    quantum = growth * np.float32((1.0 / fraction - 1.0) / photons)
    factor = (electronic_quanta / photons) ** 2 * (1.0 / fraction**2 - 1.0)
    return np.sqrt(quantum + np.float32(factor) * growth * growth), starved


def _add(array: npt.NDArray[Any], added: Float32Array, floor: float) -> npt.NDArray[Any]:
    """Add noise, rounding to whole HU for integer volumes and keeping the range of the type."""
    total = array + added
    if np.issubdtype(array.dtype, np.integer):
        limits = np.iinfo(array.dtype)
        total = np.clip(np.rint(total), max(floor, limits.min), limits.max)
    else:
        total = np.maximum(total, floor)
    return np.asarray(total.astype(array.dtype))


def _floor(volume: Volume) -> float:
    """Return the lowest HU that the source's imaged pixels use, at most -1024."""
    imaged = imaged_pixels(volume.array, volume.padding_value)
    lowest = float(volume.array.min(where=imaged, initial=0.0))
    return min(lowest, _LOWEST_HU)


def _bowtie(geometry: ParallelGeometry, water: float, on: bool) -> Float32Array:
    """Return (1, element) extra attenuation of a filter that levels a 320 mm water cylinder."""
    at = np.minimum(np.abs(geometry.element_positions_mm), _BOWTIE_RADIUS_MM)
    missing = 2.0 * (_BOWTIE_RADIUS_MM - np.sqrt(_BOWTIE_RADIUS_MM**2 - at**2))
    return (water * missing * float(on)).astype(np.float32)[None, :]


def _relative_current(volume: Volume) -> FloatArray:
    """Return (slice,) exposure over its mean where the source lists it by slice, else ones."""
    count = volume.geometry.shape[0]
    try:
        listed = [float(x) for x in volume.attributes.get("exposure_by_slice", "").split("\\") if x]
    except ValueError:
        listed = []
    if len(listed) != count or min(listed) <= 0.0:
        return np.ones(count)
    return np.asarray(listed, dtype=np.float64) / float(np.mean(listed))


def _details(
    scene: _Scene,
    fit: PhotonFit,
    conditions: Mapping[str, ConditionValue],
    noise_digest: str,
    device: str,
) -> dict[str, Any]:
    geometry = scene.geometry
    return {
        "method": "projection-domain noise insertion, parallel beam, noise-only back projection",
        "references": list(REFERENCES),
        "conditions": dict(conditions),
        "photon_fit": {**asdict(fit), "per": "element and view at full dose"},
        "dose_fraction": scene.fraction,
        "electronic_noise_quanta": scene.electronic_quanta,
        "water_attenuation_per_mm": scene.water_per_mm,
        "geometry": {
            "views": geometry.views,
            "elements": geometry.elements,
            "element_mm": geometry.element_mm,
            "coarse_step_mm": scene.field.projector.step_mm,
            "coarse_views": scene.field.projector.views,
        },
        "filter": {
            "family": "hann to ramp to boosted ramp",
            "sharpness": fit.sharpness,
            "chosen_by": fit.filter_method,
        },
        "tube_current": (
            "constant" if np.ptp(scene.photons) == 0.0 else "profile of the source's slices"
        ),
        "hu_floor": scene.floor,
        "noise": {
            "recipe": NOISE_RECIPE,
            "purposes": f"{NOISE_PURPOSE}/slice-<k>",
            "sha256": noise_digest,
        },
        "environment": {
            "provider": "numpy on CPU",
            "device": "cpu",
            "device_asked": device,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scipy": scipy.__version__,
            "threads": _threads(),
        },
    }
