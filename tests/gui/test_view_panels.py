"""The panels of the View page: what they do to the panes, and what they say in numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton, QApplication, QWidget
from pytestqt.qtbot import QtBot

from carez_desktop.domain.alignment import Alignment, AlignmentMethod
from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.volume import Volume, VolumeKind
from carez_desktop.domain.window import VoiWindow
from carez_desktop.gui.application import wait_until_idle
from carez_desktop.gui.main_window import MainWindow
from carez_desktop.gui.panel_parts import NumberField, PanelSection, number_in
from carez_desktop.gui.view_page import ViewPage
from carez_desktop.gui.view_panel import ViewPanel
from carez_desktop.workspace.compare_settings import CompareMode
from carez_desktop.workspace.display_window import DisplayWindow
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.manual_alignment import current_matrix
from carez_desktop.workspace.plane_basis import Plane
from carez_desktop.workspace.slab import SlabMode
from tests.builders.analytic_volumes import GEOMETRIES, analytic_value, rotation

_SHIFT = 7.0


def _turned_about_axial() -> VolumeGeometry:
    """A larger, finer grid about the middle of the axial one, turned by 20 degrees."""
    axial = GEOMETRIES["axial"]
    direction = rotation(np.array([1.0, 0.4, 2.0]), 20.0) @ axial.direction_lps
    shape, spacing = (24, 44, 52), (2.5, 0.9, 0.7)
    half = direction @ (np.array(spacing) * (np.array(shape) - 1) / 2.0)
    return VolumeGeometry.from_parts(shape, spacing, axial.centre_lps - half, direction)


def _volume(name: str = "axial", volume_id: str = "1", frame: str = "F") -> Volume:
    geometry = _turned_about_axial() if name == "turned" else GEOMETRIES[name]
    points = geometry.index_to_lps(np.moveaxis(np.indices(geometry.shape), 0, -1))
    return Volume(
        volume_id, analytic_value(points).astype(np.float32), geometry, "CT", "HU",
        frame_of_reference_uid=frame, attributes={"series_description": f"Series {volume_id}"},
        windows=(VoiWindow(50.0, 350.0, name="Mediastinum"), VoiWindow(-500.0, 1500.0)),
    )  # fmt: skip


@pytest.fixture
def page(window: MainWindow) -> ViewPage:
    window.show_page("view")
    view = window.page("view")
    assert isinstance(view, ViewPage)
    view.show_volumes(_volume())
    QApplication.processEvents()
    return view


@pytest.fixture
def side(page: ViewPage) -> ViewPanel:
    for section in page.side.sections:
        section.set_folded(False)
    return page.side


@pytest.fixture
def second(page: ViewPage) -> Layer:
    """A second volume of the same frame, 7 HU below the first, on another grid."""
    made = _volume("turned", "2")
    layer = Layer(made.with_array(made.array - np.float32(_SHIFT)))
    page.arrangement.open(layer)
    return layer


def _settle(window: MainWindow, side: ViewPanel) -> None:
    side.refresh()
    assert wait_until_idle(window, 20)
    QApplication.processEvents()


# -- window and colours ------------------------------------------------------------------------


def test_every_window_of_the_file_and_each_preset_can_be_chosen(side: ViewPanel) -> None:
    layer = side.greys.layer
    assert layer is not None
    buttons = {made.text(): made for made in side.greys.findChildren(QAbstractButton)}
    assert {"Mediastinum", "File window 2", "1  Soft tissue", "0  Full range"} <= set(buttons)
    buttons["File window 2"].click()
    assert (layer.window.center, layer.window.width) == (-500.0, 1500.0)
    assert buttons["File window 2"].isChecked()
    side.greys.next_file_window()
    assert (layer.window.center, layer.window.width) == (50.0, 350.0)
    buttons["0  Full range"].click()
    assert layer.window.low == pytest.approx(float(layer.volume.array.min()))
    assert layer.window.high == pytest.approx(float(layer.volume.array.max()))


def test_percentiles_are_those_of_numpy(side: ViewPanel) -> None:
    layer = side.greys.layer
    assert layer is not None
    side.greys.low.set_value(10.0, 1)
    side.greys.high.set_value(80.0, 1)
    side.greys.show_percentiles()
    low, high = np.percentile(layer.volume.array, (10.0, 80.0))
    assert (layer.window.low, layer.window.high) == pytest.approx((low, high))
    before = layer.window
    side.greys.low.set_value(90.0, 1)
    side.greys.show_percentiles()
    assert layer.window == before


def test_a_region_of_a_pane_gives_its_window(page: ViewPage, side: ViewPanel) -> None:
    pane = page.arrangement.active_pane
    assert pane.base is not None
    assert pane.viewport is not None
    layer, view = pane.base.layer, pane.viewport
    layer.interpolated = False
    x, y = view.lps_to_pixel(layer.volume.geometry.centre_lps)
    side.window_region(pane, (x + 30.0, y + 20.0, x - 30.0, y - 20.0))
    corners = [view.pixel_to_lps(x + dx, y + dy) for dx in (-30, 30) for dy in (-20, 20)]
    values = [float(analytic_value(corner)) for corner in corners]
    # Percentiles of the nearest voxels lie inside the corners' values, give or take a voxel.
    voxel = float(np.abs(analytic_value(np.array([1.1, 1.5, 0.0])) - 40.0)) + 6.0
    assert min(values) - voxel < layer.window.low < layer.window.center
    assert layer.window.center < layer.window.high < max(values) + voxel
    assert layer.window.width > 0.5 * (max(values) - min(values))
    before = layer.window
    side.window_region(pane, (-900.0, -900.0, -880.0, -880.0))
    assert layer.window == before
    assert "too few values" in side.note.text()


def test_colour_maps_and_the_bar_follow_the_layer(side: ViewPanel) -> None:
    layer = side.greys.layer
    assert layer is not None
    layer.window = DisplayWindow(40.0, 400.0)
    side.greys.next_colour_map()
    assert layer.colour_map == "viridis"
    side.refresh()
    assert side.greys.maps.currentData() == "viridis"
    assert side.greys.bar.texts == ("\N{MINUS SIGN}160", "40", "240", "HU")


def test_wrong_numbers_are_named_and_change_nothing(side: ViewPanel, qtbot: QtBot) -> None:
    layer = side.greys.layer
    assert layer is not None
    before = layer.window
    edit = side.greys.width_field.edit
    edit.setFocus()
    edit.selectAll()
    qtbot.keyClicks(edit, "-5")
    assert side.greys.width_field.value is None
    assert edit.property("wrong")
    qtbot.keyClick(edit, Qt.Key.Key_Return)
    assert layer.window == before
    edit.selectAll()
    qtbot.keyClicks(edit, "120,5")
    qtbot.keyClick(edit, Qt.Key.Key_Return)
    assert layer.window.width == 120.5
    assert number_in("\N{MINUS SIGN}3,5") == -3.5
    assert number_in("inf") is None


def test_a_tiny_window_is_shown_with_its_digits(side: ViewPanel) -> None:
    layer = side.greys.layer
    assert layer is not None
    layer.window = DisplayWindow(1.5e-9, 2.3e-9)
    side.refresh()
    assert side.greys.width_field.edit.text() == "2.3e-09"


# -- plane -------------------------------------------------------------------------------------


def test_slabs_planes_and_turns(page: ViewPage, side: ViewPanel) -> None:
    pane = page.arrangement.active_pane
    assert pane.viewport is not None
    side.plane.thicken_by(1)
    assert pane.viewport.slab.text == "MIP 10 mm"
    side.plane.next_slab()
    assert pane.viewport.slab.mode is SlabMode.MINIP
    side.plane.thicken_by(1)
    assert pane.viewport.slab.thickness_mm == 12.5
    side.plane.slab.button("thin").click()
    assert not pane.viewport.slab.is_thick
    side.plane.planes.button("coronal").click()
    assert pane.viewport is not None
    assert pane.viewport.plane is Plane.CORONAL


# -- comparing ---------------------------------------------------------------------------------


def test_modes_reach_every_pane_of_the_volume(
    page: ViewPage, side: ViewPanel, second: Layer
) -> None:
    assert side.compare.compare_with(second) == ""
    panes = page.arrangement.panes
    assert len(panes) > 1
    assert all(pane.settings.mode is CompareMode.SWIPE for pane in panes)
    side.compare.modes.button("checkerboard").click()
    assert {pane.settings.mode for pane in panes} == {CompareMode.CHECKERBOARD}
    side.compare.everywhere.setChecked(False)
    side.compare.modes.button("blend").click()
    assert [pane.settings.mode for pane in panes].count(CompareMode.BLEND) == 1
    side.compare.move_on(-2)
    assert page.arrangement.active_pane.settings.opacity == pytest.approx(0.4)
    side.compare.compare_with(None)
    assert page.arrangement.active_pane.second is None


def test_flicker_shows_the_other_one_while_held(
    page: ViewPage, side: ViewPanel, second: Layer
) -> None:
    side.compare.compare_with(second)
    pane = page.arrangement.active_pane
    before = pane.settings
    side.compare.hold_flicker()
    side.compare.hold_flicker()
    assert pane.settings.mode is CompareMode.FLICKER
    assert pane.settings.shows_second
    side.compare.release_flicker()
    assert pane.settings == before


def test_flicker_by_itself_ends_with_the_mode(
    page: ViewPage, side: ViewPanel, second: Layer, qtbot: QtBot
) -> None:
    side.compare.compare_with(second)
    side.compare.set_mode(CompareMode.FLICKER)
    pane = page.arrangement.active_pane
    side.compare.by_itself.setChecked(True)
    qtbot.waitUntil(lambda: pane.settings.shows_second, timeout=3000)
    side.compare.compare_with(None)
    qtbot.waitUntil(lambda: not side.compare.by_itself.isChecked(), timeout=3000)


def test_numbers_of_a_difference_are_the_subtraction(
    window: MainWindow, side: ViewPanel, second: Layer
) -> None:
    side.compare.compare_with(second)
    side.compare.set_mode(CompareMode.DIFFERENCE)
    _settle(window, side)
    _settle(window, side)
    lines = [line.split("\t") for line in side.compare.numbers.as_text().splitlines()]
    table = {line[0]: line[1:] for line in lines}
    # Both volumes are the same plane of values, which interpolation keeps, 7 HU apart; only the
    # outer half voxel of the plane shown repeats the first volume's last values.
    assert [table[name][1] for name in ("Mean", "SD", "Largest |d|")] == ["7.0", "0.0", "7.0"]
    assert float(table["Mean"][0]) == pytest.approx(_SHIFT, abs=0.3)
    assert table["n"][1] == str(9 * 14 * 17).replace("2142", "2\N{NARROW NO-BREAK SPACE}142")
    assert side.compare.bar.texts == ("\N{MINUS SIGN}7.0", "0.0", "7.0", "HU")
    side.compare.limit.edit.setText("50")
    side.compare.limit.edit.setModified(True)
    side.compare.limit.edit.editingFinished.emit()
    side.refresh()
    assert side.compare.bar.texts == ("\N{MINUS SIGN}50", "0", "50", "HU")


def test_volumes_of_two_frames_are_refused_with_a_remedy(page: ViewPage, side: ViewPanel) -> None:
    apart = Layer(_volume("axial", "3", frame="G"))
    assert "different frames" in side.compare.compare_with(apart)
    assert "register them" in side.compare.refusal.text()
    assert page.arrangement.active_pane.second is None


# -- links and registration --------------------------------------------------------------------


def test_a_shift_by_hand_moves_the_other_volume_by_millimetres(
    page: ViewPage, side: ViewPanel, qtbot: QtBot
) -> None:
    arrangement = page.arrangement
    base = arrangement.layers[0]
    moving = Layer(_volume("feet_last", "3", frame="G"))
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
    moving = Layer(_volume("axial", "3", frame="G"))
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
    moving = Layer(_volume("axial", "3", frame="G"))
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
    other_grid = replace(_volume("turned", "9"), units="label", frame_of_reference_uid="")
    assert "no frame of reference" in side.overlays.lay_over(Layer(other_grid))
    assert len(page.arrangement.active_pane.overlays) == 1


def test_a_refusal_stays_until_another_volume_is_chosen(
    page: ViewPage, side: ViewPanel, second: Layer
) -> None:
    side.compare.compare_with(Layer(_volume("axial", "3", frame="G")))
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
    base = _volume()
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
    np.testing.assert_allclose(profile[1][:, 1] - profile[1][:, 2], _SHIFT, atol=1e-2)
    side.plots._copy(side.plots.profile_table)
    assert QApplication.clipboard().text().startswith("distance mm\tFirst CT HU\tSecond CT HU\n0\t")
    side.plots._save("line_profile", side.plots.profile_table)
    _settle(window, side)
    assert "line_profile-" in side.plots.note.text()
    page.close_volumes()
    assert side.plots.histogram_table() is None


def test_a_synthetic_column_says_so(page: ViewPage, side: ViewPanel) -> None:
    made = Layer(replace(_volume(volume_id="6"), kind=VolumeKind.SYNTHETIC))
    side.compare.compare_with(made)
    side.plots.show_crosshair_line()
    table = side.plots.profile_table()
    assert table is not None
    assert table[0][1:] == ("First CT HU", "Second SYNTHETIC CT HU")


# -- as a whole --------------------------------------------------------------------------------


def test_nothing_is_clipped_at_the_width_of_the_panel(
    page: ViewPage, side: ViewPanel, second: Layer
) -> None:
    side.compare.compare_with(second)
    side.overlays.lay_over(Layer(_volume(volume_id="7")))
    for mode in CompareMode:
        side.compare.set_mode(mode)
        QApplication.processEvents()
        room = page.panel_area.viewport().width() - 32
        wide = [
            (type(child).__name__, child.minimumSizeHint().width())
            for child in side.findChildren(QWidget)
            if child.isVisible() and child.minimumSizeHint().width() > room
        ]
        assert wide == []


def test_a_click_leaves_the_keyboard_with_the_pane_and_tab_reaches_all(side: ViewPanel) -> None:
    controls = [made for made in side.findChildren(QAbstractButton) if made.isVisible()]
    assert len(controls) > 25
    assert {made.focusPolicy() for made in controls} == {Qt.FocusPolicy.TabFocus}
    named = [made for made in controls if not made.text() and not made.toolTip()]
    assert named == []


def test_folds_are_told_and_brought_back(side: ViewPanel) -> None:
    side.set_folded({"compare": True, "unknown": True})
    assert side.folded["compare"]
    assert not side.folded["window"]
    assert all(isinstance(section, PanelSection) for section in side.sections)


def test_a_field_keeps_what_is_being_typed(
    side: ViewPanel, qtbot: QtBot, window: MainWindow
) -> None:
    window.activateWindow()
    field = side.greys.center
    assert isinstance(field, NumberField)
    field.edit.setFocus()
    field.edit.selectAll()
    qtbot.keyClicks(field.edit, "12")
    side.refresh()
    assert field.edit.text() == "12"


def test_folded_sections_let_closed_volumes_go(page: ViewPage, second: Layer) -> None:
    import gc
    import weakref

    side = page.side
    side.compare.compare_with(second)
    side.refresh()
    for section in side.sections:
        section.set_folded(True)
    gone = [weakref.ref(layer.volume) for layer in page.arrangement.layers]
    del second
    page.close_volumes()
    gc.collect()
    assert gone[0]() is None
