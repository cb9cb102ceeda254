"""What is remembered between starts, and what happens when the file is not as it should be."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from carez_desktop.errors import StorageError
from carez_desktop.workspace.arrangement import Arrangement
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.layouts import layout_of
from carez_desktop.workspace.view_memory import (
    VIEW_MEMORY,
    ViewMemory,
    apply_remembered_preset,
    load_view_memory,
    remember,
    restore,
    save_view_memory,
)
from tests.builders.analytic_volumes import analytic_volume

_FULL = (
    ViewMemory("2x2", {"links_view": False})
    .with_window("main", "AdnQywADAAAAAA==")
    .with_window("second", "AQ==")
    .with_folded("compare.difference", True)
    .with_preset("CT", "Lung")
    .with_switch("crosshair", False)
    .with_number("cine_rate", 12.5)
    .with_text("colour_map", "viridis")
)


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    assert load_view_memory(tmp_path) == (ViewMemory(), None)
    save_view_memory(tmp_path, _FULL)
    assert load_view_memory(tmp_path) == (_FULL, None)
    save_view_memory(tmp_path, ViewMemory())
    assert load_view_memory(tmp_path) == (ViewMemory(), None)
    assert [path.name for path in tmp_path.iterdir()] == [VIEW_MEMORY]


def test_layout_and_links_are_taken_and_given_back() -> None:
    arrangement = Arrangement(layout_of("3x4"))
    arrangement.set_link("links_window", False)
    memory = remember(arrangement, _FULL)
    assert (memory.layout, memory.links["links_window"]) == ("3x4", False)
    assert memory.windows == _FULL.windows
    other = Arrangement()
    restore(other, memory)
    assert (other.layout.id, other.is_linked("links_window")) == ("3x4", False)
    assert other.is_linked("links_position")


def test_unknown_names_are_passed_over() -> None:
    arrangement = Arrangement(layout_of("1x2"))
    restore(arrangement, ViewMemory("9x9", {"links_moon": True, "links_view": False}))
    assert arrangement.layout.id == "1x2"
    assert not arrangement.is_linked("links_view")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("layout = [", "Invalid"),
        ("layout = 3", "layout"),
        ("version = 9", "version 9"),
        ("[links]\nlinks_view = 'perhaps'", "links.links_view"),
        ("[numbers]\nrate = nan", "numbers.rate"),
        ("\ufffe".encode("utf-16"), "decode"),
    ],
)
def test_a_damaged_file_is_told_and_does_not_stop_the_window(
    text: str | bytes, word: str, tmp_path: Path
) -> None:
    content = text if isinstance(text, bytes) else text.encode()
    (tmp_path / VIEW_MEMORY).write_bytes(content)
    memory, finding = load_view_memory(tmp_path)
    assert memory == ViewMemory()
    assert finding is not None
    assert word in finding.text
    assert (tmp_path / VIEW_MEMORY).read_bytes() == content


def test_a_field_of_a_later_program_is_no_damage(tmp_path: Path) -> None:
    save_view_memory(tmp_path, _FULL)
    path = tmp_path / VIEW_MEMORY
    path.write_text("sparkle = 1\n" + path.read_text())
    assert load_view_memory(tmp_path) == (_FULL, None)


def test_a_home_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be remembered"):
        save_view_memory(tmp_path / "gone", _FULL)


def test_nothing_of_a_patient_is_remembered(tmp_path: Path) -> None:
    arrangement = Arrangement()
    volume = analytic_volume("axial")
    facts = {"patient_name": "Doe^Jane", "series_description": "Secret"}
    arrangement.show(0, Layer(volume.with_array(volume.array, attributes=facts)))
    save_view_memory(tmp_path, remember(arrangement, ViewMemory()))
    text = (tmp_path / VIEW_MEMORY).read_text()
    assert set(tomllib.loads(text)) == {"version", "layout", *ViewMemory.__dataclass_fields__}
    for secret in ("Doe", "Secret", volume.volume_id):
        assert secret not in text


def test_the_last_preset_of_a_modality_returns_unless_the_file_names_a_window() -> None:
    volume = analytic_volume("axial")
    layer = Layer(volume)
    assert apply_remembered_preset(layer, _FULL)
    assert layer.window.center == -600.0
    own = Layer(replace(volume, window_center=10.0, window_width=20.0))
    assert not apply_remembered_preset(own, _FULL)
    assert own.window.center == 10.0
    assert not apply_remembered_preset(layer, ViewMemory(presets={"CT": "Gone"}))
    assert not apply_remembered_preset(layer, ViewMemory(presets={"MR": "Lung"}))
