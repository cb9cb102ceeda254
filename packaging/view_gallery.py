"""Scenes of the View page for the gallery of `make screenshots`: layouts, modes, refusals.

Each scene opens what it needs from the library of a home and arranges it as a person would; the
picture is the whole window. A scene whose study is not in the library is left out and named.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtTest import QTest

from carez_desktop.domain.study import VolumeRecord
from carez_desktop.gui.application import wait_until_idle
from carez_desktop.gui.main_window import MainWindow
from carez_desktop.gui.view_page import ViewPage
from carez_desktop.workspace.compare_settings import CompareMode, CompareSettings
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.layouts import LAYOUTS
from carez_desktop.workspace.plane_basis import Plane
from carez_desktop.workspace.slab import Slab, SlabMode

WAIT_SECONDS = 120
SETTLED_MS = 200
STUDIES = (
    "ct_chest_nlst", "petct_acrin", "mr_prostate_prostatex", "ct_tilt_phantom_philips",
    "pydicom_data_subset", "hippocampus_train/images/hippocampus_001.nii.gz",
    "hippocampus_train/labels/hippocampus_001.nii.gz",
)  # fmt: skip
"""What is taken from a folder of real studies."""

Choice = Callable[[VolumeRecord], bool]


@dataclass(frozen=True)
class Scene:
    """One picture: its name, what it needs, how it is arranged."""

    name: str
    needs: tuple[str, ...]
    arrange: Callable[[ViewPage, Sequence[Layer]], None]


CHOICES: dict[str, Choice] = {
    "chest": lambda r: r.modality == "CT" and r.shape[0] > 100 and r.spacing_mm is not None
    and abs(r.spacing_mm[0] - 2.0) < 0.1,
    "pet ct": lambda r: r.modality == "CT" and r.shape[0] == 135,
    "pet": lambda r: r.modality == "PT" and r.shape[0] > 100,
    "prostate": lambda r: r.modality == "MR" and r.shape[1] >= 320 and r.shape[0] < 40,
    "diffusion": lambda r: r.modality == "MR" and r.shape[0] == 19 and r.shape[1] < 200,
    "tilted": lambda r: r.slices_only,
    "cine": lambda r: r.modality == "US" and r.shape[0] > 1,
    "ultrasound": lambda r: r.modality == "US",
    "hippocampus": lambda r: r.source_format != "dicom" and "label" not in "".join(r.paths),
    "labels": lambda r: r.source_format != "dicom" and "label" in "".join(r.paths),
    "simulated": lambda r: r.modality == "CT" and "simulated" in "".join(r.paths).lower(),
}  # fmt: skip


# -- how scenes are arranged --------------------------------------------------------------------


def as_opened(_: ViewPage, __: Sequence[Layer]) -> None:
    """Leave what opening gives."""


def layout(number: int) -> Callable[[ViewPage, Sequence[Layer]], None]:
    """Cut the page as the layout menu does."""

    def arrange(page: ViewPage, _: Sequence[Layer]) -> None:
        page.set_layout(LAYOUTS[number])

    return arrange


def compared(
    settings: CompareSettings, *, number: int = 0
) -> Callable[[ViewPage, Sequence[Layer]], None]:
    """Compare the two layers in every pane of the first."""

    def arrange(page: ViewPage, layers: Sequence[Layer]) -> None:
        page.set_layout(LAYOUTS[number])
        for index, pane in enumerate(page.arrangement.panes):
            if pane.base is not None and pane.base.layer is layers[0]:
                page.arrangement.compare(index, layers[1], settings)

    return arrange


def turned(page: ViewPage, layers: Sequence[Layer]) -> None:
    """Turn the lines of the first pane."""
    page.set_layout(LAYOUTS[2])
    viewport = page.arrangement.panes[0].viewport
    if viewport is not None:
        page.arrangement.group_of(layers[0]).turn_others(viewport, np.radians(20.0))


def slab(mode: SlabMode) -> Callable[[ViewPage, Sequence[Layer]], None]:
    """Show thick planes in the lung window."""

    def arrange(page: ViewPage, layers: Sequence[Layer]) -> None:
        layers[0].apply_preset("2")
        for pane in page.arrangement.panes:
            if pane.viewport is not None:
                pane.viewport.set_slab(Slab(mode, 20.0))

    return arrange


def fused(page: ViewPage, layers: Sequence[Layer]) -> None:
    """Lay the second layer over the first in hot colours."""
    layers[1].colour_map = "hot_iron"
    for index in range(len(page.arrangement.panes)):
        page.arrangement.lay_over(index, layers[1], opacity=0.55, outlined=False)


def labelled(*, outlined: bool) -> Callable[[ViewPage, Sequence[Layer]], None]:
    """Lay a label map over the first layer."""

    def arrange(page: ViewPage, layers: Sequence[Layer]) -> None:
        for index in range(len(page.arrangement.panes)):
            page.arrangement.lay_over(index, layers[1], opacity=0.5, outlined=outlined)

    return arrange


def coloured(page: ViewPage, layers: Sequence[Layer]) -> None:
    """Show one layer in viridis, its panes flipped and turned."""
    layers[0].colour_map = "viridis"
    viewport = page.arrangement.panes[0].viewport
    if viewport is not None:
        viewport.set_flips(True, False)
        viewport.set_turns(1)


def maximised(page: ViewPage, _: Sequence[Layer]) -> None:
    """Show one pane alone, magnified."""
    page.grid.toggle_maximised(0)
    viewport = page.arrangement.panes[0].viewport
    if viewport is not None:
        viewport.zoom(3.0)


def refused(page: ViewPage, _: Sequence[Layer]) -> None:
    """Ask for a plane that there is not."""
    page.show_plane(Plane.CORONAL)


SCENES: tuple[Scene, ...] = (
    *(
        Scene(f"layout-{choice.id.replace('/', '_')}", ("chest",), layout(number))
        for number, choice in enumerate(LAYOUTS)
    ),
    Scene("chest-opened", ("chest",), as_opened),
    Scene("chest-turned", ("chest",), turned),
    Scene("chest-mip", ("chest",), slab(SlabMode.MIP)),
    Scene("chest-maximised", ("chest",), maximised),
    Scene("prostate-opened", ("prostate",), as_opened),
    Scene("prostate-viridis", ("prostate",), coloured),
    Scene("diffusion-opened", ("diffusion",), as_opened),
    Scene("tilted-refused", ("tilted",), refused),
    Scene("ultrasound", ("ultrasound",), as_opened),
    Scene("pet-ct-beside", ("pet ct", "pet"), as_opened),
    Scene("pet-ct-fused", ("pet ct", "pet"), fused),
    Scene("labels-filled", ("hippocampus", "labels"), labelled(outlined=False)),
    Scene("labels-outlined", ("hippocampus", "labels"), labelled(outlined=True)),
    Scene("compare-beside", ("case",), as_opened),
    Scene("compare-swipe", ("case",), compared(CompareSettings(CompareMode.SWIPE))),
    Scene(
        "compare-checkerboard", ("case",),
        compared(CompareSettings(CompareMode.CHECKERBOARD, tile_mm=40.0), number=2),
    ),
    Scene("compare-blend", ("case",), compared(CompareSettings(CompareMode.BLEND))),
    Scene(
        "compare-flicker", ("case",),
        compared(CompareSettings(CompareMode.FLICKER, shows_second=True)),
    ),
    Scene(
        "compare-difference", ("case",),
        compared(CompareSettings(CompareMode.DIFFERENCE, threshold=5.0), number=2),
    ),
)  # fmt: skip


# -- taking them --------------------------------------------------------------------------------


def import_real(context: Any, studies: Path) -> None:
    """Import what the scenes need from a folder of real studies."""
    from carez_desktop.workflows.import_studies import import_studies
    from carez_desktop.workflows.make_thumbnails import make_thumbnails

    found = [studies / name for name in STUDIES if (studies / name).exists()]
    if found:
        import_studies(context, paths=found)
        make_thumbnails(context)


def take_scenes(
    window: MainWindow, folder: Path, *, bundle: Path | None, only: Sequence[str] = ()
) -> list[str]:
    """Write a picture of every scene that can be arranged; return the names of those left out."""
    from carez_desktop.workflows.list_volumes import list_volumes

    folder.mkdir(parents=True, exist_ok=True)
    records = list_volumes(window.session.context)
    chosen = {
        name: next((r.volume_id for r in records if fits(r)), "") for name, fits in CHOICES.items()
    }
    # Without real studies the simulated ones play.
    chosen["chest"] = chosen["chest"] or chosen["simulated"]
    chosen["case"] = f"{bundle}#case-0001" if bundle is not None else ""
    left_out = []
    for scene in SCENES:
        if only and not any(word in scene.name for word in only):
            continue
        ids = [chosen[name] for name in scene.needs]
        if not all(ids):
            left_out.append(scene.name)
            continue
        _take(window, scene, ids, folder)
    return left_out


def _take(window: MainWindow, scene: Scene, ids: Sequence[str], folder: Path) -> None:
    page = window.page("view")
    assert isinstance(page, ViewPage)
    window.session.volumes_requested.emit(ids[0], ids[1] if len(ids) > 1 else "")
    if not wait_until_idle(window, WAIT_SECONDS):
        raise TimeoutError(scene.name)
    scene.arrange(page, page.arrangement.layers)
    # The panel follows a little later than the panes.
    QTest.qWait(SETTLED_MS)
    wait_until_idle(window, WAIT_SECONDS)
    path = folder / f"{scene.name}.png"
    window.grab().save(str(path), "PNG")
    print(f"{path} {path.stat().st_size // 1024} KiB", flush=True)
    page.close_volumes()
