"""What lies over the window for a moment: keys, palette, a note, what a drop would do.

Each is built when it is first needed, so that the shell of the window paints fast.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from carez_desktop.errors import CarezError
from carez_desktop.gui.session import Session
from carez_desktop.gui.window_note import WindowNote

if TYPE_CHECKING:
    from carez_desktop.gui.command_palette import CommandPalette
    from carez_desktop.gui.drop_veil import DropVeil
    from carez_desktop.gui.keys_overlay import KeysOverlay


class WindowOverlays(QObject):
    """The overlays of one window.

    Attributes:
        note: The line that says why a key did nothing.
    """

    def __init__(self, session: Session, window: QWidget) -> None:
        """Register the keys that open them."""
        super().__init__(window)
        self._session = session
        self._window = window
        self._keys: KeysOverlay | None = None
        self._palette: CommandPalette | None = None
        self._veil: DropVeil | None = None
        self.note = WindowNote(window)
        session.command_refused.connect(self.note.say)
        display = session.display
        session.commands.register(
            "hide_identity",
            lambda: self._switch("hides_identity"),
            checked=lambda: display.options.hides_identity,
        )
        session.commands.register(
            "corner_texts",
            lambda: self._switch("shows_corners"),
            checked=lambda: display.options.shows_corners,
        )
        session.commands.register("show_keys", self.toggle_keys)
        session.commands.register("palette", self.toggle_palette)

    @property
    def keys(self) -> KeysOverlay:
        """The list of all keys."""
        if self._keys is None:
            from carez_desktop.gui.keys_overlay import KeysOverlay

            self._keys = KeysOverlay(self._session, self._window)
        return self._keys

    @property
    def palette(self) -> CommandPalette:
        """The palette of commands."""
        if self._palette is None:
            from carez_desktop.gui.command_palette import CommandPalette

            self._palette = CommandPalette(self._session, self._window)
        return self._palette

    def toggle_keys(self) -> None:
        """Show the list of keys, or hide it."""
        if self._palette is not None:
            self._palette.hide()
        self.keys.toggle()

    def toggle_palette(self) -> None:
        """Show the palette, or hide it."""
        if self._keys is not None:
            self._keys.hide()
        self.palette.toggle()

    def _switch(self, name: str) -> None:
        """Switch one of the display options, and keep it."""
        from carez_desktop.workspace.display_file import save_display

        display = self._session.display
        display.change(**{name: not getattr(display.options, name)})
        try:
            save_display(self._session.context.home, display.options)
        except CarezError as error:
            self.note.say(str(error))

    def tell_drop(self, paths: Sequence[Path]) -> None:
        """Say what dropping these would do."""
        if self._veil is None:
            from carez_desktop.gui.drop_veil import DropVeil

            self._veil = DropVeil(self._session.theme, self._window)
        self._veil.tell(paths)

    def end_drop(self) -> None:
        """Take the veil away."""
        if self._veil is not None:
            self._veil.hide()

    @property
    def drop_text(self) -> str:
        """What is said about a drop now; "" while nothing is dragged."""
        is_shown = self._veil is not None and self._veil.isVisible()
        return self._veil.text if is_shown and self._veil is not None else ""
