"""The demo on studies that do not allow it says which files there were and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from carez_desktop.errors import InputError
from carez_desktop.workflows.context import open_context
from carez_desktop.workflows.run_demo import run_demo
from tests.builders.dicom_series import SeriesPlan, build_series


def test_unreadable_studies_are_named_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "notes.dcm").write_text("hello")
    context = open_context(tmp_path / "home")
    with pytest.raises(InputError) as caught:
        run_demo(context, out=tmp_path / "out", studies=tmp_path / "studies")
    assert "1 unreadable file" in caught.value.what
    assert "notes.dcm" in caught.value.hint
    assert not (tmp_path / "out").exists()


def test_a_tilted_series_alone_is_refused_with_its_tilt(tmp_path: Path) -> None:
    build_series(tmp_path / "studies", SeriesPlan(tilt_mm=1.5))
    context = open_context(tmp_path / "home")
    with pytest.raises(InputError) as caught:
        run_demo(context, out=tmp_path / "out", studies=tmp_path / "studies")
    assert "1 series" in caught.value.what
    assert "tilt" in caught.value.hint.lower()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_demo_ends_with_a_valid_bundle_of_both_generators(tmp_path: Path) -> None:
    context = open_context(tmp_path / "home")
    result = run_demo(context, out=tmp_path / "out")
    assert result.verdict == "valid"
    assert result.gap.rank == 1
    assert result.gap.patients == 0
    assert result.cases == 10
    assert {axis.axis.value for axis in result.evaluation.axes} == {
        "fidelity",
        "diversity",
        "non_memorization",
        "utility",
        "bias",
        "traceability",
    }
    assert any("simulated" in statement for statement in result.statements)
    assert result.report.stat().st_size > 100_000
    assert not (tmp_path / "home" / "library").exists()
