"""Save a pane as a PNG."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from carez_desktop.domain.finding import Finding
from carez_desktop.domain.picture import PictureFacts
from carez_desktop.errors import UsageError
from carez_desktop.workflows.context import WorkflowContext

PICTURES_FOLDER = "pictures"


@dataclass(frozen=True, slots=True)
class ExportedPicture:
    """What was written.

    Attributes:
        path: The file.
        size: (columns, rows) of the picture.
        badge: What was burnt into the pixels; "" for real images.
        findings: What to know before it is handed on.
        sha256: Of the file.
    """

    path: Path
    size: tuple[int, int]
    badge: str
    findings: tuple[Finding, ...]
    sha256: str


def export_picture(
    context: WorkflowContext,
    *,
    pixels: npt.NDArray[Any],
    facts: PictureFacts,
    out: Path | None = None,
) -> ExportedPicture:
    """Write the pixels of a pane, painted without identity unless a person asked for it.

    What is synthetic carries the mark in its pixels and in the words of the file; no name, number
    or date of a patient is written beside them.

    Args:
        context: Its home has the folder that is the default place.
        pixels: (rows, columns, 3) uint8, with the annotations that shall be seen.
        facts: Of what they are.
        out: A `.png`; None makes a name that says nothing of the patient, in the home's folder.

    Raises:
        UsageError: Another extension. StorageError: It cannot be written.
    """
    from carez_desktop.imaging.picture_files import burn_in, write_png

    target = target_of(context, facts, out, (".png",))
    marked = burn_in(np.asarray(pixels), facts.badge)
    write_png(target, marked, facts.texts(producer()))
    exported = ExportedPicture(
        target,
        (marked.shape[1], marked.shape[0]),
        facts.badge,
        facts.findings(target.name),
        digest_of_file(target),
    )
    note_export(context, "export_picture", facts, exported.sha256)
    return exported


def target_of(
    context: WorkflowContext, facts: PictureFacts, out: Path | None, suffixes: tuple[str, ...]
) -> Path:
    """Return where to write; a name of the program's own never replaces a file.

    Raises:
        UsageError: The extension is none of those. StorageError: The folder cannot be made.
    """
    from carez_desktop.system.paths import make_private_folder

    if out is not None:
        if out.suffix.lower() not in suffixes:
            raise UsageError(
                f"This cannot be written as {out.suffix or 'a file without extension'}",
                subject=out.name,
                hint=f"Use {' or '.join(suffixes)}",
            )
        return out.expanduser().absolute()
    folder = make_private_folder(context.home / PICTURES_FOLDER)
    name = folder / facts.file_name(context.clock(), suffixes[0])
    target, number = name, 2
    while target.exists():
        target, number = name.with_stem(f"{name.stem}-{number}"), number + 1
    return target


def producer() -> str:
    """Return name and version of the program."""
    from carez_desktop import __version__

    return f"Carez Desktop {__version__}"


def digest_of_file(path: Path) -> str:
    """Return the SHA-256 (hex) of a file."""
    import hashlib

    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def note_export(context: WorkflowContext, verb: str, facts: PictureFacts, sha256: str) -> None:
    """Write the line of the audit log: what left, from which volumes, and whether it was marked."""
    context.audit_log.append(
        verb,
        volumes=", ".join(facts.volume_ids),
        sha256=sha256,
        synthetic="YES" if facts.badge else "NO",
        identity="YES" if facts.shows_identity else "NO",
    )
