"""The window: rail of pages, the page, and the status bar that always tells three things."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import QByteArray, QEvent, QSettings, QSize, Qt
from PySide6.QtGui import (
    QCloseEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QKeyEvent,
)
from PySide6.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QMainWindow,
    QMenu,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from carez_desktop.gui.command_keys import CommandKeys
from carez_desktop.gui.job_indicator import JobIndicator
from carez_desktop.gui.page_parts import Page, words
from carez_desktop.gui.session import Session
from carez_desktop.gui.theme import icon
from carez_desktop.gui.window_history import WindowHistory
from carez_desktop.gui.window_overlays import WindowOverlays

_SETTINGS_FILE = "workstation.ini"
_FIRST_SIZE = QSize(1280, 800)


@dataclass(frozen=True, eq=False)
class PageEntry:
    """A page of the rail.

    Attributes:
        build: Makes the page when it is first needed, so that the shell paints fast.
        at_end: It stands at the foot of the rail, apart from the way of the data.
    """

    id: str
    title: str
    icon: str
    build: Callable[[], Page]
    at_end: bool = False


class MainWindow(QMainWindow):
    """The shell around the pages."""

    def __init__(self, session: Session, entries: tuple[PageEntry, ...]) -> None:
        """Build rail and status bar; pages come when they are first shown."""
        super().__init__()
        self.setObjectName("window")
        self.setWindowTitle("Carez Desktop - research use only")
        self.session = session
        self._entries = {entry.id: entry for entry in entries}
        self._pages: dict[str, Page] = {}
        self._stack = QStackedWidget()
        self._buttons: dict[str, QToolButton] = {}
        self._settings = QSettings(
            str(session.context.home / _SETTINGS_FILE), QSettings.Format.IniFormat
        )
        centre = QWidget()
        layout = QHBoxLayout(centre)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._build_rail(entries))
        layout.addWidget(self._stack, 1)
        self.setCentralWidget(centre)
        self._build_status_bar()
        self.overlays = WindowOverlays(session, self)
        self._history = WindowHistory(session, self.overlays.note, self)
        self._register_commands()
        self._command_keys = CommandKeys(session, self)
        session.page_requested.connect(self.show_page)
        session.volumes_requested.connect(self._open_volumes)
        self.setMinimumSize(900, 600)
        self.setAcceptDrops(True)

    # -- pages ---------------------------------------------------------------------------------

    def page(self, name: str) -> Page:
        """Return a page, building it at first use."""
        if name not in self._pages:
            page = self._entries[name].build()
            self._pages[name] = page
            self._stack.addWidget(page)
            page.remember_in(self._settings)
        return self._pages[name]

    @property
    def current(self) -> str:
        """The id of the page shown; "" before the first."""
        shown = self._stack.currentWidget()
        return next((name for name, page in self._pages.items() if page is shown), "")

    def show_page(self, name: str) -> None:
        """Go to a page."""
        if name not in self._entries:
            return
        before = self.current
        if before and before != name:
            self._pages[before].leaving()
        page = self.page(name)
        self._stack.setCurrentWidget(page)
        self._buttons[name].setChecked(True)
        self.session.commands.enter(name)
        page.entered()

    def _open_volumes(self, first: str, second: str) -> None:
        from carez_desktop.gui.view_page import ViewPage

        self.show_page("view")
        page = self.page("view")
        if isinstance(page, ViewPage):
            page.open_ids(first, second)

    # -- the shell -----------------------------------------------------------------------------

    def _build_rail(self, entries: tuple[PageEntry, ...]) -> QWidget:
        theme = self.session.theme
        rail = QWidget()
        rail.setObjectName("rail")
        rail.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        rail.setFixedWidth(theme.size("rail"))
        layout = QVBoxLayout(rail)
        layout.setContentsMargins(0, 8, 0, 8)
        layout.setSpacing(2)
        group = QButtonGroup(self)
        group.setExclusive(True)
        for entry in (entry for entry in entries if not entry.at_end):
            layout.addWidget(self._rail_button(entry, group))
        layout.addStretch(1)
        for entry in (entry for entry in entries if entry.at_end):
            layout.addWidget(self._rail_button(entry, group))
        self._menu_button = self._look_of_rail(QToolButton(), "Menu", "ph.list")
        self._menu_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._menu_button.setMenu(QMenu(self._menu_button))
        self._menu_button.menu().aboutToShow.connect(self._fill_menu)
        layout.addWidget(self._menu_button)
        self.session.key_map.changed.connect(self._tell_keys)
        self._tell_keys()
        return rail

    def _rail_button(self, entry: PageEntry, group: QButtonGroup) -> QToolButton:
        made = self._look_of_rail(QToolButton(), entry.title, entry.icon)
        made.setCheckable(True)
        made.clicked.connect(partial(self.show_page, entry.id))
        group.addButton(made)
        self._buttons[entry.id] = made
        return made

    def _look_of_rail(self, button: QToolButton, title: str, icon_name: str) -> QToolButton:
        theme = self.session.theme
        button.setObjectName("rail_button")
        button.setText(title)
        button.setIcon(icon(theme, icon_name))
        button.setIconSize(QSize(theme.size("icon"), theme.size("icon")))
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        button.setFixedWidth(theme.size("rail") - 1)
        return button

    def _tell_keys(self) -> None:
        """Write the keys that the buttons have now into their tooltips."""
        keys = self.session.key_map
        for number, button in enumerate(self._buttons.values(), start=1):
            is_page = number <= len(self._rail_pages())
            button.setToolTip(keys.tooltip(f"page_{number}" if is_page else "settings"))
        self._menu_button.setToolTip(keys.tooltip("show_menu"))

    def _rail_pages(self) -> tuple[str, ...]:
        """Return the ids of the pages that the way of the data goes through."""
        return tuple(entry.id for entry in self._entries.values() if not entry.at_end)

    def _fill_menu(self) -> None:
        """Make the menu when it is first opened."""
        menu = self._menu_button.menu()
        if menu.isEmpty():
            from carez_desktop.gui.command_menu import command_menu

            menu.aboutToShow.disconnect(self._fill_menu)
            command_menu(self.session, menu)

    def _build_status_bar(self) -> None:
        bar = self.statusBar()
        bar.setSizeGripEnabled(False)
        bar.setFixedHeight(self.session.theme.size("status_bar"))
        bar.addWidget(words(self.session.facts.device))
        bar.addWidget(words(self.session.facts.network))
        bar.addWidget(words("research use only"))
        self.indicator = JobIndicator(self.session.bridge.cancel)
        self.session.bridge.status_changed.connect(self.indicator.take)
        bar.addPermanentWidget(self.indicator)

    def _register_commands(self) -> None:
        commands = self.session.commands
        commands.register("quit", self.close)
        commands.register("show_menu", self._menu_button.showMenu)
        commands.register("settings", partial(self.show_page, "settings"))
        commands.register("import_folder", partial(self._import, "choose_folder"))
        commands.register("import_files", partial(self._import, "choose_files"))
        commands.register("full_screen", self._toggle_full_screen, checked=self.isFullScreen)
        for number, name in enumerate(self._rail_pages(), start=1):
            commands.register(f"page_{number}", partial(self.show_page, name))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Run the command of a key that no widget of the page used."""
        if not self._command_keys.press(event):
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        """Let a command go that lasts as long as its key is held."""
        if not self._command_keys.release(event):
            super().keyReleaseEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        """Let held commands go when another window takes the keyboard."""
        if event.type() == QEvent.Type.ActivationChange and not self.isActiveWindow():
            self._command_keys.let_go()
        super().changeEvent(event)

    def _toggle_full_screen(self) -> None:
        if self.isFullScreen():
            self.showNormal()
        else:
            self.showFullScreen()

    def _import(self, choose: str) -> None:
        """Go to the library and ask there what to import."""
        self.show_page("library")
        getattr(self.page("library"), choose)()

    # -- what is remembered --------------------------------------------------------------------

    def restore(self) -> str:
        """Bring back size and place of the last time; return the page shown then."""
        geometry = self._settings.value("geometry")
        if not (isinstance(geometry, QByteArray) and self.restoreGeometry(geometry)):
            self.resize(_FIRST_SIZE)
        page = str(self._settings.value("page") or "library")
        return page if page in self._entries else "library"

    # -- dropping ------------------------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take folders, archives, files and bundles anywhere in the window."""
        from carez_desktop.gui.drop_veil import dropped_paths

        paths = dropped_paths(event.mimeData())
        if paths:
            event.acceptProposedAction()
            self.overlays.tell_drop(paths)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        """Show the page again."""
        self.overlays.end_drop()
        super().dragLeaveEvent(event)

    def dropEvent(self, event: QDropEvent) -> None:
        """Import what was dropped, or open a bundle."""
        from carez_desktop.gui.drop_veil import dropped_paths

        self.overlays.end_drop()
        paths = dropped_paths(event.mimeData())
        if paths:
            event.acceptProposedAction()
            self.session.paths_requested.emit(paths)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Keep size and page, let go of volumes, stop every job."""
        for page in self._pages.values():
            page.keep_looks()
        self._settings.setValue("geometry", self.saveGeometry())
        self._settings.setValue("page", self.current or "library")
        self._settings.sync()
        self.hide()
        view = self._pages.get("view")
        close_volumes = getattr(view, "close_volumes", None)
        if close_volumes is not None:
            close_volumes()
        self.session.bridge.close()
        self.session.context.close()
        super().closeEvent(event)
