"""The shell painted against importing what it uses; a pane against vtkImageResliceMapper."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.volume import Volume
from carez_desktop.rendering.display_values import grey_levels
from carez_desktop.rendering.slice_pipeline import SliceSampler
from carez_desktop.workspace.display_window import DisplayWindow
from carez_desktop.workspace.plane_basis import Plane
from carez_desktop.workspace.viewport import Viewport
from tests.builders.analytic_volumes import rotation

pytestmark = pytest.mark.benchmark

ROUNDS = 5
REACH_START = 1.5
SIZE = 1024
FRAMES = 40

_IMPORTS = """
import time; start = time.perf_counter()
import PySide6.QtWidgets, psygnal, pydantic
import vtkmodules.vtkImagingCore, vtkmodules.vtkCommonDataModel, vtkmodules.util.numpy_support
print(time.perf_counter() - start)
"""
_SHELL = """
import sys, time; start = time.perf_counter()
from pathlib import Path
from carez_desktop.gui import application
app = application.qt_application()
window = application.build_window(application.open_context(Path(sys.argv[1])))
window.show(); window.show_page("library"); app.processEvents()
print(time.perf_counter() - start)
window.close()
"""


def _seconds(script: str, *arguments: str) -> float:
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    ran = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    return float(ran.stdout.split()[-1])


def test_shell_against_its_imports(tmp_path: Path, record_row: Callable[..., None]) -> None:
    home = str(tmp_path / "home")
    _seconds(_SHELL, home)
    imports, shell = [], []
    for _ in range(ROUNDS):
        imports.append(_seconds(_IMPORTS))
        shell.append(_seconds(_SHELL, home))
    record_row(
        "Workstation",
        "shell of the window painted",
        ours=f"{statistics.median(shell):.2f} s",
        against=f"importing what it uses: {statistics.median(imports):.2f} s",
        ratio=statistics.median(shell) / statistics.median(imports),
        reach=f"at most {REACH_START}",
    )


def _volume() -> Volume:
    random = np.random.default_rng(1)
    array = random.integers(-1000, 1000, (200, 512, 512)).astype(np.int16)
    axes = np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]], dtype=float)
    geometry = VolumeGeometry.from_parts(array.shape, (2.0, 0.7, 0.7), (0, 0, 0), axes)
    return Volume("1", array, geometry, "CT", "HU")


def _ours(volume: Volume, turn: np.ndarray | None) -> float:
    sampler, viewport = SliceSampler(volume), Viewport(Plane.AXIAL, volume.geometry)
    viewport.resize(SIZE, SIZE)
    window = DisplayWindow(40, 400)
    start = time.perf_counter()
    for frame in range(FRAMES):
        viewport.go_to_slice(50 + frame)
        grid = viewport.pixel_grid()
        if turn is not None:
            centre = grid @ np.array([SIZE / 2, SIZE / 2, 0, 1])
            grid = grid.copy()
            grid[:3, :3] = turn @ grid[:3, :3]
            grid[:3, 3] = centre[:3] - grid[:3, :3] @ np.array([SIZE / 2, SIZE / 2, 0])
        grey_levels(sampler.sample(grid, SIZE, SIZE), window)
    return FRAMES / (time.perf_counter() - start)


def _mapper(volume: Volume, turn: np.ndarray | None) -> float:
    """The same slices by vtkImageResliceMapper off screen, pixels read back."""
    import vtkmodules.vtkRenderingOpenGL2  # noqa: F401
    from vtkmodules.util.numpy_support import numpy_to_vtk
    from vtkmodules.vtkCommonCore import vtkUnsignedCharArray
    from vtkmodules.vtkCommonDataModel import vtkImageData, vtkPlane
    from vtkmodules.vtkRenderingCore import vtkImageSlice, vtkRenderer, vtkRenderWindow
    from vtkmodules.vtkRenderingImage import vtkImageResliceMapper

    image = vtkImageData()
    image.SetDimensions(512, 512, 200)
    image.SetSpacing(0.7, 0.7, 2.0)
    image.GetPointData().SetScalars(numpy_to_vtk(volume.array.reshape(-1), deep=0))
    plane = vtkPlane()
    normal = np.array([0.0, 0.0, 1.0]) if turn is None else turn @ np.array([0.0, 0.0, 1.0])
    plane.SetNormal(*normal)
    mapper = vtkImageResliceMapper()
    mapper.SetInputData(image)
    mapper.SetSlicePlane(plane)
    actor, renderer, window = vtkImageSlice(), vtkRenderer(), vtkRenderWindow()
    actor.SetMapper(mapper)
    actor.GetProperty().SetColorWindow(400)
    actor.GetProperty().SetColorLevel(40)
    renderer.AddViewProp(actor)
    window.SetOffScreenRendering(1)
    window.SetMultiSamples(0)
    window.SetSize(SIZE, SIZE)
    window.AddRenderer(renderer)
    camera = renderer.GetActiveCamera()
    camera.ParallelProjectionOn()
    camera.SetFocalPoint(179, 179, 180)
    camera.SetPosition(*(np.array([179, 179, 180]) + normal * 500))
    camera.SetParallelScale(180)
    camera.SetClippingRange(1, 2000)
    pixels = vtkUnsignedCharArray()
    plane.SetOrigin(179, 179, 90)
    window.Render()
    start = time.perf_counter()
    for frame in range(FRAMES):
        plane.SetOrigin(179, 179, 100 + 2.0 * frame)
        window.Render()
        window.GetPixelData(0, 0, SIZE - 1, SIZE - 1, 1, pixels, 0)
    rate = FRAMES / (time.perf_counter() - start)
    window.Finalize()
    return rate


@pytest.mark.filterwarnings("ignore")
def test_pane_against_the_reslice_mapper(record_row: Callable[..., None]) -> None:
    volume = _volume()
    turn = rotation(np.array([1.0, 0.5, 0.0]), 25)
    for name, way, reach in (("axial", None, "at least 1"), ("oblique", turn, "at least 1.5")):
        ours, theirs = _ours(volume, way), _mapper(volume, way)
        record_row(
            "Workstation",
            f"pane of {SIZE} x {SIZE} while scrolling, {name}",
            ours=f"{ours:.0f} frames a second",
            against=f"vtkImageResliceMapper: {theirs:.0f}",
            ratio=ours / theirs,
            reach=reach,
        )
