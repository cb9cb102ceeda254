"""Write the generator package of a trained flow: every file, and a manifest with their digests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from carez_desktop.errors import ModelError, StorageError
from carez_desktop.training.flow_network import FlowNetworkPlan
from carez_desktop.training.hippocampus_data import (
    BOX,
    DIRECTION_LPS,
    PERCENTILES,
    HippocampusVolume,
)
from carez_desktop.training.latent_scale import CONDITIONS, LatentScale

SIZE_LIMIT = 4 * 1024 * 1024
"""Bytes that a package may have in all."""
VALUE_RANGE = (0.0, 1000.0)
MEMORY_MIB = 600
LABELS = (
    ("anterior", 1, ("HIPPO_ANTERIOR", "99CAREZ", "Anterior part of hippocampus")),
    ("posterior", 2, ("HIPPO_POSTERIOR", "99CAREZ", "Posterior part of hippocampus")),
)
INTENDED_USE = (
    "Research only: tests of software, augmentation and teaching with small hippocampus MR "
    "volumes. Not for diagnosis, not as a test set, not for any person's care."
)
LICENSE_TEXT = """hippocampus-flow: the weights, and every other file of this package

Licensed under the Creative Commons Attribution-ShareAlike 4.0 International (CC BY-SA 4.0).
SPDX-License-Identifier: CC-BY-SA-4.0
Legal code: https://creativecommons.org/licenses/by-sa/4.0/legalcode

The weights are adapted from Task04_Hippocampus, Medical Segmentation Decathlon (CC BY-SA 4.0):
Simpson et al., A large annotated medical image dataset for the development and evaluation of
segmentation algorithms, arXiv:1902.09063; Antonelli et al., The Medical Segmentation Decathlon,
Nat Commun 13, 4128 (2022). Changes: a generative network was trained on 1 mm crops around the
hippocampus. The authors of the data do not endorse it. What the network generates may be shared
under the same licence.

THE PACKAGE IS PROVIDED AS IS, WITHOUT WARRANTY OF ANY KIND.
"""


@dataclass(frozen=True)
class PackageContent:
    """What a package is written from, beside the graph.

    Attributes:
        generator_id / version: Names of its folder.
        plan: Sizes of the network.
        scale: Standardisation of latents and conditions.
        ranges: Trained range of each condition, mm^3.
        schedule: Content of the scheduler file.
        volumes: Entries of `training.json`.
        card: The model card.
        golden: Content of the golden file.
        parameters: Numbers that training changed.
        label_threshold: A voxel is background where no label channel exceeds it.
        parity: Largest difference between ONNX Runtime and torch.
    """

    generator_id: str
    version: str
    plan: FlowNetworkPlan
    scale: LatentScale
    ranges: Mapping[str, tuple[float, float]]
    schedule: Mapping[str, Any]
    volumes: Sequence[Mapping[str, Any]]
    card: str
    golden: Mapping[str, Any]
    parameters: int
    parity: float
    label_threshold: float


def latent_shape() -> tuple[int, int, int]:
    """Return the grid of the latent (slice, row, column)."""
    return BOX[0] // 2, BOX[1] // 2, BOX[2] // 2


def schedule_of(sampler: str, steps: int, guidance: float) -> dict[str, Any]:
    """Return the scheduler file: equal steps from noise (1) to data (0)."""
    table = [1.0 - index / steps for index in range(steps)] + [0.0]
    return {
        "type": "rectified_flow",
        "prediction": "velocity",
        "sampler": sampler,
        "timesteps": table,
        "guidance_scale": guidance,
    }


def describe_volumes(
    volumes: Sequence[HippocampusVolume], groups: Sequence[int], splits: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the entries of `training.json`."""
    return [
        {
            "name": volume.name,
            "split": split,
            "group": group,
            "dtype": volume.dtype,
            "sha256": volume.sha256,
            "sha256_float32": volume.sha256_float32,
        }
        for volume, group, split in zip(volumes, groups, splits, strict=True)
    ]


def trained_ranges(volumes: Sequence[HippocampusVolume]) -> dict[str, tuple[float, float]]:
    """Return the least and largest value of each condition, rounded inwards to 10 mm^3."""
    ranges = {}
    for name in CONDITIONS:
        values = [float(getattr(volume, name)) for volume in volumes]
        ranges[name] = (-(-min(values) // 10) * 10.0, max(values) // 10 * 10.0)
    return ranges


def conditioning_schema(
    scale: LatentScale, ranges: Mapping[str, tuple[float, float]]
) -> dict[str, Any]:
    """Return the JSON Schema of the conditions."""
    parts = {"anterior_volume_mm3": "anterior", "posterior_volume_mm3": "posterior"}
    properties = {
        name: {
            "title": f"Volume of the {parts[name]} hippocampus",
            "type": "number",
            "unit": "mm3",
            "minimum": ranges[name][0],
            "maximum": ranges[name][1],
            "default": round(mean / 10.0) * 10.0,
            "description": "Trained range of the volume measured from the label map",
        }
        for name, mean in zip(CONDITIONS, scale.condition_mean, strict=True)
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Conditions of hippocampus-flow",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }


def normalisation(scale: LatentScale, label_threshold: float) -> dict[str, Any]:
    """Return the content of `normalisation.json`."""
    standards = zip(CONDITIONS, scale.condition_mean, scale.condition_std, strict=True)
    return {
        "context": {
            "conditions": [{"name": n, "mean": m, "std": s} for n, m, s in standards],
            "flag": "last column: 1 conditioned, 0 null (then every column is 0)",
        },
        "latent": {
            "mean": [float(value) for value in scale.mean],
            "std": [float(value) for value in scale.std],
        },
        "image": {
            "channel_range": [-1.0, 1.0],
            "value_range": list(VALUE_RANGE),
            "source_percentiles": list(PERCENTILES),
        },
        "labels": {"threshold": label_threshold},
    }


def _graph_facts(content: PackageContent) -> dict[str, Any]:
    shape = ["batch", content.plan.channels, *latent_shape()]
    return {
        "denoiser": {
            "path": "denoiser/model.onnx",
            "opset": 18,
            "ir_version": 10,
            "inputs": {
                "x": {"dtype": "float32", "shape": shape},
                "t": {"dtype": "float32", "shape": ["batch"]},
                "context": {"dtype": "float32", "shape": ["batch", content.plan.context]},
            },
            "outputs": {"velocity": {"dtype": "float32", "shape": shape}},
            "parameters": content.parameters,
            "parity_to_torch": content.parity,
        }
    }


def manifest_of(content: PackageContent, files: Mapping[str, str]) -> dict[str, Any]:
    """Return the manifest."""
    labels = [
        {"name": name, "role": "label", "value": value, "code": list(code)}
        for name, value, code in LABELS
    ]
    fov = [float(size) for size in BOX]
    return {
        "format": "carez-generator-package",
        "format_version": "1.0.0",
        "id": content.generator_id,
        "version": content.version,
        "family": "diffusion",
        "title": "Hippocampus MR, rectified flow",
        "summary": "Small 3-D MR volumes of one hippocampus with anterior and posterior labels, "
        "from requested volumes of the two parts",
        "intended_use": INTENDED_USE,
        "license": "CC-BY-SA-4.0",
        "source_modality": "",
        "privacy_class": "unconditional",
        "minimum_memory_mib": MEMORY_MIB,
        "graphs": _graph_facts(content),
        "latent": {
            "channels": content.plan.channels,
            "shape": list(latent_shape()),
            "codec": "haar3d",
        },
        "channels": [{"name": "image", "role": "image"}, *labels],
        "geometry": {
            "shape": list(BOX),
            "spacing_mm": [1.0, 1.0, 1.0],
            "direction_lps": [list(row) for row in DIRECTION_LPS],
            "origin_lps": [(BOX[2] - 1) / 2.0, (BOX[1] - 1) / 2.0, -(BOX[0] - 1) / 2.0],
            "fov_mm": {"minimum": fov, "maximum": fov},
        },
        "outputs": {
            "modality": "MR",
            "units": "arbitrary",
            "value_range": list(VALUE_RANGE),
            "label_map": "hippocampus",
        },
        "files": dict(sorted(files.items())),
    }


def package_files(content: PackageContent, graph: bytes) -> dict[str, bytes]:
    """Return every file of the package but the manifest."""
    training = {
        "digest": "plain SHA-256 of the voxels, little-endian, C order [slice, row, column]; "
        "sha256 in the stored type (dtype), sha256_float32 after a cast to float32",
        "source": "Medical Segmentation Decathlon, Task04_Hippocampus, CC BY-SA 4.0, 217 volumes",
        "volumes": list(content.volumes),
    }
    return {
        "conditioning.schema.json": _json(conditioning_schema(content.scale, content.ranges)),
        "normalisation.json": _json(normalisation(content.scale, content.label_threshold)),
        "scheduler/scheduler_config.json": _json(content.schedule),
        "training.json": _json(training),
        "golden/golden.json": _json(content.golden),
        "denoiser/model.onnx": graph,
        "README.md": content.card.encode("utf-8"),
        "LICENSE": LICENSE_TEXT.encode("utf-8"),
    }


def write_package(root: Path, content: PackageContent, graph: bytes) -> Path:
    """Write a package and return its folder `root/<id>/<version>`.

    Raises:
        ModelError: The package would be larger than allowed.
        StorageError: The folder cannot be written.
    """
    files = package_files(content, graph)
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    files["manifest.json"] = _json(manifest_of(content, digests))
    total = sum(len(data) for data in files.values())
    if total > SIZE_LIMIT:
        raise ModelError(
            f"The package has {total} bytes, more than {SIZE_LIMIT}",
            subject="denoiser/model.onnx",
            hint="Choose smaller widths for the network",
        )
    folder = root / content.generator_id / content.version
    try:
        for name, data in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    except OSError as error:
        raise StorageError(
            "The package cannot be written", subject=str(folder), hint=str(error.strerror)
        ) from error
    return folder


def _json(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode("utf-8")
