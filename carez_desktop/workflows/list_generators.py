"""List the generator packages that this site has."""

from __future__ import annotations

from carez_desktop.domain.generation import GeneratorManifest
from carez_desktop.workflows.context import WorkflowContext


def list_generators(context: WorkflowContext) -> tuple[GeneratorManifest, ...]:
    """Return the manifests of the installed packages, by id, newest version first.

    The product's own packages come first where id and version are equal. A package whose manifest
    cannot be read is not listed; `verify_generators` says what is wrong with it.
    """
    from carez_desktop.inference.package_store import list_packages

    return tuple(listed.manifest for listed in list_packages(context.package_roots))
