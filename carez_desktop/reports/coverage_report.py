"""The coverage matrix as an HTML page that needs nothing but a browser."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import log1p
from typing import Any

import jinja2

from carez_desktop.domain.coverage import UNKNOWN, CoverageAxis, CoverageCell, CoverageMatrix
from carez_desktop.system.paths import resource_path

GAPS_SHOWN = 40


@dataclass(frozen=True, slots=True)
class HeatCell:
    """One square of a heat map.

    Attributes:
        kind: `filled`, `empty` (possible, nobody there), `unknown` or `impossible`.
        background / ink: CSS colours of a filled square; "" for the others.
        synthetic_percent: Share of synthetic volumes among all volumes of the cell, 0 to 100.
    """

    kind: str
    patients: int = 0
    volumes: int = 0
    synthetic_volumes: int = 0
    background: str = ""
    ink: str = ""
    synthetic_percent: int = 0


@dataclass(frozen=True, slots=True)
class HeatMap:
    """A pair of axes: rows of squares under the levels of the second axis."""

    row_axis: CoverageAxis
    column_axis: CoverageAxis
    rows: tuple[tuple[str, tuple[HeatCell, ...]], ...]


def render_coverage_report(matrix: CoverageMatrix, *, title: str, created_utc: str) -> str:
    """Return the page; its counts are exact, so it is for people of this site.

    Args:
        matrix: What was counted.
        title: What it is the coverage of, for the head line.
        created_utc: When, as ISO 8601.
    """
    theme = tomllib.loads(resource_path("theme.toml").read_text(encoding="utf-8"))
    scale = theme["scales"]["magnitude"]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(resource_path("templates")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("coverage_report.html").render(
        title=title,
        created_utc=created_utc,
        matrix=matrix,
        colours=theme["colours"],
        sizes=theme["sizes"],
        axes=[(axis, _marginals(matrix, axis, scale)) for axis in matrix.axes],
        maps=heat_maps(matrix, scale),
        gaps=matrix.gaps[:GAPS_SHOWN],
        titles={axis.name: axis.title for axis in matrix.axes},
    )


def heat_maps(matrix: CoverageMatrix, scale: Sequence[str]) -> tuple[HeatMap, ...]:
    """Return a heat map for every pair of axes that can meet.

    Args:
        matrix: What was counted.
        scale: Colours (`#RRGGBB`) at equal steps from few to many patients, on a log scale.
    """
    cells = {(cell.axes, cell.strata): cell for cell in matrix.cells}
    maps = []
    for row_axis, column_axis in combinations(matrix.axes, 2):
        pair = (row_axis.name, column_axis.name)
        counts = [cell.patients for cell in matrix.cells if cell.axes == pair]
        if not counts:
            continue
        top = max(counts)
        rows = tuple(
            (
                level,
                tuple(
                    _square(cells.get((pair, (level, other))), top, scale)
                    for other in column_axis.levels
                ),
            )
            for level in row_axis.levels
        )
        maps.append(HeatMap(row_axis, column_axis, rows))
    return tuple(maps)


def _marginals(
    matrix: CoverageMatrix, axis: CoverageAxis, scale: Sequence[str]
) -> list[tuple[str, HeatCell, float]]:
    """Levels of one axis with their square and the length of their bar in percent."""
    found = [cell for cell in matrix.cells if cell.axes == (axis.name,)]
    top = max((cell.patients for cell in found), default=0)
    return [
        (cell.strata[0], _square(cell, top, scale), 100.0 * cell.patients / top if top else 0.0)
        for cell in found
    ]


def _square(cell: CoverageCell | None, top: int, scale: Sequence[str]) -> HeatCell:
    if cell is None:
        return HeatCell("impossible")
    counts: dict[str, Any] = {
        "patients": cell.patients,
        "volumes": cell.volumes,
        "synthetic_volumes": cell.synthetic_volumes,
    }
    everything = cell.volumes + cell.synthetic_volumes
    share = round(100 * cell.synthetic_volumes / everything) if everything else 0
    if not cell.patients:
        kind = "unknown" if UNKNOWN in cell.strata and not everything else "empty"
        return HeatCell(kind, **counts, synthetic_percent=share)
    place = log1p(cell.patients) / log1p(top) if top else 0.0
    background = scale[round(place * (len(scale) - 1))]
    return HeatCell(
        "filled", **counts, background=background, ink=_ink(background), synthetic_percent=share
    )


def _ink(background: str) -> str:
    """Black or white, whichever has more contrast (WCAG 2.1 relative luminance)."""
    channels = [int(background[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in channels
    ]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#000000" if luminance > 0.179 else "#FFFFFF"
