"""Which hanging protocol opens what is to be read, found before anything is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from carez_desktop.domain.hanging import Hanging, HangingVolume, hangings_for
from carez_desktop.domain.study import VolumeRecord
from carez_desktop.workflows.context import WorkflowContext
from carez_desktop.workspace.plane_basis import Plane

if TYPE_CHECKING:
    from carez_desktop.workflows.list_alignments import KeptAlignments

_MOST = 200


@dataclass(frozen=True, slots=True)
class TimePoint:
    """One volume of a set: a moment of a dynamic series, an echo, a b-value."""

    volume_id: str
    label: str


def known_alignments(context: WorkflowContext) -> KeptAlignments:
    """Return how pairs of volumes were aligned in earlier sittings, and what cannot be read."""
    from carez_desktop.workflows.list_alignments import list_alignments

    return list_alignments(context)


def hanging_of(context: WorkflowContext, records: Sequence[VolumeRecord | None]) -> Hanging | None:
    """Return the best protocol for exactly these volumes; None where one is not in the library.

    Raises:
        StorageError: The installation lacks its protocols.
    """
    from carez_desktop.workflows.list_hanging_protocols import list_hanging_protocols

    known = [record for record in records if record is not None]
    if len(known) != len(records):
        return None
    protocols = list_hanging_protocols(context).protocols
    volumes = [HangingVolume.of_record(record) for record in known]
    wanted = {record.volume_id for record in known}
    for hanging in hangings_for(protocols, volumes):
        if set(hanging.volume_ids.values()) == wanted:
            return hanging
    return None


def place_of_plane(hanging: Hanging, volume_id: str, plane: Plane) -> int:
    """Return the pane in which a protocol shows a plane of a volume, else its first pane."""
    roles = {name for name, found in hanging.volume_ids.items() if found == volume_id}
    panes = [
        (index, pane) for index, pane in enumerate(hanging.protocol.panes) if pane.role in roles
    ]
    for index, pane in panes:
        if pane.plane in ("acquired", plane.value):
            return index
    return panes[0][0] if panes else 0


def time_points_of(context: WorkflowContext, record: VolumeRecord) -> tuple[TimePoint, ...]:
    """Return the volumes of a record's set in their order; () where it is none.

    Raises:
        StorageError: The library cannot be read.
    """
    from carez_desktop.workflows.list_volumes import list_volumes

    if not record.set_id:
        return ()
    search = record.series_instance_uid
    found = [
        other
        for other in list_volumes(context, search=search, limit=_MOST * 10)
        if other.set_id == record.set_id and not other.refusal
    ]
    found.sort(key=lambda other: other.set_index)
    if len(found) < 2:
        return ()
    return tuple(TimePoint(other.volume_id, other.split_reason) for other in found)
