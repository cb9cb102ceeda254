"""Find volumes among the real ones whose pixels were generated here and whose marks are gone."""

from __future__ import annotations

from collections.abc import Sequence

from carez_desktop.domain.study import VolumeRecord
from carez_desktop.domain.volume import VolumeKind
from carez_desktop.errors import InputError
from carez_desktop.progress import NEVER, SILENT, CancellationToken, ProgressReporter
from carez_desktop.workflows.context import WorkflowContext


def recognise_synthetic(
    context: WorkflowContext,
    *,
    records: Sequence[VolumeRecord],
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
) -> tuple[VolumeRecord, ...]:
    """Return the records, those with the pixels of a synthetic case as synthetic.

    Runs before a cohort freezes and before coverage counts. Only volumes of a shape that was
    generated here are read, and each only once.

    Args:
        context: Whose library; it is told what was found.
        records: As the library has them.
        progress: Of the reading.
        cancel: Asked at every slice.

    Raises:
        StorageError: The library cannot be written. CancelledError: On the way.
    """
    from carez_desktop.domain.synthetic_origin import caught_by_pixels

    library = context.library
    judged = list(records)
    suspects = [
        index
        for index, record in enumerate(records)
        if record.kind is VolumeKind.REAL
        and not record.refusal
        and library.has_synthetic_shape(record.shape)
    ]
    caught = []
    for done, index in enumerate(suspects):
        progress.report(done / len(suspects), "Comparing pixels with generated cases")
        digest = _digest_of(context, records[index], cancel)
        origin = library.known_digest(digest) if digest else None
        if origin is not None:
            judged[index] = caught_by_pixels(records[index], origin)
            caught.append(judged[index])
    if caught:
        library.update_volumes(caught)
        context.audit_log.append(
            "recognise_synthetic", volumes=[record.volume_id for record in caught]
        )
    return tuple(judged)


def _digest_of(
    context: WorkflowContext, record: VolumeRecord, cancel: CancellationToken
) -> str | None:
    from carez_desktop.domain.pixel_identity import pixel_digest
    from carez_desktop.workflows.load_volume import load_volume

    known = context.library.pixel_digest(record.volume_id)
    if known is not None:
        return known
    try:
        volume = load_volume(context, volume_id=record.volume_id, audit=False, cancel=cancel)
    except InputError:
        # What cannot be read cannot be used either; loading it will say why.
        return None
    digest = pixel_digest(volume.array)
    context.library.set_pixel_digest(record.volume_id, digest)
    return digest
