"""A real PET/CT: the plane of a pane in both volumes against SimpleITK's resampling."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from carez_desktop.domain.volume import Volume
from carez_desktop.rendering.pane_picture import PaneRenderer
from carez_desktop.rendering.slice_pipeline import SliceSampler
from carez_desktop.workflows.context import open_context
from carez_desktop.workflows.import_studies import import_studies
from carez_desktop.workflows.load_volume import load_volume
from carez_desktop.workspace.arrangement import Arrangement
from carez_desktop.workspace.compare_settings import CompareMode, CompareSettings
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.plane_basis import Plane, rotation_about

WIDTH, HEIGHT = 96, 80


@pytest.fixture(scope="module")
def pet_ct(studies: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Volume, Volume]:
    context = open_context(tmp_path_factory.mktemp("home"))
    found = import_studies(context, paths=[studies / "petct_acrin"])
    volumes = [
        load_volume(context, volume_id=record.volume_id)
        for record in found.series
        if record.modality in ("CT", "PT")
    ]
    context.close()
    stacks = {v.modality: v for v in volumes if v.geometry.shape[0] > 10}
    return stacks["CT"], stacks["PT"]


def resampled(volume: Volume, grid: np.ndarray) -> np.ndarray:
    """(HEIGHT, WIDTH) linear values by SimpleITK; NaN outside its buffer."""
    image = SimpleITK.GetImageFromArray(volume.array.astype(np.float64))
    geometry = volume.geometry
    image.SetSpacing(geometry.spacing_mm[::-1])
    image.SetOrigin(geometry.origin_lps)
    image.SetDirection(geometry.direction_lps[:, ::-1].ravel().tolist())
    steps = np.linalg.norm(grid[:3, :3], axis=0)
    axes = grid[:3, :3] / steps
    if np.linalg.det(axes) < 0:
        axes[:, 2] = -axes[:, 2]
    plane = SimpleITK.ResampleImageFilter()
    plane.SetSize((WIDTH, HEIGHT, 1))
    plane.SetOutputSpacing(steps.tolist())
    plane.SetOutputOrigin(grid[:3, 3].tolist())
    plane.SetOutputDirection(axes.ravel().tolist())
    plane.SetInterpolator(SimpleITK.sitkLinear)
    plane.SetDefaultPixelValue(float("nan"))
    return SimpleITK.GetArrayFromImage(plane.Execute(image))[0]


@pytest.mark.parametrize("plane", list(Plane))
@pytest.mark.parametrize("turn", [0.0, 0.3])
def test_both_volumes_of_a_pet_ct_lie_where_simpleitk_puts_them(pet_ct, plane, turn) -> None:
    ct, pet = pet_ct
    arrangement = Arrangement()
    arrangement.show(0, Layer(ct), plane)
    assert arrangement.compare(0, Layer(pet), CompareSettings(CompareMode.SWIPE)) == ""
    pane = arrangement.panes[0]
    pane.viewport.resize(WIDTH, HEIGHT)
    pane.viewport.rotate(rotation_about(np.array([0.5, 0.3, 1.0]), turn))
    pane.viewport.show(ct.geometry.centre_lps, 0.9)
    grid = pane.viewport.pixel_grid()
    shown = PaneRenderer(pane).base_values(WIDTH, HEIGHT)
    for volume, values, tolerance in (
        (ct, shown, 1.0),
        (pet, SliceSampler(volume=pet).sample(grid, WIDTH, HEIGHT), 1e-2),
    ):
        expected = resampled(volume, grid)
        inside = ~np.isnan(expected)
        assert inside.mean() > 0.9
        # VTK counts places between voxels in 1/16384 or less of a step; int16 rounds.
        assert np.abs(values[inside] - expected[inside]).max() <= tolerance
        assert np.ptp(expected[inside]) > 100 * tolerance
