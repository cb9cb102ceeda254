"""Load a volume of the library, or a case of a bundle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from carez_desktop.domain.volume import Volume
from carez_desktop.progress import IGNORE, NEVER, SILENT, CancellationToken, ProgressReporter
from carez_desktop.workflows.context import WorkflowContext


def load_volume(
    context: WorkflowContext,
    *,
    volume_id: str,
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
    partial: Callable[[Any], object] = IGNORE,
) -> Volume:
    """Load a volume by its id.

    Args:
        context: Its library is asked.
        volume_id: `<series uid>[:k]`, `2.25.<n>` of a NIfTI or NRRD file, or `FILE.h5#CASE`.
        progress: Told at each slice.
        cancel: Asked at each slice.
        partial: Given (index, (rows, columns) values) of slices, the middle one first.

    Returns:
        (slice, row, column) modality values with the affine in LPS mm.

    Raises:
        NotFoundError: No such volume or case.
        GeometryError: It is refused as a volume; the text says why.
        UnreadableFileError: A file vanished, changed, is damaged.
        DeviceError: Too little memory. CancelledError: Between two slices.
    """
    bundle, mark, case_id = volume_id.rpartition("#")
    if mark:
        from carez_desktop.hdf5.reader import read_case_volume

        volume = read_case_volume(Path(bundle), case_id)
    else:
        record = context.library.volume(volume_id)
        if record.source_format == "dicom":
            from carez_desktop.dicom.volume_reader import read_volume

            volume = read_volume(record, progress=progress, cancel=cancel, partial=partial)
        else:
            from carez_desktop.imaging.volume_files import read_volume_file

            volume = read_volume_file(record, progress=progress, cancel=cancel, partial=partial)
    context.audit_log.append("load_volume", volume_id=volume.volume_id)
    return volume
