"""Measure a diffusion package on this machine's graphics card against its processor and PyTorch.

    python packaging/gpu_check.py [PACKAGE] [--out FILE.md] [--cases N]

Runs cleanly on a machine without a card: what cannot be measured is written as "not measured",
with the reason. The table is Markdown, for docs/.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from carez_desktop.domain.generation import GenerationRequest, GeneratorPackage, SyntheticCase
from carez_desktop.errors import CarezError
from carez_desktop.generators.diffusion import SCHEDULER, DiffusionFamily
from carez_desktop.generators.golden_check import GOLDEN, check_golden
from carez_desktop.inference.execution_provider import (
    ExecutionDevice,
    choose_device,
    fixed_thread_count,
)
from carez_desktop.inference.latent_layout import read_layout
from carez_desktop.inference.noise import gaussian_noise
from carez_desktop.inference.package_store import load_package, read_package_json
from carez_desktop.inference.schedules import Schedule, read_schedule
from carez_desktop.inference.worker import GenerationProcess
from carez_desktop.inference.worker_process import SamplingJob

Rows = list[tuple[str, str]]
MODELS = Path(__file__).resolve().parents[1] / "models"
NOT_MEASURED = "not measured"


def main() -> int:
    """Measure, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("package", nargs="?", type=Path, help="default: the newest in models/")
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    parser.add_argument("--cases", type=int, default=3)
    parser.add_argument("--torch-part", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.torch_part is not None:
        return torch_part(options.torch_part)
    try:
        rows = measure(options.package or newest_package(), options.cases)
    except CarezError as error:
        print(f"gpu_check: {error}", file=sys.stderr)
        return error.exit_code
    table = "\n".join(["| what | measured |", "|---|---|", *(f"| {a} | {b} |" for a, b in rows)])
    print(table)
    if options.out is not None:
        options.out.write_text(table + "\n", encoding="utf-8")
    return 0


def newest_package() -> Path:
    """Return the last diffusion package of the product."""
    found = sorted(path.parent.parent for path in MODELS.glob(f"*/*/{GOLDEN}"))
    if not found:
        raise SystemExit("gpu_check: there is no diffusion package in models/; name one")
    return found[-1]


def measure(folder: Path, count: int) -> Rows:
    """Return the rows of the table."""
    package = load_package(folder)
    schedule = read_schedule(read_package_json(package, SCHEDULER), subject=SCHEDULER)
    rows: Rows = [
        ("package", f"{package.manifest.id} {package.manifest.version} ({package.digest[:12]})"),
        (
            "schedule",
            f"{schedule.sampler}, {schedule.steps} steps, {schedule.evaluations} evaluations",
        ),
        ("processor", f"{choose_device('cpu').name}, {fixed_thread_count()} threads"),
    ]
    on_cpu, cpu_rows = measure_device(package, "cpu", count)
    rows += cpu_rows
    card = find_card()
    if isinstance(card, str):
        names = ("graphics card", "CUDA against CPU", "CUDA, seconds a case", "CUDA repeats")
        rows += [(name, f"{NOT_MEASURED}: {card}") for name in names]
    else:
        rows.append(("graphics card", f"{card.name}, driver {card.driver}"))
        on_cuda, cuda_rows = measure_device(package, "cuda", count)
        rows += cuda_rows
        rows.append(("CUDA against CPU", compare(package, on_cpu, on_cuda)))
    for device in ("cpu",) if isinstance(card, str) else ("cpu", "cuda"):
        rows += against_torch(package, schedule, device)
    if isinstance(card, str):
        rows.append(("CUDA against PyTorch", f"{NOT_MEASURED}: {card}"))
    return rows


def find_card() -> ExecutionDevice | str:
    """Return the card, or why there is none."""
    try:
        return choose_device("cuda")
    except CarezError as error:
        return error.what


def measure_device(
    package: GeneratorPackage, device: str, count: int
) -> tuple[list[SyntheticCase], Rows]:
    """Make cases in one process, then the first one again in another."""
    specs = package.manifest.conditions
    conditions = {s.name: s.default for s in specs if s.default is not None}
    requests = [
        GenerationRequest(
            package.manifest.id, package.manifest.version, f"case-{i + 1:04d}", 1, conditions
        )
        for i in range(count)
    ]
    family = DiffusionFamily()
    family(package, requests[0], device=device)
    cases = [family(package, request, device=device) for request in requests]
    family.close()
    other = DiffusionFamily()
    again = other(package, requests[0], device=device)
    other.close()
    same = np.array_equal(cases[0].volume.array, again.volume.array)
    golden = check_golden(package, device=device)
    label = "CUDA" if device == "cuda" else "CPU"
    return cases, [
        (f"{label}, seconds a case", f"{np.median([case.seconds for case in cases]):.3f}"),
        (f"{label} repeats", "bit-identical in another process" if same else "DIFFERENT"),
        (
            f"{label} golden values",
            (
                f"{'pass' if golden.passed else 'FAIL'}: velocity "
                f"{golden.velocity_difference:.2e}, image {golden.volume_difference:.2e}, "
                f"labels {golden.label_difference} voxels"
            ),
        ),
    ]


def compare(
    package: GeneratorPackage, first: list[SyntheticCase], second: list[SyntheticCase]
) -> str:
    """Return the largest difference, the lowest PSNR and the label voxels that differ."""
    low, high = read_layout(package).value_range
    largest, lowest, voxels = 0.0, np.inf, 0
    for a, b in zip(first, second, strict=True):
        difference = a.volume.array.astype(np.float64) - b.volume.array
        largest = max(largest, float(np.abs(difference).max()))
        error = float(np.mean(difference**2))
        lowest = min(lowest, 10 * np.log10((high - low) ** 2 / error) if error else np.inf)
        for one, other in zip(a.labels, b.labels, strict=True):
            voxels += int(np.count_nonzero(one.array != other.array))
    return (
        f"largest difference {largest:.3g} of {high - low:g}, lowest PSNR {lowest:.1f} dB, "
        f"{voxels} label voxels differ in {len(first)} cases"
    )


def against_torch(package: GeneratorPackage, schedule: Schedule, device: str) -> Rows:
    """Compare with the same network in PyTorch: fresh weights of the package's sizes."""
    label = f"{'CUDA' if device == 'cuda' else 'CPU'} against PyTorch"
    layout = read_layout(package)
    euler = replace(schedule, sampler="euler", guidance_scale=1.0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plan = {
            "device": device,
            "threads": fixed_thread_count(),
            "channels": layout.latent_shape[0],
            "shape": layout.latent_shape[1:],
            "context": len(layout.conditions) + 1,
            "timesteps": euler.timesteps,
        }
        (folder / "plan.json").write_text(json.dumps(plan))
        command = [sys.executable, __file__, "--torch-part", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            return [(label, f"{NOT_MEASURED}: {reason[:120]}")]
        result = json.loads((folder / "torch.json").read_text())
        expected = np.load(folder / "torch.npy")
        graph = folder / "model.onnx"
        job = SamplingJob(
            graph,
            hashlib.sha256(graph.read_bytes()).hexdigest(),
            choose_device(device),
            fixed_thread_count(),
            euler,
            gaussian_noise(1, "case-0001", "latent", layout.latent_shape),
            np.append(np.zeros(len(layout.conditions)), 1.0).astype(np.float32),
            np.zeros(len(layout.conditions) + 1, dtype=np.float32),
        )
        with GenerationProcess() as process:
            process.sample(job)
            runs = [process.sample(job) for _ in range(5)]
    seconds = min(run.seconds for run in runs)
    difference = float(np.abs(runs[0].latent - expected).max())
    return [
        (
            label,
            (
                f"{seconds:.3f} s ONNX Runtime, {result['seconds']:.3f} s PyTorch for "
                f"{euler.steps} steps (ratio {seconds / result['seconds']:.2f}), "
                f"largest difference of the latent {difference:.2e}"
            ),
        )
    ]


def torch_part(folder: Path) -> int:
    """Build, export and run the network in PyTorch; in a process of its own."""
    import torch

    from carez_desktop.training.export_flow import export_graph, rounded_network
    from carez_desktop.training.flow_network import FlowNetwork, FlowNetworkPlan

    plan = json.loads((folder / "plan.json").read_text())
    device = plan["device"]
    if device == "cuda" and not torch.cuda.is_available():
        print("this PyTorch has no CUDA", file=sys.stderr)
        return 1
    torch.manual_seed(0)
    torch.set_num_threads(plan["threads"])
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    sizes = FlowNetworkPlan(channels=plan["channels"], context=plan["context"])
    weights = {
        name: value + 0.02 * torch.randn_like(value) if value.is_floating_point() else value
        for name, value in FlowNetwork(sizes).state_dict().items()
    }
    network = rounded_network(sizes, weights)
    shape: tuple[int, int, int] = tuple(plan["shape"])
    (folder / "model.onnx").write_bytes(export_graph(network, shape).SerializeToString())
    network = network.to(device)
    noise = gaussian_noise(1, "case-0001", "latent", (plan["channels"], *shape))
    context = torch.zeros((1, plan["context"]), device=device)
    context[0, -1] = 1.0
    best = np.inf
    with torch.no_grad():
        for _ in range(6):
            start = time.perf_counter()
            x = torch.from_numpy(noise[None]).to(device)
            for now, after in zip(plan["timesteps"], plan["timesteps"][1:], strict=False):
                x = x + (after - now) * network(x, torch.full((1,), now, device=device), context)
            result: Any = x.cpu().numpy()
            best = min(best, time.perf_counter() - start)
    np.save(folder / "torch.npy", result[0])
    (folder / "torch.json").write_text(json.dumps({"seconds": best}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
