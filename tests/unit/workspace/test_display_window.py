"""Windows, presets and what a layer shows first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from carez_desktop.workspace.display_window import (
    DisplayWindow,
    full_range,
    initial_window,
    percentile_window,
    presets_of,
)
from carez_desktop.workspace.layer import Layer
from tests.builders.analytic_volumes import analytic_volume


def test_first_window_is_the_file_s_then_soft_tissue_then_percentiles() -> None:
    volume = analytic_volume("axial")
    assert initial_window(replace(volume, window_center=10.0, window_width=50.0)) == DisplayWindow(
        10.0, 50.0
    )
    assert initial_window(volume) == DisplayWindow(40.0, 400.0)
    other = replace(volume, units="arbitrary")
    low, high = np.percentile(other.array, (0.1, 99.9))
    window = initial_window(other)
    assert (window.low, window.high) == pytest.approx((low, high), rel=1e-5)


def test_percentiles_leave_padding_out() -> None:
    volume = analytic_volume("axial", dtype=np.int16)
    array = volume.array.copy()
    array[0] = -2000
    padded = replace(volume.with_array(array), padding_value=-2000.0)
    assert percentile_window(padded, 0.0, 100.0).low > -1999


def test_full_range_of_a_constant_volume_has_a_width() -> None:
    volume = analytic_volume("axial")
    assert full_range(volume.with_array(np.zeros_like(volume.array))).width == 1.0


def test_dragging_widens_to_the_right_and_never_turns_over() -> None:
    window = DisplayWindow(40.0, 400.0)
    assert window.dragged(10, 0, step=1.0) == DisplayWindow(40.0, 410.0)
    assert window.dragged(0, 5, step=2.0) == DisplayWindow(50.0, 400.0)
    assert window.dragged(-9999, 0, step=1.0).width == 1.0


def test_presets_are_hounsfield_only_for_hounsfield() -> None:
    volume = analytic_volume("axial")
    assert [preset.title for preset in presets_of(volume)][:2] == ["Soft tissue", "Lung"]
    assert presets_of(replace(volume, units="arbitrary"))[0].title == "Automatic"


def test_layer_tells_of_changes_once() -> None:
    layer = Layer(analytic_volume("axial"))
    told: list[int] = []
    layer.changed.connect(lambda: told.append(1))
    assert layer.apply_preset("2")
    assert not layer.apply_preset("9")
    layer.window = layer.window
    layer.inverted = True
    assert len(told) == 2
    layer.reset()
    assert (layer.window, layer.inverted) == (DisplayWindow(40.0, 400.0), False)
