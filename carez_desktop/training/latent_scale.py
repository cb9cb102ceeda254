"""Between volumes and what the flow network sees: channels, Haar bands, standardisation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carez_desktop.inference.haar import haar3d_forward
from carez_desktop.training.hippocampus_data import HippocampusVolume, centred

CONDITIONS = ("anterior_volume_mm3", "posterior_volume_mm3")
"""Conditions in the order of the context's columns."""


@dataclass(frozen=True)
class LatentScale:
    """How latents and conditions are standardised; all from the training split.

    Attributes:
        mean: Mean of each Haar band of each channel, shape [24].
        std: Their standard deviation, shape [24].
        condition_mean: Mean of anterior and posterior volume, mm^3.
        condition_std: Their standard deviation, mm^3.
    """

    mean: NDArray[np.float32]
    std: NDArray[np.float32]
    condition_mean: tuple[float, float]
    condition_std: tuple[float, float]


def channels_of(image: NDArray[np.float32], labels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Stack image, anterior and posterior, mapped from [0, 1] to [-1, 1]; float32 [3, s, r, c]."""
    stacked = np.stack([image, labels == 1, labels == 2]).astype(np.float32)
    return 2.0 * stacked - 1.0


def conditions_of(volumes: list[HippocampusVolume]) -> NDArray[np.float64]:
    """Return anterior and posterior volume in mm^3, shape [n, 2]."""
    rows = [[float(getattr(volume, name)) for name in CONDITIONS] for volume in volumes]
    return np.array(rows, dtype=np.float64)


def measure_scale(volumes: list[HippocampusVolume]) -> LatentScale:
    """Return the standardisation that a set of volumes needs."""
    boxes = [channels_of(centred(v.image), centred(v.labels)) for v in volumes]
    latents = haar3d_forward(np.stack(boxes))
    conditions = conditions_of(volumes)
    mean, std = conditions.mean(axis=0), conditions.std(axis=0)
    return LatentScale(
        mean=latents.mean(axis=(0, 2, 3, 4)).astype(np.float32),
        std=latents.std(axis=(0, 2, 3, 4)).astype(np.float32),
        condition_mean=(float(mean[0]), float(mean[1])),
        condition_std=(float(std[0]), float(std[1])),
    )
