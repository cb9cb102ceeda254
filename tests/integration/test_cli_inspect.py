"""What a person reads of a bundle."""

from __future__ import annotations

from pathlib import Path

import pytest

from carez_desktop.workflows.context import open_context
from carez_desktop.workflows.record_evaluation import record_evaluation
from tests.builders.bundles import evaluation, make_bundle
from tests.builders.command_line import CommandLine


def test_a_bundle_reads_as_aligned_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = make_bundle(tmp_path).bundle
    carez = CommandLine(tmp_path / "home", capsys)
    lines = carez("bundle", "inspect", bundle).does("None of the six axes").out.splitlines()
    assert lines[0] == f"{bundle}: draft, revision 1, 2 cases"
    assert "  licence   CC-BY-4.0" in lines
    cases = [line for line in lines if line.startswith("case-000")]
    assert len(cases) == 2
    for line in cases:
        assert "CT 5 x 12 x 14 HU" in line
        assert "2.5 x 0.7 x 0.9" in line
        assert "a patient's" in line
    assert not any("{" in line or "None" in line for line in lines)


def test_the_verdicts_of_an_evaluation_are_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = make_bundle(tmp_path).bundle
    context = open_context(tmp_path / "home")
    record_evaluation(context, bundle=bundle, evaluation=evaluation())
    told = CommandLine(tmp_path / "home", capsys)("bundle", "inspect", bundle).does()
    lines = told.out.splitlines()
    assert lines[0].endswith("evaluated, revision 2, 2 cases")
    assert any(line.split()[:2] == ["fidelity", "pass"] for line in lines)
    assert any("not evaluable" in line for line in lines)
