"""Show what a bundle holds, and where it departs from best practice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from carez_desktop.domain.bundle import BundleState
from carez_desktop.domain.codec import to_plain
from carez_desktop.domain.finding import Finding, Severity, counted
from carez_desktop.domain.generation import SHOWS_ANATOMY
from carez_desktop.progress import IGNORE, NEVER, SILENT, CancellationToken, ProgressReporter
from carez_desktop.workflows.context import WorkflowContext


def inspect_bundle(
    context: WorkflowContext,
    *,
    bundle: Path,
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
    partial: Callable[[object], None] = IGNORE,
) -> dict[str, Any]:
    """Return header, cases, evaluation, coverage and cards as plain data, without pixels.

    Inspecting trusts the file no further than opening it: whether it is intact, `verify_bundle`
    says. The findings here are advice to whoever hands the bundle over.

    Raises:
        NotFoundError: No such file. InputError: Not a bundle, or damaged.
    """
    from carez_desktop.hdf5.reader import (
        list_cases,
        read_evaluation,
        read_header,
        read_parts,
        read_root,
    )

    header = read_header(bundle)
    cancel.raise_if_cancelled()
    progress.report(0.3, "Reading the cases")
    cases = list_cases(bundle)
    evaluation = read_evaluation(bundle)
    parts = read_parts(bundle)
    facts: dict[str, Any] = {
        "bundle": str(bundle.resolve()),
        **to_plain(header),
        "root": read_root(bundle),
        "size_bytes": bundle.stat().st_size,
        "case_count": len(cases),
        "cases": [to_plain(case) for case in cases],
        "evaluation": evaluation,
        "coverage": parts["coverage"],
        "cards": sorted(parts["cards"]),
        "activities": sorted(parts["provenance"].get("activity", {})),
    }
    facts["findings"] = tuple(_advice(facts))
    context.audit_log.append("inspect_bundle", bundle_uuid=header.bundle_uuid, root=facts["root"])
    progress.report(1.0, "Done")
    partial(facts)
    return facts


def _advice(facts: dict[str, Any]) -> list[Finding]:
    """List what a careful sender would still do, or tell the recipient."""
    found: list[Finding] = []

    def say(severity: Severity, code: str, subject: str, text: str) -> None:
        found.append(Finding(severity, code, subject, text))

    if facts["state"] != BundleState.SEALED.value:
        say(Severity.WARNING, "not_sealed", "/@state", "It is not sealed: nobody vouches for it")
    if facts["evaluation"] is None:
        say(Severity.WARNING, "not_evaluated", "/evaluation", "None of the six axes was evaluated")
    if not facts["cards"]:
        say(Severity.WARNING, "no_card", "/cards", "It has no model card")
    if not facts["license"]:
        say(Severity.WARNING, "no_license", "/@license", "It states no licence")
    if facts["stand_in"]:
        text = "Simulated studies played the part of real ones"
        say(Severity.INFO, "simulated_stand_in", "/@simulated_stand_in", text)
    anatomy = [case for case in facts["cases"] if case["privacy_class"] in SHOWS_ANATOMY]
    if anatomy:
        text = f"{counted(len(anatomy), 'case')} with a patient's anatomy: its protection stays"
        say(Severity.WARNING, "shows_anatomy", "/cases", text)
    unlabelled = sum(not case["labels"] for case in facts["cases"])
    if unlabelled:
        say(
            Severity.INFO,
            "no_labels",
            "/cases",
            f"{counted(unlabelled, 'case')} without a label map",
        )
    return found
