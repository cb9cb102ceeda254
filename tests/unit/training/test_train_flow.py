"""Training runs, resumes bit for bit, and its loss is what the flow asks for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from carez_desktop.training.flow_network import FlowNetworkPlan
from carez_desktop.training.hippocampus_data import BOX, MARGIN, HippocampusVolume
from carez_desktop.training.latent_scale import measure_scale
from carez_desktop.training.train_flow import (
    ExampleSource,
    FlowTraining,
    TrainingPlan,
    flow_loss,
    run_training,
)

FULL = tuple(size + 2 * MARGIN for size in BOX)
SMALL = FlowNetworkPlan(widths=(8, 8, 8), embedding=8, middle_blocks=1, attention_heads=1)


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Threads that wait for each other on a busy machine cost more than they bring here."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def volumes() -> list[HippocampusVolume]:
    random = np.random.default_rng(6)
    made = []
    for number in range(3):
        labels = random.integers(0, 3, FULL).astype(np.uint8)
        valid = np.ones(FULL, bool)
        valid[:6] = False
        made.append(
            HippocampusVolume(
                name=f"random_{number}",
                image=random.random(FULL, dtype=np.float32),
                labels=labels,
                valid=valid,
                anterior_volume_mm3=1000.0 + 100.0 * number,
                posterior_volume_mm3=1500.0 - 50.0 * number,
                dtype="float32",
                sha256="",
                sha256_float32="",
            )
        )
    return made


def _training(volumes, **changes) -> FlowTraining:
    plan = TrainingPlan(**{"steps": 4, "batch": 1, "bfloat16": False, **changes})
    scale = measure_scale(volumes)
    return FlowTraining(ExampleSource(volumes, scale), scale, SMALL, plan)


def test_latents_of_the_training_set_have_mean_zero_and_deviation_one(volumes):
    source = ExampleSource(volumes, measure_scale(volumes))
    latents, conditions, valid = source.batch([0, 1, 2], [(MARGIN, MARGIN, MARGIN)] * 3)
    assert latents.shape == (3, 24, 20, 24, 16)
    torch.testing.assert_close(latents.mean(dim=(0, 2, 3, 4)), torch.zeros(24), atol=1e-3, rtol=0)
    torch.testing.assert_close(latents.std(dim=(0, 2, 3, 4)), torch.ones(24), atol=1e-3, rtol=0)
    torch.testing.assert_close(conditions.mean(dim=0), torch.zeros(2), atol=1e-5, rtol=0)
    assert not valid[:, :, :2].any()
    assert valid[:, :, 2:].all()


def test_resumed_training_continues_bit_for_bit(volumes, tmp_path):
    whole = _training(volumes)
    for _ in range(4):
        whole.advance()
    first = _training(volumes)
    for _ in range(2):
        first.advance()
    first.save(tmp_path / "checkpoint.pt")
    second = _training(volumes)
    second.load(tmp_path / "checkpoint.pt")
    for _ in range(2):
        second.advance()
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, second.network.state_dict()[name]), name
        assert torch.equal(whole.average[name], second.average[name]), name


def test_learning_rate_warms_up_and_falls(volumes):
    training = _training(volumes, steps=1000)
    rates = []
    for step in (0, 99, 500, 999):
        training.step = step
        rates.append(training._learning_rate())
    assert rates[0] < rates[1] > rates[2] > rates[3] > 0.0


def test_run_writes_a_checkpoint_and_says_the_losses(volumes, tmp_path):
    said: list[str] = []
    training = _training(volumes, steps=2, bfloat16=True)
    run_training(training, ExampleSource(volumes, training.scale), tmp_path, said.append)
    assert (tmp_path / "checkpoint.pt").is_file()
    assert len(said) == 1
    assert '"validation_loss"' in said[0]


class _Oracle(torch.nn.Module):
    """Returns noise - data, which it was told."""

    def __init__(self, velocity: torch.Tensor) -> None:
        super().__init__()
        self.velocity = velocity

    def forward(self, x, t, context):
        return self.velocity


def test_loss_is_zero_for_the_true_velocity_and_ignores_what_is_not_valid():
    random = torch.Generator().manual_seed(1)
    data = torch.randn(2, 3, 4, 4, 4, generator=random)
    noise = torch.randn(data.shape, generator=random)
    weights = torch.ones(2, 3, 4, 4, 4)
    weights[:, :, 0] = 0.0
    true = noise - data
    times, context = torch.tensor([0.2, 0.7]), torch.zeros(2, 3)
    assert flow_loss(_Oracle(true), data, noise, times, context, weights, False) == 0.0
    wrong = true.clone()
    wrong[:, :, 0] += 5.0
    assert flow_loss(_Oracle(wrong), data, noise, times, context, weights, False) == 0.0
    wrong[:, :, 1] += 1.0
    loss = flow_loss(_Oracle(wrong), data, noise, times, context, weights, False)
    assert float(loss) == pytest.approx(1.0 / 3.0)
