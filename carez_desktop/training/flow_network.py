"""The velocity network of `hippocampus-flow`: a small conditional 3-D U-Net in plain torch.

It is built for export: no control flow, no Resize (strided and transposed convolutions of size 2),
group normalisation that decomposes into InstanceNormalization, attention only on the coarsest grid.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

GROUPS = 8


@dataclass(frozen=True)
class FlowNetworkPlan:
    """The sizes that fix a network.

    Attributes:
        channels: Channels of the latent, in and out.
        context: Columns of the context; the last is 1 when conditioned, 0 for the null condition.
        widths: Channels of the three resolutions, finest first; multiples of 8.
        embedding: Width of the embedding of time and context.
        middle_blocks: Residual blocks at the second resolution on the way down, and on the way up.
        attention_heads: Heads of the attention on the coarsest grid.
    """

    channels: int = 24
    context: int = 3
    widths: tuple[int, int, int] = (32, 64, 72)
    embedding: int = 64
    middle_blocks: int = 2
    attention_heads: int = 4

    def as_dict(self) -> dict[str, object]:
        """Return plain data for a checkpoint or a manifest."""
        return asdict(self)


def _start_at_zero(layer: nn.Module) -> None:
    """Set every parameter of a layer to zero."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)


class ResidualBlock(nn.Module):
    """Two convolutions; the embedding scales and shifts the second normalisation (AdaGN)."""

    def __init__(self, width: int, embedding: int) -> None:
        """Start as the identity: the last convolution is zero."""
        super().__init__()
        self.norm1 = nn.GroupNorm(GROUPS, width)
        self.conv1 = nn.Conv3d(width, width, 3, padding=1)
        self.modulation = nn.Linear(embedding, 2 * width)
        self.norm2 = nn.GroupNorm(GROUPS, width)
        self.conv2 = nn.Conv3d(width, width, 3, padding=1)
        _start_at_zero(self.conv2)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """Map x [B, width, d, h, w] and embedding [B, E] to the shape of x."""
        hidden = self.conv1(functional.silu(self.norm1(x)))
        scale, shift = self.modulation(embedding)[:, :, None, None, None].chunk(2, dim=1)
        hidden = self.norm2(hidden) * (1.0 + scale) + shift
        out: Tensor = x + self.conv2(functional.silu(hidden))
        return out


class GridAttention(nn.Module):
    """Self-attention over a coarse grid, written out so that every exporter can follow it."""

    def __init__(self, width: int, heads: int) -> None:
        """Start as the identity."""
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(GROUPS, width)
        self.query_key_value = nn.Conv1d(width, 3 * width, 1)
        self.out = nn.Conv1d(width, width, 1)
        _start_at_zero(self.out)

    def forward(self, x: Tensor) -> Tensor:
        """Map x [B, width, d, h, w] to the same shape."""
        width = x.shape[1]
        flat = self.norm(x).flatten(2)
        projected = self.query_key_value(flat).unflatten(1, (3, self.heads, width // self.heads))
        query, key, value = projected.unbind(1)
        logits = query.transpose(-1, -2) @ key / math.sqrt(width // self.heads)
        mixed = value @ functional.softmax(logits, dim=-1).transpose(-1, -2)
        out: Tensor = x + self.out(mixed.flatten(1, 2)).unflatten(2, x.shape[2:])
        return out


class FlowNetwork(nn.Module):
    """Predict the velocity noise - data of a rectified flow.

    The spatial sizes are multiples of 4. Time 1 is noise, time 0 is data.
    """

    frequencies: Tensor

    def __init__(self, plan: FlowNetworkPlan) -> None:
        """Build the network of a plan."""
        super().__init__()
        self.plan = plan
        fine, middle, coarse = plan.widths
        waves = torch.exp(torch.linspace(0.0, math.log(200.0), plan.embedding // 2))
        self.register_buffer("frequencies", waves, persistent=False)
        self.time_in = nn.Linear(2 * waves.numel(), plan.embedding)
        self.context_in = nn.Linear(plan.context, plan.embedding)
        self.context_out = nn.Linear(plan.embedding, plan.embedding)
        self.stem = nn.Conv3d(plan.channels, fine, 3, padding=1)
        self.fine_down = ResidualBlock(fine, plan.embedding)
        self.to_middle = nn.Conv3d(fine, middle, 2, stride=2)
        count = plan.middle_blocks
        self.middle_down = nn.ModuleList(
            ResidualBlock(middle, plan.embedding) for _ in range(count)
        )
        self.to_coarse = nn.Conv3d(middle, coarse, 2, stride=2)
        self.coarse_in = ResidualBlock(coarse, plan.embedding)
        self.attention = GridAttention(coarse, plan.attention_heads)
        self.coarse_out = ResidualBlock(coarse, plan.embedding)
        self.from_coarse = nn.ConvTranspose3d(coarse, middle, 2, stride=2)
        self.merge_middle = nn.Conv3d(2 * middle, middle, 1)
        self.middle_up = nn.ModuleList(ResidualBlock(middle, plan.embedding) for _ in range(count))
        self.from_middle = nn.ConvTranspose3d(middle, fine, 2, stride=2)
        self.merge_fine = nn.Conv3d(2 * fine, fine, 1)
        self.fine_up = ResidualBlock(fine, plan.embedding)
        self.norm_out = nn.GroupNorm(GROUPS, fine)
        self.head = nn.Conv3d(fine, plan.channels, 3, padding=1)
        _start_at_zero(self.head)

    def forward(self, x: Tensor, t: Tensor, context: Tensor) -> Tensor:
        """Return the velocity.

        Args:
            x: float32 [B, channels, d, h, w], the latent at time t.
            t: float32 [B] in [0, 1].
            context: float32 [B, context], standardised conditions and the flag.
        """
        angles = t[:, None] * self.frequencies[None, :] * math.pi
        time = self.time_in(torch.cat([torch.sin(angles), torch.cos(angles)], dim=1))
        embedding = functional.silu(
            time + self.context_out(functional.silu(self.context_in(context)))
        )
        fine = self.fine_down(self.stem(x), embedding)
        middle = self.to_middle(fine)
        for block in self.middle_down:
            middle = block(middle, embedding)
        coarse = self.coarse_in(self.to_coarse(middle), embedding)
        coarse = self.coarse_out(self.attention(coarse), embedding)
        up = self.merge_middle(torch.cat([self.from_coarse(coarse), middle], dim=1))
        for block in self.middle_up:
            up = block(up, embedding)
        up = self.merge_fine(torch.cat([self.from_middle(up), fine], dim=1))
        up = self.fine_up(up, embedding)
        velocity: Tensor = self.head(functional.silu(self.norm_out(up)))
        return velocity


def count_parameters(network: nn.Module) -> int:
    """Return how many numbers training may change."""
    return sum(parameter.numel() for parameter in network.parameters())
