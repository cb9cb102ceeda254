"""The wheel holds what the program reads at run time, and finds it where it lies."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
DATA = "carez_desktop/_data"

LOOK = """
import json
import carez_desktop
from carez_desktop.system.paths import data_root, models_root, resource_path
print(json.dumps({
    "package": carez_desktop.__file__,
    "data": str(data_root()),
    "plan": resource_path("plans/default.toml").read_text(encoding="utf-8")[:1],
    "models": sorted(path.name for path in models_root().iterdir()),
}))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=CHECKOUT,
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def unpacked(wheel: Path) -> Path:
    target = wheel.parent / "unpacked"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    return target


def tracked_below(folder: str) -> set[str]:
    done = subprocess.run(
        ["git", "ls-files", folder], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip("not a git checkout")
    return {name for name in done.stdout.splitlines() if (CHECKOUT / name).is_file()}


def run_unpacked(unpacked: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=unpacked.parent,
        env={**os.environ, "PYTHONPATH": str(unpacked)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("folder", ["resources", "models"])
def test_every_tracked_file_is_in_the_wheel(wheel: Path, folder: str) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name: archive.getinfo(name).file_size for name in archive.namelist()}
    tracked = tracked_below(folder)
    assert tracked
    for name in tracked:
        size = held.get(f"{DATA}/{name}")
        assert size == (CHECKOUT / name).stat().st_size, name


def test_the_wheel_holds_the_whole_package_and_nothing_beside_it(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    assert tracked_below("carez_desktop") <= held
    tops = {name.partition("/")[0] for name in held}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"carez_desktop"}
    assert not [name for name in held if name.endswith((".pyc", ".part", ".h5"))]


def test_paths_finds_resources_and_models_in_the_wheel(unpacked: Path) -> None:
    found = json.loads(run_unpacked(unpacked, "-c", LOOK))
    assert Path(found["package"]).is_relative_to(unpacked)
    assert Path(found["data"]) == unpacked / DATA
    assert found["plan"]
    assert "low-dose-ct" in found["models"]


def test_the_command_line_of_the_wheel_verifies_its_packages(
    unpacked: Path, tmp_path: Path
) -> None:
    home = str(tmp_path / "home")
    text = run_unpacked(unpacked, "-m", "carez_desktop", "--home", home, "models", "verify")
    assert "valid: low-dose-ct" in text
