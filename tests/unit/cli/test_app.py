"""The border of the command line: exit codes, JSON errors, no traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from carez_desktop.cli import app as cli_app
from carez_desktop.cli.app import run
from carez_desktop.cli.generation_commands import parse_settings
from carez_desktop.errors import UsageError


def test_an_unknown_command_is_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--json", "nonsense"]) == 2
    out = json.loads(capsys.readouterr().out)
    assert out["error"]["code"] == "usage"


def test_an_unexpected_error_gives_a_crash_report_without_values(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("Doe^Jane")

    monkeypatch.setattr(cli_app, "app", fail)
    monkeypatch.setenv("CAREZ_HOME", str(tmp_path))
    assert run([]) == 70
    shown = capsys.readouterr()
    report = next((tmp_path / "crash-reports").iterdir()).read_text()
    assert "RuntimeError" in report
    assert "Doe" not in report + shown.out + shown.err
    assert "Traceback" not in shown.err


def test_settings_pairs() -> None:
    assert parse_settings(["a=1", "b=x=y"]) == {"a": "1", "b": "x=y"}
    for wrong in (["a"], ["=1"], ["a=1", "a=2"]):
        with pytest.raises(UsageError):
            parse_settings(wrong)


def test_the_command_line_starts_without_heavy_libraries() -> None:
    heavy = {
        "torch",
        "onnxruntime",
        "vtkmodules",
        "PySide6",
        "scipy",
        "SimpleITK",
        "pydicom",
        "h5py",
        "matplotlib",
        "sklearn",
    }
    code = f"import sys, carez_desktop.__main__ as m; print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
