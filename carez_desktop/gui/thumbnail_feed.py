"""Thumbnails of the rows in view: read from the library, made in the background where missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from PySide6.QtCore import QObject, Signal

from carez_desktop.errors import CarezError
from carez_desktop.gui.job_bridge import JobCall
from carez_desktop.gui.session import Session
from carez_desktop.jobs.job_runner import Lane

_AT_ONCE = 12


class ThumbnailFeed(QObject):
    """Ask for the rows in view first; a few at a time, so that scrolling changes what is next.

    Signals:
        arrived(dict): PNG bytes by volume id.
        failed(CarezError): The library cannot be read or written.
    """

    arrived = Signal(dict)
    failed = Signal(object)

    def __init__(
        self, session: Session, wanted: Callable[[], tuple[str, ...]], parent: QObject
    ) -> None:
        """Start idle.

        Args:
            session: Context and jobs.
            wanted: Gives the volume ids of rows in view without a picture, from top to bottom.
            parent: Owner.
        """
        super().__init__(parent)
        self._session = session
        self._wanted = wanted
        self._tried: set[str] = set()
        self._is_making = False
        self._at_once = _AT_ONCE

    def forget(self) -> None:
        """Try again what could not be made before; the library changed."""
        self._tried.clear()
        self._at_once = _AT_ONCE

    def look(self) -> None:
        """Read the thumbnails of the rows in view."""
        ids, context = self._wanted(), self._session.context
        if not ids:
            return

        def work(_: JobCall) -> dict[str, bytes]:
            from carez_desktop.workflows.read_thumbnails import read_thumbnails

            return read_thumbnails(context, volume_ids=ids)

        self._session.bridge.submit(
            "Read thumbnails",
            work,
            key="library.pictures",
            lane=Lane.QUICK,
            visible=False,
            on_result=self._have_read,
            on_error=self.failed.emit,
        )

    def _have_read(self, pictures: Mapping[str, bytes]) -> None:
        if pictures:
            self.arrived.emit(dict(pictures))
        self._make()

    def _make(self) -> None:
        missing = [volume_id for volume_id in self._wanted() if volume_id not in self._tried]
        if self._is_making or not missing:
            return
        chosen, context = tuple(missing[: self._at_once]), self._session.context
        self._tried.update(chosen)
        self._is_making = True

        def work(call: JobCall) -> object:
            from carez_desktop.workflows.make_thumbnails import make_thumbnails

            return make_thumbnails(
                context, volume_ids=chosen, cancel=call.cancel, progress=call.progress
            )

        self._session.bridge.submit(
            "Thumbnails",
            work,
            on_result=lambda _: self._have_made(),
            on_error=partial(self._have_failed, chosen),
        )

    def _have_made(self) -> None:
        self._is_making = False
        self.look()

    def _have_failed(self, chosen: tuple[str, ...], error: CarezError) -> None:
        """Go on one by one, so that one series that fails costs no other its picture."""
        self._is_making = False
        self.failed.emit(error)
        if len(chosen) > 1:
            self._tried.difference_update(chosen)
            self._at_once = 1
        self.look()
