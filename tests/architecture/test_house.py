"""The house stays livable: short files, no dumping grounds, nothing of this machine in the tree."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "carez_desktop").rglob("*.py"))


def test_no_file_is_over_500_lines() -> None:
    long = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in SOURCES}
    assert {name: lines for name, lines in long.items() if lines > 500} == {}


def test_no_dumping_ground_and_no_vague_class() -> None:
    names = {path.stem for path in SOURCES} | {path.parent.name for path in SOURCES}
    assert names.isdisjoint({"utils", "util", "helpers", "helper", "common", "misc"})
    vague = re.compile(r"^class \w*(Manager|Helper|Handler|Util|Utils|Info)\b", re.MULTILINE)
    assert [str(path) for path in SOURCES if vague.search(path.read_text())] == []


def test_no_image_data_and_no_big_file_is_tracked() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    files = [ROOT / name for name in listed if name and (ROOT / name).is_file()]
    assert [
        f.name for f in files if f.suffix in {".dcm", ".nii", ".nrrd", ".ima", ".npz", ".h5"}
    ] == []
    assert sum(f.stat().st_size for f in files) < 32 * 2**20


def test_no_module_imports_torch_or_onnxruntime_outside_their_rooms() -> None:
    importing = re.compile(r"^(import|from) (torch|onnxruntime)\b", re.MULTILINE)
    rooms = {
        path.relative_to(ROOT).parts[1] for path in SOURCES if importing.search(path.read_text())
    }
    assert rooms <= {"training", "inference"}
