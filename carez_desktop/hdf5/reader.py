"""Read a bundle lazily: list its cases without pixels, load one of them.

Every dataset passes the checks of `object_walk` before anything of it is read. Whoever received a
bundle verifies it first (`workflows/verify_bundle`), in a child process.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from carez_desktop.domain.bundle import BUNDLE_FORMAT, BundleHeader, BundleState, CaseEntry
from carez_desktop.domain.evaluation import Axis
from carez_desktop.domain.finding import counted
from carez_desktop.domain.generation import LabelMap
from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.volume import Volume, VolumeKind
from carez_desktop.errors import InputError, NotFoundError
from carez_desktop.hdf5.chunk_decoding import read_voxels
from carez_desktop.hdf5.object_names import is_safe_name
from carez_desktop.hdf5.object_walk import RefusedObjectError, member
from carez_desktop.hdf5.plain_storage import (
    open_for_reading,
    plain_attributes,
    read_json,
    read_text,
    unreadable,
)


@contextmanager
def open_bundle(path: Path) -> Iterator[h5py.File]:
    """Open a bundle for reading.

    Raises:
        NotFoundError: No such file. InputError: Not a bundle, truncated, damaged.
    """
    with open_for_reading(path) as file:
        if _text_attribute(file, "format") != BUNDLE_FORMAT:
            raise InputError(
                "Not a Carez bundle", subject=str(path), hint="Give a file made by carez generate"
            )
        try:
            yield file
        except OSError as error:
            raise unreadable(path, error) from error
        except (KeyError, RefusedObjectError, ValueError) as error:
            raise InputError(
                f"The bundle is damaged: {str(error).strip(chr(34))}",
                subject=str(path),
                hint="Verify it with: carez bundle verify",
            ) from error


def read_header(path: Path) -> BundleHeader:
    """Return what a bundle says of itself.

    Raises:
        InputError: Not a bundle, or damaged.
    """
    with open_bundle(path) as file:
        facts = plain_attributes(file)
        return BundleHeader(
            bundle_uuid=facts["bundle_uuid"],
            created_utc=facts["created_utc"],
            producer=facts["producer"],
            license=facts["license"],
            intended_use=facts["intended_use"],
            state=BundleState(facts["state"]),
            revision=int(facts["revision"]),
            previous_root=facts["previous_root"],
            stand_in=facts["simulated_stand_in"] == "YES",
        )


def read_root(path: Path) -> str:
    """Return the Merkle root that the bundle states; verification recomputes it."""
    with open_bundle(path) as file:
        return _text_attribute(member(file, "manifest"), "merkle_root")


def list_cases(path: Path) -> tuple[CaseEntry, ...]:
    """Return the cases of a bundle, sorted by name, without reading pixels.

    Raises:
        InputError: Not a bundle, or damaged.
    """
    with open_bundle(path) as file:
        cases = member(file, "cases")
        return tuple(_entry(case_id, member(cases, case_id)) for case_id in sorted(cases))


def read_case_volume(path: Path, case_id: str) -> Volume:
    """Load the image of a case; `volume_id` is `FILE.h5#CASE`.

    Raises:
        NotFoundError: No such case. InputError: Not a bundle, or the case is damaged.
    """
    with open_bundle(path) as file:
        group = _case(file, path, case_id)
        image = member(group, "image")
        facts = plain_attributes(image)
        geometry = _geometry(image.shape, facts)
        return Volume(
            volume_id=f"{path}#{case_id}",
            array=read_voxels(image),
            geometry=geometry,
            modality=facts["modality"],
            units=facts["units"],
            kind=VolumeKind.SYNTHETIC,
            frame_of_reference_uid=facts["frame_of_reference_uid"],
            padding_value=facts.get("padding_value"),
            window_center=facts.get("window_center"),
            window_width=facts.get("window_width"),
            attributes={
                "series_description": f"SYNTHETIC {case_id}",
                "patient_name": f"SYNTHETIC^{case_id}",
                "generator": _text_attribute(member(group, "generation"), "generator_id"),
            },
        )


def read_case_labels(path: Path, case_id: str) -> tuple[LabelMap, ...]:
    """Load the label maps of a case; they lie on the grid of its image.

    Raises:
        NotFoundError: No such case. InputError: Not a bundle, or the case is damaged.
    """
    with open_bundle(path) as file:
        labels = member(_case(file, path, case_id), "labels")
        return tuple(_label(name, member(labels, name)) for name in sorted(labels))


def read_case_record(path: Path, case_id: str) -> dict[str, Any]:
    """Return the generation record: conditions, seed, digests, physics settings, environment.

    Raises:
        NotFoundError: No such case. InputError: Not a bundle, or damaged.
    """
    with open_bundle(path) as file:
        record = read_json(member(_case(file, path, case_id), "generation"), "record")
        return dict(record)


def read_evaluation(path: Path) -> dict[str, Any] | None:
    """Return the evaluation as plain data, or None; counts under 11 read `<=10`.

    Raises:
        InputError: Not a bundle, or damaged.
    """
    with open_bundle(path) as file:
        if "evaluation" not in file:
            return None
        group = member(file, "evaluation")
        facts = plain_attributes(group)
        return {
            "created_utc": facts["created_utc"],
            "is_negative": facts["negative"] == "YES",
            "required": [name for name in facts["required"].split(",") if name],
            "plan": read_json(group, "plan"),
            "axes": [
                _axis(axis, member(group, axis.value)) for axis in Axis if axis.value in group
            ],
        }


def read_parts(path: Path) -> dict[str, Any]:
    """Return coverage, provenance, audit extract and cards as plain data.

    Raises:
        InputError: Not a bundle, or damaged.
    """
    with open_bundle(path) as file:
        cards, sources = member(file, "cards"), member(file, "provenance")
        return {
            "coverage": read_json(member(file, "coverage"), "matrix"),
            "provenance": read_json(sources, "prov"),
            "audit": read_json(sources, "audit"),
            "cards": {name: read_text(cards, name) for name in sorted(cards)},
        }


def _case(file: h5py.File, path: Path, case_id: str) -> h5py.Group:
    cases = member(file, "cases")
    if not is_safe_name(case_id) or case_id not in cases:
        known = ", ".join(sorted(cases)[:5]) + (", ..." if len(cases) > 5 else "")
        raise NotFoundError(
            "The bundle has no such case",
            subject=f"{path.name}#{case_id}",
            hint=f"It has {counted(len(cases), 'case')}: {known}",
        )
    return member(cases, case_id)


def _axis(axis: Axis, group: h5py.Group) -> dict[str, Any]:
    return {
        "axis": axis.value,
        "verdict": _text_attribute(group, "verdict"),
        "reason": read_text(group, "reason"),
        "method": read_text(group, "method"),
        "measurements": read_json(group, "measurements"),
        "details": read_json(group, "details"),
    }


def _entry(case_id: str, group: h5py.Group) -> CaseEntry:
    image = member(group, "image")
    facts = plain_attributes(image)
    generation = plain_attributes(member(group, "generation"))
    slices, rows, columns = image.shape
    return CaseEntry(
        case_id=case_id,
        shape=(slices, rows, columns),
        spacing_mm=_triple(facts["spacing_mm"]),
        modality=facts["modality"],
        units=facts["units"],
        privacy_class=facts["privacy_class"],
        labels=tuple(sorted(member(group, "labels"))),
        sha256=facts["sha256"],
        generator_id=generation["generator_id"],
        generator_version=generation["generator_version"],
        coverage_cell=json.loads(facts["coverage_cell"]),
    )


def _label(name: str, dataset: h5py.Dataset) -> LabelMap:
    segments = json.loads(_text_attribute(dataset, "segments"))
    return LabelMap(
        name=name,
        array=read_voxels(dataset),
        segments={
            int(value): (code["code_value"], code["coding_scheme"], code["code_meaning"])
            for value, code in segments.items()
        },
    )


def _geometry(shape: tuple[int, ...], facts: dict[str, Any]) -> VolumeGeometry:
    slices, rows, columns = shape
    return VolumeGeometry.from_parts(
        (slices, rows, columns),
        _triple(facts["spacing_mm"]),
        facts["origin_lps"],
        np.asarray(facts["direction_lps"]),
    )


def _triple(values: list[float]) -> tuple[float, float, float]:
    first, second, third = values
    return (first, second, third)


def _text_attribute(item: h5py.Group | h5py.Dataset, name: str) -> str:
    value = item.attrs.get(name, b"")
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
