"""Keep how two volumes lie to each other, so that it is known when both are opened again."""

from __future__ import annotations

from carez_desktop.domain.alignment import Alignment, AlignmentMethod
from carez_desktop.errors import UsageError
from carez_desktop.workflows.context import WorkflowContext

_KEPT = (AlignmentMethod.REGISTRATION, AlignmentMethod.OFFSET)


def keep_alignment(context: WorkflowContext, *, alignment: Alignment) -> None:
    """Keep a registration or a manual offset; one that was kept for the pair before goes.

    Args:
        context: Its home holds it.
        alignment: Accepted by a person.

    Raises:
        UsageError: It needs no keeping, because the volumes themselves say it.
        StorageError: The home folder cannot be written.
    """
    from carez_desktop.system.file_safety import atomic_output
    from carez_desktop.system.paths import make_private_folder
    from carez_desktop.workflows._alignment_file import alignment_content, alignment_path

    if alignment.method not in _KEPT:
        raise UsageError(
            "Only a registration or an offset is kept",
            subject=alignment.method.value,
            hint="The volumes themselves say this one each time they are opened",
        )
    path = alignment_path(context.home, alignment.fixed_id, alignment.moving_id)
    make_private_folder(path.parent)
    content = alignment_content(alignment, context.clock().isoformat(timespec="seconds"))
    with atomic_output(path, "The alignment cannot be kept") as part:
        part.write_bytes(content)
    context.audit_log.append(
        "keep_alignment",
        fixed=alignment.fixed_id,
        moving=alignment.moving_id,
        method=alignment.method.value,
    )
