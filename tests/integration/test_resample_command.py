"""`carez volume --resample`: tilted slices are never put on a grid unasked."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - its own convention

from carez_desktop.imaging.resampling import resample_stack
from carez_desktop.imaging.sitk_bridge import array_of, geometry_of
from tests.builders.command_line import CommandLine
from tests.builders.dicom_series import GRADIENT, SeriesPlan, build_series, rotation
from tests.builders.slice_stacks import places, stack_of

TURN = rotation(15, -20, 30)
PLAN = SeriesPlan((9, 24, 20), (2.0, 0.9, 0.7), TURN, tilt_mm=0.6, series_uid="1.7")


@pytest.fixture
def carez(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    build_series(tmp_path / "study", PLAN)
    command = CommandLine(tmp_path / "home", capsys)
    command("import", tmp_path / "study").does()
    return command


def test_a_tilted_series_is_written_when_asked_only(carez: CommandLine, tmp_path: Path) -> None:
    out = tmp_path / "grid.nrrd"
    carez("volume", "1.7", "--out", out).refuses(3, "Tilted by 16.70 degrees", "--resample")
    assert not out.exists()
    facts = carez("--json", "volume", "1.7", "--out", out, "--resample").document
    assert facts["resampled"] is True
    assert facts["kind"] == "derived"
    assert facts["shape"] == [9, 24 + 6, 20]
    assert facts["spacing_mm"] == pytest.approx([2.0, 0.9, 0.7])
    assert any("shifted within their planes by up to 4.80 mm" in text for text in facts["findings"])
    image = sitk.ReadImage(str(out))
    array, points = array_of(image), places(geometry_of(image))
    seen = array > facts["min"]
    assert seen.sum() > 0.9 * 9 * 23 * 20
    expected = points @ GRADIENT + 600.0 - 1024.0
    assert np.abs(array - expected)[seen].max() <= 1.5


def test_series_says_that_slices_can_be_shown(carez: CommandLine) -> None:
    (series,) = carez("--json", "series").document
    assert series["slices_only"] is True
    assert series["refusal"].startswith("Tilted by 16.70 degrees")
    assert series["spacing_mm"] is None


def test_resampling_takes_no_more_memory_than_its_result() -> None:
    origins = [np.array([0.0, 0.3 * n, 2.0 * n]) for n in range(60)]
    stack = stack_of(lambda p: p[..., 0], origins, np.eye(3), matrix=(256, 256), dtype="int16")
    tracemalloc.start()
    volume = resample_stack(stack)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.0 * volume.array.nbytes + 8 * 2**20  # a few slices in double precision
