"""Menus and buttons made from the table of commands; they follow new keys and what can run now."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from PySide6.QtCore import QObject, QSize, QTimer
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu, QToolButton

from carez_desktop.gui.command_keys import shown_key
from carez_desktop.gui.session import Session
from carez_desktop.gui.theme import icon
from carez_desktop.workspace.commands import SCOPES, Command, command, groups


def fill_menu(menu: QMenu, session: Session, names: Iterable[str]) -> None:
    """Add commands to a menu; "" is a separator.

    They are looked at again each time the menu opens: what can run, what is ticked, which keys.
    """
    made: list[tuple[QAction, str]] = []
    for name in names:
        if not name:
            menu.addSeparator()
            continue
        action = menu.addAction(command(name).title)
        action.triggered.connect(partial(run_command, session, name))
        made.append((action, name))

    def look_again() -> None:
        for action, name in made:
            _show_state(action, session, name)

    menu.setToolTipsVisible(True)
    menu.aboutToShow.connect(look_again)
    look_again()


def command_menu(session: Session, menu: QMenu) -> QMenu:
    """Fill a menu with every command: those of the page in front by group, then the window's."""
    by_group = groups()
    first: list[QMenu] = []
    for title, entries in by_group.items():
        if title in ("Workstation", "Pages"):
            continue
        part = menu.addMenu(title)
        fill_menu(part, session, [entry.id for entry in entries])
        part.menuAction().setData(entries[0].scope)
        first.append(part)

    def show_those_of_the_page() -> None:
        for part in first:
            part.menuAction().setVisible(part.menuAction().data() == session.commands.scope)

    menu.aboutToShow.connect(show_those_of_the_page)
    menu.addSeparator()
    pages = menu.addMenu("Pages")
    fill_menu(pages, session, [entry.id for entry in by_group["Pages"]])
    fill_menu(
        menu, session, [entry.id for entry in by_group["Workstation"] if entry.id != "show_menu"]
    )
    return menu


def run_command(session: Session, name: str, _checked: bool = False) -> None:
    """Run a command, and tell why when it cannot."""
    refusal = session.commands.run(name)
    if refusal:
        session.command_refused.emit(refusal)


def where_text(entry: Command) -> str:
    """Say to what a command belongs, for lists: `View, Picture`."""
    if entry.scope == "window":
        return entry.group
    place = SCOPES[entry.scope]
    return place if entry.group == place else f"{place}, {entry.group}"


def command_button(session: Session, name: str, icon_name: str = "") -> QToolButton:
    """Return a button that runs a command.

    Its tooltip names the key it has now, or why it cannot run; a switch shows its state.

    Args:
        session: With commands and keys.
        name: Id of the command.
        icon_name: Of the Phosphor family; "" shows the title.
    """
    made = QToolButton()
    if icon_name:
        size = session.theme.size("icon")
        made.setIcon(icon(session.theme, icon_name))
        made.setIconSize(QSize(size, size))
    else:
        made.setText(command(name).title)
    made.setAccessibleName(command(name).title)
    made.clicked.connect(partial(run_command, session, name))
    CommandLooks(session, made, name)
    return made


class CommandLooks(QObject):
    """Keep a button's tooltip, tick and readiness in step with its command."""

    def __init__(self, session: Session, button: QToolButton, name: str) -> None:
        """Follow commands and keys as long as the button lives."""
        super().__init__(button)
        self._session = session
        self._button = button
        self._name = name
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(0)
        self._later.timeout.connect(self.look)
        commands, keys = session.commands.changed, session.key_map.changed
        commands.connect(self._look_later)
        keys.connect(self._look_later)
        button.destroyed.connect(partial(commands.disconnect, self._look_later, missing_ok=True))
        button.destroyed.connect(partial(keys.disconnect, self._look_later, missing_ok=True))
        self.look()

    def _look_later(self) -> None:
        self._later.start()

    def look(self) -> None:
        """Ask what the command can do now."""
        refusal = self._session.commands.refusal(self._name)
        tip = self._session.key_map.tooltip(self._name)
        self._button.setToolTip(f"{tip}: {refusal}" if refusal else tip)
        self._button.setEnabled(not refusal)
        checked = self._session.commands.is_checked(self._name)
        self._button.setCheckable(checked is not None)
        self._button.setChecked(bool(checked))


def _show_state(action: QAction, session: Session, name: str) -> None:
    keys = session.key_map.keys_of(name)
    # The key is shown, not set: a second shortcut would make the first ambiguous.
    title = command(name).title.replace("&", "&&")
    action.setText(f"{title}\t{shown_key(keys[0])}" if keys else title)
    action.setShortcut(QKeySequence())
    refusal = session.commands.refusal(name)
    action.setEnabled(not refusal)
    action.setToolTip(refusal or command(name).title)
    checked = session.commands.is_checked(name)
    action.setCheckable(checked is not None)
    action.setChecked(bool(checked))
