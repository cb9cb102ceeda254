"""Write the golden case of a package: what a correct run of it must give, within a tolerance."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from carez_desktop.inference.noise import gaussian_noise
from carez_desktop.training.flow_network import FlowNetworkPlan
from carez_desktop.training.flow_sampling import context_of, decode, integrate
from carez_desktop.training.latent_scale import CONDITIONS, LatentScale
from carez_desktop.training.package_flow import VALUE_RANGE, latent_shape

SEED = 20260118
CASE = "case-0001"
STRIDE = 97
VELOCITY_TOLERANCE = {"CPUExecutionProvider": 1e-3, "CUDAExecutionProvider": 2e-2}
VOLUME_TOLERANCE = {"CPUExecutionProvider": 0.5, "CUDAExecutionProvider": 10.0}


class GraphVelocity(torch.nn.Module):
    """The exported graph as a network, so that the golden case is what the file computes."""

    def __init__(self, graph: bytes) -> None:
        """Open a session on the processor with one thread."""
        super().__init__()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            graph, options, providers=["CPUExecutionProvider"]
        )

    def forward(self, x: torch.Tensor, t: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        """Return the velocity."""
        feed = {"x": x.numpy(), "t": t.numpy(), "context": context.numpy()}
        return torch.from_numpy(np.asarray(self._session.run(["velocity"], feed)[0]))


def golden_case(
    graph: bytes,
    plan: FlowNetworkPlan,
    scale: LatentScale,
    schedule: Mapping[str, Any],
    label_threshold: float,
) -> dict[str, Any]:
    """Run a graph on a fixed case and return the content of the golden file."""
    network = GraphVelocity(graph)
    values = [round(mean / 10.0) * 10.0 for mean in scale.condition_mean]
    noise = gaussian_noise(SEED, CASE, "latent", (plan.channels, *latent_shape()))
    x = torch.from_numpy(noise[None].copy())
    context = context_of(np.array([values]), scale)
    times: Sequence[float] = schedule["timesteps"]
    first = network(x, torch.tensor([times[0]], dtype=torch.float32), context).numpy()[0]
    heun = schedule["sampler"] == "heun"
    latent = integrate(network, x, context, times, heun, float(schedule["guidance_scale"]))
    samples = decode(latent.numpy(), scale, label_threshold)
    low, high = VALUE_RANGE
    image = (low + (high - low) * samples.images[0].astype(np.float64)).astype(np.float32)
    labels = samples.labels[0]
    return {
        "seed": SEED,
        "case_id": CASE,
        "conditions": dict(zip(CONDITIONS, values, strict=True)),
        "noise_sha256": _digest(noise),
        "first_velocity": _values(first, VELOCITY_TOLERANCE),
        "final_volume": _values(image, VOLUME_TOLERANCE),
        "final_labels": {
            "sha256": hashlib.sha256(labels.tobytes()).hexdigest(),
            "counts": {str(value): int((labels == value).sum()) for value in (0, 1, 2)},
        },
    }


def _digest(array: NDArray[np.float32]) -> str:
    return hashlib.sha256(array.astype("<f4").tobytes()).hexdigest()


def _values(array: NDArray[np.float32], tolerance: Mapping[str, float]) -> dict[str, Any]:
    return {
        "sha256": _digest(array),
        "stride": STRIDE,
        "values": [float(f"{value:.7g}") for value in array.reshape(-1)[::STRIDE]],
        "tolerance": dict(tolerance),
    }
