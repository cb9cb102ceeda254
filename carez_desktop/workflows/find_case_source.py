"""Find the volume of this site that a synthetic case was made from."""

from __future__ import annotations

from pathlib import Path

from carez_desktop.workflows.context import WorkflowContext


def find_case_source(context: WorkflowContext, *, volume_id: str) -> str:
    """Return the volume id of a case's source, or "".

    A bundle names its sources by keyed digests only, so that no one else can do this.

    Args:
        context: Its library and secret are asked.
        volume_id: `FILE.h5#CASE`; any other volume has no source.

    Raises:
        NotFoundError: No such bundle or case. InputError: Not a bundle, or damaged.
    """
    bundle, mark, case_id = volume_id.rpartition("#")
    if not mark:
        return ""
    from carez_desktop.hdf5.reader import read_case_record
    from carez_desktop.system.keys import is_source, site_secret

    digest = str(read_case_record(Path(bundle), case_id).get("source_digest") or "")
    if not digest:
        return ""
    secret = site_secret(context.home)
    for record in context.library.volumes():
        if is_source(secret, digest, record.volume_id):
            return record.volume_id
    return ""
