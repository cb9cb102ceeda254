"""What is shown of texts that came out of files of others."""

from __future__ import annotations

import pytest

from carez_desktop.cli.console import (
    duration_text,
    progress_on_stderr,
    say,
    show_findings,
    shown,
    size_text,
    table,
)
from carez_desktop.domain.finding import Finding, Severity


def test_brackets_are_text_and_not_markup(capsys: pytest.CaptureFixture[str]) -> None:
    table("", ("description",), [("T2 [FS] [/b] [red]x[/red]",)])
    assert "T2 [FS] [/b] [red]x[/red]" in capsys.readouterr().out


def test_control_characters_do_not_reach_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    table("", ("description",), [("a\x1b]0;title\x07b\x9b31m",)])
    say("a\x1b[2Jb\tc\nd")
    out = capsys.readouterr().out
    assert not {"\x1b", "\x07", "\x9b"} & set(out)
    assert "a?[2Jb\tc\nd\n" in out
    assert shown("Müller 日本") == "Müller 日本"


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (43153, "42 KiB"),
        (5 << 20, "5 MiB"),
        (3 << 30, "3.0 GiB"),
    ],
)
def test_sizes(size: int, text: str) -> None:
    assert size_text(size) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0:00"), (61, "1:01"), (3700, "1:01:40")])
def test_durations(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_many_findings_of_one_kind_are_told_by_the_first_few(
    capsys: pytest.CaptureFixture[str],
) -> None:
    many = [Finding(Severity.WARNING, "no_position", f"1.2.{k}", "No position") for k in range(9)]
    few = [Finding(Severity.ERROR, "tilt", f"2.{k}", "Tilted") for k in range(5)]
    show_findings([*many, *few])
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3 + 1 + 5
    assert lines[3] == "warning: 6 more of this kind; --json lists all"


def test_the_time_left_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_on_stderr() as progress:
        progress.report(0.5, "Slice 71 of 143, 2 s left")
        progress.report(1.0, "Slice 143 of 143")
    first = capsys.readouterr().err.splitlines()[0]
    assert first == " 50% Slice 71 of 143, 0:00 left"
