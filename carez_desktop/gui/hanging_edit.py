"""Hand out an editable copy of the hanging protocol that laid out what is open."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from carez_desktop.domain.hanging import Hanging
from carez_desktop.gui.job_bridge import JobCall
from carez_desktop.gui.session import Session
from carez_desktop.gui.view_loading import LoadedLayers

if TYPE_CHECKING:
    from carez_desktop.gui.view_page import ViewPage


class HangingEdit(QObject):
    """Remember which protocol was used, and copy it into the home on request."""

    def __init__(self, page: ViewPage, session: Session) -> None:
        """Register the command."""
        super().__init__(page)
        self._page = page
        self._session = session
        self._hanging: Hanging | None = None
        page.opening.loaded.connect(self._keep)
        session.commands.register("edit_hanging", self.edit)

    def _keep(self, loaded: LoadedLayers) -> None:
        self._hanging = loaded.hanging

    def edit(self) -> None:
        """Copy the protocol, or say that none was used."""
        message = self._page.message
        if self._hanging is None:
            message.show_notice("No hanging protocol laid out what is open: nothing to edit")
            return
        context, name = self._session.context, self._hanging.protocol.id

        def work(_: JobCall) -> Path:
            from carez_desktop.workflows.copy_hanging_protocol import copy_hanging_protocol

            return copy_hanging_protocol(context, protocol_id=name)

        self._session.bridge.submit(
            "Copy a hanging protocol", work, on_result=self._tell, on_error=message.show_error
        )

    def _tell(self, copy: Path) -> None:
        self._page.message.show_notice(
            f"Edit {copy}; _fields.toml beside it explains each field. It is used from the next "
            "opening on"
        )
