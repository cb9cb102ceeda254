"""Keep how two volumes lie to each other, so that it is known when both are opened again."""

from __future__ import annotations

from carez_desktop.domain.alignment import Alignment, AlignmentMethod
from carez_desktop.errors import UsageError
from carez_desktop.workflows.context import WorkflowContext

_KEPT = (AlignmentMethod.REGISTRATION, AlignmentMethod.OFFSET)


def keep_alignment(context: WorkflowContext, alignment: Alignment) -> None:
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


def forget_alignment(context: WorkflowContext, *, fixed_id: str, moving_id: str) -> bool:
    """Forget what was kept of a pair, whichever of the two was called fixed; tell if there was.

    Raises:
        StorageError: The home folder cannot be written.
    """
    from carez_desktop.system.file_safety import storage_error
    from carez_desktop.workflows._alignment_file import alignment_path

    path = alignment_path(context.home, fixed_id, moving_id)
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise storage_error(error, path, "The alignment cannot be forgotten") from error
    context.audit_log.append("forget_alignment", fixed=fixed_id, moving=moving_id)
    return True
