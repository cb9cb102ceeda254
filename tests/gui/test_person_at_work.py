"""A person's work with real mouse and key events on a virtual screen, asserted on what is shown."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.builders.moved_patients import MOVE, PATIENT, SECOND_HIGHER_BY, write_moved_pair

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ("xvfb-run", "xdotool")
MISSING = [tool for tool in TOOLS if shutil.which(tool) is None]

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not on this machine: {MISSING}")


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the person saw in one sitting."""
    folder = tmp_path_factory.mktemp("person")
    write_moved_pair(folder / "studies")
    out = folder / "seen.json"
    screen = ["xvfb-run", "-a", "-s", "-screen 0 1920x1200x24"]
    script = [sys.executable, "-X", "faulthandler", "-m", "tests.builders.person_session"]
    ran = subprocess.run(
        [*screen, *script, str(folder / "home"), str(folder / "studies"), str(out)],
        cwd=ROOT,
        env={**os.environ, "QT_QPA_PLATFORM": "xcb", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    found: dict[str, Any] = json.loads(out.read_text())
    return found


def test_the_events_went_through_x(seen: dict[str, Any]) -> None:
    assert seen["platform"] == "xcb"


def test_scans_of_two_frames_scroll_apart_until_they_are_registered(seen: dict[str, Any]) -> None:
    assert seen["apart_moved_mm"] == 0.0
    assert seen["linked_apart_mm"] < 1e-6


def test_the_registration_finds_the_movement(seen: dict[str, Any]) -> None:
    assert seen["alignment"] is not None
    found = np.array(seen["alignment"])
    corners = np.array([[x, y, z, 1.0] for x in (-40, 40) for y in (-50, 50) for z in (-40, 40)])
    error = np.linalg.norm((corners @ (found - MOVE).T)[:, :3], axis=1)
    # Half of the finest voxel spacing.
    assert error.max() < 1.0


def test_the_curtain_is_drawn_with_the_mouse_and_covers_one_side(seen: dict[str, Any]) -> None:
    assert seen["curtain"] == pytest.approx(0.25, abs=0.02)
    assert seen["changed_before"] < 0.01
    assert seen["changed_behind"] > 0.2


def test_the_difference_reads_as_what_was_added(seen: dict[str, Any]) -> None:
    assert seen["difference_limit"] == 100.0
    red, _, blue = seen["difference_colour"]
    # First minus second: the second one is higher, so the first shows less: blue.
    assert blue > red + 10
    assert "First minus second (HU)" in seen["difference_numbers"]
    mean = next(x for x in seen["difference_numbers"].splitlines() if x.startswith("Mean"))
    values = [float(word.replace("\u2212", "-")) for word in mean.split("\t")[1:]]
    # Air around the head is the same in both.
    assert all(-SECOND_HIGHER_BY < value < -2.0 for value in values)


def test_the_picture_shows_the_difference_and_no_name(seen: dict[str, Any]) -> None:
    if not seen["saved"]:
        pytest.skip("the command export_picture is not there")
    (path,) = seen["saved"]
    assert "doe" not in path.lower()
    raw = Path(path).read_bytes()
    assert PATIENT.encode() not in raw
    assert b"4711" not in raw
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    assert (pixels[:, :, 2] - pixels[:, :, 0]).max() > 60
