"""The commands of the Library page, when they can run, and what of them can be undone."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from carez_desktop.domain.finding import counted
from carez_desktop.domain.study import VolumeRecord
from carez_desktop.gui.library_verbs import LibraryVerbs
from carez_desktop.gui.session import Session

if TYPE_CHECKING:
    from carez_desktop.gui.library_page import LibraryPage


def register_library_commands(page: LibraryPage, session: Session) -> None:
    """Register what the keys and menus of the Library page do."""
    commands, tree, verbs = session.commands, page.tree, page.verbs
    commands.register_all(
        {
            "search": page.focus_search,
            "open_row": tree.open_current,
            "compare_rows": page.compare_chosen,
            "copy_rows": tree.copy_rows,
            "tag_rows": page.ask_for_tag,
            "remove_rows": page.ask_to_remove,
            "rescan": verbs.rescan,
            "choose_labels": page.choose_labels,
            "unreadable": page.show_unreadable,
            "simulate": page.simulate,
        }
    )

    def without_rows() -> str:
        return "" if tree.selected_ids() else "Choose series first"

    def without_two() -> str:
        count = len(tree.selected_ids())
        return "" if count == 2 else f"Choose two series, not {count}"

    def without_row() -> str:
        return "" if tree.current_id() else "Choose one series"

    commands.set_condition("rows", without_rows)
    commands.set_condition("two_rows", without_two)
    commands.set_condition("row", without_row)
    tree.chosen.connect(lambda _ids: commands.refresh())


class LibraryUndo(QObject):
    """Keep what was done to the library for Ctrl+Z: tags, and series taken out of it."""

    def __init__(self, session: Session, verbs: LibraryVerbs) -> None:
        """Hear of removals."""
        super().__init__(verbs)
        self._verbs = verbs
        self._changes = session.changes["library"]
        self._again: tuple[VolumeRecord, ...] = ()
        verbs.removed.connect(self._removed)

    def tag(self, tag: str, records: tuple[VolumeRecord, ...], *, on: bool) -> None:
        """Put a word on volumes or take it off; those that are so already stay as they are."""
        ids = tuple(r.volume_id for r in records if (tag in r.tags) is not on)
        if not ids:
            return
        put = partial(self._verbs.tag, ids, add=(tag,))
        take = partial(self._verbs.tag, ids, remove=(tag,))
        do, undo = (put, take) if on else (take, put)
        do()
        title = f"Tag “{tag}”" if on else f"Tag “{tag}” removed"
        self._changes.record(title, undo, do)

    def _removed(self, _text: str, records: tuple[VolumeRecord, ...]) -> None:
        again, self._again = self._again, ()
        if not records:
            # Copies of the files went too: nothing before this can be brought back either.
            self._changes.clear()
        elif records != again:
            self._changes.record(
                f"{counted(len(records), 'volume')} removed",
                partial(self._verbs.undo_removal, records),
                partial(self._remove_again, records),
            )

    def _remove_again(self, records: tuple[VolumeRecord, ...]) -> None:
        self._again = records
        self._verbs.remove(records, undoable=True)
