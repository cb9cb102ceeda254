"""A viewport: which plane of the patient a pane shows, how large, and which way round."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from psygnal import Signal

from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.patient_space import FloatArray
from carez_desktop.workspace.plane_basis import (
    Plane,
    PlaneBasis,
    is_along_grid,
    plane_bases,
    rotated_basis,
)
from carez_desktop.workspace.slab import Slab

_MARGIN = 1.02
_SMALLEST_MM_PER_PIXEL = 0.005
_LARGEST_MM_PER_PIXEL = 20.0
_SAME_DIRECTION = 1.0 - 1e-12


class Viewport:
    """What one pane shows of the patient; every position in LPS mm.

    Attributes:
        plane: Which plane.
        geometry: Grid that gives the directions and the step of the planes.
        home_basis: The plane that `reset_plane` returns to.
    """

    changed: ClassVar[Signal] = Signal()

    def __init__(
        self, plane: Plane, geometry: VolumeGeometry, *, in_array_order: bool = False
    ) -> None:
        """Show the middle of the volume, on the voxel nearest to its centre.

        Args:
            plane: Which plane.
            geometry: Grid of what is shown.
            in_array_order: Count along the array, for the frames of a cine.
        """
        self.plane = plane
        self.geometry = geometry
        self.basis = plane_bases(geometry)[plane]
        if in_array_order and self.basis.forward_sign < 0:
            self.basis = replace(self.basis, forward=-self.basis.forward, forward_sign=1)
        self.home_basis = self.basis
        middle = (np.asarray(geometry.shape) - 1) // 2
        self._cursor: FloatArray = geometry.index_to_lps(middle)
        self._centre: FloatArray = geometry.centre_lps
        self._mm_per_pixel = 1.0
        self._size = (256, 256)
        self._flip_h = False
        self._flip_v = False
        self._turns = 0
        self._slab = Slab()
        self._is_oblique = False
        self._fitted = True
        self.fit()

    # -- state ---------------------------------------------------------------------------------

    @property
    def cursor_lps(self) -> FloatArray:
        """(3,) LPS mm; the plane shown goes through it."""
        return self._cursor

    @cursor_lps.setter
    def cursor_lps(self, point: npt.ArrayLike) -> None:
        new = np.asarray(point, dtype=np.float64)
        if not np.allclose(new, self._cursor, rtol=0.0, atol=1e-6):
            self._cursor = new
            self.changed.emit()

    @property
    def centre_lps(self) -> FloatArray:
        """(3,) LPS mm; its projection on the plane lies in the middle of the pane."""
        return self._centre

    @property
    def mm_per_pixel(self) -> float:
        """Millimetres of a logical pixel of the pane."""
        return self._mm_per_pixel

    @property
    def is_fitted(self) -> bool:
        """Whether the whole volume is fitted into the pane, also when the pane is resized."""
        return self._fitted

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the pane in logical pixels."""
        return self._size

    @property
    def flips(self) -> tuple[bool, bool]:
        """Whether the picture is mirrored (horizontally, vertically)."""
        return (self._flip_h, self._flip_v)

    @property
    def turns(self) -> int:
        """Quarter turns of the picture, clockwise: 0 to 3."""
        return self._turns

    @property
    def slab(self) -> Slab:
        """How thick the plane is, and how values through it are joined."""
        return self._slab

    @property
    def is_oblique(self) -> bool:
        """Whether the plane cuts across the slices of the grid."""
        return self._is_oblique

    @property
    def is_turned(self) -> bool:
        """Whether a person turned the plane away from where it began."""
        cosine = float(self.basis.forward @ self.home_basis.forward)
        return cosine < _SAME_DIRECTION or float(self.basis.right @ self.home_basis.right) < (
            _SAME_DIRECTION
        )

    @property
    def right(self) -> FloatArray:
        """(3,) unit vector towards the viewer's right, flips and turns included."""
        return self._screen_axes()[0]

    @property
    def down(self) -> FloatArray:
        """(3,) unit vector downwards on the screen, flips and turns included."""
        return self._screen_axes()[1]

    def _screen_axes(self) -> tuple[FloatArray, FloatArray]:
        right = -self.basis.right if self._flip_h else self.basis.right
        down = -self.basis.down if self._flip_v else self.basis.down
        for _ in range(self._turns):
            # What was above comes to the right.
            right, down = -down, right
        return right, down

    # -- changes -------------------------------------------------------------------------------

    def show(self, centre_lps: npt.ArrayLike, mm_per_pixel: float) -> None:
        """Put a point into the middle at a magnification."""
        centre = np.asarray(centre_lps, dtype=np.float64)
        scale = float(np.clip(mm_per_pixel, _SMALLEST_MM_PER_PIXEL, _LARGEST_MM_PER_PIXEL))
        if np.allclose(centre, self._centre, rtol=0.0, atol=1e-9) and scale == self._mm_per_pixel:
            return
        self._centre, self._mm_per_pixel, self._fitted = centre, scale, False
        self.changed.emit()

    def set_flips(self, horizontal: bool, vertical: bool) -> None:
        """Mirror the picture; the letters follow."""
        if (horizontal, vertical) != (self._flip_h, self._flip_v):
            self._flip_h, self._flip_v = horizontal, vertical
            self.changed.emit()

    def set_turns(self, turns: int) -> None:
        """Turn the picture clockwise by quarters; the letters follow."""
        if turns % 4 == self._turns:
            return
        self._turns = turns % 4
        if self._fitted:
            self.fit()
        else:
            self.changed.emit()

    def set_slab(self, slab: Slab) -> None:
        """Join the values of a thicker plane."""
        if slab != self._slab:
            self._slab = slab
            self.changed.emit()

    def set_basis(self, basis: PlaneBasis) -> None:
        """Look at another plane through the same cursor."""
        self.basis = basis
        self._is_oblique = not is_along_grid(basis, self.geometry)
        if self._fitted:
            self.fit()
        else:
            self.changed.emit()

    def rotate(self, rotation: FloatArray) -> None:
        """Turn the plane about the cursor by a (3, 3) rotation in LPS."""
        self.set_basis(rotated_basis(self.basis, rotation, self.geometry))

    def reset_plane(self) -> None:
        """Return to the plane that the viewport began with."""
        if self.is_turned:
            self.set_basis(self.home_basis)

    def look_along(self, basis: PlaneBasis) -> None:
        """Begin with the plane of another grid, in steps of this one (a registered volume)."""
        self.home_basis = rotated_basis(basis, np.eye(3), self.geometry)
        self.set_basis(self.home_basis)

    def show_one_to_one(self, pixel_ratio: float = 1.0) -> None:
        """Show a voxel of the plane (its finer spacing) on each device pixel.

        Args:
            pixel_ratio: Device pixels for each logical pixel (HiDPI).
        """
        steps = self.geometry.spacing_mm
        finest = min(step for axis, step in enumerate(steps) if axis != self.basis.grid_axis)
        self.show(self._centre, finest * pixel_ratio)

    def resize(self, width: int, height: int) -> None:
        """Take the size of the pane in logical pixels; a fitted view stays fitted."""
        size = (max(1, width), max(1, height))
        if size == self._size:
            return
        self._size = size
        if self._fitted:
            self.fit()
        else:
            self.changed.emit()

    def fit(self) -> None:
        """Show the whole volume."""
        corners = self.geometry.corners_lps - self.geometry.centre_lps
        half_voxel = np.asarray(self.geometry.spacing_mm) / 2.0
        reach = [
            float(np.abs(corners @ axis).max())
            + float(np.abs(self.geometry.direction_lps.T @ axis) @ half_voxel)
            for axis in self._screen_axes()
        ]
        scale = max(2.0 * reach[0] / self._size[0], 2.0 * reach[1] / self._size[1]) * _MARGIN
        self._centre = self.geometry.centre_lps
        self._mm_per_pixel = max(scale, _SMALLEST_MM_PER_PIXEL)
        self._fitted = True
        self.changed.emit()

    def pan(self, dx: float, dy: float) -> None:
        """Move the picture by logical pixels."""
        shift = (self.right * dx + self.down * dy) * self._mm_per_pixel
        self.show(self._centre - shift, self._mm_per_pixel)

    def zoom(self, factor: float, anchor: tuple[float, float] | None = None) -> None:
        """Magnify by a factor about a logical pixel (the middle without one)."""
        x, y = anchor if anchor is not None else (self._size[0] / 2.0, self._size[1] / 2.0)
        fixed = self.pixel_to_lps(x, y)
        scale = float(
            np.clip(self._mm_per_pixel / factor, _SMALLEST_MM_PER_PIXEL, _LARGEST_MM_PER_PIXEL)
        )
        offset = self.right * (x - self._size[0] / 2.0) + self.down * (y - self._size[1] / 2.0)
        self.show(fixed - offset * scale, scale)

    def scroll(self, steps: int) -> None:
        """Go to the slice that many steps onwards; stops at the ends."""
        self.go_to_slice(self.slice_number - 1 + steps)

    def go_to_slice(self, number: int) -> None:
        """Go to a slice counted from 0 along `forward`; the plane then meets the voxel centres."""
        bounded = min(max(number, 0), self.slice_count - 1)
        if self._is_oblique:
            ahead = (bounded + 1 - self.slice_number) * self.basis.step_mm
            self.cursor_lps = self._cursor + self.basis.forward * ahead
            return
        index = self.geometry.lps_to_index(self._cursor)
        axis = self.basis.grid_axis
        last = self.slice_count - 1
        index[axis] = bounded if self.basis.forward_sign > 0 else last - bounded
        self.cursor_lps = self.geometry.index_to_lps(index)

    # -- what follows from it ------------------------------------------------------------------

    @property
    def slice_count(self) -> int:
        """How many slices lie along this plane's normal; steps of an oblique one."""
        if self._is_oblique:
            near, far = self._reach_along_normal()
            return 1 + int((far - near) / self.basis.step_mm)
        return self.geometry.shape[self.basis.grid_axis]

    @property
    def slice_number(self) -> int:
        """The slice shown, from 1, counted along `forward`."""
        if self._is_oblique:
            near, _ = self._reach_along_normal()
            ahead = float(self._cursor @ self.basis.forward) - near
            return min(max(1 + round(ahead / self.basis.step_mm), 1), self.slice_count)
        index = self.array_index
        return 1 + (index if self.basis.forward_sign > 0 else self.slice_count - 1 - index)

    @property
    def array_index(self) -> int:
        """The slice shown, from 0, counted along the array axis that this plane steps through."""
        index = round(float(self.geometry.lps_to_index(self._cursor)[self.basis.grid_axis]))
        return min(max(index, 0), self.slice_count - 1)

    def _reach_along_normal(self) -> tuple[float, float]:
        """Nearest and farthest corner of the volume along `forward`, in mm."""
        along = self.geometry.corners_lps @ self.basis.forward
        return float(along.min()), float(along.max())

    @property
    def plane_centre_lps(self) -> FloatArray:
        """(3,) point of the shown plane in the middle of the pane."""
        normal = self.basis.forward
        return self._centre + normal * float((self._cursor - self._centre) @ normal)

    def pixel_to_lps(self, x: float, y: float) -> FloatArray:
        """Map a logical pixel (edges at 0 and width) to LPS mm on the shown plane."""
        across = (x - self._size[0] / 2.0) * self._mm_per_pixel
        downwards = (y - self._size[1] / 2.0) * self._mm_per_pixel
        return self.plane_centre_lps + self.right * across + self.down * downwards

    def lps_to_pixel(self, point_lps: npt.ArrayLike) -> tuple[float, float]:
        """Map LPS mm, projected on the plane, to a logical pixel."""
        offset = (np.asarray(point_lps, dtype=np.float64) - self._centre) / self._mm_per_pixel
        return (
            float(offset @ self.right) + self._size[0] / 2.0,
            float(offset @ self.down) + self._size[1] / 2.0,
        )

    def pixel_grid(self, pixel_ratio: float = 1.0) -> FloatArray:
        """(4, 4): homogeneous device pixel (column, row, 0) of its centre to LPS mm.

        Args:
            pixel_ratio: Device pixels for each logical pixel (HiDPI).
        """
        step = self._mm_per_pixel / pixel_ratio
        grid = np.eye(4)
        grid[:3, 0] = self.right * step
        grid[:3, 1] = self.down * step
        grid[:3, 2] = self.basis.forward
        grid[:3, 3] = self.pixel_to_lps(0.5 / pixel_ratio, 0.5 / pixel_ratio)
        return grid
