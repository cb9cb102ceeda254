"""Run `carez` in this process, and say what a person would read."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from carez_desktop.cli.app import run

CAREZ = [sys.executable, "-m", "carez_desktop"]
CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Outcome:
    """What one command line left on the screen."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on standard output; fails where anything else is there."""
        return json.loads(self.out)

    def refuses(self, code: int, *words: str) -> Outcome:
        """Check exit code, the three parts of a message, its words, and that no traceback shows."""
        said = self.out + self.err
        assert self.code == code, said
        assert "Traceback" not in said
        for part in ("Error: ", "Where: ", "What to do: ", *words):
            assert part in self.err, said
        return self

    def refuses_to_go_on(self) -> Outcome:
        """Check that it was stopped by a person: exit code 130 and no traceback."""
        assert self.code == 130, self.out + self.err
        assert "Traceback" not in self.out + self.err
        assert "Error: Cancelled" in self.err
        return self

    def does(self, *words: str) -> Outcome:
        """Check that it succeeded and that a person reads these words."""
        said = self.out + self.err
        assert self.code == 0, said
        assert "Traceback" not in said
        for part in words:
            assert part in said, said
        return self


class CommandLine:
    """`carez --home HOME` in this process."""

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.home = home
        self._capsys = capsys

    def __call__(self, *arguments: object, home: Path | None = None) -> Outcome:
        self._capsys.readouterr()
        code = run(["--home", str(home or self.home), *map(str, arguments)])
        shown = self._capsys.readouterr()
        return Outcome(code, shown.out, shown.err)


def start_process(home: Path, *arguments: object, before: tuple[str, ...] = ()) -> Any:
    """Start a real `carez` in a process group of its own."""
    return subprocess.Popen(
        [*before, *CAREZ, "--home", str(home), *map(str, arguments)],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
    )


def outcome_of(process: Any, seconds: float = 120) -> Outcome:
    """Wait for a real `carez`."""
    out, err = process.communicate(timeout=seconds)
    return Outcome(process.returncode, out, err)


def state_of_files(folder: Path) -> dict[str, str]:
    """Digest and time of change of every file below a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        + str(path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def names_below(folder: Path) -> list[str]:
    """Every name below a folder, hidden ones too."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
