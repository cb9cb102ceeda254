"""Oracle: the same loop in numpy over plain ONNX Runtime calls; onnx.helper for the adder."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
import pytest

from carez_desktop.errors import DeviceError, ModelError
from carez_desktop.inference.execution_provider import ExecutionDevice
from carez_desktop.inference.noise import gaussian_noise
from carez_desktop.inference.sampler import ArraySpace, guided, integrate
from carez_desktop.inference.schedules import Schedule
from carez_desktop.inference.session import (
    ADD_SCALED_GRAPH,
    DenoiserSession,
    translate_runtime_error,
)
from tests.builders.onnx_graphs import convolution_graph, graph_with_node

CPU = ExecutionDevice("cpu", "CPUExecutionProvider", "Test processor", "", "test", 0, None)
SHAPE = (1, 8, 3, 4, 5)
CONTEXT = np.array([[0.3, -1.2, 1.0]], dtype=np.float32)
NULL = np.zeros((1, 3), dtype=np.float32)


def open_session(folder: Path, content: bytes | None = None) -> DenoiserSession:
    content = content or convolution_graph(channels=8, context=3)
    graph = folder / "model.onnx"
    graph.write_bytes(content)
    return DenoiserSession(graph, hashlib.sha256(content).hexdigest(), CPU, 1)


def test_the_adder_is_the_graph_that_its_comment_names() -> None:
    model = onnx.load_from_string(ADD_SCALED_GRAPH)
    onnx.checker.check_model(model, full_check=True)
    assert [(node.op_type, *node.input) for node in model.graph.node] == [
        ("Mul", "v", "factor"),
        ("Add", "x", "scaled"),
    ]
    assert model.opset_import[0].version == 18


@pytest.mark.parametrize(("sampler", "scale"), [("euler", 1.0), ("heun", 1.0), ("heun", 2.5)])
def test_the_bound_loop_gives_the_bits_of_the_plain_loop(
    tmp_path: Path, sampler: str, scale: float
) -> None:
    session = open_session(tmp_path)
    noise = gaussian_noise(1, "case-0001", "latent", SHAPE)
    schedule = Schedule(sampler, (1.0, 0.8, 0.35, 0.0), scale)
    flow = guided(session.velocity(CONTEXT), session.velocity(NULL), scale, session)
    start = session.put(noise)
    end = integrate(start, schedule, flow, session)
    found = session.fetch(end)
    assert np.array_equal(session.fetch(start), noise)

    space = ArraySpace()
    plain = guided(
        lambda x, t: session.run_plain(x, t, CONTEXT),
        lambda x, t: session.run_plain(x, t, NULL),
        scale,
        space,
    )
    expected = integrate(noise, schedule, plain, space)
    assert np.array_equal(found, expected)
    assert np.abs(found - noise).max() > 0.1


def test_the_loop_runs_in_a_few_fixed_buffers(tmp_path: Path) -> None:
    session = open_session(tmp_path)
    start = session.put(gaussian_noise(1, "case-0001", "latent", SHAPE))
    schedule = Schedule("heun", tuple(float(t) for t in np.linspace(1, 0, 21)))
    end = integrate(start, schedule, session.velocity(CONTEXT, last_time=0.0), session)
    session.release(end)
    session.release(start)
    assert len(session._free) <= 6
    addresses = {value.data_ptr() for value in session._free}
    assert len(addresses) == len(session._free)


def test_facts_name_what_the_result_depends_on(tmp_path: Path) -> None:
    facts = open_session(tmp_path).facts
    assert facts["provider"] == "CPUExecutionProvider"
    assert (facts["threads"], facts["precision"]) == (1, "float32")
    assert facts["runtime_version"]


def test_graphs_that_do_not_run_are_refused_naming_the_file(tmp_path: Path) -> None:
    for content, words in (
        (graph_with_node("NoSuchOperator"), "cannot run this graph"),
        (b"no graph", "cannot run this graph"),
        (ADD_SCALED_GRAPH, "maps x, t, context to velocity"),
    ):
        with pytest.raises(ModelError, match=words) as refused:
            open_session(tmp_path, content)
        assert refused.value.subject.endswith("model.onnx")
    (tmp_path / "model.onnx").write_bytes(b"changed")
    with pytest.raises(ModelError, match="does not match its hash"):
        DenoiserSession(tmp_path / "model.onnx", "0" * 64, CPU, 1)
    with pytest.raises(ModelError, match="cannot be read"):
        DenoiserSession(tmp_path / "absent.onnx", "0" * 64, CPU, 1)


def test_a_wrong_shape_is_an_error_of_the_graph(tmp_path: Path) -> None:
    session = open_session(tmp_path)
    wrong = session.put(np.zeros((1, 4, 2, 2, 2), dtype=np.float32))
    with pytest.raises(ModelError, match="cannot run this graph"):
        session.velocity(CONTEXT)(wrong, 1.0)


def test_lack_of_memory_is_an_error_of_the_device() -> None:
    graph = Path("model.onnx")
    for error in (
        MemoryError(),
        RuntimeError("BFCArena: Failed to allocate memory for requested buffer of size 9"),
        RuntimeError("std::bad_alloc"),
        RuntimeError("CUDA failure 2: out of memory"),
    ):
        found = translate_runtime_error(error, graph, CPU)
        assert isinstance(found, DeviceError)
        assert "ran out of memory" in str(found)
    card = ExecutionDevice("cuda", "CUDAExecutionProvider", "Card", "1", "test", 8000, 8000)
    found = translate_runtime_error(RuntimeError("CUDNN failure 5000"), graph, card)
    assert isinstance(found, DeviceError)
    assert "--device cpu" in found.hint
