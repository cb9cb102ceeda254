"""The shell painted against importing what it uses."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.benchmark

ROUNDS = 5
REACH_START = 1.5

_IMPORTS = """
import time; start = time.perf_counter()
import PySide6.QtWidgets, psygnal, pydantic
import vtkmodules.vtkImagingCore, vtkmodules.vtkCommonDataModel, vtkmodules.util.numpy_support
print(time.perf_counter() - start)
"""
_SHELL = """
import sys, time; start = time.perf_counter()
from pathlib import Path
from carez_desktop.gui import application
app = application.qt_application()
window = application.build_window(application.open_context(Path(sys.argv[1])))
window.show(); window.show_page("library"); app.processEvents()
print(time.perf_counter() - start)
window.close()
"""


def _seconds(script: str, *arguments: str) -> float:
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    ran = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    return float(ran.stdout.split()[-1])


def test_shell_against_its_imports(tmp_path: Path, record_row: Callable[..., None]) -> None:
    home = str(tmp_path / "home")
    _seconds(_SHELL, home)
    imports, shell = [], []
    for _ in range(ROUNDS):
        imports.append(_seconds(_IMPORTS))
        shell.append(_seconds(_SHELL, home))
    record_row(
        "Workstation",
        "shell of the window painted",
        ours=f"{statistics.median(shell):.2f} s",
        against=f"importing what it uses: {statistics.median(imports):.2f} s",
        ratio=statistics.median(shell) / statistics.median(imports),
        reach=f"at most {REACH_START}",
    )
