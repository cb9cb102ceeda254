"""Tiny ONNX graphs with the contract of a denoiser: x, t, context -> velocity."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 18


def gaussian_velocity_graph(
    *, channels: int, context: int, mean: float = 0.5, spread: float = 0.25
) -> bytes:
    """Return the exact velocity of a flow from N(0, 1) noise to N(m, spread^2) data.

    With x_t = (1 - t) data + t noise, E[noise - data | x_t] is
    (t - (1 - t) s^2) / ((1 - t)^2 s^2 + t^2) * (x - (1 - t) m) - m; the exact transport of noise
    n is m + s n. m is `mean` + context[:, 0] * context[:, -1], so that conditions act.
    """
    constants = {
        "one": np.float32(1.0),
        "variance": np.float32(spread**2),
        "mean": np.float32(mean),
        "five": np.array([-1, 1, 1, 1, 1], dtype=np.int64),
        "first": np.array([0], dtype=np.int64),
        "last": np.array([context - 1], dtype=np.int64),
        "axis": np.array([1], dtype=np.int64),
    }
    steps: list[tuple[str, list[str], str]] = [
        ("Reshape", ["t", "five"], "time"),
        ("Sub", ["one", "time"], "rest"),
        ("Gather", ["context", "first"], "value"),
        ("Gather", ["context", "last"], "flag"),
        ("Mul", ["value", "flag"], "shift"),
        ("Reshape", ["shift", "five"], "shift5"),
        ("Add", ["shift5", "mean"], "m"),
        ("Mul", ["rest", "variance"], "rest_variance"),
        ("Sub", ["time", "rest_variance"], "top"),
        ("Mul", ["rest", "rest_variance"], "data_part"),
        ("Mul", ["time", "time"], "noise_part"),
        ("Add", ["data_part", "noise_part"], "total"),
        ("Div", ["top", "total"], "slope"),
        ("Mul", ["rest", "m"], "centre"),
        ("Sub", ["x", "centre"], "centred"),
        ("Mul", ["slope", "centred"], "product"),
        ("Sub", ["product", "m"], "velocity"),
    ]
    nodes = [
        helper.make_node(kind, inputs, [output], **({"axis": 1} if kind == "Gather" else {}))
        for kind, inputs, output in steps
    ]
    used = {name for _, inputs, _ in steps for name in inputs}
    weights = [
        numpy_helper.from_array(np.asarray(value), name)
        for name, value in constants.items()
        if name in used
    ]
    return _denoiser(nodes, weights, channels, context)


def convolution_graph(*, channels: int, context: int, width: int = 8, seed: int = 0) -> bytes:
    """Return a small network: two 3x3x3 convolutions around a SiLU, shifted by t and context."""
    generator = np.random.default_rng(seed)

    def weight(name: str, shape: Sequence[int], scale: float) -> onnx.TensorProto:
        values = generator.normal(0.0, scale, size=tuple(shape)).astype(np.float32)
        return numpy_helper.from_array(values, name)

    weights = [
        weight("w1", (width, channels, 3, 3, 3), 0.15),
        weight("b1", (width,), 0.1),
        weight("w2", (channels, width, 3, 3, 3), 0.15),
        weight("b2", (channels,), 0.1),
        weight("wt", (1, width), 0.5),
        weight("wc", (context, width), 0.5),
        numpy_helper.from_array(np.array([-1, 1], dtype=np.int64), "column"),
        numpy_helper.from_array(np.array([0, 0, 1, 1, 1], dtype=np.int64), "unused"),
        numpy_helper.from_array(np.array([2, 3, 4], dtype=np.int64), "spatial"),
    ]
    weights = [item for item in weights if item.name != "unused"]
    pads = {"kernel_shape": [3, 3, 3], "pads": [1] * 6}
    nodes = [
        helper.make_node("Reshape", ["t", "column"], ["tc"]),
        helper.make_node("MatMul", ["tc", "wt"], ["te"]),
        helper.make_node("MatMul", ["context", "wc"], ["ce"]),
        helper.make_node("Add", ["te", "ce"], ["e"]),
        helper.make_node("Unsqueeze", ["e", "spatial"], ["e5"]),
        helper.make_node("Conv", ["x", "w1", "b1"], ["h"], **pads),
        helper.make_node("Add", ["h", "e5"], ["h2"]),
        helper.make_node("Sigmoid", ["h2"], ["g"]),
        helper.make_node("Mul", ["h2", "g"], ["h3"]),
        helper.make_node("Conv", ["h3", "w2", "b2"], ["velocity"], **pads),
    ]
    return _denoiser(nodes, weights, channels, context)


def graph_with_node(kind: str, *, domain: str = "") -> bytes:
    """Return a graph whose only node is of the given kind and domain; it need not run."""
    node = helper.make_node(kind, ["x"], ["velocity"], domain=domain)
    model = onnx.load_from_string(_denoiser([node], [], 1, 1))
    if domain:
        model.opset_import.append(helper.make_opsetid(domain, 1))
    return bytes(model.SerializeToString())


def graph_with_outside_weights(location: str) -> bytes:
    """Return a graph whose weights are said to lie at `location`."""
    model = onnx.load_from_string(convolution_graph(channels=1, context=1))
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", location
    return bytes(model.SerializeToString())


def graph_with_branch() -> bytes:
    """Return a graph that hides a random operator inside the branch of an If."""
    inner = helper.make_graph(
        [helper.make_node("RandomNormal", [], ["y"], shape=[1])],
        "inner",
        [],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
    )
    node = helper.make_node("If", ["condition"], ["velocity"], then_branch=inner, else_branch=inner)
    model = onnx.load_from_string(_denoiser([node], [], 1, 1))
    return bytes(model.SerializeToString())


def _denoiser(
    nodes: list[onnx.NodeProto], weights: list[onnx.TensorProto], channels: int, context: int
) -> bytes:
    grid = ["b", channels, "d", "h", "w"]
    graph = helper.make_graph(
        nodes,
        "denoiser",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, grid),
            helper.make_tensor_value_info("t", TensorProto.FLOAT, ["b"]),
            helper.make_tensor_value_info("context", TensorProto.FLOAT, ["b", context]),
        ],
        [helper.make_tensor_value_info("velocity", TensorProto.FLOAT, grid)],
        initializer=weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = 10
    return bytes(model.SerializeToString())
