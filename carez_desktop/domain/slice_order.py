"""The geometry of a pile of slices: their order, whether they are a regular grid, and their affine.

Order and spacing come from Image Position (Patient) projected on the normal of Image Orientation
(Patient), never from Slice Thickness, Slice Location or Instance Number (D. Clunie; PS3.3
C.7.6.2.1.1). Positions are LPS mm throughout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.patient_space import FloatArray
from carez_desktop.domain.study import InstanceHeader

EXACT_MM = 1e-3
"""Deviation from a regular grid that nobody needs to hear about; also the corner tolerance."""

REGULAR_MM = 0.02
"""Deviation from a regular grid that still counts as regular, with a finding."""

TILT_DEGREES = 0.05
"""Angle between step and normal from which a pile of slices counts as tilted."""

_NAMED_GAPS = 3


@dataclass(frozen=True, slots=True)
class SliceFit:
    """How well a pile of slices, in order, is a regular grid.

    Attributes:
        step_lps: (x, y, z) from one slice to the next in mm, to put into the affine.
        deviation_mm: Largest distance of a slice's position from that grid.
        tilt_degrees: Angle between the pile and the normal of its slices.
        refusal: Why it is no regular grid, in words with numbers; "" for one.
    """

    step_lps: tuple[float, float, float]
    deviation_mm: float
    tilt_degrees: float
    refusal: str = ""


def in_plane_directions(orientation: Sequence[float]) -> tuple[FloatArray, FloatArray]:
    """Return the unit directions along increasing column and along increasing row.

    Args:
        orientation: The six cosines of Image Orientation (Patient).

    Raises:
        ValueError: They are not two unit vectors at right angles (1e-2 and 1e-3).
    """
    along_column = np.asarray(orientation[:3], dtype=np.float64)
    along_row = np.asarray(orientation[3:], dtype=np.float64)
    lengths = (float(np.linalg.norm(along_column)), float(np.linalg.norm(along_row)))
    if any(abs(length - 1.0) > 1e-2 for length in lengths):
        raise ValueError(f"its directions are {lengths[0]:.3f} and {lengths[1]:.3f} long, not 1")
    along_column, along_row = along_column / lengths[0], along_row / lengths[1]
    cosine = float(along_column @ along_row)
    if abs(cosine) > 1e-3:
        angle = float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))
        raise ValueError(f"its rows and columns meet at {angle:.2f} degrees, not 90")
    return along_column, along_row


def slice_normal(orientation: Sequence[float]) -> FloatArray:
    """Return the (3,) unit normal: column direction x row direction, as DICOM stacks run."""
    along_column, along_row = in_plane_directions(orientation)
    normal = np.cross(along_column, along_row)
    return np.asarray(normal / np.linalg.norm(normal), dtype=np.float64)


def distances_along_normal(
    positions_lps: npt.ArrayLike, orientation: Sequence[float]
) -> FloatArray:
    """Project (n, 3) positions on the normal of the slices; (n,) in mm."""
    positions = np.asarray(positions_lps, dtype=np.float64).reshape(-1, 3)
    return np.asarray(positions @ slice_normal(orientation), dtype=np.float64)


def fit_slices(positions_lps: npt.ArrayLike, orientation: Sequence[float]) -> SliceFit:
    """Judge two slices or more, given in order along their normal, as a regular grid.

    The grid runs from the first to the last slice. A step that leaves the normal by less than
    0.05 degrees (cosines written with few digits) is kept as it is in the affine.

    Args:
        positions_lps: (n, 3), n >= 2, at distinct distances along the normal.
        orientation: The six cosines shared by the slices.
    """
    positions = np.asarray(positions_lps, dtype=np.float64)
    normal = slice_normal(orientation)
    count = len(positions)
    mean_step = (positions[-1] - positions[0]) / (count - 1)
    along = float(mean_step @ normal)
    straight = normal * along
    tilt = float(np.degrees(np.arctan2(np.linalg.norm(mean_step - straight), along)))
    off_straight = _largest_deviation(positions, straight)
    if off_straight <= REGULAR_MM:
        return SliceFit(_triple(straight), off_straight, tilt)
    off_slanted = _largest_deviation(positions, mean_step)
    if off_slanted <= REGULAR_MM and tilt <= TILT_DEGREES:
        return SliceFit(_triple(mean_step), off_slanted, tilt)
    reasons = []
    if tilt > TILT_DEGREES:
        reasons.append(_tilt_text(mean_step, tilt, along))
    uneven = _uneven_text(positions @ normal)
    if uneven:
        reasons.append(uneven)
    if not reasons:
        reasons.append(
            f"Slices are shifted sideways by up to {off_slanted:.2f} mm against a regular grid"
        )
    return SliceFit(_triple(mean_step), off_slanted, tilt, "; ".join(reasons))


def _triple(vector: FloatArray) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in vector)
    return (x, y, z)


def _largest_deviation(positions: FloatArray, step: FloatArray) -> float:
    grid = positions[0] + np.arange(len(positions))[:, None] * step[None, :]
    return float(np.linalg.norm(positions - grid, axis=1).max())


def _tilt_text(mean_step: FloatArray, tilt: float, along: float) -> str:
    table = float(np.linalg.norm(mean_step))
    return (
        f"Tilted by {tilt:.2f} degrees: slices are {table:.3f} mm apart along the table"
        f" but {along:.3f} mm along their normal"
    )


def _uneven_text(distances: FloatArray) -> str:
    """Describe gaps that differ; "" where they are even within the tolerance."""
    gaps = np.diff(distances)
    usual = float(np.median(gaps))
    odd = np.abs(gaps - usual) > REGULAR_MM
    drift = np.abs(distances - np.linspace(distances[0], distances[-1], len(distances))).max()
    if not odd.any() and drift <= REGULAR_MM:
        return ""
    text = (
        f"Uneven gaps between slices: {gaps.min():.3f} to {gaps.max():.3f} mm, usually"
        f" {usual:.3f} mm"
    )
    return text + _missing_text(distances, usual)


def _missing_text(distances: FloatArray, usual: float) -> str:
    """Name the slices that a pile lacks by their distance along the normal; "" where none is."""
    gaps = np.diff(distances)
    wide = [int(index) for index in np.flatnonzero(gaps > 1.5 * usual)] if usual > 0 else []
    lost = sum(round(float(gaps[index]) / usual) - 1 for index in wide)
    if not lost:
        return ""
    places = [
        f"after slice {index + 1}, between {distances[index]:.2f} and {distances[index + 1]:.2f} mm"
        for index in wide[:_NAMED_GAPS]
    ]
    more = f" and {len(wide) - _NAMED_GAPS} more gaps" if len(wide) > _NAMED_GAPS else ""
    verb = "slice is" if lost == 1 else "slices are"
    return f"; about {lost} {verb} missing: {', '.join(places)}{more} along the normal"


def stack_geometry(
    shape: tuple[int, int, int],
    origin_lps: Sequence[float],
    step_lps: Sequence[float],
    orientation: Sequence[float],
    pixel_spacing: tuple[float, float],
) -> VolumeGeometry:
    """Build the geometry of a pile of slices.

    Args:
        shape: (slices, rows, columns).
        origin_lps: Image Position (Patient) of the first slice, mm.
        step_lps: From one slice to the next, mm.
        orientation: The six cosines; the first three run along increasing column.
        pixel_spacing: (between rows, between columns) in mm, as DICOM orders them.
    """
    along_column, along_row = in_plane_directions(orientation)
    affine = np.eye(4)
    affine[:3, 0] = step_lps
    affine[:3, 1] = along_row * pixel_spacing[0]
    affine[:3, 2] = along_column * pixel_spacing[1]
    affine[:3, 3] = origin_lps
    return VolumeGeometry(shape, affine)


def flat_geometry(
    shape: tuple[int, int, int], pixel_spacing: tuple[float, float] | None
) -> VolumeGeometry:
    """Build the made-up geometry of an image without position: at the origin, axes as they come."""
    between_rows, between_columns = pixel_spacing or (1.0, 1.0)
    affine = np.zeros((4, 4))
    affine[2, 0] = affine[3, 3] = 1.0
    affine[1, 1] = between_rows
    affine[0, 2] = between_columns
    return VolumeGeometry(shape, affine)


def check_corners(headers: Sequence[InstanceHeader], geometry: VolumeGeometry) -> float:
    """Compare the four corners of each slice from its own header with the volume's affine.

    Tests order, spacing, direction and flips at once (3D Slicer does the same). Corner by
    PS3.3 C.7.6.2.1.1, equation C.7.6.2.1-1.

    Args:
        headers: In slice order; each with position, orientation and pixel spacing.
        geometry: Of the whole volume.

    Returns:
        The largest distance in mm; infinity where the counts differ or a header lacks its place.
    """
    slices, rows, columns = geometry.shape
    places = [
        (header.image_position_patient, header.image_orientation_patient, header.pixel_spacing)
        for header in headers
    ]
    if len(places) != slices or any(None in place for place in places):
        return float("inf")
    directions = {
        cosines: in_plane_directions(cosines) for _, cosines, _ in places if cosines is not None
    }
    positions = np.array([place[0] for place in places], dtype=np.float64)
    along = np.array([directions[c] for _, c, _ in places if c is not None])
    spacing = np.array([place[2] for place in places], dtype=np.float64)
    worst = 0.0
    for row in (0, rows - 1):
        for column in (0, columns - 1):
            own = positions + along[:, 1] * (spacing[:, :1] * row)
            own += along[:, 0] * (spacing[:, 1:] * column)
            grid = geometry.index_to_lps([(index, row, column) for index in range(slices)])
            worst = max(worst, float(np.linalg.norm(own - grid, axis=1).max()))
    return worst
