"""Sizes and spacings in words, in the order in which people read them: columns, rows, slices."""

from __future__ import annotations

TIMES = "\N{MULTIPLICATION SIGN}"


def size_text(shape: tuple[int, int, int]) -> str:
    """Write (slices, rows, columns) as `columns x rows x slices`."""
    slices, rows, columns = shape
    return f"{columns} {TIMES} {rows} {TIMES} {slices}"


def spacing_text(spacing_mm: tuple[float, float, float] | None) -> str:
    """Write (slice, row, column) spacing in the order of `size_text`; "" for none."""
    if spacing_mm is None:
        return ""
    step, row, column = spacing_mm
    return f"{column:.2f} {TIMES} {row:.2f} {TIMES} {step:.2f}"


def plane_size_text(shape: tuple[int, int, int]) -> str:
    """Write (slices, rows, columns) as `columns x rows`."""
    return f"{shape[2]} {TIMES} {shape[1]}"


def plane_spacing_text(spacing_mm: tuple[float, float, float]) -> str:
    """Write the (row, column) part of a spacing as `column x row`."""
    return f"{spacing_mm[2]:.2f} {TIMES} {spacing_mm[1]:.2f}"
