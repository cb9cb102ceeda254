"""Train `hippocampus-flow`: rectified flow on Haar coefficients of an image and its two labels.

    python -m carez_desktop.training.train_flow --data DIR --out DIR --minutes 90 [--resume]

Data x0 and noise z are joined by the line x_t = (1 - t) x0 + t z; the network learns its velocity
z - x0 (Liu et al., arXiv 2209.03003). One generator gives every random number and is kept in the
checkpoint with weights, their average and the optimiser, so that a resumed training continues bit
for bit when `--steps` fixes its length.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from carez_desktop.inference.haar import haar3d_forward
from carez_desktop.training.flow_network import FlowNetwork, FlowNetworkPlan, count_parameters
from carez_desktop.training.hippocampus_data import (
    BOX,
    MARGIN,
    HippocampusVolume,
    near_duplicate_groups,
    read_folder,
    split_groups,
)
from carez_desktop.training.latent_scale import (
    LatentScale,
    channels_of,
    conditions_of,
    measure_scale,
)

CHECKPOINT = "checkpoint.pt"
SPLIT_SEED = 2026
TIME_BINS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True)
class TrainingPlan:
    """What fixes a training.

    Attributes:
        minutes: Wall time; the learning rate follows its share unless `steps` is given.
        steps: Optimiser steps; 0 means "as many as fit into the minutes".
        batch: Examples in a step.
        learning_rate: Peak of the cosine, after a warm-up of 1 % of the length.
        average_decay: Decay of the exponential average of the weights.
        null_share: Share of examples whose condition is dropped (classifier-free guidance).
        time_spread: Times are sigmoid(spread * normal), so that the middle is seen more often.
        bfloat16: Whether convolutions run in bfloat16 (weights and loss stay float32).
        seed: Of everything random.
        checkpoint_minutes: Wall time between checkpoints.
    """

    minutes: float = 90.0
    steps: int = 0
    batch: int = 8
    learning_rate: float = 1e-3
    average_decay: float = 0.998
    null_share: float = 0.1
    time_spread: float = 1.2
    bfloat16: bool = True
    seed: int = 1
    checkpoint_minutes: float = 4.0


class ExampleSource:
    """Draw batches of shifted boxes from volumes in memory."""

    def __init__(self, volumes: list[HippocampusVolume], scale: LatentScale) -> None:
        """Keep the volumes as one array."""
        self._channels = np.stack([channels_of(v.image, v.labels) for v in volumes])
        self._valid = np.stack([v.valid for v in volumes])
        self._scale = scale
        self._conditions = (conditions_of(volumes) - scale.condition_mean) / scale.condition_std

    def __len__(self) -> int:
        """Return how many volumes there are."""
        return len(self._channels)

    def batch(
        self, indices: list[int], shifts: list[tuple[int, int, int]]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return latents [B, 24, 20, 24, 16], conditions [B, 2], valid [B, 1, 20, 24, 16]."""
        boxes, valid = [], []
        for index, (s, r, c) in zip(indices, shifts, strict=True):
            window = (slice(s, s + BOX[0]), slice(r, r + BOX[1]), slice(c, c + BOX[2]))
            boxes.append(self._channels[(index, slice(None), *window)])
            blocks = self._valid[(index, *window)].reshape(
                BOX[0] // 2, 2, BOX[1] // 2, 2, BOX[2] // 2, 2
            )
            valid.append(blocks.all(axis=(1, 3, 5)))
        latents = haar3d_forward(np.stack(boxes))
        latents = (latents - self._scale.mean[:, None, None, None]) / self._scale.std[
            :, None, None, None
        ]
        return (
            torch.from_numpy(latents),
            torch.from_numpy(self._conditions[indices].astype(np.float32)),
            torch.from_numpy(np.stack(valid)[:, None].astype(np.float32)),
        )


def band_weights(scale: LatentScale) -> Tensor:
    """Return each latent channel's loss weight, its amplitude over the mean; [1, 24, 1, 1, 1]."""
    std = torch.from_numpy(scale.std)
    return (std / std.mean())[None, :, None, None, None]


class FlowTraining:
    """A training that can be stopped, saved and continued."""

    def __init__(
        self,
        source: ExampleSource,
        scale: LatentScale,
        network_plan: FlowNetworkPlan,
        plan: TrainingPlan,
    ) -> None:
        """Seed and build network, average and optimiser."""
        torch.manual_seed(plan.seed)
        self.source, self.scale, self.plan = source, scale, plan
        self.network = FlowNetwork(network_plan)
        self.average = {k: v.detach().clone() for k, v in self.network.state_dict().items()}
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=plan.learning_rate, weight_decay=1e-4, betas=(0.9, 0.99)
        )
        self.random = torch.Generator().manual_seed(plan.seed)
        self.step, self.seconds = 0, 0.0
        self._weights = band_weights(scale)

    @property
    def share(self) -> float:
        """How much of the training is done, in [0, 1]."""
        if self.plan.steps:
            return min(self.step / self.plan.steps, 1.0)
        return min(self.seconds / (60.0 * self.plan.minutes), 1.0)

    def _learning_rate(self) -> float:
        warm = min((self.step + 1) / 100.0, 1.0)
        return (
            self.plan.learning_rate
            * warm
            * (0.02 + 0.98 * 0.5 * (1.0 + math.cos(math.pi * self.share)))
        )

    def _draw(self) -> tuple[Tensor, Tensor, Tensor]:
        batch = self.plan.batch
        indices = torch.randint(len(self.source), (batch,), generator=self.random).tolist()
        shifts = torch.randint(2 * MARGIN + 1, (batch, 3), generator=self.random).tolist()
        data, conditions, valid = self.source.batch(indices, [tuple(row) for row in shifts])
        kept = (torch.rand(batch, 1, generator=self.random) >= self.plan.null_share).float()
        return data, torch.cat([conditions * kept, kept], dim=1), valid

    def advance(self) -> float:
        """Take one optimiser step and return its loss."""
        started = time.monotonic()
        data, context, valid = self._draw()
        noise = torch.randn(data.shape, generator=self.random)
        spread = torch.randn(len(data), generator=self.random) * self.plan.time_spread
        loss = flow_loss(
            self.network,
            data,
            noise,
            torch.sigmoid(spread),
            context,
            valid * self._weights,
            self.plan.bfloat16,
        )
        for group in self.optimizer.param_groups:
            group["lr"] = self._learning_rate()
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        self._follow()
        self.seconds += time.monotonic() - started
        return float(loss.detach())

    @torch.no_grad()
    def _follow(self) -> None:
        decay = min(self.plan.average_decay, (1.0 + self.step) / (10.0 + self.step))
        for key, value in self.network.state_dict().items():
            self.average[key].lerp_(value, 1.0 - decay)

    def averaged(self) -> FlowNetwork:
        """Return a network with the averaged weights."""
        network = FlowNetwork(self.network.plan)
        network.load_state_dict(self.average)
        return network

    def save(self, path: Path) -> None:
        """Write everything to a file, replacing it at once."""
        part = path.with_suffix(".part")
        torch.save(
            {
                "network_plan": self.network.plan.as_dict(),
                "training_plan": asdict(self.plan),
                "weights": self.network.state_dict(),
                "average": self.average,
                "optimizer": self.optimizer.state_dict(),
                "random": self.random.get_state(),
                "step": self.step,
                "seconds": self.seconds,
                "latent_mean": torch.from_numpy(self.scale.mean),
                "latent_std": torch.from_numpy(self.scale.std),
                "condition_mean": list(self.scale.condition_mean),
                "condition_std": list(self.scale.condition_std),
            },
            part,
        )
        part.replace(path)

    def load(self, path: Path) -> None:
        """Continue from a file that `save` wrote."""
        state = torch.load(path, weights_only=True)
        self.network.load_state_dict(state["weights"])
        self.average = state["average"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.random.set_state(state["random"])
        self.step, self.seconds = int(state["step"]), float(state["seconds"])


@torch.no_grad()
def validation_losses(
    network: FlowNetwork, source: ExampleSource, scale: LatentScale, bfloat16: bool = False
) -> list[float]:
    """Return a network's loss on a set, in five bins of time, with fixed noise."""
    random = torch.Generator().manual_seed(7)
    indices = list(range(len(source)))
    data, conditions, valid = source.batch(indices, [(MARGIN, MARGIN, MARGIN)] * len(indices))
    context = torch.cat([conditions, torch.ones(len(indices), 1)], dim=1)
    weights = valid * band_weights(scale)
    losses = []
    for low, high in itertools.pairwise(TIME_BINS):
        noise = torch.randn(data.shape, generator=random)
        times = low + (high - low) * torch.rand(len(indices), generator=random)
        losses.append(float(flow_loss(network, data, noise, times, context, weights, bfloat16)))
    return losses


def flow_loss(
    network: FlowNetwork,
    data: Tensor,
    noise: Tensor,
    times: Tensor,
    context: Tensor,
    weights: Tensor,
    bfloat16: bool,
) -> Tensor:
    """Return the weighted mean squared error of the velocity, over blocks that the source has."""
    share = times[:, None, None, None, None]
    mixed = (1.0 - share) * data + share * noise
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        velocity = network(mixed, times, context)
    error = (velocity.float() - (noise - data)).square()
    loss: Tensor = (error * weights).sum() / weights.sum()
    return loss


def run_training(
    training: FlowTraining, validation: ExampleSource, out: Path, say: Callable[[str], None]
) -> None:
    """Advance to the end of the plan, with checkpoints and validation on the way."""
    last, losses = time.monotonic(), []
    while training.share < 1.0:
        losses.append(training.advance())
        if (
            time.monotonic() - last > 60.0 * training.plan.checkpoint_minutes
            or training.share >= 1.0
        ):
            bins = validation_losses(
                training.averaged(), validation, training.scale, training.plan.bfloat16
            )
            training.save(out / CHECKPOINT)
            say(
                json.dumps(
                    {
                        "step": training.step,
                        "minutes": round(training.seconds / 60.0, 2),
                        "share": round(training.share, 3),
                        "training_loss": round(float(np.mean(losses)), 5),
                        "validation_loss": [round(value, 5) for value in bins],
                    }
                )
            )
            last, losses = time.monotonic(), []


def load_splits(folder: Path) -> tuple[list[HippocampusVolume], list[int], list[str]]:
    """Read a folder and return its volumes, their groups and their splits."""
    volumes = read_folder(folder)
    groups = near_duplicate_groups(volumes)
    return volumes, groups, split_groups(groups, seed=SPLIT_SEED)


def main(arguments: list[str] | None = None) -> None:
    """Train from the command line."""
    parser = argparse.ArgumentParser(description="Train hippocampus-flow")
    parser.add_argument("--data", type=Path, required=True, help="folder with images/ and labels/")
    parser.add_argument("--out", type=Path, required=True, help="folder of the checkpoint")
    parser.add_argument("--minutes", type=float, default=90.0)
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--float32", action="store_true", help="no bfloat16")
    parser.add_argument("--resume", action="store_true")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    volumes, _, splits = load_splits(options.data)
    chosen = [v for v, split in zip(volumes, splits, strict=True) if split == "training"]
    held = [v for v, split in zip(volumes, splits, strict=True) if split == "validation"]
    scale = measure_scale(chosen)
    plan = TrainingPlan(
        minutes=options.minutes,
        steps=options.steps,
        batch=options.batch,
        seed=options.seed,
        bfloat16=not options.float32,
    )
    training = FlowTraining(ExampleSource(chosen, scale), scale, FlowNetworkPlan(), plan)
    if options.resume:
        training.load(options.out / CHECKPOINT)

    def say(line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    say(
        json.dumps(
            {
                "training": len(chosen),
                "validation": len(held),
                "unseen": splits.count("unseen"),
                "parameters": count_parameters(training.network),
                "step": training.step,
            }
        )
    )
    run_training(training, ExampleSource(held, scale), options.out, say)


if __name__ == "__main__":
    main()
