"""Pictures of the reports: PNG as data URIs, drawn without a window and without pyplot."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle

from carez_desktop.domain.evaluation import Measurement
from carez_desktop.reports.page import load_theme

_DPI = 110


def data_uri(figure: Figure) -> str:
    """Return a figure as `data:image/png;base64,...`; the PNG names no program or time."""
    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    figure.savefig(
        buffer,
        format="png",
        dpi=_DPI,
        facecolor=figure.get_facecolor(),
        metadata={"Software": None},
    )
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _figure(width: float, height: float) -> tuple[Figure, dict[str, str]]:
    colours: dict[str, str] = load_theme()["colours"]
    return (
        Figure(figsize=(width, height), facecolor=colours["panel"], layout="constrained"),
        colours,
    )


def _quiet(axes: Axes, colours: Mapping[str, str]) -> None:
    axes.set_facecolor(colours["panel"])
    for side in axes.spines.values():
        side.set_color(colours["line"])
    axes.tick_params(colors=colours["muted"], labelsize=9, length=0)


@dataclass(frozen=True, eq=False)
class SlicePair:
    """One axial slice of a source and of its synthetic case.

    Attributes:
        source / synthetic: (row, column), modality values, rows to posterior, columns to left.
        spacing_mm: (row, column).
        window: (centre, width).
        caption: Under the picture.
    """

    source: npt.NDArray[Any]
    synthetic: npt.NDArray[Any]
    spacing_mm: tuple[float, float]
    window: tuple[float, float]
    caption: str
    source_title: str = "Source"


def comparison_figure(pair: SlicePair) -> str:
    """Draw source, synthetic and their difference, each with the right aspect."""
    figure, colours = _figure(11.0, 3.9)
    centre, width = pair.window
    low, high = centre - width / 2.0, centre + width / 2.0
    difference = pair.synthetic.astype(np.float64) - pair.source.astype(np.float64)
    limit = max(1.0, float(np.percentile(np.abs(difference), 99)))
    aspect = pair.spacing_mm[0] / pair.spacing_mm[1]
    panels = figure.subplots(1, 3)
    for axes, image, title, colour in (
        (panels[0], pair.source, pair.source_title, colours["real"]),
        (panels[1], pair.synthetic, "SYNTHETIC, low dose", colours["synthetic"]),
    ):
        axes.imshow(image, cmap="gray", vmin=low, vmax=high, aspect=aspect, interpolation="nearest")
        axes.set_title(title, color=colour, fontsize=11, fontweight="bold")
    shown = panels[2].imshow(
        difference, cmap="RdBu_r", vmin=-limit, vmax=limit, aspect=aspect, interpolation="nearest"
    )
    panels[2].set_title("Synthetic minus source", color=colours["text"], fontsize=11)
    bar = figure.colorbar(shown, ax=panels[2], fraction=0.046, pad=0.02)
    bar.ax.tick_params(colors=colours["muted"], labelsize=9)
    bar.set_label("HU", color=colours["muted"])
    for axes in panels:
        axes.set_xticks([])
        axes.set_yticks([])
        axes.text(0.02, 0.5, "R", color=colours["text"], transform=axes.transAxes, fontsize=10)
        axes.text(
            0.98, 0.5, "L", color=colours["text"], transform=axes.transAxes, fontsize=10, ha="right"
        )
        for side in axes.spines.values():
            side.set_visible(False)
    return data_uri(figure)


@dataclass(frozen=True, slots=True)
class HeatTable:
    """Counts of volumes over two axes.

    Attributes:
        rows / columns: Level names.
        real / synthetic: [row][column] volumes; None for an impossible cell.
    """

    row_title: str
    column_title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    real: tuple[tuple[int | None, ...], ...]
    synthetic: tuple[tuple[int | None, ...], ...]


def coverage_figure(before: HeatTable, after: HeatTable) -> str:
    """Draw the counts before and after: empty cells hatched, the synthetic part as a diagonal."""
    figure, colours = _figure(11.0, 1.4 + 0.55 * len(before.rows))
    scale = LinearSegmentedColormap.from_list("magnitude", load_theme()["scales"]["magnitude"])
    most = max((count or 0) for row in before.real for count in row) or 1
    panels = figure.subplots(1, 2)
    for axes, table, title in ((panels[0], before, "Before"), (panels[1], after, "After")):
        _quiet(axes, colours)
        axes.set_title(title, color=colours["text"], fontsize=11)
        for row in range(len(table.rows)):
            for column in range(len(table.columns)):
                _draw_cell(axes, table, row, column, most, scale, colours)
        axes.set_xlim(-0.5, len(table.columns) - 0.5)
        axes.set_ylim(len(table.rows) - 0.5, -0.5)
        axes.set_xticks(range(len(table.columns)), table.columns)
        axes.set_yticks(range(len(table.rows)), table.rows)
        axes.set_xlabel(table.column_title, color=colours["muted"], fontsize=9)
        axes.set_ylabel(table.row_title, color=colours["muted"], fontsize=9)
        for side in axes.spines.values():
            side.set_visible(False)
    return data_uri(figure)


def _draw_cell(
    axes: Axes,
    table: HeatTable,
    row: int,
    column: int,
    most: int,
    scale: LinearSegmentedColormap,
    colours: Mapping[str, str],
) -> None:
    real, made = table.real[row][column], table.synthetic[row][column]
    if real is None or made is None:
        return
    left, top, size = column - 0.47, row - 0.45, (0.94, 0.9)
    if real:
        shade = scale(0.15 + 0.55 * real / most)  # stops short of yellow: amber means synthetic
        axes.add_patch(Rectangle((left, top), *size, facecolor=shade, edgecolor="none"))
    else:
        axes.add_patch(
            Rectangle(
                (left, top), *size, facecolor="none", edgecolor=colours["line"], hatch="///", lw=0
            )
        )
    if made:
        corners = [(left + size[0], top), (left + size[0], top + size[1]), (left, top + size[1])]
        axes.add_patch(Polygon(corners, facecolor=colours["synthetic"], edgecolor="none"))
    ink = colours["text"]
    if real and real / most > 0.8:
        ink = colours["canvas"]
    if made:
        axes.text(column - 0.22, row - 0.12, f"{real}", ha="center", va="center", color=ink)
        axes.text(
            column + 0.22,
            row + 0.18,
            f"+{made}",
            ha="center",
            va="center",
            color=colours["synthetic_text"],
            fontweight="bold",
        )
    else:
        axes.text(column, row, f"{real}", ha="center", va="center", color=ink)


def recall_figure(arms: Sequence[tuple[str, Measurement, bool]]) -> str:
    """Draw recall of each arm with its interval.

    Args:
        arms: (name, measurement, whether synthetic cases took part); without a value is left out.
    """
    figure, colours = _figure(7.0, 0.9 + 0.55 * len(arms))
    axes = figure.subplots()
    _quiet(axes, colours)
    shown = [(name, found, made) for name, found, made in arms if found.value is not None]
    for place, (_, found, made) in enumerate(shown):
        value = found.value or 0.0
        colour = colours["synthetic"] if made else colours["real"]
        axes.barh(place, value, height=0.6, color=colour)
        if found.interval:
            axes.plot(found.interval, (place, place), color=colours["text"], lw=1.6)
            for end in found.interval:
                axes.plot((end, end), (place - 0.12, place + 0.12), color=colours["text"], lw=1.6)
        axes.text(
            1.02,
            place,
            f"{value:.2f}  (n = {found.n})",
            color=colours["text"],
            va="center",
            fontsize=9,
        )
    axes.set_xlim(0.0, 1.0)
    axes.set_ylim(len(shown) - 0.5, -0.5)
    axes.set_yticks(range(len(shown)), [name for name, _, _ in shown])
    axes.set_xlabel("lesions found", color=colours["muted"], fontsize=9)
    return data_uri(figure)
