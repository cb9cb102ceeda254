"""Check every file of the installed generator packages against their manifests."""

from __future__ import annotations

from carez_desktop.domain.generation import GeneratorPackage
from carez_desktop.progress import NEVER, SILENT, CancellationToken, ProgressReporter
from carez_desktop.workflows.context import WorkflowContext


def verify_generators(
    context: WorkflowContext,
    *,
    generator_id: str | None = None,
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
) -> tuple[GeneratorPackage, ...]:
    """Return the packages, each checked to the last byte.

    Args:
        context: The site.
        generator_id: Only the newest version of this one; None checks all that are installed.
        progress: Receives how far it is.
        cancel: Asked before each package.

    Raises:
        ModelError: The first package that does not pass, naming the file; or no such package.
    """
    from carez_desktop.inference.package_store import find_package, load_package, package_folders

    if generator_id is not None:
        checked = [find_package(context.package_roots, generator_id)]
    else:
        checked = []
        folders = package_folders(context.package_roots)
        for index, folder in enumerate(folders):
            cancel.raise_if_cancelled()
            progress.report(index / len(folders), f"{folder.parent.name} {folder.name}")
            checked.append(load_package(folder))

    packages = tuple(checked)
    progress.report(1.0)
    context.audit_log.append(
        "verify_generators",
        packages=[
            {"id": item.manifest.id, "version": item.manifest.version, "digest": item.digest}
            for item in packages
        ],
    )
    return packages
