"""What every workflow is given: the site's home and what lies in it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from carez_desktop.system.paths import default_home, make_private_folder, models_root
from carez_desktop.system.settings import Settings, load_settings

if TYPE_CHECKING:
    from carez_desktop.library.study_library import StudyLibrary
    from carez_desktop.system.audit_log import AuditLog
    from carez_desktop.system.child_process import ChildPool

_CHILD_MODULES = ("carez_desktop.dicom.frame_decoding", "carez_desktop.dicom.decoders")


@dataclass(frozen=True)
class WorkflowContext:
    """Built once by each face of the product (`cli/`, `gui/application.py`).

    Attributes:
        home: Holds library, audit log, settings, models, bundles, keys; owner only.
        clock: Gives the time in UTC; tests set it.
        uid_factory: Gives a new DICOM UID below the site's root, or `2.25.`.
    """

    home: Path
    settings: Settings
    clock: Callable[[], datetime]
    uid_factory: Callable[[], str]

    @cached_property
    def library(self) -> StudyLibrary:
        """The local study library, opened at first use.

        Raises:
            StorageError: Locked, of a newer version, or on a network disk.
        """
        from carez_desktop.library.study_library import StudyLibrary

        return StudyLibrary(self.home / "library")

    @cached_property
    def audit_log(self) -> AuditLog:
        """The hash-chained audit log, opened at first use."""
        from carez_desktop.system.audit_log import AuditLog

        return AuditLog(self.home / "audit")

    @cached_property
    def children(self) -> ChildPool:
        """The warm children that decode and parse hostile bytes; none is started yet."""
        from carez_desktop.system.child_process import ChildPool

        return ChildPool(preload=_CHILD_MODULES)

    def close(self, *, library: bool = False) -> None:
        """End the children; an interpreter that exits does it by itself.

        Args:
            library: Close its connections too; only when no other thread works on it.
        """
        if "children" in self.__dict__:
            self.children.close()
        if library and "library" in self.__dict__:
            self.library.close()

    @property
    def package_roots(self) -> tuple[Path, ...]:
        """Where generator packages lie: the product's own, then the site's."""
        return (models_root(), self.home / "models")

    @property
    def bundles_folder(self) -> Path:
        """Where the workstation puts bundles."""
        return make_private_folder(self.home / "bundles")


def _uid_factory(root: str) -> Callable[[], str]:
    """Return a maker of UIDs: `2.25.<uuid>` (PS3.5 B.2), or below the site's own root."""

    def make() -> str:
        if not root:
            return f"2.25.{uuid.uuid4().int}"
        room = min(38, 64 - len(root) - 1)
        return f"{root}.{uuid.uuid4().int % 10**room}"

    return make


def open_context(home: Path | None = None) -> WorkflowContext:
    """Open the site's home folder, creating it at the first start.

    Args:
        home: The folder; None takes `CAREZ_HOME` or the platform's place.

    Raises:
        StorageError: When it cannot be created. UsageError: When its settings are wrong.
    """
    folder = make_private_folder((home or default_home()).expanduser().resolve())
    settings = load_settings(folder)
    return WorkflowContext(
        folder, settings, lambda: datetime.now(UTC), _uid_factory(settings.uid_root)
    )
