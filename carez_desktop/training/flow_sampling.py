"""Sample a flow network in torch, in batches: what measuring needs before a package exists.

`inference/` holds the sampler of the product; this one is apart so that each checks the other.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from carez_desktop.inference.haar import haar3d_inverse
from carez_desktop.inference.noise import gaussian_noise
from carez_desktop.training.export_flow import rounded_network
from carez_desktop.training.flow_network import FlowNetwork, FlowNetworkPlan
from carez_desktop.training.latent_scale import LatentScale


@dataclass(frozen=True)
class TrainedFlow:
    """A trained network (averaged weights, rounded as the package stores them) and its scale.

    Attributes:
        steps: Optimiser steps of its training.
        minutes: Wall time of its training.
        training_plan: Settings of its training.
        label_threshold: A voxel is background where no label channel exceeds it.
    """

    network: FlowNetwork
    scale: LatentScale
    steps: int
    minutes: float
    training_plan: dict[str, object]
    label_threshold: float = 0.0


@dataclass(frozen=True)
class Samples:
    """Generated volumes.

    Attributes:
        images: float32 [n, s, r, c] in [0, 1].
        labels: uint8 [n, s, r, c]: 0 background, 1 anterior, 2 posterior.
    """

    images: NDArray[np.float32]
    labels: NDArray[np.uint8]

    def volumes_mm3(self) -> NDArray[np.float64]:
        """Return anterior and posterior volume of each, shape [n, 2]; voxels have 1 mm^3."""
        counts = [(self.labels == value).sum(axis=(1, 2, 3)) for value in (1, 2)]
        return np.stack(counts, axis=1).astype(np.float64)


def load_trained(path: Path) -> TrainedFlow:
    """Read a checkpoint of `train_flow`."""
    state = torch.load(path, weights_only=True)
    raw = dict(state["network_plan"])
    plan = FlowNetworkPlan(**{**raw, "widths": tuple(raw["widths"])})
    scale = LatentScale(
        mean=state["latent_mean"].numpy(),
        std=state["latent_std"].numpy(),
        condition_mean=tuple(state["condition_mean"]),
        condition_std=tuple(state["condition_std"]),
    )
    return TrainedFlow(
        network=rounded_network(plan, state["average"]),
        scale=scale,
        steps=int(state["step"]),
        minutes=float(state["seconds"]) / 60.0,
        training_plan=dict(state["training_plan"]),
    )


def context_of(conditions: NDArray[np.float64], scale: LatentScale) -> Tensor:
    """Return the context of conditions in mm^3 [n, 2]: standardised, and the flag 1."""
    standard = (conditions - scale.condition_mean) / scale.condition_std
    flagged = np.concatenate([standard, np.ones((len(standard), 1))], axis=1)
    return torch.from_numpy(flagged.astype(np.float32))


def integrate(
    network: nn.Module,
    x: Tensor,
    context: Tensor,
    times: Sequence[float],
    heun: bool,
    guidance: float,
) -> Tensor:
    """Follow the velocity from noise to data along a table of times."""

    def velocity(state: Tensor, time: float) -> Tensor:
        moment = torch.full((len(state),), time, dtype=torch.float32)
        found: Tensor = network(state, moment, context)
        if guidance == 1.0:
            return found
        null: Tensor = network(state, moment, torch.zeros_like(context))
        return null + guidance * (found - null)

    for now, after in itertools.pairwise(times):
        first = velocity(x, now)
        if heun:
            second = velocity(x + (after - now) * first, after)
            first = 0.5 * (first + second)
        x = x + (after - now) * first
    return x


def sample(
    trained: TrainedFlow,
    conditions: NDArray[np.float64],
    *,
    seed: int,
    times: Sequence[float],
    heun: bool,
    guidance: float = 1.0,
    batch: int = 16,
) -> Samples:
    """Generate one volume for each row of conditions (mm^3, [n, 2])."""
    latents = sample_latents(
        trained,
        conditions,
        seed=seed,
        times=times,
        heun=heun,
        guidance=guidance,
        batch=batch,
    )
    return decode(latents, trained.scale, trained.label_threshold)


@torch.no_grad()
def sample_latents(
    trained: TrainedFlow,
    conditions: NDArray[np.float64],
    *,
    seed: int,
    times: Sequence[float],
    heun: bool,
    guidance: float = 1.0,
    batch: int = 16,
) -> NDArray[np.float32]:
    """Return a standardised latent [24, 20, 24, 16] for each row of conditions (mm^3, [n, 2])."""
    shape = (trained.network.plan.channels, 20, 24, 16)
    context = context_of(conditions, trained.scale)
    parts = []
    for start in range(0, len(conditions), batch):
        names = [
            f"case-{index + 1:04d}" for index in range(start, min(start + batch, len(conditions)))
        ]
        noise = np.stack([gaussian_noise(seed, name, "latent", shape) for name in names])
        part = context[start : start + batch]
        parts.append(
            integrate(trained.network, torch.from_numpy(noise), part, times, heun, guidance).numpy()
        )
    return np.concatenate(parts)


def decode(
    latents: NDArray[np.float32], scale: LatentScale, label_threshold: float = 0.0
) -> Samples:
    """Turn standardised latents [n, 24, 20, 24, 16] into images and labels."""
    broad = (slice(None), None, None, None)
    channels = haar3d_inverse(latents * scale.std[broad].astype(np.float64) + scale.mean[broad])
    images = np.clip((channels[:, 0].astype(np.float64) + 1.0) / 2.0, 0.0, 1.0).astype(np.float32)
    parts = channels[:, 1:]
    labels = np.where(parts.max(axis=1) > label_threshold, parts.argmax(axis=1) + 1, 0).astype(
        np.uint8
    )
    return Samples(images=images, labels=labels)
