"""Greys of windows and tables against pydicom's VOI functions; padding; colours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_voi, apply_windowing

from carez_desktop.domain.volume import Volume
from carez_desktop.domain.window import VoiFunction, VoiLut, VoiWindow
from carez_desktop.rendering.display_values import grey_levels, layer_levels
from carez_desktop.workspace.display_window import DisplayWindow
from carez_desktop.workspace.layer import Layer
from tests.builders.analytic_volumes import GEOMETRIES, analytic_volume

VALUES = np.arange(-300, 700, dtype=np.int16).reshape(20, 50)


def _dataset() -> Dataset:
    data = Dataset()
    data.PhotometricInterpretation = "MONOCHROME2"
    data.BitsStored = 8
    data.BitsAllocated = 16
    data.PixelRepresentation = 0
    return data


@pytest.mark.parametrize("function", list(VoiFunction))
@pytest.mark.parametrize(("center", "width"), [(40.0, 400.0), (100.5, 37.0), (12.0, 1.0)])
def test_windows_are_those_of_pydicom(function: VoiFunction, center: float, width: float) -> None:
    data = _dataset()
    data.WindowCenter, data.WindowWidth, data.VOILUTFunction = center, width, function.value
    with np.errstate(over="ignore"):
        expected = apply_windowing(VALUES.astype(np.float64), data)
    window = DisplayWindow(center, width, function)
    for values in (VALUES, VALUES.astype(np.float32)):
        assert np.abs(grey_levels(values, window) - expected).max() <= 0.51


def test_a_table_is_that_of_pydicom_and_holds_beyond_its_ends() -> None:
    entries = np.asarray((np.arange(400) * 7) % 4096, np.uint16)
    data = _dataset()
    item = Dataset()
    item.LUTDescriptor, item.LUTData = [400, 100, 12], entries.tolist()
    data.VOILUTSequence = [item]
    values = np.arange(0, 600, dtype=np.int16)[None, :]
    expected = apply_voi(values, data) * (255.0 / 4095.0)
    lut = VoiLut(100, entries, 12)
    for given in (values, values.astype(np.float32)):
        grey = grey_levels(given, DisplayWindow(0, 1), lut=lut)
        assert np.abs(grey - expected).max() <= 0.51


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
@pytest.mark.parametrize("inverted", [False, True])
def test_padding_is_black_either_way(dtype: type, inverted: bool) -> None:
    values = np.array([[-2000, 40, 300]], dtype)
    grey = grey_levels(values, DisplayWindow(40, 400), inverted=inverted, padding=-2000.0)
    assert grey[0, 0] == 0
    assert abs(int(grey[0, 1]) - 128) <= 1


def test_film_is_painted_black_for_high_and_inverting_it_gives_white() -> None:
    volume = analytic_volume("axial", dtype=np.int16)
    film = Layer(replace(volume, attributes={"photometric_interpretation": "MONOCHROME1"}))
    film.window = DisplayWindow(40, 400)
    values = np.array([[-500, 500]], np.int16)
    assert layer_levels(values, film).tolist() == [[255, 0]]
    film.inverted = True
    assert layer_levels(values, film).tolist() == [[0, 255]]


def test_windows_leave_colours_alone() -> None:
    geometry = GEOMETRIES["axial"]
    array = np.zeros((*geometry.shape, 3), np.uint8)
    layer = Layer(Volume("1", array, geometry, "US", "rgb"))
    pixels = np.array([[[10, 20, 30]]], np.uint8)
    layer.window = DisplayWindow(5, 1)
    assert layer_levels(pixels, layer).tolist() == [[[10, 20, 30]]]
    layer.inverted = True
    assert layer_levels(pixels, layer).tolist() == [[[245, 235, 225]]]


def test_a_float_map_with_a_window_of_one_keeps_its_greys() -> None:
    # PS3.3 C.11.2.1.2.1 read to the letter would make 0.5/1 a threshold.
    geometry = GEOMETRIES["axial"]
    array = np.linspace(0, 1, int(np.prod(geometry.shape)), dtype=np.float32)
    volume = Volume("1", array.reshape(geometry.shape), geometry, "OT", "arbitrary")
    layer = Layer(replace(volume, windows=(VoiWindow(0.5, 1.0),)))
    grey = layer_levels(np.array([[0.25, 0.75]], np.float32), layer)
    assert grey.tolist() == [[64, 191]]
