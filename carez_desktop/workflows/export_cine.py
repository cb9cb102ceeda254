"""Save a run of pictures as an MP4 or a GIF."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from carez_desktop.domain.finding import Finding, Severity
from carez_desktop.domain.picture import PictureFacts
from carez_desktop.errors import UsageError
from carez_desktop.progress import NEVER, SILENT, CancellationToken, ProgressReporter
from carez_desktop.workflows.context import WorkflowContext
from carez_desktop.workflows.export_picture import (
    digest_of_file,
    note_export,
    producer,
    target_of,
)

MOST_FRAMES = 10_000


@dataclass(frozen=True, slots=True)
class ExportedCine:
    """What was written.

    Attributes:
        path: The file.
        frames: How many.
        seconds: How long one run lasts.
        badge: What was burnt into the pixels; "" for real images.
        findings: What to know before it is handed on.
        sha256: Of the file.
    """

    path: Path
    frames: int
    seconds: float
    badge: str
    findings: tuple[Finding, ...]
    sha256: str


def export_cine(
    context: WorkflowContext,
    *,
    frames: Iterable[npt.NDArray[Any]],
    count: int,
    frame_ms: float,
    facts: PictureFacts,
    out: Path | None = None,
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
) -> ExportedCine:
    """Write frames, each with the marks that a picture has.

    Args:
        context: Its home has the folder that is the default place.
        frames: (rows, columns, 3) uint8 of one size, fetched one by one.
        count: How many there are.
        frame_ms: Time of each.
        facts: Of what they are.
        out: A `.mp4` or `.gif`; None makes a GIF with a name that says nothing of the patient.
        progress: Told at each frame.
        cancel: Asked at each frame; nothing is left of a file that was broken off.

    Raises:
        UsageError: Another extension, no frames or too many. StorageError: It cannot be written.
        CancelledError: Between two frames.
    """
    from carez_desktop.imaging.cine_files import SHORTEST_GIF_MS, frame_delays, write_gif
    from carez_desktop.imaging.mp4_file import write_mp4

    if not 1 <= count <= MOST_FRAMES or not frame_ms > 0.0:
        raise UsageError(
            f"{count} frames of {frame_ms:g} ms cannot be written",
            subject="cine",
            hint=f"Choose 1 to {MOST_FRAMES} frames",
        )
    target = target_of(context, facts, out, (".gif", ".mp4"))
    marked = _marked(frames, count, facts.badge, progress, cancel)
    texts = facts.texts(producer())
    findings = list(facts.findings(target.name))
    if target.suffix.lower() == ".mp4":
        delays = frame_delays(count, max(frame_ms, 1.0), unit_ms=1.0)
        write_mp4(target, marked, delays, {**texts, "Lossy Image Compression": "01"})
        text = "The film is compressed with loss (AV1): look at it, do not measure in it"
        findings.append(Finding(Severity.INFO, "lossy_compression", target.name, text))
    else:
        delays = frame_delays(count, max(frame_ms, SHORTEST_GIF_MS), unit_ms=10.0)
        if not write_gif(target, marked, delays, texts):
            text = "A GIF has 256 colours in a frame: coloured frames were reduced to them"
            findings.append(Finding(Severity.INFO, "fewer_colours", target.name, text))
    seconds = sum(delays) / 1000.0
    if seconds > 1.01 * count * frame_ms / 1000.0:
        text = f"It runs at {1000.0 * count / sum(delays):.0f} frames a second, the most it can"
        findings.append(Finding(Severity.INFO, "slower", target.name, text))
    digest = digest_of_file(target)
    note_export(context, "export_cine", facts, digest)
    return ExportedCine(target, count, seconds, facts.badge, tuple(findings), digest)


def _marked(
    frames: Iterable[npt.NDArray[Any]],
    count: int,
    badge: str,
    progress: ProgressReporter,
    cancel: CancellationToken,
) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield the frames with their mark burnt in; tell progress, and stop when asked to."""
    from carez_desktop.imaging.picture_files import burn_in

    for place, pixels in enumerate(frames):
        cancel.raise_if_cancelled()
        progress.report((place + 1) / count, f"Frame {place + 1} of {count}")
        yield burn_in(np.asarray(pixels), badge)
