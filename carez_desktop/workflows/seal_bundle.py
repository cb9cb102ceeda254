"""Seal a bundle: a new revision that carries the site's signature over its root."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from carez_desktop.domain.bundle import (
    FILE_PREDICATE_TYPE,
    ROOT_DIGEST_NAME,
    SEAL_PREDICATE_TYPE,
    BundleHeader,
    BundleState,
    BundleSummary,
)
from carez_desktop.domain.provenance import with_activity
from carez_desktop.errors import InputError
from carez_desktop.progress import (
    IGNORE,
    NEVER,
    SILENT,
    CancellationToken,
    PartProgress,
    ProgressReporter,
)
from carez_desktop.workflows.context import WorkflowContext
from carez_desktop.workflows.verify_bundle import DETACHED_SUFFIX

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from carez_desktop.hdf5.assembly import SealSignature


def seal_bundle(
    context: WorkflowContext,
    *,
    bundle: Path,
    out: Path | None = None,
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
    partial: Callable[[object], None] = IGNORE,
) -> BundleSummary:
    """Sign a bundle with the site's key; write the statement about the whole file beside it.

    Args:
        context: The site; its key signs, its audit chain goes along.
        bundle: Draft, evaluated, or sealed before; checked first.
        out: None replaces the bundle atomically; another path must not exist.
        progress: From 0 to 1.
        cancel: Asked throughout.
        partial: Receives the summary.

    Raises:
        InputError: The bundle is not intact, naming the object. UsageError: `out` exists.
        StorageError: It cannot be written, or the key cannot be read.
    """
    from carez_desktop.hdf5.assembly import refuse_existing, revise_bundle
    from carez_desktop.system.keys import load_or_create_signing_key

    target = out or bundle
    if out is not None:
        refuse_existing(out, overwrite=False)
    root, header = next_revision(context, bundle, BundleState.SEALED, cancel=cancel)
    key = load_or_create_signing_key(context.home)
    head = context.audit_log.head()
    progress.report(0.3, "Sealing")
    sealed = revise_bundle(
        bundle,
        target,
        header=header,
        provenance=lambda document: with_activity(
            document,
            f"sealing-{header.revision}",
            ended_utc=header.created_utc,
            used_root=root,
            kind="sealing",
        ),
        audit_extract=context.audit_log.extract(),
        seal=lambda new_root: _sign_root(key, new_root, header, head),
        progress=PartProgress(progress, 0.3, 0.95),
        cancel=cancel,
    )
    _write_detached(key, sealed, header)
    context.audit_log.append(
        "seal_bundle",
        bundle_uuid=sealed.bundle_uuid,
        revision=sealed.revision,
        root=sealed.root,
        keyid=sealed.keyid,
    )
    progress.report(1.0, "Sealed")
    partial(sealed)
    return sealed


def next_revision(
    context: WorkflowContext,
    bundle: Path,
    state: BundleState,
    *,
    cancel: CancellationToken = NEVER,
) -> tuple[str, BundleHeader]:
    """Check a bundle and return its root and the header of its next revision.

    Raises:
        InputError: It is not intact, naming the first object that is not.
    """
    from carez_desktop.hdf5.reader import read_header
    from carez_desktop.hdf5.validator import examine_bundle

    examined = examine_bundle(bundle, cancel=cancel)
    if not examined.is_intact:
        first = examined.findings[0]
        raise InputError(
            f"The bundle is not intact: {first.text}",
            subject=f"{bundle.name}:{first.subject}",
            hint="Make it again; carez bundle verify lists all that is wrong",
        )
    header = read_header(bundle)
    return examined.root, replace(
        header,
        state=state,
        revision=header.revision + 1,
        previous_root=examined.root,
        created_utc=context.clock().isoformat(timespec="seconds"),
    )


def _sign_root(
    key: Ed25519PrivateKey, root: str, header: BundleHeader, audit_head: str
) -> SealSignature:
    from carez_desktop.hdf5.assembly import SealSignature
    from carez_desktop.system.keys import key_id, public_bytes
    from carez_desktop.system.signing import sign, statement_for

    statement = statement_for(
        f"urn:uuid:{header.bundle_uuid}",
        {ROOT_DIGEST_NAME: root},
        SEAL_PREDICATE_TYPE,
        {**_facts(header), "audit_head": audit_head, "intended_use": header.intended_use},
    )
    public = public_bytes(key)
    return SealSignature(key_id(public), public.hex(), sign(statement, key))


def _write_detached(key: Ed25519PrivateKey, sealed: BundleSummary, header: BundleHeader) -> None:
    """Write `<bundle>.intoto.jsonl`: a signed statement about the bytes of the whole file."""
    from carez_desktop.system.file_safety import atomic_output
    from carez_desktop.system.signing import sign, statement_for

    with sealed.bundle.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    statement = statement_for(
        sealed.bundle.name,
        {"sha256": digest},
        FILE_PREDICATE_TYPE,
        {**_facts(header), "merkle_root": sealed.root},
    )
    path = sealed.bundle.with_name(sealed.bundle.name + DETACHED_SUFFIX)
    with atomic_output(path, "The statement cannot be written") as part:
        part.write_text(json.dumps(sign(statement, key)) + "\n", encoding="utf-8")


def _facts(header: BundleHeader) -> Mapping[str, Any]:
    return {
        "bundle_uuid": header.bundle_uuid,
        "revision": header.revision,
        "previous_root": header.previous_root,
        "state": header.state.value,
        "sealed_utc": header.created_utc,
    }
