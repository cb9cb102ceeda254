"""Put an editable copy of a hanging protocol into the site's home."""

from __future__ import annotations

from pathlib import Path

from carez_desktop.errors import NotFoundError
from carez_desktop.workflows.context import WorkflowContext
from carez_desktop.workflows.list_hanging_protocols import HANGING_FOLDER, list_hanging_protocols


def copy_hanging_protocol(context: WorkflowContext, *, protocol_id: str) -> Path:
    """Copy a protocol of the product to `hanging` in the home, where it replaces the original.

    The explanation of every field comes along as `_fields.toml`. A copy that is there already is
    left as it is.

    Returns:
        The copy, to be edited.

    Raises:
        NotFoundError: There is no protocol of this id. StorageError: It cannot be written.
    """
    from carez_desktop.system.file_safety import atomic_output
    from carez_desktop.system.paths import make_private_folder, resource_path

    known = {item.id: item for item in list_hanging_protocols(context).protocols}
    if protocol_id not in known:
        raise NotFoundError(
            "There is no hanging protocol of this name",
            subject=protocol_id,
            hint=f"There are: {', '.join(sorted(known))}",
        )
    folder = make_private_folder(context.home / HANGING_FOLDER)
    source = Path(known[protocol_id].source)
    explained = resource_path(HANGING_FOLDER) / "_fields.toml"
    target = source if source.parent == folder else folder / f"{protocol_id}.toml"
    for origin, copy in ((explained, folder / explained.name), (source, target)):
        if not copy.exists():
            with atomic_output(copy, "The hanging protocol cannot be copied") as part:
                part.write_bytes(origin.read_bytes())
    context.audit_log.append("copy_hanging_protocol", protocol=protocol_id)
    return target
