"""A viewport on slices that each lie where their header says, and on no common grid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.patient_space import FloatArray
from carez_desktop.workspace.plane_basis import acquired_plane
from carez_desktop.workspace.viewport import Viewport


class StackViewport(Viewport):
    """Show one slice after the other; every position comes from the slice that is shown.

    The picture stays in its place while slices change, as it does at the scanner, although tilted
    slices lie beside each other in the patient: positions, letters and crosshair tell.
    """

    def __init__(self, geometries: Sequence[VolumeGeometry]) -> None:
        """Show the middle slice.

        Args:
            geometries: Of each slice, shape (1, rows, columns), all of one orientation.
        """
        self._geometries = tuple(geometries)
        middle = len(self._geometries) // 2
        super().__init__(acquired_plane(geometries[middle]), geometries[middle])
        along = [float(g.centre_lps @ self.basis.forward) for g in self._geometries]
        self._sequence = [int(place) for place in np.argsort(along, kind="stable")]
        self._place = self._sequence.index(middle)

    @property
    def cursor_lps(self) -> FloatArray:
        """(3,) LPS mm on the slice that is shown."""
        return self._cursor

    @cursor_lps.setter
    def cursor_lps(self, point: npt.ArrayLike) -> None:
        wanted = np.asarray(point, dtype=np.float64)
        normal = self.basis.forward
        ahead = [float((wanted - g.centre_lps) @ normal) for g in self._geometries]
        nearest = min(range(len(ahead)), key=lambda index: abs(ahead[index]))
        self._show_slice(self._sequence.index(nearest), wanted - normal * ahead[nearest])

    @property
    def slice_count(self) -> int:
        """How many slices there are."""
        return len(self._geometries)

    @property
    def slice_number(self) -> int:
        """The slice shown, from 1, counted along `forward`."""
        return self._place + 1

    @property
    def array_index(self) -> int:
        """Which slice of the stack is shown, from 0 in the order of the stack."""
        return self._sequence[self._place]

    def go_to_slice(self, number: int) -> None:
        """Go to a slice counted from 0 along `forward`, at the same row and column."""
        place = min(max(number, 0), self.slice_count - 1)
        index = self.geometry.lps_to_index(self._cursor)
        there = self._geometries[self._sequence[place]]
        self._show_slice(place, there.index_to_lps([0.0, index[1], index[2]]))

    def _show_slice(self, place: int, cursor: FloatArray) -> None:
        is_same = place == self._place
        if is_same and np.allclose(cursor, self._cursor, rtol=0.0, atol=1e-6):
            return
        if not is_same:
            there = self._geometries[self._sequence[place]]
            self._centre = self._centre + there.centre_lps - self.geometry.centre_lps
            self.geometry, self._place = there, place
        self._cursor = cursor
        self.changed.emit()
