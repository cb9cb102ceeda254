"""Colour maps against matplotlib's tables and DICOM's palettes; the signed ones for every eye."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pydicom
import pytest
from pydicom.data import get_palette_files

from carez_desktop.rendering.colour_maps import (
    COLOUR_MAP_TITLES,
    COLOUR_MAPS,
    SIGNED_MIDDLE,
    pixel_table,
)

SIGNED = ("blue_white_red", "blue_black_orange")
# G. Machado, M. Oliveira, L. Fernandes, IEEE TVCG 15 (2009), severity 1.0, on linear RGB.
DEFICIENCIES = {
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritan": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def linear(table: np.ndarray) -> np.ndarray:
    """IEC 61966-2-1: sRGB to linear light."""
    share = table / 255.0
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def lab(light: np.ndarray) -> np.ndarray:
    """CIE 1976 L*a*b* under D65 of linear RGB."""
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    ratio = np.clip(light, 0, 1) @ to_xyz.T / to_xyz.sum(axis=1)
    root = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    x, y, z = root[:, 0], root[:, 1], root[:, 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


@pytest.mark.parametrize("name", ["viridis", "cividis"])
def test_maps_of_matplotlib(name: str) -> None:
    expected = mpl.colormaps[name](np.arange(256), bytes=True)[:, :3].astype(int)
    assert np.abs(COLOUR_MAPS[name].astype(int) - expected).max() <= 1


@pytest.mark.parametrize(("name", "file"), [("hot_iron", "hotiron"), ("pet", "pet")])
def test_palettes_of_dicom(name: str, file: str) -> None:
    # PS3.6 B.1.1 and B.1.2, as pydicom carries them.
    palette = pydicom.dcmread(get_palette_files(f"{file}.dcm")[0])
    channels = [palette[f"{c}PaletteColorLookupTableData"].value for c in ("Red", "Green", "Blue")]
    expected = np.stack([np.frombuffer(channel, np.uint8) for channel in channels], axis=1)
    np.testing.assert_array_equal(COLOUR_MAPS[name], expected)


def test_every_map_is_complete_and_stays_as_it_is() -> None:
    assert set(COLOUR_MAPS) == set(COLOUR_MAP_TITLES)
    for name, table in COLOUR_MAPS.items():
        assert table.shape == (256, 3)
        assert table.dtype == np.uint8
        assert not table.flags.writeable
        pixels = pixel_table(name)
        red, green, blue = (int(part) for part in table[77])
        assert pixels[77] == 0xFF000000 | red << 16 | green << 8 | blue
    with pytest.raises(KeyError):
        pixel_table("jet")


@pytest.mark.parametrize("name", ["grey", "viridis", "cividis"])
def test_maps_for_reading_order_by_lightness_for_every_eye(name: str) -> None:
    light = linear(COLOUR_MAPS[name].astype(float))
    assert np.all(np.diff(lab(light)[:, 0]) > -0.15)
    for matrix in DEFICIENCIES.values():
        seen = lab(light @ np.array(matrix).T)[:, 0]
        assert np.all(np.diff(seen[::8]) > 0.0)


@pytest.mark.parametrize("name", SIGNED)
@pytest.mark.parametrize("eye", ["typical", *DEFICIENCIES])
def test_signed_maps_tell_size_by_lightness_and_sign_by_colour(name: str, eye: str) -> None:
    light = linear(COLOUR_MAPS[name].astype(float))
    if eye != "typical":
        light = light @ np.array(DEFICIENCIES[eye]).T
    seen = lab(light)
    way = 1.0 if name == "blue_black_orange" else -1.0
    above, below = seen[SIGNED_MIDDLE:256, 0], seen[SIGNED_MIDDLE:0:-1, 0]
    for side in (above, below):
        assert np.all(np.diff(side[::4]) * way > 0.0), (name, eye)
    assert abs(above[-1] - above[0]) > 40.0
    # A just noticeable difference is about 2.3; half-way out both sides lie far beyond it.
    apart = np.linalg.norm(seen[SIGNED_MIDDLE + 64] - seen[SIGNED_MIDDLE - 64])
    assert apart > 25.0, (name, eye)
    table = COLOUR_MAPS[name]
    assert len(set(table[SIGNED_MIDDLE].tolist())) == 1
    np.testing.assert_array_equal(table[0], table[1])
