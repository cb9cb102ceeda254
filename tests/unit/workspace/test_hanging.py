"""Hanging by a protocol: panes, planes, seconds, overlays, slabs, windows, and late arrivals."""

from __future__ import annotations

import numpy as np

from carez_desktop.domain.alignment import Alignment
from carez_desktop.domain.hanging import Hanging, HangingPane, HangingProtocol, HangingRole
from carez_desktop.domain.volume import Volume
from carez_desktop.workspace.arrangement import Arrangement
from carez_desktop.workspace.compare_settings import CompareMode
from carez_desktop.workspace.display_window import DisplayWindow, WindowPreset
from carez_desktop.workspace.hanging import hang, hang_more
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.plane_basis import Plane
from carez_desktop.workspace.slab import Slab, SlabMode
from tests.builders.analytic_volumes import GEOMETRIES

_FUSED = HangingProtocol(
    "fused", "Fused", "2x2",
    (HangingRole("ct", window="Lung"), HangingRole("pet", window="PET 0-5")),
    (
        HangingPane("ct", "axial"),
        HangingPane("pet", slab="minip", slab_mm=30.0),
        HangingPane("ct", "coronal", overlay="pet", opacity=0.3, outlined=True),
        HangingPane("ct", "axial", second="pet", mode="difference"),
    ),
)  # fmt: skip
_CAST = Hanging(_FUSED, {"ct": "ct-id", "pet": "pet-id"})


def _layer(volume_id: str, name: str, frame: str, units: str = "HU") -> Layer:
    array = np.zeros(GEOMETRIES[name].shape, np.int16)
    return Layer(
        Volume(volume_id, array, GEOMETRIES[name], "CT", units, frame_of_reference_uid=frame)
    )


def test_panes_show_what_the_protocol_says() -> None:
    layers = {
        "ct-id": _layer("ct-id", "axial", "F"),
        "pet-id": _layer("pet-id", "coronal", "F", "SUVbw"),
    }
    arrangement = Arrangement()
    presets = [WindowPreset("", "PET 0-5", DisplayWindow(2.5, 5.0))]
    assert hang(arrangement, _CAST, layers, presets) == ()
    axial, pet, fused, difference = arrangement.panes
    assert arrangement.layout.id == "2x2"
    assert (axial.base.layer, axial.viewport.plane) == (layers["ct-id"], Plane.AXIAL)
    # Acquired: the grid of this one runs along the coronal planes.
    assert pet.viewport.plane is Plane.CORONAL
    assert pet.viewport.slab == Slab(SlabMode.MINIP, 30.0)
    (overlay,) = fused.overlays
    assert (overlay.layer, overlay.opacity, overlay.outlined) == (layers["pet-id"], 0.3, True)
    assert difference.second.layer is layers["pet-id"]
    assert difference.settings.mode is CompareMode.DIFFERENCE
    assert layers["ct-id"].window == DisplayWindow(-600.0, 1500.0)
    assert layers["pet-id"].window == DisplayWindow(2.5, 5.0)


def test_late_volumes_fill_what_is_empty_and_disturb_nothing() -> None:
    ct = _layer("ct-id", "axial", "F")
    arrangement = Arrangement()
    assert hang(arrangement, _CAST, {"ct-id": ct}) == ()
    assert [pane.base is not None for pane in arrangement.panes] == [True, False, True, True]
    ct.window = DisplayWindow(1.0, 2.0)
    arrangement.panes[0].viewport.cursor_lps = (2.0, 15.0, -20.0)
    held = arrangement.panes[0].viewport
    layers = {"ct-id": ct, "pet-id": _layer("pet-id", "oblique", "F", "SUVbw")}
    assert hang_more(arrangement, _CAST, layers) == ()
    assert arrangement.panes[0].viewport is held
    assert ct.window == DisplayWindow(1.0, 2.0)
    assert arrangement.panes[1].base.layer is layers["pet-id"]
    np.testing.assert_allclose(arrangement.panes[1].viewport.cursor_lps, (2.0, 15.0, -20.0))
    assert arrangement.panes[2].overlays[0].layer is layers["pet-id"]
    assert arrangement.panes[3].is_comparing
    # A pane that a person has filled since is left alone.
    own = _layer("own", "axial", "F")
    arrangement.show(0, own)
    hang_more(arrangement, _CAST, layers)
    assert arrangement.panes[0].base.layer is own


def test_what_cannot_be_is_said_once_and_the_rest_hangs() -> None:
    layers = {"ct-id": _layer("ct-id", "axial", "F"), "pet-id": _layer("pet-id", "axial", "G")}
    arrangement = Arrangement()
    refusals = hang(arrangement, _CAST, layers)
    assert len(refusals) == 1
    assert "frames of reference" in refusals[0]
    assert all(pane.base is not None for pane in arrangement.panes)
    assert arrangement.panes[3].second is None
    # With an alignment that was kept, nothing is refused.
    known = Arrangement(alignments=[Alignment.by_offset("ct-id", "pet-id", (3.0, 0.0, 0.0))])
    assert hang(known, _CAST, layers) == ()
    assert known.panes[3].is_comparing
