"""Which volumes can be shown as labels."""

from __future__ import annotations

import numpy as np
import pytest

from carez_desktop.domain.volume import Volume
from carez_desktop.workspace.label_layers import as_labels, could_be_labels
from carez_desktop.workspace.layer import Layer
from tests.builders.analytic_volumes import GEOMETRIES

_GEOMETRY = GEOMETRIES["axial"]


def _layer(array: np.ndarray, units: str = "arbitrary") -> Layer:
    volume = Volume("1", array, _GEOMETRY, "SEG", units, frame_of_reference_uid="F")
    return Layer(volume, title="Organs")


def test_few_whole_numbers_are_labels() -> None:
    labels = np.zeros(_GEOMETRY.shape, np.uint8)
    labels[2:5] = 7
    layer = _layer(labels)
    assert could_be_labels(layer)
    made = as_labels(layer)
    assert made.is_label_map
    assert (made.title, made.volume.volume_id) == ("Organs", "1")
    assert made.volume.frame_of_reference_uid == "F"
    assert not could_be_labels(made)
    assert could_be_labels(_layer(labels.astype(np.float32)))


@pytest.mark.parametrize("spoil", [0.5, -1.0, np.nan])
def test_parts_negative_numbers_and_nan_are_no_labels(spoil: float) -> None:
    array = np.zeros(_GEOMETRY.shape, np.float32)
    array[0, 0, 0] = spoil
    assert not could_be_labels(_layer(array))


def test_values_with_units_and_many_values_are_no_labels() -> None:
    few = np.zeros(_GEOMETRY.shape, np.int16)
    assert not could_be_labels(_layer(few, "HU"))
    many = np.arange(few.size, dtype=np.int16).reshape(_GEOMETRY.shape)
    assert not could_be_labels(_layer(many))
