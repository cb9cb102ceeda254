"""One way to record figures: the run ends with tables in Markdown, also in CAREZ_BENCH_OUT.

A benchmark asks for `record_row` and calls it once for each figure. Ratios are what counts: they
are measured in one run on one machine, and say how many times faster ours is (or, where the reach
is an upper limit, how many times longer it takes).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

_COLUMNS = ("what", "ours", "against", "ratio", "reach", "note")


@dataclass(frozen=True)
class Row:
    """One figure; texts are ready to be read."""

    table: str
    what: str
    ours: str
    against: str
    ratio: str
    reach: str
    note: str


_ROWS = pytest.StashKey[list[Row]]()
RecordRow = Callable[..., None]


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_ROWS] = []


@pytest.fixture
def record_row(request: pytest.FixtureRequest) -> RecordRow:
    """Give `record_row(table, what, *, ours, against, ratio, reach, note)`."""
    rows = request.config.stash[_ROWS]

    def record(
        table: str,
        what: str,
        *,
        ours: str = "",
        against: str = "",
        ratio: float | None = None,
        reach: str = "",
        note: str = "",
    ) -> None:
        text = "" if ratio is None else f"{ratio:.2f}"
        rows.append(Row(table, what, ours, against, text, reach, note))

    return record


def markdown(rows: list[Row]) -> str:
    """Return a table in Markdown for each name of a table, in the order of their first rows."""
    parts = []
    for name in dict.fromkeys(row.table for row in rows):
        lines = [f"## {name}", "", _line(_COLUMNS), _line(("---",) * len(_COLUMNS))]
        lines += [
            _line([getattr(row, column) for column in _COLUMNS])
            for row in rows
            if row.table == name
        ]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _line(cells: Any) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def _machine() -> str:
    """Say on what the figures were measured."""
    from datetime import UTC, datetime

    from carez_desktop.system.environment import describe_environment

    facts = describe_environment()
    versions = ", ".join(f"{name} {version}" for name, version in facts["libraries"].items())
    loads = os.getloadavg() if hasattr(os, "getloadavg") else ()
    return (
        f"Measured {datetime.now(UTC):%Y-%m-%d} on {facts['cpu_model']}, {os.cpu_count()} cores, "
        f"{facts['os']} {facts['os_release']}, Python {facts['python']}; {versions}. "
        f"Load average at the end: {', '.join(f'{load:.1f}' for load in loads) or 'unknown'}."
    )


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    rows = config.stash.get(_ROWS, [])
    if not rows:
        return
    text = f"{_machine()}\n\n{markdown(rows)}"
    terminalreporter.write_line("")
    terminalreporter.write_line(text)
    target = os.environ.get("CAREZ_BENCH_OUT")
    if target:
        Path(target).write_text(f"# Benchmarks\n\n{text}", encoding="utf-8")
