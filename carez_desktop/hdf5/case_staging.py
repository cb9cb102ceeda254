"""One synthetic case as one atomic file, ready to be assembled into a bundle.

A campaign can be killed at any time: what was staged is whole, what was not is not there. Chunks
are compressed here, once; assembly copies them as they are.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py

from carez_desktop.domain.codec import array_digest, canonical_json, to_plain
from carez_desktop.domain.disclosure import scrub
from carez_desktop.domain.generation import LabelMap, SyntheticCase
from carez_desktop.domain.volume import Volume
from carez_desktop.errors import UsageError
from carez_desktop.hdf5.chunk_encoding import write_array
from carez_desktop.hdf5.object_names import is_safe_name
from carez_desktop.hdf5.plain_storage import create_file, write_attributes, write_json
from carez_desktop.progress import NEVER, CancellationToken
from carez_desktop.system.file_safety import atomic_output, storage_error

STAGED_SUFFIX = ".case.h5"


def stage_case(
    folder: Path,
    case: SyntheticCase,
    *,
    source_digest: str,
    coverage_cell: Mapping[str, Any],
    cancel: CancellationToken = NEVER,
) -> Path:
    """Write a case as `<case id>.case.h5`, whole or not at all; an old one is replaced.

    The source's identifiers, file paths and UIDs do not reach the file: the source is named by its
    keyed digest only, wherever the generator's details mention it.

    Args:
        folder: Exists or is created.
        case: Image and label maps share one grid.
        source_digest: Of `system.keys.source_digest`; "" for a case without a source.
        coverage_cell: The stratum that the case fills, axis -> level.
        cancel: Asked at each chunk.

    Returns:
        Path of the staged file.

    Raises:
        UsageError: A case id or label name that cannot be a name in the file.
        StorageError: Naming the folder and the remedy. CancelledError: Nothing is left behind.
    """
    case_id = case.request.case_id
    for name in (case_id, *(label.name for label in case.labels)):
        if not is_safe_name(name):
            raise UsageError(
                "Not a name for an object of a bundle",
                subject=name,
                hint="Use letters, digits, '-', '_' and '.'",
            )
    target = folder / f"{case_id}{STAGED_SUFFIX}"
    what = "The case cannot be staged"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_output(target, what) as part, create_file(part) as file:
            image_sha256 = array_digest(case.volume.array)
            _write_image(file, case, image_sha256, source_digest, coverage_cell, cancel)
            _write_labels(file, case.labels, cancel)
            _write_generation(file, case, image_sha256, source_digest)
    except (OSError, RuntimeError) as error:
        raise storage_error(error, target, what) from error
    return target


def mapped_frame_of_reference(source_digest: str, image_sha256: str) -> str:
    """Return a `2.25.` UID that cases of one source share and that says nothing about it.

    It rests on the keyed digest of the source, or on the synthetic image where there is none.
    """
    seed = hashlib.sha256(f"frame|{source_digest or image_sha256}".encode()).digest()
    return f"2.25.{uuid.UUID(bytes=seed[:16], version=4).int}"


def _write_image(
    file: h5py.File,
    case: SyntheticCase,
    image_sha256: str,
    source_digest: str,
    coverage_cell: Mapping[str, Any],
    cancel: CancellationToken,
) -> None:
    volume = case.volume
    image = write_array(file, "image", volume.array, cancel=cancel)
    attributes: dict[str, Any] = {
        **_grid(volume),
        "units": volume.units,
        "modality": volume.modality,
        "synthetic": "YES",
        "privacy_class": str(case.privacy_class.value),
        "coverage_cell": canonical_json(to_plain(coverage_cell)).decode(),
        "frame_of_reference_uid": mapped_frame_of_reference(source_digest, image_sha256),
        "sha256": image_sha256,
    }
    for name in ("padding_value", "window_center", "window_width"):
        value = getattr(volume, name)
        if value is not None:
            attributes[name] = float(value)
    write_attributes(image, attributes)


def _grid(volume: Volume) -> dict[str, Any]:
    geometry = volume.geometry
    return {
        "spacing_mm": geometry.spacing_mm,
        "origin_lps": geometry.origin_lps,
        "direction_lps": geometry.direction_lps,
    }


def _write_labels(file: h5py.File, labels: tuple[LabelMap, ...], cancel: CancellationToken) -> None:
    group = file.create_group("labels")
    for label in sorted(labels, key=lambda item: item.name):
        dataset = write_array(group, label.name, label.array, cancel=cancel)
        segments = {
            str(value): {"code_value": code, "coding_scheme": scheme, "code_meaning": meaning}
            for value, (code, scheme, meaning) in sorted(label.segments.items())
        }
        write_attributes(
            dataset,
            {
                "segments": canonical_json(segments).decode(),
                "synthetic": "YES",
                "sha256": array_digest(label.array),
            },
        )


def _write_generation(
    file: h5py.File, case: SyntheticCase, image_sha256: str, source_digest: str
) -> None:
    request, package = case.request, case.package
    forbidden = (request.source_volume_id, request.source_volume_id.partition(":")[0])
    details = scrub(case.details, forbidden=forbidden, replacement=source_digest)
    findings = scrub(
        [to_plain(finding) for finding in case.findings],
        forbidden=forbidden,
        replacement=source_digest,
    )
    group = file.create_group("generation")
    facts = {
        "case_id": request.case_id,
        "generator_id": request.generator_id,
        "generator_version": request.generator_version,
        "generator_family": package.manifest.family,
        "package_digest": package.digest,
        "source_digest": source_digest,
        "image_sha256": image_sha256,
        "seconds": float(case.seconds),
    }
    write_attributes(group, facts)
    write_json(
        group,
        "record",
        {
            **facts,
            "privacy_class": case.privacy_class,
            "generator_title": package.manifest.title,
            "generator_license": package.manifest.license,
            "seed": request.seed,
            "conditions": dict(request.conditions),
            "labels": {label.name: array_digest(label.array) for label in case.labels},
            "details": details,
            "findings": findings,
        },
    )
