"""Assemble staged cases into a bundle, and make a new revision of one.

Both are deterministic: the same cases and header give the same bytes (with the same zlib). Written
is a `.part`, which is closed, reopened, validated, synchronised and renamed: a killed process
leaves the old file or none.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py

from carez_desktop.domain.bundle import BundleHeader, BundleState, BundleSummary
from carez_desktop.domain.evaluation import Evaluation
from carez_desktop.errors import InputError, StorageError, UsageError
from carez_desktop.hdf5.bundle_content import (
    write_cards,
    write_coverage,
    write_evaluation,
    write_header,
    write_provenance,
    write_specification,
)
from carez_desktop.hdf5.case_staging import STAGED_SUFFIX
from carez_desktop.hdf5.manifest import (
    SIGNATURES_GROUP,
    Manifest,
    build_manifest,
    compare_manifests,
    read_stored_lines,
    write_manifest,
)
from carez_desktop.hdf5.plain_storage import (
    create_file,
    open_for_reading,
    read_json,
    write_attributes,
    write_json,
)
from carez_desktop.progress import NEVER, SILENT, CancellationToken, ProgressReporter
from carez_desktop.system.file_safety import atomic_output, storage_error

_WHAT = "The bundle cannot be written"
_MARGIN_BYTES = 1 << 20
_KEPT_GROUPS = ("specification", "cases", "coverage", "cards")


@dataclass(frozen=True, slots=True)
class SealSignature:
    """A signature to be kept in the file.

    Attributes:
        public_key: 64 hexadecimal digits.
        envelope: DSSE envelope whose statement's subject is the Merkle root.
    """

    keyid: str
    public_key: str
    envelope: Mapping[str, Any]


def assemble_bundle(
    staged: Sequence[Path],
    out: Path,
    *,
    header: BundleHeader,
    coverage: Any,
    evaluation: Evaluation | None = None,
    provenance: Mapping[str, Any],
    cards: Mapping[str, str],
    audit_extract: Sequence[Mapping[str, Any]] = (),
    overwrite: bool = False,
    validate: bool = True,
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
) -> BundleSummary:
    """Assemble staged cases into one bundle, whole or not at all.

    Args:
        staged: Files of `stage_case`, in any order; they are only read.
        out: The bundle; its folder must exist.
        header: State, revision, names.
        coverage: Coverage matrix, record or plain data; small counts are suppressed here.
        evaluation: None for a draft.
        provenance: PROV-JSON, as of `domain.provenance.describe_generation`.
        cards: Name -> text.
        audit_extract: As of `AuditLog.extract`.
        overwrite: Whether an existing file may be replaced (atomically).
        validate: Whether to read all of it back before it gets its name; off in benchmarks only.
        progress: From 0 to 1.
        cancel: Asked at each case and object.

    Raises:
        UsageError: `out` exists, or no cases. InputError: A staged file cannot be used.
        StorageError: Full, read-only, not permitted. CancelledError: Nothing is left behind.
    """
    if not staged:
        raise UsageError("A bundle needs at least one case", subject=str(out), hint="Generate one")
    refuse_existing(out, overwrite=overwrite)
    _refuse_full_disk(out, sum(_size(path) for path in staged))

    def fill(file: h5py.File) -> dict[str, str]:
        write_header(file, header)
        write_specification(file)
        known = _copy_cases(file, staged, progress, cancel)
        write_coverage(file, coverage)
        if evaluation is not None:
            write_evaluation(file, evaluation)
        write_provenance(file, provenance, audit_extract)
        write_cards(file, cards)
        return known

    return _write(
        out,
        header,
        fill,
        None,
        overwrite=overwrite,
        validate=validate,
        progress=progress,
        cancel=cancel,
    )


def revise_bundle(
    bundle: Path,
    out: Path,
    *,
    header: BundleHeader,
    evaluation: Evaluation | None = None,
    provenance: Callable[[dict[str, Any]], Mapping[str, Any]] = dict,
    audit_extract: Sequence[Mapping[str, Any]] = (),
    seal: Callable[[str], SealSignature] | None = None,
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
) -> BundleSummary:
    """Write a new revision of a bundle; signatures of the old one are not carried over.

    Args:
        bundle: The old revision, verified by the caller.
        out: May be `bundle` itself, which is then replaced atomically.
        header: Of the new revision; names the old root.
        evaluation: None keeps the old one.
        provenance: Gives the new document from the old.
        audit_extract: Replaces the old one.
        seal: Gives the signature for the new root.
        progress: From 0 to 1.
        cancel: Asked at each object.

    Raises:
        InputError: The old file cannot be read. StorageError: The new one cannot be written.
    """
    _refuse_full_disk(out, _size(bundle))

    def fill(file: h5py.File) -> dict[str, str]:
        with open_for_reading(bundle) as old:
            write_header(file, header)
            for name in _KEPT_GROUPS:
                old.copy(old[name], file, name=name)
            if evaluation is not None:
                write_evaluation(file, evaluation)
            elif "evaluation" in old:
                old.copy(old["evaluation"], file, name="evaluation")
            document = provenance(read_json(old["provenance"], "prov"))
            write_provenance(file, document, audit_extract)
            return _digests_of_cases(file["cases"])

    return _write(
        out,
        header,
        fill,
        seal,
        overwrite=True,
        validate=True,
        progress=progress,
        cancel=cancel,
    )


def refuse_existing(out: Path, *, overwrite: bool) -> None:
    """Refuse to replace a file that the person did not ask to replace.

    Raises:
        UsageError: Naming the file.
    """
    if out.exists() and not overwrite:
        raise UsageError(
            "The output exists already", subject=str(out), hint="Choose another name, or remove it"
        )


def _write(
    out: Path,
    header: BundleHeader,
    fill: Callable[[h5py.File], dict[str, str]],
    seal: Callable[[str], SealSignature] | None,
    *,
    overwrite: bool,
    validate: bool,
    progress: ProgressReporter,
    cancel: CancellationToken,
) -> BundleSummary:
    try:
        with atomic_output(out, _WHAT) as part:
            with create_file(part) as file:
                known = fill(file)
                file.flush()
                manifest = build_manifest(
                    file, part.stat().st_size, known_digests=known, cancel=cancel
                )
                write_manifest(file, manifest)
                signature = seal(manifest.root) if seal else None
                if signature:
                    _write_signature(file, signature)
                cases = tuple(sorted(file["cases"]))
            progress.report(0.6, "Validating")
            if validate:
                _validate(part, manifest, cancel)
            progress.report(0.95, "Writing to disk")
            refuse_existing(out, overwrite=overwrite)  # another process may have been faster
    except (OSError, RuntimeError) as error:
        raise storage_error(error, out, _WHAT) from error
    progress.report(1.0, "Done")
    return BundleSummary(
        bundle=out.resolve(),
        bundle_uuid=header.bundle_uuid,
        state=BundleState(header.state),
        revision=header.revision,
        root=manifest.root,
        cases=cases,
        size_bytes=out.stat().st_size,
        keyid=signature.keyid if signature else "",
    )


def _copy_cases(
    file: h5py.File, staged: Sequence[Path], progress: ProgressReporter, cancel: CancellationToken
) -> dict[str, str]:
    """Copy each staged case, chunks as they are; return what its datasets say of their digests."""
    cases = file.create_group("cases")
    ordered = sorted(staged, key=lambda path: path.name)
    for index, path in enumerate(ordered):
        cancel.raise_if_cancelled()
        progress.report(0.6 * index / len(ordered), f"Case {index + 1} of {len(ordered)}")
        case_id = path.name.removesuffix(STAGED_SUFFIX)
        if case_id in cases:
            raise UsageError("Two cases have one name", subject=case_id, hint="Rename one")
        with open_for_reading(path) as source:
            group = cases.create_group(case_id)
            for name in sorted(source):
                source.copy(source[name], group, name=name)
    return _digests_of_cases(cases)


def _digests_of_cases(cases: h5py.Group) -> dict[str, str]:
    known = {}
    for case_id, group in cases.items():
        datasets = [("image", group["image"])]
        datasets += [(f"labels/{name}", item) for name, item in group["labels"].items()]
        for name, dataset in datasets:
            known[f"/cases/{case_id}/{name}"] = dataset.attrs["sha256"].decode()
    return known


def _write_signature(file: h5py.File, signature: SealSignature) -> None:
    group = file.create_group(SIGNATURES_GROUP)
    write_json(group, signature.keyid, signature.envelope)
    write_attributes(group[signature.keyid], {"public_key": signature.public_key})


def _validate(part: Path, written: Manifest, cancel: CancellationToken) -> None:
    """Read all of it back: what is on the disk must be what was meant.

    Raises:
        InputError: A staged case was damaged. StorageError: The disk gave back something else.
    """
    with open_for_reading(part) as file:
        found = build_manifest(file, part.stat().st_size, cancel=cancel)
        findings = (*found.findings, *compare_manifests(read_stored_lines(file), found))
    if findings:
        first = findings[0]
        kind = InputError if first.subject.startswith("/cases/") else StorageError
        raise kind(
            f"What was written is not what was read back: {first.text}",
            subject=first.subject,
            hint="Stage the case again, and check the disk",
        )
    if found.root != written.root:
        raise StorageError("The root changed", subject=str(part.parent), hint="Check the disk")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise InputError(
            "A case to be assembled cannot be read", subject=str(path), hint="Generate it again"
        ) from error


def _refuse_full_disk(out: Path, content_bytes: int) -> None:
    """Refuse before HDF5 runs into the end of the disk."""
    needed = content_bytes + _MARGIN_BYTES
    try:
        free = shutil.disk_usage(out.parent).free
    except OSError as error:
        raise storage_error(error, out, _WHAT) from error
    if free < needed:
        raise StorageError(
            f"The disk has {free >> 20} MiB free, the bundle needs {-(-needed >> 20)} MiB",
            subject=str(out.parent),
            hint="Free space on its disk, or choose another folder",
        )
