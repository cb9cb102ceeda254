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
            "sampler": sampler,
            "timesteps": [1.0 - step / steps for step in range(steps + 1)],
            "guidance_scale": 1.0,
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


_MANIFEST: dict[str, Any] = {
    "id": "tiny-flow",
    "family": "diffusion",
    "title": "Tiny flow",
    "summary": "An exact flow between Gaussians, for tests",
    "license": "Apache-2.0",
    "intended_use": "tests",
    "privacy_class": "unconditional",
    "minimum_memory_mib": 64,
    "source_modality": "",
    "outputs": {"modality": "MR", "units": "arbitrary", "value_range": [0.0, 1.0]},
}
