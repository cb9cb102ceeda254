"""Load a volume of the library, or a case of a bundle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from carez_desktop.domain.volume import Volume
from carez_desktop.errors import GeometryError
from carez_desktop.progress import (
    IGNORE,
    NEVER,
    SILENT,
    CancellationToken,
    PartProgress,
    ProgressReporter,
)
from carez_desktop.workflows.context import WorkflowContext

if TYPE_CHECKING:
    from carez_desktop.domain.study import VolumeRecord

_READING_SHARE = 0.8


def load_volume(
    context: WorkflowContext,
    *,
    volume_id: str,
    resample: bool = False,
    audit: bool = True,
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
    partial: Callable[[Any], object] = IGNORE,
) -> Volume:
    """Load a volume by its id.

    Args:
        context: Its library is asked; its children decode.
        volume_id: `<series uid>[:k]`, `2.25.<n>` of a NIfTI or NRRD file, or `FILE.h5#CASE`.
        resample: Whether slices that are no regular grid (tilt, uneven gaps) are put on one; what
            is regular already stays as it is.
        audit: Whether the audit log names it; False for reads of the program's own, which write a
            line for all of them together.
        progress: Told at each slice.
        cancel: Asked at each slice.
        partial: Given (index, (rows, columns) values) of slices, the middle one first; slices as
            they are, before they are resampled.

    Returns:
        (slice, row, column) modality values with the affine in LPS mm; colour has a last axis.

    Raises:
        NotFoundError: No such volume or case.
        GeometryError: It is refused as a volume; the text says why, the hint what helps.
        UnreadableFileError: A file vanished, changed, is damaged.
        DeviceError: Too little memory. CancelledError: Between two slices.
    """
    bundle, mark, case_id = volume_id.rpartition("#")
    if mark:
        from carez_desktop.hdf5.reader import read_case_volume

        volume = read_case_volume(Path(bundle), case_id)
    else:
        record = context.library.volume(volume_id)
        if record.slices_only:
            volume = _resampled(context, record, resample, progress, cancel, partial)
        elif record.source_format == "dicom":
            from carez_desktop.dicom.volume_reader import read_volume

            volume = read_volume(
                record, children=context.children, progress=progress, cancel=cancel, partial=partial
            )
        else:
            from carez_desktop.imaging.volume_files import read_volume_file

            volume = read_volume_file(record, progress=progress, cancel=cancel, partial=partial)
    if audit:
        facts = {"resampled": "YES"} if volume.attributes.get("resampled") else {}
        context.audit_log.append("load_volume", volume_id=volume.volume_id, **facts)
    return volume


def _resampled(
    context: WorkflowContext,
    record: VolumeRecord,
    resample: bool,
    progress: ProgressReporter,
    cancel: CancellationToken,
    partial: Callable[[Any], object],
) -> Volume:
    """Put slices on a regular grid where that was asked for.

    Raises:
        GeometryError: It was not asked for.
    """
    if not resample:
        raise GeometryError(
            f"These slices are no regular volume: {record.refusal}",
            subject=record.volume_id,
            hint=(
                "Write them on a regular grid with `carez volume ID --out FILE --resample`, or use"
                " Resample in the View page, which shows the slices at their places"
            ),
        )
    from carez_desktop.imaging.resampling import resample_stack
    from carez_desktop.workflows.load_slices import load_slices

    stack = load_slices(
        context,
        volume_id=record.volume_id,
        audit=False,
        progress=PartProgress(progress, 0.0, _READING_SHARE),
        cancel=cancel,
        partial=partial,
    )
    rest = PartProgress(progress, _READING_SHARE, 1.0)
    return resample_stack(stack, progress=rest, cancel=cancel)
