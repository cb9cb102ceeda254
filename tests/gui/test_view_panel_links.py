"""The panels of the View page that join volumes: links, registration, overlays, plots."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from carez_desktop.domain.alignment import Alignment, AlignmentMethod
from carez_desktop.domain.volume import VolumeKind
from carez_desktop.gui.application import wait_until_idle
from carez_desktop.gui.main_window import MainWindow
from carez_desktop.gui.view_page import ViewPage
from carez_desktop.gui.view_panel import ViewPanel
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.manual_alignment import current_matrix
from tests.builders.analytic_volumes import analytic_value
from tests.builders.panel_volumes import PANEL_SHIFT, panel_volume


def _settle(window: MainWindow, side: ViewPanel) -> None:
    side.refresh()
    assert wait_until_idle(window, 20)
    QApplication.processEvents()


# -- links and registration --------------------------------------------------------------------


def test_a_shift_by_hand_moves_the_other_volume_by_millimetres(
    page: ViewPage, side: ViewPanel, qtbot: QtBot
) -> None:
    arrangement = page.arrangement
    base = arrangement.layers[0]
    moving = Layer(panel_volume("feet_last", "3", frame="G"))
    arrangement.open(moving)
    side.refresh()
    assert "different frames" in side.links.how.text()
    side.links.lay_centres()
    assert arrangement.link_refusal(base, moving) == ""
    middle = current_matrix(arrangement, base, moving) @ [*base.volume.geometry.centre_lps, 1.0]
    np.testing.assert_allclose(middle[:3], moving.volume.geometry.centre_lps, atol=1e-9)
    before = current_matrix(arrangement, base, moving)
    # In the axial plane the viewer's right is the patient's left.
    qtbot.keyClick(side.links.pad, Qt.Key.Key_Right)
    qtbot.keyClick(side.links.pad, Qt.Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    after = current_matrix(arrangement, base, moving)
    np.testing.assert_allclose(after[:3, 3] - before[:3, 3], (-1.0, -5.0, 0.0), atol=1e-9)
    known = arrangement.alignment_between(base, moving)
    assert known is not None
    assert known.method is AlignmentMethod.OFFSET
    side.links.shift[2].edit.setText("12.5")
    side.links.shift[2].edit.setModified(True)
    side.links.shift[2].edit.editingFinished.emit()
    assert current_matrix(arrangement, base, moving)[2, 3] == pytest.approx(-12.5)


def test_an_applied_registration_is_kept_and_can_be_undone(
    window: MainWindow, page: ViewPage, side: ViewPanel
) -> None:
    from carez_desktop.workflows.list_alignments import list_alignments

    context = side._session.context
    arrangement = page.arrangement
    base = arrangement.layers[0]
    moving = Layer(panel_volume("axial", "3", frame="G"))
    arrangement.open(moving)
    side.refresh()
    matrix = np.eye(4)
    matrix[:3, 3] = (3.0, -4.0, 5.0)
    found = Alignment("1", "3", matrix, AlignmentMethod.REGISTRATION, {"overlap": 0.9})
    side.links.registration.accepted.emit(found)
    np.testing.assert_allclose(current_matrix(arrangement, base, moving), matrix)
    assert side.links.how.text() == "Registered."
    side.links.keep_now()
    _settle(window, side)
    (kept,) = list_alignments(context).alignments
    np.testing.assert_allclose(kept.matrix, matrix)
    side.links.registration._undo()
    _settle(window, side)
    assert list_alignments(context).alignments == ()
    assert "different frames" in arrangement.link_refusal(base, moving)


def test_a_registration_says_what_it_found_and_is_applied_only_when_asked(
    window: MainWindow, page: ViewPage, side: ViewPanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from carez_desktop.domain.registration import RegistrationQuality, RegistrationReport
    from carez_desktop.workflows import register_volumes as workflow

    arrangement = page.arrangement
    moving = Layer(panel_volume("axial", "3", frame="G"))
    arrangement.open(moving)
    side.refresh()
    matrix = np.eye(4)
    matrix[:3, 3] = (3.0, -4.0, 5.0)
    found = Alignment("1", "3", matrix, AlignmentMethod.REGISTRATION)
    measures = RegistrationQuality(0.2, 0.9, 0.8, 0.75, 0.3, 0.4, 0.0, 7.1)
    report = RegistrationReport(found, measures, "Registered to within 0.4 mm")
    monkeypatch.setattr(workflow, "register_volumes", lambda *_, **__: report)
    panel = side.links.registration
    panel.start.click()
    _settle(window, side)
    assert panel.verdict.text() == "Registered to within 0.4 mm"
    lines = panel.numbers.text().splitlines()
    assert "Overlap: 75 %" in lines
    assert "There and back misses by: 0.4 mm" in lines
    assert arrangement.link_refusal(arrangement.layers[0], moving) != ""
    panel.apply.click()
    np.testing.assert_allclose(current_matrix(arrangement, arrangement.layers[0], moving), matrix)
    refused = replace(report, alignment=None, verdict="They overlap too little")
    monkeypatch.setattr(workflow, "register_volumes", lambda *_, **__: refused)
    panel.start.click()
    _settle(window, side)
    assert panel.verdict.text() == "They overlap too little"
    assert not panel.apply.isVisible()


def test_labels_without_a_frame_lie_over_the_image_of_their_grid(
    page: ViewPage, side: ViewPanel
) -> None:
    base = page.arrangement.layers[0].volume
    array = np.zeros(base.geometry.shape, np.uint8)
    nameless = replace(base, volume_id="8", array=array, units="label", frame_of_reference_uid="")
    assert side.overlays.lay_over(Layer(nameless)) == ""
    assert "grids are the same" in side.overlays.refusal.text()
    other_grid = replace(panel_volume("turned", "9"), units="label", frame_of_reference_uid="")
    assert "no frame of reference" in side.overlays.lay_over(Layer(other_grid))
    assert len(page.arrangement.active_pane.overlays) == 1


def test_a_refusal_stays_until_another_volume_is_chosen(
    page: ViewPage, side: ViewPanel, second: Layer
) -> None:
    side.compare.compare_with(Layer(panel_volume("axial", "3", frame="G")))
    side.refresh()
    assert "register them" in side.compare.refusal.text()
    side.compare.compare_with(second)
    side.refresh()
    assert side.compare.refusal.text() == ""
    assert page.arrangement.active_pane.second is not None


def test_links_are_switched_for_every_space(page: ViewPage, side: ViewPanel) -> None:
    side.links.links["links_position"].setChecked(False)
    assert not page.arrangement.is_linked("links_position")
    side.links.toggle_link("links_position")
    assert page.arrangement.is_linked("links_position")
    assert side.links.links["links_position"].isChecked()


# -- overlays ----------------------------------------------------------------------------------


def test_a_label_map_and_a_second_modality_lie_over_the_pane(
    page: ViewPage, side: ViewPanel
) -> None:
    base = panel_volume()
    labels = np.zeros(base.geometry.shape, np.uint8)
    labels[3:6, 4:9, 5:12] = 2
    organs = Layer(replace(base, volume_id="4", array=labels, units="arbitrary", windows=()))
    assert side.overlays.lay_over(organs) == ""
    QApplication.processEvents()
    assert side.overlays.rows[0].as_labels.isVisible()
    side.overlays.rows[0].as_labels.click()
    QApplication.processEvents()
    pane = page.arrangement.active_pane
    (over,) = pane.overlays
    assert over.layer.is_label_map
    row = side.overlays.rows[0]
    row.opacity.slider.setValue(250)
    row.outlined.setChecked(True)
    (over,) = pane.overlays
    assert (over.opacity, over.outlined) == (0.25, True)
    uptake = Layer(replace(base, volume_id="5", units="SUVbw", modality="PT"))
    side.overlays.lay_over(uptake)
    assert uptake.colour_map == "hot_iron"
    assert [item.layer for item in pane.overlays] == [over.layer, uptake]
    assert all(len(other.overlays) == 2 for other in page.arrangement.panes)
    side.overlays.remove(over.layer)
    assert [item.layer for item in pane.overlays] == [uptake]


# -- plots -------------------------------------------------------------------------------------


def test_histogram_and_profile_give_their_values(
    window: MainWindow, page: ViewPage, side: ViewPanel, second: Layer
) -> None:
    side.compare.compare_with(second)
    side.refresh()
    side.plots.ask_histogram()
    _settle(window, side)
    table = side.plots.histogram_table()
    assert table is not None
    columns, rows = table
    assert columns == ("First CT HU", "Second CT HU", "count")
    assert rows[:, 2].sum() > 100
    assert "correlation 1.000" in side.plots.facts.text()
    pane = page.arrangement.active_pane
    assert pane.viewport is not None
    start = pane.viewport.cursor_lps
    assert side.plots.show_line(pane, start, start) != ""
    assert side.plots.show_line(pane, start, start + np.array([3.0, 0.0, 0.0])) == ""
    profile = side.plots.profile_table()
    assert profile is not None
    points = start + np.outer(profile[1][:, 0], (1.0, 0.0, 0.0))
    np.testing.assert_allclose(profile[1][:, 1], analytic_value(points), rtol=1e-4, atol=1e-2)
    np.testing.assert_allclose(profile[1][:, 1] - profile[1][:, 2], PANEL_SHIFT, atol=1e-2)
    side.plots._copy(side.plots.profile_table)
    assert QApplication.clipboard().text().startswith("distance mm\tFirst CT HU\tSecond CT HU\n0\t")
    side.plots._save("line_profile", side.plots.profile_table)
    _settle(window, side)
    assert "line_profile-" in side.plots.note.text()
    page.close_volumes()
    assert side.plots.histogram_table() is None


def test_a_synthetic_column_says_so(page: ViewPage, side: ViewPanel) -> None:
    made = Layer(replace(panel_volume(volume_id="6"), kind=VolumeKind.SYNTHETIC))
    side.compare.compare_with(made)
    side.plots.show_crosshair_line()
    table = side.plots.profile_table()
    assert table is not None
    assert table[0][1:] == ("First CT HU", "Second SYNTHETIC CT HU")
