"""What is written over panes, as a person sets it and as it comes back."""

from __future__ import annotations

from pathlib import Path

import pytest

from carez_desktop.workspace.display_file import DISPLAY_FILE, load_display, save_display
from carez_desktop.workspace.display_options import (
    CORNER_FIELDS,
    Corner,
    DisplayOptions,
    DisplayState,
    LengthUnit,
    PositionStyle,
)


def test_a_field_stands_in_one_corner_only() -> None:
    options = DisplayOptions().placed("window", Corner.TOP_RIGHT)
    assert options.corner_of("window") is Corner.TOP_RIGHT
    assert options.corners[Corner.BOTTOM_LEFT] == ("value",)
    assert options.placed("window", None).corner_of("window") is None
    with pytest.raises(KeyError):
        options.placed("moonshine", Corner.TOP_LEFT)


def test_hidden_identity_takes_every_field_that_tells_it() -> None:
    options = DisplayOptions(hides_identity=True)
    for entry in CORNER_FIELDS:
        options = options.placed(entry.id, Corner.TOP_RIGHT)
    shown = options.shown_in(Corner.TOP_RIGHT)
    assert set(shown) == {entry.id for entry in CORNER_FIELDS if not entry.is_identity}
    assert {"patient", "patient_id", "birth_date", "study_date"}.isdisjoint(shown)


def test_changes_are_told_once() -> None:
    state, told = DisplayState(), []
    state.changed.connect(lambda: told.append(1))
    state.change(hides_identity=True)
    state.change(hides_identity=True)
    assert told == [1]


def test_options_come_back(tmp_path: Path) -> None:
    options = DisplayOptions(
        hides_identity=True,
        shows_corners=False,
        length_unit=LengthUnit.CENTIMETRES,
        position_style=PositionStyle.RAS,
    ).placed("patient", Corner.TOP_RIGHT)
    save_display(tmp_path, options)
    assert load_display(tmp_path) == (options, ())
    assert load_display(tmp_path / "nowhere") == (DisplayOptions(), ())


@pytest.mark.parametrize(
    ("text", "code", "hides"),
    [
        ("version = 1\n[corners", "display_unreadable", True),
        ("version = 2", "display_version", True),
        ("version = 1\nhides_identity = 'no'", "display_value", True),
        ("version = 1\nlength_unit = 'ell'", "display_value", False),
        ("version = 1\ncorners = 3", "display_corners", False),
        ("version = 1\n[corners]\ntop_left = ['title', 'moonshine']", "display_corners", False),
        ("version = 1\n[corners]\ntop_left = 'title'", "display_corners", False),
    ],
)
def test_a_spoilt_file_is_told_and_never_shows_what_was_hidden(
    tmp_path: Path, text: str, code: str, hides: bool
) -> None:
    (tmp_path / DISPLAY_FILE).write_text(text)
    options, findings = load_display(tmp_path)
    assert [finding.code for finding in findings] == [code]
    assert options.hides_identity is hides
