"""The same slices by vtkImageResliceMapper: off screen, multisampling off, pixels read back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from carez_desktop.domain.volume import Volume


class ResliceMapper:
    """A render window with one or, for a curtain, two slices side by side."""

    def __init__(
        self, volume: Volume, normal: np.ndarray, size: tuple[int, int], *, slices: int = 1
    ) -> None:
        """Build the pipeline and render once.

        Args:
            volume: Along the axes of LPS, its first voxel at 0.
            normal: (3,) of the plane.
            size: (width, height) of the window.
            slices: Renderers beside each other, each with a mapper of its own.
        """
        import vtkmodules.vtkRenderingOpenGL2  # noqa: F401
        from vtkmodules.util.numpy_support import numpy_to_vtk
        from vtkmodules.vtkCommonCore import vtkUnsignedCharArray
        from vtkmodules.vtkCommonDataModel import vtkImageData, vtkPlane
        from vtkmodules.vtkRenderingCore import vtkRenderWindow

        step, down, across = volume.geometry.spacing_mm
        count, rows, columns = volume.geometry.shape
        image = vtkImageData()
        image.SetDimensions(columns, rows, count)
        image.SetSpacing(across, down, step)
        image.GetPointData().SetScalars(numpy_to_vtk(volume.array.reshape(-1), deep=0))
        self._middle = np.array([columns * across, rows * down, count * step]) / 2.0
        self._normal, self._size = normal, size
        self._plane = vtkPlane()
        self._plane.SetNormal(*normal)
        self.window = vtkRenderWindow()
        self.window.SetOffScreenRendering(1)
        self.window.SetMultiSamples(0)
        self.window.SetSize(*size)
        self._pixels = vtkUnsignedCharArray()
        self.properties = [self._add(image, place, slices) for place in range(slices)]
        self.scroll(0)

    def _add(self, image: object, place: int, slices: int):
        from vtkmodules.vtkRenderingCore import vtkImageSlice, vtkRenderer
        from vtkmodules.vtkRenderingImage import vtkImageResliceMapper

        mapper, actor, renderer = vtkImageResliceMapper(), vtkImageSlice(), vtkRenderer()
        mapper.SetInputData(image)
        mapper.SetSlicePlane(self._plane)
        actor.SetMapper(mapper)
        actor.GetProperty().SetColorWindow(400)
        actor.GetProperty().SetColorLevel(40)
        renderer.AddViewProp(actor)
        renderer.SetViewport(place / slices, 0.0, (place + 1) / slices, 1.0)
        self.window.AddRenderer(renderer)
        camera = renderer.GetActiveCamera()
        camera.ParallelProjectionOn()
        camera.SetFocalPoint(*self._middle)
        camera.SetPosition(*(self._middle + self._normal * 900))
        camera.SetParallelScale(float(self._middle[0]))
        camera.SetClippingRange(1, 3000)
        return actor.GetProperty()

    def scroll(self, frame: int) -> None:
        """Show a slice near the middle and read it back."""
        self._plane.SetOrigin(*(self._middle + self._normal * (frame - 20.0)))
        self.draw()

    def change_window(self, frame: int) -> None:
        """Change the window and read the picture back."""
        for part in self.properties:
            part.SetColorWindow(400 + frame)
        self.draw()

    def draw(self) -> None:
        """Render and read back."""
        self.window.Render()
        width, height = self._size
        self.window.GetPixelData(0, 0, width - 1, height - 1, 1, self._pixels, 0)

    def works(self) -> dict[str, Callable[[int], None]]:
        """Return what is timed, by name."""
        return {"scroll": self.scroll, "window": self.change_window}
