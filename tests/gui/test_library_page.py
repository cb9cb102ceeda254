"""The Library page by its keys, buttons and drops."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QGuiApplication
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from carez_desktop.domain.finding import Finding, Severity
from carez_desktop.domain.study import (
    ImportReport,
    ReferencedObject,
    UnreadableFile,
    VolumeRecord,
)
from carez_desktop.domain.volume import VolumeKind
from carez_desktop.gui.application import wait_until_idle
from carez_desktop.gui.library_page import ROWS_AT_ONCE, TYPING_MILLISECONDS, LibraryPage
from carez_desktop.gui.library_tree import LibraryTree
from carez_desktop.gui.main_window import MainWindow
from carez_desktop.gui.report_panel import import_lines, import_text


@pytest.fixture
def page(filled: MainWindow) -> LibraryPage:
    found = filled.page("library")
    assert isinstance(found, LibraryPage)
    return found


def _record(number: int = 1, **changes: Any) -> VolumeRecord:
    plain = VolumeRecord(
        volume_id=f"1.2.{number}",
        series_instance_uid=f"1.2.{number}",
        study_instance_uid="1.2",
        patient_id="P1",
        modality="MR",
        description=f"Series {number}",
        shape=(10, 20, 30),
        spacing_mm=(3.0, 1.0, 1.0),
        orientation="SPL",
        kind=VolumeKind.REAL,
        source_format="dicom",
        paths=("a",) * 10,
    )
    return replace(plain, **changes)


@pytest.fixture
def tree(window: MainWindow, qtbot: QtBot) -> LibraryTree:
    made = LibraryTree(window.session.theme)
    qtbot.addWidget(made)
    made.resize(900, 500)
    made.show()
    return made


def _texts(tree: LibraryTree) -> list[str]:
    found, index = [], tree.model().index(0, 0)
    while index.isValid():
        found.append(str(index.data()))
        index = tree.indexBelow(index)
    return found


# -- rows --------------------------------------------------------------------------------------


def test_objects_stand_below_their_series_and_sets_in_one_row(tree: LibraryTree) -> None:
    item = ReferencedObject("Segmentation", "9.1", "9", ("1.2.1",), "/data/seg.dcm", label="Lung")
    records = [
        _record(1, objects=(item,)),
        *(_record(n, set_id="1.2.set", set_index=n - 2, description="DWI") for n in (2, 3, 4)),
    ]
    tree.show_records(records)
    texts = _texts(tree)
    assert texts[2:4] == ["Series 1", "Segmentation   Lung"]
    assert texts[4] == "DWI   MR, set of 3 volumes"
    assert len(texts) == 5  # the set is folded
    row = tree.model().index(0, 0)
    for _ in range(4):
        row = tree.indexBelow(row)
    tree.setCurrentIndex(row)
    assert tree.selected_ids() == ("1.2.2", "1.2.3", "1.2.4")


def test_a_header_click_sorts_by_value_and_again_the_other_way(
    tree: LibraryTree, qtbot: QtBot
) -> None:
    sizes = {1: (9, 20, 30), 2: (100, 20, 30), 3: (20, 20, 30)}
    tree.show_records([_record(n, shape=shape) for n, shape in sizes.items()])
    header = tree.header()
    place = header.sectionViewportPosition(2) + 20
    for expected in (["Series 1", "Series 3", "Series 2"], ["Series 2", "Series 3", "Series 1"]):
        qtbot.mouseClick(
            header.viewport(), Qt.MouseButton.LeftButton, pos=header.viewport().rect().topLeft()
            + QPointF(place, 8).toPoint(),
        )  # fmt: skip
        assert _texts(tree)[2:] == expected


def test_rows_are_copied_with_headings(tree: LibraryTree) -> None:
    tree.show_records([_record(1), _record(2, tags=("check",), labels={"grade": "3"})])
    tree._select({"1.2.1", "1.2.2"})
    tree.setColumnHidden(3, True)
    tree.copy_rows()
    lines = QGuiApplication.clipboard().text().splitlines()
    assert lines[0].split("\t")[:3] == ["Patient, study, series", "Modality", "Voxels"]
    assert "Spacing, mm" not in lines[0]
    assert [line.split("\t")[0] for line in lines[1:]] == ["Series 1", "Series 2"]
    assert lines[2].split("\t")[-2:] == ["check, grade 3", "1.2.2"]


def test_gone_files_are_greyed_with_the_reason(tree: LibraryTree, window: MainWindow) -> None:
    gone = Finding(Severity.WARNING, "files_gone", "1.2.1", "3 of 10 files are gone")
    tree.show_records([_record(1, findings=(gone,)), _record(2)])
    faint = window.session.theme.colour("faint")
    first, second = tree.row_of("1.2.1"), tree.row_of("1.2.2")
    assert first is not None
    assert second is not None
    assert (first.foreground().color() == faint, second.foreground().color() == faint) == (
        True,
        False,
    )
    assert first.toolTip() == "3 of 10 files are gone"


def test_columns_come_back(tree: LibraryTree, window: MainWindow, qtbot: QtBot) -> None:
    tree.setColumnHidden(4, True)
    tree.header().resizeSection(3, 177)
    other = LibraryTree(window.session.theme)
    qtbot.addWidget(other)
    other.restore_header(tree.header_state())
    assert other.isColumnHidden(4)
    assert other.columnWidth(3) == 177
    other.restore_header("nonsense")


def test_only_rows_in_view_ask_for_pictures(tree: LibraryTree) -> None:
    tree.show_records([_record(n) for n in range(1, 200)])
    QApplication.processEvents()
    wanted = tree.visible_ids()
    assert wanted[0] == "1.2.1"
    assert 5 < len(wanted) < 30
    tree.verticalScrollBar().setValue(tree.verticalScrollBar().maximum())
    assert "1.2.199" in tree.visible_ids()
    assert "1.2.1" not in tree.visible_ids()


# -- listing -----------------------------------------------------------------------------------


def test_the_list_is_read_in_pages(window: MainWindow, monkeypatch: pytest.MonkeyPatch) -> None:
    import carez_desktop.workflows.list_volumes as listing

    every = tuple(_record(n) for n in range(1, 1001))
    asked = []

    def list_volumes(_: Any, *, search: str, limit: int, offset: int) -> tuple[VolumeRecord, ...]:
        asked.append((search, limit, offset))
        return every[offset : offset + limit]

    monkeypatch.setattr(listing, "list_volumes", list_volumes)
    window.show_page("library")
    assert wait_until_idle(window, 20)
    page = window.page("library")
    assert isinstance(page, LibraryPage)
    assert len(page.records) == ROWS_AT_ONCE
    assert asked[0] == ("", ROWS_AT_ONCE + 1, 0)
    bar = page.tree.verticalScrollBar()
    bar.setValue(bar.maximum())
    page.tree._tell_looked()
    assert wait_until_idle(window, 20)
    assert len(page.records) == 2 * ROWS_AT_ONCE
    assert asked[-1] == ("", ROWS_AT_ONCE + 1, ROWS_AT_ONCE)
    assert len(window.session.listed) == 2 * ROWS_AT_ONCE


def test_typing_asks_once_soon_and_drops_what_is_stale(
    window: MainWindow, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    import carez_desktop.workflows.list_volumes as listing

    assert TYPING_MILLISECONDS <= 100
    slow = threading.Event()
    asked: list[str] = []

    def list_volumes(_: Any, *, search: str, **__: Any) -> tuple[VolumeRecord, ...]:
        asked.append(search)
        if search == "first":
            slow.wait(5)
        return (_record(len(search), description=search),)

    window.show_page("library")
    assert wait_until_idle(window, 20)
    monkeypatch.setattr(listing, "list_volumes", list_volumes)
    page = window.page("library")
    assert isinstance(page, LibraryPage)
    qtbot.keyClicks(page.search, "first")
    qtbot.waitUntil(lambda: "first" in asked, timeout=3000)
    assert asked == ["first"]
    page.search.selectAll()
    qtbot.keyClicks(page.search, "second")
    qtbot.waitUntil(lambda: [r.description for r in page.records] == ["second"], timeout=3000)
    slow.set()
    assert wait_until_idle(window, 20)
    assert [r.description for r in page.records] == ["second"]


def test_a_search_without_a_hit_says_so_and_can_be_cleared(
    page: LibraryPage, filled: MainWindow, qtbot: QtBot
) -> None:
    qtbot.keyClicks(page.search, "zzz")
    qtbot.waitUntil(lambda: page.nothing.isVisible(), timeout=5000)
    assert "zzz" in page.nothing.text
    assert page.nothing.action is not None
    qtbot.mouseClick(page.nothing.action, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(page.records) == 3, timeout=5000)
    assert page.tree.isVisible()


def test_ctrl_f_goes_to_the_search(page: LibraryPage, filled: MainWindow, qtbot: QtBot) -> None:
    filled.activateWindow()
    page.tree.setFocus()
    qtbot.keyClick(page.tree, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    assert page.search.hasFocus()


# -- importing ---------------------------------------------------------------------------------


def _drop(target: QWidget, paths: list[Path]) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    at = QPointF(20, 20)
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    action = Qt.DropAction.CopyAction
    enter = QDragEnterEvent(at.toPoint(), action, data, buttons, keys)
    QApplication.sendEvent(target, enter)
    assert enter.isAccepted()
    QApplication.sendEvent(target, QDropEvent(at, action, data, buttons, keys))


@pytest.mark.filterwarnings("ignore:Function. 'QDragEnterEvent:DeprecationWarning")
def test_what_is_dropped_on_any_page_is_imported(
    window: MainWindow, chest_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import carez_desktop.workflows.import_studies as importing

    asked = []

    def import_studies(_: Any, *, paths: tuple[Path, ...], **choices: Any) -> ImportReport:
        asked.append((paths, choices["copy"]))
        return ImportReport(0, (), (), (), 0.1)

    monkeypatch.setattr(importing, "import_studies", import_studies)
    window.show_page("coverage")
    _drop(window, [chest_folder])
    assert wait_until_idle(window, 20)
    assert window.current == "library"
    page = window.page("library")
    assert isinstance(page, LibraryPage)
    page.copies.setChecked(True)
    page.import_paths((chest_folder,))
    assert wait_until_idle(window, 20)
    assert asked == [((chest_folder,), False), ((chest_folder,), True)]


def test_an_import_shows_how_far_it_is_and_stops_when_asked(
    window: MainWindow, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    import carez_desktop.workflows.import_studies as importing

    def import_studies(_: Any, *, progress: Any, cancel: Any, **__: Any) -> ImportReport:
        while True:
            progress.report(0.42, "Reading headers, 42 of 100")
            cancel.raise_if_cancelled()

    monkeypatch.setattr(importing, "import_studies", import_studies)
    window.show_page("library")
    page = window.page("library")
    assert isinstance(page, LibraryPage)
    page.import_paths((Path("anywhere"),))
    qtbot.waitUntil(lambda: "42 %" in page.progress.text, timeout=5000)
    assert page.progress.isVisible()
    assert "Reading headers" in page.progress.text
    qtbot.mouseClick(page.progress.cancel, Qt.MouseButton.LeftButton)
    assert wait_until_idle(window, 20)
    assert not page.progress.isVisible()


def test_the_report_names_file_reason_and_remedy_and_is_copied(
    window: MainWindow, qtbot: QtBot
) -> None:
    finding = Finding(Severity.WARNING, "tilt", "1.2.3", "Tilted by 18 degrees")
    unreadable = (UnreadableFile("/data/a.dcm", "The file is truncated"),)
    report = ImportReport(2, (_record(1),), unreadable, (finding,), 1.5)
    assert "1 file could not be read" in import_text(report)
    window.show_page("library")
    page = window.page("library")
    assert isinstance(page, LibraryPage)
    page._tell(import_text(report), import_lines(report))
    assert [b.text() for b in page.message.buttons] == ["Details"]
    qtbot.mouseClick(page.message.buttons[0], Qt.MouseButton.LeftButton)
    table = page.report.table
    assert page.report.isVisible()
    assert table.rowCount() == 2
    table.copy()
    copied = QGuiApplication.clipboard().text()
    assert "/data/a.dcm\tThe file is truncated\tCopy it again" in copied
    assert "warning: Tilted by 18 degrees" in copied


# -- keeping order -----------------------------------------------------------------------------


def test_a_tag_is_added_found_and_removed(
    page: LibraryPage, filled: MainWindow, qtbot: QtBot
) -> None:
    chosen = page.records[1].volume_id
    page.tree._select({chosen})
    assert page.details.tag_field is not None
    qtbot.keyClicks(page.details.tag_field, "check")
    qtbot.keyClick(page.details.tag_field, Qt.Key.Key_Return)
    assert wait_until_idle(filled, 20)
    assert [r.tags for r in page.records if r.volume_id == chosen] == [("check",)]
    page.search.setText("tag:check")
    qtbot.waitUntil(lambda: [r.volume_id for r in page.records] == [chosen], timeout=5000)
    page.tree._select({chosen})
    page._remove_tag("check")
    assert wait_until_idle(filled, 20)
    qtbot.waitUntil(lambda: page.records == (), timeout=5000)


def test_labels_of_a_csv_are_joined_and_what_fits_nothing_is_told(
    page: LibraryPage, filled: MainWindow, tmp_path: Path
) -> None:
    patient = page.records[0].patient_id
    table = tmp_path / "outcomes.csv"
    table.write_text(f"patient_id,grade\n{patient},3\nnobody,1\n")
    page.verbs.label(table)
    assert wait_until_idle(filled, 20)
    assert page.records[0].labels["grade"] == "3"
    assert "1 key unmatched" in page.message.text
    page.message.buttons[0].click()
    assert "nobody" in page.report.table.item(0, 0).text()


def test_delete_asks_first_and_can_be_undone(
    page: LibraryPage, filled: MainWindow, qtbot: QtBot
) -> None:
    chosen = page.records[0].volume_id
    files = [Path(path) for path in page.records[0].paths]
    page.tree._select({chosen})
    qtbot.keyClick(page.tree, Qt.Key.Key_Delete)
    assert wait_until_idle(filled, 20)
    assert len(page.records) == 3
    assert page.message.text.startswith("Remove 1 volume")
    assert [button.text() for button in page.message.buttons] == ["Remove", "Keep"]
    qtbot.mouseClick(page.message.buttons[0], Qt.MouseButton.LeftButton)
    assert wait_until_idle(filled, 20)
    assert chosen not in {record.volume_id for record in page.records}
    assert all(path.exists() for path in files)
    assert [button.text() for button in page.message.buttons] == ["Undo"]
    qtbot.mouseClick(page.message.buttons[0], Qt.MouseButton.LeftButton)
    assert wait_until_idle(filled, 20)
    assert chosen in {record.volume_id for record in page.records}


def test_a_rescan_tells_that_every_file_is_there(page: LibraryPage, filled: MainWindow) -> None:
    page.verbs.rescan()
    assert wait_until_idle(filled, 20)
    assert "0 gone" in page.message.text


def test_files_that_could_not_be_read_are_listed_later_too(
    window: MainWindow, tmp_path: Path
) -> None:
    damaged = tmp_path / "studies" / "damaged.dcm"
    damaged.parent.mkdir()
    damaged.write_bytes(bytes(128) + b"DICM" + b"\x02\x00\x00\x00UL\x04\x00")
    window.show_page("library")
    page = window.page("library")
    assert isinstance(page, LibraryPage)
    page.import_paths((damaged.parent,))
    assert wait_until_idle(window, 20)
    page.show_unreadable()
    assert wait_until_idle(window, 20)
    assert page.report.table.rowCount() == 1
    item = page.report.table.item(0, 0)
    assert item is not None
    assert item.text() == str(damaged)


def test_columns_and_the_choice_to_copy_are_remembered(
    filled: MainWindow, make_window: Any
) -> None:
    page = filled.page("library")
    assert isinstance(page, LibraryPage)
    page.copies.setChecked(True)
    page.tree.setColumnHidden(3, True)
    home = filled.session.context.home
    filled.close()
    again = make_window(home)
    again.show_page("library")
    other = again.page("library")
    assert isinstance(other, LibraryPage)
    assert other.copies.isChecked()
    assert other.tree.isColumnHidden(3)
