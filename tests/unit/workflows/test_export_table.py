"""Numbers of a plot as CSV: read back by csv and equal, a name of its own for each."""

from __future__ import annotations

import csv
from pathlib import Path

from carez_desktop.workflows.context import open_context
from carez_desktop.workflows.export_table import export_table


def test_numbers_come_back_and_no_file_is_replaced(tmp_path: Path) -> None:
    context = open_context(tmp_path / "home")
    rows = [(0.0, 1.5e-9, float("nan")), (1.0, -1024.25, 3.0)]
    columns = ("distance mm", "First, CT HU", "Second SYNTHETIC CT HU")
    first = export_table(context, name="line_profile", columns=columns, rows=rows)
    second = export_table(context, name="line_profile", columns=columns, rows=rows)
    assert first != second
    assert first.name.startswith("line_profile-")
    with first.open(encoding="utf-8", newline="") as stream:
        read = list(csv.reader(stream))
    assert tuple(read[0]) == columns
    assert [float(cell) for cell in read[2]] == list(rows[1])
    assert read[1] == ["0", "1.5e-09", "nan"]
    context.close()
