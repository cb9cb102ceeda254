"""The way of the data through the pages, on three small simulated series."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from carez_desktop.errors import CancelledError, StorageError
from carez_desktop.gui.application import wait_until_idle
from carez_desktop.gui.bundles_page import BundlesPage
from carez_desktop.gui.coverage_page import CoveragePage
from carez_desktop.gui.evaluate_page import EvaluatePage
from carez_desktop.gui.generate_page import GeneratePage
from carez_desktop.gui.library_page import LibraryPage
from carez_desktop.gui.main_window import MainWindow
from carez_desktop.gui.view_page import ViewPage
from tests.builders.bundles import evaluation, make_bundle


def _library(window: MainWindow) -> LibraryPage:
    page = window.page("library")
    assert isinstance(page, LibraryPage)
    return page


def test_import_fills_the_tree_with_thumbnails(filled: MainWindow) -> None:
    page = _library(filled)
    assert len(page.records) == 3
    assert "3 series of 3 studies" in page.message.text
    assert len(page._pictures) == 3
    assert page.tree.model().rowCount() == 3
    assert "simulated" in page.title.full_text


def test_search_narrows_as_one_types(filled: MainWindow, qtbot: QtBot) -> None:
    page = _library(filled)
    qtbot.keyClicks(page.search, page.records[0].patient_id)
    qtbot.waitUntil(lambda: len(page.records) == 1, timeout=5000)
    page.search.clear()
    qtbot.waitUntil(lambda: len(page.records) == 3, timeout=5000)


def test_a_row_is_a_door(filled: MainWindow, qtbot: QtBot) -> None:
    page = _library(filled)
    page.tree._select({page.records[0].volume_id})
    page.tree.setCurrentIndex(page.tree.selectionModel().selectedRows(0)[0])
    qtbot.keyClick(page.tree, Qt.Key.Key_Return)
    assert wait_until_idle(filled, 20)
    view = filled.page("view")
    assert filled.current == "view"
    assert isinstance(view, ViewPage)
    assert view.arrangement.layers[0].volume.volume_id == page.records[0].volume_id
    filled.show_page("library")


def test_page_down_goes_to_the_next_series(filled: MainWindow, qtbot: QtBot) -> None:
    page = _library(filled)
    ids = [record.volume_id for record in page.records]
    filled.session.volumes_requested.emit(ids[0], "")
    assert wait_until_idle(filled, 20)
    view = filled.page("view")
    assert isinstance(view, ViewPage)
    qtbot.keyClick(view, Qt.Key.Key_PageDown)
    assert wait_until_idle(filled, 20)
    assert view.arrangement.layers[0].volume.volume_id == ids[1]


def test_a_missing_volume_is_named_in_the_page(filled: MainWindow) -> None:
    filled.session.volumes_requested.emit("1.2.3.nowhere", "")
    assert wait_until_idle(filled, 20)
    assert "1.2.3.nowhere" in filled.page("view").message.text


def test_coverage_shows_cells_and_gaps(filled: MainWindow) -> None:
    filled.show_page("coverage")
    assert wait_until_idle(filled, 20)
    page = filled.page("coverage")
    assert isinstance(page, CoveragePage)
    assert page.map.cell_count > 0
    assert page.table.rowCount() > 0
    assert "3 patients" in page.summary.text()
    assert page.map.grab().toImage().width() > 0
    page._generate()
    assert wait_until_idle(filled, 20)
    generate = filled.page("generate")
    assert filled.current == "generate"
    assert isinstance(generate, GeneratePage)
    assert generate.gap.text() == f"Gap to fill: {page.cell.text()}"


def test_a_wrong_condition_is_named_beside_its_field(filled: MainWindow) -> None:
    page = _generate(filled)
    page.form.set_values({"dose_fraction": "2"})
    assert "0.05" in page.form.error_text("dose_fraction")
    assert not page.start.isEnabled()
    page.form.set_values({"dose_fraction": "0,25"})
    assert page.form.error_text("dose_fraction") == ""
    assert page.start.isEnabled()


def _generate(window: MainWindow) -> GeneratePage:
    window.show_page("generate")
    assert wait_until_idle(window, 20)
    page = window.page("generate")
    assert isinstance(page, GeneratePage)
    assert page.manifest is not None
    page.generator.setCurrentIndex(
        page.generator.findText("Low-dose CT", Qt.MatchFlag.MatchStartsWith)
    )
    return page


def test_generate_opens_the_case_beside_its_source_and_the_bundle_verifies(
    filled: MainWindow,
) -> None:
    page = _generate(filled)
    page.form.set_values({"dose_fraction": 0.3, "count": 1})
    assert page.start.text().startswith("Generate 1 volume")
    page.run()
    assert not page.start.isEnabled()
    assert wait_until_idle(filled, 120), page._detail.text()
    assert page.strip.count() == 1, page.message.text
    view = filled.page("view")
    assert filled.current == "view"
    assert isinstance(view, ViewPage)
    source, case = view.arrangement.layers
    assert case.is_synthetic
    assert view.arrangement.link_refusal(source, case) == ""
    bundles = filled.page("bundles")
    assert isinstance(bundles, BundlesPage)
    filled.show_page("bundles")
    assert wait_until_idle(filled, 20)
    bundles.seal()
    assert wait_until_idle(filled, 30)
    assert "sealed" in bundles.message.text
    bundles.verify()
    assert wait_until_idle(filled, 60)
    assert bundles.message.text.endswith("valid")
    copy: Path = filled.session.context.home / "handed-over.h5"
    bundles.export(copy)
    assert wait_until_idle(filled, 60)
    assert "anatomy" in bundles.message.text
    assert not copy.exists()
    bundles._release.setChecked(True)
    bundles.export(copy)
    assert wait_until_idle(filled, 60)
    assert bundles.message.text.endswith("valid")
    assert copy.exists()


def test_cancel_leaves_nothing(filled: MainWindow, monkeypatch: pytest.MonkeyPatch) -> None:
    import carez_desktop.workflows.generate_cohort as workflow

    def endless(_, *, cancel, progress, **__):  # type: ignore[no-untyped-def]
        while not cancel.is_cancelled:
            progress.report(0.3, "case 1")
        raise CancelledError("Cancelled")

    monkeypatch.setattr(workflow, "generate_cohort", endless)
    page = _generate(filled)
    page.run()
    page.cancel()
    assert wait_until_idle(filled, 20)
    assert page._state.text() == "Cancelled. Nothing was written."
    assert page.start.isEnabled()


def test_a_full_disk_is_told_with_its_remedy(
    filled: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    import carez_desktop.workflows.generate_cohort as workflow

    def fails(*_, **__):  # type: ignore[no-untyped-def]
        raise StorageError("The disk is full", subject="set.h5", hint="Free some space")

    monkeypatch.setattr(workflow, "generate_cohort", fails)
    page = _generate(filled)
    page.run()
    assert wait_until_idle(filled, 20)
    assert page.message.text == "The disk is full (set.h5). Free some space"


def test_evaluation_of_a_bundle_is_shown_with_n_and_words(window: MainWindow) -> None:
    from carez_desktop.domain.codec import to_plain

    folder = window.session.context.bundles_folder
    make_bundle(folder)
    window.show_page("evaluate")
    assert wait_until_idle(window, 20)
    page = window.page("evaluate")
    assert isinstance(page, EvaluatePage)
    assert page._facts is not None
    page.show_facts({**page._facts, "evaluation": to_plain(evaluation())})
    texts = []
    for place in range(page.table.topLevelItemCount()):
        item = page.table.topLevelItem(place)
        assert item is not None
        texts.append(item.text(5))
    assert "pass" in texts
    assert "not evaluable" in texts


def test_an_opened_bundle_without_its_source_shows_the_case_alone(
    window: MainWindow, tmp_path: object
) -> None:
    summary = make_bundle(window.session.context.bundles_folder)
    page = window.page("bundles")
    assert isinstance(page, BundlesPage)
    page.open_bundle(summary.bundle, view_first_case=True)
    assert wait_until_idle(window, 20)
    view = window.page("view")
    assert isinstance(view, ViewPage)
    assert [layer.is_synthetic for layer in view.arrangement.layers] == [True]


def test_a_damaged_bundle_is_told_in_the_page(window: MainWindow) -> None:
    path = window.session.context.bundles_folder / "broken.h5"
    path.write_bytes(b"not a bundle")
    window.show_page("bundles")
    assert wait_until_idle(window, 20)
    assert "broken.h5" in window.page("bundles").message.text


def test_what_runs_shows_in_the_status_bar_and_can_be_stopped_there(
    filled: MainWindow, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    import carez_desktop.workflows.generate_cohort as workflow

    def endless(_, *, cancel, progress, **__):  # type: ignore[no-untyped-def]
        while not cancel.is_cancelled:
            progress.report(0.37, "case 1")
            time.sleep(0.005)
        raise CancelledError("Cancelled")

    monkeypatch.setattr(workflow, "generate_cohort", endless)
    page = _generate(filled)
    page.run()
    qtbot.waitUntil(lambda: "37 %" in filled.indicator.text, timeout=5000)
    assert "Generate low-dose-ct" in filled.indicator.text
    filled.indicator._stop()
    assert wait_until_idle(filled, 20)
    assert filled.indicator.text == "job: none"
