"""Layouts: into which panes the View page is cut."""

from __future__ import annotations

from dataclasses import dataclass

LARGEST_GRID = 5


@dataclass(frozen=True, slots=True)
class Cell:
    """Where a pane lies on the grid of a layout."""

    row: int
    column: int
    row_span: int = 1
    column_span: int = 1


@dataclass(frozen=True, slots=True)
class Layout:
    """Panes on a grid of equal rows and columns.

    Attributes:
        id: Stable name, also in hanging protocols (`2x2`, `1+2`, `grid 3x4`).
        title: Words for the menu.
        cells: One for each pane; a pane keeps what it shows by its place in this order.
    """

    id: str
    title: str
    rows: int
    columns: int
    cells: tuple[Cell, ...]


def grid_layout(rows: int, columns: int) -> Layout:
    """Return a free grid of equal panes, read row by row.

    Raises:
        ValueError: Less than one or more than five rows or columns.
    """
    if not (1 <= rows <= LARGEST_GRID and 1 <= columns <= LARGEST_GRID):
        raise ValueError(f"a grid has 1 to {LARGEST_GRID} rows and columns, got {rows} x {columns}")
    cells = tuple(Cell(row, column) for row in range(rows) for column in range(columns))
    return Layout(f"{rows}x{columns}", f"{rows} x {columns}", rows, columns, cells)


_ONE_AND_TWO = (Cell(0, 0, 2, 2), Cell(0, 2), Cell(1, 2))
_TWO_STUDIES = (
    *(Cell(0, 0, 2, 2), Cell(2, 0), Cell(2, 1)),
    *(Cell(0, 2, 2, 2), Cell(2, 2), Cell(2, 3)),
)

LAYOUTS: tuple[Layout, ...] = (
    grid_layout(1, 1),
    grid_layout(1, 2),
    Layout("1+2", "1 large, 2 small", 2, 3, _ONE_AND_TWO),
    grid_layout(2, 2),
    Layout("3|3", "3 beside 3, two volumes", 3, 4, _TWO_STUDIES),
    Layout("3/3", "3 over 3, two volumes", 2, 3, grid_layout(2, 3).cells),
)
"""Layouts of the menu; any other grid comes from `grid_layout`."""


def layout_of(name: str) -> Layout:
    """Return a layout by its id; `RxC` is a free grid.

    Raises:
        KeyError: There is none of this name.
    """
    for layout in LAYOUTS:
        if layout.id == name:
            return layout
    rows, mark, columns = name.partition("x")
    if mark and rows.isdigit() and columns.isdigit():
        try:
            return grid_layout(int(rows), int(columns))
        except ValueError as error:
            raise KeyError(name) from error
    raise KeyError(name)
