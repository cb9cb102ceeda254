"""Cut the instances of a series into piles that can be one volume each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from carez_desktop.domain.slice_order import distances_along_normal
from carez_desktop.domain.study import InstanceHeader

ORIENTATION_TOLERANCE = 1e-4
_SAME_PLACE_MM = 0.01


@dataclass(frozen=True, slots=True)
class Pile:
    """Instances that may be one volume, in slice order where they have positions.

    Attributes:
        reason: What told them apart from the rest of their series; "" for a whole series.
        in_set: Whether the piles of the series lie at the same places (b-values, phases).
        dropped: Instances left out because they repeat a place.
    """

    headers: tuple[InstanceHeader, ...]
    reason: str = ""
    in_set: bool = False
    dropped: tuple[InstanceHeader, ...] = ()


@dataclass(frozen=True, slots=True)
class _Property:
    """Something that tells repeated images at one place apart."""

    title: str
    value: Callable[[InstanceHeader], Hashable]


def _attribute(title: str, name: str) -> _Property:
    return _Property(title, lambda header: header.attributes.get(name))


_TELL_APART = (
    _Property("Image Type", lambda header: header.image_type),
    _attribute("b-value", "b_value"),
    _attribute("Echo Time", "echo_time"),
    _attribute("Temporal Position", "temporal_position_identifier"),
    _attribute("Trigger Time", "trigger_time"),
    _attribute("Acquisition Number", "acquisition_number"),
    _attribute("Acquisition Time", "acquisition_time"),
    _attribute("Content Time", "content_time"),
    _attribute("Convolution Kernel", "convolution_kernel"),
    _attribute("Sequence Name", "sequence_name"),
)


def split_series(headers: Sequence[InstanceHeader]) -> tuple[Pile, ...]:
    """Cut the instances of one series into piles.

    Orientation (1e-4), matrix and pixel spacing always separate. Image type, b-value, echo,
    temporal position and the like separate only where images lie at the same place. Multi-frame
    images and images without a place are piles of their own.
    """
    alone = [header for header in headers if not _has_place(header)]
    placed = [header for header in headers if _has_place(header)]
    groups = _group_by_shape(placed)
    texts = _shape_reasons(groups)
    piles: list[Pile] = []
    for group, text in zip(groups, texts, strict=True):
        parts = _split_repeats(group, _TELL_APART)
        for part in parts:
            reason = "; ".join(filter(None, (text, part.reason)))
            piles.append(Pile(part.headers, reason, part.in_set, part.dropped))
    several = len(piles) + len(alone) > 1
    for header in sorted(alone, key=_reading_order):
        what = "multi-frame" if header.number_of_frames > 1 else "no position"
        piles.append(Pile((header,), f"{what}: each image by itself" if several else ""))
    return tuple(piles)


def _has_place(header: InstanceHeader) -> bool:
    return (
        header.number_of_frames == 1
        and header.image_position_patient is not None
        and header.image_orientation_patient is not None
    )


def _reading_order(header: InstanceHeader) -> tuple[int, str]:
    return (header.instance_number or 0, header.path)


def _group_by_shape(headers: Sequence[InstanceHeader]) -> list[list[InstanceHeader]]:
    """Group by matrix, pixel spacing, modality and, within tolerance, orientation."""
    groups: list[tuple[Hashable, np.ndarray, list[InstanceHeader]]] = []
    for header in sorted(headers, key=_reading_order):
        key = _shape_key(header)
        cosines = np.asarray(header.image_orientation_patient)
        for other_key, other_cosines, members in groups:
            if key == other_key and np.allclose(
                cosines, other_cosines, rtol=0, atol=ORIENTATION_TOLERANCE
            ):
                members.append(header)
                break
        else:
            groups.append((key, cosines, [header]))
    return [members for _, _, members in groups]


def _shape_key(header: InstanceHeader) -> Hashable:
    spacing = header.pixel_spacing
    rounded = None if spacing is None else (round(spacing[0], 4), round(spacing[1], 4))
    samples = header.attributes.get("samples_per_pixel")
    return (header.rows, header.columns, rounded, header.modality, samples)


def _shape_reasons(groups: Sequence[Sequence[InstanceHeader]]) -> list[str]:
    """Say for each group what differs between the groups."""
    if len(groups) < 2:
        return [""] * len(groups)
    firsts = [group[0] for group in groups]
    mixed_matrix = len({(first.rows, first.columns) for first in firsts}) > 1
    mixed_spacing = len({first.pixel_spacing for first in firsts}) > 1 and not mixed_matrix
    mixed_orientation = _orientations_differ(firsts)
    texts = []
    for first in firsts:
        parts = []
        if mixed_matrix:
            parts.append(f"matrix {first.rows} x {first.columns}")
        if mixed_spacing and first.pixel_spacing is not None:
            parts.append(f"pixel spacing {first.pixel_spacing[0]:g} x {first.pixel_spacing[1]:g}")
        if mixed_orientation:
            parts.append("one of several orientations")
        texts.append(", ".join(parts) or f"{first.modality} among other modalities")
    return texts


def _orientations_differ(firsts: Sequence[InstanceHeader]) -> bool:
    cosines = np.array([first.image_orientation_patient for first in firsts], dtype=np.float64)
    return bool(np.abs(cosines - cosines[0]).max() > ORIENTATION_TOLERANCE)


def _split_repeats(
    headers: Sequence[InstanceHeader], properties: Sequence[_Property], reason: str = ""
) -> list[Pile]:
    """Tell apart images at the same place by the first properties that do so."""
    ordered, places = _order(headers)
    repeats = max(Counter(places).values())
    if repeats == 1:
        return [Pile(tuple(ordered), reason, in_set=bool(reason))]
    for index, candidate in enumerate(properties):
        values = [candidate.value(header) for header in ordered]
        distinct = list(dict.fromkeys(values))
        if not 2 <= len(distinct) <= max(2, 2 * repeats - 1):
            continue
        rest = properties[index + 1 :]
        piles: list[Pile] = []
        for value in sorted(distinct, key=_sort_key):
            part = [h for h, own in zip(ordered, values, strict=True) if own == value]
            text = "; ".join(filter(None, (reason, f"{candidate.title} {_shown(value)}")))
            piles.extend(_split_repeats(part, rest, text))
        return piles
    return _split_by_rank(ordered, places, repeats, reason)


def _order(headers: Sequence[InstanceHeader]) -> tuple[list[InstanceHeader], list[int]]:
    """Sort along the normal; number the places, equal where images lie at the same one."""
    positions = np.array([header.image_position_patient for header in headers], dtype=np.float64)
    cosines = headers[0].image_orientation_patient or ()
    try:
        distances = distances_along_normal(positions, cosines)
    except ValueError:  # no valid orientation: stacking refuses the pile in words
        distances = np.arange(len(headers), dtype=np.float64)
    order = sorted(
        range(len(headers)), key=lambda i: (float(distances[i]), _reading_order(headers[i]))
    )
    spacing = min(headers[0].pixel_spacing or (1.0, 1.0))
    tolerance = min(_SAME_PLACE_MM, 0.02 * spacing)
    places, place = [], 0
    for previous, current in zip([order[0], *order], order, strict=False):
        if distances[current] - distances[previous] > tolerance:
            place += 1
        places.append(place)
    ordered = [headers[i] for i in order]
    return _by_place_then_number(ordered, places), places


def _by_place_then_number(
    ordered: Sequence[InstanceHeader], places: Sequence[int]
) -> list[InstanceHeader]:
    """Within one place order by Instance Number, whatever the last digits of the positions say."""
    pairs = sorted(
        zip(places, ordered, strict=True), key=lambda pair: (pair[0], _reading_order(pair[1]))
    )
    return [header for _, header in pairs]


def _split_by_rank(
    ordered: Sequence[InstanceHeader], places: Sequence[int], repeats: int, reason: str
) -> list[Pile]:
    """Split by turn at each place if every place repeats alike; else keep the first of each."""
    ranks: list[int] = []
    for index, place in enumerate(places):
        ranks.append(ranks[-1] + 1 if index and places[index - 1] == place else 0)
    if set(Counter(places).values()) == {repeats}:
        return [
            Pile(
                tuple(h for h, rank in zip(ordered, ranks, strict=True) if rank == turn),
                "; ".join(filter(None, (reason, f"repeat {turn + 1} of {repeats} at each place"))),
                in_set=True,
            )
            for turn in range(repeats)
        ]
    kept = tuple(h for h, rank in zip(ordered, ranks, strict=True) if rank == 0)
    dropped = tuple(h for h, rank in zip(ordered, ranks, strict=True) if rank > 0)
    return [Pile(kept, reason, in_set=bool(reason), dropped=dropped)]


def _sort_key(value: Hashable) -> tuple[bool, float, str]:
    if isinstance(value, int | float):
        return (False, float(value), "")
    return (value is not None, 0.0, str(value))


def _shown(value: Hashable) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple):
        return "\\".join(str(part) for part in value)
    return "not stated" if value is None else str(value)
