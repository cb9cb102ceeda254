"""Take small cells out of a coverage matrix, and what would give them away by subtraction.

A cell of 1 to 10 volumes is hidden (primary suppression). Cells of one axis sum to a total, and
pairs of levels sum to their level; a hidden cell that is alone in such a sum, or hidden cells that
sum to 10 or less, could be computed back. So further cells are hidden, the smallest first, until no
sum tells (complementary suppression; Willenborg and de Waal, Elements of Statistical Disclosure
Control, 2001, chapter 4).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from carez_desktop.domain.codec import to_plain
from carez_desktop.domain.disclosure import SMALL_COUNT_LIMIT, SUPPRESSED, suppress_count

Key = tuple[tuple[str, str], ...]


def suppress_coverage(coverage: Any) -> dict[str, Any]:
    """Return a coverage matrix as plain data that tells no small count.

    Args:
        coverage: Record or plain data; each of its `cells` has `axes`, `strata` (one or two of
            each) and `before`; `after` beside a hidden `before` is hidden as well, since the
            number of synthetic cases is public.
    """
    plain: dict[str, Any] = dict(to_plain(coverage))
    cells = [cell for cell in plain.get("cells", ()) if _is_cell(cell)]
    counts = {_key(cell): int(cell["before"]) for cell in cells}
    hidden = hidden_cells(counts)
    plain["cells"] = [
        _shown(cell, counts, hidden) if _is_cell(cell) else cell for cell in plain.get("cells", ())
    ]
    return plain


def hidden_cells(counts: Mapping[Key, int]) -> frozenset[Key]:
    """Return the cells to hide.

    Args:
        counts: ((axis, level), ...) of one or two axes -> count.
    """
    hidden = {key for key, count in counts.items() if 1 <= count <= SMALL_COUNT_LIMIT}
    sums = _sums(counts)
    changed = True
    while changed:
        changed = False
        for total, members in sums:
            if total in hidden:
                continue
            more = _one_more(total, members, counts, hidden)
            if more is not None:
                hidden.add(more)
                changed = True
    return frozenset(hidden)


def _one_more(
    total: Key | None, members: list[Key], counts: Mapping[Key, int], hidden: set[Key]
) -> Key | None:
    """Return what to hide next so that a sum does not tell; None where it does not."""
    inside = [key for key in members if key in hidden]
    told = sum(counts[key] for key in inside)
    if not inside or (len(inside) > 1 and told > SMALL_COUNT_LIMIT):
        return None
    shown = [key for key in members if key not in hidden and counts[key] > 0]
    if shown:
        return min(shown, key=lambda key: (counts[key], key))
    return total if total in counts else None


def _sums(counts: Mapping[Key, int]) -> list[tuple[Key | None, list[Key]]]:
    """Return (total, cells that sum to it); the total of a whole axis is no cell: None.

    An axis that concerns only some volumes (dose, field strength) does not sum to the total, so
    nothing can be subtracted there.
    """
    sums: dict[tuple[Key | None, str], list[Key]] = defaultdict(list)
    for key in sorted(counts):
        if len(key) == 1:
            sums[None, key[0][0]].append(key)
            continue
        first, second = key
        sums[(first,), second[0]].append(key)
        sums[(second,), first[0]].append(key)
    counted = {parent: sum(counts[key] for key in members) for parent, members in sums.items()}
    everything = max((count for (total, _), count in counted.items() if total is None), default=0)
    return [
        (total, members)
        for (total, axis), members in sums.items()
        if counted[total, axis] == (everything if total is None else counts.get(total))
    ]


def _is_cell(cell: Any) -> bool:
    return (
        isinstance(cell, dict)
        and {"axes", "strata", "before"} <= cell.keys()
        and isinstance(cell["before"], int)
        and len(cell["axes"]) in (1, 2)
    )


def _key(cell: Mapping[str, Any]) -> Key:
    return tuple(sorted(zip(cell["axes"], cell["strata"], strict=True)))


def _shown(
    cell: Mapping[str, Any], counts: Mapping[Key, int], hidden: frozenset[Key]
) -> dict[str, Any]:
    made = dict(cell)
    key = _key(cell)
    if key in hidden:
        small = suppress_count(counts[key])
        made["before"] = small if isinstance(small, str) else SUPPRESSED
        if "after" in made:
            made["after"] = SUPPRESSED
    return made
