"""Measure a trained flow against scans that it never saw; the model card's table comes from here.

Everything is computed in the core of the box, which nearly every source volume covers, on values
that run from 0 to 1 between a volume's 0.5th and 99.5th percentile. "Floor" is the same figure for
real training volumes in place of generated ones: what another real sample of this size would get.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carez_desktop.evaluation.distances import kernel_distance
from carez_desktop.training.flow_sampling import (
    Samples,
    TrainedFlow,
    decode,
    sample,
    sample_latents,
)
from carez_desktop.training.hippocampus_data import HippocampusVolume, centred
from carez_desktop.training.latent_scale import CONDITIONS, conditions_of

CORE = (slice(6, 34), slice(2, 46), slice(2, 30))
"""The part of the box that nearly every source volume covers; sizes are multiples of 4."""
COMPONENTS = 32
RESAMPLES = 400
THRESHOLDS = tuple(round(-0.8 + 0.05 * index, 2) for index in range(21))
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Choice:
    """A way to sample.

    Attributes:
        sampler: `euler` or `heun`.
        steps: Intervals of time; Heun evaluates the network twice in each.
        guidance: Classifier-free guidance; above 1 every evaluation is done twice.
    """

    sampler: str
    steps: int
    guidance: float

    @property
    def evaluations(self) -> int:
        """Evaluations of the network for one case."""
        return self.steps * (2 if self.sampler == "heun" else 1) * (2 if self.guidance != 1 else 1)

    @property
    def times(self) -> list[float]:
        """The table of times."""
        return [1.0 - index / self.steps for index in range(self.steps)] + [0.0]


CHOICES = (
    Choice("euler", 6, 1.0),
    Choice("euler", 8, 1.0),
    Choice("euler", 12, 1.0),
    Choice("heun", 4, 1.0),
    Choice("heun", 8, 1.0),
    Choice("euler", 8, 1.5),
)


def cores(images: NDArray[np.float32]) -> Array:
    """Return the cores of images [n, 40, 48, 32] as float64 [n, 28, 44, 28]."""
    return images[(slice(None), *CORE)].astype(np.float64)


def real_samples(volumes: Sequence[HippocampusVolume]) -> Samples:
    """Return real volumes in the form of generated ones."""
    return Samples(
        images=np.stack([centred(volume.image) for volume in volumes]),
        labels=np.stack([centred(volume.labels) for volume in volumes]),
    )


def _blocks(images: NDArray[np.float32]) -> Array:
    """Means and deviations of 4 x 4 x 4 blocks of the core, [n, 2 * 539]."""
    core = cores(images)
    n, s, r, c = core.shape
    parts = core.reshape(n, s // 4, 4, r // 4, 4, c // 4, 4)
    axes = (2, 4, 6)
    return np.concatenate(
        [parts.mean(axis=axes).reshape(n, -1), parts.std(axis=axes).reshape(n, -1)], axis=1
    )


class FeatureSpace:
    """Principal components of block means and deviations, fitted on the training volumes."""

    def __init__(self, training: NDArray[np.float32]) -> None:
        """Fit centre, scale and axes."""
        blocks = _blocks(training)
        self._centre, self._scale = blocks.mean(axis=0), blocks.std(axis=0) + 1e-6
        _, spread, axes = np.linalg.svd((blocks - self._centre) / self._scale, full_matrices=False)
        self._axes = axes[:COMPONENTS].T / (spread[:COMPONENTS] / np.sqrt(len(blocks)))

    def features(self, images: NDArray[np.float32]) -> Array:
        """Return whitened components, [n, 32]."""
        found: Array = ((_blocks(images) - self._centre) / self._scale) @ self._axes
        return found


def histogram_distance(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Return the 1-Wasserstein distance of pooled core intensities, in units of the 0..1 range."""
    levels = np.linspace(0.0, 1.0, 501)
    curves = [np.quantile(cores(images).ravel(), levels) for images in (first, second)]
    return float(np.abs(curves[0] - curves[1]).mean())


def sharpness(images: NDArray[np.float32]) -> Array:
    """Return each core's mean absolute difference of neighbours, [n]."""
    core = cores(images)
    steps = [np.abs(np.diff(core, axis=axis)).mean(axis=(1, 2, 3)) for axis in (1, 2, 3)]
    return np.asarray(np.mean(steps, axis=0))


def nearest_correlations(images: NDArray[np.float32], training: NDArray[np.float32]) -> Array:
    """Return for each image the largest correlation of its core to a training core, [n]."""
    rows = [cores(stack).reshape(len(stack), -1) for stack in (images, training)]
    units = [_unit(row) for row in rows]
    return np.asarray((units[0] @ units[1].T).max(axis=1))


def mean_pair_correlation(images: NDArray[np.float32]) -> float:
    """Return the mean correlation of two different cores of a set: less is more diverse."""
    units = _unit(cores(images).reshape(len(images), -1))
    matrix = units @ units.T
    return float(matrix[np.triu_indices(len(images), 1)].mean())


def _unit(rows: Array) -> Array:
    centred_rows = rows - rows.mean(axis=1, keepdims=True)
    return np.asarray(centred_rows / np.linalg.norm(centred_rows, axis=1, keepdims=True))


def label_contrast(samples: Samples) -> Array:
    """Return mean intensity inside the labels minus mean outside in the core, [n]."""
    images = cores(samples.images)
    inside = samples.labels[(slice(None), *CORE)] > 0
    counts = inside.sum(axis=(1, 2, 3)), (~inside).sum(axis=(1, 2, 3))
    sums = (images * inside).sum(axis=(1, 2, 3)), (images * ~inside).sum(axis=(1, 2, 3))
    return np.asarray(sums[0] / np.maximum(counts[0], 1) - sums[1] / np.maximum(counts[1], 1))


def main_component_share(samples: Samples) -> Array:
    """Return the share of the label's voxels that its largest connected part holds, [n]."""
    from scipy import ndimage

    shares = []
    for labels in samples.labels:
        parts, count = ndimage.label(labels > 0)
        sizes = np.bincount(parts.ravel(), minlength=count + 1)[1:]
        shares.append(float(sizes.max() / sizes.sum()) if count else 0.0)
    return np.array(shares)


@dataclass(frozen=True)
class Response:
    """Requested against measured volume of one part.

    Attributes:
        slope / r_squared: Of the least-squares line measured = a + slope * requested.
        mean_absolute_error_mm3: Of measured against requested.
        bias_mm3: Mean of measured minus requested.
    """

    slope: float
    r_squared: float
    mean_absolute_error_mm3: float
    bias_mm3: float
    slope_interval: tuple[float, float]


def response(requested: Array, measured: Array, seed: int = 0) -> Response:
    """Return how measured volumes [n] follow requested ones [n], with a bootstrap interval."""
    random = np.random.default_rng(seed)
    slopes = []
    for _ in range(RESAMPLES):
        chosen = random.integers(0, len(requested), len(requested))
        slopes.append(np.polyfit(requested[chosen], measured[chosen], 1)[0])
    low, high = np.percentile(slopes, [2.5, 97.5])
    difference = measured - requested
    return Response(
        slope=float(np.polyfit(requested, measured, 1)[0]),
        r_squared=float(np.corrcoef(requested, measured)[0, 1] ** 2),
        mean_absolute_error_mm3=float(np.abs(difference).mean()),
        bias_mm3=float(difference.mean()),
        slope_interval=(float(low), float(high)),
    )


def uniform_requests(ranges: Mapping[str, tuple[float, float]], count: int, seed: int) -> Array:
    """Return conditions spread evenly over the trained ranges, [count, 2] in mm^3."""
    random = np.random.default_rng(seed)
    low, high = (np.array([ranges[name][end] for name in CONDITIONS]) for end in (0, 1))
    return np.asarray(low + (high - low) * random.random((count, 2)))


def clipped_requests(
    volumes: Sequence[HippocampusVolume], ranges: Mapping[str, tuple[float, float]]
) -> Array:
    """Return the conditions of real volumes, moved into the trained ranges, [n, 2] in mm^3."""
    low, high = (np.array([ranges[name][end] for name in CONDITIONS]) for end in (0, 1))
    return np.clip(conditions_of(list(volumes)), low, high)


def choose_sampler(
    trained: TrainedFlow,
    training: Sequence[HippocampusVolume],
    validation: Sequence[HippocampusVolume],
    ranges: Mapping[str, tuple[float, float]],
) -> tuple[Choice, list[dict[str, Any]]]:
    """Try each way to sample on the validation set; the smallest kernel distance wins.

    Returns:
        The choice, and a row of figures for each way.
    """
    space = FeatureSpace(real_samples(training).images)
    real = real_samples(validation)
    requests = np.concatenate([clipped_requests(validation, ranges)] * 2)
    rows = []
    for choice in CHOICES:
        made = generate(trained, choice, requests, seed=101)
        follow = [response(requests[:, k], made.volumes_mm3()[:, k]) for k in (0, 1)]
        rows.append(
            {
                **asdict(choice),
                "evaluations": choice.evaluations,
                "kernel_distance": kernel_distance(
                    space.features(real.images), space.features(made.images)
                ),
                "sharpness": float(sharpness(made.images).mean() / sharpness(real.images).mean()),
                "volume_error_mm3": float(
                    np.mean([part.mean_absolute_error_mm3 for part in follow])
                ),
            }
        )
    best = min(range(len(rows)), key=lambda index: float(rows[index]["kernel_distance"]))
    return CHOICES[best], rows


def calibrate_threshold(
    trained: TrainedFlow,
    choice: Choice,
    validation: Sequence[HippocampusVolume],
    ranges: Mapping[str, tuple[float, float]],
) -> float:
    """Return the label threshold whose volumes have the requested sum, on validation requests.

    Label channels run from -1 to 1; an uncertain network stays below 0 at the rim of a label, so
    that a threshold of 0 makes every part too small.
    """
    requests = np.concatenate([clipped_requests(validation, ranges)] * 2)
    latents = sample_latents(
        trained,
        requests,
        seed=404,
        times=choice.times,
        heun=choice.sampler == "heun",
        guidance=choice.guidance,
    )
    wanted = requests.sum(axis=1).mean()
    errors = [
        abs(decode(latents, trained.scale, value).volumes_mm3().sum(axis=1).mean() - wanted)
        for value in THRESHOLDS
    ]
    return float(THRESHOLDS[int(np.argmin(errors))])


def generate(trained: TrainedFlow, choice: Choice, requests: Array, *, seed: int) -> Samples:
    """Generate one volume for each request."""
    return sample(
        trained,
        requests,
        seed=seed,
        times=choice.times,
        heun=choice.sampler == "heun",
        guidance=choice.guidance,
    )


def measure(
    trained: TrainedFlow,
    choice: Choice,
    training: Sequence[HippocampusVolume],
    unseen: Sequence[HippocampusVolume],
    ranges: Mapping[str, tuple[float, float]],
) -> dict[str, Any]:
    """Return every figure of the model card, from cases made for the unseen scans' conditions."""
    seen, real = real_samples(training), real_samples(unseen)
    made = generate(trained, choice, clipped_requests(unseen, ranges), seed=202)
    requests = uniform_requests(ranges, 64, seed=5)
    asked = generate(trained, choice, requests, seed=303)
    followed = asked.volumes_mm3()
    return {
        "n": {"training": len(training), "unseen": len(unseen), "generated": len(made.images)},
        "distribution": distribution_figures(seen.images, real.images, made.images),
        "copies": copy_figures(seen.images, real.images, made.images),
        "labels": {
            name: {
                "contrast": _mean(label_contrast(samples)),
                "main_component": _mean(main_component_share(samples)),
            }
            for name, samples in (("unseen", real), ("generated", made))
        },
        "response": {
            name: asdict(response(requests[:, k], followed[:, k]))
            for k, name in enumerate(CONDITIONS)
        },
        "response_n": len(requests),
    }


def distribution_figures(
    training: NDArray[np.float32], unseen: NDArray[np.float32], made: NDArray[np.float32]
) -> dict[str, Any]:
    """Return distances of generated and of equally many training volumes to the unseen ones."""
    space = FeatureSpace(training)
    target = space.features(unseen)
    random = np.random.default_rng(11)
    floors, histogram_floors = [], []
    for _ in range(50):
        chosen = random.choice(len(training), len(made), replace=len(made) > len(training))
        floors.append(kernel_distance(target, space.features(training[chosen])))
        histogram_floors.append(histogram_distance(unseen, training[chosen]))
    return {
        "kernel_distance": kernel_distance(target, space.features(made)),
        "kernel_floor": _spread(floors),
        "histogram_distance": histogram_distance(unseen, made),
        "histogram_floor": _spread(histogram_floors),
        "sharpness_ratio": float(sharpness(made).mean() / sharpness(unseen).mean()),
        "pair_correlation": {
            "generated": mean_pair_correlation(made),
            "unseen": mean_pair_correlation(unseen),
        },
    }


def copy_figures(
    training: NDArray[np.float32], unseen: NDArray[np.float32], made: NDArray[np.float32]
) -> dict[str, Any]:
    """Return how near generated and unseen volumes come to a training volume."""
    near = {
        "generated": nearest_correlations(made, training),
        "unseen": nearest_correlations(unseen, training),
    }
    limit = float(np.quantile(near["unseen"], 0.95))
    figures: dict[str, Any] = {
        name: {"median": float(np.median(values)), "maximum": float(values.max())}
        for name, values in near.items()
    }
    figures["limit"] = limit
    figures["generated_above_limit"] = int((near["generated"] > limit).sum())
    return figures


def _mean(values: Array) -> dict[str, float]:
    return {"mean": float(values.mean()), "deviation": float(values.std())}


def _spread(values: Sequence[float]) -> dict[str, float]:
    low, middle, high = np.percentile(values, [2.5, 50.0, 97.5])
    return {"median": float(middle), "low": float(low), "high": float(high)}
