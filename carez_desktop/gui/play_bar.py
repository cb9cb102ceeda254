"""The bar under the panes: play slices or frames at a rate, go through the points in time."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QDoubleSpinBox, QHBoxLayout, QSlider, QWidget

from carez_desktop.gui.page_parts import icon_button, words
from carez_desktop.gui.theme import Theme, icon

FASTEST = 100.0


class PlayBar(QWidget):
    """Frames of a second, and the slider of time.

    Signals:
        play_toggled: Play or stop.
        rate_chosen(float): Frames of a second.
        time_chosen(int): Index of a point in time.
    """

    play_toggled = Signal()
    rate_chosen = Signal(float)
    time_chosen = Signal(int)

    def __init__(self, theme: Theme) -> None:
        """Lay out the controls."""
        super().__init__()
        self.setObjectName("bar")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._theme = theme
        self._labels: tuple[str, ...] = ()
        self._play = icon_button(theme, "ph.play", "Play or stop (C)", self.play_toggled.emit)
        self._play.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.rate = QDoubleSpinBox()
        self.rate.setRange(0.5, FASTEST)
        self.rate.setDecimals(1)
        self.rate.setSuffix(" frames/s")
        self.rate.setKeyboardTracking(False)
        self.rate.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.rate.setAccessibleName("Frames of a second")
        self.rate.setToolTip("How fast slices or frames play ([ slower, ] faster)")
        self.rate.valueChanged.connect(self.rate_chosen)
        self.time = QSlider(Qt.Orientation.Horizontal)
        self.time.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.time.setAccessibleName("Point in time")
        self.time.setToolTip("Point in time (Left, Right)")
        self.time.valueChanged.connect(self._have_moved)
        self._label = words("", "label")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 4, 12, 4)
        layout.setSpacing(theme.size("space_2"))
        for widget in (self._play, self.rate):
            layout.addWidget(widget)
        layout.addSpacing(theme.size("space_3"))
        layout.addWidget(self.time, 1)
        layout.addWidget(self._label)
        layout.addStretch(0)
        self.show_times((), 0)

    def show_playing(self, playing: bool) -> None:
        """Show whether something plays."""
        self._play.setIcon(icon(self._theme, "ph.pause" if playing else "ph.play"))

    def show_rate(self, frames_per_second: float) -> None:
        """Show a rate without choosing it."""
        with QSignalBlocker(self.rate):
            self.rate.setValue(frames_per_second)

    def show_times(self, labels: Sequence[str], index: int) -> None:
        """Show the points in time, and which of them is there; none hides the slider."""
        self._labels = tuple(labels)
        with QSignalBlocker(self.time):
            self.time.setRange(0, max(0, len(self._labels) - 1))
            self.time.setValue(index)
        self.time.setVisible(len(self._labels) > 1)
        self._show_label()

    def _have_moved(self, index: int) -> None:
        self._show_label()
        self.time_chosen.emit(index)

    def _show_label(self) -> None:
        index = self.time.value()
        if len(self._labels) < 2:
            self._label.setText("")
            return
        text = self._labels[index]
        self._label.setText(" ".join(p for p in (f"{index + 1} / {len(self._labels)}", text) if p))
