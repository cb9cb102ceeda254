"""List the window presets of the product and of the site."""

from __future__ import annotations

from dataclasses import dataclass

from carez_desktop.domain.finding import Finding, Severity
from carez_desktop.domain.named_window import NamedWindow
from carez_desktop.errors import UsageError
from carez_desktop.workflows.context import WorkflowContext

SITE_FILE = "windows.toml"


@dataclass(frozen=True, slots=True)
class WindowPresets:
    """What there is to choose from.

    Attributes:
        windows: In the order of the files; of one modality and title the site's own.
        findings: Why the site's file could not be used.
    """

    windows: tuple[NamedWindow, ...]
    findings: tuple[Finding, ...] = ()


def list_window_presets(context: WorkflowContext) -> WindowPresets:
    """Return the presets of `resources/presets/windows.toml`, and of `windows.toml` in the home.

    Raises:
        StorageError: The installation lacks its own. UsageError: Its own file is damaged.
    """
    from carez_desktop.system.paths import resource_path
    from carez_desktop.workflows._window_preset_file import read_window_file

    found = {
        (item.modality, item.title): item
        for item in read_window_file(resource_path("presets/windows.toml"))
    }
    site = context.home / SITE_FILE
    if not site.exists():
        return WindowPresets(tuple(found.values()))
    try:
        found.update({(item.modality, item.title): item for item in read_window_file(site)})
    except UsageError as error:
        finding = Finding(Severity.WARNING, "window_presets", site.name, str(error))
        return WindowPresets(tuple(found.values()), (finding,))
    return WindowPresets(tuple(found.values()))
