"""Write a volume to a NIfTI or NRRD file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from carez_desktop.domain.codec import array_digest
from carez_desktop.progress import (
    IGNORE,
    NEVER,
    SILENT,
    CancellationToken,
    PartProgress,
    ProgressReporter,
)
from carez_desktop.workflows.context import WorkflowContext


def export_volume(
    context: WorkflowContext,
    *,
    volume_id: str,
    out: Path,
    resample: bool = False,
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
    partial: Callable[[Any], object] = IGNORE,
) -> dict[str, Any]:
    """Write a volume's modality values as `.nii`, `.nii.gz` or `.nrrd`.

    A synthetic volume keeps its mark in the file. With `resample` slices that are no regular grid
    are put on one; what is regular already is written as it is.

    Returns:
        The fields of `carez volume` (DESIGN section 5) as plain data: triples are (slice, row,
        column), `direction_lps` has these axes as columns, `sha256` is that of the voxels as
        little-endian C-order bytes.

    Raises:
        UsageError: Another extension. StorageError: The folder cannot be written.
        InputError: As `load_volume` raises.
    """
    from carez_desktop.imaging.volume_writer import check_target, write_volume_file
    from carez_desktop.workflows.load_volume import load_volume

    target = out.expanduser().absolute()
    check_target(target)
    volume = load_volume(
        context,
        volume_id=volume_id,
        resample=resample,
        audit=False,
        progress=PartProgress(progress, 0.0, 0.8),
        cancel=cancel,
        partial=partial,
    )
    cancel.raise_if_cancelled()
    progress.report(0.8, f"Writing {target.name}")
    write_volume_file(volume, target)
    geometry, array = volume.geometry, volume.array
    whole = array.dtype.kind in "iu"
    facts: dict[str, Any] = {
        "volume_id": volume.volume_id,
        "out": str(target),
        "shape": list(geometry.shape),
        "spacing_mm": list(geometry.spacing_mm),
        "origin_lps": list(geometry.origin_lps),
        "direction_lps": [[float(part) for part in row] for row in geometry.direction_lps],
        "orientation": geometry.orientation,
        "modality": volume.modality,
        "units": volume.units,
        "kind": volume.kind.value,
        "resampled": bool(volume.attributes.get("resampled")),
        "findings": [finding.text for finding in volume.findings],
        "dtype": array.dtype.name,
        "min": int(array.min()) if whole else float(array.min()),
        "max": int(array.max()) if whole else float(array.max()),
        "sha256": array_digest(array),
    }
    context.audit_log.append(
        "export_volume",
        volume_id=volume_id,
        sha256=facts["sha256"],
        resampled="YES" if facts["resampled"] else "NO",
    )
    progress.report(1.0, f"Wrote {target.name}")
    return facts
