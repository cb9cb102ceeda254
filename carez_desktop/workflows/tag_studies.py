"""Put words on volumes, by which they are found, and take them off."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from carez_desktop.domain.study import VolumeRecord
from carez_desktop.errors import NotFoundError, UsageError
from carez_desktop.workflows.context import WorkflowContext
from carez_desktop.workflows.delete_studies import volumes_named

_TAG = re.compile(r"^[^\s,;:\"']{1,64}$")


@dataclass(frozen=True, slots=True)
class TagReport:
    """What was tagged.

    Attributes:
        matched: The volumes, as they are now.
        unmatched: Keys that name nothing in the library.
    """

    matched: tuple[VolumeRecord, ...]
    unmatched: tuple[str, ...]


def tag_studies(
    context: WorkflowContext,
    *,
    keys: Sequence[str],
    add: Sequence[str] = (),
    remove: Sequence[str] = (),
) -> TagReport:
    """Tag all volumes that keys name; `tag:WORD` finds them.

    Args:
        context: Whose library.
        keys: Volume ids, series or study UIDs, patient ids.
        add: Tags to put on; one word each.
        remove: Tags to take off.

    Raises:
        UsageError: A tag that is none, or no tag at all. NotFoundError: No key names anything.
        StorageError: The library cannot be written.
    """
    from carez_desktop.library.label_rows import drop_tags, keep_tags, refresh

    if not add and not remove:
        raise UsageError(
            "No tag is given", subject="tag", hint="Name tags to put on or to take off"
        )
    for tag in add:
        if not _TAG.match(tag):
            raise UsageError(
                "This cannot be a tag",
                subject=tag,
                hint="Write one word of at most 64 letters, without comma, colon or quotes",
            )
    records, unmatched = volumes_named(context, keys)
    if not records:
        raise NotFoundError(
            "The library has nothing by these names",
            subject=", ".join(keys[:3]),
            hint="Give volume ids, series or study UIDs, or patient ids: carez --json series",
        )
    ids = [record.volume_id for record in records]
    with context.library.database.writing() as connection:
        drop_tags(connection, ids, remove)
        keep_tags(connection, ids, add)
        refresh(connection, records)
    context.audit_log.append("tag_studies", volumes=len(ids), added=len(add), removed=len(remove))
    return TagReport(context.library.volumes_with("volume_id", ids), unmatched)
