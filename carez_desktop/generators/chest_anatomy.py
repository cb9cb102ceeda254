"""A procedural chest in HU: ellipsoids, tubes and branching vessels, drawn by a seed.

Positions are millimetres in a frame of its own: x to the patient's left, y to posterior, z to
superior, the origin in the middle of the body. It has the densities and the rough layout of a
chest, enough to project, to segment and to count; it is no atlas.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Float32Array = npt.NDArray[np.float32]
MaskArray = npt.NDArray[np.float32]
Point = tuple[float, float, float]

AIR_HU = -1000.0
_FAT_HU, _MUSCLE_HU, _BLOOD_HU = -100.0, 52.0, 42.0
_LUNG_HU, _BONE_HU, _CORTEX_HU = -860.0, 190.0, 520.0


@dataclass(frozen=True, slots=True)
class ChestShape:
    """Sizes in mm that differ between patients.

    Attributes:
        half_width / half_depth: Of the body at its widest.
        fat: Thickness under the skin.
        lung_hu: Mean density of the lungs (emphysema lowers it, age a little).
    """

    half_width: float
    half_depth: float
    fat: float
    lung_hu: float = _LUNG_HU


@dataclass(frozen=True, slots=True)
class Nodule:
    """One nodule: centre (x, y, z) in mm, diameters in mm along x, y, z, density in HU."""

    centre: Point
    diameters: Point
    hu: float


@dataclass(frozen=True)
class Grid:
    """Voxel centres: (slice, row, column) axes at z, y and x in mm."""

    z: Float32Array
    y: Float32Array
    x: Float32Array

    @property
    def shape(self) -> tuple[int, int, int]:
        """(slices, rows, columns)."""
        return (len(self.z), len(self.y), len(self.x))

    @property
    def soft_mm(self) -> float:
        """Width over which edges go from full to none: a voxel's mean in-plane step."""
        return float(abs(self.y[1] - self.y[0]) + abs(self.x[1] - self.x[0])) / 2


def make_grid(shape: tuple[int, int, int], spacing_mm: tuple[float, float, float]) -> Grid:
    """Return a grid that is centred on the origin, slices upwards, rows to posterior."""
    z, y, x = (
        ((np.arange(n) - (n - 1) / 2) * step).astype(np.float32)
        for n, step in zip(shape, spacing_mm, strict=True)
    )
    return Grid(z, y, x)


def draw_chest(
    grid: Grid, shape: ChestShape, nodules: tuple[Nodule, ...], random: np.random.Generator
) -> tuple[Float32Array, npt.NDArray[np.uint8]]:
    """Return (slice, row, column) noiseless HU and the label map of the nodules (1)."""
    hu = np.full(grid.shape, AIR_HU, dtype=np.float32)
    width, depth = shape.half_width, shape.half_depth
    _blend(hu, _trunk(grid, width, depth), _FAT_HU)
    _blend(hu, _trunk(grid, width - shape.fat, depth - shape.fat), _MUSCLE_HU)
    lungs = _lungs(grid, shape)
    _draw_ribs(hu, grid, shape)
    _blend(hu, lungs, shape.lung_hu)
    hu += lungs * _lung_texture(grid, random)
    for start, side in ((0.30, 1.0), (0.30, -1.0)):
        hilum = (side * start * width, 0.05 * depth, 0.0)
        _draw_vessels(hu, grid, hilum, side, shape, lungs, random)
    _draw_mediastinum(hu, grid, shape)
    _draw_spine(hu, grid, shape)
    label = np.zeros(grid.shape, dtype=np.uint8)
    for nodule in nodules:
        radii = (nodule.diameters[0] / 2, nodule.diameters[1] / 2, nodule.diameters[2] / 2)
        mask = _ellipsoid(grid, nodule.centre, radii)
        _blend(hu, mask, nodule.hu)
        label[mask >= 0.5] = 1
    return hu, label


def place_nodules(
    grid: Grid, shape: ChestShape, count: int, random: np.random.Generator
) -> tuple[Nodule, ...]:
    """Draw nodules of 6 to 14 mm that lie wholly in the lungs and apart from each other.

    Four in five are solid (about 30 HU), the others part-solid (about -250 HU).
    """
    lungs = _lungs(grid, shape) > 0.99
    steps = [abs(float(axis[1] - axis[0])) for axis in (grid.z, grid.y, grid.x)]
    room = np.asarray(ndimage.distance_transform_edt(lungs, sampling=steps))
    edge = min(16.0, (float(grid.z[-1]) - float(grid.z[0])) / 4)
    inner = (np.abs(grid.z) < float(grid.z[-1]) - edge)[:, None, None]
    found: list[Nodule] = []
    for _ in range(200):
        if len(found) == count:
            break
        diameter = float(random.uniform(6.0, 14.0))
        stretch = [float(share) for share in random.uniform(0.85, 1.15, 3)]
        places = np.argwhere((room > 0.65 * diameter) & inner)
        if len(places) == 0:
            continue
        k, j, i = places[random.integers(len(places))]
        centre = (float(grid.x[i]), float(grid.y[j]), float(grid.z[k]))
        if any(math.dist(centre, other.centre) < 25.0 for other in found):
            continue
        hu = 30.0 if random.random() < 0.8 else -250.0
        diameters = (diameter * stretch[0], diameter * stretch[1], diameter * stretch[2])
        found.append(Nodule(centre, diameters, hu + float(random.normal(0.0, 15.0))))
    return tuple(found)


def _blend(hu: Float32Array, mask: MaskArray, value: float) -> None:
    """Let a part of soft edges stand in front of what is there."""
    hu += mask * (np.float32(value) - hu)


def _soft(excess_mm: npt.NDArray[np.floating[Any]], soft_mm: float) -> MaskArray:
    """Return 1 inside (negative excess) to 0 outside over one soft width."""
    return np.asarray(np.clip(0.5 - excess_mm / soft_mm, 0.0, 1.0), dtype=np.float32)


def _trunk(grid: Grid, width: float, depth: float) -> MaskArray:
    """Return a superelliptic cylinder, a little narrower upwards."""
    taper = (1.0 - 0.0006 * (grid.z - grid.z[0]))[:, None, None]
    x = np.abs(grid.x[None, None, :]) / (width * taper)
    y = np.abs(grid.y[None, :, None]) / (depth * taper)
    radius = (x**2.5 + y**2.5) ** np.float32(0.4)
    return _soft((radius - 1.0) * np.float32(min(width, depth)), grid.soft_mm)


def _ellipsoid(grid: Grid, centre: Point, radii: Point) -> MaskArray:
    """Return an ellipsoid; computed in its box only."""
    mask = np.zeros(grid.shape, dtype=np.float32)
    box = _box(grid, centre, max(radii) + 2 * grid.soft_mm)
    z, y, x = (axis[part] for axis, part in zip((grid.z, grid.y, grid.x), box, strict=True))
    radius = np.sqrt(
        ((x - centre[0]) / radii[0])[None, None, :] ** 2
        + ((y - centre[1]) / radii[1])[None, :, None] ** 2
        + ((z - centre[2]) / radii[2])[:, None, None] ** 2
    )
    mask[box] = _soft((radius - 1.0) * np.float32(min(radii)), grid.soft_mm)
    return mask


def _box(grid: Grid, centre: Point, reach: float) -> tuple[slice, slice, slice]:
    parts = []
    for axis, middle in zip((grid.z, grid.y, grid.x), centre[::-1], strict=True):
        start, stop = np.searchsorted(axis, [middle - reach, middle + reach])
        parts.append(slice(int(start), int(stop)))
    return (parts[0], parts[1], parts[2])


def _tube(
    grid: Grid, start: Point, end: Point, radius: float
) -> tuple[MaskArray, tuple[slice, ...]]:
    """Return a capsule between two points, in the box that holds it."""
    middle = (
        (start[0] + end[0]) / 2,
        (start[1] + end[1]) / 2,
        (start[2] + end[2]) / 2,
    )
    length = math.dist(start, end)
    box = _box(grid, middle, length / 2 + radius + 2 * grid.soft_mm)
    z, y, x = (axis[part] for axis, part in zip((grid.z, grid.y, grid.x), box, strict=True))
    axis = [(b - a) / max(length, 1e-6) for a, b in zip(start, end, strict=True)]
    dx = (x - start[0])[None, None, :]
    dy = (y - start[1])[None, :, None]
    dz = (z - start[2])[:, None, None]
    along = np.clip(dx * axis[0] + dy * axis[1] + dz * axis[2], 0.0, length)
    distance = np.sqrt(
        (dx - along * axis[0]) ** 2 + (dy - along * axis[1]) ** 2 + (dz - along * axis[2]) ** 2
    )
    return _soft((distance - np.float32(radius)).astype(np.float32), grid.soft_mm), box


def _draw_tube(
    hu: Float32Array, grid: Grid, start: Point, end: Point, radius: float, value: float
) -> None:
    mask, box = _tube(grid, start, end, radius)
    part = hu[box]
    part += mask * (np.float32(value) - part)


def _lungs(grid: Grid, shape: ChestShape) -> MaskArray:
    """Return both lungs; the right one is wider, since the heart lies to the left."""
    reach = 1.9 * float(grid.z[-1])
    width, depth = shape.half_width - shape.fat, shape.half_depth - shape.fat
    lift = 0.25 * float(grid.z[-1])
    right = _ellipsoid(
        grid, (-0.50 * width, 0.02 * depth, lift), (0.38 * width, 0.76 * depth, reach)
    )
    left = _ellipsoid(grid, (0.52 * width, 0.02 * depth, lift), (0.36 * width, 0.76 * depth, reach))
    return np.maximum(right, left)


def _lung_texture(grid: Grid, random: np.random.Generator) -> Float32Array:
    """Return smooth fluctuations (SD 18 HU) and a gradient of 40 HU towards the back."""
    white = random.standard_normal(grid.shape, dtype=np.float32)
    smooth = np.asarray(ndimage.gaussian_filter(white, (0.8, 1.2, 1.2)), dtype=np.float32)
    smooth *= np.float32(18.0 / float(smooth.std()))
    return smooth + (grid.y * np.float32(40.0 / 160.0))[None, :, None]


def _draw_ribs(hu: Float32Array, grid: Grid, shape: ChestShape) -> None:
    """Draw oblique rings around the lungs, 24 mm apart, lower in front."""
    width, depth = shape.half_width - shape.fat - 9.0, shape.half_depth - shape.fat - 9.0
    x = np.abs(grid.x[None, None, :]) / width
    y = np.abs(grid.y[None, :, None]) / depth
    shell = np.abs((x**2.5 + y**2.5) ** np.float32(0.4) - 1.0) * np.float32(min(width, depth)) - 3.5
    height = grid.z[:, None, None] - 0.35 * grid.y[None, :, None]
    ring = np.abs((height % 24.0) - 12.0) - 4.5
    _blend(hu, _soft(np.maximum(shell, ring).astype(np.float32), grid.soft_mm), _BONE_HU + 120.0)


def _draw_mediastinum(hu: Float32Array, grid: Grid, shape: ChestShape) -> None:
    """Draw heart, great vessels, sternum and the airways."""
    depth, top = shape.half_depth, float(grid.z[-1])
    low = -0.35 * top
    middle = _ellipsoid(grid, (0.0, 0.1 * depth, 0.0), (24.0, 0.55 * depth, 2.0 * top))
    _blend(hu, middle, 35.0)
    heart = _ellipsoid(grid, (20.0, -0.22 * depth, low), (50.0, 0.42 * depth, 0.95 * top))
    _blend(hu, heart, _BLOOD_HU)
    _draw_tube(hu, grid, (20.0, 0.42 * depth, -2 * top), (18.0, 0.40 * depth, 2 * top), 11.5, 45.0)
    _draw_tube(
        hu, grid, (-8.0, -0.2 * depth, 0.1 * top), (-6.0, -0.15 * depth, 2 * top), 14.0, 44.0
    )
    _draw_tube(
        hu, grid, (0.0, -0.80 * depth, -2 * top), (0.0, -0.76 * depth, 2 * top), 9.0, _BONE_HU
    )
    carina = (0.0, 0.12 * depth, 0.15 * top)
    _draw_tube(hu, grid, carina, (0.0, 0.08 * depth, 2 * top), 8.5, -980.0)
    for side in (1.0, -1.0):
        end = (side * 0.30 * shape.half_width, 0.08 * depth, -0.15 * top)
        _draw_tube(hu, grid, carina, end, 5.5, -960.0)


def _draw_spine(hu: Float32Array, grid: Grid, shape: ChestShape) -> None:
    """Draw vertebral bodies, 25 mm apart with discs between, their canal and spinous processes."""
    depth, top = shape.half_depth, float(grid.z[-1])
    y0 = 0.56 * depth
    x = grid.x[None, None, :] / 18.0
    y = (grid.y[None, :, None] - y0) / 15.0
    excess = (np.sqrt(x**2 + y**2) - 1.0) * np.float32(15.0) + np.zeros(grid.shape, np.float32)
    _blend(hu, _soft(excess, grid.soft_mm), _CORTEX_HU)
    _blend(hu, _soft(excess + 2.5, grid.soft_mm), _BONE_HU)
    disc = (np.abs((grid.z % 25.0) - 12.5) < 2.5).astype(np.float32)[:, None, None]
    _blend(hu, _soft(excess, grid.soft_mm) * disc, 80.0)
    arch = (0.0, y0 + 20.0, -2 * top), (0.0, y0 + 20.0, 2 * top)
    _draw_tube(hu, grid, *arch, 11.5, _BONE_HU + 60.0)
    _draw_tube(hu, grid, *arch, 7.5, 30.0)


def _draw_vessels(
    hu: Float32Array,
    grid: Grid,
    hilum: Point,
    side: float,
    shape: ChestShape,
    lungs: MaskArray,
    random: np.random.Generator,
) -> None:
    """Draw a tree of tubes that split in two from the hilum outwards, inside the lung only."""
    bounds = np.array([shape.half_width, shape.half_depth, 1.5 * float(grid.z[-1])])
    stems = [
        (np.array(hilum), np.array(direction) * np.array([side, 1.0, 1.0]), 4.2)
        for direction in ((0.6, -0.5, 0.6), (0.7, 0.5, 0.4), (0.6, 0.4, -0.7), (0.7, -0.5, -0.5))
    ]
    before = hu.copy()
    while stems:
        start, direction, radius = stems.pop()
        direction = direction / np.linalg.norm(direction)
        end = start + direction * float(random.uniform(14.0, 22.0))
        if radius < 0.9 or np.any(np.abs(end) > bounds):
            continue
        a = (float(start[0]), float(start[1]), float(start[2]))
        b = (float(end[0]), float(end[1]), float(end[2]))
        _draw_tube(hu, grid, a, b, radius, 35.0)
        for _ in range(2):
            turn = random.normal(0.0, 0.55, 3)
            stems.append((end, direction + turn, radius * float(random.uniform(0.66, 0.80))))
    outside = lungs < 0.5
    hu[outside] = before[outside]
