"""The network's shapes, its start as zero, and that conditions and time reach the output."""

from __future__ import annotations

import pytest
import torch

from carez_desktop.training.flow_network import FlowNetwork, FlowNetworkPlan, count_parameters

PLAN = FlowNetworkPlan(channels=8, widths=(8, 16, 16), embedding=16, middle_blocks=1)


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Threads that wait for each other on a busy machine cost more than they bring here."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _inputs(batch: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(2)
    return (
        torch.randn(batch, 8, 8, 12, 4, generator=random),
        torch.rand(batch, generator=random),
        torch.randn(batch, 3, generator=random),
    )


@pytest.mark.parametrize("batch", [1, 3])
def test_output_has_the_shape_of_the_latent(batch):
    x, t, context = _inputs(batch)
    assert FlowNetwork(PLAN)(x, t, context).shape == x.shape


def test_untrained_network_says_zero():
    assert FlowNetwork(PLAN)(*_inputs(2)).abs().max() == 0.0


def _disturbed() -> FlowNetwork:
    torch.manual_seed(3)
    network = FlowNetwork(PLAN)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return network.eval()


@pytest.mark.parametrize("changed", [1, 2])
def test_time_and_context_reach_the_output(changed):
    network, inputs = _disturbed(), list(_inputs(1))
    before = network(*inputs)
    inputs[changed] = inputs[changed] + 0.3
    assert (network(*inputs) - before).abs().max() > 1e-4


def test_examples_of_a_batch_do_not_mix():
    network, (x, t, context) = _disturbed(), _inputs(3)
    alone = network(x[1:2], t[1:2], context[1:2])
    torch.testing.assert_close(network(x, t, context)[1:2], alone, atol=1e-5, rtol=0)


def test_shipped_plan_fits_the_package():
    assert count_parameters(FlowNetwork(FlowNetworkPlan())) * 2 < 3.8e6
