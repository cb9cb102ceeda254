"""A small nodule segmenter that trains in seconds on two cores: a 2.5-D U-Net.

Three neighbouring axial slices go in, the probability of the middle one comes out. It exists to
compare training sets, not to find nodules in patients: both arms of a utility study get the same
network, steps and seeds, and only their training volumes differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from carez_desktop.domain.evaluation import LabelledVolume
from carez_desktop.domain.plan import SegmenterPlan
from carez_desktop.errors import InputError
from carez_desktop.progress import NEVER, SILENT, CancellationToken, ProgressReporter

WINDOW_HU = (-1000.0, 400.0)
_CONTEXT = 1
_LESION_SHARE = 1.0 / 3.0
_PREDICT_BATCH = 16


class _Block(nn.Sequential):
    """Two convolutions with group normalisation (batches are small and differ between arms)."""

    def __init__(self, into: int, out: int) -> None:
        super().__init__(
            nn.Conv2d(into, out, 3, padding=1, bias=False),
            nn.GroupNorm(4, out),
            nn.ReLU(inplace=True),
            nn.Conv2d(out, out, 3, padding=1, bias=False),
            nn.GroupNorm(4, out),
            nn.ReLU(inplace=True),
        )


class SliceNetwork(nn.Module):
    """U-Net of three levels on slices: (batch, 3, row, column) -> logits (batch, row, column)."""

    def __init__(self, channels: int) -> None:
        """Build with `channels` (a multiple of 4) at full resolution."""
        super().__init__()
        self.first = _Block(2 * _CONTEXT + 1, channels)
        self.second = _Block(channels, 2 * channels)
        self.third = _Block(2 * channels, 4 * channels)
        self.rise_second = _Block(6 * channels, 2 * channels)
        self.rise_first = _Block(3 * channels, channels)
        self.head = nn.Conv2d(channels, 1, 1)

    def forward(self, slices: Tensor) -> Tensor:
        """Return logits; rows and columns are multiples of 4."""
        first = self.first(slices)
        second = self.second(functional.max_pool2d(first, 2))
        third = self.third(functional.max_pool2d(second, 2))
        up = functional.interpolate(third, scale_factor=2.0, mode="nearest")
        second = self.rise_second(torch.cat([up, second], dim=1))
        up = functional.interpolate(second, scale_factor=2.0, mode="nearest")
        logits: Tensor = self.head(self.rise_first(torch.cat([up, first], dim=1)))
        return logits[:, 0]


def _normalised(image: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Map the window to [-1, 1], with the end slices repeated: (slice, row, column) float32."""
    low, high = WINDOW_HU
    scaled = (np.clip(image, low, high) - low) * (2.0 / (high - low)) - 1.0
    return np.pad(scaled.astype(np.float32), ((_CONTEXT, _CONTEXT), (0, 0), (0, 0)), mode="edge")


@contextmanager
def single_thread() -> Iterator[None]:
    """Let torch compute on one thread, so that sums do not depend on the cores; undone at the end.

    Several trainings may run side by side on threads of their own inside it: on small networks
    that is faster than one training on many cores.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _initialise(network: SliceNetwork, random: np.random.Generator) -> None:
    """Draw He-normal weights from our own stream (K. He et al., ICCV 2015), not torch's global one.

    The head starts by finding nothing (bias -3), because lesions are rare.
    """
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                fan = module.weight[0].numel()
                drawn = random.standard_normal(module.weight.shape) * np.sqrt(2.0 / fan)
                module.weight.copy_(torch.from_numpy(drawn))
                if module.bias is not None:
                    module.bias.fill_(-3.0)


@dataclass(frozen=True, eq=False)
class Segmenter:
    """A trained segmenter.

    Attributes:
        losses: Of every training step.
        seed: Of initialisation and sampling.
    """

    network: SliceNetwork
    losses: tuple[float, ...]
    seed: int

    def __call__(self, image: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return the probability of a lesion in each voxel.

        Args:
            image: (slice, row, column), HU.

        Returns:
            (slice, row, column) float32 in [0, 1].
        """
        slices, rows, columns = image.shape
        padded = _normalised(image)
        extra = ((0, 0), (0, -rows % 4), (0, -columns % 4))
        padded = np.pad(padded, extra, constant_values=-1.0)
        windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * _CONTEXT + 1, axis=0)
        planes = windows.transpose(0, 3, 1, 2)
        probability = np.empty(image.shape, dtype=np.float32)
        with single_thread(), torch.inference_mode():
            for start in range(0, slices, _PREDICT_BATCH):
                chunk = torch.from_numpy(
                    np.ascontiguousarray(planes[start : start + _PREDICT_BATCH])
                )
                found = torch.sigmoid(self.network(chunk)).numpy()
                probability[start : start + _PREDICT_BATCH] = found[:, :rows, :columns]
        return probability


class _PatchSource:
    """Draws training patches: a third around a lesion, the others anywhere, mirrored at random."""

    def __init__(self, cases: Sequence[LabelledVolume], plan: SegmenterPlan, seed: int) -> None:
        self.images = [_normalised(case.image) for case in cases]
        self.masks = [case.mask for case in cases]
        self.lesions = [np.argwhere(mask) for mask in self.masks]
        self.bearing = [place for place, found in enumerate(self.lesions) if len(found)]
        self.plan = plan
        self.random = np.random.Generator(np.random.Philox(key=[seed, 0]))
        if not self.bearing:
            raise InputError(
                "No training volume has a labelled lesion",
                subject="labels",
                hint="Give label maps for at least one training volume",
            )

    def _centre(self, on_lesion: bool) -> tuple[int, int, int, int]:
        if on_lesion:
            place = self.bearing[int(self.random.integers(len(self.bearing)))]
            found = self.lesions[place]
            z, y, x = (int(value) for value in found[int(self.random.integers(len(found)))])
            reach = self.plan.patch // 4
            y += int(self.random.integers(-reach, reach + 1))
            x += int(self.random.integers(-reach, reach + 1))
            return place, z, y, x
        place = int(self.random.integers(len(self.masks)))
        z, y, x = (int(self.random.integers(size)) for size in self.masks[place].shape)
        return place, z, y, x

    def _cut(self, on_lesion: bool) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        place, z, y, x = self._centre(on_lesion)
        size = self.plan.patch
        _, rows, columns = self.masks[place].shape
        top = min(max(y - size // 2, 0), max(rows - size, 0))
        left = min(max(x - size // 2, 0), max(columns - size, 0))
        image = self.images[place][z : z + 2 * _CONTEXT + 1, top : top + size, left : left + size]
        mask = self.masks[place][z, top : top + size, left : left + size].astype(np.float32)
        short = ((0, size - mask.shape[0]), (0, size - mask.shape[1]))
        image = np.pad(image, ((0, 0), *short), constant_values=-1.0)
        mask = np.pad(mask, short)
        for axis in (1, 2):
            if self.random.integers(2):
                image, mask = np.flip(image, axis), np.flip(mask, axis - 1)
        return image, mask

    def batch(self) -> tuple[Tensor, Tensor]:
        """Return (batch, 3, patch, patch) images and (batch, patch, patch) masks."""
        on_lesion = round(self.plan.batch * _LESION_SHARE)
        cuts = [self._cut(place < on_lesion) for place in range(self.plan.batch)]
        images = np.stack([image for image, _ in cuts])
        masks = np.stack([mask for _, mask in cuts])
        return torch.from_numpy(images), torch.from_numpy(masks)


def _loss(logits: Tensor, masks: Tensor) -> Tensor:
    """Cross entropy plus soft Dice over the batch (F. Milletari et al., 3DV 2016)."""
    probability = torch.sigmoid(logits)
    overlap = (probability * masks).sum()
    dice = (2.0 * overlap + 1.0) / (probability.sum() + masks.sum() + 1.0)
    return functional.binary_cross_entropy_with_logits(logits, masks) + 1.0 - dice


def train_segmenter(
    cases: Sequence[LabelledVolume],
    *,
    seed: int,
    plan: SegmenterPlan | None = None,
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
) -> Segmenter:
    """Train on labelled volumes; the same cases and seed give the same weights.

    Args:
        cases: Images in HU with their reference masks; all volumes are drawn from equally.
        seed: Of initialisation and sampling.
        plan: Steps, batch, patch, channels, rate; None takes the defaults.
        progress: Told after each step.
        cancel: Checked at each step.

    Raises:
        InputError: No volume, or none with a lesion. CancelledError: Within one step.
    """
    settings = plan or SegmenterPlan()
    source = _PatchSource(cases, settings, seed)
    losses: list[float] = []
    with single_thread():
        network = SliceNetwork(settings.channels).train()
        _initialise(network, np.random.Generator(np.random.Philox(key=[seed, 1])))
        optimiser = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, settings.learning_rate, total_steps=settings.steps
        )
        for step in range(settings.steps):
            cancel.raise_if_cancelled()
            images, masks = source.batch()
            optimiser.zero_grad(set_to_none=True)
            loss = _loss(network(images), masks)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            losses.append(float(loss.detach()))
            progress.report((step + 1) / settings.steps, f"Step {step + 1} of {settings.steps}")
        network.eval()
    return Segmenter(network, tuple(losses), seed)
