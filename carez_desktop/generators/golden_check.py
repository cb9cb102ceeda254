"""Compare what a diffusion package gives here with what it gave where it was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from carez_desktop.domain.codec import array_digest
from carez_desktop.domain.generation import GenerationRequest, GeneratorPackage
from carez_desktop.errors import ModelError
from carez_desktop.generators.diffusion import SCHEDULER, sampling_job
from carez_desktop.inference.execution_provider import choose_device, fixed_thread_count
from carez_desktop.inference.latent_layout import decode_latent, read_layout
from carez_desktop.inference.package_store import read_package_json
from carez_desktop.inference.schedules import read_schedule
from carez_desktop.inference.worker import GenerationProcess
from carez_desktop.progress import NEVER, SILENT, CancellationToken, ProgressReporter

GOLDEN = "golden/golden.json"


@dataclass(frozen=True, slots=True)
class GoldenOutcome:
    """How far this machine is from the golden values.

    Attributes:
        provider: Which execution provider ran.
        is_noise_identical: Whether the noise has the golden digest; it has to everywhere.
        velocity_difference / velocity_tolerance: Largest difference of the first velocity.
        volume_difference / volume_tolerance: Largest difference of the image, in its units.
        label_difference: Voxels by which the counts of the label values differ, in all.
        is_identical: Whether the image has the golden digest.
    """

    provider: str
    is_noise_identical: bool
    velocity_difference: float
    velocity_tolerance: float
    volume_difference: float
    volume_tolerance: float
    label_difference: int
    is_identical: bool

    @property
    def passed(self) -> bool:
        """Whether the noise is identical and both differences lie inside their tolerances."""
        return (
            self.is_noise_identical
            and self.velocity_difference <= self.velocity_tolerance
            and self.volume_difference <= self.volume_tolerance
        )


def check_golden(
    package: GeneratorPackage,
    *,
    device: str = "auto",
    threads: int = 0,
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
) -> GoldenOutcome:
    """Make the golden case again and compare.

    Args:
        package: A checked package of the family `diffusion`.
        device: `auto`, `cpu` or `cuda`.
        threads: Of one operator; 0 takes all allowed cores.
        progress: Receives each step.
        cancel: Stops it within one step.

    Raises:
        ModelError: A golden file that cannot be read, or a package that does not run.
    """
    golden: Mapping[str, Any] = read_package_json(package, GOLDEN)
    layout = read_layout(package)
    schedule = read_schedule(read_package_json(package, SCHEDULER), subject=SCHEDULER)
    chosen = choose_device(device)
    try:
        request = GenerationRequest(
            generator_id=package.manifest.id,
            generator_version=package.manifest.version,
            case_id=str(golden["case_id"]),
            seed=int(golden["seed"]),
            conditions=golden["conditions"],
        )
        job = sampling_job(
            package,
            request,
            layout,
            schedule,
            chosen,
            fixed_thread_count(threads),
            keep_first_velocity=True,
        )
        with GenerationProcess() as process:
            sampled = process.sample(job, progress=progress, cancel=cancel)
        decoded = decode_latent(layout, sampled.latent)
        velocity, volume = golden["first_velocity"], golden["final_volume"]
        counts = golden.get("final_labels", {}).get("counts", {})
        return GoldenOutcome(
            provider=chosen.provider,
            is_noise_identical=array_digest(job.noise) == golden["noise_sha256"],
            velocity_difference=_difference(sampled.first_velocity, velocity),
            velocity_tolerance=float(velocity["tolerance"][chosen.provider]),
            volume_difference=_difference(decoded.image, volume),
            volume_tolerance=float(volume["tolerance"][chosen.provider]),
            label_difference=sum(
                abs(int(np.count_nonzero(decoded.labels == int(value))) - int(count))
                for value, count in counts.items()
            ),
            is_identical=array_digest(decoded.image) == volume["sha256"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"The golden file cannot be read: {type(error).__name__} {error}",
            subject=str(package.folder / GOLDEN),
            hint="Install the package again",
        ) from None


def _difference(found: npt.NDArray[np.float32] | None, entry: Mapping[str, Any]) -> float:
    """Return the largest absolute difference at every stride-th element."""
    if found is None:
        raise ValueError("nothing to compare")
    values = np.asarray(entry["values"], dtype=np.float64)
    here = found.reshape(-1)[:: int(entry["stride"])].astype(np.float64)
    if here.shape != values.shape:
        raise ValueError(f"{here.size} values here, {values.size} in the file")
    return float(np.abs(here - values).max())
