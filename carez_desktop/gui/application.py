"""The composition root of the workstation: context, jobs, window, pages."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QEventLoop, QTimer
from PySide6.QtWidgets import QApplication

from carez_desktop.errors import NotFoundError, StorageError
from carez_desktop.gui.drop_veil import is_bundle
from carez_desktop.gui.job_bridge import JobBridge
from carez_desktop.gui.main_window import MainWindow, PageEntry
from carez_desktop.gui.page_parts import Page
from carez_desktop.gui.session import Session
from carez_desktop.gui.theme import apply_theme, load_theme
from carez_desktop.jobs.job_runner import JobRunner
from carez_desktop.workflows.context import WorkflowContext, open_context
from carez_desktop.workflows.describe_workstation import describe_workstation

_SCREENSHOT_SECONDS = 60.0
_WARM_UP_MILLISECONDS = 800


def qt_application() -> QApplication:
    """Return the program's QApplication, made at the first call.

    Without a display the offscreen platform serves (a screenshot needs no more).
    """
    existing = QApplication.instance()
    if isinstance(existing, QApplication):
        return existing
    has_display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if sys.platform.startswith("linux") and not has_display:
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    application = QApplication(["carez-desktop"])
    QCoreApplication.setApplicationName("Carez Desktop")
    return application


def build_window(context: WorkflowContext) -> MainWindow:
    """Build the window on a context; nothing is shown yet."""
    facts = describe_workstation(context)
    theme = load_theme(facts.theme)
    application = qt_application()
    apply_theme(application, theme)
    bridge = JobBridge(JobRunner())
    session = Session(context, bridge, theme, facts)
    window = MainWindow(session, _entries(session))
    session.setParent(window)
    session.paths_requested.connect(lambda paths: open_paths(window, list(paths)))
    bridge.setParent(window)
    return window


def _entries(session: Session) -> tuple[PageEntry, ...]:
    """Return the pages in the order of the data's way; each imports its page when first shown."""

    def library() -> Page:
        from carez_desktop.gui.library_page import LibraryPage

        return LibraryPage(session)

    def view() -> Page:
        from carez_desktop.gui.view_page import ViewPage

        return ViewPage(session)

    def coverage() -> Page:
        from carez_desktop.gui.coverage_page import CoveragePage

        return CoveragePage(session)

    def generate() -> Page:
        from carez_desktop.gui.generate_page import GeneratePage

        return GeneratePage(session)

    def evaluate() -> Page:
        from carez_desktop.gui.evaluate_page import EvaluatePage

        return EvaluatePage(session)

    def bundles() -> Page:
        from carez_desktop.gui.bundles_page import BundlesPage

        return BundlesPage(session)

    def settings() -> Page:
        from carez_desktop.gui.settings_page import SettingsPage

        return SettingsPage(session)

    return (
        PageEntry("library", "Library", "ph.folder-open", library),
        PageEntry("view", "View", "ph.cube", view),
        PageEntry("coverage", "Coverage", "ph.grid-four", coverage),
        PageEntry("generate", "Generate", "ph.magic-wand", generate),
        PageEntry("evaluate", "Evaluate", "ph.chart-bar", evaluate),
        PageEntry("bundles", "Bundles", "ph.package", bundles),
        PageEntry("settings", "Settings", "ph.gear", settings, at_end=True),
    )


def run_workstation(
    home: Path | None = None, paths: list[Path] | None = None, *, screenshot: Path | None = None
) -> int:
    """Run the workstation until its window closes.

    Args:
        home: The site's folder; None takes `CAREZ_HOME` or the platform's place.
        paths: Folders or files to import, or a bundle whose first case opens beside its source.
        screenshot: Write a picture of the window, once everything has loaded, and end.

    Returns:
        The exit code.

    Raises:
        NotFoundError: A path that is not there. StorageError: The home folder or the screenshot's
            folder cannot be used.
    """
    given = [path.expanduser().resolve() for path in paths or []]
    refuse_missing(given)
    context = open_context(home)
    application = qt_application()
    window = build_window(context)
    first_page = window.restore()
    if screenshot is not None:
        window.resize(1920, 1080)
    window.show()
    window.show_page(first_page)
    open_paths(window, given)
    if screenshot is not None:
        wait_until_idle(window)
        try:
            save_screenshot(window, screenshot)
        finally:
            window.close()
        return 0
    # Children that decode are ready before the first compressed series is opened.
    QTimer.singleShot(_WARM_UP_MILLISECONDS, context.children.warm_up)
    # Python sees Ctrl+C only while it runs: a timer gives it the chance.
    signal.signal(signal.SIGINT, lambda *_: window.close())
    waker = QTimer()
    waker.start(200)
    waker.timeout.connect(lambda: None)
    return application.exec()


def open_paths(window: MainWindow, paths: list[Path]) -> None:
    """Import folders and files; open a bundle on its first case."""
    from carez_desktop.gui.library_page import LibraryPage

    bundles = [path for path in paths if is_bundle(path)]
    others = [path for path in paths if path not in bundles]
    library = window.page("library")
    if others and isinstance(library, LibraryPage):
        window.show_page("library")
        library.import_paths(tuple(others))
    if bundles:
        from carez_desktop.gui.bundles_page import BundlesPage

        page = window.page("bundles")
        if isinstance(page, BundlesPage):
            window.show_page("bundles")
            page.open_bundle(bundles[0], view_first_case=True)


def refuse_missing(paths: list[Path]) -> None:
    """Raise for the first path that is not there.

    Raises:
        NotFoundError: Naming it.
    """
    for path in paths:
        if not path.exists():
            raise NotFoundError(
                "There is no such file or folder",
                subject=str(path),
                hint="Give a folder of studies or a bundle",
            )


def wait_until_idle(window: MainWindow, seconds: float = _SCREENSHOT_SECONDS) -> bool:
    """Let jobs end and the window paint; tell whether it became idle in time."""
    end = time.monotonic() + seconds
    quiet = 0
    while time.monotonic() < end and quiet < 5:
        QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 50)
        quiet = 0 if window.session.bridge.is_busy else quiet + 1
        time.sleep(0.01)
    return quiet >= 5


def save_screenshot(window: MainWindow, path: Path) -> None:
    """Write a picture of the window.

    Raises:
        StorageError: When the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        is_written = window.grab().save(str(path), "PNG")
    except OSError:
        is_written = False
    if not is_written:
        raise StorageError(
            "The screenshot could not be written",
            subject=str(path),
            hint="Choose a writable folder, and a name that ends in .png",
        )
