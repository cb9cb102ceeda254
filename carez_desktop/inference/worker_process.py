"""What runs in the generation process: the whole sampling loop, close to its device.

The process imports onnxruntime and never torch: both carry CUDA libraries of their own, and
leaving the process is the only way to give all graphics memory back.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from carez_desktop.errors import CancelledError, CarezError, ChildCrashError, DeviceError
from carez_desktop.inference.execution_provider import ExecutionDevice
from carez_desktop.inference.sampler import guided, integrate
from carez_desktop.inference.schedules import Schedule
from carez_desktop.system.network_guard import install_network_guard

if TYPE_CHECKING:
    from carez_desktop.inference.session import DenoiserSession

Float32Array = npt.NDArray[np.float32]

CANCEL = "cancel"
CLOSE = "close"


@dataclass(frozen=True, eq=False)
class SamplingJob:
    """One latent to make.

    Attributes:
        graph: The denoiser's file. graph_sha256: What it must hash to.
        noise: float32 [channels, d, h, w] at t = 1.
        context: float32 [conditions + 1], and the null condition's under guidance.
        threads: Of one operator.
        keep_first_velocity: Return the velocity of the first evaluation too (golden checks).
    """

    graph: Path
    graph_sha256: str
    device: ExecutionDevice
    threads: int
    schedule: Schedule
    noise: Float32Array
    context: Float32Array
    null_context: Float32Array
    keep_first_velocity: bool = False


@dataclass(frozen=True, eq=False)
class SampledLatent:
    """What a job gave.

    Attributes:
        latent: float32 [channels, d, h, w] at t = 0.
        first_velocity: Of the first evaluation, or None.
        facts: Provider, device, versions, threads: for provenance.
        seconds: Time of the loop, without loading.
        load_seconds: Time to load the graph; 0 where it was loaded already.
    """

    latent: Float32Array
    first_velocity: Float32Array | None
    facts: dict[str, Any]
    seconds: float
    load_seconds: float


@dataclass(frozen=True, slots=True)
class StepDone:
    """Progress of the running job."""

    done: int
    steps: int


def serve(connection: Connection, log: str) -> None:
    """Answer sampling jobs until `CLOSE` or the end of the parent.

    Each job is answered by `StepDone`s and then a `SampledLatent` or a `CarezError`.

    Args:
        connection: To the parent.
        log: File that takes what native libraries print.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl+C means
    _redirect_output(log)
    install_network_guard()
    loaded = _LoadedNetwork()
    while True:
        try:
            message = connection.recv()
        except (EOFError, OSError):
            return
        if message == CLOSE:
            return
        if not isinstance(message, SamplingJob):
            continue  # a cancellation that came after its job was done
        connection.send(_answer(message, loaded, connection))


def _redirect_output(log: str) -> None:
    """Send what native code prints to the log, so that nothing red reaches a person's screen."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    os.close(descriptor)


class _LoadedNetwork:
    """The session that is kept warm between jobs."""

    def __init__(self) -> None:
        self._key: tuple[Any, ...] = ()
        self._session: DenoiserSession | None = None

    def session_for(self, job: SamplingJob) -> DenoiserSession:
        key = (job.graph, job.graph_sha256, job.device.kind, job.threads)
        if self._session is None or key != self._key:
            self._session = None  # frees the old one before the new one takes memory
            self._session = _open_session(job)
            self._key = key
        return self._session


def _open_session(job: SamplingJob) -> DenoiserSession:
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    onnxruntime.set_default_logger_severity(4)
    if job.device.kind == "cuda":
        onnxruntime.preload_dlls(directory="")
    from carez_desktop.inference.session import DenoiserSession

    return DenoiserSession(job.graph, job.graph_sha256, job.device, job.threads)


def _answer(
    job: SamplingJob, loaded: _LoadedNetwork, connection: Connection
) -> SampledLatent | CarezError:
    try:
        return _sample(job, loaded, connection)
    except CarezError as error:
        return error
    except MemoryError:
        return DeviceError(
            "The processor's memory ran out", subject="device", hint="Close other programs"
        )
    except Exception as error:  # noqa: BLE001  the parent shows it; a traceback would be lost here
        return ChildCrashError(
            f"Generation failed: {type(error).__name__}: {error}",
            subject=str(job.graph),
            hint="Try again; if it comes back, report it with the log",
        )


def _sample(job: SamplingJob, loaded: _LoadedNetwork, connection: Connection) -> SampledLatent:
    start = time.perf_counter()
    session = loaded.session_for(job)
    ready = time.perf_counter()

    def after_step(done: int, steps: int) -> None:
        connection.send(StepDone(done, steps))
        if connection.poll() and connection.recv() in (CANCEL, CLOSE):
            raise CancelledError("Cancelled", hint="Nothing half-written was left behind")

    schedule = job.schedule
    last_time = schedule.timesteps[-1 if schedule.sampler == "heun" else -2]
    conditioned = session.velocity(job.context[None], last_time=last_time)
    flow = guided(
        conditioned,
        session.velocity(job.null_context[None]),
        schedule.guidance_scale,
        session,
    )
    noise = session.put(job.noise[None])
    first_velocity = None
    if job.keep_first_velocity:
        velocity = conditioned(noise, schedule.timesteps[0])
        first_velocity = session.fetch(velocity)[0]
        session.release(velocity)
    latent = integrate(noise, schedule, flow, session, after_step=after_step)
    result = session.fetch(latent)[0]
    session.release(latent)
    session.release(noise)
    end = time.perf_counter()
    return SampledLatent(result, first_velocity, session.facts, end - ready, ready - start)
