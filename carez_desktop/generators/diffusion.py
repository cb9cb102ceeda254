"""The family `diffusion`: unconditional volumes from a flow that ONNX Runtime integrates.

The network runs in a process of its own (`inference/worker.py`); here stand the recipe of a case
and the gates that it has to pass.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from carez_desktop.domain.codec import array_digest
from carez_desktop.domain.finding import Finding, Severity
from carez_desktop.domain.generation import (
    GenerationRequest,
    GeneratorPackage,
    LabelMap,
    SyntheticCase,
)
from carez_desktop.domain.volume import Volume, VolumeKind
from carez_desktop.errors import InputError
from carez_desktop.inference.execution_provider import (
    ExecutionDevice,
    check_memory,
    choose_device,
    fixed_thread_count,
)
from carez_desktop.inference.latent_layout import (
    DecodedCase,
    LatentLayout,
    context_of,
    decode_latent,
    null_context_of,
    read_layout,
)
from carez_desktop.inference.noise import NOISE_RECIPE, gaussian_noise
from carez_desktop.inference.package_store import read_package_json
from carez_desktop.inference.schedules import Schedule, read_schedule
from carez_desktop.inference.worker import GenerationProcess
from carez_desktop.inference.worker_process import SampledLatent, SamplingJob
from carez_desktop.progress import NEVER, SILENT, CancellationToken, ProgressReporter

DENOISER = "denoiser/model.onnx"
SCHEDULER = "scheduler/scheduler_config.json"
NOISE_PURPOSE = "latent"
_SUSPICIOUS_SHARE = 0.01


class DiffusionFamily:
    """Makes cases one after the other in one generation process that stays loaded.

    It is a `GenerateCase`; not for use from two threads at a time.
    """

    def __init__(self, *, threads: int = 0) -> None:
        """Start nothing yet.

        Args:
            threads: Of one operator; 0 takes all allowed cores.
        """
        self._process = GenerationProcess()
        self._threads = fixed_thread_count(threads)

    def close(self) -> None:
        """End the generation process; it starts again with the next case."""
        self._process.close()

    def __call__(
        self,
        package: GeneratorPackage,
        request: GenerationRequest,
        *,
        source: Volume | None = None,
        device: str = "auto",
        progress: ProgressReporter = SILENT,
        cancel: CancellationToken = NEVER,
    ) -> SyntheticCase:
        """Make one case.

        Args:
            package: A checked package of this family.
            request: Seed, case and conditions.
            source: None; this family takes no source.
            device: `auto`, `cpu` or `cuda`.
            progress: Receives each step.
            cancel: Stops it within one step.

        Raises:
            UsageError: A condition outside its range. InputError: A source was given.
            ModelError: A package that cannot run. DeviceError: No such device, too little memory.
            CancelledError: The person stopped it.
        """
        start = time.perf_counter()
        if source is not None:
            raise InputError(
                f"{package.manifest.id} makes volumes from nothing and takes no source",
                subject=source.volume_id,
                hint="Leave the source out",
            )
        layout = read_layout(package)
        schedule = read_schedule(read_package_json(package, SCHEDULER), subject=SCHEDULER)
        chosen = choose_device(device)
        check_memory(chosen, package.manifest.minimum_memory_mib, subject=package.manifest.id)
        job = sampling_job(package, request, layout, schedule, chosen, self._threads)
        sampled = self._process.sample(job, progress=progress, cancel=cancel)
        decoded = decode_latent(layout, sampled.latent)
        return SyntheticCase(
            request=request,
            package=package,
            volume=_volume(package, request, layout, decoded),
            labels=_label_maps(layout, decoded),
            privacy_class=package.manifest.privacy_class,
            details=_details(request, layout, job, sampled, decoded),
            findings=_findings(request, layout, decoded),
            seconds=time.perf_counter() - start,
        )


def generate_case(
    package: GeneratorPackage,
    request: GenerationRequest,
    *,
    source: Volume | None = None,
    device: str = "auto",
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
) -> SyntheticCase:
    """Make one case in a generation process that ends with it; see `DiffusionFamily`."""
    family = DiffusionFamily()
    try:
        return family(
            package, request, source=source, device=device, progress=progress, cancel=cancel
        )
    finally:
        family.close()


def sampling_job(
    package: GeneratorPackage,
    request: GenerationRequest,
    layout: LatentLayout,
    schedule: Schedule,
    device: ExecutionDevice,
    threads: int,
    *,
    keep_first_velocity: bool = False,
) -> SamplingJob:
    """Return what the generation process is asked for; the noise is drawn here.

    Raises:
        UsageError: A condition outside its range.
    """
    conditions = package.manifest.resolve_conditions(request.conditions)
    return SamplingJob(
        graph=package.folder / DENOISER,
        graph_sha256=package.manifest.files.get(DENOISER, ""),
        device=device,
        threads=threads,
        schedule=schedule,
        noise=gaussian_noise(request.seed, request.case_id, NOISE_PURPOSE, layout.latent_shape),
        context=context_of(layout, conditions),
        null_context=null_context_of(layout),
        keep_first_velocity=keep_first_velocity,
    )


def _volume(
    package: GeneratorPackage,
    request: GenerationRequest,
    layout: LatentLayout,
    decoded: DecodedCase,
) -> Volume:
    low, high = layout.value_range
    return Volume(
        volume_id=request.case_id,
        array=decoded.image,
        geometry=layout.geometry,
        modality=package.manifest.modality,
        units=package.manifest.units,
        kind=VolumeKind.SYNTHETIC,
        window_center=(low + high) / 2.0,
        window_width=high - low,
        attributes={
            "series_description": f"SYNTHETIC {package.manifest.id} {package.manifest.version}"
        },
    )


def _label_maps(layout: LatentLayout, decoded: DecodedCase) -> tuple[LabelMap, ...]:
    if not layout.labels:
        return ()
    segments = {label.value: label.code for label in layout.labels}
    return (LabelMap(layout.label_map or "labels", decoded.labels, segments),)


def _details(
    request: GenerationRequest,
    layout: LatentLayout,
    job: SamplingJob,
    sampled: SampledLatent,
    decoded: DecodedCase,
) -> dict[str, Any]:
    voxel = layout.geometry.voxel_volume_mm3
    return {
        "method": "rectified flow, ordinary differential equation from noise to data",
        "sampler": job.schedule.sampler,
        "timesteps": list(job.schedule.timesteps),
        "guidance_scale": job.schedule.guidance_scale,
        "evaluations": job.schedule.evaluations,
        "noise": {
            "recipe": NOISE_RECIPE,
            "seed": request.seed,
            "case": request.case_id,
            "purpose": NOISE_PURPOSE,
            "shape": list(layout.latent_shape),
        },
        "noise_sha256": array_digest(job.noise),
        "graph_sha256": job.graph_sha256,
        "latent_sha256": array_digest(sampled.latent),
        "label_volumes_mm3": {
            label.name: float(np.count_nonzero(decoded.labels == label.value) * voxel)
            for label in layout.labels
        },
        "outside_share": decoded.outside_share,
        "environment": sampled.facts,
        "device": job.device.reason,
    }


def _findings(
    request: GenerationRequest, layout: LatentLayout, decoded: DecodedCase
) -> tuple[Finding, ...]:
    """Say what looks wrong with a case that is kept."""
    found = []
    if decoded.outside_share > _SUSPICIOUS_SHARE:
        found.append(
            Finding(
                Severity.WARNING,
                "values_clipped",
                request.case_id,
                f"{decoded.outside_share:.1%} of the voxels lay outside the generator's value "
                "range and were clipped",
            )
        )
    if float(np.ptp(decoded.image)) < 0.01 * (layout.value_range[1] - layout.value_range[0]):
        found.append(
            Finding(
                Severity.WARNING, "flat_image", request.case_id, "The image has hardly any contrast"
            )
        )
    missing = [label.name for label in layout.labels if not np.any(decoded.labels == label.value)]
    if missing:
        found.append(
            Finding(
                Severity.WARNING,
                "label_missing",
                request.case_id,
                f"The label map lacks {', '.join(missing)}",
            )
        )
    return tuple(found)
