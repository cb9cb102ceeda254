"""What the pages share: context, jobs, looks, and the requests that they send each other."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from carez_desktop.gui.job_bridge import JobBridge
from carez_desktop.gui.theme import Theme
from carez_desktop.workflows.context import WorkflowContext
from carez_desktop.workflows.describe_workstation import WorkstationFacts
from carez_desktop.workspace.command_registry import CommandRegistry
from carez_desktop.workspace.display_file import load_display
from carez_desktop.workspace.display_options import DisplayState
from carez_desktop.workspace.keys_file import load_key_map
from carez_desktop.workspace.undo import UndoStack


class Session(QObject):
    """One sitting at the workstation.

    Signals:
        library_changed: Volumes were imported or removed.
        bundles_changed: A bundle was written, sealed or evaluated.
        volumes_requested(str, str): Open a volume, beside a second one or "".
        page_requested(str): Go to a page by its id.
        gap_requested(str): Say on the Generate page which gap is to be filled.
        source_requested(str): Offer a volume as the source of a generation.
        bundle_requested(str): Choose a bundle file on the Bundles page.
        evaluation_requested(str): Show the evaluation of a bundle file.
        paths_requested(tuple): Import folders and files, or open bundles, as `Path`s.
        command_refused(str): Why a key did nothing.

    Attributes:
        commands: What every command does now; pages and panels register theirs.
        key_map: Which keys run them; `key_findings` says what of the kept ones is not used.
        display: What is written over panes; `display_findings` is alike.
        changes: What can be undone on a page, by the page's id.
        listed: Ids of the volumes that the Library page lists and that open, in its order.
    """

    library_changed = Signal()
    bundles_changed = Signal()
    volumes_requested = Signal(str, str)
    page_requested = Signal(str)
    gap_requested = Signal(str)
    source_requested = Signal(str)
    bundle_requested = Signal(str)
    evaluation_requested = Signal(str)
    paths_requested = Signal(tuple)
    command_refused = Signal(str)

    def __init__(
        self,
        context: WorkflowContext,
        bridge: JobBridge,
        theme: Theme,
        facts: WorkstationFacts,
        parent: QObject | None = None,
    ) -> None:
        """Keep what every page needs."""
        super().__init__(parent)
        self.context = context
        self.bridge = bridge
        self.theme = theme
        self.facts = facts
        self.listed: tuple[str, ...] = ()
        self.commands = CommandRegistry()
        self.key_map, self.key_findings = load_key_map(context.home)
        options, self.display_findings = load_display(context.home)
        self.display = DisplayState(options)
        self.changes = {"view": UndoStack(), "library": UndoStack()}
