"""Small generator packages on disk, laid out as docs/reference/model-package.md says."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from tests.builders.onnx_graphs import gaussian_velocity_graph


def write_diffusion_package(
    folder: Path,
    *,
    version: str = "1.0.0",
    graph: bytes | None = None,
    sampler: str = "euler",
    steps: int = 4,
    guidance_scale: float = 1.0,
    **changes: Any,
) -> Path:
    """Write a package of family `diffusion` whose denoiser is exact or the given graph."""
    (folder / "denoiser").mkdir(parents=True)
    (folder / "scheduler").mkdir()
    content = graph or gaussian_velocity_graph(channels=24, context=2)
    (folder / "denoiser" / "model.onnx").write_bytes(content)
    (folder / "LICENSE").write_text("Apache-2.0\n")
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "level_mm3": {
                "type": "number",
                "title": "Level",
                "unit": "mm3",
                "minimum": 100,
                "maximum": 900,
                "default": 500,
            }
        },
    }
    _write_json(folder / "conditioning.schema.json", schema)
    _write_json(
        folder / "scheduler" / "scheduler_config.json",
        {
            "type": "rectified_flow",
            "prediction": "velocity",
            "sampler": sampler,
            "timesteps": [1.0 - step / steps for step in range(steps + 1)],
            "guidance_scale": guidance_scale,
        },
    )
    _write_json(
        folder / "normalisation.json",
        {
            "context": {"conditions": [{"name": "level_mm3", "mean": 500.0, "std": 200.0}]},
            "latent": {
                "mean": [0.1 * (channel % 3) for channel in range(24)],
                "std": [0.5 + 0.05 * channel for channel in range(24)],
            },
            "image": {"channel_range": [-1.0, 1.0], "value_range": [0.0, 1000.0]},
            "labels": {"threshold": 0.0},
        },
    )
    manifest = {**_MANIFEST, "version": version, **changes}
    _write_json(folder / "manifest.json", manifest)
    reseal(folder)
    return folder


def reseal(folder: Path) -> None:
    """Write the hashes of the files as they are into the manifest."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["files"] = {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file != path
    }
    _write_json(path, manifest)


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2))


GRID = (3, 4, 5)

_MANIFEST: dict[str, Any] = {
    "format": "carez-generator-package",
    "format_version": "1.0.0",
    "id": "tiny-flow",
    "family": "diffusion",
    "title": "Tiny flow",
    "summary": "An exact flow between Gaussians, for tests",
    "license": "Apache-2.0",
    "intended_use": "tests",
    "privacy_class": "unconditional",
    "minimum_memory_mib": 64,
    "source_modality": "",
    "graphs": {"denoiser": {"path": "denoiser/model.onnx", "opset": 18, "ir_version": 10}},
    "latent": {"channels": 24, "shape": list(GRID), "codec": "haar3d"},
    "channels": [
        {"name": "image", "role": "image"},
        {
            "name": "anterior",
            "role": "label",
            "value": 1,
            "code": ["T-A", "99CAREZ", "Anterior part"],
        },
        {
            "name": "posterior",
            "role": "label",
            "value": 2,
            "code": ["T-P", "99CAREZ", "Posterior part"],
        },
    ],
    "geometry": {
        "shape": [2 * extent for extent in GRID],
        "spacing_mm": [2.0, 1.5, 0.75],
        "direction_lps": [[0.0, 0.0, 1.0], [0.6, 0.8, 0.0], [0.8, -0.6, 0.0]],
        "origin_lps": [-10.0, 4.0, 7.5],
        "fov_mm": {"minimum": [12.0, 12.0, 7.5], "maximum": [12.0, 12.0, 7.5]},
    },
    "outputs": {
        "modality": "MR",
        "units": "arbitrary",
        "value_range": [0.0, 1000.0],
        "label_map": "parts",
    },
}
