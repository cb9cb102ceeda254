"""List the hanging protocols of the product and of the site."""

from __future__ import annotations

from dataclasses import dataclass

from carez_desktop.domain.finding import Finding, Severity
from carez_desktop.domain.hanging import HangingProtocol
from carez_desktop.errors import UsageError
from carez_desktop.workflows.context import WorkflowContext

HANGING_FOLDER = "hanging"


@dataclass(frozen=True, slots=True)
class HangingProtocols:
    """What there is to choose from.

    Attributes:
        protocols: By title; of one id the site's own.
        findings: Files of the site that could not be used.
    """

    protocols: tuple[HangingProtocol, ...]
    findings: tuple[Finding, ...] = ()


def list_hanging_protocols(context: WorkflowContext) -> HangingProtocols:
    """Return the protocols of `resources/hanging`, and those of `hanging` in the site's home.

    A site's file that is wrong is left out and told; the product's one of that id stays.

    Raises:
        StorageError: The installation lacks its own.
    """
    from carez_desktop.system.paths import resource_path
    from carez_desktop.workflows._hanging_file import read_hanging_file

    own = sorted(resource_path(HANGING_FOLDER).glob("[!_]*.toml"))
    site = sorted((context.home / HANGING_FOLDER).glob("[!_]*.toml"))
    found: dict[str, HangingProtocol] = {}
    findings = []
    for path in (*own, *site):
        try:
            protocol = read_hanging_file(path)
        except UsageError as error:
            findings.append(Finding(Severity.WARNING, "hanging_protocol", path.name, str(error)))
            continue
        found[protocol.id] = protocol
    ordered = sorted(found.values(), key=lambda item: (item.title.lower(), item.id))
    return HangingProtocols(tuple(ordered), tuple(findings))
