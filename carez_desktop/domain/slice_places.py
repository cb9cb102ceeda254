"""Where the images of a series lie against each other: in order, at one place, side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np

from carez_desktop.domain.shape_groups import reading_order
from carez_desktop.domain.slice_order import (
    REGULAR_MM,
    distances_along_normal,
    in_plane_directions,
)
from carez_desktop.domain.study import InstanceHeader

_SAME_PLACE_MM = 0.01
_SAME_STACK_MM = 0.5
_FARTHEST_MM = 1e6
_MOST_LACKING = 10


def has_place(header: InstanceHeader) -> bool:
    """Whether an image lies somewhere in the patient: one frame, position and orientation."""
    position, cosines = header.image_position_patient, header.image_orientation_patient
    return (
        header.number_of_frames == 1
        and position is not None
        and cosines is not None
        and all(abs(part) < _FARTHEST_MM for part in (*position, *cosines))
    )


def order_by_place(headers: Sequence[InstanceHeader]) -> tuple[list[InstanceHeader], list[int]]:
    """Sort along the normal; number the places, equal where images lie at the same one."""
    if len(headers) == 1:
        return list(headers), [0]
    positions = np.array([header.image_position_patient for header in headers], dtype=np.float64)
    cosines = headers[0].image_orientation_patient or ()
    try:
        distances = distances_along_normal(positions, cosines).tolist()
    except ValueError:  # no valid orientation: stacking refuses the pile in words
        distances = [float(number) for number in range(len(headers))]
    order = sorted(range(len(headers)), key=lambda i: (distances[i], reading_order(headers[i])))
    spacing = min(headers[0].pixel_spacing or (1.0, 1.0))
    tolerance = min(_SAME_PLACE_MM, 0.02 * spacing)
    places, place = [], 0
    for previous, current in zip([order[0], *order], order, strict=False):
        if distances[current] - distances[previous] > tolerance:
            place += 1
        places.append(place)
    pairs = sorted(
        zip(places, (headers[i] for i in order), strict=True),
        key=lambda pair: (pair[0], reading_order(pair[1])),
    )
    return [header for _, header in pairs], places


def stacks_side_by_side(
    headers: Sequence[InstanceHeader], places: Sequence[int]
) -> list[Hashable] | None:
    """Name the stack of each image where images at one distance lie beside each other.

    Returns:
        The in-plane position in steps of 0.5 mm for each image; None where images at one distance
        lie at one place, or where the pile is tilted.
    """
    cosines = headers[0].image_orientation_patient or ()
    try:
        along_column, along_row = in_plane_directions(cosines)
    except ValueError:
        return None
    positions = np.array([header.image_position_patient for header in headers], dtype=np.float64)
    beside = np.rint(np.column_stack([positions @ along_row, positions @ along_column]) * 2.0)
    keys: list[Hashable] = [tuple(pair) for pair in beside.tolist()]
    most = max(Counter(places).values())
    apart = np.ptp(positions @ along_row), np.ptp(positions @ along_column)
    count = len(set(keys))
    if max(apart) <= _SAME_STACK_MM or not 2 <= count <= most:
        return None
    at_one_place = Counter(zip(places, keys, strict=True))
    return keys if max(at_one_place.values()) < most else None


def place_cells(headers: Sequence[InstanceHeader]) -> list[tuple[int, ...]]:
    """Return the places of images in steps of 0.1 mm, twice, so that no rounding parts equals."""
    positions = np.array([header.image_position_patient for header in headers], dtype=np.float64)
    steps = np.rint(np.concatenate([positions * 10.0, positions * 10.0 + 0.5])).astype(np.int64)
    half = np.repeat([0, 1], len(positions))
    return [tuple(cell) for cell in np.column_stack([steps, half]).tolist()]


def lacks_slices(headers: Sequence[InstanceHeader]) -> bool:
    """Whether slices, in order, are a regular grid but for some that are not there.

    Every gap is the usual one or a few times it; a gap of more than ten is one between stations.
    """
    positions = np.array([header.image_position_patient for header in headers], dtype=np.float64)
    try:
        distances = distances_along_normal(positions, headers[0].image_orientation_patient or ())
    except ValueError:
        return False
    gaps = np.diff(distances)
    usual = float(np.median(gaps))
    if usual <= 0.0:
        return False
    times = gaps / usual
    off = np.abs(times - np.rint(times)) * usual
    return bool((off <= 2.0 * REGULAR_MM).all() and times.max() <= _MOST_LACKING)
