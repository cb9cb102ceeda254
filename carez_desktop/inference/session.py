"""A denoiser in ONNX Runtime whose latents stay on the device between evaluations.

Only the generation process imports this module, since it imports onnxruntime.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from carez_desktop.errors import DeviceError, ModelError
from carez_desktop.inference.execution_provider import ExecutionDevice

Float32Array = npt.NDArray[np.float32]

# The graph sum = x + factor * v for float32 of five axes, opset 18; a test rebuilds it with
# onnx.helper and compares the bytes.
ADD_SCALED_GRAPH = base64.b64decode(
    "CAg6xwEKGAoBdgoGZmFjdG9yEgZzY2FsZWQiA011bAoVCgF4CgZzY2FsZWQSA3N1bSIDQWRkEgphZGRfc2NhbGVkWiQK"
    "AXgSHwodCAESGQoDEgFiCgMSAWMKAxIBZAoDEgFoCgMSAXdaJAoBdhIfCh0IARIZCgMSAWIKAxIBYwoDEgFkCgMSAWgK"
    "AxIBd1oUCgZmYWN0b3ISCgoICAESBAoCCAFiJgoDc3VtEh8KHQgBEhkKAxIBYgoDEgFjCgMSAWQKAxIBaAoDEgF3QgQK"
    "ABAS"
)
_SMALL_CARD_MIB = 12 * 1024
_QUIET = 4
_REPAIR = "Export the graph again (docs/reference/model-package.md says how)"
_OUT_OF_MEMORY = ("failed to allocate", "out of memory", "bad allocation", "bad_alloc")


class DenoiserSession:
    """The network and the arithmetic of the sampler on one device, for one shape at a time.

    It is a `LatentSpace` of `ort.OrtValue`: buffers are taken from a free list and come back
    through `release`, so that the loop runs in a handful of fixed buffers.
    """

    def __init__(
        self,
        graph: Path,
        sha256: str,
        device: ExecutionDevice,
        threads: int,
    ) -> None:
        """Load the graph and check that it is the one that was meant.

        Args:
            graph: `denoiser/model.onnx`.
            sha256: What its bytes must hash to.
            device: Where it runs.
            threads: Threads of one operator; fixed, so that sums keep their order.

        Raises:
            ModelError: Changed, not loadable, or with other inputs than a denoiser has.
            DeviceError: The device does not take it.
        """
        self._device = device
        self._threads = threads
        self._graph = graph
        content = _read_checked(graph, sha256)
        self._network = self._open(content)
        _check_signature(self._network, graph)
        self._adder = self._open(ADD_SCALED_GRAPH)
        self._network_binding = self._network.io_binding()
        self._adder_binding = self._adder.io_binding()
        self._keep_arena = ort.RunOptions()
        self._keep_arena.log_severity_level = _QUIET
        self._shrink_arena = ort.RunOptions()
        self._shrink_arena.log_severity_level = _QUIET
        self._shrink_arena.add_run_config_entry(
            "memory.enable_memory_arena_shrinkage",
            "gpu:0" if device.kind == "cuda" else "cpu:0",
        )
        self._free: list[ort.OrtValue] = []
        self._shape: tuple[int, ...] = ()

    @property
    def facts(self) -> dict[str, Any]:
        """What the result depends on: provider, device, version, threads, options."""
        return {
            "runtime": "onnxruntime",
            "runtime_version": ort.__version__,
            "provider": self._device.provider,
            "provider_options": self._provider_options(),
            "device": self._device.kind,
            "device_name": self._device.name,
            "driver": self._device.driver,
            "threads": self._threads,
            "precision": "float32",
            "graph_optimization": "all",
            "deterministic_compute": True,
        }

    def put(self, array: Float32Array) -> ort.OrtValue:
        """Copy a latent [1, channels, d, h, w] to the device; the caller releases it."""
        if array.shape != self._shape:
            self._free.clear()
            self._shape = array.shape
        value = self._take()
        value.update_inplace(np.ascontiguousarray(array, dtype=np.float32))
        return value

    def fetch(self, value: ort.OrtValue) -> Float32Array:
        """Return a copy of a latent in host memory."""
        return np.array(value.numpy(), dtype=np.float32)

    def release(self, x: ort.OrtValue) -> None:
        """Put a buffer back on the free list."""
        self._free.append(x)

    def add_scaled(self, x: ort.OrtValue, factor: float, v: ort.OrtValue) -> ort.OrtValue:
        """Return x + factor * v, computed on the device in float32."""
        binding = self._adder_binding
        result = self._take()
        binding.bind_ortvalue_input("x", x)
        binding.bind_ortvalue_input("v", v)
        binding.bind_cpu_input("factor", np.array([factor], dtype=np.float32))
        binding.bind_ortvalue_output("sum", result)
        self._run(self._adder, binding, self._keep_arena)
        return result

    def velocity(
        self, context: Float32Array, *, last_time: float | None = None
    ) -> Callable[[ort.OrtValue, float], ort.OrtValue]:
        """Return v(x, t) under a context.

        Args:
            context: float32 [1, conditions + 1].
            last_time: After the evaluation at this time the arena gives memory back that the next
                case does not need at once.
        """
        on_device = ort.OrtValue.ortvalue_from_numpy(
            np.ascontiguousarray(context, dtype=np.float32), self._device.kind, 0
        )
        binding = self._network_binding

        def evaluate(x: ort.OrtValue, time: float) -> ort.OrtValue:
            result = self._take()
            binding.bind_ortvalue_input("x", x)
            binding.bind_cpu_input("t", np.array([time], dtype=np.float32))
            binding.bind_ortvalue_input("context", on_device)
            binding.bind_ortvalue_output("velocity", result)
            shrink = last_time is not None and time <= last_time
            self._run(self._network, binding, self._shrink_arena if shrink else self._keep_arena)
            return result

        return evaluate

    def run_plain(self, array: Float32Array, time: float, context: Float32Array) -> Float32Array:
        """Evaluate once from host memory to host memory; the reference for the bound way."""
        inputs = {"x": array, "t": np.array([time], dtype=np.float32), "context": context}
        (velocity,) = self._network.run(["velocity"], inputs)
        return np.asarray(velocity, dtype=np.float32)

    def _take(self) -> ort.OrtValue:
        if self._free:
            return self._free.pop()
        return ort.OrtValue.ortvalue_from_shape_and_type(
            list(self._shape), np.float32, self._device.kind, 0
        )

    def _run(
        self, session: ort.InferenceSession, binding: ort.IOBinding, options: ort.RunOptions
    ) -> None:
        try:
            binding.synchronize_inputs()
            session.run_with_iobinding(binding, options)
            binding.synchronize_outputs()
        except Exception as error:  # noqa: BLE001  onnxruntime raises its own kinds
            raise translate_runtime_error(error, self._graph, self._device) from None

    def _open(self, content: bytes) -> ort.InferenceSession:
        options = ort.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.use_deterministic_compute = True
        options.log_severity_level = _QUIET
        providers: list[Any] = [("CPUExecutionProvider", {})]
        if self._device.kind == "cuda":
            providers.insert(0, ("CUDAExecutionProvider", self._provider_options()))
        try:
            session = ort.InferenceSession(content, options, providers=providers)
        except Exception as error:  # noqa: BLE001  onnxruntime raises its own kinds
            raise translate_runtime_error(error, self._graph, self._device) from None
        if session.get_providers()[0] != self._device.provider:
            raise DeviceError(
                f"ONNX Runtime did not start {self._device.provider} on {self._device.name}",
                subject="device",
                hint="Update the driver, or use the processor: --device cpu",
            )
        return session

    def _provider_options(self) -> dict[str, str]:
        if self._device.kind != "cuda":
            return {}
        small = self._device.total_memory_mib < _SMALL_CARD_MIB
        return {
            "device_id": "0",
            # EXHAUSTIVE costs a second for each new shape, DEFAULT is up to 50 times slower.
            "cudnn_conv_algo_search": "HEURISTIC",
            "cudnn_conv_use_max_workspace": "0" if small else "1",
            "arena_extend_strategy": "kSameAsRequested",
            "do_copy_in_default_stream": "1",
            # TF32 keeps 10 bits of the mantissa; cases would differ from the processor's.
            "use_tf32": "0",
        }


def translate_runtime_error(
    error: Exception, graph: Path, device: ExecutionDevice
) -> ModelError | DeviceError:
    """Turn an error of ONNX Runtime into ours: memory is the device's fault, the rest the graph's.

    Args:
        error: What ONNX Runtime raised.
        graph: The graph that it was about.
        device: Where it ran.
    """
    if isinstance(error, ModelError | DeviceError):
        return error
    text = " ".join(str(error).split())
    if isinstance(error, MemoryError) or any(word in text.lower() for word in _OUT_OF_MEMORY):
        return DeviceError(
            f"{device.name} ran out of memory",
            subject="device",
            hint="Close other programs"
            + (", or use the processor: --device cpu" if device.kind == "cuda" else ""),
        )
    if device.kind == "cuda" and any(word in text for word in ("CUDA", "CUDNN", "CUBLAS")):
        return DeviceError(
            f"The graphics card failed: {text[:200]}",
            subject="device",
            hint="Use the processor: --device cpu",
        )
    return ModelError(
        f"ONNX Runtime cannot run this graph: {text[:200]}", subject=str(graph), hint=_REPAIR
    )


def _read_checked(graph: Path, sha256: str) -> bytes:
    try:
        content = graph.read_bytes()
    except OSError as error:
        raise ModelError(
            f"The graph cannot be read: {error.strerror}", subject=str(graph), hint=_REPAIR
        ) from None
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ModelError(
            "The graph does not match its hash",
            subject=str(graph),
            hint="Install the package again",
        )
    return content


def _check_signature(session: ort.InferenceSession, graph: Path) -> None:
    inputs = {item.name: (item.type, len(item.shape)) for item in session.get_inputs()}
    outputs = {item.name: (item.type, len(item.shape)) for item in session.get_outputs()}
    float32 = "tensor(float)"
    wanted = {"x": (float32, 5), "t": (float32, 1), "context": (float32, 2)}
    if inputs != wanted or outputs != {"velocity": (float32, 5)}:
        raise ModelError(
            f"The graph has the inputs {', '.join(sorted(inputs))} and the outputs "
            f"{', '.join(sorted(outputs))}; a denoiser maps x, t, context to velocity",
            subject=str(graph),
            hint=_REPAIR,
        )
