"""Write the parts of a bundle: header, specification, coverage, evaluation, provenance, cards."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import h5py

from carez_desktop.domain.bundle import BUNDLE_FORMAT, FORMAT_VERSION, BundleHeader
from carez_desktop.domain.codec import to_plain
from carez_desktop.domain.coverage_disclosure import suppress_coverage
from carez_desktop.domain.disclosure import (
    scrub,
    suppress_small_counts,
    suppress_small_counts_in_text,
)
from carez_desktop.domain.evaluation import AxisResult, Evaluation
from carez_desktop.errors import UsageError
from carez_desktop.hdf5.object_names import is_safe_name
from carez_desktop.hdf5.plain_storage import write_attributes, write_json, write_text
from carez_desktop.system.paths import resource_path

LAYOUT_RESOURCE = "specification/bundle-format.md"
SCHEMA_RESOURCE = "specification/carez-bundle.schema.json"


def write_header(file: h5py.File, header: BundleHeader) -> None:
    """Write the root group's attributes."""
    schema = resource_path(SCHEMA_RESOURCE).read_bytes()
    write_attributes(
        file,
        {
            "format": BUNDLE_FORMAT,
            "format_version": FORMAT_VERSION,
            "state": header.state.value,
            "revision": header.revision,
            "previous_root": header.previous_root,
            "schema_sha256": hashlib.sha256(schema).hexdigest(),
            "bundle_uuid": header.bundle_uuid,
            "created_utc": header.created_utc,
            "producer": header.producer,
            "synthetic": "YES",
            "simulated_stand_in": "YES" if header.stand_in else "NO",
            "intended_use": header.intended_use,
            "license": header.license,
        },
    )


def write_specification(file: h5py.File) -> None:
    """Write the layout text and the JSON Schema that the file obeys."""
    group = file.create_group("specification")
    write_text(group, "layout", resource_path(LAYOUT_RESOURCE).read_text(encoding="utf-8"))
    write_text(group, "schema", resource_path(SCHEMA_RESOURCE).read_text(encoding="utf-8"))


def write_coverage(file: h5py.File, coverage: Any) -> None:
    """Write the coverage matrix with its small counts suppressed.

    Args:
        file: Open for writing.
        coverage: Record or plain data: axes, cells with counts before and after, target cells.
    """
    group = file.create_group("coverage")
    write_json(group, "matrix", scrub(suppress_small_counts(suppress_coverage(coverage))))


def write_evaluation(file: h5py.File, evaluation: Evaluation) -> None:
    """Write one group for each axis; small numbers of subjects are suppressed."""
    group = file.create_group("evaluation")
    write_attributes(
        group,
        {
            "created_utc": evaluation.created_utc,
            "negative": "YES" if evaluation.is_negative else "NO",
            "required": ",".join(axis.value for axis in evaluation.required),
        },
    )
    write_json(group, "plan", scrub(evaluation.plan))
    for result in sorted(evaluation.axes, key=lambda item: item.axis.value):
        _write_axis(group.create_group(result.axis.value), result)


def _write_axis(group: h5py.Group, result: AxisResult) -> None:
    write_attributes(group, {"verdict": result.verdict.value})
    write_text(group, "reason", scrub(suppress_small_counts_in_text(result.reason)))
    write_text(group, "method", scrub(result.method))
    measurements = [to_plain(measurement) for measurement in result.measurements]
    write_json(group, "measurements", scrub(suppress_small_counts(measurements)))
    write_json(group, "details", scrub(suppress_small_counts(result.details)))


def write_provenance(
    file: h5py.File, provenance: Mapping[str, Any], audit_extract: Sequence[Mapping[str, Any]]
) -> None:
    """Write the PROV-JSON document and the chained audit extract."""
    group = file.create_group("provenance")
    write_json(group, "prov", provenance)
    write_json(group, "audit", list(audit_extract))


def write_cards(file: h5py.File, cards: Mapping[str, str]) -> None:
    """Write the cards: model cards, datasheet, Croissant.

    Raises:
        UsageError: For a card whose name cannot be a name in the file.
    """
    group = file.create_group("cards")
    for name in sorted(cards):
        if not is_safe_name(name):
            raise UsageError("Not a name for a card", subject=name, hint="Use letters, '-', '_'")
        write_text(group, name, scrub(cards[name]))
