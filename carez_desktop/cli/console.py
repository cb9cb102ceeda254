"""What the command line shows: the result on standard output, all else on standard error."""

from __future__ import annotations

import json
import re
import sys
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from carez_desktop.domain.codec import to_plain
from carez_desktop.progress import CancellationFlag, ProgressReporter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from carez_desktop.errors import CarezError
    from carez_desktop.workflows.context import WorkflowContext

_SURROGATES = re.compile("[\ud800-\udfff]")
_LEFT = re.compile(r", \d+ s left$")
_REPORT_SECONDS = 0.1
_LINE_SECONDS = 2.0
_SAID_ONE_BY_ONE = 5
_SAID_OF_MANY = 3


@dataclass
class CliState:
    """The global options of one call, its cancellation flag, and the home that it opened."""

    home: Path | None = None
    as_json: bool = False
    cancel: CancellationFlag = field(default_factory=CancellationFlag)
    opened: list[WorkflowContext] = field(default_factory=list)

    def open_context(self) -> WorkflowContext:
        """Open the site's home for the command; `close` closes it."""
        from carez_desktop.workflows.context import open_context

        context = open_context(self.home)
        self.opened.append(context)
        return context

    def close(self) -> None:
        """End children and connections now, not when memory happens to be cleared up."""
        while self.opened:
            self.opened.pop().close(library=True)

    def emit(self, document: Any, show: Callable[[], None]) -> None:
        """Print the JSON document, or call `show` to print text."""
        if self.as_json:
            text = json.dumps(to_plain(document), indent=2, ensure_ascii=False)
            if not text.isascii():
                # Names of files that are no UTF-8 come as lone surrogates: escaped, as JSON may.
                text = _SURROGATES.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
            sys.stdout.write(text + "\n")
            sys.stdout.flush()
        else:
            show()


def state_of(context: typer.Context) -> CliState:
    """Return the state that the top-level callback made."""
    state = context.find_root().obj
    if not isinstance(state, CliState):
        raise TypeError("the command line was entered without its callback")
    return state


def shown(text: str) -> str:
    """Return a text with `?` for control characters: headers of files may try to steer a terminal.

    Also for bytes of a file name that are no text. Line breaks and tabs stay.
    """
    return "".join(
        "?" if unicodedata.category(sign) in ("Cc", "Cs") and sign not in "\n\t" else sign
        for sign in text
    )


def say(text: str) -> None:
    """Print a line of the result on standard output."""
    sys.stdout.write(shown(text) + "\n")


def note(text: str) -> None:
    """Print a message on standard error."""
    sys.stderr.write(shown(text) + "\n")
    sys.stderr.flush()


def table(title: str, columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Print a table on standard output; a pipe gets its full width."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    built = Table(*columns, title=title, title_justify="left", box=None, pad_edge=False)
    for row in rows:
        # As Text: [brackets] in the description of a series are no markup.
        built.add_row(*(Text(shown(cell).replace("\n", " ")) for cell in row))
    width = None if sys.stdout.isatty() else 200
    Console(file=sys.stdout, width=width, highlight=False).print(built)


def duration_text(seconds: float) -> str:
    """Return `m:ss`, or `h:mm:ss` from an hour on."""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, remainder = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{remainder:02d}" if hours else f"{minutes}:{remainder:02d}"


def _without_left(message: str) -> str:
    """Drop the time left from a message of a part; here it is said for the whole."""
    return _LEFT.sub("", message)


class _LineProgress:
    """Progress as sparse lines, for logs and pipes."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._last = 0.0

    def report(self, fraction: float, message: str = "") -> None:
        now = time.monotonic()
        if now - self._last < _LINE_SECONDS and fraction < 1.0:
            return
        self._last = now
        elapsed = now - self._started
        left = (
            f", {duration_text(elapsed / fraction * (1 - fraction))} left" if fraction > 0 else ""
        )
        note(f"{fraction:4.0%} {_without_left(message)}{left}")


class _BarProgress:
    """Progress as a live bar with time left, for a terminal."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self.bar = Progress(
            TextColumn("{task.percentage:>3.0f} %"),
            BarColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn("left  {task.description}", markup=False),
            console=Console(stderr=True),
            transient=True,
        )
        self._row = self.bar.add_task("", total=1.0)
        self._last = 0.0

    def report(self, fraction: float, message: str = "") -> None:
        now = time.monotonic()
        if now - self._last < _REPORT_SECONDS and fraction < 1.0:
            return
        self._last = now
        self.bar.update(self._row, completed=fraction, description=_without_left(message))


@contextmanager
def progress_on_stderr() -> Iterator[ProgressReporter]:
    """Show progress on standard error: a bar on a terminal, lines elsewhere."""
    if not sys.stderr.isatty():
        yield _LineProgress()
        return
    shown = _BarProgress()
    with shown.bar:
        yield shown


def size_text(size_bytes: int) -> str:
    """Return a file's size in the unit that gives it a readable number."""
    size = float(size_bytes)
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


def error_document(error: CarezError) -> dict[str, str]:
    """Return an error as `--json` prints it."""
    return {
        "code": error.code,
        "what": error.what,
        "where": error.subject,
        "hint": error.hint,
    }


def show_error(what: str, where: str, hint: str) -> None:
    """Print an error on standard error: what happened, where, what to do next."""
    lines = [f"Error: {what}"]
    if where:
        lines.append(f"Where: {where}")
    if hint:
        lines.append(f"What to do: {hint}")
    note("\n".join(lines))


def show_findings(findings: Any) -> None:
    """Print findings as messages on standard error; of many of one kind the first few."""
    kinds = Counter((finding.severity, finding.code) for finding in findings)
    told: Counter[tuple[Any, str]] = Counter()
    for finding in findings:
        kind = (finding.severity, finding.code)
        told[kind] += 1
        if kinds[kind] <= _SAID_ONE_BY_ONE or told[kind] <= _SAID_OF_MANY:
            note(f"{finding.severity.value}: {finding.text} ({finding.subject})")
        elif told[kind] == kinds[kind]:
            more = kinds[kind] - _SAID_OF_MANY
            note(f"{finding.severity.value}: {more} more of this kind; --json lists all")
