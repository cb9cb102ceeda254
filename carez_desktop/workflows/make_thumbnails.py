"""Make the small pictures of the Library page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt

from carez_desktop.domain.finding import Finding, Severity
from carez_desktop.domain.study import VolumeRecord
from carez_desktop.domain.volume import Volume
from carez_desktop.errors import ChildCrashError, DeviceError, InputError
from carez_desktop.progress import IGNORE, NEVER, SILENT, CancellationToken, ProgressReporter
from carez_desktop.workflows.context import WorkflowContext

EDGE_PX = 128
_LEAST_EDGE_PX = 16


def make_thumbnails(
    context: WorkflowContext,
    *,
    volume_ids: Sequence[str] | None = None,
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
    partial: Callable[[object], None] = IGNORE,
) -> tuple[Finding, ...]:
    """Make the missing thumbnails, each from the middle slice alone.

    A volume of a shape that was generated here is compared by its pixels on the way, so that a
    synthetic one without its marks is known as soon as it is shown.

    Args:
        context: Whose library.
        volume_ids: Which volumes; None for all that have no thumbnail.
        progress: Of the whole.
        cancel: Asked at every volume and slice.
        partial: Receives the volume_id of each thumbnail once it is kept.

    Returns:
        A finding for each volume that could not be read; the others go on.

    Raises:
        StorageError: The library cannot be written. CancelledError: On the way; what was made
            stays.
    """
    from carez_desktop.workflows.recognise_synthetic import recognise_synthetic

    library = context.library
    missing = library.without_thumbnail(volume_ids)
    findings = []
    for done, volume_id in enumerate(missing):
        cancel.raise_if_cancelled()
        progress.report(done / len(missing), f"Thumbnails, {done} of {len(missing)}")
        record = library.volume(volume_id)
        if record.refusal and not record.slices_only:
            continue
        try:
            png = draw_thumbnail(_read_middle(context, record, cancel))
        except (InputError, ChildCrashError, DeviceError) as error:
            findings.append(Finding(Severity.WARNING, "no_thumbnail", volume_id, error.what))
            continue
        library.set_thumbnail(volume_id, png)
        recognise_synthetic(context, records=[record], cancel=cancel)
        partial(volume_id)
    progress.report(1.0, f"{len(missing)} thumbnails")
    return tuple(findings)


def _read_middle(
    context: WorkflowContext, record: VolumeRecord, cancel: CancellationToken
) -> Volume:
    """Read the middle slice; a NIfTI or NRRD file as a whole."""
    if record.source_format == "dicom":
        from carez_desktop.dicom.volume_reader import read_frame

        middle = record.shape[0] // 2
        return read_frame(record, middle, children=context.children, cancel=cancel)
    from carez_desktop.workflows.load_volume import load_volume

    return load_volume(context, volume_id=record.volume_id, audit=False, cancel=cancel)


def draw_thumbnail(volume: Volume) -> bytes:
    """Return the middle slice as a PNG of at most 128 x 128 pixels, grey or in its colours.

    Rows and columns are scaled by their spacing, so that a millimetre is as long either way. The
    window of grey values is the source's first VOI, else the 0.1 to 99.9 percentiles of the slice;
    MONOCHROME1 is shown inverted.
    """
    from PIL import Image

    array = volume.array[volume.array.shape[0] // 2]
    picture = Image.fromarray(array if volume.is_colour else _to_grey(array, volume))
    _, row_mm, column_mm = volume.geometry.spacing_mm
    height_mm, width_mm = array.shape[0] * row_mm, array.shape[1] * column_mm
    scale = EDGE_PX / max(height_mm, width_mm)
    size = (
        max(_LEAST_EDGE_PX, round(width_mm * scale)),
        max(_LEAST_EDGE_PX, round(height_mm * scale)),
    )
    stream = BytesIO()
    picture.resize(size, Image.Resampling.BOX).save(stream, format="PNG", optimize=True)
    return stream.getvalue()


def _to_grey(array: npt.NDArray[Any], volume: Volume) -> npt.NDArray[np.uint8]:
    """Window a slice to 0 to 255 (linear, PS3.3 C.11.2.1.2 without the half-pixel terms)."""
    values = np.asarray(array, dtype=np.float32)
    center, width = volume.window_center, volume.window_width
    if center is not None and width is not None and width > 1:
        low, high = center - width / 2, center + width / 2
    else:
        seen = np.isfinite(values)
        if volume.padding_value is not None:
            seen &= values != volume.padding_value
        shown = values[seen]
        low, high = np.percentile(shown, (0.1, 99.9)) if shown.size else (0.0, 1.0)
    span = max(float(high - low), 1e-6)
    scaled = np.nan_to_num((values - low) * (255.0 / span), nan=0.0)
    grey: npt.NDArray[np.uint8] = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
    inverted = volume.attributes.get("photometric_interpretation") == "MONOCHROME1"
    return 255 - grey if inverted else grey
