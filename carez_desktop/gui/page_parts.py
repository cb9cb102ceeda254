"""Parts that pages are made of: title, bars for errors and notices, empty state, form row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from PySide6.QtCore import QSettings, QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QLayout,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from carez_desktop.errors import CarezError
from carez_desktop.gui.theme import Theme, icon

Choices = Sequence[tuple[str, Callable[[], object]]]
"""Words of buttons and what they do."""

_EMPTY_WIDTH = 520


def words(text: str, role: str = "", *, wrap: bool = False) -> QLabel:
    """Return a label; `role` picks its looks (`title`, `section`, `label`, `error`, ...)."""
    label = QLabel(text)
    if role:
        label.setObjectName(role)
    label.setWordWrap(wrap)
    label.setTextFormat(Qt.TextFormat.PlainText)
    return label


def separator() -> QFrame:
    """Return a line of one pixel."""
    line = QFrame()
    line.setObjectName("separator")
    line.setFixedHeight(1)
    return line


def icon_button(theme: Theme, name: str, tip: str, action: Callable[[], object]) -> QToolButton:
    """Return a square button with an icon and a tooltip that names its key."""
    button = QToolButton()
    button.setIcon(icon(theme, name))
    button.setIconSize(QSize(theme.size("icon"), theme.size("icon")))
    button.setToolTip(tip)
    button.setAccessibleName(tip)
    button.clicked.connect(lambda _checked=False: action())
    return button


def button(
    text: str, action: Callable[[], object], *, role: str = "", tip: str = ""
) -> QPushButton:
    """Return a button with words."""
    made = QPushButton(text)
    if role:
        made.setObjectName(role)
    made.setToolTip(tip)
    made.clicked.connect(lambda _checked=False: action())
    return made


class ElidedLabel(QLabel):
    """One line that ends in an ellipsis where the room ends; the tooltip has it all."""

    def __init__(self, text: str, role: str = "") -> None:
        """Show the text as far as it fits."""
        super().__init__()
        if role:
            self.setObjectName(role)
        self._text = ""
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.setText(text)

    def setText(self, text: str) -> None:
        """Show other words."""
        self._text = text
        self.setToolTip(text)
        self._fit()

    @property
    def full_text(self) -> str:
        """The words without ellipsis."""
        return self._text

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Cut the words anew."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        room = max(self.width(), 24)
        metrics = self.fontMetrics()
        super().setText(metrics.elidedText(self._text, Qt.TextElideMode.ElideRight, room))


class MessageBar(QFrame):
    """A bar under a page's title: what happened, where, and what to do next."""

    def __init__(self, theme: Theme) -> None:
        """Start hidden."""
        super().__init__()
        self._theme = theme
        self._icon = QLabel()
        self._text = words("", wrap=True)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._text.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        close = icon_button(theme, "ph.x", "Dismiss", self.hide)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 8, 8, 8)
        layout.setSpacing(8)
        layout.addWidget(self._icon)
        layout.addWidget(self._text, 1)
        self._choices = QHBoxLayout()
        self._choices.setSpacing(8)
        layout.addLayout(self._choices)
        layout.addWidget(close)
        self.buttons: tuple[QPushButton, ...] = ()
        self.hide()

    def show_error(self, error: CarezError) -> None:
        """Show an error with its subject and its remedy."""
        self._show("error_bar", "ph.warning-circle", "bad", str(error))

    def show_notice(self, text: str, choices: Choices = ()) -> None:
        """Show a piece of news, with buttons for what can be done about it."""
        self._show("notice_bar", "ph.info", "accent", text, choices)

    def ask(self, text: str, choices: Choices) -> None:
        """Ask before what cannot be undone; the last, harmless button has the keyboard."""
        self._show("notice_bar", "ph.question", "caution", text, choices)
        if self.buttons:
            self.buttons[-1].setFocus()

    @property
    def text(self) -> str:
        """What it says."""
        return self._text.text()

    def _choose(self, action: Callable[[], object]) -> None:
        self.hide()
        action()

    def _show(
        self, role: str, icon_name: str, shade: str, text: str, choices: Choices = ()
    ) -> None:
        clear_layout(self._choices)
        self.buttons = tuple(
            button(title, partial(self._choose, action)) for title, action in choices
        )
        for made in self.buttons:
            self._choices.addWidget(made)
        self.setObjectName(role)
        self.style().unpolish(self)
        self.style().polish(self)
        size = self._theme.size("icon")
        self._icon.setPixmap(icon(self._theme, icon_name, shade).pixmap(size, size))
        self._text.setText(text)
        self.show()


class EmptyState(QWidget):
    """What an empty page says: one sentence, one button that starts it, perhaps a second way."""

    def __init__(self, theme: Theme, icon_name: str, sentence: str) -> None:
        """Say what the page is for."""
        super().__init__()
        picture = QLabel()
        picture.setPixmap(icon(theme, icon_name, "faint").pixmap(48, 48))
        picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.sentence = words(sentence, "section", wrap=True)
        self.sentence.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.sentence.setFixedWidth(_EMPTY_WIDTH)
        self.sentence.ensurePolished()
        self.sentence.setMinimumHeight(2 * theme.size("section") * 2)
        self._buttons = QHBoxLayout()
        self._buttons.setSpacing(theme.size("space_3"))
        self._buttons.setAlignment(Qt.AlignmentFlag.AlignCenter)
        layout = QVBoxLayout(self)
        layout.setSpacing(theme.size("space_4"))
        layout.addStretch(2)
        layout.addWidget(picture)
        layout.addWidget(self.sentence, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addLayout(self._buttons)
        layout.addStretch(3)

    def add_button(self, text: str, action: Callable[[], object], *, primary: bool = False) -> None:
        """Add a way to start."""
        self._buttons.addWidget(button(text, action, role="primary" if primary else ""))


class Page(QWidget):
    """A page of the rail: title line, message bar, body and a panel on the right.

    Attributes:
        bar: The title line; pages add their buttons to it.
        message: Errors and notices.
        body: Layout of what the page shows.
        panel: Layout of the panel on the right; hidden while nothing was added.
    """

    def __init__(self, theme: Theme, title: str) -> None:
        """Lay out the empty page."""
        super().__init__()
        self.setObjectName("page")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.theme = theme
        self.message = MessageBar(theme)
        self.title = ElidedLabel(title, "title")
        self.bar = QHBoxLayout()
        self.bar.setContentsMargins(16, 8, 12, 8)
        self.bar.setSpacing(theme.size("space_2"))
        self.bar.addWidget(self.title, 1)
        holder = QWidget()
        holder.setObjectName("bar")
        holder.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        holder.setFixedHeight(48)
        holder.setLayout(self.bar)
        self.body = QVBoxLayout()
        self.body.setContentsMargins(0, 0, 0, 0)
        self.body.setSpacing(0)
        column = QVBoxLayout()
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(holder)
        column.addWidget(self.message)
        column.addLayout(self.body, 1)
        self.panel, self.panel_area = _side_panel(theme)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(column, 1)
        layout.addWidget(self.panel_area)

    def use_panel(self) -> None:
        """Show the panel on the right."""
        self.panel_area.show()

    def fold_panel(self) -> None:
        """Fold the panel away or bring it back."""
        self.panel_area.setVisible(not self.panel_area.isVisible())

    def remember_in(self, settings: QSettings) -> None:
        """Bring back what the page keeps of its looks."""

    def keep_looks(self) -> None:
        """Write what the page keeps of its looks."""

    def entered(self) -> None:
        """Answer that the page came into view; pages refresh here."""

    def leaving(self) -> None:
        """Answer that another page comes into view."""


def _side_panel(theme: Theme) -> tuple[QVBoxLayout, QScrollArea]:
    """Return the layout of a panel and the scroll area that holds it, hidden."""
    panel = QWidget()
    panel.setObjectName("panel")
    panel.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
    outer = QVBoxLayout(panel)
    outer.setContentsMargins(16, 12, 16, 12)
    # A stretch, not an alignment: an aligned layout gives wrapped words the height of one line.
    layout = QVBoxLayout()
    layout.setSpacing(theme.size("space_2"))
    outer.addLayout(layout)
    outer.addStretch(1)
    area = QScrollArea()
    area.setObjectName("panel_area")
    area.setWidget(panel)
    area.setWidgetResizable(True)
    area.setFixedWidth(theme.size("panel_width"))
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    area.hide()
    return layout, area


def clear_layout(layout: QLayout) -> None:
    """Take every widget and inner layout out of a layout."""
    while layout.count():
        item = layout.takeAt(0)
        if item is None:
            return
        widget, inner = item.widget(), item.layout()
        if widget is not None:
            widget.hide()
            widget.deleteLater()
        elif inner is not None:
            clear_layout(inner)
