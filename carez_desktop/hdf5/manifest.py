"""The manifest: one entry for each group, dataset and attribute, and the Merkle root over them.

An entry is one line of canonical JSON. Lines are sorted by path; the attribute `name` of the object
`/a/b` has the path `/a/b@name`. All links are hard and no object has two names, so the list of
paths is the list of links too. `/manifest` and `/signatures` are left out: the root cannot cover
itself, and what signs it comes later; `validator` allows nothing else below those two.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np

from carez_desktop.domain.codec import canonical_json
from carez_desktop.domain.finding import Finding, Severity
from carez_desktop.domain.merkle import merkle_root
from carez_desktop.hdf5.chunk_decoding import iterate_voxels
from carez_desktop.hdf5.object_walk import (
    ALLOWED_FILTERS,
    Quota,
    expansion_quota,
    walk,
)
from carez_desktop.hdf5.plain_storage import read_text, write_attributes, write_text
from carez_desktop.progress import NEVER, CancellationToken

MANIFEST_GROUP = "manifest"
SIGNATURES_GROUP = "signatures"
_OUTSIDE = (MANIFEST_GROUP, SIGNATURES_GROUP)


@dataclass(frozen=True, slots=True)
class Manifest:
    """Entries in the order of their paths."""

    entries: Mapping[str, Mapping[str, Any]]
    findings: tuple[Finding, ...] = ()

    @property
    def lines(self) -> list[bytes]:
        """Canonical JSON of each entry, sorted by path."""
        return [canonical_json(self.entries[path]) for path in sorted(self.entries)]

    @property
    def root(self) -> str:
        """Merkle root (hex) over the lines."""
        return merkle_root(self.lines)


def build_manifest(
    file: h5py.File,
    file_size: int,
    *,
    known_digests: Mapping[str, str] | None = None,
    cancel: CancellationToken = NEVER,
) -> Manifest:
    """Describe everything in a file; what may not be in a bundle becomes a finding.

    Args:
        file: Open for reading or writing.
        file_size: Bytes; bounds what the file may unfold to.
        known_digests: Path -> SHA-256 of datasets that the caller has just written, so that they
            need not be read again; verification never gives any.
        cancel: Asked at each object.
    """
    entries: dict[str, Mapping[str, Any]] = {}
    findings: list[Finding] = []
    known = known_digests or {}
    quota: Quota = expansion_quota(file_size)

    def visit(path: str, item: h5py.Group | h5py.Dataset) -> None:
        cancel.raise_if_cancelled()
        if path.split("/")[1] in _OUTSIDE:
            return
        for entry in _entries_of(path, item, known.get(path)):
            entries[entry["path"]] = entry

    walk(file, visit, findings.append, quota)
    return Manifest(entries, tuple(findings))


def write_manifest(file: h5py.File, manifest: Manifest) -> None:
    """Write the entries and their root into `/manifest`."""
    group = file.create_group(MANIFEST_GROUP)
    write_attributes(
        group,
        {
            "algorithm": "sha256, RFC 6962 tree hash over lines of canonical JSON",
            "merkle_root": manifest.root,
            "entries": len(manifest.entries),
        },
    )
    write_text(group, "lines", b"\n".join(manifest.lines).decode())


def read_stored_lines(file: h5py.File) -> list[bytes]:
    """Return the lines of `/manifest` as they are stored.

    Raises:
        NotFoundError: The file has no manifest. InputError: It is not a text.
    """
    group = file.get(MANIFEST_GROUP)
    source = group if isinstance(group, h5py.Group) else file
    return read_text(source, "lines").encode().split(b"\n")


def compare_manifests(stored: Sequence[bytes], found: Manifest) -> tuple[Finding, ...]:
    """Name each object that was changed, added or dropped since the manifest was written."""
    expected: dict[str, Mapping[str, Any]] = {}
    for line in stored:
        entry = _parse(line)
        if entry is None:
            return (_finding("manifest_damaged", "/manifest", "A line of it is not an entry"),)
        expected[entry["path"]] = entry
    findings = [
        *_missing(expected.keys() - found.entries.keys()),
        *_added(found.entries.keys() - expected.keys()),
        *(
            _changed(path, expected[path], found.entries[path])
            for path in sorted(expected.keys() & found.entries.keys())
            if expected[path] != found.entries[path]
        ),
    ]
    if not findings and list(stored) != found.lines:
        findings.append(_finding("manifest_damaged", "/manifest", "It is not in canonical form"))
    return tuple(findings)


def data_digest(dataset: h5py.Dataset) -> str:
    """Return the SHA-256 (hex) of a dataset's little-endian C-order bytes, read slab by slab.

    Raises:
        OSError: When a chunk is damaged (fletcher32, deflate).
    """
    digest = hashlib.sha256()
    if dataset.ndim == 0:
        digest.update(_little_bytes(np.asarray(dataset[()], dtype=dataset.dtype)))
        return digest.hexdigest()
    for piece in iterate_voxels(dataset):
        digest.update(_little_bytes(piece))
    return digest.hexdigest()


def _entries_of(
    path: str, item: h5py.Group | h5py.Dataset, known: str | None
) -> Iterable[dict[str, Any]]:
    if isinstance(item, h5py.Dataset):
        plist = item.id.get_create_plist()
        yield {
            "path": path,
            "kind": "dataset",
            "dtype": item.dtype.str,
            "shape": list(item.shape),
            "chunks": list(item.chunks) if item.chunks else None,
            "filters": [_filter_name(plist, i) for i in range(plist.get_nfilters())],
            "fill_value": item.fillvalue.item() if item.dtype.kind in "iuf" else "",
            "sha256": known or data_digest(item),
        }
    else:
        yield {"path": path, "kind": "group"}
    for name in item.attrs:
        value = np.asarray(item.attrs[name], dtype=item.attrs.get_id(name).dtype)
        yield {
            "path": f"{path}@{name}",
            "kind": "attribute",
            "dtype": value.dtype.str,
            "shape": list(value.shape),
            "sha256": hashlib.sha256(_little_bytes(value)).hexdigest(),
        }


def _filter_name(plist: Any, index: int) -> str:
    code, _, values, _ = plist.get_filter(index)
    name = ALLOWED_FILTERS[code]
    return f"{name}:{values[0]}" if name == "deflate" else name


def _little_bytes(value: Any) -> memoryview | bytes:
    array = np.asarray(value)
    if array.dtype.kind not in "iuf":
        return array.tobytes()
    little = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False))
    return little.reshape(-1).view(np.uint8).data


def _parse(line: bytes) -> Mapping[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and isinstance(entry.get("path"), str) else None


def _finding(code: str, subject: str, text: str) -> Finding:
    return Finding(Severity.ERROR, code, subject, text)


def _missing(paths: Set[str]) -> list[Finding]:
    """Name what is missing, but not each attribute of an object that is itself missing."""
    return [
        _finding("missing_object", path, "It is in the manifest but cannot be read from the file")
        for path in sorted(paths)
        if "@" not in path or path.partition("@")[0] not in paths
    ]


def _added(paths: Iterable[str]) -> list[Finding]:
    return [
        _finding("unlisted_object", path, "It is in the file but not in the manifest")
        for path in sorted(paths)
    ]


def _changed(path: str, expected: Mapping[str, Any], found: Mapping[str, Any]) -> Finding:
    keys = sorted(key for key in {*expected, *found} if expected.get(key) != found.get(key))
    names = ", ".join("content" if key == "sha256" else key for key in keys)
    return _finding("changed_object", path, f"It was changed after the manifest: {names}")
