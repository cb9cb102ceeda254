"""Verify a bundle: is every object as it was, and who says so?"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from carez_desktop.domain.bundle import ROOT_DIGEST_NAME, BundleVerdict, SealVerdict
from carez_desktop.domain.finding import Finding, Severity
from carez_desktop.errors import CarezError, ChildCrashError
from carez_desktop.progress import IGNORE, NEVER, SILENT, CancellationToken, ProgressReporter
from carez_desktop.workflows.context import WorkflowContext

if TYPE_CHECKING:
    from collections.abc import Callable

    from carez_desktop.hdf5.validator import Examination

DETACHED_SUFFIX = ".intoto.jsonl"


def verify_bundle(
    context: WorkflowContext,
    *,
    bundle: Path,
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
    partial: Callable[[object], None] = IGNORE,
) -> BundleVerdict:
    """Check every object of a bundle against its manifest, and the signature over its root.

    The file is parsed in a child process with limits; one that crashes it is invalid.

    Returns:
        `valid`: intact, and signed by a key that this site trusts. `untrusted`: intact and signed,
        by an unknown key. `unsigned`: intact. `invalid`: changed, or wrongly signed.

    Raises:
        NotFoundError: No such file. InputError: Not a bundle: empty, text, truncated.
        CancelledError: Stopped.
    """
    from carez_desktop.hdf5.validator import examine_bundle

    progress.report(0.05, "Reading every object")
    try:
        examined = examine_bundle(bundle, cancel=cancel)
    except ChildCrashError as error:
        finding = Finding(Severity.ERROR, "reader_crashed", "/", error.what)
        return _log(context, _verdict(bundle, SealVerdict.INVALID, (finding,)))
    progress.report(0.9, "Checking the signature")
    verdict = judge(context, bundle, examined)
    progress.report(1.0, "Done")
    partial(verdict)
    return _log(context, verdict)


def judge(context: WorkflowContext, bundle: Path, examined: Examination) -> BundleVerdict:
    """Join what the file holds with whom this site trusts."""
    findings = list(examined.findings)
    keyid, trusted = "", False
    for stored in examined.signatures:
        subject = f"/signatures/{stored['keyid']}"
        try:
            good, is_trusted = _check_signature(context, stored, examined)
        except CarezError as error:
            findings.append(Finding(Severity.ERROR, "bad_signature", subject, error.what))
            continue
        if good and (is_trusted or not trusted):
            keyid, trusted = good, is_trusted
    findings += _detached_findings(bundle)
    is_broken = any(finding.severity is Severity.ERROR for finding in findings)
    if is_broken:
        outcome = SealVerdict.INVALID
    elif not keyid:
        outcome = SealVerdict.UNSIGNED
    else:
        outcome = SealVerdict.VALID if trusted else SealVerdict.UNTRUSTED
    return _verdict(bundle, outcome, tuple(findings), examined, keyid="" if is_broken else keyid)


def _check_signature(
    context: WorkflowContext, stored: Mapping[str, Any], examined: Examination
) -> tuple[str, bool]:
    """Return keyid and whether it is trusted.

    Raises:
        CarezError: The signature is wrong, or signs something else.
    """
    from carez_desktop.system.signing import SignatureError, TrustStore, parse_public_key, verify

    checked = verify(
        stored["envelope"],
        TrustStore(context.home).keys(),
        [parse_public_key(stored["public_key"])],
    )
    subject = (checked.statement.get("subject") or [{}])[0]
    predicate = checked.statement.get("predicate") or {}
    header = examined.header
    same = (
        subject.get("digest", {}).get(ROOT_DIGEST_NAME) == examined.root
        and predicate.get("bundle_uuid") == header.get("bundle_uuid")
        and predicate.get("revision") == header.get("revision")
        and checked.keyid == stored["keyid"]
    )
    if not same:
        raise SignatureError("The signature is good, but of another content")
    return checked.keyid, checked.trusted


def _detached_findings(bundle: Path) -> list[Finding]:
    """Say so where the statement beside the file is about other bytes; the root still counts."""
    detached = bundle.with_name(bundle.name + DETACHED_SUFFIX)
    if not detached.is_file():
        return []
    with bundle.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest in detached_digests(detached):
        return []
    text = "The statement beside the file is about other bytes, such as an older revision"
    return [Finding(Severity.WARNING, "detached_statement_stale", detached.name, text)]


def detached_digests(detached: Path) -> set[str]:
    """Return the whole-file digests that a detached file states (signatures not checked)."""
    import base64

    found: set[str] = set()
    for line in detached.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            payload = json.loads(base64.b64decode(json.loads(line)["payload"]))
            found.update(str(item["digest"]["sha256"]) for item in payload["subject"])
        except (ValueError, KeyError, TypeError):
            continue
    return found


def _verdict(
    bundle: Path,
    outcome: SealVerdict,
    findings: tuple[Finding, ...],
    examined: Examination | None = None,
    keyid: str = "",
) -> BundleVerdict:
    header = examined.header if examined else {}
    revision = header.get("revision")
    return BundleVerdict(
        bundle=bundle.resolve(),
        verdict=outcome,
        findings=findings,
        root=examined.root if examined else "",
        keyid=keyid,
        revision=revision if isinstance(revision, int) else 0,
        state=str(header.get("state", "")),
    )


def _log(context: WorkflowContext, verdict: BundleVerdict) -> BundleVerdict:
    context.audit_log.append(
        "verify_bundle",
        root=verdict.root,
        verdict=verdict.verdict,
        keyid=verdict.keyid,
        findings=len(verdict.findings),
    )
    return verdict
