"""CUDA against the processor; skips, saying why, on a machine without a graphics card."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from carez_desktop.domain.generation import GenerationRequest
from carez_desktop.errors import DeviceError
from carez_desktop.generators.diffusion import DiffusionFamily
from carez_desktop.inference.execution_provider import choose_device
from carez_desktop.inference.package_store import load_package
from tests.builders.generator_packages import write_diffusion_package
from tests.builders.onnx_graphs import convolution_graph

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(("sampler", "guidance"), [("euler", 1.0), ("heun", 2.0)])
def test_cuda_is_close_to_the_processor_and_repeats(
    tmp_path: Path, sampler: str, guidance: float
) -> None:
    try:
        choose_device("cuda")
    except DeviceError as error:
        pytest.skip(error.what)
    folder = write_diffusion_package(
        tmp_path / "tiny-flow" / "1.0.0",
        graph=convolution_graph(channels=24, context=2),
        sampler=sampler,
        guidance_scale=guidance,
    )
    package = load_package(folder)
    request = GenerationRequest("tiny-flow", "1.0.0", "case-0001", 7, {})
    cases = []
    for device in ("cpu", "cuda", "cuda"):
        family = DiffusionFamily()
        cases.append(family(package, request, device=device))
        family.close()
    on_cpu, on_cuda, again = cases
    assert on_cuda.details["environment"]["provider"] == "CUDAExecutionProvider"
    assert on_cuda.details["noise_sha256"] == on_cpu.details["noise_sha256"]
    np.testing.assert_allclose(on_cuda.volume.array, on_cpu.volume.array, atol=0.5)
    assert np.array_equal(on_cuda.volume.array, again.volume.array)


@pytest.mark.slow
def test_the_gpu_check_runs_cleanly_without_a_card(tmp_path: Path) -> None:
    from tests.unit.generators.test_diffusion import write_golden

    folder = write_diffusion_package(tmp_path / "tiny-flow" / "1.0.0", sampler="heun", steps=200)
    write_golden(folder)
    out = tmp_path / "table.md"
    done = subprocess.run(
        [sys.executable, "packaging/gpu_check.py", str(folder), "--out", str(out), "--cases", "1"],
        cwd=ROOT,
        env={"PATH": "", "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "-1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    table = out.read_text()
    assert "| CPU repeats | bit-identical in another process |" in table
    assert "not measured: CUDA cannot be used" in table
