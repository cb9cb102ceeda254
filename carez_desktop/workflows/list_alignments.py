"""List the alignments that were kept."""

from __future__ import annotations

from dataclasses import dataclass

from carez_desktop.domain.alignment import Alignment
from carez_desktop.domain.finding import Finding, Severity
from carez_desktop.errors import UnreadableFileError
from carez_desktop.workflows.context import WorkflowContext


@dataclass(frozen=True, slots=True)
class KeptAlignments:
    """What is known of pairs of volumes.

    Attributes:
        alignments: By their volumes.
        findings: Files that could not be used.
    """

    alignments: tuple[Alignment, ...]
    findings: tuple[Finding, ...] = ()


def list_alignments(context: WorkflowContext, *, volume_id: str = "") -> KeptAlignments:
    """Return what was kept; of one volume, if it is named.

    A damaged file is left out and told.

    Args:
        context: Whose home.
        volume_id: One of the two volumes; "" for all.
    """
    from carez_desktop.workflows._alignment_file import ALIGNMENTS_FOLDER, read_alignment_file

    found, findings = [], []
    for path in sorted((context.home / ALIGNMENTS_FOLDER).glob("*.json")):
        try:
            alignment = read_alignment_file(path)
        except UnreadableFileError as error:
            findings.append(Finding(Severity.WARNING, "kept_alignment", path.name, str(error)))
            continue
        if volume_id in ("", alignment.fixed_id, alignment.moving_id):
            found.append(alignment)
    found.sort(key=lambda item: (item.fixed_id, item.moving_id))
    return KeptAlignments(tuple(found), tuple(findings))
