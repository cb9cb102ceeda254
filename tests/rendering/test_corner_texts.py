"""What stands in the corners of a pane, where a person put it, and what never does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.volume import Volume
from carez_desktop.rendering.annotations import annotate, ruler
from carez_desktop.rendering.annotations_text import TIMES
from carez_desktop.rendering.corner_texts import corner_texts, position_text, window_text
from carez_desktop.workspace.display_options import (
    CORNER_FIELDS,
    Corner,
    DisplayOptions,
    LengthUnit,
    PositionStyle,
)
from carez_desktop.workspace.display_window import DisplayWindow
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.plane_basis import Plane
from carez_desktop.workspace.slab import Slab, SlabMode
from carez_desktop.workspace.viewport import Viewport

NAME = "Doe^Jane"
IDENTITY = {
    "patient_name": NAME,
    "patient_id": "PID-77",
    "patient_birth_date": "19610203",
    "study_date": "20240506",
    "institution_name": "St. Elsewhere",
}


def _layer() -> Layer:
    axes = np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]], dtype=float)
    geometry = VolumeGeometry.from_parts((8, 12, 10), (5.0, 0.8, 1.1), (0, 0, 0), axes)
    array = np.full((8, 12, 10), 70, dtype=np.int16)
    attributes = {"series_description": "Thorax", **IDENTITY}
    return Layer(Volume("1", array, geometry, "CT", "HU", attributes=attributes))


def _everything() -> DisplayOptions:
    names = tuple(entry.id for entry in CORNER_FIELDS)
    return DisplayOptions(corners={Corner.TOP_LEFT: names})


def test_every_field_can_be_shown_and_tells_what_it_should() -> None:
    layer = _layer()
    viewport = Viewport(Plane.AXIAL, layer.volume.geometry)
    viewport.show(viewport.centre_lps, 0.4)
    viewport.set_slab(Slab(SlabMode.MIP, 15.0))
    layer.window = DisplayWindow(40, 400)
    lines = corner_texts(viewport, layer, _everything())[Corner.TOP_LEFT]
    assert lines == (
        *IDENTITY.values(),
        "Thorax",
        "Axial, MIP 15 mm, real",
        f"10 {TIMES} 12 {TIMES} 8",
        f"1.10 {TIMES} 0.80 {TIMES} 5.00 mm",
        "5 / 8",
        "70 HU   L 4.4  P 4.0  S 15.0",
        "C 40  W 400",
        "MIP 15 mm",
        "zoom 2",
    )


def test_identity_stays_away_when_hidden_and_the_rest_stays() -> None:
    layer = _layer()
    viewport = Viewport(Plane.AXIAL, layer.volume.geometry)
    options = replace(_everything(), hides_identity=True)
    note = annotate(viewport, layer, options=options)
    told = " ".join((*note.top_left, *note.top_right, *note.bottom_left, *note.bottom_right))
    assert not [value for value in IDENTITY.values() if value in told]
    assert note.top_left[0] == "Thorax"


def test_without_corner_texts_letters_and_badge_stay() -> None:
    layer = Layer(_layer().volume, stand_in=True)
    viewport = Viewport(Plane.AXIAL, layer.volume.geometry)
    note = annotate(viewport, layer, options=DisplayOptions(shows_corners=False))
    assert (note.top_left, note.top_right, note.bottom_left, note.bottom_right) == ((),) * 4
    assert note.badge == "SIMULATED"
    assert (note.letters.left, note.letters.right) == ("R", "L")


def test_the_usual_corners_name_no_patient() -> None:
    layer = _layer()
    note = annotate(Viewport(Plane.AXIAL, layer.volume.geometry), layer)
    assert note.top_right == ()
    assert NAME not in " ".join(note.top_left + note.bottom_left + note.bottom_right)


@pytest.mark.parametrize(
    ("style", "text"),
    [
        (PositionStyle.LETTERS, "R 12.0  P 40.5  I 3.2"),
        (PositionStyle.LPS, "LPS -12.0  40.5  -3.2"),
        # The right-anterior-superior frame of NIfTI: the first two axes are reversed.
        (PositionStyle.RAS, "RAS 12.0  -40.5  -3.2"),
    ],
)
def test_positions_are_written_in_the_chosen_frame(style: PositionStyle, text: str) -> None:
    assert position_text(np.array([-12.0, 40.5, -3.2]), style) == text


@pytest.mark.parametrize(
    ("unit", "mm_per_pixel", "label"),
    [
        (LengthUnit.AUTO, 0.5, "2 cm"),
        (LengthUnit.AUTO, 0.1, "5 mm"),
        (LengthUnit.MILLIMETRES, 0.5, "20 mm"),
        (LengthUnit.CENTIMETRES, 0.1, "0.5 cm"),
    ],
)
def test_the_ruler_is_written_in_the_chosen_unit(
    unit: LengthUnit, mm_per_pixel: float, label: str
) -> None:
    viewport = Viewport(Plane.AXIAL, _layer().volume.geometry)
    viewport.resize(200, 200)
    viewport.show(viewport.centre_lps, mm_per_pixel)
    assert ruler(viewport, unit).label == label


@pytest.mark.parametrize(
    ("window", "text"),
    [
        (DisplayWindow(40, 400), "C 40  W 400"),
        (DisplayWindow(0.5, 1.25), "C 0.500  W 1.250"),
        (DisplayWindow(1.2e-9, 2.3e-9), "C 1.2e-09  W 2.3e-09"),
        (DisplayWindow(0.0, 1e37), "C 0  W 1e+37"),
    ],
)
def test_windows_are_short_at_every_scale(window: DisplayWindow, text: str) -> None:
    layer = _layer()
    layer.window = window
    assert window_text(layer) == text


def test_no_number_is_called_so() -> None:
    layer = _layer()
    array = np.full((8, 12, 10), np.nan, dtype=np.float32)
    layer = Layer(replace(layer.volume, array=array))
    options = DisplayOptions(corners={Corner.TOP_LEFT: ("value",)})
    texts = corner_texts(Viewport(Plane.AXIAL, layer.volume.geometry), layer, options)
    assert texts[Corner.TOP_LEFT][0].startswith("no number   ")
