"""The pilot from DICOM to a signed bundle and a report, on crude patients that play real."""

from __future__ import annotations

from pathlib import Path

import pytest

from carez_desktop.domain.evaluation import Axis, Verdict
from carez_desktop.domain.pilot import PilotResult
from carez_desktop.errors import InputError, UsageError
from carez_desktop.hdf5.reader import list_cases, read_evaluation
from carez_desktop.system.paths import resource_path
from carez_desktop.workflows.begin_pilot import begin_pilot, find_gap
from carez_desktop.workflows.context import WorkflowContext, open_context
from carez_desktop.workflows.evaluate_cohort import evaluate_cohort
from carez_desktop.workflows.freeze_cohort import freeze_cohort
from carez_desktop.workflows.import_studies import import_studies
from carez_desktop.workflows.run_pilot import run_pilot
from tests.builders.chest_series import chest_cohort, write_chest

SMALL = (("steps = 300", "steps = 12"), ("count = 6", "count = 2"), ("= 1000", "= 60"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> tuple[WorkflowContext, Path, dict]:
    root = tmp_path_factory.mktemp("pilot")
    context = open_context(root / "home")
    masks, lines = {}, ["patient_id,split"]
    for patient, split in chest_cohort():
        masks[patient.series_uid] = write_chest(root / "dicom", patient)
        lines.append(f"{patient.patient_id},{split}")
    (root / "labels.csv").write_text("\n".join(lines) + "\n")
    import_studies(context, paths=[root / "dicom"], stand_in=True)
    freeze_cohort(context, name="tiny", labels=root / "labels.csv")
    text = resource_path("plans/demo.toml").read_text(encoding="utf-8")
    for old, new in SMALL:
        assert old in text
        text = text.replace(old, new)
    (root / "plan.toml").write_text(text)
    return context, root, masks


@pytest.fixture(scope="module")
def result(site: tuple[WorkflowContext, Path, dict]) -> PilotResult:
    context, root, masks = site
    return run_pilot(
        context,
        plan=root / "plan.toml",
        out=root / "out",
        cohort="tiny",
        truth=lambda volume_id: masks.get(volume_id.split(":")[0]),
    )


def test_the_bundle_verifies_and_the_gap_is_the_first(result: PilotResult) -> None:
    assert result.verdict == "valid"
    assert result.revision == 3
    assert (result.gap.patients, result.gap.rank) == (0, 1)
    assert result.cases == 2
    assert [entry.coverage_cell["dose"] for entry in list_cases(result.bundle)] == ["low", "low"]
    assert any("simulated" in statement for statement in result.statements)


def test_each_axis_has_a_measurement_or_its_reason(result: PilotResult) -> None:
    axes = {axis.axis: axis for axis in result.evaluation.axes}
    assert set(axes) == set(Axis)
    for axis in axes.values():
        assert axis.reason
        for found in axis.measurements:
            assert found.value is not None or found.reason
    fidelity = {found.name: found for found in axes[Axis.FIDELITY].measurements}
    assert fidelity["added_noise_ratio"].value == pytest.approx(1.0, abs=0.15)
    assert fidelity["hu_bias"].value == pytest.approx(0.0, abs=0.5)
    assert axes[Axis.NON_MEMORIZATION].verdict is Verdict.NOT_EVALUABLE
    assert "image-conditioned" in axes[Axis.NON_MEMORIZATION].reason
    assert axes[Axis.TRACEABILITY].verdict is Verdict.PASS
    assert axes[Axis.UTILITY].verdict is Verdict.NOT_EVALUABLE
    assert result.lift is not None
    assert result.lift.n == 3


def test_the_evaluation_is_in_the_bundle_without_patients(
    result: PilotResult, site: tuple[WorkflowContext, Path, dict]
) -> None:
    stored = read_evaluation(result.bundle)
    assert stored is not None
    assert len(stored["axes"]) == 6
    content = result.bundle.read_bytes()
    for secret in (b"1.2.826.0.1.3680043.9.999", str(site[1]).encode(), b"SYNTHETIC^P1"):
        assert secret not in content


def test_the_report_has_its_pictures(result: PilotResult) -> None:
    page = result.report.read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") >= 2
    assert "simulated" in page
    assert "1.2.826.0.1.3680043.9.999" not in page


def test_evaluating_again_without_labels_says_what_is_missing(
    result: PilotResult, site: tuple[WorkflowContext, Path, dict], tmp_path: Path
) -> None:
    evaluation = evaluate_cohort(
        site[0], real="tiny", synthetic=result.bundle, report_dir=tmp_path / "report"
    )
    utility = next(axis for axis in evaluation.axes if axis.axis is Axis.UTILITY)
    assert utility.verdict is Verdict.NOT_EVALUABLE
    assert "carez pilot" in utility.reason
    assert not evaluation.is_negative
    assert "carez pilot" in (tmp_path / "report" / "evaluation.html").read_text(encoding="utf-8")


def test_a_plan_without_a_pilot_and_a_cohort_without_sources_are_refused(
    site: tuple[WorkflowContext, Path, dict], tmp_path: Path
) -> None:
    context, root, _ = site
    bare = tmp_path / "bare.toml"
    bare.write_text('version = 1\ntitle = "t"\n')
    with pytest.raises(UsageError, match=r"no \[pilot\] table"):
        run_pilot(context, plan=bare, out=tmp_path / "out", cohort="tiny")
    other = tmp_path / "mr.toml"
    text = (root / "plan.toml").read_text(encoding="utf-8")
    other.write_text(text.replace('modality = "CT", dose = "low"', 'modality = "MR"'))
    with pytest.raises(InputError, match="no MR volume"):
        run_pilot(context, plan=other, out=tmp_path / "out", cohort="tiny")


def test_sources_that_lie_in_the_cell_already_are_said_aloud(
    site: tuple[WorkflowContext, Path, dict], tmp_path: Path
) -> None:
    context, root, _ = site
    plan = tmp_path / "standard.toml"
    text = (root / "plan.toml").read_text(encoding="utf-8")
    plan.write_text(text.replace('dose = "low"', 'dose = "standard"'))
    start = begin_pilot(context, plan=plan, cohort="tiny")
    assert any("fills no gap" in statement for statement in start.statements)
    gap = find_gap(context, start)
    assert (gap.patients, gap.rank) == (4, None)
    assert "not a gap here" in gap.text
