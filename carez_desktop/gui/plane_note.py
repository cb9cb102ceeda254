"""What a pane says where it cannot show a picture: why, and what can be done about it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from carez_desktop.gui.page_parts import button, words
from carez_desktop.gui.theme import Theme

_WIDEST = 460


class PlaneNote(QWidget):
    """Words in the middle of a black pane, and perhaps a button."""

    def __init__(
        self,
        theme: Theme,
        text: str = "",
        action: tuple[str, Callable[[], object]] | None = None,
        *,
        ground: str = "canvas",
    ) -> None:
        """Say something.

        Args:
            theme: The looks.
            text: What to say first.
            action: A button's words and what it does.
            ground: `canvas` for a pane of images, `page` elsewhere.
        """
        super().__init__()
        self.setObjectName(ground)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._text = words(text, wrap=True)
        self._text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._text.setMaximumWidth(_WIDEST)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.action: QPushButton | None = None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 12, 12, 12)
        layout.setSpacing(theme.size("space_4"))
        layout.addStretch(1)
        line = QHBoxLayout()
        line.addStretch(1)
        line.addWidget(self._text, 100)
        line.addStretch(1)
        layout.addLayout(line)
        if action is not None:
            self.action = button(action[0], action[1])
            layout.addWidget(self.action, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addStretch(1)

    @property
    def text(self) -> str:
        """What it says."""
        return self._text.text()

    def say(self, text: str) -> None:
        """Say something else."""
        self._text.setText(text)
