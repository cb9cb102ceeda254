"""Hand over a bundle: a verified copy with its detached statement, at a place of one's choice."""

from __future__ import annotations

import shutil
from pathlib import Path

from carez_desktop.domain.bundle import BundleVerdict, SealVerdict
from carez_desktop.domain.generation import SHOWS_ANATOMY
from carez_desktop.errors import InputError, UsageError
from carez_desktop.progress import (
    NEVER,
    SILENT,
    CancellationToken,
    PartProgress,
    ProgressReporter,
)
from carez_desktop.workflows.context import WorkflowContext


def export_bundle(
    context: WorkflowContext,
    *,
    bundle: Path,
    out: Path,
    release_anatomy: bool = False,
    overwrite: bool = False,
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
) -> BundleVerdict:
    """Copy a sealed bundle and its statement, and verify the copy.

    Args:
        context: The site; the release goes into its audit log.
        bundle: Sealed.
        out: The copy; it appears whole, after its bytes are on the disk.
        release_anatomy: Says expressly that cases which show a patient's anatomy may leave.
        overwrite: Replace an existing file.
        progress: From 0 to 1.
        cancel: Asked throughout.

    Returns:
        The verdict on the copy.

    Raises:
        InputError: Not sealed, or not intact. UsageError: `out` exists, or anatomy is not released.
        StorageError: The copy cannot be written.
    """
    from carez_desktop.hdf5.assembly import refuse_existing
    from carez_desktop.hdf5.reader import list_cases
    from carez_desktop.system.file_safety import atomic_output
    from carez_desktop.workflows.verify_bundle import DETACHED_SUFFIX, verify_bundle

    refuse_existing(out, overwrite=overwrite)
    before = verify_bundle(
        context, bundle=bundle, progress=PartProgress(progress, 0.0, 0.4), cancel=cancel
    )
    if before.verdict not in (SealVerdict.VALID, SealVerdict.UNTRUSTED):
        raise InputError(
            f"The bundle is {before.verdict.value}, and only a sealed one is handed over",
            subject=bundle.name,
            hint="Seal it first; carez bundle verify says what is wrong with an invalid one",
        )
    shown = [case for case in list_cases(bundle) if case.privacy_class in SHOWS_ANATOMY]
    if shown and not release_anatomy:
        raise UsageError(
            f"{len(shown)} cases show a patient's anatomy and keep its protection",
            subject=bundle.name,
            hint="Release them expressly, if your site's rules allow it",
        )
    cancel.raise_if_cancelled()
    progress.report(0.5, "Copying")
    statement = bundle.with_name(bundle.name + DETACHED_SUFFIX)
    with atomic_output(out, "The copy cannot be written") as part:
        shutil.copyfile(bundle, part)
    if statement.is_file():
        beside = out.with_name(out.name + DETACHED_SUFFIX)
        with atomic_output(beside, "The copy cannot be written") as part:
            shutil.copyfile(statement, part)
    after = verify_bundle(
        context, bundle=out, progress=PartProgress(progress, 0.6, 1.0), cancel=cancel
    )
    context.audit_log.append(
        "export_bundle", root=after.root, verdict=after.verdict.value, released_anatomy=len(shown)
    )
    return after
