"""A line that appears over the window for a moment: why a key did nothing, what was done."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QLabel, QWidget

_MILLISECONDS = 3000
_ABOVE = 56


class WindowNote(QLabel):
    """One line in the lower middle of a window; it takes no mouse and no keyboard."""

    def __init__(self, parent: QWidget) -> None:
        """Start hidden."""
        super().__init__(parent)
        self.setObjectName("window_note")
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._end = QTimer(self)
        self._end.setSingleShot(True)
        self._end.setInterval(_MILLISECONDS)
        self._end.timeout.connect(self.hide)
        self.hide()

    def say(self, text: str) -> None:
        """Show a line for three seconds."""
        if not text:
            return
        self.setText(text)
        self.adjustSize()
        parent = self.parentWidget()
        if parent is not None:
            left = max(0, (parent.width() - self.width()) // 2)
            self.move(left, parent.height() - self.height() - _ABOVE)
        self.show()
        self.raise_()
        self._end.start()
