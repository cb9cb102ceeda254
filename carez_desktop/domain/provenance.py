"""Who made what from what, with what: W3C PROV as PROV-JSON plain data.

PROV-DM (https://www.w3.org/TR/prov-dm/) and PROV-JSON (https://www.w3.org/submissions/prov-json/).
A document is built step by step; each function returns a new one. Nothing in it may name a patient,
a person or a place on a disk: sources are named by keyed digests.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Document = dict[str, Any]

PREFIXES = {"carez": "urn:carez-desktop:", "bundle": "urn:uuid:"}


@dataclass(frozen=True, slots=True)
class CaseOrigin:
    """What one case was made from.

    Attributes:
        image_sha256: Names the case's image.
        package_digest: SHA-256 of the generator package's manifest.
        source_digest: Keyed digest of the source volume, "" for none.
    """

    case_id: str
    image_sha256: str
    generator_id: str
    generator_version: str
    package_digest: str
    seed: int
    source_digest: str = ""
    conditions: Mapping[str, Any] = field(default_factory=dict)


def start_document(bundle_uuid: str, producer: str) -> Document:
    """Return a document with the bundle as an entity and the software as an agent."""
    return {
        "prefix": dict(PREFIXES),
        "entity": {f"bundle:{bundle_uuid}": {"prov:type": "prov:Bundle"}},
        "agent": {
            "carez:software": {"prov:type": "prov:SoftwareAgent", "prov:label": producer},
        },
        "activity": {},
    }


def describe_generation(
    bundle_uuid: str,
    producer: str,
    cases: Sequence[CaseOrigin],
    *,
    started_utc: str,
    ended_utc: str,
    environment: Mapping[str, Any] | None = None,
) -> Document:
    """Return the provenance of a fresh bundle: an activity, and one entity each case.

    Args:
        bundle_uuid: Of the header.
        producer: Product, version and site; never a person.
        cases: In the order in which they were made.
        started_utc: ISO 8601.
        ended_utc: ISO 8601.
        environment: Of `system.environment.describe_environment`.
    """
    document = start_document(bundle_uuid, producer)
    activity = f"carez:generation-{bundle_uuid}"
    document["activity"][activity] = {
        "prov:startTime": started_utc,
        "prov:endTime": ended_utc,
        "prov:type": "carez:generation",
        **{f"carez:{key}": _scalar(value) for key, value in sorted((environment or {}).items())},
    }
    _relate(document, "wasAssociatedWith", {"prov:activity": activity, **_AGENT})
    for case in cases:
        _add_case(document, bundle_uuid, activity, case)
    return document


def with_activity(
    document: Mapping[str, Any], name: str, *, ended_utc: str, used_root: str, kind: str
) -> Document:
    """Return the document with one more activity that used the revision before (`used_root`).

    Args:
        document: The provenance so far; not changed.
        name: Unique in the document (`evaluation-2`).
        ended_utc: ISO 8601.
        used_root: Merkle root of the revision that was read.
        kind: `evaluation` or `sealing`.
    """
    made = copy.deepcopy(dict(document))
    for section in ("entity", "activity", "agent"):
        made.setdefault(section, {})
    made["agent"].setdefault("carez:software", {"prov:type": "prov:SoftwareAgent"})
    activity, revision = f"carez:{name}", f"carez:root-{used_root}"
    made["activity"][activity] = {"prov:endTime": ended_utc, "prov:type": f"carez:{kind}"}
    made["entity"].setdefault(revision, {"prov:type": "carez:bundle-revision"})
    _relate(made, "used", {"prov:activity": activity, "prov:entity": revision})
    _relate(made, "wasAssociatedWith", {"prov:activity": activity, **_AGENT})
    return made


_AGENT = {"prov:agent": "carez:software"}


def _add_case(document: Document, bundle_uuid: str, activity: str, case: CaseOrigin) -> None:
    entity = f"carez:{bundle_uuid}/{case.case_id}"
    package = f"carez:package-{case.package_digest}"
    document["entity"][entity] = {
        "prov:type": "carez:synthetic-case",
        "carez:image_sha256": case.image_sha256,
        "carez:seed": str(case.seed),
        **{f"carez:condition_{k}": _scalar(v) for k, v in sorted(case.conditions.items())},
    }
    document["entity"].setdefault(
        package,
        {
            "prov:type": "carez:generator-package",
            "carez:generator_id": case.generator_id,
            "carez:generator_version": case.generator_version,
        },
    )
    _relate(document, "wasGeneratedBy", {"prov:entity": entity, "prov:activity": activity})
    used = {"prov:activity": activity, "prov:entity": package}
    if used not in document.get("used", {}).values():
        _relate(document, "used", used)
    _relate(
        document,
        "hadMember",
        {"prov:collection": f"bundle:{bundle_uuid}", "prov:entity": entity},
    )
    if case.source_digest:
        source = "carez:source-" + case.source_digest.replace(":", "-")
        document["entity"].setdefault(source, {"prov:type": "carez:source-volume"})
        _relate(
            document,
            "wasDerivedFrom",
            {"prov:generatedEntity": entity, "prov:usedEntity": source},
        )


def _relate(document: Document, relation: str, members: Mapping[str, str]) -> None:
    relations = document.setdefault(relation, {})
    relations[f"_:{relation}{len(relations) + 1}"] = dict(members)


def _scalar(value: Any) -> Any:
    if isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {item}" for key, item in sorted(value.items()))
    return str(value)
