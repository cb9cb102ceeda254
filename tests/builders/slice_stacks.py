"""Slices at places of their own whose values are a function of the place in the patient."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.slice_stack import SliceStack
from carez_desktop.domain.volume import Volume

Field = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]


def stack_of(
    field: Field,
    origins_lps: Sequence[npt.ArrayLike],
    turn: npt.NDArray[np.float64],
    *,
    matrix: tuple[int, int] = (40, 48),
    pixel_mm: tuple[float, float] = (0.8, 0.6),
    dtype: str = "float32",
    padding: float | None = None,
) -> SliceStack:
    """Build slices: rows run along turn[:, 1], columns along turn[:, 0]; `field` of (..., 3) mm."""
    slices = []
    for origin in origins_lps:
        affine = np.eye(4)
        affine[:3, 0] = turn[:, 2]
        affine[:3, 1] = turn[:, 1] * pixel_mm[0]
        affine[:3, 2] = turn[:, 0] * pixel_mm[1]
        affine[:3, 3] = origin
        geometry = VolumeGeometry((1, *matrix), affine)
        values = field(places(geometry)).astype(dtype)
        slices.append(
            Volume(
                "1.2", values, geometry, "CT", "HU", padding_value=padding, attributes={"a": "b"}
            )
        )
    return SliceStack("1.2", tuple(slices), "Tilted on purpose")


def places(geometry: VolumeGeometry) -> npt.NDArray[np.float64]:
    """Return the (slices, rows, columns, 3) LPS mm of every voxel."""
    index = np.stack(np.meshgrid(*map(np.arange, geometry.shape), indexing="ij"), axis=-1)
    return np.asarray(geometry.index_to_lps(index))


def inside(stack: SliceStack, points: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Whether (..., 3) LPS points lie within the corners of every slice, seen along the normal."""
    seen = np.ones(points.shape[:-1], dtype=bool)
    for geometry in stack.geometries:
        index = geometry.lps_to_index(points)
        _, rows, columns = geometry.shape
        seen &= (index[..., 1] > -1e-6) & (index[..., 1] < rows - 1 + 1e-6)
        seen &= (index[..., 2] > -1e-6) & (index[..., 2] < columns - 1 + 1e-6)
    return seen
