"""CSV files with outcomes, as spreadsheets write them, to a table of labels."""

from __future__ import annotations

import codecs
import csv
from pathlib import Path

from carez_desktop.domain.label_table import LabelTable, build_label_table
from carez_desktop.errors import InputError

_LARGEST_BYTES = 256 * 2**20
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_label_table(path: Path) -> LabelTable:
    """Read the labels of a CSV file with a header line.

    UTF-8 with or without a mark at its start, or UTF-16 with one ("Unicode text" of a spreadsheet);
    cells are separated by comma, semicolon or tab, whichever the header line has most of.

    Raises:
        InputError: Naming the file, and the line where one is wrong.
    """
    lines = _text_of(path).splitlines()
    header = lines[0] if lines else ""
    separator = max(",;\t", key=header.count)
    reader = csv.reader(lines, delimiter=separator)
    try:
        names = [name.strip() for name in next(reader, [])]
        rows = [_row(names, cells, f"{path.name}, line {reader.line_num}") for cells in reader]
    except csv.Error as error:
        raise InputError(
            f"The table of labels is no CSV: {error}",
            subject=f"{path.name}, line {reader.line_num}",
            hint="Save it anew as CSV",
        ) from error
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise InputError(
            f"Two columns are called {twice[0]}", subject=path.name, hint="Rename one of them"
        )
    return build_label_table(rows or [dict.fromkeys(names, "")], path.name)


def _row(names: list[str], cells: list[str], where: str) -> dict[str, str]:
    if any(cell.strip() for cell in cells[len(names) :]):
        raise InputError(
            f"The row has {len(cells)} cells and the header {len(names)}",
            subject=where,
            hint="Put cells that contain the separator in quotes",
        )
    filled = [*cells, *[""] * len(names)]
    return {name: cell for name, cell in zip(names, filled, strict=False) if name}


def _text_of(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise InputError(
                "The table of labels is too large", subject=str(path), hint="256 MiB at most"
            )
        raw = path.read_bytes()
        return raw.decode("utf-16" if raw.startswith(_WIDE) else "utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"The table of labels cannot be read: {error}",
            subject=str(path),
            hint="Give a CSV file in UTF-8 (a spreadsheet calls it CSV UTF-8)",
        ) from error
