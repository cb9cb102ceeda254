"""Export, sampling and package of a tiny untrained network; split and size of the shipped one."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from carez_desktop.errors import ModelError
from carez_desktop.inference.package_store import load_package
from carez_desktop.training.export_flow import export_checked, rounded_network
from carez_desktop.training.flow_network import FlowNetwork, FlowNetworkPlan
from carez_desktop.training.flow_sampling import TrainedFlow, integrate, sample
from carez_desktop.training.golden_case import golden_case
from carez_desktop.training.latent_scale import LatentScale
from carez_desktop.training.package_flow import (
    SIZE_LIMIT,
    PackageContent,
    latent_shape,
    schedule_of,
    write_package,
)

PLAN = FlowNetworkPlan(widths=(8, 8, 8), embedding=8, middle_blocks=1, attention_heads=2)
SHIPPED = Path(__file__).parents[3] / "models" / "hippocampus-flow" / "1.0.0"


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Threads that wait for each other on a busy machine cost more than they bring here."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def network() -> FlowNetwork:
    torch.manual_seed(8)
    made = FlowNetwork(PLAN)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return rounded_network(PLAN, made.state_dict())


@pytest.fixture(scope="module")
def exported(network) -> tuple[bytes, float]:
    return export_checked(network, latent_shape())


@pytest.fixture(scope="module")
def scale() -> LatentScale:
    mean = np.zeros(24, np.float32)
    mean[[8, 16]] = -2.7
    return LatentScale(mean, np.full(24, 0.5, np.float32), (1700.0, 1500.0), (300.0, 200.0))


@pytest.fixture(scope="module")
def content(exported, scale) -> PackageContent:
    schedule = schedule_of("heun", 2, 1.0)
    return PackageContent(
        generator_id="tiny-flow",
        version="0.0.1",
        plan=PLAN,
        scale=scale,
        ranges={
            "anterior_volume_mm3": (1000.0, 2000.0),
            "posterior_volume_mm3": (1000.0, 2000.0),
        },
        schedule=schedule,
        volumes=[],
        card="# Untrained\n",
        golden=golden_case(exported[0], PLAN, scale, schedule, -0.1),
        label_threshold=-0.1,
        parameters=1,
        parity=exported[1],
    )


def test_exported_graph_agrees_with_torch(exported):
    assert exported[1] < 1e-4


def test_exported_graph_is_plain(exported):
    model = onnx.load_from_string(exported[0])
    kinds = {node.op_type for node in model.graph.node}
    assert not kinds & {"Resize", "If", "Loop", "Scan", "RandomNormal", "GroupNormalization"}
    assert (model.opset_import[0].version, len(model.opset_import)) == (18, 1)
    assert model.ir_version <= 10
    large = [t for t in model.graph.initializer if np.prod(t.dims) > 64]
    assert {t.data_type for t in large} <= {onnx.TensorProto.FLOAT16, onnx.TensorProto.INT64}
    assert b"/site-packages" not in exported[0]


def test_package_passes_the_store_and_lists_every_hash(tmp_path, content, exported):
    folder = write_package(tmp_path, content, exported[0])
    manifest = json.loads((folder / "manifest.json").read_text())
    for name, digest in manifest["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    package = load_package(folder)
    assert [spec.name for spec in package.manifest.conditions] == [
        "anterior_volume_mm3",
        "posterior_volume_mm3",
    ]
    assert package.manifest.conditions[0].default == 1700.0


def test_a_changed_graph_is_refused(tmp_path, content, exported):
    folder = write_package(tmp_path, content, exported[0])
    path = folder / "denoiser" / "model.onnx"
    path.write_bytes(path.read_bytes()[:-1] + b"\x00")
    with pytest.raises(ModelError, match=r"model\.onnx"):
        load_package(folder)


def test_a_package_over_the_limit_is_refused(tmp_path, content):
    with pytest.raises(ModelError, match="bytes"):
        write_package(tmp_path, content, b"\0" * SIZE_LIMIT)
    assert not list(tmp_path.rglob("*.onnx"))


def test_golden_case_repeats(content, exported, scale):
    again = golden_case(exported[0], PLAN, scale, content.schedule, -0.1)
    assert again == content.golden


def test_sampling_in_batches_equals_sampling_alone(network, scale):
    trained = TrainedFlow(network, scale, 0, 0.0, {})
    conditions = np.array([[1500.0, 1400.0], [1900.0, 1600.0], [1700.0, 1500.0]])
    times = (1.0, 0.5, 0.0)
    together = sample(trained, conditions, seed=1, times=times, heun=False)
    apart = sample(trained, conditions, seed=1, times=times, heun=False, batch=1)
    np.testing.assert_allclose(together.images, apart.images, atol=1e-5)
    assert together.volumes_mm3().shape == (3, 2)


class _Decay(torch.nn.Module):
    def forward(self, x, t, context):
        return x


@pytest.mark.parametrize(("heun", "order"), [(False, 1), (True, 2)])
def test_integration_converges_with_its_order(heun, order):
    # Closed form: dx/dt = x from 1 to 0 multiplies by exp(-1).
    start, context = torch.ones(1, 1, dtype=torch.float64), torch.zeros(1, 3)

    def error(steps: int) -> float:
        times = [1.0 - i / steps for i in range(steps)] + [0.0]
        return abs(float(integrate(_Decay(), start, context, times, heun, 1.0)) - np.exp(-1.0))

    assert np.log2(error(16) / error(32)) == pytest.approx(order, abs=0.15)


@pytest.mark.skipif(not SHIPPED.is_dir(), reason="the package has not been written yet")
class TestShippedPackage:
    def test_it_is_valid_and_small(self):
        load_package(SHIPPED)
        assert sum(p.stat().st_size for p in SHIPPED.rglob("*") if p.is_file()) <= SIZE_LIMIT

    def test_no_group_lies_in_two_splits_and_enough_stays_unseen(self):
        volumes = json.loads((SHIPPED / "training.json").read_text())["volumes"]
        splits = defaultdict(set)
        for volume in volumes:
            splits[volume["group"]].add(volume["split"])
        assert all(len(found) == 1 for found in splits.values())
        assert sum(volume["split"] == "unseen" for volume in volumes) >= 40
        assert len({volume["sha256"] for volume in volumes}) == len(volumes)

    def test_the_card_says_what_it_must(self):
        card = (SHIPPED / "README.md").read_text()
        for words in ("CC BY-SA 4.0", "unseen", "train_flow", "Not for diagnosis", "Limits"):
            assert words in card


def test_content_is_frozen(content):
    with pytest.raises(dataclasses.FrozenInstanceError):
        content.version = "2"  # type: ignore[misc]
