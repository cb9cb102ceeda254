"""Load every k-th slice, row and column of a volume that does not fit into memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from carez_desktop.domain.finding import Finding, Severity
from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.volume import Volume, VolumeKind
from carez_desktop.errors import GeometryError
from carez_desktop.progress import NEVER, SILENT, CancellationToken, ProgressReporter
from carez_desktop.workflows.context import WorkflowContext


def load_reduced(
    context: WorkflowContext,
    *,
    volume_id: str,
    every: int,
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
) -> Volume:
    """Load a volume in 1 / every³ of its memory, for looking; nothing is averaged.

    Args:
        context: Its library is asked; its children decode.
        volume_id: Of a regular DICOM volume.
        every: Of how many slices, rows and columns one is taken; 2 or more.
        progress: Told at each slice.
        cancel: Asked at each slice.

    Returns:
        (slice, row, column) modality values at their true places, of kind derived unless they are
        synthetic, with a finding that says what is left out.

    Raises:
        NotFoundError: No such volume.
        GeometryError: It is no regular volume of DICOM slices.
        UnreadableFileError: A file vanished, changed, is damaged.
        DeviceError: Even this does not fit. CancelledError: Between two slices.
    """
    from carez_desktop.dicom.slice_reading import allocate
    from carez_desktop.dicom.volume_reader import read_frame

    record = context.library.volume(volume_id)
    if record.refusal or record.source_format != "dicom" or every < 2:
        raise GeometryError(
            "Only regular volumes of DICOM slices are loaded in part",
            subject=volume_id,
            hint="Close other programs, or choose a smaller series",
        )
    wanted = range(0, record.shape[0], every)
    first = last = read_frame(record, wanted[0], children=context.children, cancel=cancel)
    thin = first.array[0, ::every, ::every]
    array = allocate((len(wanted), *thin.shape), thin.dtype, volume_id)
    for place, index in enumerate(wanted):
        cancel.raise_if_cancelled()
        last = read_frame(record, index, children=context.children, cancel=cancel)
        values = last.array[0, ::every, ::every]
        if np.result_type(array, values) != array.dtype:
            array = array.astype(np.result_type(array, values))
        array[place] = values
        progress.report((place + 1) / len(wanted), f"Slice {index + 1} of {record.shape[0]}")
    affine = np.array(first.geometry.affine)
    affine[:3, 1:3] *= every
    if len(wanted) > 1:
        way = np.subtract(last.geometry.origin_lps, first.geometry.origin_lps)
        affine[:3, 0] = way / (len(wanted) - 1)
    text = f"Shown in part, for want of memory: one of {every} slices, rows and columns"
    finding = Finding(Severity.WARNING, "reduced", volume_id, text)
    context.audit_log.append("load_reduced", volume_id=volume_id, every=str(every))
    return replace(
        first,
        volume_id=volume_id,
        array=array,
        geometry=VolumeGeometry((array.shape[0], array.shape[1], array.shape[2]), affine),
        kind=VolumeKind.DERIVED if first.kind is VolumeKind.REAL else first.kind,
        overlays=(),
        findings=(*first.findings, finding),
    )
