"""Examine a bundle as a hostile file: structure, limits, and every digest of its manifest.

`examine_bundle` does it in a child process with limits; `examine_file` is what the child runs.
Signatures are returned as they are stored: who trusts which key is no question of the file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py

from carez_desktop.domain.bundle import BUNDLE_FORMAT, BundleState
from carez_desktop.domain.codec import to_plain
from carez_desktop.domain.finding import Finding, Severity
from carez_desktop.errors import CarezError, InputError, NotFoundError
from carez_desktop.hdf5.manifest import (
    MANIFEST_GROUP,
    SIGNATURES_GROUP,
    Manifest,
    build_manifest,
    compare_manifests,
    read_stored_lines,
)
from carez_desktop.hdf5.plain_storage import plain_attributes, read_json, unreadable
from carez_desktop.progress import NEVER, CancellationToken
from carez_desktop.system.limited_process import run_limited

MEMORY_MIB = 4096
_BASE_TIMEOUT_S = 60.0
_BYTES_PER_SECOND = 10e6
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_GROUPS = frozenset(
    {
        "specification",
        "cases",
        "coverage",
        "evaluation",
        "provenance",
        "cards",
        MANIFEST_GROUP,
        SIGNATURES_GROUP,
    }
)
_OPTIONAL = frozenset({"evaluation", SIGNATURES_GROUP})
_HEADER = frozenset(
    {
        "format",
        "format_version",
        "state",
        "revision",
        "previous_root",
        "schema_sha256",
        "bundle_uuid",
        "created_utc",
        "producer",
        "synthetic",
        "simulated_stand_in",
        "intended_use",
        "license",
    }
)
_MANIFEST_ATTRIBUTES = {"algorithm", "merkle_root", "entries"}
_CASE_MEMBERS = ("image", "labels", "generation")


@dataclass(frozen=True, slots=True)
class Examination:
    """What a bundle holds, as far as it can be told without knowing whom to trust.

    Attributes:
        root: Merkle root recomputed from the content, "" where the file cannot be read.
        header: Attributes of the root group.
        signatures: Each `keyid`, `public_key`, `envelope`, as stored.
    """

    findings: tuple[Finding, ...]
    root: str
    entries: int
    header: Mapping[str, Any]
    signatures: tuple[Mapping[str, Any], ...]

    @property
    def is_intact(self) -> bool:
        """Whether nothing was changed, added or dropped since the manifest was written."""
        return not any(finding.severity is Severity.ERROR for finding in self.findings)


def examine_bundle(path: Path, *, cancel: CancellationToken = NEVER) -> Examination:
    """Examine a bundle in a child process with limits of memory, time and files.

    Raises:
        NotFoundError: No such file. InputError: Not a bundle: empty, text, truncated.
        ChildCrashError: It crashed its reader, or ran over a limit. CancelledError: Stopped.
    """
    if not path.is_file():
        raise NotFoundError("No such bundle", subject=str(path), hint="Check the path")
    answer = run_limited(
        "carez_desktop.hdf5.validator:examine_file",
        {"path": str(path)},
        memory_mib=MEMORY_MIB,
        timeout_s=_BASE_TIMEOUT_S + path.stat().st_size / _BYTES_PER_SECOND,
        cancel=cancel,
    )
    findings = tuple(
        Finding(Severity(item["severity"]), item["code"], item["subject"], item["text"])
        for item in answer["findings"]
    )
    return Examination(
        findings,
        answer["root"],
        answer["entries"],
        answer["header"],
        tuple(answer["signatures"]),
    )


def examine_file(path: str) -> dict[str, Any]:
    """Examine a bundle in this process; the result is plain data.

    Raises:
        InputError: Not a bundle: empty, text, truncated.
    """
    place = Path(path)
    _refuse_other_formats(place)
    try:
        file = h5py.File(place, "r")
    except OSError as error:
        if "truncated" in str(error) or isinstance(error, PermissionError):
            raise unreadable(place, error) from error
        return _unreadable_answer("/", "The file's root cannot be read, it is damaged")
    with file:
        try:
            return _examine(file, place)
        except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
            text = str(error).strip("'\"").split("\n", 1)[0]
            return _unreadable_answer("/", f"The file is damaged: {text[:160]}")


def _examine(file: h5py.File, path: Path) -> dict[str, Any]:
    found = build_manifest(file, path.stat().st_size)
    header_names = {entry for entry in found.entries if entry.startswith("/@")}
    if "/@format" not in header_names and MANIFEST_GROUP not in file:
        raise InputError(
            "Not a Carez bundle", subject=str(path), hint="Give a file made by carez generate"
        )
    header = {
        name: value for name, value in plain_attributes(file).items() if f"/@{name}" in header_names
    }
    findings = [
        *found.findings,
        *_compare(file, found),
        *_header_findings(header),
        *_member_findings(file, found),
    ]
    signatures, more = _read_signatures(file)
    findings += more
    if header.get("state") == BundleState.SEALED.value and not signatures:
        findings.append(
            _error("signature_missing", f"/{SIGNATURES_GROUP}", "A sealed bundle has no signature")
        )
    return {
        "findings": [to_plain(finding) for finding in _first_of_each(findings)],
        "root": found.root,
        "entries": len(found.entries),
        "header": header,
        "signatures": signatures,
    }


def _refuse_other_formats(path: Path) -> None:
    try:
        with path.open("rb") as stream:
            start = stream.read(len(_SIGNATURE))
    except OSError as error:
        raise unreadable(path, error) from error
    if start != _SIGNATURE:
        what = "The file is empty" if not start else "Not an HDF5 file"
        raise InputError(what, subject=str(path), hint="Give a bundle, FILE.h5")


def _compare(file: h5py.File, found: Manifest) -> list[Finding]:
    try:
        stored = read_stored_lines(file)
    except CarezError as error:
        return [_error("manifest_missing", "/manifest/lines", error.what)]
    findings = list(compare_manifests(stored, found))
    stated = plain_attributes(file[MANIFEST_GROUP])
    if stated.keys() != _MANIFEST_ATTRIBUTES or set(file[MANIFEST_GROUP]) != {"lines"}:
        findings.append(
            _error("unlisted_object", "/manifest", "It holds more or less than a manifest does")
        )
    if stated.get("merkle_root") != found.root or stated.get("entries") != len(found.entries):
        findings.append(
            _error("wrong_root", "/manifest@merkle_root", "It is not the root of the content")
        )
    return findings


def _header_findings(header: Mapping[str, Any]) -> list[Finding]:
    findings = [
        _error("header", f"/@{name}", "The header lacks it") for name in _HEADER - header.keys()
    ]
    findings += [
        _error("header", f"/@{name}", "The header may not hold it")
        for name in header.keys() - _HEADER
    ]
    if header.get("format") != BUNDLE_FORMAT:
        findings.append(_error("header", "/@format", f"It is not {BUNDLE_FORMAT}"))
    if not re.fullmatch(r"1\.\d+\.\d+", str(header.get("format_version"))):
        findings.append(_error("header", "/@format_version", "It is not a version known here"))
    if header.get("synthetic") != "YES":
        findings.append(_error("header", "/@synthetic", "The content is not marked as synthetic"))
    if header.get("state") not in {state.value for state in BundleState}:
        findings.append(_error("header", "/@state", "It is not draft, evaluated or sealed"))
    return findings


def _member_findings(file: h5py.File, found: Manifest) -> list[Finding]:
    """Check that the file holds the groups of a bundle, and each case its members."""
    members = set(file["/"])
    findings = [
        _error("layout", f"/{name}", "A bundle has no such part") for name in members - _GROUPS
    ]
    findings += [
        _error("layout", f"/{name}", "The bundle lacks this part")
        for name in _GROUPS - _OPTIONAL - members
    ]
    cases = [path for path in found.entries if path.startswith("/cases/") and path.count("/") == 2]
    for case in (path for path in cases if "@" not in path):
        findings += [
            _error("layout", f"{case}/{name}", "The case lacks this part")
            for name in _CASE_MEMBERS
            if f"{case}/{name}" not in found.entries
        ]
        findings += _stated_digest_findings(file, found, case)
    return findings


def _stated_digest_findings(file: h5py.File, found: Manifest, case: str) -> list[Finding]:
    """The `sha256` that an image or label states must be that of its voxels."""
    return [
        _error("stated_digest", f"{path}@sha256", "It is not the digest of the voxels")
        for path, entry in found.entries.items()
        if path.startswith((f"{case}/image", f"{case}/labels/"))
        and entry["kind"] == "dataset"
        and plain_attributes(file[path]).get("sha256") != entry["sha256"]
    ]


def _read_signatures(file: h5py.File) -> tuple[list[dict[str, Any]], list[Finding]]:
    group = file.get(SIGNATURES_GROUP)
    if group is None:
        return [], []
    if not isinstance(group, h5py.Group) or len(group.attrs) or not len(group):
        return [], [_error("unlisted_object", f"/{SIGNATURES_GROUP}", "Not a set of signatures")]
    signatures, findings = [], []
    for name in sorted(group):
        subject = f"/{SIGNATURES_GROUP}/{name}"
        item = group[name]
        facts = plain_attributes(item)
        if not re.fullmatch(r"[0-9a-f]{64}", name) or facts.keys() != {"public_key"}:
            findings.append(_error("unlisted_object", subject, "It is not a signature"))
            continue
        try:
            envelope = read_json(group, name)
        except CarezError as error:
            findings.append(_error("signature_damaged", subject, error.what))
            continue
        signatures.append(
            {"keyid": name, "public_key": str(facts["public_key"]), "envelope": envelope}
        )
    return signatures, findings


def _first_of_each(findings: list[Finding]) -> list[Finding]:
    """Keep one finding for each subject: the first says best what is wrong there."""
    kept: dict[str, Finding] = {}
    for finding in findings:
        kept.setdefault(finding.subject, finding)
    return list(kept.values())


def _unreadable_answer(subject: str, text: str) -> dict[str, Any]:
    finding = _error("damaged", subject, text)
    return {
        "findings": [to_plain(finding)],
        "root": "",
        "entries": 0,
        "header": {},
        "signatures": [],
    }


def _error(code: str, subject: str, text: str) -> Finding:
    return Finding(Severity.ERROR, code, subject, text)
