"""Cut the images of a series into piles that can be one volume each, and say why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from carez_desktop.domain.pile_pixels import is_cine, is_whole_slide
from carez_desktop.domain.shape_groups import ShapeGroup, group_by_shape, reading_order
from carez_desktop.domain.slice_order import fit_slices
from carez_desktop.domain.slice_places import (
    has_place,
    lacks_slices,
    order_by_place,
    place_cells,
    stacks_side_by_side,
)
from carez_desktop.domain.split_properties import (
    MOMENTS,
    PROPERTIES,
    STATIONS,
    SplitProperty,
    sort_key,
)
from carez_desktop.domain.study import InstanceHeader


@dataclass(frozen=True, slots=True)
class Pile:
    """Images that may be one volume, in slice order where they have positions.

    Attributes:
        reason: What told them apart from the rest of their series; "" for a whole series.
        set_number: Which ordered set of volumes at the same places (b-values, phases) of the
            series it belongs to, from 0; None where it stands alone.
        set_index: Its turn in that set, from 0.
        dropped: Images left out because they repeat a place.
        mixed: Contrasts that run from slice to slice of it, in words.
        crossing: How many slices of the series cross each other (turned against one another).
    """

    headers: tuple[InstanceHeader, ...]
    reason: str = ""
    set_number: int | None = None
    set_index: int = 0
    dropped: tuple[InstanceHeader, ...] = ()
    mixed: tuple[str, ...] = ()
    crossing: int = 0


def split_series(headers: Sequence[InstanceHeader]) -> tuple[Pile, ...]:
    """Cut the images of one series into piles.

    Matrix, pixel spacing, orientation (1e-4), frame of reference, colour and localizers always
    separate; so do contrasts (image component, b-value, echo, inversion, kernel, energy, stack)
    unless they run from slice to slice. Times, counters and directions separate only images at
    one place, or slices that are no grid together but one each by themselves. Images without a
    place and cines are piles of their own.
    """
    alone = [header for header in headers if not has_place(header)]
    groups = group_by_shape([header for header in headers if has_place(header)])
    crossing = _crossing(groups)
    piles: list[Pile] = []
    for group in groups:
        ordered, places = order_by_place(group.headers)
        for part in _in_sets(_split(ordered, places, PROPERTIES, group.reason), piles):
            among = crossing if len(part.headers) == 1 else 0
            piles.append(replace(part, crossing=among))
    several = len(piles) + len(alone) > 1
    for header in sorted(alone, key=reading_order):
        reason = f"{_alone_because(header)}: each image by itself" if several else ""
        piles.append(Pile((header,), reason))
    return tuple(piles)


def _alone_because(header: InstanceHeader) -> str:
    if is_whole_slide(header):
        return "levels of a whole-slide image"
    return "a series of moments" if is_cine(header) else "no position"


def _crossing(groups: Sequence[ShapeGroup]) -> int:
    """Count slices that each have an orientation of their own; 0 for up to two (scouts)."""
    single = sum(len(group.headers) == 1 and group.turned for group in groups)
    return single if single > 2 else 0


def _in_sets(parts: Sequence[Pile], before: Sequence[Pile]) -> list[Pile]:
    """Number the parts that lie at the same places as ordered sets, after the sets before."""
    if len(parts) < 2:
        return list(parts)
    cluster_of: dict[tuple[int, ...], int] = {}
    clusters: list[int] = []
    for number, part in enumerate(parts):
        cells = place_cells(part.headers)
        cluster = next((cluster_of[cell] for cell in cells if cell in cluster_of), number)
        clusters.append(cluster)
        for cell in cells:
            cluster_of.setdefault(cell, cluster)
    sizes = Counter(clusters)
    first = 1 + max((pile.set_number for pile in before if pile.set_number is not None), default=-1)
    numbers = {
        cluster: first + turn for turn, cluster in enumerate(c for c in sizes if sizes[c] > 1)
    }
    turns: Counter[int] = Counter()
    made = []
    for part, cluster in zip(parts, clusters, strict=True):
        made.append(
            replace(part, set_number=numbers.get(cluster), set_index=turns[cluster])
            if cluster in numbers
            else part
        )
        turns[cluster] += 1
    return made


def _split(
    headers: Sequence[InstanceHeader],
    places: Sequence[int],
    properties: Sequence[SplitProperty],
    reason: str,
    mixed: tuple[str, ...] = (),
) -> list[Pile]:
    """Tell apart images, in order, by the first property that does so, and go on with the parts."""
    if len(headers) == 1:
        return [Pile((headers[0],), reason, mixed=mixed)]
    repeats = max(Counter(places).values())
    lateral = stacks_side_by_side(headers, places) if repeats > 1 else None
    if lateral is not None:
        return _parts(headers, lateral, "stack beside others", properties, reason, mixed)
    for index, candidate in enumerate(properties):
        if repeats == 1 and not candidate.is_contrast:
            continue
        values = [candidate.value(header) for header in headers]
        count = len(set(values))
        if count < 2:
            continue
        if _tells_apart(count, len(headers), repeats):
            return _parts(headers, values, candidate, properties[index + 1 :], reason, mixed)
        if candidate.is_contrast and repeats == 1:
            mixed = (*mixed, _mixed_text(candidate, values))
    if repeats == 1:
        return _split_stations(headers, reason, mixed)
    return _split_by_rank(headers, places, repeats, reason, mixed)


def _tells_apart(distinct: int, images: int, repeats: int) -> bool:
    """Whether so many values cut images into volumes, not into slices.

    Where images lie at one place there are about as many values as images there. Where none does,
    each value needs at least two slices.
    """
    if repeats == 1:
        return 2 * distinct <= images
    return distinct <= max(2, 2 * repeats - 1)


def _mixed_text(candidate: SplitProperty, values: Iterable[Hashable]) -> str:
    ordered = sorted(set(values), key=sort_key)
    ends = " to ".join(candidate.shown(value) for value in (ordered[0], ordered[-1]))
    return f"{candidate.title} differs from slice to slice ({ends})"


def _parts(
    headers: Sequence[InstanceHeader],
    values: Sequence[Hashable],
    candidate: SplitProperty | str,
    rest: Sequence[SplitProperty],
    reason: str,
    mixed: tuple[str, ...],
) -> list[Pile]:
    """Group by value, in the order of the values, and split each group further."""
    groups: dict[Hashable, list[InstanceHeader]] = {}
    for header, value in zip(headers, values, strict=True):
        groups.setdefault(value, []).append(header)
    piles: list[Pile] = []
    for turn, value in enumerate(sorted(groups, key=sort_key)):
        if isinstance(candidate, str):
            own = f"{candidate}, {turn + 1} of {len(groups)}"
        else:
            own = f"{candidate.title} {candidate.shown(value)}"
        text = "; ".join(filter(None, (reason, own)))
        ordered, places = order_by_place(groups[value])
        piles.extend(_split(ordered, places, rest, text, mixed))
    return piles


def _split_stations(
    headers: Sequence[InstanceHeader], reason: str, mixed: tuple[str, ...]
) -> list[Pile]:
    """Part slices that are no grid together where each part is one: stations, two acquisitions.

    Slices that only lack others between them stay together: their gaps are multiples of the usual.
    """
    whole = Pile(tuple(headers), reason, mixed=mixed)
    if len(headers) < 4 or _is_grid(headers) or lacks_slices(headers):
        return [whole]
    for candidate in STATIONS:
        groups: dict[Hashable, list[InstanceHeader]] = {}
        for header in headers:
            groups.setdefault(candidate.value(header), []).append(header)
        if len(groups) < 2 or not all(_is_grid(group) for group in groups.values()):
            continue
        return [
            Pile(
                tuple(groups[value]),
                "; ".join(filter(None, (reason, f"{candidate.title} {candidate.shown(value)}"))),
                mixed=mixed,
            )
            for value in sorted(groups, key=sort_key)
        ]
    return [whole]


def _is_grid(headers: Sequence[InstanceHeader]) -> bool:
    """Whether slices, in order, are a regular grid of two slices or more."""
    if len(headers) < 2:
        return False
    positions = np.array([header.image_position_patient for header in headers], dtype=np.float64)
    try:
        return not fit_slices(positions, headers[0].image_orientation_patient or ()).refusal
    except ValueError:
        return True  # an invalid orientation is refused later, in words


def _split_by_rank(
    headers: Sequence[InstanceHeader],
    places: Sequence[int],
    repeats: int,
    reason: str,
    mixed: tuple[str, ...],
) -> list[Pile]:
    """Split by turn at each place if every place repeats alike; else keep the first of each."""
    by_place: dict[int, list[InstanceHeader]] = {}
    for header, place in zip(headers, places, strict=True):
        by_place.setdefault(place, []).append(header)
    if {len(group) for group in by_place.values()} == {repeats}:
        moment = _moment_of(list(by_place.values()))
        if moment is not None:
            for group in by_place.values():
                group.sort(key=lambda header: sort_key(moment.value(header)))
        title = "repeat" if moment is None else f"in order of {moment.title},"
        return [
            Pile(
                tuple(group[turn] for group in by_place.values()),
                "; ".join(filter(None, (reason, f"{title} {turn + 1} of {repeats} at each place"))),
                mixed=mixed,
            )
            for turn in range(repeats)
        ]
    kept = tuple(group[0] for group in by_place.values())
    dropped = tuple(header for group in by_place.values() for header in group[1:])
    return [Pile(kept, reason, dropped=dropped, mixed=mixed)]


def _moment_of(groups: Sequence[Sequence[InstanceHeader]]) -> SplitProperty | None:
    """Return the time whose values differ within each place; None where none does."""
    for candidate in MOMENTS:
        if all(
            None not in (values := {candidate.value(header) for header in group})
            and len(values) == len(group)
            for group in groups
        ):
            return candidate
    return None
