"""The pages say what they have to, name no path, and their pictures are pictures."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from carez_desktop.domain.codec import to_plain
from carez_desktop.domain.evaluation import Axis, AxisResult, Evaluation, Measurement, Verdict
from carez_desktop.domain.pilot import PilotGap, PilotResult
from carez_desktop.domain.plan import EvaluationPlan, PilotPlan
from carez_desktop.reports.evaluation_report import render_evaluation_report
from carez_desktop.reports.figures import HeatTable, SlicePair, comparison_figure
from carez_desktop.reports.page import load_theme, number_text
from carez_desktop.reports.pilot_report import PilotPictures, lift_text, render_pilot_report

LIFT = Measurement("recall_lift", 0.125, (-0.05, 0.3), 12, method="bootstrap <b>", margin="m")
PLAN = EvaluationPlan(
    "A plan", pilot=PilotPlan({"dose": "low"}, "low-dose-ct", {"dose_fraction": 0.2}, 3, 7)
)


@pytest.fixture
def evaluation() -> Evaluation:
    arms = (
        Measurement("recall_real", 0.5, (0.2, 0.7), 12),
        Measurement("recall_with_synthetic", 0.625, (0.3, 0.8), 12),
    )
    axes = (
        AxisResult(
            Axis.FIDELITY,
            Verdict.NOT_EVALUABLE,
            "nobody",
            (Measurement("reader_study", None, None, 0, reason="Nobody has read these yet"),),
        ),
        AxisResult(Axis.UTILITY, Verdict.FAIL, "lift outside", (LIFT, *arms)),
        AxisResult(Axis.TRACEABILITY, Verdict.PASS, "all", ()),
    )
    return Evaluation(axes, to_plain(PLAN), "2026-01-01T00:00:00+00:00")


@pytest.fixture
def result(evaluation: Evaluation, tmp_path: Path) -> PilotResult:
    return PilotResult(
        bundle=tmp_path / "pilot.h5",
        bundle_uuid="uuid",
        report=tmp_path / "report.html",
        verdict="valid",
        root="ab" * 32,
        keyid="cd" * 32,
        revision=3,
        evaluation=evaluation,
        gap=PilotGap({"dose": "low"}, 0, 0, 1, 11),
        cases=3,
        device="CPU",
        seconds_per_case=2.5,
        lift=LIFT,
        statements=("The patients are simulated.",),
        findings=(),
        seconds=60.0,
    )


def _pictures(page: str) -> list[Image.Image]:
    codes = re.findall(r"data:image/png;base64,([A-Za-z0-9+/=]+)", page)
    return [Image.open(io.BytesIO(base64.b64decode(code))) for code in codes]


def test_the_evaluation_page_has_every_axis_word_reason_and_escapes(evaluation: Evaluation) -> None:
    page = render_evaluation_report(evaluation, title="T", subtitle="S", stand_in=True)
    for words in ("not evaluable", "fail", "pass", "Nobody has read these yet", "0.125"):
        assert words in page
    assert "\u22120.05 to 0.3" in page
    assert "simulated" in page
    assert "bootstrap &lt;b&gt;" in page
    plain = render_evaluation_report(evaluation, title="T")
    assert "simulated" not in plain


def test_the_pilot_page_has_pictures_and_names_no_folder(
    result: PilotResult, tmp_path: Path
) -> None:
    random = np.random.default_rng(0)
    source = random.normal(40.0, 10.0, (40, 50))
    table = HeatTable(
        "Dose", "Age", ("low", "high"), ("a", "b"), ((0, 3), (None, 1)), ((0, 0),) * 2
    )
    after = replace(table, synthetic=((2, 1), (0, 0)))
    pictures = PilotPictures(
        SlicePair(source, source + random.normal(0, 20, (40, 50)), (2.0, 1.0), (40, 400), "Case"),
        (table, after),
    )
    page = render_pilot_report(
        result,
        pictures=pictures,
        stand_in=True,
        cohort={"name": "c", "version": 1, "patients": 9, "splits": {"train": 5, "test": 4}},
    )
    assert len(_pictures(page)) == 3
    assert str(tmp_path) not in page
    assert "The patients are simulated." in page
    assert "dose low: 0 training patients, gap 1 of 11" in page
    bare = render_pilot_report(
        result, pictures=PilotPictures(), stand_in=False, cohort={**_COHORT, "version": 2}
    )
    assert len(_pictures(bare)) == 1


_COHORT = {"name": "c", "version": 1, "patients": 9, "splits": {"train": 9}}


def test_the_comparison_paints_both_slices_with_their_aspect() -> None:
    """Rows of 2 mm and columns of 1 mm: a square of pixels is drawn twice as high as wide."""
    source = np.full((30, 30), -1000.0)
    source[10:20, 10:20] = 1000.0
    uri = comparison_figure(SlicePair(source, source, (2.0, 1.0), (0.0, 2000.0), ""))
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))).convert("L"))
    white = np.argwhere(pixels[60:, : pixels.shape[1] // 3] > 250)
    height, width = np.ptp(white, axis=0) + 1
    assert height / width == pytest.approx(2.0, abs=0.08)


@pytest.mark.parametrize(
    ("interval", "words"),
    [
        ((0.02, 0.3), "lies above zero"),
        ((-0.3, -0.02), "made it worse"),
        ((-0.1, 0.3), "no lift is shown"),
        (None, "no interval"),
    ],
)
def test_the_lift_is_told_as_it_is(interval: tuple[float, float] | None, words: str) -> None:
    assert words in lift_text(replace(LIFT, interval=interval))
    assert lift_text(None) == "No lift was measured."
    assert "no labels" in lift_text(replace(LIFT, value=None, reason="no labels"))


def test_numbers_and_theme() -> None:
    texts = [number_text(value) for value in (None, 0.0, 3.0, -0.123456, 1.5e-5)]
    assert texts == ["\u2013", "0", "3", "\u22120.123", "1.5e\u221205"]
    assert number_text(2.0, "HU") == "2 HU"
    assert {"synthetic", "real", "panel"} <= load_theme()["colours"].keys()
