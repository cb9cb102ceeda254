"""Group the images of a series by what one volume cannot mix: matrix, spacing, orientation."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from carez_desktop.domain.patient_space import FloatArray
from carez_desktop.domain.split_properties import is_localizer
from carez_desktop.domain.study import InstanceHeader

ORIENTATION_TOLERANCE = 1e-4
_CELL = 1e-3
_SAME_NORMAL_DEGREES = 0.005


@dataclass(frozen=True, slots=True)
class ShapeGroup:
    """Images of equal matrix, spacing and orientation.

    Attributes:
        headers: In reading order.
        reason: What differs from the other groups of the series; "" for the only one.
        turned: Whether another group has another orientation.
    """

    headers: tuple[InstanceHeader, ...]
    reason: str
    turned: bool


def reading_order(header: InstanceHeader) -> tuple[int, str, int]:
    """Order images as they come: Instance Number, file, frame."""
    return (header.instance_number or 0, header.path, header.frame_index)


def group_by_shape(headers: Sequence[InstanceHeader]) -> list[ShapeGroup]:
    """Group images with a place; groups in reading order of their first image."""
    groups: list[list[InstanceHeader]] = []
    leaders: dict[Hashable, list[tuple[FloatArray, list[InstanceHeader]]]] = {}
    known: dict[Hashable, list[InstanceHeader]] = {}
    for header in sorted(headers, key=reading_order):
        key = _shape_key(header)
        exact = (key, header.image_orientation_patient)
        members = known.get(exact)
        if members is None:
            members = _nearest_group(leaders, key, header)
            if members is None:
                members = []
                groups.append(members)
                cosines = np.asarray(header.image_orientation_patient, dtype=np.float64)
                cell = _cell(header)
                leaders.setdefault((key, cell), []).append((cosines, members))
            known[exact] = members
        members.append(header)
    return _with_reasons(groups)


def _cell(header: InstanceHeader) -> tuple[int, int]:
    first, *_, last = header.image_orientation_patient or (0.0, 0.0)
    return round(first / _CELL), round(last / _CELL)


def _nearest_group(
    leaders: dict[Hashable, list[tuple[FloatArray, list[InstanceHeader]]]],
    key: Hashable,
    header: InstanceHeader,
) -> list[InstanceHeader] | None:
    """Find a group whose orientation is equal within tolerance, looking at neighbours only."""
    cosines = np.asarray(header.image_orientation_patient, dtype=np.float64)
    first, last = _cell(header)
    for down in (-1, 0, 1):
        for across in (-1, 0, 1):
            for other, members in leaders.get((key, (first + down, last + across)), ()):
                if np.abs(other - cosines).max() <= ORIENTATION_TOLERANCE:
                    return members
    return None


def _shape_key(header: InstanceHeader) -> Hashable:
    return (
        header.rows,
        header.columns,
        _rounded_spacing(header),
        header.modality,
        header.attributes.get("samples_per_pixel"),
        is_localizer(header),
        header.frame_of_reference_uid,
    )


def _rounded_spacing(header: InstanceHeader) -> tuple[float, float] | None:
    spacing = header.pixel_spacing
    return None if spacing is None else (round(spacing[0], 4), round(spacing[1], 4))


def _with_reasons(groups: Sequence[list[InstanceHeader]]) -> list[ShapeGroup]:
    """Say for each group what differs between the groups."""
    if len(groups) < 2:
        return [ShapeGroup(tuple(group), "", turned=False) for group in groups]
    firsts = [group[0] for group in groups]
    matrix = len({(first.rows, first.columns) for first in firsts}) > 1
    spacing = len({_rounded_spacing(first) for first in firsts}) > 1 and not matrix
    frames = len({first.frame_of_reference_uid for first in firsts}) > 1
    modality = len({first.modality for first in firsts}) > 1
    scouts = len({is_localizer(first) for first in firsts}) > 1
    colour = len({first.attributes.get("samples_per_pixel") for first in firsts}) > 1
    turns = _orientations(firsts)
    made = []
    for number, (group, first) in enumerate(zip(groups, firsts, strict=True)):
        parts = []
        if matrix:
            parts.append(f"matrix {first.rows} x {first.columns}")
        if spacing:
            parts.append(_spacing_text(first))
        if turns[number]:
            parts.append(turns[number])
        if scouts:
            parts.append("localizer" if is_localizer(first) else "without the localizers")
        if modality:
            parts.append(f"modality {first.modality or 'not stated'}")
        if colour:
            samples = first.attributes.get("samples_per_pixel")
            parts.append("colour" if samples == 3.0 else "grey values")
        if frames:
            parts.append(f"a frame of reference of its own ({first.frame_of_reference_uid or '-'})")
        made.append(ShapeGroup(tuple(group), ", ".join(parts), turned=bool(turns[number])))
    return made


def _spacing_text(header: InstanceHeader) -> str:
    if header.pixel_spacing is None:
        return "no pixel spacing"
    return f"pixel spacing {header.pixel_spacing[0]:g} x {header.pixel_spacing[1]:g}"


def _orientations(firsts: Sequence[InstanceHeader]) -> list[str]:
    """Say how each group is turned against the first one; "" for all where none is."""
    cosines = np.array([first.image_orientation_patient for first in firsts], dtype=np.float64)
    differs = np.abs(cosines - cosines[0]).max(axis=1) > ORIENTATION_TOLERANCE
    if not differs.any():
        return [""] * len(firsts)
    normals = np.cross(cosines[:, :3], cosines[:, 3:])
    cosine = normals @ normals[0] / np.maximum(np.linalg.norm(normals, axis=1), 1e-9)
    cosine = np.clip(cosine / max(float(np.linalg.norm(normals[0])), 1e-9), -1.0, 1.0)
    texts = []
    for other, angle in zip(differs.tolist(), np.degrees(np.arccos(cosine)).tolist(), strict=True):
        if not other:
            texts.append("first orientation")
        elif angle < _SAME_NORMAL_DEGREES:
            texts.append("orientation rotated in its plane")
        else:
            texts.append(f"orientation turned by {angle:.2f} degrees against the first")
    return texts
