"""Window presets as data: the product's, the site's, and which suit a volume."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from carez_desktop.errors import UsageError
from carez_desktop.workflows._window_preset_file import read_window_file
from carez_desktop.workflows.context import open_context
from carez_desktop.workflows.list_window_presets import list_window_presets
from carez_desktop.workspace.display_window import DisplayWindow
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.modality_presets import presets_for, presets_of_layers
from tests.builders.analytic_volumes import analytic_volume

_OWN = """
version = 1
[[windows]]
title = "Stroke"
modality = "CT"
units = "HU"
center = 35.0
width = 30.0
"""


def _titles(context: object, **facts: object) -> list[str]:
    volume = replace(analytic_volume("axial"), **facts)
    windows = list_window_presets(context).windows
    return [preset.title for preset in presets_for(volume, windows)]


def test_modality_units_and_body_part_choose(tmp_path: Path) -> None:
    context = open_context(tmp_path)
    everywhere = {"Angiography", "Fat"}
    head = _titles(context, attributes={"body_part_examined": "Head"})
    assert set(head) == everywhere | {"Stroke", "Subdural", "Temporal bone"}
    assert set(_titles(context, attributes={"body_part_examined": "LSPINE"})) == everywhere | {
        "Spine"
    }
    # A source that names no part is offered all of its modality.
    assert {"Stroke", "Mediastinum", "Spine"} < set(_titles(context))
    # Raw counts are no SUV, and an MR has no HU.
    assert _titles(context, modality="PT", units="arbitrary") == []
    assert _titles(context, modality="PT", units="SUVbw") == ["SUV 0-5", "SUV 0-10", "SUV 0-20"]
    assert _titles(context, modality="MR", units="arbitrary") == ["Middle 90 %"]
    grid = analytic_volume("axial")
    colour = np.zeros((*grid.array.shape, 3), np.uint8)
    assert _titles(context, array=colour) == []


def test_shares_are_percentiles_of_the_volume(tmp_path: Path) -> None:
    volume = replace(analytic_volume("axial"), modality="MR", units="arbitrary")
    (preset,) = presets_for(volume, list_window_presets(open_context(tmp_path)).windows)
    low, high = np.percentile(volume.array, (5.0, 95.0))
    assert preset.window.low == pytest.approx(low, rel=1e-3)
    assert preset.window.high == pytest.approx(high, rel=1e-3)


def test_the_site_replaces_and_a_wrong_file_is_told(tmp_path: Path) -> None:
    context = open_context(tmp_path)
    (tmp_path / "windows.toml").write_text(_OWN)
    volume = analytic_volume("axial")
    presets = presets_for(volume, list_window_presets(context).windows)
    stroke = [preset.window for preset in presets if preset.title == "Stroke"]
    assert stroke == [DisplayWindow(35.0, 30.0)]
    (tmp_path / "windows.toml").write_text(_OWN.replace("30.0", "-3.0"))
    listed = list_window_presets(context)
    assert "width" in listed.findings[0].text
    assert any(item.title == "Stroke" and item.width == 40.0 for item in listed.windows)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('units = "HU"', ""),
        ("width = 30.0", ""),
        ("width = 30.0", "width = nan"),
        ("width = 30.0", "width = 30.0\nshares = [1.0, 99.0]"),
        ("center = 35.0\nwidth = 30.0", "shares = [99.0, 1.0]"),
        ("center = 35.0\nwidth = 30.0", "shares = [1.0, 101.0]"),
        ("version = 1", "version = 2"),
    ],
)
def test_what_is_wrong_is_refused(old: str, new: str, tmp_path: Path) -> None:
    path = tmp_path / "windows.toml"
    path.write_text(_OWN)
    assert len(read_window_file(path)) == 1
    path.write_text(_OWN.replace(old, new))
    with pytest.raises(UsageError, match="Window presets"):
        read_window_file(path)


def test_presets_of_a_layer_are_made_once_and_let_it_go(tmp_path: Path) -> None:
    asked = []

    def windows() -> tuple:
        asked.append(1)
        return list_window_presets(open_context(tmp_path)).windows

    of = presets_of_layers(windows)
    layer, other = Layer(analytic_volume("axial")), Layer(analytic_volume("oblique"))
    assert of(layer) is of(layer)
    assert of(other) == of(layer)
    assert len(asked) == 1
    ghost = weakref.ref(layer)
    del layer
    gc.collect()
    assert ghost() is None
