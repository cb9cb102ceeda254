"""The generation process: same bits as in this process, steps, cancel, and death."""

from __future__ import annotations

import hashlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from carez_desktop.errors import CancelledError, ChildCrashError, DeviceError, ModelError
from carez_desktop.inference.execution_provider import choose_device
from carez_desktop.inference.noise import gaussian_noise
from carez_desktop.inference.sampler import integrate
from carez_desktop.inference.schedules import Schedule
from carez_desktop.inference.session import DenoiserSession
from carez_desktop.inference.worker import GenerationProcess
from carez_desktop.inference.worker_process import SamplingJob
from carez_desktop.progress import CancellationFlag
from tests.builders.onnx_graphs import convolution_graph, graph_with_node

GRID = (8, 3, 4, 5)


@pytest.fixture(scope="module")
def process() -> Iterator[GenerationProcess]:
    with GenerationProcess() as process:
        yield process


def job_for(
    folder: Path,
    *,
    steps: int = 4,
    sampler: str = "euler",
    content: bytes | None = None,
    grid: tuple[int, ...] = GRID,
    first: bool = False,
) -> SamplingJob:
    content = content or convolution_graph(channels=grid[0], context=3)
    graph = folder / "model.onnx"
    graph.write_bytes(content)
    return SamplingJob(
        graph=graph,
        graph_sha256=hashlib.sha256(content).hexdigest(),
        device=choose_device("cpu"),
        threads=1,
        schedule=Schedule(sampler, tuple(1.0 - step / steps for step in range(steps + 1))),
        noise=gaussian_noise(1, "case-0001", "latent", grid),
        context=np.array([0.3, -1.2, 1.0], dtype=np.float32),
        null_context=np.zeros(3, dtype=np.float32),
        keep_first_velocity=first,
    )


class Steps:
    def __init__(self) -> None:
        self.seen: list[tuple[float, str]] = []

    def report(self, fraction: float, message: str = "") -> None:
        self.seen.append((fraction, message))


def test_the_child_gives_the_bits_of_this_process_and_reports_steps(
    process: GenerationProcess, tmp_path: Path
) -> None:
    job = job_for(tmp_path, first=True)
    steps = Steps()
    sampled = process.sample(job, progress=steps)
    session = DenoiserSession(job.graph, job.graph_sha256, job.device, 1)
    flow = session.velocity(job.context[None])
    noise = session.put(job.noise[None])
    expected = session.fetch(integrate(noise, job.schedule, flow, session))[0]
    assert np.array_equal(sampled.latent, expected)
    assert sampled.first_velocity is not None
    assert np.array_equal(
        sampled.first_velocity,
        session.run_plain(job.noise[None], 1.0, job.context[None])[0],
    )
    assert steps.seen == [(k / 4, f"step {k} of 4") for k in range(1, 5)]
    assert sampled.facts["provider"] == "CPUExecutionProvider"


def test_the_child_stays_warm_and_repeats_bit_for_bit(
    process: GenerationProcess, tmp_path: Path
) -> None:
    job = job_for(tmp_path, sampler="heun")
    first = process.sample(job)
    again = process.sample(job)
    assert np.array_equal(first.latent, again.latent)
    assert first.load_seconds > again.load_seconds
    with GenerationProcess() as fresh:
        assert np.array_equal(fresh.sample(job).latent, first.latent)


def test_an_error_of_the_graph_comes_back_and_the_child_lives(
    process: GenerationProcess, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="cannot run this graph"):
        process.sample(job_for(tmp_path, content=graph_with_node("NoSuchOperator")))
    alive = process._process
    process.sample(job_for(tmp_path))
    assert process._process is alive


def test_it_stops_within_one_step(tmp_path: Path) -> None:
    flag = CancellationFlag()

    class StopAfterThree:
        last = 0.0

        def report(self, fraction: float, message: str = "") -> None:
            self.last = fraction
            if fraction >= 3 / 1000:
                flag.cancel()

    watcher = StopAfterThree()
    with GenerationProcess() as process:
        job = job_for(tmp_path, steps=1000, grid=(8, 24, 24, 24))
        start = time.monotonic()
        with pytest.raises(CancelledError):
            process.sample(job, progress=watcher, cancel=flag)
        assert time.monotonic() - start < 10
        assert watcher.last < 1
        with pytest.raises(CancelledError):
            process.sample(job, cancel=flag)


@pytest.mark.parametrize(
    ("sign", "kind", "words"),
    [
        (signal.SIGKILL, DeviceError, "lack of memory"),
        (signal.SIGSEGV, ChildCrashError, "died"),
    ],
)
def test_a_dead_child_is_one_clear_error(
    tmp_path: Path, sign: signal.Signals, kind: type[Exception], words: str
) -> None:
    with GenerationProcess() as process:
        process.sample(job_for(tmp_path))
        assert process._process is not None
        pid = process._process.pid
        assert pid is not None
        killer = threading.Timer(0.3, os.kill, (pid, sign))
        killer.start()
        with pytest.raises(kind, match=words):
            process.sample(job_for(tmp_path, steps=2000, grid=(8, 24, 24, 24)))
        killer.join()
        assert np.isfinite(process.sample(job_for(tmp_path)).latent).all()


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    process = GenerationProcess()
    process.sample(job_for(tmp_path))
    child, log = process._process, process._log
    assert child is not None
    assert log is not None
    assert log.is_file()
    del process
    assert not child.is_alive()
    assert not log.exists()


def test_the_child_imports_no_torch(tmp_path: Path) -> None:
    """The modules that the child loads must not pull in torch (two CUDA stacks in one process)."""
    import subprocess
    import sys

    script = (
        "import sys, carez_desktop.inference.worker_process, carez_desktop.inference.session;"
        "print(sorted(name for name in sys.modules if name in ('torch', 'scipy', 'pydantic')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
    light = "import sys, carez_desktop.inference.worker; print('onnxruntime' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", light], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_script_without_a_guard_or_from_standard_input_works(tmp_path: Path) -> None:
    import subprocess
    import sys

    job_for(tmp_path)
    script = f"""
import hashlib, numpy as np
from pathlib import Path
from carez_desktop.inference.worker import GenerationProcess
from carez_desktop.inference.worker_process import SamplingJob
from carez_desktop.inference.execution_provider import choose_device
from carez_desktop.inference.schedules import Schedule
graph = Path({str(tmp_path / "model.onnx")!r})
digest = hashlib.sha256(graph.read_bytes()).hexdigest()
noise, zeros = np.ones((8, 3, 4, 5), np.float32), np.zeros(3, np.float32)
job = SamplingJob(graph, digest, choose_device("cpu"), 1, Schedule("euler", (1.0, 0.0)), noise,
                  zeros, zeros)
print("started")
with GenerationProcess() as process:
    print(process.sample(job).latent.shape)
"""
    done = subprocess.run(
        [sys.executable, "-"], input=script, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["started", "(8, 3, 4, 5)"]
    assert done.stderr == ""
