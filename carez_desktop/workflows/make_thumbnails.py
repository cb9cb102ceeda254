"""Make the small pictures of the Library page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt

from carez_desktop.domain.finding import Finding, Severity
from carez_desktop.domain.study import VolumeRecord
from carez_desktop.domain.volume import Volume, VolumeKind
from carez_desktop.errors import CancelledError, InputError
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
    """Make the missing thumbnails, and the pixel digests that come with reading the volumes.

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
    from carez_desktop.workflows.load_volume import load_volume

    library = context.library
    records = (
        library.volumes()
        if volume_ids is None
        else tuple(library.volume(volume_id) for volume_id in volume_ids)
    )
    missing = [
        record
        for record in records
        if not record.refusal and library.thumbnail(record.volume_id) is None
    ]
    findings = []
    for done, record in enumerate(missing):
        cancel.raise_if_cancelled()
        progress.report(done / len(missing), f"Thumbnails, {done} of {len(missing)}")
        try:
            volume = load_volume(context, volume_id=record.volume_id, cancel=cancel)
        except CancelledError:
            raise
        except InputError as error:
            findings.append(Finding(Severity.WARNING, "no_thumbnail", record.volume_id, error.what))
            continue
        library.set_thumbnail(record.volume_id, draw_thumbnail(volume))
        _keep_digest(context, record, volume)
        partial(record.volume_id)
    progress.report(1.0, f"{len(missing)} thumbnails")
    return tuple(findings)


def draw_thumbnail(volume: Volume) -> bytes:
    """Return the middle slice as a grey PNG of at most 128 x 128 pixels.

    Rows and columns are scaled by their spacing, so that a millimetre is as long either way. The
    window is the source's first VOI, else the 0.1 to 99.9 percentiles of the slice.
    """
    from PIL import Image

    array = volume.array[volume.array.shape[0] // 2]
    grey = Image.fromarray(_to_grey(array, volume))
    _, row_mm, column_mm = volume.geometry.spacing_mm
    height_mm, width_mm = array.shape[0] * row_mm, array.shape[1] * column_mm
    scale = EDGE_PX / max(height_mm, width_mm)
    size = (
        max(_LEAST_EDGE_PX, round(width_mm * scale)),
        max(_LEAST_EDGE_PX, round(height_mm * scale)),
    )
    stream = BytesIO()
    grey.resize(size, Image.Resampling.BOX).save(stream, format="PNG", optimize=True)
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
    return grey


def _keep_digest(context: WorkflowContext, record: VolumeRecord, volume: Volume) -> None:
    """Recognise a generated volume whose marks were stripped, now that its pixels are here."""
    from carez_desktop.domain.pixel_identity import pixel_digest
    from carez_desktop.domain.synthetic_origin import caught_by_pixels

    if record.kind is not VolumeKind.REAL:
        return
    digest = pixel_digest(volume.array)
    context.library.set_pixel_digest(record.volume_id, digest)
    origin = context.library.known_digest(digest)
    if origin is not None:
        context.library.update_volumes([caught_by_pixels(record, origin)])
