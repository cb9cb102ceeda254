"""The sampling loop against steps x one bare ONNX Runtime call; reach: 1.05."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from carez_desktop.inference.execution_provider import choose_device
from carez_desktop.inference.noise import gaussian_noise
from carez_desktop.inference.sampler import integrate
from carez_desktop.inference.schedules import Schedule
from carez_desktop.inference.session import DenoiserSession
from carez_desktop.inference.worker import GenerationProcess
from carez_desktop.inference.worker_process import SamplingJob
from tests.builders.onnx_graphs import convolution_graph

STEPS = 8
ROUNDS = 9
GRID = (24, 24, 32, 24)
REACH = 1.05


def seconds_of(work: Callable[[], object]) -> tuple[float, float]:
    """Return wall time and processor time; the second hardly suffers from a busy machine."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


@pytest.mark.benchmark
def test_the_loop_costs_hardly_more_than_its_evaluations(
    tmp_path: Path, record_row: Callable[..., None]
) -> None:
    content = convolution_graph(channels=GRID[0], context=3, width=48)
    graph = tmp_path / "model.onnx"
    graph.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    threads, device = 1, choose_device("cpu")  # one: no spinning threads in the processor time
    session = DenoiserSession(graph, digest, device, threads)
    noise = gaussian_noise(1, "case-0001", "latent", GRID)
    context = np.array([[0.3, -1.2, 1.0]], dtype=np.float32)
    table = tuple(1.0 - step / STEPS for step in range(STEPS + 1))
    schedule = Schedule("euler", table)
    flow = session.velocity(context)

    def loop() -> None:
        start = session.put(noise[None])
        end = integrate(start, schedule, flow, session)
        session.fetch(end)
        session.release(end)
        session.release(start)

    def bare() -> None:
        for time_now in table[:-1]:
            session.run_plain(noise[None], time_now, context)

    loop()
    bare()
    pairs = [(seconds_of(loop), seconds_of(bare)) for _ in range(ROUNDS)]
    loop_wall, loop_cpu = np.min([first for first, _ in pairs], axis=0)
    bare_wall, bare_cpu = np.min([second for _, second in pairs], axis=0)
    job = SamplingJob(
        graph, digest, device, threads, schedule, noise, context[0], np.zeros(3, np.float32)
    )
    with GenerationProcess() as process:
        process.sample(job)
        child = min(seconds_of(lambda: process.sample(job))[0] for _ in range(ROUNDS))
    loop_text = f"{STEPS} steps of {GRID} on {threads} thread"
    record_row(
        "Sampler",
        f"sampling loop, {loop_text}",
        ours=f"{loop_wall:.3f} s",
        against=f"{STEPS} x bare ONNX Runtime: {bare_wall:.3f} s",
        ratio=loop_wall / bare_wall,
        reach=f"at most {REACH}",
        note=f"ratio of processor times {loop_cpu / bare_cpu:.3f}",
    )
    record_row(
        "Sampler",
        "the same through the generation process",
        ours=f"{child:.3f} s",
        against=f"{STEPS} x bare ONNX Runtime: {bare_wall:.3f} s",
        ratio=child / bare_wall,
    )
    assert loop_cpu / bare_cpu <= 1.15, "something copies or reallocates in the loop"
