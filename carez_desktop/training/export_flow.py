"""Export a trained flow network to ONNX (`publish_flow` writes the package around it).

The graph computes in float32 (opset 18, IR 10). Large weights are stored as float16 initialisers
that a Cast widens when the graph is loaded, which halves the file. The parity against torch is
checked before anything is written.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper

from carez_desktop.errors import ModelError
from carez_desktop.training.flow_network import FlowNetwork, FlowNetworkPlan

OPSET = 18
IR_VERSION = 10
LARGE = 64
"""Initialisers with more numbers than this are stored as float16."""
PARITY = 1e-4
"""Largest allowed difference between ONNX Runtime and torch with the same (rounded) weights."""


def rounded_network(plan: FlowNetworkPlan, weights: dict[str, torch.Tensor]) -> FlowNetwork:
    """Return the network with large weights rounded to float16, as the file stores them."""
    network = FlowNetwork(plan)
    network.load_state_dict(
        {k: v.half().float() if v.numel() > LARGE else v.float() for k, v in weights.items()}
    )
    return network.eval()


def export_graph(network: FlowNetwork, latent_shape: tuple[int, int, int]) -> onnx.ModelProto:
    """Return the ONNX graph of a network, float16 storage included.

    Args:
        network: In evaluation mode; its large weights are already representable in float16.
        latent_shape: Spatial size of the latent (slice, row, column), fixed in the graph.
    """
    plan = network.plan
    example = (
        torch.randn(2, plan.channels, *latent_shape),
        torch.tensor([0.25, 0.75]),
        torch.randn(2, plan.context),
    )
    batch = torch.export.Dim("batch", min=1, max=64)
    quiet = io.StringIO()
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(quiet),
            contextlib.redirect_stderr(quiet),
        ):
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                network,
                example,
                dynamo=True,
                opset_version=OPSET,
                input_names=["x", "t", "context"],
                output_names=["velocity"],
                dynamic_shapes={"x": {0: batch}, "t": {0: batch}, "context": {0: batch}},
                verbose=False,
            )
    finally:
        logging.disable(level)
    if program is None:
        raise ModelError(
            "The exporter returned no graph", subject="denoiser", hint="Update onnxscript"
        )
    model = program.model_proto
    model.ir_version = IR_VERSION
    store_weights_as_float16(model)
    strip_notes(model)
    onnx.checker.check_model(model, full_check=True)
    return model


def store_weights_as_float16(model: onnx.ModelProto) -> None:
    """Replace each large float32 initialiser by a float16 one and a Cast after it."""
    casts = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or values.size <= LARGE:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.float16"))
        casts.append(
            helper.make_node(
                "Cast", [f"{name}.float16"], [name], name=f"{name}.widen", to=TensorProto.FLOAT
            )
        )
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def strip_notes(model: onnx.ModelProto) -> None:
    """Drop stack traces and other notes that enlarge the file or name a machine."""
    del model.graph.value_info[:]
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    model.doc_string = model.graph.doc_string = ""
    model.producer_name, model.producer_version = "carez-desktop", ""
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        del value.metadata_props[:]
        value.doc_string = ""


def parity(model_bytes: bytes, network: FlowNetwork, latent_shape: tuple[int, int, int]) -> float:
    """Return the largest difference of ONNX Runtime to torch at batches 1, 2 and 3."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    session = onnxruntime.InferenceSession(model_bytes, options, providers=["CPUExecutionProvider"])
    random = torch.Generator().manual_seed(3)
    worst = 0.0
    for batch in (1, 2, 3):
        x = torch.randn((batch, network.plan.channels, *latent_shape), generator=random)
        t = torch.rand(batch, generator=random)
        context = torch.randn((batch, network.plan.context), generator=random)
        with torch.no_grad():
            expected = network(x, t, context).numpy()
        feed = {"x": x.numpy(), "t": t.numpy(), "context": context.numpy()}
        found = np.asarray(session.run(["velocity"], feed)[0])
        worst = max(worst, float(np.abs(found - expected).max()))
    return worst


def export_checked(network: FlowNetwork, latent_shape: tuple[int, int, int]) -> tuple[bytes, float]:
    """Return the graph's bytes and its parity.

    Raises:
        ModelError: ONNX Runtime and torch differ by more than the allowed parity.
    """
    content = export_graph(network, latent_shape).SerializeToString()
    difference = parity(content, network, latent_shape)
    if not difference < PARITY:
        raise ModelError(
            f"The exported graph differs from torch by {difference:.1e}",
            subject="denoiser/model.onnx",
            hint=f"The allowed difference is {PARITY:.0e}; try another exporter version",
        )
    return content, difference
